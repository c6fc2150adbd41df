"""Questions of general knowledge and little sums, which nobody needs a tool for."""

from __future__ import annotations

import re
from collections.abc import Sequence

# A question of general knowledge asks about something with a name (Capital Letters) or something everybody has.
_NAME = (
    r"(?:[A-ZÀ-ÖØ-Þ][\w'’-]*)(?: (?:(?:of|the|and|de|la|le|del|von|van|der|da|di|du|in) ){0,2}[A-ZÀ-ÖØ-Þ][\w'’-]*){0,4}"
)
_COMMON = (
    r"(?i:water|ice|steam|gold|silver|iron|copper|oxygen|hydrogen|helium|light|sound|earth|the earth|the moon|the sun"
    r"|the universe|the atlantic|the pacific|[0-9]{1,6}|pi)"
)
_THING = rf"(?:{_NAME}|{_COMMON})"
_TRIVIA = tuple(
    re.compile(pattern)
    for pattern in (
        r"(?i:(?:what|which)(?:'s|’s| is| are| was)?) (?i:the )?(?i:capital|population|currency|area|height|length|depth"
        r"|past tense|plural|opposite|square root|speed|boiling point|melting point|freezing point|atomic number"
        rf"|chemical symbol|chemical formula|national anthem|national animal|national flower) (?i:of|in) (?i:the )?{_THING}",
        rf"(?i:who (?:wrote|painted|composed|invented|discovered|founded)) (?i:the )?{_NAME}",
        rf"(?i:when (?:did|was|were)) (?i:the )?{_NAME}(?i: (?:born|die|invented|founded|discovered))",
        rf"(?i:how (?:tall|high|old|far|deep|big|heavy|long|large) (?:is|are|was)) (?i:the )?{_THING}",
        r"(?i:how many (?:days|weeks|months|hours|minutes|seconds|years|grams|ounces|pounds|metres|meters|inches|feet"
        r"|bits|bytes|continents|planets|legs) (?:are )?(?:there )?in an? (?:leap )?(?:year|day|week|month|hour|minute"
        r"|century|decade|kilogram|kilo|pound|ton|mile|kilometre|kilometer|foot|yard|metre|meter|byte))",
        r"(?i:(?:please )?tell me a (?:short |good |funny )?(?:joke|riddle|fun fact)(?: please)?)",
        rf"(?i:(?:was|wie|welche) (?:ist|heisst|heißt|lautet) (?:die|der|das) (?:hauptstadt|währung|einwohnerzahl) (?:von|der|des)) {_NAME}",
        rf"(?i:quel(?:le)? est (?:la |le |l['’])?(?:capitale|population|monnaie|superficie) (?:de|du|de la|des|de l['’])) ?{_NAME}",
        rf"(?i:cu[aá]l es (?:la )?(?:capital|población|moneda) (?:de|del|de la)) {_NAME}",
    )
)
_ABOUT_ITSELF = re.compile(
    r"(?i:who are you|what are you|what(?:'s|’s| is) your name|are you (?:a )?(?:human|bot|robot|ai))"
)
_ARITHMETIC = re.compile(
    r"(?i:(?:what(?:'s|’s| is)|calculate|compute) )?[\d\s.,()]{1,12}(?:[-+*/x×÷^]\s?[\d\s.,()]{1,12}){1,4}=?"
)
_AROUND = " \t\r\n?!.¿¡"
# Names of people's own things are written with capitals too: with these words a question is about those.
_OWN = frozenset(
    [
        "my",
        "our",
        "your",
        "their",
        "his",
        "her",
        "its",
        "this",
        "that",
        "these",
        "those",
        "here",
        "file",
        "repo",
        "server",
        "database",
        "project",
        "team",
        "issue",
        "ticket",
    ]
)


def is_trivia(text: str, folded_text: str, words: Sequence[str]) -> bool:
    """True for a question about something with a name, or that everybody has: about nothing of the user's own."""
    if _ARITHMETIC.fullmatch(folded_text.strip(_AROUND)):
        return True
    question = " ".join(text.strip(_AROUND).split())
    if _ABOUT_ITSELF.fullmatch(question):
        return True
    return any(pattern.fullmatch(question) for pattern in _TRIVIA) and _OWN.isdisjoint(words)

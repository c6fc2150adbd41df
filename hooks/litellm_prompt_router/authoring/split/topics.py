"""Triggers and example messages of each piece: its distinctive words, and lines that a user could have sent."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence

from litellm_prompt_router.authoring.split.roles import split_words
from litellm_prompt_router.authoring.split.titles import clean_title, without_markup
from litellm_prompt_router.request.route.triggers import check_trigger, folded, is_unspaced, words_of

MAX_TRIGGERS = 8
MAX_BODY_TRIGGERS = 4
MAX_EXAMPLES = 6
MIN_EXAMPLE_CHARS, MAX_EXAMPLE_CHARS = 12, 120
MAX_SHARE = 0.2
MAX_TITLE_SHARE = 0.35
"""The share of sections that a word may be in and still be a trigger: found in the text, and found in the title."""
READ_CHARS = 20_000
TITLE_WEIGHT = 6.0
MIN_BODY_COUNT = 3
HOME_SHARE = 0.6
"""A piece with this share of all uses of a word may have it as a trigger."""
MIN_STEM_CHARS = 5

_STOP = frozenset(
    """
    the and for you your that this with from have are was were will would can could should must may might not but all any
    each other more most some such than then them they their there these those into over under about after before when
    where which while what who how why its his her our out use used using user users always never only also ensure provide
    make sure need needs needed want following follow example examples note notes please here just like very well include
    including includes based given want wants does done doing dont cant has had been being because same own too via per
    one two three first second last next new old way ways thing things part parts section sections step steps text name
    names value values type types line lines list lists item items content contents response responses answer answers
    output outputs input inputs format formats rule rules guideline guidelines instruction instructions important critical
    required requirement requirements general overview introduction information info details description describe system
    prompt assistant agent agents model models tool tools function functions command commands call calls parameter
    parameters argument arguments return returns true false null none string number object array optional default work
    exact exactly uses down up page pages close closed far low high another allow allowed identifier unique target block
    blocks count counts reason initial initially mode modes move mark complete completed completion entire large small
    source sources attempt attempts failure purpose consideration considerations appropriate choose choosing advantage
    advantages tip tips quality create created creating creates edit edits editing apply applies applied write writes
    writing read reads reading contain contains containing available appropriately possible additional whether however
    without within across still even both many few every everything anything something nothing able along already
    always-on based before being cannot could currently directly during either especially etc first found four five
    full fully further however instead itself keep latest less likely long longer mention mentioned might much necessary
    never ones open others otherwise out own particular previous previously provided provides providing related
    relevant same several should similar simple simply since specifically state such sure those through together
    toward towards unless until upon usually various whenever wherever while why wish would yet
    working good bad best better right correct case cases time times task tasks message messages request requests
    question questions result results message help let get set see say tell ask give take keep think know look find show
    start end begin stop add remove change yes available specific different multiple single current main core other
    der die das und ist nicht ein eine mit für auf den dem von zu sie wenn oder werden wird sind auch als bei nach
    les des une est pas que qui dans pour sur avec vous par sont être plus cette les los las una que del con por para
    como más este esta son sus não uma com dos das che per non una sono della delle het een van niet voor met
    для что это как все при или если также быть
    """.split()
)
_UNSPACED_RUN = re.compile(
    r"[\u0e00-\u0fff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]+"
)
_PARTICLES = re.compile(r"[的和与與及或在是了请請应應您你我の・をにはがでとも]")
_QUOTED = re.compile(r"[\"“「『]([^\"“”「」『』\n]{8,160})[\"”」』]")
_USER_LINE = re.compile(
    r"^\W*(?:user|human|nutzer|utilisateur|usuario|用户|ユーザー|пользователь)\W{1,6}(\S.*)$", re.IGNORECASE
)
_CLAUSE = re.compile(r"(?<=[.!?;:。！？；：।])\s*|\s+[—–]\s+|,\s+(?=\w+\s+\w+)")
_FENCED = re.compile(r"^[ \t]*(`{3,}+|~{3,}+)[^\n]*\n.*?^[ \t]*\1[ \t]*$", re.MULTILINE | re.DOTALL)


def triggers_of(
    pieces: Sequence[str],
    titles: Sequence[Sequence[str]],
    tools: Sequence[Sequence[str]],
    wanted: Sequence[bool],
    groups: Sequence[int],
) -> list[tuple[str, ...]]:
    """For each wanted piece a few words that are rare elsewhere, most distinctive first; no word for two pieces.

    ``groups``: pieces with the same number are parts of one section, in which a word counts once.
    """
    bodies = [_prose(text) for text in pieces]
    counts = [Counter(_terms(body)) for body in bodies]
    frequency = Counter(
        term for term, _ in {(t, group) for count, group in zip(counts, groups, strict=True) for t in count}
    )
    everywhere = sum(counts, Counter[str]())
    total = len(set(groups))
    scores: dict[str, dict[int, float]] = {}
    for number in range(len(pieces)):
        if not wanted[number]:
            continue
        headings = set(_terms(" ".join(split_words(title) for title in titles[number])))
        names = set(_terms(" ".join(split_words(name) for name in tools[number])))
        for term in headings | names | set(counts[number]):
            if not _is_telling(term):
                continue
            most = max(3, MAX_TITLE_SHARE * total) if term in headings else max(2, MAX_SHARE * total)
            if frequency[term] > most:
                continue
            named = TITLE_WEIGHT * (term in headings) + TITLE_WEIGHT / 2 * (term in names)
            if not named and not _is_mostly_used_here(term, counts[number][term], everywhere[term], frequency[term]):
                continue
            rarity = math.log((2 + total) / max(frequency[term], 1))
            scores.setdefault(term, {})[number] = (named + math.log1p(counts[number][term])) * rarity
    best: list[list[tuple[float, str, bool]]] = [[] for _ in pieces]
    for term, where in scores.items():
        number = max(where, key=lambda n: (where[n], -n))
        best[number].append((where[number], term, where[number] >= TITLE_WEIGHT))
    stems = Counter(term[:MIN_STEM_CHARS] for term in scores)
    return [tuple(_best_triggers(ranked, stems)) if wanted[n] else () for n, ranked in enumerate(best)]


def _is_mostly_used_here(term: str, here: int, everywhere: int, sections: int) -> bool:
    """True for a word of the text that is mostly used in this piece."""
    if here < MIN_BODY_COUNT or len(term) < 4 - is_unspaced(term) * 2:
        return sections == 1 and here >= MIN_BODY_COUNT and len(term) >= 3
    return here >= HOME_SHARE * everywhere


def _best_triggers(ranked: list[tuple[float, str, bool]], stems: Counter[str]) -> Iterable[str]:
    plain_words = 0
    chosen: list[str] = []
    for _, term, is_named in sorted(ranked, key=lambda item: (-item[0], item[1])):
        if len(chosen) >= MAX_TRIGGERS or (not is_named and plain_words >= MAX_BODY_TRIGGERS):
            continue
        trigger = _with_endings(term, stems)
        if any(trigger.startswith(other.rstrip("*")) or other.startswith(trigger.rstrip("*")) for other in chosen):
            continue
        if check_trigger(trigger) is None:
            plain_words += not is_named
            chosen.append(trigger)
    return chosen


def _with_endings(term: str, stems: Counter[str]) -> str:
    """``commit*`` for ``commits``, where no other trigger begins alike."""
    if not term.isascii() or not term.isalpha() or len(term) < MIN_STEM_CHARS or stems[term[:MIN_STEM_CHARS]] > 1:
        return term
    for ending in ("ies", "ing", "ed", "es", "s", "e"):
        if term.endswith(ending) and len(term) - len(ending) >= MIN_STEM_CHARS and not term.endswith("ss"):
            return f"{term[: -len(ending)]}*"
    return f"{term}*"


def _terms(text: str) -> list[str]:
    form = folded(text)
    terms = words_of(form)
    if is_unspaced(form):
        for run in _UNSPACED_RUN.findall(form):
            for part in _PARTICLES.split(run):
                if 2 <= len(part) <= 6:
                    terms.append(part)
                for size in (2, 3, 4):
                    terms.extend(part[at : at + size] for at in range(len(part) - size + 1) if len(part) > 6)
    return terms


def _is_telling(term: str) -> bool:
    if is_unspaced(term):
        return len(term) >= 2
    return (
        len(term) >= 3 and term not in _STOP and not any(character.isdigit() for character in term) and term.isalpha()
    )


def _prose(text: str) -> str:
    """The text without fenced code, and no more of it than is needed."""
    return _FENCED.sub("\n", text[:READ_CHARS])


def likely_messages(text: str, title: str, triggers: Sequence[str]) -> list[str]:
    """Stretches of the text that hold a trigger and could be a user's message; quoted messages of users come first."""
    stems = [trigger.rstrip("*") for trigger in triggers]
    if not stems:
        return []
    quoted: list[str] = []
    plain_lines: list[str] = []
    for line in _prose(text).splitlines():
        if said := _USER_LINE.match(line[:400]):
            quoted.append(said[1])
        quoted.extend(match[1] for match in _QUOTED.finditer(line[:2_000]))
        if not line.lstrip().startswith(("<", "|", "{", "}")):
            plain_lines.extend(_clauses(line))
    candidates = [*quoted, split_words(title), *plain_lines]
    kept: dict[str, str] = {}
    for candidate in candidates:
        message = clean_title(without_markup(candidate)).strip("\"'“”.,;()[]{} ")
        form = folded(message)
        wide = is_unspaced(form)
        fits = len(message) * (1 + wide) >= MIN_EXAMPLE_CHARS and len(message) <= MAX_EXAMPLE_CHARS
        if fits and len(message.split()) > 1 - wide and any(stem in form for stem in stems):
            kept.setdefault(form, message)
        if len(kept) >= 4 * MAX_EXAMPLES:
            break
    return list(kept.values())


def _clauses(line: str) -> Iterable[str]:
    text = without_markup(line)
    if len(text) <= MAX_EXAMPLE_CHARS:
        yield text
    else:
        yield from (part for part in _CLAUSE.split(text[:2_000]) if part)

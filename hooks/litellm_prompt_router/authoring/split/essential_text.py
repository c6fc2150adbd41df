"""What a module says that requests need without asking for it: environment, identity, safety, permissions, rules.

Two questions, in order of what depends on the answer. Does the text hold a sentence that every request needs
(``essential_sentences``)? Then it is never left out, whatever labels say. Is all of it evidently about the tools
that belong to it (``unrelated_sentence`` finds nothing)? Only then may it go where these tools are missing.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from litellm_prompt_router.authoring.split.essential_words import (
    ENVIRONMENT_LABEL,
    KINDS,
    KNOWN_LANGUAGES,
    OBLIGATION,
    OTHER_LANGUAGES,
    THIS_TOOL,
    TOOL_WORDS,
    EssentialKind,
)

MAX_SENTENCE_CHARS = 1_000
MIN_STEM_CHARS = 4
MIN_KNOWN_SHARE = 0.12
ENOUGH_WORDS = 12
FOREIGN_SHARE = 0.1
NEVER_FREED: tuple[EssentialKind, ...] = ("identity", "environment", "safety", "permission")
"""Kinds of sentences that keep a module in the core, whatever it is about."""

_FENCED = re.compile(r"^[ \t>]*(`{3,}+|~{3,}+)[^\n]*\n.*?(?:^[ \t>]*\1[ \t]*$|\Z)", re.MULTILINE | re.DOTALL)
_SENTENCE_END = re.compile(r"(?<=[.!?;])[\"'”’)\]*_]*\s+|(?<=[。！？।؟])[”’」』）*_]*\s*")
_STARTS = re.compile(r"^\s*(?:[#>|*+•\-–—]|\d{1,3}[.)]|[A-Z][\w ]{0,30}:)")
_MARKUP = re.compile(r"^[\s>#*+•|\-–—=~_]+|^\W*\d{1,3}[.)]\s+|[*|]+")
_TAGS = re.compile(r"(?<!`)</?[\w:-]+(?:\s[^<>`]*)?/?>(?![`.])")
_SPOKEN = re.compile(r"^\W*(?:user|assistant|human|system|ai|example|input|output)\W{0,3}[:：]", re.IGNORECASE)
_CODE = re.compile(
    r"`[^`\n]+`|--\w[\w-]+|\w+\([^)\n]*\)|[{}<>$\\]|\b\w+_\w+\b|\b\w+\.(?:py|js|ts|txt|md|json|ya?ml|csv|sh)\b"
)
_DATA = re.compile(r"""^\s*(?:["'][\w -]+["']\s*:|@\w+\s*:|[{}\[\](),;]+\s*$|[<=>]{4,}|import |from \w+ import )""")
_LETTERS = re.compile(r"[^\W\d_]{2,}")
_WORD = re.compile(r"[^\W_][\w.-]*[^\W_]|[^\W_]")
_CHINESE = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff]")
_FOREIGN = re.compile(r"[^\W\d_\u0000-\u024f\u1e00-\u1eff\u3400-\u4dbf\u4e00-\u9fff\uff00-\uff65]")
"""Letters of scripts other than Latin and Chinese: Japanese has kana among its ideographs."""
_WHOLE_WORD = re.compile(r"[^\W\d_]+")
_COMMON_STEMS = frozenset(
    """
    tool user agen task file work call name when what with your this that from befo afte neve alwa must impo crit mand
    rule guid inst syst exam requ usag gene
    """.split()  # noqa: SIM905  # a list of word beginnings reads better so
)
"""Beginnings of words that titles and rules share without a common subject."""
_PRONOUN = re.compile(r"^\W*(?:it|this|es|dies\w*|il|elle|cela|esto)\b", re.IGNORECASE)
_PARAMETER = re.compile(
    r"""^\W*\w+[`*"']*\s*(?::\s*\((?:required|optional)\)|\((?:required|optional|string|integer|boolean|number|array|object)\b)""",
    re.IGNORECASE,
)
_LABELLED = re.compile(
    r"^\W*(?:description|instructions?|usage|parameters?|arguments?|examples?|when to use|returns?|syntax|notes?)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class EssentialSentence:
    """A sentence of a module and what makes it one that isn't left out."""

    kind: EssentialKind
    text: str


def essential_sentences(text: str) -> Iterator[EssentialSentence]:
    """The sentences that every request needs: on environment, identity, safety, permissions, conduct and style."""
    for sentence in sentences_of(text):
        kind = _kind(sentence)
        if kind is not None:
            yield EssentialSentence(kind=kind, text=sentence)
    for line in _fenced_lines(text):
        if ENVIRONMENT_LABEL.search(line.strip()):
            yield EssentialSentence(kind="environment", text=line)


@lru_cache(maxsize=10_000)
def _kind(sentence: str) -> EssentialKind | None:
    return next((kind for kind, words in KINDS if words.search(sentence)), None)


def first_essential(text: str, names: Sequence[str]) -> EssentialSentence | None:
    """The first sentence that keeps a module with these tools and titles in the core for good; None without one.

    A rule of conduct or style about the module's own subject, one that shares a word with these names, doesn't: labels
    tell who needs it. Labels never tell that of what is forbidden, or asked for first: who labels a message to edit
    code doesn't think of the rule against pushing it.
    """
    for found in essential_sentences(text):
        if found.kind in NEVER_FREED or not is_about(found.text, names):
            return found
    return None


def obligations_in(text: str) -> Iterator[str]:
    """The sentences with a word of obligation, in prompt order."""
    return (sentence for sentence in sentences_of(text) if OBLIGATION.search(sentence))


def unrelated_sentence(
    text: str, tools: Sequence[str], titles: Sequence[str], declared: Collection[str]
) -> EssentialSentence | None:
    """The first sentence that keeps a tools' module in the core; None where all of it is about its tools.

    A rule is about a tool when it names it; another sentence, when it shares a word with the tool or speaks of tools,
    parameters or code. Neither may name others of the ``declared`` tools. Text in a language whose rules aren't known
    here is never taken to be about a tool alone.
    """
    essential = next(essential_sentences(text), None)
    if essential is not None:
        return essential
    if not is_known_language(text):
        return EssentialSentence(kind="rule", text="its language is not one whose rules are recognised")
    names = frozenset(name.casefold() for name in tools)
    others = frozenset(name.casefold() for name in declared) - names
    stems = _stems((*tools, *titles))
    for sentence in sentences_of(text):
        if _PARAMETER.match(sentence):
            continue
        words = [word.casefold() for word in _WORD.findall(sentence)]
        if any(_names(word, name) for word in words for name in names):
            continue
        if OBLIGATION.search(sentence):
            is_about_tools = THIS_TOOL.search(sentence) is not None
        else:
            is_about_tools = _is_about_tools(sentence, words, stems)
        if not is_about_tools or not others.isdisjoint(words):
            return EssentialSentence(kind="rule", text=sentence)
    return None


def is_about(sentence: str, names: Sequence[str]) -> bool:
    """True when a sentence shares a word with these names of tools or titles, other than one that says nothing."""
    stems = _stems(names) - _COMMON_STEMS
    return any(word.casefold()[:MIN_STEM_CHARS] in stems for word in _LETTERS.findall(sentence))


def is_known_language(text: str) -> bool:
    """False for prose in a language or script whose rules aren't known here."""
    prose = " ".join(sentences_of(text))
    if len(_FOREIGN.findall(prose)) > FOREIGN_SHARE * len(prose):
        return False
    if len(_CHINESE.findall(prose)) > FOREIGN_SHARE * len(prose):
        return True
    words = [word.casefold() for word in _WHOLE_WORD.findall(prose)]
    if len(words) < ENOUGH_WORDS:
        return prose.isascii()
    known = max(sum(word in each for word in words) for each in KNOWN_LANGUAGES)
    other = max(sum(word in each for word in words) for each in OTHER_LANGUAGES)
    return known >= MIN_KNOWN_SHARE * len(words) and known > other


def sentences_of(text: str) -> Iterator[str]:
    """The prose of a text, sentence by sentence, without list marks; no fenced code, tags or example dialogue."""
    for line in _unwrapped(_FENCED.sub("\n\n", text)):
        for part in _SENTENCE_END.split(line):
            sentence = " ".join(_MARKUP.sub(" ", part).split())[:MAX_SENTENCE_CHARS]
            if _LETTERS.search(sentence):
                yield sentence


def _unwrapped(text: str) -> Iterator[str]:
    """The paragraphs and list items of a text, each on one line; no example dialogue and no data."""
    held = ""
    for raw in text.splitlines():
        line = _TAGS.sub(" ", raw)
        is_left_out = not line.strip() or _SPOKEN.match(line) is not None or _DATA.match(line) is not None
        if is_left_out or _STARTS.match(line) or len(held) > MAX_SENTENCE_CHARS:
            yield held
            held = ""
        if not is_left_out:
            held = f"{held} {line.strip()}" if held else line
            if line.lstrip().startswith("#"):
                yield held
                held = ""
    yield held


def _fenced_lines(text: str) -> Iterator[str]:
    for block in _FENCED.finditer(text):
        yield from block[0].splitlines()[1:-1]


def _names(word: str, tool: str) -> bool:
    """True for a tool's name, and for a longer word made of it such as ``patching``."""
    return word == tool or (len(tool) >= MIN_STEM_CHARS and word.startswith(tool))


def _is_about_tools(sentence: str, words: Sequence[str], stems: frozenset[str]) -> bool:
    if TOOL_WORDS.search(sentence) or _PRONOUN.match(sentence) or _CODE.search(sentence) or _LABELLED.match(sentence):
        return True
    return any(word[:MIN_STEM_CHARS] in stems for word in words if len(word) >= MIN_STEM_CHARS) or (
        len(words) <= 2 and sentence.isascii()
    )


def _stems(names: Iterable[str]) -> frozenset[str]:
    """The beginnings of the words that names consist of: ``patch_many`` has ``patc`` and ``many``."""
    parts = (part for name in names for part in re.findall(r"[A-Z]?[a-z]+|[A-Z]+|[^\W\d_A-Za-z]{2,}", name))
    return frozenset(
        part.casefold()[:MIN_STEM_CHARS] for part in parts if len(part) >= MIN_STEM_CHARS or not part.isascii()
    )

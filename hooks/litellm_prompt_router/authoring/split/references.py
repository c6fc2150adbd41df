"""Which pieces of a prompt refer to which others: cross-references, and terms and tools defined elsewhere."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, NamedTuple

from litellm_prompt_router.authoring.split.piece_tools import tools_named_in

ReferenceKind = Literal["section", "tag", "term", "tool"]

CUE_WINDOW_CHARS = 120
MIN_TITLE_CHARS = 5
MAX_TITLE_WORDS = 12

_NUMBERED_TITLE = re.compile(
    r"\W*(?:section|chapter|part|step|appendix|phase|article|abschnitt|kapitel|teil|раздел|глава|sección|seção|sezione)?"
    r"\s*(\d+(?:\.\d+)*)\b",
    re.IGNORECASE,
)
_NUMBER = re.compile(
    r"(?:\b(?:see|section|sections|sec\.|chapter|appendix|abschnitt|kapitel|раздел\w*|глав\w*|sección|seção|sezione|rubrique)"
    r"|§|第|参见|參見|参照)\s*(?:section\s*|§\s*)?(\d+(?:\.\d+)*)",
    re.IGNORECASE,
)
_CUE = re.compile(
    r"\b(?:see|refers? to|referring to|described (?:in|under)|defined (?:in|under)|explained (?:in|under)|listed (?:in|under)"
    r"|according to|as per|specified (?:in|under)|siehe|gemäß|beschrieben (?:in|unter)|voir|selon|véase|según|vedi|zie|см|согласно)"
    r"\b|参见|參見|参照|详见|詳細|참조|انظر|देखें|\bsection\b",
    re.IGNORECASE,
)
_ANCHOR = re.compile(r"\]\(#([^)\s]+)\)")
_TAG_NAMED = re.compile(r"(?<![\n>])[ `\"'(]</?([^\W\d][\w.:-]*)/?>")
_DEFINITION = re.compile(
    r"(?:[\"“*_]{1,2}|`)([^\W\d_][\w -]{2,40}?)(?:[\"”*_]{1,2}|`)\s+(?:means|refers to|is defined as|denotes|bedeutet|désigne"
    r"|significa|означает)\b",
)
_SHORT_FORM = re.compile(r"\(([A-Z][A-Z0-9]{1,7})\)")
_CAPITALS = re.compile(r"\b[A-Z][A-Z0-9]{1,7}\b")


class Reference(NamedTuple):
    """Piece ``source`` refers to piece ``target``. ``what`` is the section, tag, term or tool."""

    source: int
    target: int
    kind: ReferenceKind
    what: str


def references(
    pieces: Sequence[str], sections: Sequence[tuple[str, int]], tags: Mapping[str, int], tools: Sequence[Sequence[str]]
) -> list[Reference]:
    """All references between different pieces, each pair and kind once.

    ``sections``: every section's title and the piece it begins in. ``tags``: tagged blocks that are there once.
    """
    found: dict[tuple[int, int, ReferenceKind], Reference] = {}
    for reference in _find(pieces, sections, tags, tools):
        if reference.source != reference.target:
            found.setdefault(reference[:3], reference)
    return list(found.values())


def _find(
    pieces: Sequence[str], sections: Sequence[tuple[str, int]], tags: Mapping[str, int], tools: Sequence[Sequence[str]]
) -> Iterable[Reference]:
    numbers: dict[str, int] = {}
    titles: dict[str, int | None] = {}
    anchors: dict[str, int] = {}
    for title, piece in sections:
        if match := _NUMBERED_TITLE.match(title):
            numbers.setdefault(match[1], piece)
        bare = _title_key(title)
        if len(bare) >= MIN_TITLE_CHARS:
            titles[bare] = piece if titles.get(bare, piece) == piece else None
        anchors.setdefault(re.sub(r"[^\w-]", "", title.lower().replace(" ", "-")), piece)
    named = {_title_key(name) for names in tools for name in names}
    once = {title: piece for title, piece in titles.items() if piece is not None and title not in named}
    owners = {name: number for number, names in enumerate(tools) for name in names}
    terms = _terms(pieces)
    for source, text in enumerate(pieces):
        for match in _NUMBER.finditer(text):
            if match[1] in numbers and not _opens_line(text, match.start()):
                yield Reference(source, numbers[match[1]], "section", match[1])
        for match in _ANCHOR.finditer(text):
            if match[1].lower() in anchors:
                yield Reference(source, anchors[match[1].lower()], "section", match[1])
        yield from _by_title(source, text, once)
        for match in _TAG_NAMED.finditer(text):
            if match[1] in tags:
                yield Reference(source, tags[match[1]], "tag", match[1])
        for name in sorted(tools_named_in(text, frozenset(owners))):
            yield Reference(source, owners[name], "tool", name)
        for term in sorted(set(_CAPITALS.findall(text)) & set(terms)):
            yield Reference(source, terms[term], "term", term)
        folded = text.casefold()
        for term, target in terms.items():
            if not term.isupper() and term.casefold() in folded:
                yield Reference(source, target, "term", term)


def _by_title(source: int, text: str, titles: Mapping[str, int]) -> Iterable[Reference]:
    for cue in _CUE.finditer(text):
        low = cue.start()
        if cue[0].lower() == "section":
            low = max(text.rfind("\n", 0, cue.start()) + 1, cue.start() - CUE_WINDOW_CHARS // 2)
        stop = text.find("\n", cue.end())
        high = min(stop if stop >= 0 else len(text), cue.end() + CUE_WINDOW_CHARS)
        window = text[low:high]
        words = _title_key(window).split()
        for at in range(len(words)):
            for size in range(1, min(MAX_TITLE_WORDS, len(words) - at) + 1):
                title = " ".join(words[at : at + size])
                if title in titles and (size > 1 or _is_marked(window, title)):
                    yield Reference(source, titles[title], "section", title)


def _is_marked(window: str, title: str) -> bool:
    """True when a title of one word is quoted, or called a section: else it's only a word."""
    quoted = re.compile(
        rf"[\"“'`*<]{re.escape(title)}[\"”'`*>]|{re.escape(title)}[\"”'`*]* section|section [\"“'`*]*{re.escape(title)}",
        re.I,
    )
    return quoted.search(window) is not None


def _title_key(text: str) -> str:
    return " ".join(re.findall(r"[^\W_]+", text.casefold()))


def _opens_line(text: str, at: int) -> bool:
    return not text[text.rfind("\n", 0, at) + 1 : at].strip(" \t#*")


def _terms(pieces: Sequence[str]) -> dict[str, int]:
    """Terms that one piece alone defines."""
    found: dict[str, int | None] = {}
    for number, text in enumerate(pieces):
        for match in _DEFINITION.finditer(text):
            found[match[1]] = number if found.get(match[1], number) == number else None
        for match in _SHORT_FORM.finditer(text):
            found[match[1]] = number if found.get(match[1], number) == number else None
    return {term: number for term, number in found.items() if number is not None}

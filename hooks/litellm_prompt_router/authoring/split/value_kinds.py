"""Kinds of values by their form, such as dates and paths."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from litellm_prompt_router.profile.patterns import compile_pattern
from litellm_prompt_router.profile.profile import ValuePattern

_MONTH = r"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]*\.?"
_DAY = r"(?:Mon|Tues?|Wed(?:nes)?|Thu(?:rs)?|Fri|Sat(?:ur)?|Sun)(?:day)?\.?"
_CLOCK = r"\d{1,2}:\d{2}(?::\d{2}(?:[.,]\d{1,9})?)?(?: ?[AaPp]\.?[Mm]\.?)?"
_ZONE = r"(?: ?(?:Z|UTC|GMT|[A-Z]{3,4}|[+-]\d{2}:?\d{2}))"
_DATE = (
    r"(?:\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.]\d{4}"
    rf"|(?:{_DAY},? )?{_MONTH} \d{{1,2}}(?:st|nd|rd|th)?,? \d{{4}}"
    rf"|(?:{_DAY},? )?\d{{1,2}}\.? {_MONTH} \d{{4}}"
    r"|\d{4}\s?[年년]\s?\d{1,2}\s?[月월]\s?\d{1,2}\s?[日일])"
)


class ValueKind(NamedTuple):
    """A kind of value with a form of its own. ``name`` is also that of a slot of this kind."""

    name: str
    pattern: str
    finder: re.Pattern[str]
    """The pattern, not inside a longer word."""
    is_proposed: bool
    """Likely to vary even where only one version of the prompt is known."""

    def is_value(self, text: str) -> bool:
        return _compiled(self.pattern).fullmatch(text) is not None


def _kind(
    name: str, pattern: str, *, proposed: bool = True, before: str = r"(?<![\w])", after: str = r"(?![\w])"
) -> ValueKind:
    return ValueKind(name, pattern, re.compile(before + pattern + after), proposed)


KINDS: tuple[ValueKind, ...] = (
    _kind("date", rf"{_DATE}(?:T|,? (?:at )?){_CLOCK}{_ZONE}?"),
    _kind("date", _DATE),
    _kind("time", rf"{_CLOCK}{_ZONE}?"),
    _kind("id", r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}"),
    _kind("email", r"[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63})+"),
    _kind("url", r"[a-z][a-z0-9+.-]{1,20}://[^\s\"'`<>()\[\]{}]*[^\s\"'`<>()\[\]{}.,;:!?]", proposed=False),
    _kind("path", r"[A-Za-z]:\\[^\s\"'`<>|*?]*[^\s\"'`<>|*?.,;:!]"),
    _kind(
        "path",
        r"(?:~|\.{0,2})/[^\s\"'`<>|*?,;:()\[\]{}]*[^\s\"'`<>|*?,;:.!()\[\]{}/]/?",
        before=r"(?<![\w/.<~@)\]}-])",
        after=r"(?![\w/])",
    ),
    _kind("id", r"[0-9a-f]{0,40}(?:[0-9][a-f]|[a-f][0-9])[0-9a-f]{6,60}", proposed=True),
    _kind("address", r"\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}", proposed=False),
    _kind("version", r"v?\d+(?:\.\d+)+(?:[-+][0-9A-Za-z.-]+)?", proposed=False),
    _kind("number", r"[+-]?\d+(?:[.,]\d+)*", proposed=False),
)
PROPOSED = tuple(kind for kind in KINDS if kind.is_proposed)
MIN_PATH_DEPTH = 2
LINE_CHARS = 2_000
"""The most characters of a value on one line."""
BLOCK_CHARS = 50_000

_patterns: dict[str, ValuePattern] = {}


def _compiled(pattern: str) -> ValuePattern:
    found = _patterns.get(pattern)
    if found is None:
        found = _patterns[pattern] = compile_pattern(pattern)
    return found


def kind_of(values: Sequence[str]) -> ValueKind | None:
    """The kind that all values are of, empty ones aside."""
    present = [value for value in values if value]
    if not present:
        return None
    return next((kind for kind in KINDS if all(kind.is_value(value) for value in present)), None)


def likely_values(text: str) -> list[tuple[int, int, ValueKind]]:
    """``(start, end, kind)`` of dates, times, ids, paths and addresses in a text, in order and without overlaps."""
    found: list[tuple[int, int, ValueKind]] = []
    taken_to: dict[int, int] = {}
    for kind in PROPOSED:
        for match in kind.finder.finditer(text):
            start, end = match.span()
            if kind.name == "path" and not _is_telling_path(match.group()):
                continue
            if kind.is_value(match.group()) and not any(s < end and start < e for s, e in taken_to.items()):
                taken_to[start] = end
                found.append((start, end, kind))
    return sorted(found, key=lambda item: item[0])


def _is_telling_path(path: str) -> bool:
    return path[0] not in "." and len(re.findall(r"[/\\]\w", path)) >= MIN_PATH_DEPTH

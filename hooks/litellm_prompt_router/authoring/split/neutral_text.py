"""A prompt without what is a machine's or a project's own: made-up values in their place, each at a known position."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from litellm_prompt_router.authoring.split.machine_values import ID, NEUTRAL_VALUES, machine_values
from litellm_prompt_router.authoring.split.quoted_files import FENCED, quoted_files
from litellm_prompt_router.authoring.split.value_kinds import BLOCK_CHARS, LINE_CHARS
from litellm_prompt_router.authoring.split.whole_sentences import obliges

QUOTED = "\ue000"
"""Stands for quoted files while versions are compared. In the profile nothing stands there."""
FILES = "project_files"
"""The slot of quoted files."""
MAX_QUOTED_CHARS = 1_000_000

_ITEM = re.compile(r"[ \t]*([-*+•])[ \t]+(\S[^\r\n]*?)\s*")
_LABELLED = re.compile(r"([ \t]*(?:[-*+•][ \t]+)?\*\*[^*\r\n]{1,40}:\*\*)[ \t]+[^\r\n]{1,80}?(\s*)")
_ANY_FENCES = rf"(?:{FENCED}\s*)*"
_SPACE = re.compile(r"([ \t\r\n\f]+)")  # what RE2 takes for white space
_NEUTRAL = {value.text: value for value in NEUTRAL_VALUES}
_PLACEHOLDERS = re.compile("|".join(map(re.escape, sorted([*_NEUTRAL, QUOTED], key=len, reverse=True))))


class OwnValue(NamedTuple):
    """``[start, end)`` of a neutral text, and the slot that carries whatever really stands there."""

    start: int
    end: int
    name: str
    patterns: tuple[str, ...]
    max_chars: int
    varies: bool = False
    """No two samples have the same ones."""

    @property
    def pattern(self) -> str:
        """Any value of its kind; of quoted files, any number."""
        joined = "|".join(self.patterns)
        return rf"(?:(?:{joined})\s*)*" if self.name == FILES else joined


class NeutralText(NamedTuple):
    text: str
    values: tuple[OwnValue, ...]


def neutral_text(text: str) -> NeutralText:
    """The text with made-up values for the machine's own, and the mark ``QUOTED`` for the files of a project."""
    quoted = () if QUOTED in text else quoted_files(text)
    found: list[tuple[int, int, str, str, tuple[str, ...], int]] = [
        (one.start, one.end, QUOTED, FILES, one.patterns, MAX_QUOTED_CHARS) for one in quoted
    ]
    for value in machine_values(text):
        if not any(start < value.end and value.start < end for start, end, *_ in found[: len(quoted)]):
            neutral = value.neutral
            found.append((value.start, value.end, neutral.text, neutral.name, (neutral.pattern,), LINE_CHARS))
    parts: list[str] = []
    values: list[OwnValue] = []
    at = size = 0
    for start, end, placeholder, name, patterns, max_chars in sorted(found):
        parts += (text[at:start], placeholder)
        size += start - at
        values.append(OwnValue(size, size + len(placeholder), name, patterns, max_chars))
        size += len(placeholder)
        at = end
    return NeutralText("".join([*parts, text[at:]]), tuple(values))


def neutral_versions(samples: Sequence[str]) -> tuple[tuple[str, NeutralText], ...]:
    """``(sample, neutral text)`` of each sample that differs in more than what is a machine's own; the first first.

    Quoted files of all of them fit the slots of each.
    """
    versions: dict[str, tuple[str, NeutralText]] = {}
    ids: list[tuple[str, ...]] = []
    for sample in dict.fromkeys(samples):
        neutral = neutral_text(sample)
        versions.setdefault(neutral.text, (sample, neutral))
        ids.append(tuple(sample[value.start : value.end] for value in machine_values(sample) if value.neutral is ID))
    varies = len(ids) > 1 and len(set(ids)) == len(ids)
    all_patterns = {
        name: tuple(dict.fromkeys(pattern for own in owns for pattern in own.patterns))
        for name, owns in _by_name(neutral for _, neutral in versions.values()).items()
    }
    return tuple(
        (
            sample,
            NeutralText(
                neutral.text,
                tuple(
                    own._replace(patterns=all_patterns[own.name], varies=varies and own.name == ID.name)
                    for own in neutral.values
                ),
            ),
        )
        for sample, neutral in versions.values()
    )


def _by_name(texts: Iterable[NeutralText]) -> dict[str, list[OwnValue]]:
    found: dict[str, list[OwnValue]] = {}
    for text in texts:
        for own in text.values:
            found.setdefault(own.name, []).append(own)
    return found


def literal_pattern(text: str, own: Sequence[OwnValue] = ()) -> str:
    """A pattern for this text alone: white space may differ, and made-up values stand for any of their kind.

    So do the values of lines such as ``Branch: main``, and a list of nothing but made-up values may have any length.
    ``own``: the prompt's own values, for what quoted files in it look like.
    """
    pattern = "".join(_line_pattern(line, own) for line in text.splitlines(keepends=True))
    return re.sub(r"(?:\\s\+){2,}", r"\\s+", pattern)


def _line_pattern(line: str, own: Sequence[OwnValue]) -> str:
    item = _ITEM.fullmatch(line)
    if item is not None and _PLACEHOLDERS.fullmatch(item[2]):
        return rf"(?:\s*{_quoted(item[1])}[ \t]+{_placeholder_pattern(item[2], own)}\s*)+"
    labelled = _LABELLED.fullmatch(line)
    if labelled is not None and not obliges(line) and not _PLACEHOLDERS.search(line):
        return rf"{_escaped(labelled[1])}[^\r\n]*{_escaped(labelled[2])}"
    out: list[str] = []
    at = 0
    for match in _PLACEHOLDERS.finditer(line):
        out += (_escaped(line[at : match.start()]), _placeholder_pattern(match.group(), own))
        at = match.end()
    return "".join([*out, _escaped(line[at:])])


def _placeholder_pattern(placeholder: str, own: Sequence[OwnValue]) -> str:
    if placeholder == QUOTED:
        return next((value.pattern for value in own if value.name == FILES), _ANY_FENCES)
    return f"(?:{_NEUTRAL[placeholder].pattern})"


def _escaped(text: str) -> str:
    return "".join(r"\s+" if number % 2 else _quoted(part) for number, part in enumerate(_SPACE.split(text)))


def _quoted(text: str) -> str:
    """The text with what RE2 takes for more than itself behind a backslash."""
    return re.sub(r"([\\.+*?()|\[\]{}^$])", r"\\\1", text).replace("\0", r"\x00")


def literal_alternatives(values: Sequence[str], own: Sequence[OwnValue] = ()) -> str:
    """A pattern for these texts and no others."""
    patterns = list(dict.fromkeys(literal_pattern(value, own) for value in values if value))
    joined = "|".join(sorted(patterns, key=len, reverse=True))
    return f"(?:{joined})" if all(values) else f"(?:{joined})?"


def is_placeholder(value: str) -> bool:
    """True for a made-up value, which no proposal needs to be made of."""
    return value in _NEUTRAL


def without_marks(text: str) -> str:
    return text.replace(QUOTED, "")


def limit_of(values: Sequence[str]) -> int:
    """The most characters of a value of which these are samples."""
    longest = max(map(len, values))
    if any(QUOTED in value for value in values):
        return MAX_QUOTED_CHARS
    is_block = any("\n" in value or "\r" in value for value in values)
    return min(max(BLOCK_CHARS if is_block else LINE_CHARS, 4 * longest), MAX_QUOTED_CHARS)

"""Patterns that fit a slot's values and as little else as can be: never rules that no sample had.

A wildcard over several lines is for data between delimiters that stay: a tag, a fence, headings around a listing.
A section that is there in some versions only is matched by its own text.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from litellm_prompt_router.authoring.split.machine_values import EMAIL, ID, PATH, WINDOWS_PATH
from litellm_prompt_router.authoring.split.neutral_text import (
    QUOTED,
    OwnValue,
    literal_alternatives,
    literal_pattern,
    without_marks,
)
from litellm_prompt_router.authoring.split.value_kinds import kind_of
from litellm_prompt_router.authoring.split.whole_sentences import obliges
from litellm_prompt_router.profile.patterns import compile_pattern

SECTION_WORDS = 4
"""From as many words on a text that is there or not is a section, and not a value that may be empty."""
MAX_LITERALS = 12

_ENTRY = re.compile(r"\s*(?:[-*+•├└│|]|\d+[.)])|.*[\w)][./\\]\w|.*[/\\]")
_WHOLE_TAG = re.compile(r"\s*<([^\W\d][\w.:-]*)(?:\s[^<>]*)?>[\s\S]*</\1>\s*\Z")
_OPENED = re.compile(r"(?:<([^\W\d][\w.:-]*)(?:\s[^<>]*)?>|^[ \t]*(?:`{3,}|~{3,})[^\r\n]*\r?\n)\s*\Z", re.MULTILINE)
_CLOSED = re.compile(r"\s*(?:</([^\W\d][\w.:-]*)>|[ \t]*(?:`{3,}|~{3,}))")
_FILE = re.compile(r"[^\s<>]*[/\\][^\s<>]*|[\w-]+(?:\.[\w-]+)*\.[A-Za-z]\w{0,4}")
_STRUCTURE = re.compile(r"[ \t]*(?:#{1,6}[ \t]|<)")
_SECTION = re.compile(r"^(?=#{1,6}[ \t])", re.MULTILINE)
_ONE_LINE = r"[^\r\n#<][^\r\n]*"
_NEUTRAL = {"path": (PATH.text, WINDOWS_PATH.text), "email": (EMAIL.text,), "id": (ID.text, "0" * 12, "0a" * 6)}


def pattern_of(values: Sequence[str], before: str, after: str, own: Sequence[OwnValue] = ()) -> str:
    """A pattern for values like these. ``before`` and ``after``: the prompt's literal text around them.

    ``own``: what of the prompt is its machine's and project's own.
    """
    kind = kind_of(values)
    if kind is not None:
        return kind.pattern if all(values) else f"(?:{kind.pattern})?"
    present = list(dict.fromkeys(value for value in values if value.strip()))
    is_block = any(_has_line_break(value) for value in values)
    is_conditional = len(present) == 1 and len(set(values)) > 1
    if any(QUOTED in value for value in present):
        return literal_alternatives(values, own)
    if is_conditional and (is_block or len(present[0].split()) >= SECTION_WORDS):
        return literal_alternatives(values)
    stop = after[:1]
    excluded = "" if not stop or any(stop in value for value in values) else stop
    if not is_block:
        if len(present) <= MAX_LITERALS and any(obliges(value) for value in present):
            return literal_alternatives(values)
        if not excluded.isspace() and excluded in ("", "\r", "\n"):
            excluded = ""
        return f"[^\\r\\n{_escaped_for_class(excluded, 'rn')}]*"
    return _block_pattern(values, present, before, after, excluded, own)


def _block_pattern(
    values: Sequence[str], present: Sequence[str], before: str, after: str, excluded: str, own: Sequence[OwnValue]
) -> str:
    """A pattern for values of several lines."""
    sections = _sections(present, own)
    if sections is not None:
        return sections
    opened, closed = _OPENED.search(before), _CLOSED.match(after)
    if opened and closed and (opened[1] or "") == (closed[1] or ""):
        return "[^<]*" if opened[1] and not any("<" in value for value in values) else r"[\s\S]*?"
    if any(obliges(value) for value in present) and len(present) <= MAX_LITERALS:
        return literal_alternatives(values)
    tagged = block_pattern(values)
    if tagged is not None:
        return tagged
    if excluded == "<" and is_listing(present):
        return "[^<]*"
    seen = dict.fromkeys(line.strip() for value in present for line in value.splitlines() if _STRUCTURE.match(line))
    line = "|".join([_ONE_LINE, *(rf"[ \t]*{re.escape(each)}[ \t]*" for each in seen)])
    return rf"(?:(?:{line})?(?:\r?\n|\r|\z))*"


def _sections(values: Sequence[str], own: Sequence[OwnValue]) -> str | None:
    """A pattern for sections that each are there or not, by their own text; None where one's text differs, too."""
    order: list[str] = []
    for value in sorted(values, key=len, reverse=True):
        at = 0
        for section in filter(None, map(str.strip, _SECTION.split(value))):
            if section in order:
                at = order.index(section) + 1
            else:
                order.insert(at, section)
                at += 1
    titles = [section.splitlines()[0].strip() for section in order]
    if not any(title.startswith("#") for title in titles) or len(set(titles)) < len(titles):
        return None
    pattern = r"\s*" + "".join(rf"(?:{literal_pattern(section, own)}\s*)?" for section in order)
    compiled = compile_pattern(pattern)
    return pattern if all(compiled.fullmatch(value) is not None for value in values) else None


def neutral_sample(value: str, name: str | None, pattern: str) -> str:
    """The value as a profile may show it: nothing of a person, a machine or a project, if the pattern takes that."""
    compiled = compile_pattern(pattern)
    kind = kind_of([value])
    if kind is not None:
        candidates = _NEUTRAL.get(kind.name, ())
    elif name == "user_name":
        candidates = ("User", "user")
    elif _FILE.fullmatch(value):
        candidates = ("file.txt", "file")
    else:
        takes_anything = compiled.fullmatch("x") is not None and (name == "listing" or _has_line_break(value))
        tag = _WHOLE_TAG.match(value)
        emptied = re.sub(r"(<[^<>]*>)[\s\S]*(</[^<>]*>)", r"\1\2", value) if tag else ""
        candidates = (emptied,) if tag else ("",) * takes_anything
    return next((each for each in (*candidates, without_marks(value)) if compiled.fullmatch(each) is not None), value)


def is_listing(values: Sequence[str]) -> bool:
    """True for names of files or a list, line by line."""
    lines = [line for value in values for line in value.splitlines() if line.strip()]
    return len(lines) > 1 and sum(_ENTRY.match(line) is not None for line in lines) * 2 > len(lines)


def _has_line_break(value: str) -> bool:
    return "\n" in value or "\r" in value


def _escaped_for_class(character: str, already: str) -> str:
    if not character or (character == "\n" and "n" in already) or (character == "\r" and "r" in already):
        return ""
    if character in "\\]^-[":
        return "\\" + character
    return character if character.isprintable() else f"\\x{{{ord(character):X}}}"


def block_pattern(values: Sequence[str]) -> str | None:
    """A pattern for values that are one whole tagged block, or nothing."""
    names = set()
    for value in values:
        if value.strip():
            match = _WHOLE_TAG.match(value)
            if match is None:
                return None
            names.add(match[1])
    if len(names) != 1:
        return None
    name = re.escape(names.pop())
    inside = "[^<]*" if all(value.count("<") <= 2 for value in values) else r"[\s\S]*?"
    pattern = rf"\s*<{name}(?:\s[^<>]*)?>{inside}</{name}>\s*"
    return pattern if all(value.strip() for value in values) else f"(?:{pattern})?"

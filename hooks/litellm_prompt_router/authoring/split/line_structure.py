"""A prompt's lines, each with its kind in the prompt's structure: heading, rule, tag, fence, item, row, text.

Only the shape of lines counts, not their words, so that prompts in any language and script are read alike.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from typing import Literal, NamedTuple

LineKind = Literal["blank", "heading", "open", "close", "fence", "item", "row", "text"]

MAX_HEADING_CHARS = 100
MAX_CAPS_CHARS = 80

_ATX = re.compile(r" {0,3}(#{1,6})(?:[ \t]+(\S.*?))?(?:[ \t]+#+)?\s*\Z")
_UNDERLINE = re.compile(r" {0,3}(=+|-{3,}|~{4,}|\^{4,})\s*\Z")
_RULE = re.compile(r"[ \t]*([=\-*_#~+━─═—–•·])(?:[ \t]?\1){2,}\s*\Z")
_BOLD = re.compile(r"[ \t]*(\*\*|__)(?=\S)([^*_].*?)\1[ \t]*[:：]?\s*\Z")
_BRACKETED = re.compile(r"[ \t]*(?:[【《〖「『].{1,60}[】》〗」』]|\[[^\]()]{2,60}\])[ \t]*[:：]?\s*\Z")
_BULLET_TITLE = re.compile(r"[ \t]*[■◆▶►★☆◇□▌▪➤❖●]\s*(\S.{0,60}?)\s*\Z")
_NUMBERED = re.compile(r"[ \t]{0,3}(\d{1,3}(?:\.\d{1,3})*|[IVXLC]{1,7}|[A-Z])[.)、．:]?[ \t]+(\S.*?)\s*\Z")
_NAMED_NUMBER = re.compile(
    r"[ \t]{0,3}(?:(?:section|chapter|part|appendix|step|phase|article|abschnitt|kapitel|teil|anhang|chapitre|partie"
    r"|sección|seccion|capítulo|capitulo|parte|seção|sezione|capitolo|hoofdstuk|deel|раздел|глава|часть|bölüm|제"
    r"|الفصل|القسم|भाग|अध्याय)[ \t]*(?:\d+(?:\.\d+)*|[IVXLC]+|[A-Z])\b.{0,90}"
    r"|第[ \t]*[\d一二三四五六七八九十百]+[ \t]*[章节節部条條項编編篇].{0,60})\s*\Z",
    re.IGNORECASE,
)
_HAN_NUMBERED = re.compile(r"[ \t]{0,3}[(（]?[一二三四五六七八九十]{1,3}[)）]?[、．.][ \t]*(\S.{0,40}?)\s*\Z")
_ITEM = re.compile(r"([ \t]*)(?:[-*+•‣◦–—·・●○▪■]|\(?(?:\d{1,3}|[a-zA-Z])[.)]|[①-⑳])[ \t]+\S")
_TIGHT_ITEM = re.compile(r"([ \t]*)(?:[•‣◦・●○▪]|\d{1,3}[、．])\S")
_ROW = re.compile(r"[ \t]*\|.*\|\s*\Z")
_FENCE = re.compile(r"[ \t]*(?:[-*+][ \t]+|\d+[.)][ \t]+)?(`{3,}|~{3,})([^`]*?)\s*\Z")
_OPEN = re.compile(r"[ \t]*<([^\W\d][\w.:-]*)(?:\s[^<>]*)?(?<!/)>")
_TAG = re.compile(r"<(/?)([^\W\d][\w.:-]*)(?:\s[^<>]*)?(?<!/)>")
_SENTENCE_END = re.compile(r"[.!?;,。！？；，、।]\s*\Z")


class StructuredLine(NamedTuple):
    """``[start, end)`` of the prompt, its line ending included.

    ``style`` tells kinds of headings apart; ``level`` orders headings of one style, 0 where styles have no
    levels. ``until``: for an opened tag the number of the line that closes it, for a fence that of its last line.
    """

    start: int
    end: int
    kind: LineKind
    style: str = ""
    level: int = 0
    title: str = ""
    indent: int = 0
    until: int = -1


def read_lines(text: str, slots: Sequence[tuple[int, int]] = ()) -> list[StructuredLine]:
    """The lines of ``text``. Nothing inside a slot, given as sorted ``(start, end)``, is taken for structure."""
    raw = text.splitlines(keepends=True)
    starts = [0]
    for line in raw:
        starts.append(starts[-1] + len(line))
    hidden = _hidden(starts, slots)
    fences = _fences(raw, hidden)
    tags = _tags(raw, hidden, fences)
    lines: list[StructuredLine] = []
    number = 0
    while number < len(raw):
        start, end = starts[number], starts[number + 1]
        if number in fences:
            last = fences[number]
            lines.append(StructuredLine(start, end, "fence", until=last, indent=_indent(raw[number])))
            for inside in range(number + 1, last + 1):
                lines.append(StructuredLine(starts[inside], starts[inside + 1], "text", style="inside"))
            number = last + 1
            continue
        if hidden[number]:
            lines.append(StructuredLine(start, end, "text", style="inside"))
        else:
            lines.append(_line(raw, number, start, end, tags, hidden))
        number += 1
    return lines


def _line(
    raw: Sequence[str], number: int, start: int, end: int, tags: dict[int, tuple[str, int]], hidden: Sequence[bool]
) -> StructuredLine:
    line = raw[number]
    if not line.strip():
        return StructuredLine(start, end, "blank")
    if number in tags:
        title, until = tags[number]
        kind: LineKind = "open" if until >= 0 else "close"
        return StructuredLine(start, end, kind, style="tag", title=title, until=until, indent=_indent(line))
    heading = _heading(raw, number, hidden)
    if heading is not None:
        style, level, title = heading
        return StructuredLine(start, end, "heading", style=style, level=level, title=title)
    if _ROW.match(line):
        return StructuredLine(start, end, "row", indent=_indent(line))
    if _ITEM.match(line) or _TIGHT_ITEM.match(line):
        return StructuredLine(start, end, "item", indent=_indent(line))
    return StructuredLine(start, end, "text", indent=_indent(line))


def _heading(raw: Sequence[str], number: int, hidden: Sequence[bool]) -> tuple[str, int, str] | None:
    """``(style, level, title)`` of a line that opens a section."""
    line = raw[number]
    if len(line) > 4 * MAX_HEADING_CHARS:
        return None
    if match := _ATX.match(line):
        return "atx", len(match[1]), (match[2] or "").strip()
    before = raw[number - 1] if number else ""
    after = raw[number + 1] if number + 1 < len(raw) and not hidden[number + 1] else ""
    if _RULE.match(line) and not _ROW.match(line):
        return _rule(line, before)
    stripped = line.strip()
    if not before.strip() and len(stripped) <= MAX_HEADING_CHARS and not _ITEM.match(line):
        underline = _UNDERLINE.match(after)
        if underline and not _ROW.match(line):
            return "atx", 1 if underline[1][0] == "=" else 2, stripped
    if len(stripped) > MAX_HEADING_CHARS:
        return None
    stands_alone = not before.strip() or _RULE.match(before) is not None
    if stands_alone and (named := _NAMED_NUMBER.match(line)) and not _SENTENCE_END.search(stripped):
        return "named", 0, named[0].strip()
    if _BOLD.match(line) and _ITEM.match(line) is None:
        return "bold", 0, _bold_title(stripped)
    if stands_alone and _is_capitals(stripped):
        return "capitals", 0, stripped.rstrip(":： ")
    if stands_alone and _BRACKETED.match(line):
        return "bracketed", 0, stripped.strip("【】《》〖〗「」『』[]:： ")
    if stands_alone and (bullet := _BULLET_TITLE.match(line)) and not _BULLET_TITLE.match(after or ""):
        return "bullet", 0, bullet[1]
    return _numbered(stripped, line, after, stands_alone)


def _rule(line: str, before: str) -> tuple[str, int, str] | None:
    character = line.strip()[0]
    if before.strip() and _UNDERLINE.match(line) and len(before.strip()) <= MAX_HEADING_CHARS:
        return None  # it underlines the heading before it
    return f"rule{character}", 0, ""


def _numbered(stripped: str, line: str, after: str, stands_alone: bool) -> tuple[str, int, str] | None:
    """``4.2 Title``, or ``4. Title`` with its text below it and not one more number."""
    if not stands_alone or _SENTENCE_END.search(stripped):
        return None
    if match := _NUMBERED.match(line):
        depth = match[1].count(".") + 1
        is_list = depth == 1 and (_NUMBERED.match(after) is not None or len(match[2]) > 60)
        if is_list or (not match[1][0].isdigit() and len(match[2]) > 60):
            return None
        if not match[1][0].isdigit() and not re.match(r"[ \t]{0,3}[IVXLCA-Z]+[.)]", line):
            return None
        return ("numbered" if match[1][0].isdigit() else "lettered"), depth, stripped.rstrip(":：")
    if (match := _HAN_NUMBERED.match(line)) and not _HAN_NUMBERED.match(after):
        return "han numbered", 0, stripped.rstrip(":：")
    return None


def _is_capitals(stripped: str) -> bool:
    if len(stripped) > MAX_CAPS_CHARS or _SENTENCE_END.search(stripped):
        return False
    letters = [character for character in stripped if character.isalpha()]
    cased = [character for character in letters if character.lower() != character.upper()]
    if len(cased) < 3 or not all(character.isupper() for character in cased) or not stripped[0].isalnum():
        return False
    return ("_" not in stripped and not any(mark in stripped for mark in "={}<>()\\$`|\"'")) or stripped.endswith(":")


def _bold_title(stripped: str) -> str:
    return stripped.rstrip(":： ").strip("*_").rstrip(":： ")


# Fences and tags


def _hidden(starts: Sequence[int], slots: Sequence[tuple[int, int]]) -> list[bool]:
    """For each line, whether it begins inside a slot or its slot takes all that is visible of it."""
    hidden = [False] * len(starts)
    for start, end in slots:
        number = max(bisect_right(starts, start) - 1, 0)
        if starts[number] < start:
            number += 1
        while number < len(starts) and starts[number] < end:
            hidden[number] = True
            number += 1
    return hidden


def _fences(raw: Sequence[str], hidden: Sequence[bool]) -> dict[int, int]:
    """First to last line of each fenced block. A fence that nothing closes is text."""
    marks = [(n, m) for n, line in enumerate(raw) if not hidden[n] and (m := _FENCE.match(line))]
    found: dict[int, int] = {}
    at = 0
    while at < len(marks):
        number = marks[at][0]
        last = _closing(marks, at, nests=True)
        if last is None:
            last = _closing(marks, at, nests=False)
        if last is None:
            at += 1
            continue
        found[number] = marks[last][0]
        at = last + 1
    return found


def _closing(marks: Sequence[tuple[int, re.Match[str]]], at: int, *, nests: bool) -> int | None:
    """The mark that closes the fence at ``at``. ``nests``: a fence with a language inside it wants its own end."""
    ticks = marks[at][1][1]
    depth = 0
    for number in range(at + 1, len(marks)):
        here = marks[number][1]
        if here[1][0] != ticks[0] or len(here[1]) < len(ticks):
            continue
        if here[2].strip():
            depth += nests and len(here[1]) == len(ticks)
        elif depth:
            depth -= 1
        else:
            return number
    return None


def _tags(raw: Sequence[str], hidden: Sequence[bool], fences: dict[int, int]) -> dict[int, tuple[str, int]]:
    """Line -> ``(tag, closing line)`` for tags opened on one line and closed on a later one, -1 for its closing."""
    opened: list[tuple[str, int]] = []
    found: dict[int, tuple[str, int]] = {}
    skip_to = -1
    for number, line in enumerate(raw):
        if number in fences:
            skip_to = fences[number]
        if number <= skip_to or hidden[number] or "<" not in line:
            continue
        own = _OPEN.match(line)
        for tag in _TAG.finditer(line):
            if tag[1]:
                names = [name for name, _ in opened]
                if tag[2] in names:
                    depth = len(names) - 1 - names[::-1].index(tag[2])
                    first = opened[depth][1]
                    del opened[depth:]
                    if first != number and first not in found and number not in found:
                        found[first] = (tag[2], number)
                        found[number] = (tag[2], -1)
            elif own is not None and tag.start(2) == own.start(1):
                opened.append((tag[2], number))
    return found


def _indent(line: str) -> int:
    width = 0
    for character in line:
        if character == "\t":
            width += 4
        elif character.isspace():
            width += 1
        else:
            break
    return width

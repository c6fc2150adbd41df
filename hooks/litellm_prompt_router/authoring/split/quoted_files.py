"""Finds a project's files where an agent quotes them into its prompt: README, AGENTS.md, memory, rules, listings.

They are the user's, whatever project the samples were taken in. They are known by what agents put around them: a tag,
a path above a fence, a file's name as a heading, "Contents of PATH:", "--- Context from: PATH ---"; or by a title that
says that it is the user's or the project's: "Long-term Memory", "Project Instructions", "Additional Context...".
"""

from __future__ import annotations

import re
from typing import NamedTuple

from litellm_prompt_router.authoring.split.line_structure import StructuredLine, read_lines

_FILES = (
    r"(?:AGENTS|CLAUDE|GEMINI|QWEN|CODEX|COPILOT|README|CONTRIBUTING|CONVENTIONS|MEMORY|SOUL|USER|IDENTITY|"
    r"HEARTBEAT|TOOLS|BOOTSTRAP|"
    r"CONTEXT|GPTME|GOOSE|RULES|WARP|TODO)(?:[._-]\w+){0,2}\.(?:md|mdx|txt|rst)|copilot-instructions\.md|"
    r"\.(?:cursor|cline|windsurf|roo|goose|continue)(?:rules|hints)[\\/]?|README|\.cursor/rules/[\w.-]+"
)
_PATH = r"(?:[~\w.-]*[\\/])*[\w.-]*"
_NAMED = re.compile(rf"(?:[~\w.:-]*[\\/])*(?:{_FILES})", re.IGNORECASE)
_MARKS = r"[`\"'*]*"
_TITLE = re.compile(
    r"(?:(?:additional |project |user |repository )?"
    r"(?:file|path|contents? of|context from|instructions from|rules from|from)[: ]+)?"
    rf"{_MARKS}(?:[~\w.:-]*[\\/])*(?:{_FILES}){_MARKS}"
    r"(?:\s+(?:instructions|rules|contents?)?\s*(?:for|from|at|in)\s+\S+|\s*\([^)]*\)|\s+contents?)?\s*:?\Z",
    re.IGNORECASE,
)
_CONTENTS = re.compile(
    r"[ \t>*#-]*(?:here (?:is|are) )?(?:the )?(?:full |current )?(?:contents?|text|instructions|rules|source)"
    rf" (?:of|from)(?: the)?(?: file)?[ :]+{_MARKS}{_PATH}\.?\w+{_MARKS}[^\r\n]{{0,160}}[:：][*]*\s*\Z"
    rf"|[ \t>*#-]*(?:instructions|rules|context|memory) from: *{_MARKS}{_PATH}\.\w+{_MARKS}\s*\Z",
    re.IGNORECASE,
)
_FILE_LINE = re.compile(
    rf"[ \t>*#-]*(?:(?:file(?:name| ?path)?|path|source)[*_`]*[: ]+[*_`\"']*{_PATH}\.\w+"
    rf"|[`\"'*]+{_PATH}\.\w+[`\"'*]+|(?:/|~/|[A-Za-z]:\\)\S+\.\w+){_MARKS}[:：]?{_MARKS}\s*\Z",
    re.IGNORECASE,
)
_EDGE = re.compile(
    r"[ \t]*-{3,} *(?:context|contents?|begin(?: of)?|start(?: of)?|file)(?: from| of)?:? *(\S[^\r\n]*?) *-{3,}\s*\Z",
    re.IGNORECASE,
)
_TAG = re.compile(
    r"(?:(?:user|users|project|repo(?:sitory)?|workspace|custom|personal|team|local|folder|organi[sz]ation|always_applied(?:_workspace)?"
    r"|agent_requestable(?:_workspace)?|cursor)[_-]?(?:rules?|memor(?:y|ies)|(?:custom_)?instructions?|context|preferences?|notes?|"
    r"profile|info|doc(?:s|umentation)?|files?|layout|structure|tree|listing|guidelines|conventions)(?:_context)?"
    r"|memor(?:y|ies)|long_term_memory|(?:agents|claude|gemini|qwen)[._-]?md|readme|instructions_?files?|"
    r"(?:directory|file)[_-]?(?:listing|tree|structure|map)|directories|open[_-]files?|attached[_-]files?|git[_-]?status)\Z",
    re.IGNORECASE,
)
_LISTED = re.compile(
    r"[^\r\n]*\b(?:current|existing|open|opened)\b[^\r\n]{0,40}"
    r"\b(?:listing|structure|tree|layout|files|contents)\b[^\r\n]{0,60}\Z",
    re.IGNORECASE,
)
_ENTRY = re.compile(r"\s*(?:[├└│|]|[-*]\s+\S+\s*\Z|\S*[\w-]+(?:\.\w{1,5}|/)(?:\s{2,}\S.*|\s+\([^)]*\))?\s*\Z)")
_OPENER = re.compile(r"[ \t]*(`{3,}|~{3,})([^`\r\n]*)\Z")
_SECTION = re.compile(
    r"(?:selected|included|attached|open|opened|pinned|context|project|workspace|relevant) files?\Z", re.IGNORECASE
)

_USERS_TITLE = re.compile(
    r"(?:(?:the )?(?:long[- ]term|saved|stored|persistent|user(?:'?s)?|project|session) memor(?:y|ies)"
    r"|(?:user(?:'?s)?|project|repo(?:sitory)?|workspace|folder|team)(?:[- ](?:specific|custom))?"
    r" (?:instructions|rules|notes|context))\s*:?\Z",
    re.IGNORECASE,
)
_USERS_LINE = re.compile(r"[*_]*additional (?:project |user |workspace )?context[*_]*[.…:]*[*_]*\s*\Z", re.IGNORECASE)

TITLED = r"#{1,6} [^\r\n]*(?:\.\w{2,12}|README)\b[^\r\n]*\r?\n[\s\S]*"
USERS = r"#{1,6} [^\r\n]*(?i:memor|instructions|rules|notes|context)[^\r\n]*\r?\n[\s\S]*"
ADDITIONAL = r"[*_]*(?i:additional )[^\r\n]*(?i:context)[^\r\n]*\r?\n[\s\S]*"
ANNOUNCED = r"[^\r\n]*\w\.\w+[^\r\n]*\r?\n[\s\S]*"
FENCED = r"(?:`{3,}|~{3,})[^\r\n]*\r?\n(?:[\s\S]*?\n)?[ \t]*(?:`{3,}|~{3,})"


class QuotedFile(NamedTuple):
    """``[start, end)`` of a text in which one or more files are quoted, without the white space behind them.

    Any such quotation fits one of the ``patterns``: they begin and end with what delimits it.
    """

    start: int
    end: int
    patterns: tuple[str, ...]


def quoted_files(text: str) -> tuple[QuotedFile, ...]:
    """Where a prompt quotes files of a project, in order and without overlaps."""
    lines = read_lines(text)
    found: list[QuotedFile] = []
    number = 0
    while number < len(lines):
        quoted = _begins_at(text, lines, number)
        if quoted is None:
            number += 1
            continue
        one, number = quoted
        last = found[-1] if found else None
        if last is not None and not text[last.end : one.start].strip():
            found[-1] = QuotedFile(last.start, one.end, tuple(dict.fromkeys(last.patterns + one.patterns)))
        else:
            found.append(one)
    return tuple(found)


def _begins_at(text: str, lines: list[StructuredLine], number: int) -> tuple[QuotedFile, int] | None:
    """The quotation that begins on this line, and the number of the line behind it."""
    line = lines[number]
    raw = text[line.start : line.end].rstrip("\r\n")
    if line.kind == "open" and _TAG.match(line.title):
        name = re.escape(line.title)
        return _quoted(text, lines, number, line.until, rf"<{name}(?:\s[^<>]*)?>[\s\S]*?</{name}>")
    if (edge := _EDGE.match(raw)) is not None:
        last = _closing_edge(text, lines, number, edge[1])
        if last is not None:
            return _quoted(text, lines, number, last, r"-{3,}[^\r\n]*-{3,}\r?\n[\s\S]*?-{3,}[^\r\n]*-{3,}")
    if (fenced := _fenced_file(text, lines, number)) is not None:
        until, end = fenced
        return QuotedFile(line.start, end, (FENCED,)), until + 1
    if line.kind == "heading" and line.style == "atx" and _TITLE.match(line.title):
        last = _section_end(text, lines, number)
        return _quoted(text, lines, number, last, TITLED)
    if line.kind == "heading" and line.style == "atx" and _USERS_TITLE.match(line.title):
        return _with_body(text, lines, number, _section_end(text, lines, number), USERS)
    if _USERS_LINE.match(raw) and line.kind != "fence":
        return _with_body(text, lines, number, _body_end(text, lines, number, level=7), ADDITIONAL)
    if _CONTENTS.match(raw) or (_FILE_LINE.match(raw) and _next_visible_kind(lines, number) == "fence"):
        return _introduced(text, lines, number)
    return None


def _quoted(text: str, lines: list[StructuredLine], first: int, last: int, pattern: str) -> tuple[QuotedFile, int]:
    start, end = lines[first].start, lines[last].end
    return QuotedFile(start, start + len(text[start:end].rstrip()), (pattern,)), last + 1


def _with_body(
    text: str, lines: list[StructuredLine], first: int, last: int, pattern: str
) -> tuple[QuotedFile, int] | None:
    """The quotation under a title; None where nothing stands under it."""
    return _quoted(text, lines, first, last, pattern) if last > first else None


def _closing_edge(text: str, lines: list[StructuredLine], number: int, title: str) -> int | None:
    for other in range(number + 1, len(lines)):
        raw = text[lines[other].start : lines[other].end].strip()
        if raw.startswith("---") and re.search(r"\bend\b", raw, re.IGNORECASE) and title in raw:
            return other
    return None


def _fenced_file(text: str, lines: list[StructuredLine], number: int) -> tuple[int, int] | None:
    """The last line and the end of the fence that is opened here and holds a file: by its info, section or title.

    Whatever fences of the prompt are left open above it don't count, and another block may begin on its last line.
    """
    opener = _OPENER.match(text[lines[number].start : lines[number].end].rstrip("\r\n"))
    if opener is None:
        return None
    info = opener[2].split()[-1] if opener[2].split() else ""
    named = _NAMED.fullmatch(info) or re.match(r"(?:/|~/|[A-Za-z]:\\).*\.\w+\Z", info)
    is_file = named or ("." in info and _is_in_file_section(text, lines, number))
    if not is_file and not (lines[number].kind == "fence" and _is_listing(text, lines, number)):
        return None
    marks = opener[1]
    for other in range(number + 1, len(lines)):
        raw = text[lines[other].start : lines[other].end].rstrip("\r\n")
        closer = re.match(rf"[ \t]*{re.escape(marks[0])}{{{len(marks)},}}", raw)
        if closer and re.match(r"\s*\Z|[^\w\s`~]|\S+\s+\S", raw[closer.end() :]):
            return other, lines[other].start + closer.end()
    return None


def _is_in_file_section(text: str, lines: list[StructuredLine], number: int) -> bool:
    """True below a heading such as "Selected files"."""
    heading = re.compile(r" {0,3}#{1,6}[ \t]+(.*?)\s*\Z")
    for other in range(number - 1, -1, -1):
        found = heading.match(text[lines[other].start : lines[other].end])
        if found is not None:
            return _SECTION.match(found[1]) is not None
    return False


def _is_listing(text: str, lines: list[StructuredLine], number: int) -> bool:
    """True for a fence with names of files below a title that says whose they are."""
    before = number - 1
    while before >= 0 and lines[before].kind == "blank":
        before -= 1
    if before < 0 or not _LISTED.match(text[lines[before].start : lines[before].end].rstrip()):
        return False
    inside = [text[line.start : line.end] for line in lines[number + 1 : lines[number].until]]
    visible = [line for line in inside if line.strip()]
    return bool(visible) and 3 * sum(_ENTRY.match(line) is not None for line in visible) >= 2 * len(visible)


def _next_visible_kind(lines: list[StructuredLine], number: int) -> str:
    return next((line.kind for line in lines[number + 1 : number + 3] if line.kind != "blank"), "")


def _introduced(text: str, lines: list[StructuredLine], number: int) -> tuple[QuotedFile, int] | None:
    """A line that announces a file, and the file: a fence, a tag, or all up to what ends it."""
    after = number + 1
    while after < len(lines) and lines[after].kind == "blank":
        after += 1
    if after >= len(lines):
        return None
    if lines[after].kind in ("fence", "open"):
        last = lines[after].until
        inside = FENCED if lines[after].kind == "fence" else r"<[^<>]+>[\s\S]*?</[^<>]+>"
        return _quoted(text, lines, number, last, rf"[^\r\n]*\s+{inside}")
    last = _body_end(text, lines, number, level=7)
    return _quoted(text, lines, number, last, ANNOUNCED)


def _section_end(text: str, lines: list[StructuredLine], number: int) -> int:
    """The last line of the file under a heading that names it."""
    after = number + 1
    while after < len(lines) and lines[after].kind == "blank":
        after += 1
    if after < len(lines) and lines[after].kind == "fence":
        return lines[after].until
    level = lines[number].level
    opens_higher = after < len(lines) and lines[after].kind == "heading" and 0 < lines[after].level <= level
    return _body_end(text, lines, number, 7 if opens_higher else level)


def _body_end(text: str, lines: list[StructuredLine], number: int, level: int) -> int:
    """The last line of a quoted file that nothing of its own encloses. ``level`` 7: its own headings may be any."""
    last = number
    for other in range(number + 1, len(lines)):
        line = lines[other]
        raw = text[line.start : line.end].rstrip("\r\n")
        if line.kind == "close" and not any(each.until == other for each in lines[number:other]):
            break
        is_next_file = line.kind == "heading" and _TITLE.match(line.title) is not None
        if is_next_file or _CONTENTS.match(raw) or (line.kind == "heading" and line.style.startswith("rule")):
            break
        if level < 7 and line.kind == "heading" and line.style == "atx" and line.level <= level:
            break
        if line.kind != "blank":
            last = other
    return last

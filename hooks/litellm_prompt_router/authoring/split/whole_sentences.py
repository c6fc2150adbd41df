"""What has to move with a value so that it keeps its sense: its whole sentence, its line, or the tag around it.

Nothing is better than part of it: where a sentence can't be told from what is around it, the value stays in place.
"""

from __future__ import annotations

import re

from litellm_prompt_router.authoring.split.essential_words import COMMAND, OBLIGATION

MAX_TAGGED_LINES = 60
MAX_SENTENCE_CHARS = 400

_SENTENCE_END = re.compile(r"(?:[.!?][\"'”’)\]*_`]*(?=\s|\Z)|[。！？])")
_SENTENCE_START = re.compile(r"(?:[.!?][\"'”’)\]*_`]*[ \t]+|[。！？][ \t]*)")
_LABEL = re.compile(
    r"[ \t]*(?:[-*+•][ \t]+)?[*_`\"']*[^\W\d][^\r\n:：=]{0,60}?[*_`\"']*[ \t]*[:：=][*_`\"']*[ \t]*[\"'`*_(]*\Z"
)
_LABELLED = re.compile(r"[ \t]*(?:[-*+•][ \t]+)?[*_`\"']*[^\W\d][^\r\n:：=]{0,60}?[*_`\"']*[ \t]*[:：=]")
_ITEM = re.compile(r"[ \t]*(?:[-*+•‣◦–—·]|\(?(?:\d{1,3}|[a-zA-Z])[.)])[ \t]+")
_STRUCTURE = re.compile(
    r"[ \t]*(?:#{1,6}[ \t]|</?[^\W\d][^<>]*>[ \t]*\Z|(?:[=\-*_#~]{3,})[ \t]*\Z|\*\*[^*]+\*\*:?[ \t]*\Z)"
)
_FENCE = re.compile(r"[ \t]*(?:`{3,}|~{3,})")
_POINTS_BACK = re.compile(
    r"[\s\"'“(*_`-]*(?:it|its|this|that|these|those|they|them|he|she|here|there|above|below|es|das|dies\w*|sie|er|dort|"
    r"il|elle|cela|"
    r"ça|ce|cette|ils|esto|eso|este|esta|ello|isso|isto|este|это|этот|эта|эти|он|она|оно|они)\b"
    r"|[\s\"'“(*_`-]*(?:这|那|它|これ|それ|あれ|이것|그것)",
    re.IGNORECASE,
)
_TO_YOU = re.compile(
    r"\b(?:you|your|you[’']re|du|dein\w*|dir|Sie|Ihre?\w*|tu|vous|votre|tú|usted|eres|você|ты|вы|тебя|вас)\b|你|您|あなた|당신",
    re.IGNORECASE,
)
_WORD = re.compile(r"[^\W\d_]{2,}")


def obliges(text: str) -> bool:
    """True for a text that tells somebody what to do or not to do."""
    return OBLIGATION.search(text) is not None or COMMAND.search(text) is not None


def _only_says_facts(text: str) -> bool:
    """True for a text that tells nobody what to do or who they are."""
    return not obliges(text) and _TO_YOU.search(text) is None


def whole_span(text: str, start: int, end: int) -> tuple[int, int] | None:
    """``[start, end)`` widened to the data block with a tag around it, else to the sentence or line; None without."""
    if text[:start].count("```") % 2 or text[:start].count("~~~") % 2:
        return None
    return _tagged_block(text, start, end) or _sentence(text, start, end)


def _tagged_block(text: str, start: int, end: int) -> tuple[int, int] | None:
    """The innermost tag on lines of its own around it, if what is inside is data."""
    lines = text[:start].splitlines(keepends=True)
    at = start
    for raw in reversed(lines[-MAX_TAGGED_LINES:]):
        at -= len(raw)
        if _FENCE.match(raw) or raw.lstrip().startswith("</"):
            return None
        opened = re.match(r"[ \t]*<([^\W\d][\w.:-]*)(?:\s[^<>]*)?>[ \t]*\r?\n\Z", raw)
        if opened is None:
            continue
        closing = re.compile(rf"^[ \t]*</{re.escape(opened[1])}>", re.MULTILINE).search(text, end)
        if closing is None:
            return None
        inside = text[at + len(raw) : start] + text[end : closing.start()]
        other = [line for line in inside.splitlines() if line.strip()]
        is_data = all(_LABELLED.match(line) or not _WORD.search(line) or len(line.split()) <= 2 for line in other)
        if len(other) > MAX_TAGGED_LINES or not is_data or not _only_says_facts(inside):
            return None
        first = at + len(raw) - len(raw.lstrip())
        return first, closing.end()
    return None


def _sentence(text: str, start: int, end: int) -> tuple[int, int] | None:
    """The sentence or the line around a value on one line, if it stands by itself and says nothing but facts."""
    if "\n" in text[start:end] or "\r" in text[start:end] or _SENTENCE_START.search(text[start:end]):
        return None
    line_start = max(text.rfind("\n", 0, start), text.rfind("\r", 0, start)) + 1
    line_end = min((at for at in (text.find("\n", end), text.find("\r", end)) if at >= 0), default=len(text))
    head, tail = text[line_start:start], text[end:line_end]
    breaks = list(_SENTENCE_START.finditer(head))
    begins_inside = bool(breaks) and _ITEM.fullmatch(head[: breaks[-1].end()]) is None
    first = line_start + breaks[-1].end() if begins_inside else line_start + len(head) - len(head.lstrip())
    stop = _SENTENCE_END.search(tail)
    last = end + stop.end() if stop else line_end - (len(tail) - len(tail.rstrip()))
    sentence, outside = text[first:last], f"{text[first:start]} {text[end:last]}"
    if (
        last - first > MAX_SENTENCE_CHARS
        or not _WORD.search(outside)
        or not _only_says_facts(outside)
        or _POINTS_BACK.match(sentence)
    ):
        return None
    ends_line = not text[last:line_end].strip()
    before, after = _neighbour_lines(text, line_start, line_end)
    is_labelled = not begins_inside and ends_line and _LABEL.match(head) is not None
    if not ends_line and _POINTS_BACK.match(text[last:line_end]):
        return None
    if ends_line and (_POINTS_BACK.match(after) or _is_child(after, text[line_start:line_end])):
        return None
    if is_labelled:
        return first, last
    if not begins_inside and not _stands_behind(before, head):
        return None
    if stop is None and after.strip() and not (_ITEM.match(after) or _STRUCTURE.match(after)):
        return None
    return first, last


def _neighbour_lines(text: str, line_start: int, line_end: int) -> tuple[str, str]:
    """The line before and the one behind, empty where there is none."""
    before = text[:line_start].splitlines()[-1:] or [""]
    after = text[line_end:].splitlines()[1:2] or [""]
    return before[0], after[0]


def _stands_behind(before: str, head: str) -> bool:
    """True when a line that begins so doesn't go on with the line before it."""
    stripped = before.rstrip()
    if stripped.endswith((":", "：", ",", ";")):
        return False
    if not stripped or _STRUCTURE.match(before) or _ITEM.match(head):
        return True
    return _SENTENCE_END.search(stripped[-3:]) is not None or _LABELLED.match(before) is not None


def _is_child(after: str, line: str) -> bool:
    return bool(after.strip()) and len(after) - len(after.lstrip()) > len(line) - len(line.lstrip())

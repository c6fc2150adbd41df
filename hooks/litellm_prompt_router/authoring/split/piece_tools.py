"""The tools that each piece of the prompt defines: in headings, lists, JSON, signatures or plain sentences."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence

from litellm_prompt_router.authoring.split.roles import is_about_tools, split_words

READ_CHARS = 20_000
DEFINES, LISTS, SHOWS, MENTIONS = 9, 6, 3, 1

_NAME = r"[A-Za-z][\w.-]{1,63}"
_TITLE = re.compile(
    rf"(?:tool|function|command)?\s*[:：]?\s*[`\"'*]*({_NAME})[`\"'*]*(?:\s*\([^)]*\))?\s*(?:tool|function|command)?\s*[:：]?\Z",
    re.I,
)
_TICKED_TITLE = re.compile(rf"\W*`({_NAME})(?:\([^)`]*\))?`\W*(?:tool|function|command)?\W*\Z", re.I)
_NUMBER = re.compile(r"^\W*\d+(?:\.\d+)*[.)]?\s+")
_ITEM = re.compile(
    rf"^[ \t]*(?:[-*+•]|\d+[.)])[ \t]+[*_]{{0,2}}`?({_NAME})`?(?:\([^)\n]*\))?`?[*_]{{0,2}}[ \t]*(?:[:：—–]|-[ \t])",
    re.M,
)
_JSON = re.compile(
    rf"\"name\"\s*:\s*\"({_NAME})\"(?=[^{{}}]{{0,4000}}\"(?:description|parameters|input_schema)\")|\"description\"\s*:\s*\"[^\"]{{0,4000}}\"\s*,\s*\"name\"\s*:\s*\"({_NAME})\""
)
_TYPED = re.compile(rf"^[ \t]*(?:type\s+({_NAME})\s*=\s*\(|(?:async\s+)?def\s+({_NAME})\s*\()", re.M)
_CALLED_TOOL = re.compile(
    rf"(?:the|call|use|using|via|with)\s+[`\"']({_NAME})[`\"']\s+(?:tool|function|command)\b", re.I
)
_CODE_LIKE = re.compile(r"[A-Za-z][A-Za-z0-9]*(?:[_.-][A-Za-z0-9]+)+|[a-z]+[A-Z]\w*")
_PLACEHOLDER = re.compile(r"(?:tool|function|command|parameter\d*|param\d*|arg\d*)_?name|your_\w+|example_\w+", re.I)
_FENCED = re.compile(r"^[ \t]*(`{3,}+|~{3,}+)[^\n]*\n.*?^[ \t]*\1[ \t]*$", re.MULTILINE | re.DOTALL)
_WORD = re.compile(r"[A-Za-z][\w.-]*\w|[A-Za-z]")
_SPECIFIES = re.compile(r"\b(?:parameters?|arguments?|input_schema)\b\**:", re.I)
_EXPLAINS = re.compile(r"\b(?:tool|function|command|parameters?|arguments?|usage|description|invoke|call)\b", re.I)


_GENERIC = re.compile(
    r"\b(?:tools?|functions?|commands?|examples?|usages?|us(?:e|es|ing)|parameters?|params?|arguments?|args?|options?|flags?"
    r"|inputs?|outputs?|returns?|results?|description|overview|summary|details?|syntax|format|schema|reference|instructions?"
    r"|notes?|tips?|hints?|steps?|workflows?|best|practices?|common|patterns?|basic|advanced|how|to|when|what|not|do|don|t"
    r"|this|the|a|an|and|or|of|for|in|on|with|it|your|good|bad|correct|incorrect|wrong|right"
    r"|beispiele?|verwendung|parameter|hinweise?|beschreibung|exemples?|utilisation|paramètres?|ejemplos?|uso|parámetros?"
    r"|descripción)\b|示例|例子|用法|使用|说明|参数|返回|例|使い方|パラメータ|예시|사용법|매개변수|[\W\d_]+",
    re.I,
)
"""Words of titles that any tool's text may have."""
_MIN_STEM_CHARS = 4


def foreign_title(titles: Iterable[str], tools: Sequence[str]) -> str | None:
    """The first title that is neither named after one of these tools nor says what any tool's title may; else None.

    What stands under it belongs to something else, which has no tool of its own maybe.
    """
    own = {_stem(word) for tool in tools for word in _words_of(tool)}
    for title in titles:
        words = _words_of(_GENERIC.sub(" ", split_words(title)))
        named = any(tool.casefold() in title.casefold() for tool in tools)
        if words and not named and own.isdisjoint(map(_stem, words)):
            return title
    return None


def _words_of(title: str) -> list[str]:
    return re.findall(r"[^\W\d_]+", split_words(title))


def _stem(word: str) -> str:
    return word.casefold()[:_MIN_STEM_CHARS]


def tools_of(
    pieces: Sequence[str],
    headings: Sequence[Sequence[str]],
    blocks: Sequence[Sequence[str]],
    enclosing: Sequence[Sequence[str]],
    declared: Sequence[str],
) -> tuple[list[list[str]], list[str]]:
    """For each piece the tools that belong to it, each tool to one piece; and the declared ones that no piece mentions.

    ``headings``: of all sections inside each piece; ``blocks``: its outermost tagged blocks; ``enclosing``: titles
    of the sections it stands in. ``declared``: the tools of a captured request.
    """
    weights: dict[str, dict[int, int]] = {}
    for number, text in enumerate(pieces):
        in_tools = is_about_tools((*headings[number], *enclosing[number]))
        for name, weight in _tool_evidence(text, headings[number], blocks[number], in_tools):
            where = weights.setdefault(name, {})
            where[number] = max(where.get(number, 0), weight)
    mentions = [Counter(_WORD.findall(text)) for text in pieces]
    for name in declared:
        where = weights.setdefault(name, {})
        for number, text in enumerate(pieces):
            count = mentions[number][name] if _WORD.fullmatch(name) else text.count(name)
            if count:
                where[number] = where.get(number, 0) + MENTIONS * min(count, 5)
    owned: list[list[str]] = [[] for _ in pieces]
    for name, where in weights.items():
        if where:
            owned[min(where, key=lambda number: (-where[number], number))].append(name)
    return owned, [name for name in declared if not weights[name]]


def tools_named_in(text: str, names: frozenset[str]) -> frozenset[str]:
    """The tools that a text names as whole words."""
    return names & set(_WORD.findall(text))


def _tool_evidence(
    text: str, headings: Iterable[str], blocks: Iterable[str], in_tools: bool
) -> Iterable[tuple[str, int]]:
    defined = {name for title in headings if (name := _tool_in_heading(text, title, in_tools))}
    defined |= {match[1] or match[2] for match in _JSON.finditer(text)}
    yield from ((name, DEFINES) for name in sorted(defined))
    yield from ((match[1], LISTS) for match in _CALLED_TOOL.finditer(text) if not _PLACEHOLDER.fullmatch(match[1]))
    if not in_tools or defined:  # what a tool's own section lists are its parameters
        return
    yield from ((name, SHOWS) for name in blocks if _is_name(name))
    yield from ((match[1], LISTS) for match in _ITEM.finditer(text) if _is_name(match[1]))
    prose = _FENCED.sub("", text[:READ_CHARS])
    yield from ((match[1] or match[2], LISTS) for match in _TYPED.finditer(prose))


def _tool_in_heading(text: str, title: str, in_tools: bool) -> str | None:
    """The tool that a heading names, if what follows explains one."""
    bare = _NUMBER.sub("", title)
    ticked = _TICKED_TITLE.match(bare)
    match = ticked or _TITLE.match(bare)
    if match is None or _PLACEHOLDER.fullmatch(match[1]):
        return None
    at = text.find(match[1])
    if _EXPLAINS.search(text, at + len(match[1]), at + 600) is None and not (ticked and in_tools):
        return None
    is_specified = _SPECIFIES.search(text, at + len(match[1]), at + 600) is not None
    return match[1] if ticked or (_is_name(match[1]) and (in_tools or is_specified)) else None


def _is_name(name: str) -> bool:
    return _CODE_LIKE.fullmatch(name) is not None and _PLACEHOLDER.fullmatch(name) is None


def listed_tools(tools: Sequence[str], most: int = 4) -> str:
    """``a, b, c, d and 3 more``."""
    more = f" and {len(tools) - most} more" if len(tools) > most else ""
    return ", ".join(tools[:most]) + more

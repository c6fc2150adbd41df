"""The names of the tools that a request declares, in any endpoint's shape.

That a tool is missing is told only where nothing can be hidden: not where a server's tools are declared by the server
alone or found by a search, nor where the provider adds some by itself.
"""

from __future__ import annotations

import marshal
from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from litellm_prompt_router.process_memory.bounded import register_memory
from litellm_prompt_router.request.wire.leading_items import holds_tools, leading_of

_LISTS_IN_TOOL = ("functionDeclarations", "function_declarations", "tools")
"""Gemini's lists, and OpenAI's namespaces."""
MAX_SIZES = 256
_LIST_FIELDS = frozenset(_LISTS_IN_TOOL)
_OF_FUNCTION_TOOL = frozenset({"type", "function"})
"""What chat's tools are made of, nearly always."""
_PASSED_ON = ("extra_body", "config")
_DECLARING = ("tools", "functions", "mcp_servers", "web_search_options")
_OPEN_KINDS = ("mcp", "tool_search")
"""How the types of entries begin whose tools aren't listed: a server's (platform.claude.com, "MCP connector";
developers.openai.com, "Connectors and MCP servers") or those that a search finds ("Tool search"; checked 2026-11)."""


def tool_names(data: Mapping[str, Any]) -> tuple[str, ...]:
    """The declared tools in order, each once; also those that the Responses API takes as an input item."""
    names: dict[str, None] = {}
    later = [item.get("tools") for item in _items(data) if holds_tools(item)]
    for tools in (data.get("tools"), data.get("functions"), *later):
        _add_names(tools, names)
    return tuple(names)


def tool_count(data: Mapping[str, Any]) -> int:
    """How many tools are declared; of names of tools, where there are more of those since an entry holds a list."""
    tools = data.get("tools")
    listed = len(tools) if isinstance(tools, list) else 0
    is_flat = not data.get("functions") and not any(map(holds_tools, _items(data)))
    if is_flat and not (listed and _may_have_lists(data["tools"])):
        return listed
    return max(listed, len(tool_names(data)))


def known_tools(data: Mapping[str, Any]) -> frozenset[str] | None:
    """Every tool that the request lets the model call from the start; None where that can't be told.

    Those that a Responses item declares behind the conversation's begin come in there: ``Turn.declared``.
    """
    if _declares_unseen(data):
        return None
    names: set[str] = set()
    is_told = all(_add_list(tools, names) for tools in _lists_at_begin(data))
    return frozenset(names) if is_told else None


def may_call_tools(data: Mapping[str, Any]) -> bool:
    """False where ``known_tools`` is certain that there are none. Reads no further than the first tool."""
    if _declares_unseen(data):
        return True
    names: set[str] = set()
    for tools in _lists_at_begin(data):
        for tool in tools if isinstance(tools, list) else ():
            if not _add_known(tool, names) or names:
                return True
        if tools is not None and not isinstance(tools, list):
            return True
    return False


def tools_of_item(item: Mapping[str, Any]) -> frozenset[str] | None:
    """The same of one item of the Responses API."""
    if not holds_tools(item):
        return frozenset()
    names: set[str] = set()
    return frozenset(names) if _add_list(item.get("tools"), names) else None


def _declares_unseen(data: Mapping[str, Any]) -> bool:
    """True where tools may come from elsewhere than the lists."""
    return bool(
        data.get("mcp_servers")
        or data.get("web_search_options") is not None
        or any(map(_may_declare, _passed_on(data)))
    )


def _lists_at_begin(data: Mapping[str, Any]) -> tuple[object, ...]:
    items = _items(data)
    leading = [item.get("tools") for item in items[: leading_of(items)]]
    return (data.get("tools"), data.get("functions"), *leading)


def _passed_on(data: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """What LiteLLM puts into the provider's body, beside the fields that it knows."""
    return (more for field in _PASSED_ON if isinstance(more := data.get(field), dict))


def _may_declare(more: Mapping[str, Any]) -> bool:
    return any(more.get(field) is not None for field in _DECLARING)


def _add_list(tools: object, names: set[str]) -> bool:
    """Adds what the model can call by this list; False where it doesn't say."""
    return tools is None or (isinstance(tools, list) and all(_add_known(tool, names) for tool in tools))


def _add_known(tool: object, names: set[str]) -> bool:
    """Adds what the model can call by this entry; False where the entry doesn't say."""
    if not isinstance(tool, dict):
        return False
    function = tool.get("function")
    if tool.get("type") == "function" and isinstance(function, dict) and tool.keys() <= _OF_FUNCTION_TOOL:
        name = function.get("name")
        if isinstance(name, str) and name:
            names.add(name)
            return True
    kind = str(tool.get("type") or "")
    if kind.startswith(_OPEN_KINDS):
        return False
    lists = [tool[field] for field in _LISTS_IN_TOOL if tool.get(field) is not None]
    own = list(tool_names({"tools": [{**tool, **dict.fromkeys(_LISTS_IN_TOOL)}]}))
    if not own and isinstance(custom := tool.get("custom"), dict) and isinstance(custom.get("name"), str):
        own = [custom["name"]]
    if not own and kind and not lists:  # the provider's own; calls have the name without what is added to it
        parts = kind.split("_")
        own = ["_".join(parts[:end]) for end in range(1, len(parts) + 1)]
    names.update(own)
    is_told = bool(own) or (bool(lists) and tool.keys() <= set(_LISTS_IN_TOOL))
    return is_told and all(
        isinstance(inner, list) and all(_add_known(each, names) for each in inner) for inner in lists
    )


def _may_have_lists(tools: list[Any]) -> bool:
    """False where no entry holds a list of tools; without a step of Python's for each tool of every request."""
    try:
        return not all(map(_LIST_FIELDS.isdisjoint, tools))
    except TypeError:  # an entry that is no object
        return True


def written_tools(data: Mapping[str, Any]) -> bytes | None:
    """The body's list of tools as ``marshal`` writes it; None of none, and of what it can't write."""
    tools = data.get("tools")
    if not isinstance(tools, list) or not tools:
        return None
    try:
        return marshal.dumps(tools)
    except ValueError:  # a type that JSON doesn't have
        return None


class ToolSizes:
    """Sizes of declared tools, which are the same in call after call, by hash. The oldest of ``MAX_SIZES`` go first."""

    def __init__(self) -> None:
        self._chars: dict[tuple[int, int], int | None] = {}
        register_memory(self, "sizes of tools", MAX_SIZES, len)

    def __len__(self) -> int:
        return len(self._chars)

    def chars(self, data: Mapping[str, Any], written: bytes | None) -> int | None:
        """What ``tools_chars`` gives. ``written``: what ``written_tools`` gives, where somebody asked already."""
        if written is None or data.get("functions") or any(map(holds_tools, _items(data))):
            return tools_chars(data)
        key = hash(written), len(written)
        if key not in self._chars:
            if len(self._chars) >= MAX_SIZES:
                self._chars.pop(next(iter(self._chars)), None)
            self._chars[key] = tools_chars(data)
        return self._chars[key]


def tools_chars(data: Mapping[str, Any]) -> int | None:
    """The declared tools' size as JSON, 0 without any; None where they can't be written as such."""
    later = [item for item in _items(data) if holds_tools(item)]
    parts = [part for part in (data.get("tools"), data.get("functions"), later) if part]
    try:
        written = [orjson.dumps(part) for part in parts]
    except TypeError:
        return None
    return sum(len(part) if part.isascii() else len(part.decode()) for part in written)


def _items(data: Mapping[str, Any]) -> list[dict[str, Any]]:
    items = data.get("input")
    return [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []


def _add_names(tools: object, names: dict[str, None]) -> None:
    for tool in tools if isinstance(tools, list) else ():
        if not isinstance(tool, dict):
            continue
        function = tool.get("function")
        name = function.get("name") if isinstance(function, dict) else tool.get("name")
        if isinstance(name, str) and name:
            names[name] = None
        for field in _LISTS_IN_TOOL:
            if field in tool:
                _add_names(tool[field], names)

"""The names of the tools that a request declares, in any endpoint's shape.

That a tool is missing is told only where nothing can be hidden: not where a server's tools are declared by the server
alone or found by a search. And not where the model is asked to think: some providers check what stands ahead of a
replayed thinking block, so there a tool that comes in mid-conversation must not change the prompt.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import orjson

_LISTS_IN_TOOL = ("functionDeclarations", "function_declarations", "tools")
"""Gemini's lists, and OpenAI's namespaces."""
_OPEN_KINDS = ("mcp", "tool_search")
"""How the types of entries begin whose tools aren't listed: a server's (platform.claude.com, "MCP connector";
developers.openai.com, "Connectors and MCP servers") or those that a search finds ("Tool search"; checked 2026-11)."""


def tool_names(data: Mapping[str, Any]) -> tuple[str, ...]:
    """The declared tools in order, each once; also those that the Responses API takes as an input item."""
    return tuple(dict.fromkeys(_names(data)))


def known_tools(data: Mapping[str, Any]) -> frozenset[str] | None:
    """Every tool that the request lets the model call; None where that can't be told."""
    if data.get("mcp_servers") or _asks_to_think(data):
        return None
    names: set[str] = set()
    for tools in _lists(data):
        if tools is not None and not (isinstance(tools, list) and all(_add_known(tool, names) for tool in tools)):
            return None
    return frozenset(names)


def _asks_to_think(data: Mapping[str, Any]) -> bool:
    thinking = data.get("thinking")
    if isinstance(thinking, dict) and thinking.get("type") != "disabled":
        return True
    return data.get("reasoning_effort") not in (None, "none", "disable")


def _add_known(tool: object, names: set[str]) -> bool:
    """Adds what the model can call by this entry; False where the entry doesn't say."""
    if not isinstance(tool, dict):
        return False
    kind = str(tool.get("type") or "")
    if kind.startswith(_OPEN_KINDS):
        return False
    lists = [tool[field] for field in _LISTS_IN_TOOL if tool.get(field) is not None]
    own = list(_of_list([{**tool, **dict.fromkeys(_LISTS_IN_TOOL)}]))
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


def tools_chars(data: Mapping[str, Any]) -> int | None:
    """The declared tools' size as JSON, 0 without any; None where they can't be written as such."""
    items = data.get("input")
    later = [item for item in (items if isinstance(items, list) else ()) if _holds_tools(item)]
    parts = [part for part in (data.get("tools"), data.get("functions"), later) if part]
    try:
        written = [orjson.dumps(part) for part in parts]
    except TypeError:
        return None
    return sum(len(part) if part.isascii() else len(part.decode()) for part in written)


def _holds_tools(item: object) -> bool:
    return isinstance(item, dict) and item.get("type") == "additional_tools"


def _lists(data: Mapping[str, Any]) -> Iterator[Any]:
    yield data.get("tools")
    yield data.get("functions")
    items = data.get("input")
    for item in items if isinstance(items, list) else ():
        if _holds_tools(item):
            yield item.get("tools")


def _names(data: Mapping[str, Any]) -> Iterator[str]:
    for tools in _lists(data):
        yield from _of_list(tools)


def _of_list(tools: object) -> Iterator[str]:
    for tool in tools if isinstance(tools, list) else ():
        if not isinstance(tool, dict):
            continue
        function = tool.get("function")
        name = function.get("name") if isinstance(function, dict) else tool.get("name")
        if isinstance(name, str) and name:
            yield name
        for field in _LISTS_IN_TOOL:
            yield from _of_list(tool.get(field))

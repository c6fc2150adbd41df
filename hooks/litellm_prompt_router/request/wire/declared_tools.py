"""The names of the tools that a request declares, in any endpoint's shape.

That a tool is missing is told only where nothing can be hidden: not where a server's tools are declared by the server
alone or found by a search, nor where the provider adds some by itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from litellm_prompt_router.request.wire.leading_items import holds_tools, leading_of

_LISTS_IN_TOOL = ("functionDeclarations", "function_declarations", "tools")
"""Gemini's lists, and OpenAI's namespaces."""
_PASSED_ON = ("extra_body", "config")
_DECLARING = ("tools", "functions", "mcp_servers", "web_search_options")
_OPEN_KINDS = ("mcp", "tool_search")
"""How the types of entries begin whose tools aren't listed: a server's (platform.claude.com, "MCP connector";
developers.openai.com, "Connectors and MCP servers") or those that a search finds ("Tool search"; checked 2026-11)."""


def tool_names(data: Mapping[str, Any]) -> tuple[str, ...]:
    """The declared tools in order, each once; also those that the Responses API takes as an input item."""
    return tuple(dict.fromkeys(_names(data)))


def known_tools(data: Mapping[str, Any]) -> frozenset[str] | None:
    """Every tool that the request lets the model call from the start; None where that can't be told.

    Those that a Responses item declares behind the conversation's begin come in there: ``Turn.declared``.
    """
    if (
        data.get("mcp_servers")
        or data.get("web_search_options") is not None
        or any(map(_may_declare, _passed_on(data)))
    ):
        return None
    names: set[str] = set()
    items = _items(data)
    leading = [item.get("tools") for item in items[: leading_of(items)]]
    is_told = all(_add_list(tools, names) for tools in (data.get("tools"), data.get("functions"), *leading))
    return frozenset(names) if is_told else None


def tools_of_item(item: Mapping[str, Any]) -> frozenset[str] | None:
    """The same of one item of the Responses API."""
    if not holds_tools(item):
        return frozenset()
    names: set[str] = set()
    return frozenset(names) if _add_list(item.get("tools"), names) else None


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


def _names(data: Mapping[str, Any]) -> Iterator[str]:
    later = [item.get("tools") for item in _items(data) if holds_tools(item)]
    for tools in (data.get("tools"), data.get("functions"), *later):
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
            if field in tool:
                yield from _of_list(tool[field])

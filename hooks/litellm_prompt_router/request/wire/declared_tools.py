"""The names of the tools that a request declares, in any endpoint's shape."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import orjson


def tool_names(data: Mapping[str, Any]) -> tuple[str, ...]:
    """The declared tools in order, each once; also those that the Responses API takes as an input item."""
    return tuple(dict.fromkeys(_names(data)))


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


def _names(data: Mapping[str, Any]) -> Iterator[str]:
    yield from _of_list(data.get("tools"))
    yield from _of_list(data.get("functions"))
    items = data.get("input")
    for item in items if isinstance(items, list) else ():
        if _holds_tools(item):
            yield from _of_list(item.get("tools"))


def _of_list(tools: object) -> Iterator[str]:
    for tool in tools if isinstance(tools, list) else ():
        if not isinstance(tool, dict):
            continue
        function = tool.get("function")
        name = function.get("name") if isinstance(function, dict) else tool.get("name")
        if isinstance(name, str) and name:
            yield name
        for field in ("functionDeclarations", "function_declarations", "tools"):  # Gemini's lists, namespaces
            yield from _of_list(tool.get(field))

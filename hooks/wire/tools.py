"""The names of the tools that a request declares, in any endpoint's shape."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any


def tool_names(data: Mapping[str, Any]) -> tuple[str, ...]:
    """The declared tools in order, each once; also those that the Responses API takes as an input item."""
    return tuple(dict.fromkeys(_names(data)))


def _names(data: Mapping[str, Any]) -> Iterator[str]:
    yield from _of_list(data.get("tools"))
    yield from _of_list(data.get("functions"))
    items = data.get("input")
    for item in items if isinstance(items, list) else ():
        if isinstance(item, dict) and item.get("type") == "additional_tools":
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

"""The tools that a recorded answer called."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


def called_tools(response: dict[str, Any]) -> Iterable[str]:
    """Names of the tools called in a response message, in either provider's form."""
    message = response.get("message", response)
    if not isinstance(message, dict):
        return
    for call in message.get("tool_calls") or ():
        function = call.get("function") if isinstance(call, dict) else None
        if isinstance(function, dict) and isinstance(function.get("name"), str):
            yield function["name"]
    content = message.get("content")
    for block in content if isinstance(content, list) else ():
        if isinstance(block, dict) and block.get("type") == "tool_use" and isinstance(block.get("name"), str):
            yield block["name"]

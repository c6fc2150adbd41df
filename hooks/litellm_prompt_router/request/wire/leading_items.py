"""Which items of the Responses API's ``input`` stand ahead of the conversation: system messages and lists of tools."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from litellm_prompt_router.request.wire.marks import SYSTEM_ROLES


def leading_of(items: Sequence[Mapping[str, Any]]) -> int:
    """How many items stand ahead of the conversation."""
    return next((n for n, item in enumerate(items) if not is_system(item) and not holds_tools(item)), len(items))


def is_system(item: Mapping[str, Any]) -> bool:
    """True for a message that is a piece of the prompt when it leads. Its ``type`` may be missing."""
    role = item.get("role")
    return item.get("type", "message") == "message" and isinstance(role, str) and role in SYSTEM_ROLES


def holds_tools(item: Mapping[str, Any]) -> bool:
    """True for an item that declares tools from there on."""
    return item.get("type") == "additional_tools"

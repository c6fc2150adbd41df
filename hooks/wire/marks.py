"""Breakpoints on chat messages: where clients put them, and how ours are put."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from hooks.data import Mark

CACHE_CONTROL = "cache_control"
BREAKPOINT = "prompt_cache_breakpoint"
MARK_KEYS = frozenset({CACHE_CONTROL, BREAKPOINT})


def mark_of(holder: object) -> Mark | None:
    """The breakpoint on a message, block, call or tool, of either kind."""
    if not isinstance(holder, dict):
        return None
    mark = holder.get(CACHE_CONTROL)
    if isinstance(mark, dict):
        return mark
    explicit = holder.get(BREAKPOINT)
    return explicit if isinstance(explicit, dict) and "mode" in explicit else None


def marks_of_message(message: Mapping[str, Any]) -> Iterator[Mark]:
    """Breakpoints on a message, its blocks and its tool calls."""
    holders: list[object] = [message] if CACHE_CONTROL in message else []
    for name in ("content", "tool_calls"):
        parts = message.get(name)
        if isinstance(parts, list):
            holders += parts
    return (mark for holder in holders if (mark := mark_of(holder)) is not None)


def marked(block: Mapping[str, Any], text: str, mark: Mark | None) -> dict[str, Any]:
    """The block with this text, and this mark in place of its own."""
    out = {key: value for key, value in block.items() if key not in MARK_KEYS}
    out["text"] = text
    if mark is not None:
        out[BREAKPOINT if "mode" in mark else CACHE_CONTROL] = dict(mark)
    return out

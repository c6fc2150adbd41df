"""Breakpoints on messages: where clients put them, and how ours are put."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from litellm_prompt_router.request.types import Mark

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
    """Breakpoints on a message, its blocks, those inside tool results, and its tool calls."""
    holders: list[object] = [message] if CACHE_CONTROL in message else []
    for name in ("content", "tool_calls"):
        parts = message.get(name)
        for part in parts if isinstance(parts, list) else ():
            holders.append(part)
            nested = part.get("content") if isinstance(part, dict) else None
            if isinstance(nested, list):
                holders += nested
    return (mark for holder in holders if (mark := mark_of(holder)) is not None)


def marked(block: Mapping[str, Any], text: str, mark: Mark | None) -> dict[str, Any]:
    """The block with this text, and this mark in place of its own."""
    out = {key: value for key, value in block.items() if key not in MARK_KEYS}
    out["text"] = text
    if mark is not None:
        out[BREAKPOINT if "mode" in mark else CACHE_CONTROL] = dict(mark)
    return out


def end_marked(content: Any, mark: Mark) -> Any:
    """The content in blocks with a mark on the last one that may bear one; the same where none may."""
    blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
    for number in range(len(blocks) - 1, -1, -1) if isinstance(blocks, list) else ():
        block = blocks[number]
        if isinstance(block, dict) and _may_be_marked(block):
            return [*blocks[:number], {**block, CACHE_CONTROL: dict(mark)}, *blocks[number + 1 :]]
    return content


def _may_be_marked(block: Mapping[str, Any]) -> bool:
    """No thinking, and no empty text (platform.claude.com, "Prompt caching", checked 2026-11)."""
    kind = block.get("type")
    return kind not in ("thinking", "redacted_thinking") and (kind != "text" or bool(block.get("text")))

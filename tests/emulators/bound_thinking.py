"""Thinking that is bound to what stands ahead of it: signed by the emulated provider, refused when that has changed.

Source: platform.claude.com/docs/en/build-with-claude/preserved-thinking, checked 2026-11: tools, system and messages
ahead of a replayed block are its prefix; where it differs from what was sent when the block was made, that block is
answered with 400. Cache marks are no part of it. The wording is quoted in apidog.com/blog/claude-fable-5-1-preserved-
thinking. Which models check is an assumption on the safe side: the page names Fable 5.1 and later ones, and people
reported refusals of the others (github.com/anomalyco/opencode issue 46653).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

CHECKING = ("fable-5-1", "fable-5-2", "mythos-5-1", "mythos-5-2", "opus-5-5", "sonnet-5-5", "haiku-5-5")
_PREFIX = "emulated:"
_BOUND = "Invalid `signature` in `thinking` block. The block is bound to a different conversation."


def thinks(body: Mapping[str, Any]) -> bool:
    """True where the request asks for thinking."""
    asked = body.get("thinking")
    return isinstance(asked, Mapping) and asked.get("type") in ("enabled", "adaptive")


def thinking_block(body: Mapping[str, Any]) -> dict[str, Any]:
    """The block that an answer to this Messages body begins with."""
    return {"type": "thinking", "thinking": "Let me see.", "signature": _signature(body, body.get("messages") or ())}


def refuse_changed_prefix(body: Mapping[str, Any]) -> str | None:
    """The message of the 400 for replayed thinking that was made behind something else, or None."""
    if not any(name in str(body.get("model")) for name in CHECKING):
        return None
    messages = body.get("messages") or ()
    for number, message in enumerate(messages):
        content = message.get("content")
        for index, block in enumerate(content if isinstance(content, list) else ()):
            signature = str(block.get("signature") or "")
            if block.get("type") == "thinking" and signature.startswith(_PREFIX):
                before = [*messages[:number], {"role": message["role"], "content": content[:index]}]
                if signature != _signature(body, before):
                    return f"messages.{number}.content.{index}: {_BOUND}"
    return None


def _signature(body: Mapping[str, Any], messages: Sequence[Mapping[str, Any]]) -> str:
    blocks = [[message["role"], block] for message in messages for block in _blocks(message.get("content"))]
    prefix = [_plain(body.get("tools") or []), _blocks(body.get("system")), blocks]
    return _PREFIX + hashlib.sha256(json.dumps(prefix, sort_keys=True).encode()).hexdigest()


def _blocks(content: Any) -> list[Any]:
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    return [_plain(block) for block in content or ()]


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items() if key != "cache_control"}
    return value

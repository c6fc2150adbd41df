"""What is left of a conversation once the notes are taken out of it: every block that was the client's."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from litellm_prompt_router.request.late_places import NOTE_INTRODUCTION


def is_note(block: object) -> bool:
    return isinstance(block, Mapping) and str(block.get("text") or "").startswith(NOTE_INTRODUCTION)


def in_blocks(messages: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The messages with every string as the block that says the same, and a message's mark on it.

    A user's message that says nothing is left out: a note takes the place of its content.
    """
    out = []
    for message in messages:
        if message.get("role") == "user" and message.get("content") == "":
            continue
        plain = dict(message)
        if isinstance(plain.get("content"), str) and plain["content"]:
            mark = {"cache_control": plain.pop("cache_control")} if "cache_control" in plain else {}
            plain["content"] = [{"type": "text", "text": plain["content"], **mark}]
        out.append(plain)
    return out


def without_notes(messages: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """``in_blocks`` without notes, be they blocks, messages or inside results."""
    out = []
    for message in in_blocks(messages):
        content = message.get("content")
        if isinstance(content, list) and any(map(is_note, content)):
            message["content"] = [block for block in content if not is_note(block)]
            if not message["content"]:
                continue
        out.append(message)
    return out

"""A request body as a provider got it, in two halves: its system text and all else, without cache marks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

SYSTEM_ROLES = ("system", "developer")
SYSTEM_FIELDS = ("system", "instructions", "systemInstruction", "system_instruction")
TURN_FIELDS = ("messages", "input", "contents")
MARKS = ("cache_control", "prompt_cache_breakpoint", "prompt_cache_key")


def system_text_of(body: Mapping[str, Any]) -> str:
    """All system text of a body of any dialect, in order, wherever it stands."""
    parts = [body.get(name) for name in SYSTEM_FIELDS]
    for name in TURN_FIELDS:
        turns = body.get(name)
        parts += [turn.get("content") for turn in turns if _is_system(turn)] if isinstance(turns, list) else []
    return "".join(text for part in parts for text in texts_in(part))


def other_parts_of(body: Mapping[str, Any]) -> dict[str, Any]:
    """All of the body that is no system text and no mark; a text is the same in a block of its own."""
    others = {name: value for name, value in body.items() if name not in SYSTEM_FIELDS}
    for name in TURN_FIELDS:
        if isinstance(others.get(name), list):
            others[name] = [turn for turn in others[name] if not _is_system(turn)]
    unmarked: dict[str, Any] = _unmarked(others)
    return unmarked


def _is_system(turn: object) -> bool:
    return isinstance(turn, dict) and turn.get("role") in SYSTEM_ROLES


def texts_in(value: Any) -> Iterator[str]:
    """The texts of a system prompt, whatever the provider's shape."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from texts_in(item)
    elif isinstance(value, dict):
        yield from texts_in(value.get("parts") or value.get("text") or value.get("content") or [])


def _unmarked(value: Any) -> Any:
    if isinstance(value, list):
        return [_unmarked(item) for item in value]
    if isinstance(value, dict):
        is_words = "role" in value and isinstance(value.get("content"), str)
        blocks = {"content": [{"type": "text", "text": value["content"]}]} if is_words else {}
        return {name: _unmarked(item) for name, item in {**value, **blocks}.items() if name not in MARKS}
    return value

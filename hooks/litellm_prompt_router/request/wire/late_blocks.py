"""Late modules put into a conversation: messages of their own, and notes as blocks inside the client's.

What the client sent stays as it is. Only a string becomes the block that says the same, because a note is a block of
its own, and a mark on such a message becomes that block's: LiteLLM drops it from a message with blocks (1.106).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from litellm_prompt_router.request.types import UnreadableRequestError
from litellm_prompt_router.request.wire.marks import CACHE_CONTROL
from litellm_prompt_router.request.wire.text_blocks import LateText

OwnMessage = Callable[[LateText], dict[str, Any]]
"""A late text as a message."""
WithNote = Callable[[dict[str, Any], str], dict[str, Any]]
"""A message of the client's and a note -> a new one with both."""


def with_late(
    messages: Sequence[dict[str, Any]], late: Iterable[LateText], own_message: OwnMessage, with_note: WithNote
) -> list[dict[str, Any]]:
    """The conversation with each late text where it belongs; messages without one are shared."""
    by_turn: dict[int, list[LateText]] = {}
    for text in late:
        by_turn.setdefault(text.turn, []).append(text)
    out: list[dict[str, Any]] = []
    at = 0
    for turn in sorted(turn for turn in by_turn if 0 <= turn < len(messages)):
        out += messages[at:turn]
        message = messages[turn]
        for text in by_turn[turn]:
            if text.is_inside:
                message = with_note(message, text.text)
        out.append(message)
        out += [own_message(text) for text in by_turn[turn] if not text.is_inside]
        at = turn + 1
    out += messages[at:]
    return out


def noted_message(message: Mapping[str, Any], note: str, kind: str = "text") -> dict[str, Any]:
    """The message with a note behind its content; ``kind`` is the type of the endpoint's text blocks."""
    content = message.get("content")
    out = {**message, "content": noted(content, note, kind)}
    if isinstance(content, str) and content and CACHE_CONTROL in out:
        out["content"][0][CACHE_CONTROL] = out.pop(CACHE_CONTROL)
    return out


def noted(content: Any, note: str, kind: str = "text") -> list[Any]:
    """The content in blocks, a note behind them. Raises UnreadableRequestError for content that is neither."""
    block = {"type": kind, "text": note}
    if isinstance(content, str):
        return [{"type": kind, "text": content}, block] if content else [block]
    if content is not None and not isinstance(content, list):
        raise UnreadableRequestError  # nothing of the client's is replaced
    return [*(content or ()), block]

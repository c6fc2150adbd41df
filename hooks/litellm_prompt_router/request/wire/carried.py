"""What an attempt carries of the body that left for all of them, told by its system prompt and its messages.

LiteLLM hands the same objects to each attempt, so that most are told by identity; where a client's fallback brings
messages of its own, where somebody copied them and where an earlier answer was continued, by what they say.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

from litellm_prompt_router.request.wire.marks import SYSTEM_ROLES

Carried = Literal["whole", "prompt", "other"]
"""``whole``: the body; ``prompt``: its system prompt with other messages behind; ``other``: another system prompt."""

_PROMPTS = ("system", "instructions", "systemInstruction", "system_instruction")
_HISTORIES = ("messages", "input", "contents")


class SentBody(NamedTuple):
    """The fields of a body that left, the very objects: system prompt and messages."""

    fields: tuple[tuple[str, Any], ...]


def sent_body(body: Mapping[str, Any]) -> SentBody:
    """What its attempts are compared with."""
    return SentBody(tuple([(name, body[name]) for name in (*_PROMPTS, *_HISTORIES) if name in body]))


def is_same(sent: SentBody, attempt: Mapping[str, Any]) -> bool:
    """True where the attempt has the very objects that left."""
    for name, value in sent.fields:  # noqa: SIM110 - a generator would take longer than this
        if attempt.get(name, value) is not value:
            return False
    return True


def carried(sent: SentBody, attempt: Mapping[str, Any], *, is_first: bool) -> Carried:
    """What the attempt carries. In the first one others may have edited messages; where they stand they are ours."""
    if is_same(sent, attempt):
        return "whole"
    left = dict(sent.fields)
    theirs = {**left, **{name: attempt[name] for name in left if name in attempt}}
    if prompt_text(left) != prompt_text(theirs):
        return "other"
    if is_first:
        return "whole" if _lengths(left) == _lengths(theirs) else "prompt"
    return "whole" if left == theirs else "prompt"


def prompt_text(body: Mapping[str, Any]) -> str:
    """The system text ahead of the conversation."""
    texts: list[str] = []
    for name in _PROMPTS:
        texts += _texts_of(body.get(name))
    for name in _HISTORIES:
        history = body.get(name)
        for message in history if isinstance(history, list) else ():
            if not isinstance(message, dict) or message.get("role") not in SYSTEM_ROLES:
                break
            texts += _texts_of(message.get("content"))
    return "".join(texts)


def _texts_of(content: Any) -> Sequence[str]:
    if isinstance(content, str):
        return (content,)
    if isinstance(content, dict):
        content = content.get("parts")
    parts = content if isinstance(content, list) else ()
    return [text for part in parts if isinstance(part, dict) and isinstance(text := part.get("text"), str)]


def _lengths(body: Mapping[str, Any]) -> list[int | None]:
    return [len(history) if isinstance(history := body.get(name), list) else None for name in _HISTORIES]

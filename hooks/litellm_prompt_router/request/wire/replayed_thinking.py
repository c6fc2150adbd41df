"""Whether a request replays thinking that its provider may hold to what stands ahead of it.

Claude's blocks carry a signature (platform.claude.com, "Extended thinking"): as blocks of an assistant's content, on
the chat endpoint as ``thinking_blocks`` beside it, on OpenAI's endpoint as a reasoning item with encrypted content.
Gemini's thought signatures are bound to model and route, not to what stands ahead of them (docs.apiyi.com/en/faq/
gemini-thought-signature-missing, checked 2026-11).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

_KINDS = frozenset({"thinking", "redacted_thinking"})
_DIGEST_CHARS = 16


def first_thinking(data: Mapping[str, Any]) -> str | None:
    """A digest of the first signature that the request replays, which is the conversation's own; None without any."""
    return _first_signature(_blocks(data))


def thinking_in_answer(answer: Any) -> str | None:
    """The same of an answer, whose thinking will be replayed; None where it has none that is signed."""
    choices = getattr(answer, "choices", None)
    if choices:
        message = getattr(choices[0], "message", None)
        return _first_signature(getattr(message, "thinking_blocks", None) or ())
    said = _fields(answer)
    content = said.get("content") or said.get("output")
    blocks = map(_fields, content) if isinstance(content, list) else ()
    return _first_signature(block for block in blocks if _is_kind(block, _KINDS | {"reasoning"}))


def _fields(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else getattr(value, "__dict__", {})


def _is_kind(block: Mapping[str, Any], kinds: frozenset[str]) -> bool:
    kind = block.get("type")
    return isinstance(kind, str) and kind in kinds


def _first_signature(blocks: Iterable[Any]) -> str | None:
    for block in blocks:
        if not isinstance(block, Mapping):
            continue
        signed = block.get("signature") or block.get("data") or block.get("encrypted_content")
        if isinstance(signed, str):
            return hashlib.sha256(signed.encode("utf-8", "backslashreplace")).hexdigest()[:_DIGEST_CHARS]
    return None


def _blocks(data: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    items = data.get("messages")
    if not isinstance(items, list):
        items = data.get("input")
    for item in items if isinstance(items, list) else ():
        if not isinstance(item, dict):
            continue
        if item.get("type") == "reasoning":
            yield item
        elif item.get("role") == "assistant":
            for field in ("thinking_blocks", "content"):
                blocks = item.get(field)
                for block in blocks if isinstance(blocks, list) else ():
                    if isinstance(block, dict) and _is_kind(block, _KINDS):
                        yield block

"""Whether a request replays thinking that its provider may hold to what stands ahead of it.

Claude's blocks carry a signature (platform.claude.com, "Extended thinking"): as blocks of an assistant's content, on
the chat endpoint as ``thinking_blocks`` beside it, on OpenAI's endpoint as a reasoning item with encrypted content.
Gemini's thought signatures are bound to model and route, not to what stands ahead of them (docs.apiyi.com/en/faq/
gemini-thought-signature-missing, checked 2026-11).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any

_KINDS = frozenset({"thinking", "redacted_thinking"})
_DIGEST_CHARS = 16


def first_thinking(data: Mapping[str, Any]) -> str | None:
    """A digest of the first signature that the request replays, which is the conversation's own; None without any."""
    for block in _blocks(data):
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
                    if isinstance(block, dict) and block.get("type") in _KINDS:
                        yield block

"""A conversation's beginnings by their digests: what is remembered of one is found by what it said, byte for byte.

A body is new with each request, so that no message of it can be told by identity. Equal messages are written as equal
bytes (``documents/equal_bytes.py``), and SHA-256 chains these, so a wrong hit is out of reach of chance and of anybody
who looks for one; what is remembered has no text.

The client's cache marks are left out: they move from call to call, and routing doesn't read them.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Any

from litellm_prompt_router.documents.equal_bytes import equal_bytes
from litellm_prompt_router.request.slices import Slices, at_once

STRIDE = 8
"""Messages from one digest of the chain to the next. Between them one is computed only where it is asked for."""
_PIECE_BYTES = 2_047
"""hashlib lets another thread have the interpreter for more, and that may keep it for 5 ms."""
_SLICE_STRIDES, _SLICE_BYTES = 128, 1_000_000
_MARK_KEYS = ("cache_control", "prompt_cache_breakpoint")
_MARK_WORDS = tuple(key.encode() for key in _MARK_KEYS)
_IN_MARK_WORDS = b"cache_"
"""In both of them."""


class MessageChain:
    """The digests of one conversation's beginnings. ``kind`` says in which shape its messages are."""

    def __init__(self, messages: list[Any], kind: str) -> None:
        self._messages = messages
        self._kind = kind
        self._read = 0
        self._is_broken = False
        self._within: dict[int, bytes | None] = {}
        """The digests between two strides that were asked for."""
        self.digests: list[bytes] = [sha256(kind.encode()).digest()]
        """Of each whole number of strides from the conversation's begin on; the first is of none."""
        self.suspects: list[int] = []
        """The messages that may bear a mark of the client's; the others have none."""

    def reading(self) -> Slices[None]:
        """Computes the digests, once."""
        messages, digests = self._messages, self.digests
        size = strides = 0
        while self._read < len(messages):
            at = self._read
            stride = messages[at : at + STRIDE]
            try:
                packed = equal_bytes(stride)
            except ValueError:  # a type that JSON doesn't have
                self._is_broken = True
                self.suspects.extend(range(at, len(messages)))
                self._read = len(messages)
                return
            if _may_be_marked(packed):
                self.suspects.extend(range(at, at + len(stride)))
                packed = equal_bytes([without_marks(message) for message in stride])
            if len(stride) == STRIDE:
                digests.append(_digest(digests[-1], packed))
            self._read = at + len(stride)
            size, strides = size + len(packed), strides + 1
            if strides >= _SLICE_STRIDES or size >= _SLICE_BYTES:
                size = strides = 0
                yield

    def read(self) -> MessageChain:
        """The chain itself, computed."""
        if self._read < len(self._messages):
            at_once(self.reading())
        return self

    def digest(self, end: int) -> bytes | None:
        """Of the messages ahead of message ``end``; None where it can't be computed."""
        stride, rest = divmod(end, STRIDE)
        if stride >= len(self.digests):
            return None
        before = self.digests[stride]
        if not rest:
            return before
        if end not in self._within:
            self._within[end] = self._digest_within(before, self._messages[end - rest : end])
        return self._within[end]

    def _digest_within(self, before: bytes, messages: list[Any]) -> bytes | None:
        try:
            packed = equal_bytes(messages)
            if _may_be_marked(packed):
                packed = equal_bytes([without_marks(message) for message in messages])
        except ValueError:
            return None
        return _digest(before, packed)


def _may_be_marked(packed: bytes) -> bool:
    if _IN_MARK_WORDS not in packed:  # one search in nearly all
        return False
    control, explicit = _MARK_WORDS
    return control in packed or explicit in packed


def without_marks(message: Any) -> Any:
    """The message without cache marks, wherever a client may set one. Itself where it has none."""
    if not isinstance(message, dict):
        return message
    changed = {}
    for name in ("content", "tool_calls"):
        parts = message.get(name)
        if isinstance(parts, list):
            plain = [_without_marks_in(part) for part in parts]
            if any(one is not other for one, other in zip(plain, parts, strict=True)):
                changed[name] = plain
    return _unmarked({**message, **changed} if changed else message)


def _without_marks_in(part: Any) -> Any:
    if not isinstance(part, dict):
        return part
    nested = part.get("content")
    if isinstance(nested, list):
        plain = [_unmarked(each) for each in nested]
        if any(one is not other for one, other in zip(plain, nested, strict=True)):
            part = {**part, "content": plain}
    return _unmarked(part)


def _unmarked(holder: Any) -> Any:
    if not isinstance(holder, dict) or not any(key in holder for key in _MARK_KEYS):
        return holder
    return {key: value for key, value in holder.items() if key not in _MARK_KEYS}


def _digest(before: bytes, packed: bytes) -> bytes:
    hashed = sha256(before)
    if len(packed) <= _PIECE_BYTES:
        hashed.update(packed)
    else:
        pieces = memoryview(packed)
        for at in range(0, len(packed), _PIECE_BYTES):
            hashed.update(pieces[at : at + _PIECE_BYTES])
    return hashed.digest()

"""The two ways to look at a text when placing modules on it: as it came, and without its white space."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from itertools import accumulate, islice
from typing import Protocol

from litellm_prompt_router.profile.profile import Slot

CHUNK_CHARS = 256
"""A prompt on one line is looked through in chunks of this size."""


class Space(Protocol):
    """A text to place modules on."""

    @property
    def text(self) -> str: ...

    def is_value(self, slot: Slot, start: int, end: int) -> bool:
        """True when ``[start, end)`` is a value of the slot, white space around it or not."""

    def value_end(self, slot: Slot, at: int, limit: int) -> int | None:
        """How far the slot's pattern reaches from ``at``."""

    def value_start(self, slot: Slot, at: int, end: int) -> int | None:
        """Where, behind ``at``, a value of the slot begins that ends at ``end``."""


class Raw:
    """A text as it came."""

    def __init__(self, text: str) -> None:
        self.text = text

    def is_value(self, slot: Slot, start: int, end: int) -> bool:
        if end - start > slot.max_chars:
            return False
        value = self.text[start:end]
        return slot.pattern.fullmatch(value) is not None or slot.pattern.fullmatch(value.strip()) is not None

    def value_end(self, slot: Slot, at: int, limit: int) -> int | None:
        match = slot.pattern.match(self.text[at:limit])
        return at + match.end() if match else None

    def value_start(self, slot: Slot, at: int, end: int) -> int | None:
        first = max(at, end - slot.max_chars)
        found = _last_value(slot, self.text[first:end].rstrip())
        return None if found is None else first + found


class Squeezed:
    """A text without its white space, and the way back to positions in the original."""

    def __init__(self, raw: str) -> None:
        self._raw = raw
        self._chunks = [
            line[at : at + CHUNK_CHARS] for line in raw.splitlines(True) for at in range(0, len(line), CHUNK_CHARS)
        ]
        squeezed = [squeeze(line) for line in self._chunks]
        self.text = "".join(squeezed)
        self._raw_starts = [0, *accumulate(map(len, self._chunks))]
        self._starts = [0, *accumulate(map(len, squeezed))]

    def raw_start(self, at: int) -> int:
        """Original position of the ``at``-th visible character."""
        if at >= len(self.text):
            return len(self._raw)
        line = bisect_right(self._starts, at) - 1
        return self._raw_starts[line] + self._nth(line, at - self._starts[line])

    def raw_end(self, at: int) -> int:
        """Original position just behind the ``at - 1``-th visible character."""
        if at == 0:
            return 0
        line = bisect_left(self._starts, at) - 1
        return self._raw_starts[line] + self._nth(line, at - 1 - self._starts[line]) + 1

    def is_value(self, slot: Slot, start: int, end: int) -> bool:
        value = self._raw_text(start, end)
        if len(value) > slot.max_chars:
            return False
        return slot.pattern.fullmatch(value) is not None or slot.pattern.fullmatch(f"{value}\n") is not None

    def value_end(self, slot: Slot, at: int, limit: int) -> int | None:
        start = self.raw_start(at)
        value = one_newline(self._raw[start : min(start + slot.max_chars, self.raw_end(limit))])
        match = slot.pattern.match(value)
        return None if match is None else at + len(squeeze(value[: match.end()]))

    def value_start(self, slot: Slot, at: int, end: int) -> int | None:
        window = self._raw_text(max(at, end - slot.max_chars), end)
        found = _last_value(slot, window)
        return None if found is None else end - len(squeeze(window[found:]))

    def _raw_text(self, start: int, end: int) -> str:
        return one_newline(self._raw[self.raw_start(start) : self.raw_end(end)]) if end > start else ""

    def _nth(self, line: int, count: int) -> int:
        """Position in a line of its ``count``-th character that isn't white space."""
        visible = (at for at, character in enumerate(self._chunks[line]) if not character.isspace())
        return next(islice(visible, count, None))


def squeeze(text: str) -> str:
    return "".join(text.split())


def one_newline(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _last_value(slot: Slot, window: str) -> int | None:
    """Where the value begins that ends the window."""
    return next((match.start() for match in slot.pattern.finditer(window) if match.end() == len(window)), None)

"""A text to place modules on, looked at in one of two ways: as it came, or without its white space.

What is looked for in it (the heads of modules: hundreds in some profiles, and several profiles one after the other) is
found by one pass over its windows, and each place once.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from litellm_prompt_router.profile.profile import Slot
from litellm_prompt_router.request.recognise.window_hashes import (
    Hashes,
    WantedHashes,
    codes_of,
    piece_hashes,
    wanted_windows,
    window_hashes,
)

TAIL_CHARS = 12
"""A probe is found by its last characters: titles differ there when all have the same rule above them."""
MIN_HASHED_CHARS = 3_000
"""A shorter text is searched for each probe by itself."""
TEXT_BITS = 18
MAX_PATTERN_CHARS = 4_000_000
"""Characters given to slots' patterns in one walk, eighty times what a slot may be long. From there on no slot has a
value: a module that has one isn't placed any more, and what there is of it stays in the prompt as unknown text."""


class Probes:
    """Distinct pieces to look for, each of at least ``TAIL_CHARS`` characters."""

    def __init__(self, probes: Iterable[str]) -> None:
        self.tails = tuple(dict.fromkeys(probe[-TAIL_CHARS:] for probe in probes))

    @cached_property
    def hashes(self) -> Hashes:
        return piece_hashes(self.tails, TAIL_CHARS)


class SearchText(Protocol):
    """A text to place modules on."""

    @property
    def text(self) -> str: ...

    def look_for(self, probes: Probes) -> None:
        """Finds these probes' places, which ``next_place`` then knows."""

    def knows(self, probes: Probes) -> bool:
        """True when that was done: looking for them takes no time."""

    def next_place(self, probe: str, at: int, end: int | None = None) -> int:
        """The first place of a probe that lies in ``[at, end)``, -1 when there is none."""

    def next_whole(self, probe: str, literal: str, at: int, most: int) -> tuple[int, int]:
        """The first place from ``at`` on of a literal that begins with the probe, -1 when there is none.

        No more places of the probe than ``most`` are looked at; with the place comes how many are left of them.
        """

    def places_between(self, probe: str, at: int, last: int) -> int:
        """At how many places from ``at`` to ``last`` a probe stands."""

    def next_piece(self, piece: str, at: int) -> int:
        """The same for any piece of text."""

    def begin_walk(self) -> None:
        """From here on as much text may be given to slots' patterns as in any walk."""

    def is_value(self, slot: Slot, start: int, end: int) -> bool:
        """True when ``[start, end)`` is a value of the slot, white space around it or not."""

    def value_end(self, slot: Slot, at: int, limit: int) -> int | None:
        """How far the slot's pattern reaches from ``at``."""

    def value_start(self, slot: Slot, at: int, end: int) -> int | None:
        """Where, behind ``at``, a value of the slot begins that ends at ``end``."""


class _Places:
    """Where probes are in one text."""

    def __init__(self, text: str, expected: Callable[[], Sequence[Probes]] = tuple) -> None:
        """``expected``: what will be looked for later, so that it is found on the way."""
        self.text = text
        self._expected = expected
        self._hashes: tuple[Hashes, ...] | None = None
        self._ends: dict[str, list[int]] = {}
        """By a probe's tail: where in the text that begins."""
        self._next: dict[str, tuple[int, int]] = {}
        """By any piece: from where it was last looked for, and where it was found."""
        self._pattern_chars = 0

    def begin_walk(self) -> None:
        self._pattern_chars = 0

    def _may_match(self, chars: int) -> bool:
        """Counts what is given to a pattern; False from where that is too much."""
        self._pattern_chars += chars
        return self._pattern_chars <= MAX_PATTERN_CHARS

    def _is_whole(self, slot: Slot, value: str) -> bool:
        return self._may_match(len(value)) and slot.pattern.fullmatch(value) is not None

    def knows(self, probes: Probes) -> bool:
        return all(tail in self._ends for tail in probes.tails)

    def look_for(self, probes: Probes) -> None:
        if len(self.text) < MIN_HASHED_CHARS or self.knows(probes):
            return
        new = (probes, *self._expected())
        if self._hashes is None:
            self._hashes = window_hashes(codes_of(self.text), TAIL_CHARS)
        tails = [tail for each in new for tail in each.tails]
        hashes = np.concatenate([each.hashes for each in new])
        wanted = WantedHashes(hashes, TEXT_BITS)
        lists: list[list[int]] = [[] for _ in wanted.sorted]
        for place, number in wanted_windows(self._hashes, wanted):
            lists[number].append(place)
        for tail, number in zip(tails, np.searchsorted(wanted.sorted, hashes).tolist(), strict=True):
            self._ends[tail] = lists[number]

    def next_place(self, probe: str, at: int, end: int | None = None) -> int:
        ends = self._ends.get(probe[-TAIL_CHARS:])
        if ends is None:
            return self.text.find(probe, at, end)
        before = len(probe) - TAIL_CHARS
        last = len(self.text) if end is None else end - len(probe)
        for number in range(bisect_left(ends, at + before), len(ends)):
            place = ends[number] - before
            if place > last:
                break
            if self.text.startswith(probe, place):
                return place
        return -1

    def next_whole(self, probe: str, literal: str, at: int, most: int) -> tuple[int, int]:
        ends = self._ends.get(probe[-TAIL_CHARS:])
        text = self.text
        if ends is None:
            for left in range(most - 1, -1, -1):
                place = text.find(probe, at)
                if place < 0:
                    return -1, left + 1
                if text.startswith(literal, place):
                    return place, left
                at = place + 1
            return -1, 0
        before = len(probe) - TAIL_CHARS
        for number in range(bisect_left(ends, at + before), len(ends)):
            place = ends[number] - before
            if most and text.startswith(literal, place):
                return place, most - 1
            most -= text.startswith(probe, place)
            if most <= 0:
                return -1, 0
        return -1, most

    def places_between(self, probe: str, at: int, last: int) -> int:
        count = 0
        place = self.next_place(probe, at)
        while 0 <= place <= last:
            count += 1
            place = self.next_place(probe, place + 1)
        return count

    def all_places(self, probe: str, most: int) -> list[int]:
        """The first places of a probe, at most so many; those that overlap count."""
        places: list[int] = []
        place = self.next_place(probe, 0)
        while place >= 0 and len(places) < most:
            places.append(place)
            place = self.next_place(probe, place + 1)
        return places

    def next_piece(self, piece: str, at: int) -> int:
        """The first place of any piece from ``at`` on, -1 when there is none."""
        known = self._next.get(piece)
        if known is not None and known[0] <= at and not 0 <= known[1] < at:
            return known[1]
        place = self.text.find(piece, at)
        self._next[piece] = (at, place)
        return place


class RawText(_Places):
    """A text as it came."""

    def is_value(self, slot: Slot, start: int, end: int) -> bool:
        if end - start > slot.max_chars:
            return False
        value = self.text[start:end]
        return self._is_whole(slot, value) or self._is_whole(slot, value.strip())

    def value_end(self, slot: Slot, at: int, limit: int) -> int | None:
        if not self._may_match(limit - at):
            return None
        match = slot.pattern.match(self.text[at:limit])
        return at + match.end() if match else None

    def value_start(self, slot: Slot, at: int, end: int) -> int | None:
        first = max(at, end - slot.max_chars)
        if not self._may_match(end - first):
            return None
        found = _last_value(slot, self.text[first:end].rstrip())
        return None if found is None else first + found


_IS_SPACE = np.array([chr(code).isspace() for code in range(0x3001)] + [False])
"""By code point; all above the last are none."""


class SqueezedText(_Places):
    """A text without its white space, and the way back to positions in the original."""

    def __init__(self, raw: str, expected: Callable[[], Sequence[Probes]] = tuple) -> None:
        super().__init__(squeeze(raw), expected)
        self._raw = raw

    @cached_property
    def _visible(self) -> NDArray[np.intp]:
        """Where each visible character is in the original."""
        return np.flatnonzero(~_IS_SPACE.take(codes_of(self._raw), mode="clip"))

    def raw_start(self, at: int) -> int:
        """Original position of the ``at``-th visible character."""
        return int(self._visible[at]) if at < len(self.text) else len(self._raw)

    def raw_end(self, at: int) -> int:
        """Original position just behind the ``at - 1``-th visible character."""
        return int(self._visible[at - 1]) + 1 if at else 0

    def squeezed_at(self, raw: int) -> int:
        """How many visible characters are before a position of the original."""
        return int(np.searchsorted(self._visible, raw))

    def is_value(self, slot: Slot, start: int, end: int) -> bool:
        value = self._raw_text(start, end)
        if len(value) > slot.max_chars:
            return False
        return self._is_whole(slot, value) or self._is_whole(slot, f"{value}\n")

    def value_end(self, slot: Slot, at: int, limit: int) -> int | None:
        start = self.raw_start(at)
        value = one_newline(self._raw[start : min(start + slot.max_chars, self.raw_end(limit))])
        match = slot.pattern.match(value) if self._may_match(len(value)) else None
        return None if match is None else at + len(squeeze(value[: match.end()]))

    def value_start(self, slot: Slot, at: int, end: int) -> int | None:
        window = self._raw_text(max(at, end - slot.max_chars), end)
        found = _last_value(slot, window) if self._may_match(len(window)) else None
        return None if found is None else end - len(squeeze(window[found:]))

    def _raw_text(self, start: int, end: int) -> str:
        return one_newline(self._raw[self.raw_start(start) : self.raw_end(end)]) if end > start else ""


_ASCII_SPACE = bytes(code for code in range(128) if chr(code).isspace())
_OTHER_SPACE = tuple(chr(code) for code in range(128, len(_IS_SPACE)) if _IS_SPACE[code])


def squeeze(text: str) -> str:
    """The text without its white space."""
    if len(text) < MIN_HASHED_CHARS:
        return "".join(text.split())
    squeezed = text.encode("utf-8", "surrogatepass").translate(None, _ASCII_SPACE).decode("utf-8", "surrogatepass")
    if not text.isascii():
        for space in _OTHER_SPACE:
            squeezed = squeezed.replace(space, "")
    return squeezed


def one_newline(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _last_value(slot: Slot, window: str) -> int | None:
    """Where the value begins that ends the window."""
    return next((match.start() for match in slot.pattern.finditer(window) if match.end() == len(window)), None)

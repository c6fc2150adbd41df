"""Which of many short pieces stand in a text, all of them looked for at once.

Each window of a text has a polynomial hash (modulo 2^32), computed for all windows together; pieces are found by
theirs. Equal hashes are places to look at, never proof: whoever uses them compares the characters.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Hashes = NDArray[np.uint32]

_BASE = 0x9E3779B1
_MIX = np.uint32(0x85EBCA6B)
_MODULUS = 1 << 32
_BLOCK = 8192
"""Windows hashed at a time: what that takes stays in the processor's cache, and needs no new memory each time."""
MIN_INDEX_BITS, MAX_INDEX_BITS = 18, 22
"""Of the buckets of an index over all profiles, at most 4 MB: sixteen to a hash, so that few others fall into them."""
MAX_COMPARED = 5_000
"""Places of pieces compared one by one; where there may be more, the windows are hashed in full."""


def codes_of(text: str) -> NDArray[np.uint32]:
    """The text's code points."""
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)


def window_hashes(codes: NDArray[np.uint32], chars: int) -> tuple[Hashes, ...]:
    """The hash of each window of that many characters, by where it begins, ``_BLOCK`` of them in each array."""
    starts = range(0, len(codes) - chars + 1, _BLOCK)
    return tuple(_hashes_of_block(codes[start : start + _BLOCK + chars - 1], chars) for start in starts)


def _hashes_of_block(codes: NDArray[np.uint32], chars: int) -> Hashes:
    doubled = codes  # the hashes of 1 character, then of 2, 4, ...
    width = 1
    found: Hashes | None = None
    have = 0  # how many characters ``found`` is about: the lowest bits of ``chars``
    while True:
        if chars & width:
            found = doubled if found is None else doubled[: len(found) - width] * _power(have) + found[width:]
            have += width
        if have == chars and found is not None:
            return found * _MIX
        doubled = doubled[:-width] * _power(width) + doubled[width:]
        width *= 2


def piece_hashes(pieces: Sequence[str], chars: int) -> Hashes:
    """The hash of each piece; each has that many characters."""
    return _hashes_of_rows(codes_of("".join(pieces)).reshape(len(pieces), chars))


def _hashes_of_rows(rows: NDArray[np.uint32]) -> Hashes:
    hashes: Hashes = (rows @ _powers(rows.shape[1])) * _MIX
    return hashes


@lru_cache
def _powers(chars: int) -> Hashes:
    return np.array([_power(exponent) for exponent in reversed(range(chars))], dtype=np.uint32)


def _power(exponent: int) -> np.uint32:
    return np.uint32(pow(_BASE, exponent, _MODULUS))


class WantedHashes:
    """Hashes to look for: sorted, and as a table of the buckets that they are in."""

    def __init__(self, hashes: Hashes, bits: int) -> None:
        self.sorted = np.unique(hashes)
        self.shift = np.uint32(32 - bits)
        self.buckets = np.zeros(1 << bits, dtype=np.bool_)
        self.buckets[self.sorted >> self.shift] = True


def wanted_windows(blocks: Sequence[Hashes], wanted: WantedHashes) -> Iterator[tuple[int, int]]:
    """Where windows begin that have a wanted hash, in text order, and which of the sorted ones it is."""
    for block, hashes in enumerate(blocks):
        at = np.flatnonzero(wanted.buckets.take((hashes >> wanted.shift).astype(np.intp)))
        if len(at):
            mine = hashes[at]
            numbers = np.minimum(np.searchsorted(wanted.sorted, mine), len(wanted.sorted) - 1)
            is_wanted = wanted.sorted[numbers] == mine
            yield from zip((at[is_wanted] + block * _BLOCK).tolist(), numbers[is_wanted].tolist(), strict=True)


def _index_bits(hashes: int) -> int:
    return min(MAX_INDEX_BITS, max(MIN_INDEX_BITS, (16 * hashes).bit_length()))


class PieceIndex:
    """Pieces of equal length, each with the numbers of its owners; which of them a text has.

    Of the text only every n-th window is hashed, n being half of a piece: each place of a piece has one of them in it,
    at one of n offsets, and of the pieces all those are known: 8 bytes for each, 200 for a piece of 48 characters.
    """

    def __init__(self, owned: Iterable[tuple[int, str]], chars: int) -> None:
        self._chars = chars
        self._owners: dict[str, list[int]] = {}
        for owner, piece in owned:
            self._owners.setdefault(piece, []).append(owner)
        self._pieces = tuple(self._owners)
        self._size = size = (chars + 1) // 2
        codes = codes_of("".join(self._pieces)).reshape(len(self._pieces), chars)
        hashes = [_hashes_of_rows(codes[:, offset : offset + size]) for offset in range(size)]
        every = np.stack(hashes, axis=1).ravel()
        self._places = np.argsort(every, kind="stable").astype(np.int32)
        """By hash: the number of the piece times ``size``, and the offset."""
        self._sorted = every[self._places]
        self._wanted = WantedHashes(every, _index_bits(len(every)))
        self._whole: WantedHashes | None = None

    def owners_in(self, text: str) -> list[int]:
        """The owner of each piece that stands in the text: as often as it has such pieces."""
        if not self._pieces:
            return []
        codes = codes_of(text)
        count = len(codes) // self._size
        hashes = _hashes_of_rows(codes[: count * self._size].reshape(count, self._size))
        at = np.flatnonzero(self._wanted.buckets.take((hashes >> self._wanted.shift).astype(np.intp)))
        first = np.searchsorted(self._sorted, hashes[at])
        last = np.searchsorted(self._sorted, hashes[at], side="right")
        is_known = last > first
        at, first, last = at[is_known], first[is_known], last[is_known]
        if int((last - first).sum()) > MAX_COMPARED:
            found = self._found_in_windows(text, codes)
        else:
            found = self._found_at(text, at.tolist(), first.tolist(), last.tolist())
        return [owner for piece in found for owner in self._owners[piece]]

    def _found_at(self, text: str, at: list[int], first: list[int], last: list[int]) -> set[str]:
        found: set[str] = set()
        for window, low, high in zip(at, first, last, strict=True):
            for place in self._places[low:high].tolist():
                number, offset = divmod(place, self._size)
                start = window * self._size - offset
                if start >= 0 and text.startswith(self._pieces[number], start):
                    found.add(self._pieces[number])
        return found

    def _found_in_windows(self, text: str, codes: NDArray[np.uint32]) -> set[str]:
        """The same by windows as long as a piece, for a text that repeats what many pieces have in common."""
        hashes = piece_hashes(self._pieces, self._chars)
        self._whole = self._whole or WantedHashes(hashes, _index_bits(len(hashes)))
        seen = {number for _, number in wanted_windows(window_hashes(codes, self._chars), self._whole)}
        numbers = np.searchsorted(self._whole.sorted, hashes).tolist()
        return {piece for piece, number in zip(self._pieces, numbers, strict=True) if number in seen and piece in text}

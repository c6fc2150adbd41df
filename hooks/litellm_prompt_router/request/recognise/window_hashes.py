"""Which of many short pieces stand in a text, all of them looked for at once.

Each window of a text has a polynomial hash (modulo 2^32), computed for all windows together; pieces are found by
theirs. Equal hashes are places to look at, never proof: whoever uses them compares the characters.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

Hashes = NDArray[np.uint32]

_BASE = 0x9E3779B1
_MIX = np.uint32(0x85EBCA6B)
_MODULUS = 1 << 32
_BLOCK = 8192
"""Windows hashed at a time: what that takes stays in the processor's cache, and needs no new memory each time."""
INDEX_BITS = 20
"""Of the buckets of an index over all profiles; 1 MB."""


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
    if not pieces:
        return np.zeros(0, dtype=np.uint32)
    rows = codes_of("".join(pieces)).astype(np.uint32).reshape(len(pieces), chars)
    found = np.zeros(len(pieces), dtype=np.uint32)
    for column in range(chars):
        found = found * _power(1) + rows[:, column]
    return found * _MIX


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


class PieceIndex:
    """Pieces of equal length, each with the number of its owner; which of them a text has.

    About 100 bytes a piece beside its own text.
    """

    def __init__(self, owned: Iterable[tuple[int, str]], chars: int) -> None:
        self._chars = chars
        pairs = list(owned)
        hashes = piece_hashes([piece for _, piece in pairs], chars)
        self._wanted = WantedHashes(hashes, INDEX_BITS)
        self._owned: dict[int, list[tuple[int, str]]] = {}
        for number, pair in zip(np.searchsorted(self._wanted.sorted, hashes).tolist(), pairs, strict=True):
            self._owned.setdefault(number, []).append(pair)

    def owners_in(self, text: str) -> list[int]:
        """The owner of each piece that stands in the text: as often as it has such pieces."""
        if not self._owned:
            return []
        blocks = window_hashes(codes_of(text), self._chars)
        first: dict[int, int] = {}
        for place, number in wanted_windows(blocks, self._wanted):
            first.setdefault(number, place)
        owners: list[int] = []
        for number, place in first.items():
            window = text[place : place + self._chars]
            # Different pieces may have one hash; then the text decides.
            owners += [owner for owner, piece in self._owned[number] if piece == window or piece in text]
        return owners

"""Which of many short pieces stand in a text, all of them looked for at once.

Each window of a text has a polynomial hash (modulo 2^64), computed for all windows together; pieces are found by
theirs. Equal hashes are places to look at, never proof: whoever uses them compares the characters.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

Hashes = NDArray[np.uint64]

_BASE = 0x9E3779B97F4A7C15 | 1
_MIX = np.uint64(0xD6E8FEB86659FD93)
_MODULUS = 1 << 64
INDEX_BITS = 20
"""Of the buckets of an index over all profiles; 1 MB."""


def codes_of(text: str) -> NDArray[np.uint32]:
    """The text's code points."""
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)


def text_of(codes: NDArray[np.uint32]) -> str:
    return codes.tobytes().decode("utf-32-le", "surrogatepass")


def window_hashes(codes: NDArray[np.uint32], chars: int) -> Hashes:
    """The hash of each window of that many characters, by where it begins."""
    if len(codes) < chars:
        return np.zeros(0, dtype=np.uint64)
    doubled = codes.astype(np.uint64)  # the hash of 1 character, then of 2, 4, ...
    width = 1
    found: Hashes | None = None
    have = 0
    while True:
        if chars & width:  # put in front: the widths of ``chars``, the largest first
            if found is None:
                found = doubled.copy()
            else:
                found = doubled[: len(codes) - have - width + 1] * _power(have) + found[width:]
            have += width
        if have == chars:
            break
        doubled = doubled[:-width] * _power(width) + doubled[width:]
        width *= 2
    found *= _MIX
    return found


def piece_hashes(pieces: Sequence[str], chars: int) -> Hashes:
    """The hash of each piece; each has that many characters."""
    if not pieces:
        return np.zeros(0, dtype=np.uint64)
    rows = codes_of("".join(pieces)).astype(np.uint64).reshape(len(pieces), chars)
    found = np.zeros(len(pieces), dtype=np.uint64)
    for column in range(chars):
        found = found * _power(1) + rows[:, column]
    return found * _MIX


def _power(exponent: int) -> np.uint64:
    return np.uint64(pow(_BASE, exponent, _MODULUS))


class WantedHashes:
    """Hashes to look for: sorted, and as a table of the buckets that they are in."""

    def __init__(self, hashes: Hashes, bits: int) -> None:
        self.sorted = np.unique(hashes)
        self.shift = np.uint64(64 - bits)
        self.buckets = np.zeros(1 << bits, dtype=np.bool_)
        self.buckets[self.sorted >> self.shift] = True


def wanted_windows(hashes: Hashes, wanted: WantedHashes) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Where windows begin that have a wanted hash, in text order, and which of the sorted ones it is."""
    at = np.flatnonzero(wanted.buckets.take((hashes >> wanted.shift).astype(np.intp)))
    if not len(at):
        return at, at
    mine = hashes[at]
    numbers = np.minimum(np.searchsorted(wanted.sorted, mine), len(wanted.sorted) - 1)
    is_wanted = wanted.sorted[numbers] == mine
    return at[is_wanted], numbers[is_wanted]


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
        at, numbers = wanted_windows(window_hashes(codes_of(text), self._chars), self._wanted)
        first = np.full(len(self._owned), -1, dtype=np.intp)
        first[numbers[::-1]] = at[::-1]
        owners: list[int] = []
        for number in np.flatnonzero(first >= 0).tolist():
            window = text[first[number] : first[number] + self._chars]
            # Pieces of one hash are one piece, but for a chance of 1 in 2^64; then the text decides.
            owners += [owner for owner, piece in self._owned[number] if piece == window or piece in text]
        return owners

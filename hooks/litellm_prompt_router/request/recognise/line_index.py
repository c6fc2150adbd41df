"""Which profiles have which lines, and how many of a text's.

A line is kept as the 64 bits of its hash: 12 bytes for each line of each profile and 28 for each distinct one, which is
under 35 MB for 1,000 profiles of 65,000 characters, where the lines themselves took five times that. That two lines
have one hash is a chance of 1 in 40 million for all of such a catalogue together.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from operator import itemgetter

import numpy as np
from numpy.typing import NDArray

from litellm_prompt_router.profile.profile import Profile

MIN_LINE_CHARS = 16
MAX_LINE_CHARS = 120
"""Longer lines are known by their head, so that text glued to their end doesn't hide them."""
MIN_VOTES = 2
MAX_RANKED = 3
"""Profiles named for one text, most votes first."""
MAX_SINGLE_VOTES = 30_000
"""Up to here each vote of each line is added up; beyond it equal ones together."""
MAX_SUMS = 32
"""Profiles in doubt, beyond those of equal lines, whose votes are added up once more in the order of the text."""

LineHashes = NDArray[np.int64]
Numbers = NDArray[np.intp]


_head_of = itemgetter(slice(MAX_LINE_CHARS))


def line_hashes(lines: Iterable[str]) -> LineHashes:
    """The hash of each line, outer white space off."""
    return np.array(list(map(hash, map(_head_of, map(str.strip, lines)))), dtype=np.int64)


def profile_literals(profile: Profile) -> Iterable[str]:
    return (part for module in profile.modules for part in module.parts if isinstance(part, str))


class LineIndex:
    """The lines of all profiles, which are known here by their numbers."""

    def __init__(self, profiles: Sequence[Profile]) -> None:
        self._own = [np.unique(line_hashes(_lines_of(profile))) for profile in profiles]
        every = np.concatenate([*self._own, np.zeros(0, dtype=np.int64)])
        owners = np.repeat(np.arange(len(profiles), dtype=np.int32), [len(own) for own in self._own])
        order = np.argsort(every, kind="stable")  # so that the owners of a line are in order
        self._owners = owners[order]
        self._lines, starts, sizes = np.unique(every[order], return_index=True, return_counts=True)
        self._starts = starts.astype(np.int32)
        self._sizes = sizes.astype(np.int32)
        self._classes = self._owner_classes()
        self._profiles = len(profiles)

    def known_share(self, number: int, lines: LineHashes) -> float:
        """The share of a profile's lines that are among these."""
        own = self._own[number]
        return len(np.intersect1d(own, lines)) / len(own) if len(own) else 0.0

    def ranked(self, lines: LineHashes) -> tuple[int, ...]:
        """The profiles with most votes, first those with most. A line that many share weighs little.

        Votes are added up in the order of the lines, so that ties come out as if they were counted one by one.
        """
        rows = self._rows(lines)
        if not len(rows):
            return ()
        if int(self._sizes[rows].sum()) > MAX_SINGLE_VOTES:
            return self._ranked_by_classes(rows)
        owners, line = self._postings(rows)
        votes = np.bincount(owners, minlength=self._profiles)
        weights = np.bincount(owners, weights=(1.0 / self._sizes[rows])[line], minlength=self._profiles)
        named = np.flatnonzero(votes >= MIN_VOTES)
        return tuple(named[np.argsort(-weights[named], kind="stable")[:MAX_RANKED]].tolist())

    def _ranked_by_classes(self, rows: Numbers) -> tuple[int, ...]:
        """The same where many profiles share many lines: lines of the same owners are counted together first.

        Sums in another order differ in their last bits. Where that leaves the order open, it is decided by the sum in
        the order of the text; profiles that have the same ones of these lines have the same sum.
        """
        classes, first, which, counts = np.unique(
            self._classes[rows], return_index=True, return_inverse=True, return_counts=True
        )
        owners, of_class = self._postings(rows[first])
        size = 1.0 / self._sizes[rows[first]]
        votes = np.bincount(owners, weights=counts[of_class].astype(np.float64), minlength=self._profiles)
        sums = np.bincount(owners, weights=(counts * size)[of_class], minlength=self._profiles)
        named = np.flatnonzero(votes >= MIN_VOTES)
        if not len(named):
            return ()
        sums = sums[named]
        doubt = float(sums.max()) * len(rows) * 2.0**-50
        third = float(np.partition(sums, -min(MAX_RANKED, len(sums)))[-min(MAX_RANKED, len(sums))])
        is_open = sums >= third - doubt
        named, sums = named[is_open], sums[is_open]
        marks = np.random.default_rng(len(classes)).random(len(classes))
        alike = np.bincount(owners, weights=marks[of_class], minlength=self._profiles)[named]
        exact: list[tuple[float, int]] = []
        order = np.argsort(-sums, kind="stable")
        _, representative = np.unique(alike[order], return_index=True)
        weight_of_row = size[which]
        for place in np.sort(representative)[:MAX_SUMS].tolist():
            group = named[order][alike[order] == alike[order][place]]
            is_own = np.zeros(len(classes), dtype=np.bool_)
            is_own[of_class[owners == group[0]]] = True
            total = float(np.cumsum(weight_of_row[is_own[which]])[-1])
            exact += [(-total, int(number)) for number in np.sort(group)[:MAX_RANKED]]
        return tuple(number for _, number in sorted(exact)[:MAX_RANKED])

    def _rows(self, lines: LineHashes) -> Numbers:
        """Which of the known lines these are; those that aren't known left out."""
        if not len(lines) or not len(self._lines):
            return np.zeros(0, dtype=np.intp)
        rows = np.minimum(np.searchsorted(self._lines, lines), len(self._lines) - 1)
        return rows[self._lines[rows] == lines]

    def _postings(self, rows: Numbers) -> tuple[NDArray[np.int32], Numbers]:
        """The owners of each of these lines one after the other, and to which of them each belongs."""
        sizes = self._sizes[rows]
        line = np.repeat(np.arange(len(rows)), sizes)
        before = np.cumsum(sizes) - sizes
        return self._owners[np.arange(len(line)) + (self._starts[rows] - before)[line]], line

    def _owner_classes(self) -> NDArray[np.int32]:
        """A number for each line, the same for lines that the same profiles have."""
        known: dict[bytes, int] = {}
        owners = self._owners.astype(np.int32).tobytes()
        spans = zip((self._starts * 4).tolist(), ((self._starts + self._sizes) * 4).tolist(), strict=True)
        return np.array([known.setdefault(owners[a:b], len(known)) for a, b in spans], dtype=np.int32)


def _lines_of(profile: Profile) -> Iterable[str]:
    for literal in profile_literals(profile):
        yield from (line for line in literal.splitlines() if len(line.strip()) >= MIN_LINE_CHARS)

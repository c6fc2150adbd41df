"""Which profiles have which lines, and how many of a text's.

A line is kept as the 64 bits of its hash: 8 bytes for each line of each profile and 12 for each distinct one, which is
under 20 MB for 1,000 profiles of 65,000 characters, where the lines themselves took ten times that. Two lines with one
hash count as the same line. Among the 700,000 lines of such a catalogue there are two such lines by a chance of 1 in 70
million; a line of a prompt has the hash of another line of theirs by one of 1 in 25 million million. That may change
which profiles are placed and the share of known lines, never what is placed: there characters are compared. Python's
hashes have a key of each process, so that nobody can make such lines, and no two processes err alike.
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
MAX_SINGLE_VOTES = 1_000
"""So many votes are counted one by one; more of them by classes."""
MIN_LISTED_BY_OTHERS = 64
"""A class of no more profiles than that is never listed by the others."""
MAX_SUMS = 32
"""Profiles in doubt, beyond those of equal lines, whose votes are added up once more in the order of the text."""

MAX_SIEVE_BITS = 22
"""Of the sieve's holes; 4 MB."""

LineHashes = NDArray[np.int64]
Numbers = NDArray[np.intp]


_head_of = itemgetter(slice(MAX_LINE_CHARS))


def line_hashes(lines: Iterable[str]) -> LineHashes:
    """The hash of each line, outer white space off."""
    return np.array(list(map(hash, map(_head_of, map(str.strip, lines)))), dtype=np.int64)


def profile_literals(profile: Profile) -> Iterable[str]:
    return (part for module in profile.modules for part in module.parts if isinstance(part, str))


class HashSieve:
    """Lets hashes through that may be among its own, and few others: one look each, where a search takes twenty."""

    def __init__(self, hashes: LineHashes) -> None:
        bits = min(MAX_SIEVE_BITS, (16 * len(hashes) + 1).bit_length())
        self._mask = np.int64((1 << bits) - 1)
        self._holes = np.zeros(1 << bits, dtype=np.bool_)
        self._holes[hashes & self._mask] = True

    def passes(self, hashes: LineHashes) -> NDArray[np.bool_]:
        passing: NDArray[np.bool_] = self._holes.take(hashes & self._mask)
        return passing


class LineIndex:
    """The lines of all profiles, which are known here by their numbers.

    Lines that the same profiles have are one class. Where those are more than half of all, the class lists the others.
    """

    def __init__(self, profiles: Sequence[Profile]) -> None:
        self._own = [np.unique(line_hashes(_lines_of(profile))) for profile in profiles]
        every = np.concatenate([*self._own, np.zeros(0, dtype=np.int64)])
        numbers = np.repeat(np.arange(len(profiles), dtype=np.int32), [len(own) for own in self._own])
        order = np.argsort(every, kind="stable")  # so that the owners of a line are in order
        self._lines, starts, sizes = np.unique(every[order], return_index=True, return_counts=True)
        owners = numbers[order]
        self._may_have = HashSieve(self._lines)
        self._class_of = owners[starts]  # right where the profile alone has the line
        classes = {number.tobytes(): n for n, number in enumerate(np.arange(len(profiles), dtype=np.int32))}
        for row in np.flatnonzero(sizes > 1).tolist():  # one by one: other threads have their turns
            mine = owners[starts[row] : starts[row] + sizes[row]].tobytes()
            self._class_of[row] = classes.setdefault(mine, len(classes))
        self._profiles = len(profiles)
        self._list_classes([np.frombuffer(each, dtype=np.int32) for each in classes])

    def _list_classes(self, owners: Sequence[NDArray[np.int32]]) -> None:
        everyone = np.arange(self._profiles, dtype=np.int32)
        self._sizes = np.array([len(each) for each in owners], dtype=np.int32)
        self._lists_others = self._sizes > max(MIN_LISTED_BY_OTHERS, self._profiles / 2)
        listed = [
            np.setdiff1d(everyone, each, assume_unique=True) if others else each
            for each, others in zip(owners, self._lists_others.tolist(), strict=True)
        ]
        self._listed = np.concatenate([*listed, np.zeros(0, dtype=np.int32)])
        self._listed_sizes = np.array([len(each) for each in listed], dtype=np.int32)
        self._listed_starts = np.cumsum(self._listed_sizes) - self._listed_sizes

    def known_share(self, number: int, lines: LineHashes) -> float:
        """The share of a profile's distinctive lines that are among these."""
        own = self._own[number]
        return len(np.intersect1d(own, lines)) / len(own) if len(own) else 0.0

    def ranked(self, lines: LineHashes) -> tuple[int, ...]:
        """The profiles with most votes, first those with most. A line that many share weighs little.

        Sums in another order than the text's differ in their last bits. Where that leaves open which profiles it are,
        the sums in that order decide; profiles that have the same ones of these lines have the same sum.
        """
        votes = self._classes_of(lines)
        if not len(votes):
            return ()
        if int(self._sizes[votes].sum()) <= MAX_SINGLE_VOTES and not self._lists_others[votes].any():
            return self._ranked_singly(votes.tolist())
        classes, which, counts = np.unique(votes, return_inverse=True, return_counts=True)
        weights = 1.0 / self._sizes[classes]
        listed, of_class = self._listed_in(classes)
        sign = np.where(self._lists_others[classes], -1.0, 1.0)
        named = np.flatnonzero(self._summed(listed, of_class, classes, sign * counts) >= MIN_VOTES)
        if not len(named):
            return ()
        sums = self._summed(listed, of_class, classes, sign * counts * weights)[named]
        doubt = float(weights @ counts) * len(votes) * 2.0**-50
        third = np.partition(sums, -min(MAX_RANKED, len(sums)))[-min(MAX_RANKED, len(sums))]
        is_open = sums >= third - doubt
        named, sums = named[is_open], sums[is_open]
        marks = (_marks(classes) >> np.uint64(24)).astype(np.float64)  # sums of whole numbers are exact
        alike = self._summed(listed, of_class, classes, sign * marks)[named]
        order = np.argsort(-sums, kind="stable")
        _, first = np.unique(alike[order], return_index=True)
        found: list[tuple[float, int]] = []
        for place in np.sort(first)[:MAX_SUMS].tolist():
            group = named[alike == alike[order[place]]]
            is_own = self._lists_others[classes]
            is_own[of_class[listed == group[0]]] ^= True
            total = float(np.cumsum(weights[which[is_own[which]]])[-1])
            found += [(-total, number) for number in group[:MAX_RANKED].tolist()]
        return tuple(number for _, number in sorted(found)[:MAX_RANKED])

    def _ranked_singly(self, votes: Sequence[int]) -> tuple[int, ...]:
        """The same, each vote for itself."""
        counts: dict[int, int] = {}
        weights: dict[int, float] = {}
        owners = {each: self._owners_of(each) for each in set(votes)}
        for each in votes:
            for number in owners[each]:
                counts[number] = counts.get(number, 0) + 1
                weights[number] = weights.get(number, 0.0) + 1 / len(owners[each])
        named = [number for number, count in counts.items() if count >= MIN_VOTES]
        return tuple(sorted(named, key=lambda number: (-weights[number], number))[:MAX_RANKED])

    def _owners_of(self, each: int) -> list[int]:
        start = int(self._listed_starts[each])
        owners: list[int] = self._listed[start : start + int(self._listed_sizes[each])].tolist()
        return owners

    def _classes_of(self, lines: LineHashes) -> NDArray[np.int32]:
        """The class of each of these lines that any profile has, in their order."""
        if not len(lines) or not len(self._lines):
            return np.zeros(0, dtype=np.int32)
        lines = lines[self._may_have.passes(lines)]
        order = np.argsort(lines)  # near ones one after the other: a large index is searched faster
        rows = np.empty(len(lines), dtype=np.intp)
        rows[order] = np.searchsorted(self._lines, lines[order])
        rows = np.minimum(rows, len(self._lines) - 1)
        classes: NDArray[np.int32] = self._class_of[rows[self._lines[rows] == lines]]
        return classes

    def _listed_in(self, classes: NDArray[np.int32]) -> tuple[NDArray[np.int32], Numbers]:
        """The profiles that these classes list, one class after the other, and which class each belongs to."""
        sizes = self._listed_sizes[classes]
        of_class = np.repeat(np.arange(len(classes)), sizes)
        before = np.cumsum(sizes) - sizes
        return self._listed[np.arange(len(of_class)) + (self._listed_starts[classes] - before)[of_class]], of_class

    def _summed(
        self, listed: NDArray[np.int32], of_class: Numbers, classes: NDArray[np.int32], values: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """For each profile the values of its classes; that of a class which lists the others is negative."""
        everywhere = -float(values[self._lists_others[classes]].sum())
        sums = np.bincount(listed, weights=values[of_class], minlength=self._profiles)
        return np.asarray(sums + everywhere, dtype=np.float64)


def _lines_of(profile: Profile) -> Iterable[str]:
    for literal in profile_literals(profile):
        yield from (line for line in literal.splitlines() if len(line.strip()) >= MIN_LINE_CHARS)


def _marks(classes: NDArray[np.int32]) -> NDArray[np.uint64]:
    """A number for each class that says nothing of its size or age, so that no two sets of classes have one sum."""
    mixed = (classes.astype(np.uint64) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(29))) * np.uint64(0xBF58476D1CE4E5B9)
    marks: NDArray[np.uint64] = mixed ^ (mixed >> np.uint64(32))
    return marks

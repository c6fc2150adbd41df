"""Finds where versions of one prompt differ: by lines first, then by words inside the lines that differ."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Sequence
from difflib import SequenceMatcher
from typing import NamedTuple

MAX_COMPARED = 250_000
"""Pairs of lines or words compared one by one where two stretches share no unique one to align them by."""
MIN_LIKENESS = 0.5
"""The share of the first version's characters that a version of the same prompt has at least."""

_WORDS = re.compile(r"[^\W\d_]+|\d+|[^\S\r\n]+|\r\n|[\s\S]")


class VersionGap(NamedTuple):
    """``[start, end)`` of the first version, and what stands there in each version, the first included."""

    start: int
    end: int
    values: tuple[str, ...]


class _Match(NamedTuple):
    """``size`` characters that are the same from ``a`` and from ``b`` on."""

    a: int
    b: int
    size: int


def find_gaps(samples: Sequence[str]) -> tuple[tuple[VersionGap, ...], tuple[int, ...]]:
    """Where the samples differ, in order; and the numbers of those that have too little in common with the first."""
    first = samples[0]
    matched: list[list[_Match]] = []
    kept = [0]
    unrelated: list[int] = []
    for number, sample in enumerate(samples[1:], 1):
        matches = _matches(first, sample)
        if sum(match.size for match in matches) < MIN_LIKENESS * len(first):
            unrelated.append(number)
        else:
            matched.append(matches)
            kept.append(number)
    if not matched:
        return (), tuple(unrelated)
    return tuple(_gaps([samples[number] for number in kept], matched)), tuple(unrelated)


def merged(first: str, gaps: Sequence[VersionGap], start: int, end: int) -> VersionGap:
    """One gap over ``[start, end)`` of the first version in place of these, which lie inside it."""
    values: list[str] = []
    for number in range(len(gaps[0].values)):
        parts: list[str] = []
        at = start
        for gap in gaps:
            parts += (first[at : gap.start], gap.values[number])
            at = gap.end
        values.append("".join(parts) + first[at:end])
    return VersionGap(start, end, tuple(values))


def _gaps(samples: Sequence[str], matched: Sequence[Sequence[_Match]]) -> Iterable[VersionGap]:
    """The gaps between the stretches that all versions share."""
    at = [0] * len(samples)
    for start, size, others in _shared(matched):
        here = (start, *others)
        if any(begin > end for begin, end in zip(here, at, strict=True)):
            values = tuple(sample[end:begin] for sample, end, begin in zip(samples, at, here, strict=True))
            yield VersionGap(at[0], start, values)
        at = [begin + size for begin in here]
    if any(end < len(sample) for sample, end in zip(samples, at, strict=True)):
        yield VersionGap(at[0], len(samples[0]), tuple(sample[end:] for sample, end in zip(samples, at, strict=True)))


def _shared(matched: Sequence[Sequence[_Match]]) -> list[tuple[int, int, tuple[int, ...]]]:
    """``(start in the first, size, starts in the others)`` of each stretch that every version has."""
    shared: list[tuple[int, int, tuple[int, ...]]] = [(match.a, match.size, (match.b,)) for match in matched[0]]
    for matches in matched[1:]:
        both: list[tuple[int, int, tuple[int, ...]]] = []
        i = j = 0
        while i < len(shared) and j < len(matches):
            start, size, others = shared[i]
            other = matches[j]
            low, high = max(start, other.a), min(start + size, other.a + other.size)
            if low < high:
                moved = tuple(begin + low - start for begin in others)
                both.append((low, high - low, (*moved, other.b + low - other.a)))
            if start + size < other.a + other.size:
                i += 1
            else:
                j += 1
        shared = both
    return shared


def _matches(a: str, b: str) -> list[_Match]:
    """The stretches that two versions share, in order."""
    found: list[_Match] = []
    at_a = at_b = 0
    a_lines, b_lines = a.splitlines(keepends=True), b.splitlines(keepends=True)
    for match in [*_in_chars(a_lines, b_lines, _aligned(a_lines, b_lines)), _Match(len(a), len(b), 0)]:
        if at_a < match.a and at_b < match.b:
            a_words, b_words = _WORDS.findall(a[at_a : match.a]), _WORDS.findall(b[at_b : match.b])
            inside = _in_chars(a_words, b_words, _aligned(a_words, b_words))
            found.extend(_Match(at_a + part.a, at_b + part.b, part.size) for part in inside)
        if match.size:
            found.append(match)
        at_a, at_b = match.a + match.size, match.b + match.size
    return found


def _in_chars(a: Sequence[str], b: Sequence[str], matches: Iterable[_Match]) -> list[_Match]:
    """Matches of lines or words as matches of characters."""
    a_starts, b_starts = _starts(a), _starts(b)
    return [_Match(a_starts[m.a], b_starts[m.b], a_starts[m.a + m.size] - a_starts[m.a]) for m in matches]


def _starts(parts: Sequence[str]) -> list[int]:
    starts = [0]
    for part in parts:
        starts.append(starts[-1] + len(part))
    return starts


def _aligned(a: Sequence[str], b: Sequence[str]) -> list[_Match]:
    """Equal runs of two sequences, in order: anchored at what is unique in both, compared one by one elsewhere."""
    found: list[_Match] = []
    open_ranges = [(0, len(a), 0, len(b))]
    while open_ranges:
        a_low, a_high, b_low, b_high = open_ranges.pop()
        while a_low < a_high and b_low < b_high and a[a_low] == b[b_low]:
            found.append(_Match(a_low, b_low, 1))
            a_low, b_low = a_low + 1, b_low + 1
        while a_low < a_high and b_low < b_high and a[a_high - 1] == b[b_high - 1]:
            a_high, b_high = a_high - 1, b_high - 1
            found.append(_Match(a_high, b_high, 1))
        if a_low == a_high or b_low == b_high:
            continue
        anchors = _anchors(a, a_low, a_high, b, b_low, b_high)
        if anchors:
            for here_a, here_b in anchors:
                open_ranges.append((a_low, here_a, b_low, here_b))
                found.append(_Match(here_a, here_b, 1))
                a_low, b_low = here_a + 1, here_b + 1
            open_ranges.append((a_low, a_high, b_low, b_high))
        elif (a_high - a_low) * (b_high - b_low) <= MAX_COMPARED:
            matcher = SequenceMatcher(None, a[a_low:a_high], b[b_low:b_high], autojunk=False)
            blocks = matcher.get_matching_blocks()
            found.extend(_Match(a_low + block.a, b_low + block.b, block.size) for block in blocks if block.size)
    found.sort()
    return found


def _anchors(
    a: Sequence[str], a_low: int, a_high: int, b: Sequence[str], b_low: int, b_high: int
) -> list[tuple[int, int]]:
    """Positions of items that occur once on either side, in the longest run that has the same order on both."""
    in_a, in_b = Counter(a[a_low:a_high]), Counter(b[b_low:b_high])
    in_b_at = {b[n]: n for n in range(b_low, b_high) if in_b[b[n]] == 1}
    pairs = [(n, in_b_at[a[n]]) for n in range(a_low, a_high) if in_a[a[n]] == 1 and a[n] in in_b_at and a[n].strip()]
    tails: list[int] = []
    last: list[int] = []
    before: list[int] = []
    for number, (_, b_at) in enumerate(pairs):
        depth = bisect_left(tails, b_at)
        if depth == len(tails):
            tails.append(b_at)
            last.append(number)
        else:
            tails[depth], last[depth] = b_at, number
        before.append(last[depth - 1] if depth else -1)
    chain: list[tuple[int, int]] = []
    number = last[-1] if last else -1
    while number >= 0:
        chain.append(pairs[number])
        number = before[number]
    return chain[::-1]

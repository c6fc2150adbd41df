"""An agent's new prompt, divided among the modules of its profile: which stretch is which module's now.

1. Modules that stand in the new prompt as they were, wherever, are anchors.
2. The lines between anchors are labelled: with the one remaining module that has the same line, then block by
   block with the one that most of the words come from.
3. Each remaining module takes the stretch that its labels cover. What lies between two modules is the left one's
   up to where a section begins, unless it is clear that the right one begins earlier; from there on it is new.

The stretches cover the prompt without gap or overlap, so whatever the labels say, nothing is lost.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import pairwise
from typing import NamedTuple

from hooks.onboard.lines import read_lines
from hooks.profile import Module, Profile, Slot
from hooks.recognise.spaces import Raw
from hooks.recognise.walk import Claim, shape_of, walk

MIN_LABEL_CHARS = 4
MIN_MATCHED = 0.3
"""Of a module's characters (or word pairs), so much has to be found for it to have survived."""
MIN_BLOCK_WORDS = 0.6
"""Of a block's word pairs, so much has to come from one module for the block to be that module's."""


class Value(NamedTuple):
    """``[start, end)`` of the new prompt: what stands in place of a slot now."""

    start: int
    end: int
    slot: Slot


@dataclass(frozen=True, kw_only=True, slots=True)
class Stretch:
    """``[start, end)`` of the new prompt. ``module`` None: new text. ``is_exact``: as it was but for slot values."""

    start: int
    end: int
    module: int | None
    is_exact: bool = False
    values: tuple[Value, ...] = ()


class _Line(NamedTuple):
    start: int
    end: int
    text: str
    """Without outer white space."""
    begins: bool
    """True where a section begins."""


class _Gap(NamedTuple):
    """The lines between two anchors (indexes into the profile; None at the ends of the prompt)."""

    left: int | None
    right: int | None
    lines: tuple[_Line, ...]


class _Zone(NamedTuple):
    """The lines of a gap, ``[first, last]``, that a module's labels reach. ``head`` and ``tail``: they are there."""

    module: int
    first: int
    last: int
    head: bool
    tail: bool


def match_modules(profile: Profile, text: str) -> tuple[Stretch, ...]:
    """The stretches of ``text`` in order; each module has one at most."""
    anchors = list(_anchors(profile, text))
    placed = {anchor.module for anchor in anchors if anchor.module is not None}
    others = {n: module for n, module in enumerate(profile.modules) if n not in placed}
    bounds, gaps = _bounds_and_gaps(profile, text, anchors)
    labels = _labels(others, gaps)
    owners: list[tuple[int, int | None]] = []
    for number, gap in enumerate(gaps):
        if number:
            owners.append((bounds[number - 1][0], anchors[number - 1].module))
        if gap.lines:
            owners.extend(_divided(gap, labels[number], others))
    return tuple(_stretches(profile, text, owners, anchors))


# 1. Anchors


def _anchors(profile: Profile, text: str) -> Iterable[Stretch]:
    """What stands there as it was, outer white space off; of several copies the first."""
    shapes = tuple(shape_of(module, squeezed=False) for module in profile.modules)
    groups: list[list[Claim]] = []
    for claim in walk(Raw(text), shapes, skips_space=True):
        if claim.opens:
            groups.append([])
        groups[-1].append(claim)
    seen: set[int] = set()
    for group in groups:
        module = group[0].module
        values = tuple(Value(claim.start, claim.end, claim.slot) for claim in group if claim.slot is not None)
        is_whole = len(group) == len(shapes[module].parts) and all(
            value.slot.pattern.fullmatch(text[value.start : value.end]) for value in values
        )
        if is_whole and module not in seen:
            seen.add(module)
            yield Stretch(start=group[0].start, end=group[-1].end, module=module, is_exact=True, values=values)


def _bounds_and_gaps(
    profile: Profile, text: str, anchors: Sequence[Stretch]
) -> tuple[list[tuple[int, int]], list[_Gap]]:
    """The anchors with the white space that was around them, where it still is; and what lies between them."""
    bounds = [[anchor.start, anchor.end] for anchor in anchors]
    for number in range(len(anchors) + 1):
        start = anchors[number - 1].end if number else 0
        end = anchors[number].start if number < len(anchors) else len(text)
        tail = _outer_space(profile, anchors[number - 1])[1] if number else ""
        head = _outer_space(profile, anchors[number])[0] if number < len(anchors) else ""
        if number and text.startswith(tail, start, end):
            start = bounds[number - 1][1] = start + len(tail)
        if number < len(anchors) and text.endswith(head, start, end):
            end = bounds[number][0] = end - len(head)
        if not text[start:end].strip():
            # Only white space: one of the two has changed by it.
            if number:
                bounds[number - 1][1] = end
            elif number < len(anchors):
                bounds[number][0] = start
    edges = [0, *(edge for bound in bounds for edge in bound), len(text)]
    lines = [
        _Line(line.start, line.end, text[line.start : line.end].strip(), line.kind in ("heading", "open"))
        for line in read_lines(text)
    ]
    ends = [line.end for line in lines]
    gaps = []
    for number in range(len(anchors) + 1):
        start, end = edges[2 * number], edges[2 * number + 1]
        inside = tuple(_clipped(text, lines, bisect_left(ends, start + 1), start, end)) if start < end else ()
        left = anchors[number - 1].module if number else None
        gaps.append(_Gap(left, anchors[number].module if number < len(anchors) else None, inside))
    return [(start, end) for start, end in bounds], gaps


def _outer_space(profile: Profile, anchor: Stretch) -> tuple[str, str]:
    """The white space that the module begins and ends with, beside its text or its first and last slot."""
    if anchor.module is None:
        return "", ""
    parts = profile.modules[anchor.module].parts
    first, last = parts[0], parts[-1]
    head = first[: len(first) - len(first.lstrip())] if isinstance(first, str) else ""
    tail = last[len(last.rstrip()) :] if isinstance(last, str) else ""
    return head, tail


def _clipped(text: str, lines: Sequence[_Line], at: int, start: int, end: int) -> Iterable[_Line]:
    while at < len(lines) and lines[at].start < end:
        line = lines[at]
        first, last = max(line.start, start), min(line.end, end)
        yield _Line(first, last, text[first:last].strip(), line.begins and first == line.start)
        at += 1


# 2. Labels


def _labels(others: dict[int, Module], gaps: Sequence[_Gap]) -> list[list[int | None]]:
    """For each line of each gap the module it comes from, if one."""
    owner_of: dict[str, int | None] = {}
    sizes: dict[int, int] = {}
    for number, module in others.items():
        own_lines = [line.strip() for line in module.text.splitlines()]
        sizes[number] = sum(map(len, own_lines))
        for stripped in set(own_lines):
            if len(stripped) >= MIN_LABEL_CHARS:
                owner_of[stripped] = None if stripped in owner_of else number  # two modules' line is nobody's
    labels = [[owner_of.get(line.text) for line in gap.lines] for gap in gaps]
    found: Counter[int] = Counter()
    for gap, own in zip(gaps, labels, strict=True):
        for line, label in zip(gap.lines, own, strict=True):
            if label is not None:
                found[label] += len(line.text)
    missing = {number for number in others if found[number] < MIN_MATCHED * sizes[number]}
    labels = [[None if label in missing else label for label in own] for own in labels]
    _label_blocks({number: others[number] for number in missing}, gaps, labels)
    return _one_gap_each(gaps, labels)


def _one_gap_each(gaps: Sequence[_Gap], labels: Sequence[Sequence[int | None]]) -> list[list[int | None]]:
    """The same labels, a module's only in the gap that has most of it."""
    found: dict[int, Counter[int]] = defaultdict(Counter)
    for number, gap in enumerate(gaps):
        for line, label in zip(gap.lines, labels[number], strict=True):
            if label is not None:
                found[label][number] += len(line.text)
    home = {module: max(counts, key=lambda number: (counts[number], -number)) for module, counts in found.items()}
    return [
        [label if label is not None and home[label] == number else None for label in own]
        for number, own in enumerate(labels)
    ]


def _label_blocks(missing: dict[int, Module], gaps: Sequence[_Gap], labels: list[list[int | None]]) -> None:
    """Labels blocks of lines that nobody has by where most of their words come from."""
    modules_with: dict[tuple[str, str], list[int]] = defaultdict(list)
    sizes: dict[int, int] = {}
    for number, module in missing.items():
        pairs = _word_pairs(module.text)
        sizes[number] = len(pairs)
        for pair in pairs:
            modules_with[pair].append(number)
    blocks: dict[int, list[tuple[int, int, int, int]]] = defaultdict(list)
    for number, gap in enumerate(gaps):
        for first, end in _blocks(gap, labels[number]):
            pairs = _word_pairs(" ".join(line.text for line in gap.lines[first:end]))
            votes = Counter(owner for pair in pairs for owner in modules_with.get(pair, ()))
            for owner, count in sorted(votes.items(), key=lambda vote: (-vote[1], vote[0]))[:1]:
                if count >= MIN_BLOCK_WORDS * len(pairs):
                    blocks[owner].append((number, first, end, count))
    for owner, own in blocks.items():
        if sum(count for *_, count in own) >= MIN_MATCHED * sizes[owner]:
            for number, first, end, _ in own:
                labels[number][first:end] = [owner] * (end - first)


def _blocks(gap: _Gap, labels: Sequence[int | None]) -> Iterable[tuple[int, int]]:
    """``[first, end)`` of unlabelled lines, cut where a section begins."""
    first: int | None = None
    for at, line in enumerate(gap.lines):
        if first is not None and (labels[at] is not None or line.begins):
            yield first, at
            first = None
        if first is None and labels[at] is None:
            first = at
    if first is not None:
        yield first, len(gap.lines)


def _word_pairs(text: str) -> set[tuple[str, str]]:
    words = text.split()
    if len(words) * 12 < len(text):  # a script without spaces
        words = [character for character in text if not character.isspace()]
    return set(pairwise(["", *words]))


# 3. Division


def _divided(gap: _Gap, labels: Sequence[int | None], others: dict[int, Module]) -> Iterable[tuple[int, int | None]]:
    """``(start, owner)`` of each stretch of the gap, in order."""
    zones = _zones(gap, labels, others)
    starts: list[tuple[int, int | None]] = []
    at = 0
    for number in range(len(zones) + 1):
        left = zones[number - 1] if number else None
        right = zones[number] if number < len(zones) else None
        end = right.first if right else len(gap.lines)
        left_owner = left.module if left else gap.left
        right_owner = right.module if right else gap.right
        new, theirs = _shared_out(gap.lines[at:end], left, right, left_owner, right_owner, others)
        if new > 0 or at == 0:
            starts.append((at, left_owner))
        starts += [(at + new, None), (at + theirs, right_owner)]
        if right:
            starts.append((right.first, right.module))
            at = right.last + 1
    edges = [*starts, (len(gap.lines), None)]
    for (first, owner), (end, _) in pairwise(edges):
        if first < end:
            yield gap.lines[first].start, owner


def _zones(gap: _Gap, labels: Sequence[int | None], others: dict[int, Module]) -> list[_Zone]:
    """Where the modules with labels in this gap are, in order and apart from each other."""
    places: dict[int, list[int]] = defaultdict(list)
    for at, label in enumerate(labels):
        if label is not None:
            places[label].append(at)
    order = sorted(places, key=lambda module: (places[module][len(places[module]) // 2], module))
    zones: list[_Zone] = []
    floor = 0
    for number, module in enumerate(order):
        own = [at for at in places[module] if at >= floor]
        if number + 1 < len(order):
            own = own[: _cut(own, places[order[number + 1]])]
        if not own:
            continue
        visible = [line.strip() for line in others[module].text.splitlines() if line.strip()]
        head, tail = gap.lines[own[0]].text == visible[0], gap.lines[own[-1]].text == visible[-1]
        zones.append(_Zone(module, own[0], own[-1], head, tail))
        floor = own[-1] + 1
    return zones


def _cut(own: Sequence[int], following: Sequence[int]) -> int:
    """How many of a module's lines to keep so that most lines of both modules lie on their own side."""
    best, kept = -1, len(own)
    for count in range(len(own), 0, -1):
        score = count + len(following) - bisect_left(following, own[count - 1])
        if score > best:
            best, kept = score, count
    return kept


def _shared_out(
    lines: Sequence[_Line],
    left: _Zone | None,
    right: _Zone | None,
    left_owner: int | None,
    right_owner: int | None,
    others: dict[int, Module],
) -> tuple[int, int]:
    """``(new, theirs)``: of the lines between two modules the left one gets those before ``new``, the right one
    those from ``theirs`` on; what is between is new.
    """
    end = len(lines)
    if not any(line.text for line in lines):
        return (end, end) if left_owner is not None else (0, 0)
    sections = [at for at, line in enumerate(lines) if line.begins]
    theirs = end
    if right is not None and not right.head:
        theirs = _likeliest(lines, sections, others[right.module])
        if left is not None and not left.tail:
            return theirs, theirs
    new = next((at for at in sections if at < theirs), theirs)
    if left_owner is None and new > 0:
        # Ahead of everything: a preamble belongs to what it precedes.
        return (0, 0) if new == theirs and right_owner is not None else (0, theirs)
    if left is None and new < theirs and not any(line.text for line in lines[:new]):
        new = 0
    return new, theirs


def _likeliest(lines: Sequence[_Line], sections: Sequence[int], module: Module) -> int:
    """The line that a module whose first lines were changed begins with now."""
    first = next((line.strip() for line in module.text.splitlines() if line.strip()), "")
    if not sections:
        return 0
    return max(sections, key=lambda at: (SequenceMatcher(None, first, lines[at].text).ratio(), at))


def _stretches(
    profile: Profile,
    text: str,
    owners: Sequence[tuple[int, int | None]],
    anchors: Sequence[Stretch],
) -> Iterable[Stretch]:
    by_module = {anchor.module: anchor for anchor in anchors}
    merged: list[tuple[int, int | None]] = []
    for start, owner in owners:
        if not merged or merged[-1][1] != owner:
            merged.append((start, owner))
    for (start, owner), (end, _) in pairwise([*merged, (len(text), None)]):
        anchor = by_module.get(owner) if owner is not None else None
        if anchor is None:
            yield Stretch(start=start, end=end, module=owner)
            continue
        around = (text[start : anchor.start], text[anchor.end : end])
        is_exact = around == _outer_space(profile, anchor)
        yield Stretch(start=start, end=end, module=owner, is_exact=is_exact, values=anchor.values)

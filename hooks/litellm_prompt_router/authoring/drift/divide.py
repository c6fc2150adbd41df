"""The lines between two anchors, divided among the modules that they are labelled with, and new text."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Sequence
from difflib import SequenceMatcher
from itertools import pairwise
from typing import NamedTuple

from litellm_prompt_router.authoring.drift.anchors import AnchorGap, PromptLine
from litellm_prompt_router.profile.profile import Module


class _Zone(NamedTuple):
    """The lines of a gap, ``[first, last]``, from a module's first label to its last.

    ``head``, ``tail``: the first and the last of them are the module's own first and last line.
    """

    module: int
    first: int
    last: int
    head: bool
    tail: bool


def divide_gap(
    gap: AnchorGap, labels: Sequence[int | None], others: dict[int, Module]
) -> Iterable[tuple[int, int | None]]:
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
        new, theirs = _share_lines(gap.lines[at:end], left, right, left_owner, right_owner, others)
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


def _zones(gap: AnchorGap, labels: Sequence[int | None], others: dict[int, Module]) -> list[_Zone]:
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


def _share_lines(
    lines: Sequence[PromptLine],
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


def _likeliest(lines: Sequence[PromptLine], sections: Sequence[int], module: Module) -> int:
    """The line that a module whose first lines were changed begins with now."""
    first = next((line.strip() for line in module.text.splitlines() if line.strip()), "")
    if not sections:
        return 0
    return max(sections, key=lambda at: (SequenceMatcher(None, first, lines[at].text).ratio(), at))

"""The module that each line between two anchors comes from, by the line itself or by most of a block's words."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from itertools import pairwise

from litellm_prompt_router.authoring.drift.anchors import AnchorGap
from litellm_prompt_router.profile.profile import Module

MIN_LABEL_CHARS = 4
MIN_MATCHED = 0.3
"""Of a module's characters (or word pairs), so much has to be found for it to have survived."""
MIN_BLOCK_WORDS = 0.6
"""Of a block's word pairs, so much has to come from one module for the block to be that module's."""


def label_lines(others: dict[int, Module], gaps: Sequence[AnchorGap]) -> list[list[int | None]]:
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


def _one_gap_each(gaps: Sequence[AnchorGap], labels: Sequence[Sequence[int | None]]) -> list[list[int | None]]:
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


def _label_blocks(missing: dict[int, Module], gaps: Sequence[AnchorGap], labels: list[list[int | None]]) -> None:
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


def _blocks(gap: AnchorGap, labels: Sequence[int | None]) -> Iterable[tuple[int, int]]:
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

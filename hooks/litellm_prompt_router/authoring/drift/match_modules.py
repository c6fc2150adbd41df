"""An agent's new prompt, divided among the modules of its profile: which stretch is which module's now.

1. Modules that stand in the new prompt as they were, wherever, are anchors.
2. The lines between anchors are labelled: with the one remaining module that has the same line, then block by
   block with the one that most of the words come from.
3. Each remaining module takes the stretch that its labels cover. What lies between two modules is the left one's
   up to where a section begins, unless it is clear that the right one begins earlier; from there on it is new.

The stretches cover the prompt without gap or overlap, so whatever the labels say, nothing is lost.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise

from litellm_prompt_router.authoring.drift.anchors import Stretch, bounds_and_gaps, find_anchors, outer_space
from litellm_prompt_router.authoring.drift.divide import divide_gap
from litellm_prompt_router.authoring.drift.line_labels import label_lines
from litellm_prompt_router.profile.profile import Profile


def match_modules(profile: Profile, text: str) -> tuple[Stretch, ...]:
    """The stretches of ``text`` in order; each module has one at most."""
    anchors = list(find_anchors(profile, text))
    placed = {anchor.module for anchor in anchors if anchor.module is not None}
    others = {n: module for n, module in enumerate(profile.modules) if n not in placed}
    bounds, gaps = bounds_and_gaps(profile, text, anchors)
    labels = label_lines(others, gaps)
    owners: list[tuple[int, int | None]] = []
    for number, gap in enumerate(gaps):
        if number:
            owners.append((bounds[number - 1][0], anchors[number - 1].module))
        if gap.lines:
            owners.extend(divide_gap(gap, labels[number], others))
    return tuple(_stretches(profile, text, owners, anchors))


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
        is_exact = around == outer_space(profile, anchor)
        yield Stretch(start=start, end=end, module=owner, is_exact=is_exact, values=anchor.values)

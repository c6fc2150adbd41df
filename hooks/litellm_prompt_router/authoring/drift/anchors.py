"""The modules that stand in the new prompt as they were, and what lies between them."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from litellm_prompt_router.authoring.split.line_structure import read_lines
from litellm_prompt_router.profile.profile import Profile, Slot
from litellm_prompt_router.request.recognise.placing import PlacedSpan, ShapeIndex, module_shape, place_modules
from litellm_prompt_router.request.recognise.searched_text import RawText


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


class PromptLine(NamedTuple):
    start: int
    end: int
    text: str
    """Without outer white space."""
    begins: bool
    """True where a section begins."""


class AnchorGap(NamedTuple):
    """The lines between two anchors (indexes into the profile; None at the ends of the prompt)."""

    left: int | None
    right: int | None
    lines: tuple[PromptLine, ...]


def find_anchors(profile: Profile, text: str) -> Iterable[Stretch]:
    """What stands there as it was, outer white space off; of several copies the first."""
    index = ShapeIndex([module_shape(module, squeezed=False) for module in profile.modules])
    groups: list[list[PlacedSpan]] = []
    for claim in place_modules(RawText(text), index, skips_space=True):
        if claim.opens:
            groups.append([])
        groups[-1].append(claim)
    seen: set[int] = set()
    for group in groups:
        module = group[0].module
        values = tuple(Value(claim.start, claim.end, claim.slot) for claim in group if claim.slot is not None)
        is_whole = len(group) == len(index.shapes[module].parts) and all(
            value.slot.pattern.fullmatch(text[value.start : value.end]) for value in values
        )
        if is_whole and module not in seen:
            seen.add(module)
            yield Stretch(start=group[0].start, end=group[-1].end, module=module, is_exact=True, values=values)


def bounds_and_gaps(
    profile: Profile, text: str, anchors: Sequence[Stretch]
) -> tuple[list[tuple[int, int]], list[AnchorGap]]:
    """The anchors with the white space that was around them, where it still is; and what lies between them."""
    bounds = [[anchor.start, anchor.end] for anchor in anchors]
    for number in range(len(anchors) + 1):
        start = anchors[number - 1].end if number else 0
        end = anchors[number].start if number < len(anchors) else len(text)
        tail = outer_space(profile, anchors[number - 1])[1] if number else ""
        head = outer_space(profile, anchors[number])[0] if number < len(anchors) else ""
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
        PromptLine(line.start, line.end, text[line.start : line.end].strip(), line.kind in ("heading", "open"))
        for line in read_lines(text)
    ]
    ends = [line.end for line in lines]
    gaps = []
    for number in range(len(anchors) + 1):
        start, end = edges[2 * number], edges[2 * number + 1]
        inside = tuple(_clipped(text, lines, bisect_left(ends, start + 1), start, end)) if start < end else ()
        left = anchors[number - 1].module if number else None
        gaps.append(AnchorGap(left, anchors[number].module if number < len(anchors) else None, inside))
    return [(start, end) for start, end in bounds], gaps


def outer_space(profile: Profile, anchor: Stretch) -> tuple[str, str]:
    """The white space that the module begins and ends with, beside its text or its first and last slot."""
    if anchor.module is None:
        return "", ""
    parts = profile.modules[anchor.module].parts
    first, last = parts[0], parts[-1]
    head = first[: len(first) - len(first.lstrip())] if isinstance(first, str) else ""
    tail = last[len(last.rstrip()) :] if isinstance(last, str) else ""
    return head, tail


def _clipped(text: str, lines: Sequence[PromptLine], at: int, start: int, end: int) -> Iterable[PromptLine]:
    while at < len(lines) and lines[at].start < end:
        line = lines[at]
        first, last = max(line.start, start), min(line.end, end)
        yield PromptLine(first, last, text[first:last].strip(), line.begins and first == line.start)
        at += 1

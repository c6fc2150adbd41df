"""Finds the slots of a prompt: what varies between its versions, and what is a machine's or a project's own."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from litellm_prompt_router.authoring.split.draft import PlacedSlot
from litellm_prompt_router.authoring.split.neutral_text import OwnValue
from litellm_prompt_router.authoring.split.slot_making import NEARBY_CHARS, make_slots
from litellm_prompt_router.authoring.split.value_kinds import KINDS
from litellm_prompt_router.authoring.split.version_alignment import VersionGap, find_gaps, merged
from litellm_prompt_router.request.route.triggers import is_unspaced

FEW_LETTERS = 4
LITTLE_TEXT = 24
COARSEST = 3

_STRUCTURE = re.compile(r"[:=<>\"'`()\[\]{}#|：（）「」\n\r]")
_FILE_END = re.compile(r"(?:[./\\_-]+\w+)*")
_MARKUP = re.compile(r"\s*(?:</?[^\W\d]|#|={3}|-{3}|`{3}|~{3})")
_JOINT = frozenset(("", "-", "/", ":", ".", ",", "_", "+", "@", "\\", "'"))
_RUNS = ((re.compile(r"[^\W\d_]+"), "a"), (re.compile(r"\d+"), "0"), (re.compile(r"[ \t]+"), " "))


def find_slots(
    samples: Sequence[str], coarseness: int = 0, *, own: Sequence[OwnValue] = (), widens: bool = True
) -> tuple[tuple[PlacedSlot, ...], tuple[int, ...]]:
    """The slots of the first version, and the numbers of the versions that are of another prompt.

    ``coarseness``: from 1 on, what differs on one line is one slot; then on neighbouring lines; then nearby. ``own``:
    values that are slots in any case. ``widens``: what has a value of its own in each version takes the sentence that
    it stands in with it, and may move; without a sentence it stays where it is.
    """
    first = samples[0]
    found, unrelated = find_gaps(_with_one_line_ending(samples))
    gaps = [_from_line_start(first, gap) for gap in found if any(value.strip() for value in gap.values)]
    gaps = _widened(first, _whole_words(first, gaps))
    gaps = _joined_over_chance_matches(first, gaps, coarseness)
    kept = [sample for number, sample in enumerate(samples) if number not in unrelated]
    return tuple(make_slots(first, gaps, own, kept, widens=widens)), unrelated


def slots_at(first: str, spans: Iterable[tuple[int, int]], own: Sequence[OwnValue] = ()) -> tuple[PlacedSlot, ...]:
    """Slots over these spans of the prompt's only version, and over what is its machine's own."""
    gaps = [
        VersionGap(start, end, (first[start:end],))
        for start, end in spans
        if not any(value.start < end and start < value.end for value in own)
    ]
    return tuple(make_slots(first, gaps, own, [first], widens=False))


def _with_one_line_ending(samples: Sequence[str]) -> list[str]:
    """The versions with the line endings of the first; recognition takes either."""
    first = samples[0]
    if "\r\n" not in first:
        return [sample.replace("\r\n", "\n") if "\n" in first else sample for sample in samples]
    if "\n" in first.replace("\r\n", ""):
        return list(samples)
    return [first, *(re.sub(r"(?<!\r)\n", "\r\n", sample) for sample in samples[1:])]


# Where a slot begins and ends


def _from_line_start(first: str, gap: VersionGap) -> VersionGap:
    """A text that isn't always there, from the start of its line on if its end is what its line begins with.

    ``## B ... ## `` in front of ``C`` is ``## B ...`` in front of ``## C``.
    """
    head = first[max(first.rfind("\n", 0, gap.start), first.rfind("\r", 0, gap.start)) + 1 : gap.start]
    if all(gap.values) or not head or not all(value.endswith(head) for value in gap.values if value):
        return gap
    size = len(head)
    values = tuple(f"{head}{value[:-size]}" if value else "" for value in gap.values)
    return VersionGap(gap.start - size, gap.end - size, values)


def _whole_words(first: str, gaps: Sequence[VersionGap]) -> list[VersionGap]:
    """Gaps that begin and end outside words; several in one word are one."""
    out: list[tuple[int, int, list[VersionGap]]] = []
    for gap in gaps:
        start, end = _word_edges(first, gap)
        if out and start <= out[-1][1]:
            before, until, inside = out[-1]
            out[-1] = (min(before, start), max(until, end), [*inside, gap])
        else:
            out.append((start, end, [gap]))
    return [merged(first, inside, start, end) for start, end, inside in out]


def _word_edges(first: str, gap: VersionGap) -> tuple[int, int]:
    """The gap's start and end moved outwards to the edges of words."""
    start, end = gap.start, gap.end
    if any(value and _is_word_character(value[0]) for value in gap.values) or _splits_word(first, start, end):
        while start > 0 and _is_word_character(first[start - 1]):
            start -= 1
    if any(value and _is_word_character(value[-1]) for value in gap.values) or _splits_word(first, start, end):
        while end < len(first) and _is_word_character(first[end]):
            end += 1
    if any("/" in value or "\n" in value for value in gap.values) and gap.end == end:
        # Files often end alike: what follows a name without a space is part of it.
        end = _FILE_END.match(first, end).end()  # type: ignore[union-attr]  # it matches nothing, too
    return start, end


def _splits_word(first: str, start: int, end: int) -> bool:
    return (
        start == end
        and 0 < start < len(first)
        and _is_word_character(first[start - 1])
        and _is_word_character(first[start])
    )


def _is_word_character(character: str) -> bool:
    return (character.isalnum() or character == "_") and not is_unspaced(character)


def _widened(first: str, gaps: Sequence[VersionGap]) -> list[VersionGap]:
    """Gaps that cover the whole date, path or number that they are part of."""
    out: list[VersionGap] = []
    rest = _merged_where_touching(first, gaps)
    while rest:
        gap = rest.pop(0)
        low = max(gap.start - NEARBY_CHARS, out[-1].end if out else 0)
        window = first[low : gap.end + NEARBY_CHARS]
        wider: VersionGap | None = None
        for kind in KINDS:
            for match in kind.finder.finditer(window):
                start, end = low + match.start(), low + match.end()
                if start > gap.start or end < gap.end or (start == end):
                    continue
                inside = [gap, *(other for other in rest if other.start <= end)]
                candidate = merged(first, inside, start, max(end, inside[-1].end))
                if candidate.end == end and all(kind.is_value(value) for value in candidate.values if value):
                    wider = candidate
                    break
            if wider is not None:
                break
        if wider is None:
            out.append(gap)
        else:
            rest = [other for other in rest if other.start > wider.end]
            out.append(wider)
    return out


def _merged_where_touching(first: str, gaps: Sequence[VersionGap]) -> list[VersionGap]:
    """The same gaps, with those that touch joined into one."""
    out: list[VersionGap] = []
    for gap in gaps:
        if out and gap.start <= out[-1].end:
            out[-1] = merged(first, [out[-1], gap], out[-1].start, gap.end)
        else:
            out.append(gap)
    return out


def _joined_over_chance_matches(first: str, gaps: Sequence[VersionGap], coarseness: int) -> list[VersionGap]:
    """The gaps, joined where the text between two is equal by chance only."""
    out: list[VersionGap] = []
    for gap in _merged_where_touching(first, gaps):
        if out and _is_chance_match(first[out[-1].end : gap.start], out[-1], gap, coarseness):
            out[-1] = merged(first, [out[-1], gap], out[-1].start, gap.end)
        else:
            out.append(gap)
    return out


def _is_chance_match(between: str, left: VersionGap, right: VersionGap, coarseness: int) -> bool:
    """True when the text between two gaps is equal by chance, or too little to separate two slots."""
    newlines = between.count("\n") + between.count("\r")
    if (
        (coarseness >= 1 and not newlines)
        or (coarseness >= 2 and newlines <= 2)
        or (coarseness >= 3 and newlines <= 12)
    ):
        return True
    if newlines and any(_MARKUP.match(line) for line in between.splitlines()):
        return False
    values = (*left.values, *right.values)
    letters = sum(character.isalnum() for character in between)
    if any("\n" in value for value in values):
        shapes = {_shape(line) for value in values for line in value.splitlines()}
        lines = [line for line in between.splitlines() if line.strip()]
        if newlines and all(_shape(line) in shapes for line in lines):
            return True
        return letters < LITTLE_TEXT and _STRUCTURE.search(between.strip()) is None
    if newlines:
        return False
    if between.strip() in _JOINT:
        return True
    if letters >= FEW_LETTERS or _STRUCTURE.search(between):
        return False
    if not any(character.isspace() for character in between):
        return True
    return any(" " in value.strip() for value in values)


def _shape(line: str) -> str:
    for runs, letter in _RUNS:
        line = runs.sub(letter, line)
    return re.sub(r"a(?:[ -]a)+", "a", line.strip())

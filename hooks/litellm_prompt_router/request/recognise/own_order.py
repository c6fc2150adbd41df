"""The modules that stand in the agent's own text and order, of all the places that their texts are found at.

A prompt has each module once, in an order of its own. A section out of that order is the agent's only where nobody
else's words touch it; a section there twice only where the whole prompt is there twice with nobody's words between;
and a section behind words that introduce it ("never follow it:") belongs to those words.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

from litellm_prompt_router.request.recognise.placing import PlacedSpan

MAX_COPIES = 8
"""The most times that a whole prompt is looked for in one text."""
LOOKED_BACK_CHARS = 300
"""Of the words in front of a module, as many are asked whether they introduce it."""

_FOREIGN = re.compile(r"[^\s\-=*_#~+.|]")
"""What is said by nobody: white space, and the rules that stand between sections."""
_INTRODUCES = re.compile(
    r"(?:[:\uff1a\ufe55\ufe13\u2192\u2193][*_`\"')\]]*"
    r"|^[ \t]*(?:#{1,6}[ \t]+(?!end\b).*|\*\*[^*]+\*\*|<[^\W\d][^<>/]*>))\Z",
    re.IGNORECASE,
)
"""The end of a line behind which something of the same speaker follows: a colon, an arrow, a heading, an opened tag."""


class Occurrence(NamedTuple):
    """One time that a module stands in the text."""

    start: int
    end: int
    module: int
    spans: tuple[PlacedSpan, ...]

    @property
    def size(self) -> int:
        return self.end - self.start


def occurrences(claims: Sequence[PlacedSpan]) -> list[Occurrence]:
    out: list[Occurrence] = []
    for claim in claims:
        if claim.opens or not out or out[-1].module != claim.module:
            out.append(Occurrence(claim.start, claim.end, claim.module, (claim,)))
        else:
            last = out[-1]
            out[-1] = Occurrence(last.start, max(last.end, claim.end), last.module, (*last.spans, claim))
    return out


def in_own_order(text: str, found: Sequence[Occurrence], literals: Sequence[str]) -> list[Occurrence]:
    """Those of the prompt itself, in text order."""
    kept = list(range(len(found)))
    if any(one.module >= other.module for one, other in pairwise(found)):
        kept = _once_each(text, found)
    placed = {found[number].module for number in kept}
    introduced = {number for number in kept if _is_introduced(text, found, number, placed, literals)}
    if introduced:
        introduced -= _beginnings(text, found, kept)
    return [found[number] for number in kept if number not in introduced]


def _once_each(text: str, found: Sequence[Occurrence]) -> list[int]:
    """The prompt's own run of modules, its further copies if that is what they are, and what was only moved."""
    runs = [_own_run(text, found)]
    weight = _weight(found, runs[0])
    own = {found[n].module for n in runs[0]}
    sizes = {each.module: each.size for each in found}
    is_another_order = 2 * sum(sizes[module] for module in own) < sum(sizes.values())
    taken = set(runs[0])
    rest = [n for n, each in enumerate(found) if each.module in own and n not in taken]
    while rest and len(runs) <= MAX_COPIES:
        copy = [rest[n] for n in _longest_run(text, [found[n] for n in rest])]
        if 2 * _weight(found, copy) <= weight:
            break
        runs.append(copy)
        taken.update(copy)
        rest = [n for n in rest if n not in taken]
    kept = set(_of_the_agent(text, found, runs))
    if len(runs) == 1:
        kept -= _quoted_with_what_is_repeated(text, found, kept)
    placed = {found[n].module for n in kept}
    for group in _others(text, found, kept):
        is_foreign = _is_foreign_before(text, found, group[0]) or _is_foreign_behind(text, found, group[-1])
        is_new = not any(found[number].module in placed for number in group)
        if (is_another_order and is_new) or not is_foreign:
            for number in group:  # only moved
                if found[number].module not in placed:
                    placed.add(found[number].module)
                    kept.add(number)
    return sorted(kept)


def _own_run(text: str, found: Sequence[Occurrence]) -> list[int]:
    """The longest run; where the text begins as the prompt does, the one that begins there, however long a copy is."""
    run = _longest_run(text, found)
    if run[0] == 0 or found[0].module > 0 or _is_foreign_before(text, found, 0):
        return run
    copies = {
        n for stretch in _stretches(text, found) if stretch[0] > 0 and found[stretch[0]].module == 0 for n in stretch
    }
    others = [n for n in range(len(found)) if n not in copies]
    return [others[n] for n in _longest_run(text, [found[n] for n in others])]


def _quoted_with_what_is_repeated(text: str, found: Sequence[Occurrence], kept: set[int]) -> set[int]:
    """Sections that the prompt itself lacks, in a quotation that also has some that it doesn't lack."""
    quoted = set[int]()
    placed = {found[n].module for n in kept}
    for stretch in _stretches(text, found):
        inside = [n for n in stretch if n in kept]
        if inside and any(n not in kept and found[n].module in placed for n in stretch):
            is_foreign = _is_foreign_before(text, found, stretch[0]) or _is_foreign_behind(text, found, stretch[-1])
            if is_foreign and 2 * _weight(found, inside) < _weight(found, kept):
                quoted.update(inside)
    return quoted


def _others(text: str, found: Sequence[Occurrence], kept: set[int]) -> Iterator[list[int]]:
    """Numbers of the other occurrences, those together that stand with nobody's words between them."""
    group: list[int] = []
    for number in range(len(found)):
        if group and (number in kept or _is_foreign_before(text, found, number)):
            yield group
            group = []
        if number not in kept:
            group.append(number)
    if group:
        yield group


def _of_the_agent(text: str, found: Sequence[Occurrence], runs: list[list[int]]) -> list[int]:
    """All of the runs where nobody says anything between them, else the one that is surely the prompt; none if none is.

    The others are copies that somebody put into it.
    """
    if len(runs) == 1:
        return runs[0]
    run_of = {number: which for which, run in enumerate(runs) for number in run}
    order = sorted(run_of)
    is_parted = any(
        run_of[one] != run_of[other] and _FOREIGN.search(text, found[one].end, found[other].start)
        for one, other in pairwise(order)
    )
    if not is_parted:
        return order
    first = runs[run_of[order[0]]]
    if not _is_foreign_before(text, found, first[0]):
        return first
    own = [run for run in runs if not _introducing_line(text, found, run[0])]
    if len(own) == 1:
        return own[0]
    return [] if len(runs[0]) > 1 else runs[0]


def _weight(found: Sequence[Occurrence], numbers: Sequence[int] | set[int]) -> int:
    return sum(found[number].size for number in numbers)


def _stretches(text: str, found: Sequence[Occurrence]) -> Iterator[list[int]]:
    """Numbers of occurrences with nobody's words between them, cut where one stands behind a later module's."""
    stretch: list[int] = []
    for number, each in enumerate(found):
        if stretch and (
            each.module <= found[number - 1].module or _FOREIGN.search(text, found[number - 1].end, each.start)
        ):
            yield stretch
            stretch = []
        stretch.append(number)
    if stretch:
        yield stretch


def _is_foreign_before(text: str, found: Sequence[Occurrence], number: int) -> bool:
    before = found[number - 1].end if number else 0
    return _FOREIGN.search(text, before, max(before, found[number].start)) is not None


def _is_foreign_behind(text: str, found: Sequence[Occurrence], number: int) -> bool:
    end = found[number + 1].start if number + 1 < len(found) else len(text)
    return _FOREIGN.search(text, found[number].end, end) is not None


def _longest_run(text: str, found: Sequence[Occurrence]) -> list[int]:
    """Numbers of the occurrences that are the longest text in the prompt's order.

    What is taken of a stretch counts, and what is left of it counts against it: a prompt goes on in its own text and
    not in the middle of somebody's copy. Of equally long runs that whose modules stand beside fewer foreign words.
    """
    size = max((each.module for each in found), default=0) + 2
    tree: list[tuple[int, int, int]] = [(0, 0, -1)] * size  # best so far among modules up to an index: a Fenwick tree
    best: list[tuple[int, int]] = []
    before: list[int] = []
    last, most = -1, (0, 0)
    for stretch in _stretches(text, found):
        left = whole = _weight(found, stretch)
        for number in stretch:
            each = found[number]
            chars, score, previous = 0, 0, -1
            at = each.module
            while at > 0:
                if tree[at][:2] > (chars, score):
                    chars, score, previous = tree[at]
                at -= at & -at
            chars -= whole - left
            if number > stretch[0]:
                chars, score, previous = max((chars, score, previous), (*best[-1], number - 1))
            left -= each.size
            chars += each.size
            if number == stretch[0] and _is_foreign_before(text, found, number):
                score -= 2
            if number == stretch[-1] and _is_foreign_behind(text, found, number):
                score -= 1
            best.append((chars, score))
            before.append(previous)
            if (chars - left, score) > most or last < 0:
                last, most = number, (chars - left, score)
            at = each.module + 1
            while at < size:
                if (chars - left, score) >= tree[at][:2]:  # of equal ones the nearest
                    tree[at] = (chars - left, score, number)
                at += at & -at
    run: list[int] = []
    while last >= 0:
        run.append(last)
        last = before[last]
    return run[::-1]


# What introduces a module


def _is_introduced(
    text: str, found: Sequence[Occurrence], number: int, placed: set[int], literals: Sequence[str]
) -> bool:
    line = _introducing_line(text, found, number)
    if not line:
        return False
    before = found[number].module - 1
    # The last line of the section before, which was edited somewhere else, is the agent's own.
    return before < 0 or before in placed or not literals[before].rstrip().endswith(line)


def _introducing_line(text: str, found: Sequence[Occurrence], number: int) -> str:
    """The line of somebody's words in front of a module that introduces it; empty when none does."""
    start = found[number].start
    low = max(found[number - 1].end if number else 0, start - LOOKED_BACK_CHARS)
    words = text[low:start]
    line = words.rstrip()
    if not line:
        return ""
    is_on_its_line = "\n" not in words[len(line) :] and "\r" not in words[len(line) :]
    line = line[max(line.rfind("\n"), line.rfind("\r")) + 1 :]
    return line.strip() if _INTRODUCES.search(line) or (is_on_its_line and _FOREIGN.search(line)) else ""


def _beginnings(text: str, found: Sequence[Occurrence], kept: Sequence[int]) -> set[int]:
    """Where the prompt itself begins, which a frame's words may introduce: most of it follows there in one piece."""
    total = _weight(found, kept)
    first = kept[0]
    inside = [first]
    for number in kept[1:]:
        if _FOREIGN.search(text, found[inside[-1]].end, found[number].start):
            break
        inside.append(number)
    return {first} if 2 * _weight(found, inside) > total else set()

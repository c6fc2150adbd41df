"""Which profiles begin as a text does; of many that begin alike, those that it can be from end to end.

The whole prompt of a profile begins with its text ahead of the first slot and ends with that behind the last one: of
1,000 versions of one prompt few characters tell which. Where many have both in common, they are told apart by lines:
the prompt has each of its lines (but those that touch a slot), and its neighbours side by side. One line, or pair of
neighbours, that fewest of the others have is what a text is asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from litellm_prompt_router.profile.profile import Profile
from litellm_prompt_router.request.recognise.line_index import LineHashes, line_hashes
from litellm_prompt_router.request.recognise.parting_texts import PartingTexts

HEAD_CHARS = 48
MAX_UNFILTERED = 8
"""So many profiles that begin alike are compared without asking for a line first."""
_PAIR = np.int64(0x2545F4914F6CDD1D)


class _Group(NamedTuple):
    """Profiles with one head, by number, and how they go on: none of that where they are few.

    ``keyed``: by what each must have, ``keys`` sorted; ``free`` need nothing.
    """

    members: tuple[int, ...]
    beginnings: PartingTexts
    endings: PartingTexts
    keys: LineHashes
    keyed: Mapping[int, list[int]]
    free: tuple[int, ...]


class HeadIndex:
    """Profiles by the first characters of their prompts."""

    def __init__(self, profiles: Sequence[Profile], runs: Sequence[Sequence[str]]) -> None:
        """``runs``: of each profile, the whole prompt's texts between its slots, from its beginning to its end."""
        members: dict[str, list[int]] = {}
        for number, profile in enumerate(profiles):
            head = profile.modules[0].parts[0]
            if isinstance(head, str) and len(head.strip()) >= HEAD_CHARS:
                members.setdefault(head.strip()[:HEAD_CHARS], []).append(number)
        self._groups = {head: _group(numbers, runs) for head, numbers in members.items()}

    def beginning_as(self, text: str) -> tuple[int, ...]:
        """The profiles that begin as the text does."""
        group = self._group_of(text)
        return group.members if group is not None else ()

    def may_be_whole(self, text: str, lines: Callable[[], LineHashes]) -> list[int]:
        """Those of them, in the same order, that the text may be from end to end; ``lines`` are all of its own."""
        group = self._group_of(text)
        if group is None:
            return []
        start = len(text) - len(text.lstrip()) if text[:1].isspace() else 0
        end = len(text.rstrip()) if text[-1:].isspace() else len(text)
        alike = group.endings.found_in(text, start, end)
        if len(alike) > MAX_UNFILTERED:
            beginning = set(group.beginnings.found_in(text, start, end))
            alike = [number for number in alike if number in beginning]
        if len(alike) > MAX_UNFILTERED:
            alike = list(_with_its_line(group, lines()).intersection(alike))
        return sorted(alike)

    def _group_of(self, text: str) -> _Group | None:
        return self._groups.get(text[:HEAD_CHARS] if not text[:1].isspace() else text.lstrip()[:HEAD_CHARS])


def _with_its_line(group: _Group, lines: LineHashes) -> set[int]:
    """Those that need no line, or whose line is among these."""
    own = np.concatenate([lines, _pairs(lines)])
    nearest = group.keys[np.minimum(np.searchsorted(group.keys, own), len(group.keys) - 1)]
    found = set(nearest[nearest == own].tolist())
    return {*group.free, *(number for key in found for number in group.keyed.get(key, ()))}


def _group(members: Sequence[int], runs: Sequence[Sequence[str]]) -> _Group:
    if len(members) <= MAX_UNFILTERED:
        none = PartingTexts((), from_end=True)
        return _Group(tuple(members), none, none, np.zeros(1, dtype=np.int64), {}, tuple(members))
    own = [_keys([run.splitlines()[1:-1] for run in runs[number]]) for number in members]
    every, counts = np.unique(np.concatenate(own), return_counts=True)
    keyed: dict[int, list[int]] = {}
    for number, keys in zip(members, own, strict=True):
        if len(keys):
            keyed.setdefault(int(keys[np.argmin(counts[np.searchsorted(every, keys)])]), []).append(number)
    return _Group(
        members=tuple(members),
        beginnings=PartingTexts([(number, runs[number][0]) for number in members], from_end=False),
        endings=PartingTexts([(number, runs[number][-1]) for number in members], from_end=True),
        keys=np.array(sorted(keyed), dtype=np.int64) if keyed else np.zeros(1, dtype=np.int64),
        keyed=keyed,
        free=tuple(number for number, keys in zip(members, own, strict=True) if not len(keys)),
    )


def _keys(texts: Sequence[Sequence[str]]) -> LineHashes:
    """Lines and pairs of neighbours."""
    hashes = [line_hashes(lines) for lines in texts]
    return np.unique(np.concatenate([np.zeros(0, dtype=np.int64), *hashes, *map(_pairs, hashes)]))


def _pairs(lines: LineHashes) -> LineHashes:
    pairs: LineHashes = lines[:-1] * _PAIR + lines[1:]
    return pairs

"""Which profiles begin as a text does; of many that begin alike, those that it can be from end to end.

The whole prompt of a profile has each of its lines (but those that touch a slot), and its neighbours side by side. One
line, or pair of neighbours, that fewest of the others have is what a text is asked for: of 1,000 versions of one prompt
that leaves one or two to compare.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from litellm_prompt_router.profile.profile import Profile
from litellm_prompt_router.request.recognise.line_index import LineHashes, line_hashes

HEAD_CHARS = 48
MAX_UNFILTERED = 8
"""So many profiles that begin alike are compared without asking for a line first."""
_PAIR = np.int64(0x2545F4914F6CDD1D)


class _Group(NamedTuple):
    """Profiles with one head, by number. ``keys``: sorted, what each of ``keyed`` must have; ``free`` need nothing."""

    members: tuple[int, ...]
    keys: LineHashes
    keyed: tuple[int, ...]
    free: tuple[int, ...]


class HeadIndex:
    """Profiles by the first characters of their prompts."""

    def __init__(self, profiles: Sequence[Profile], runs: Sequence[Sequence[str]]) -> None:
        """``runs``: of each profile, the whole prompt's texts between its slots."""
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

    def may_be_whole(self, text: str, lines: LineHashes) -> list[int]:
        """Those of them, in the same order, that the text may be from end to end; ``lines`` are all of its own."""
        group = self._group_of(text)
        if group is None:
            return []
        own = np.concatenate([lines, _pairs(lines)])
        places = np.minimum(np.searchsorted(group.keys, own), max(0, len(group.keys) - 1))
        found = set(group.keys[places][group.keys[places] == own].tolist()) if len(group.keys) else set()
        return sorted(
            (*group.free, *(n for n, key in zip(group.keyed, group.keys.tolist(), strict=True) if key in found))
        )

    def _group_of(self, text: str) -> _Group | None:
        return self._groups.get(text[:HEAD_CHARS] if not text[:1].isspace() else text.lstrip()[:HEAD_CHARS])


def _group(members: Sequence[int], runs: Sequence[Sequence[str]]) -> _Group:
    nothing = np.zeros(0, dtype=np.int64)
    if len(members) <= MAX_UNFILTERED:
        return _Group(tuple(members), nothing, (), ())
    own = [_keys([run.splitlines()[1:-1] for run in runs[number]]) for number in members]
    every, counts = np.unique(np.concatenate(own), return_counts=True)
    chosen = [
        (int(keys[np.argmin(counts[np.searchsorted(every, keys)])]), number)
        for number, keys in zip(members, own, strict=True)
        if len(keys)
    ]
    chosen.sort()
    keyed = {number for _, number in chosen}
    return _Group(
        members=tuple(members),
        keys=np.array([key for key, _ in chosen], dtype=np.int64),
        keyed=tuple(number for _, number in chosen),
        free=tuple(number for number in members if number not in keyed),
    )


def _keys(texts: Sequence[Sequence[str]]) -> LineHashes:
    """Lines and pairs of neighbours."""
    hashes = [line_hashes(lines) for lines in texts]
    return np.unique(np.concatenate([np.zeros(0, dtype=np.int64), *hashes, *map(_pairs, hashes)]))


def _pairs(lines: LineHashes) -> LineHashes:
    pairs: LineHashes = lines[:-1] * _PAIR + lines[1:]
    return pairs

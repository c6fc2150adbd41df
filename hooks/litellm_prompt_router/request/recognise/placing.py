"""Places modules on a text one after the other, wherever they are, and skips what it doesn't know."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from heapq import heapify, heappop, heappush
from typing import NamedTuple

from litellm_prompt_router.profile.profile import Module, Slot
from litellm_prompt_router.request.recognise.searched_text import Probes, SearchText, squeeze

PROBE_CHARS = 64
MIN_PROBE_CHARS = 12
"""A module whose first literal is shorter is placed only directly behind its neighbour."""
MAX_CANDIDATES = 32
"""Places tried for one module in one search, so that a text made of one repeated line stays cheap."""
MAX_AHEAD = 2
MAX_RESYNCS = 256
"""Stretches of unknown text skipped in one prompt; what follows the last is residue."""

_SPACE = re.compile(r"\s*")


class PlacedSpan(NamedTuple):
    """A placed literal or slot, ``[start, end)`` in the space being walked."""

    start: int
    end: int
    module: int
    slot: Slot | None
    opens: bool


class ModuleShape(NamedTuple):
    """A module's literals and slots with the outer white space off, in one space (raw or squeezed)."""

    parts: tuple[str | Slot, ...]
    probe: str
    """Head of the first literal long enough to search for; empty when there is none near the start."""
    ahead: tuple[str | Slot, ...]
    """What stands before that literal: nothing, a slot, or a few characters and a slot."""


class ShapeIndex:
    """A profile's module shapes in one space, and what stands where they begin."""

    def __init__(self, shapes: Sequence[ModuleShape]) -> None:
        self.shapes = tuple(shapes)
        self.probes = Probes(shape.probe for shape in shapes if shape.probe)
        self.searched = tuple(number for number, shape in enumerate(shapes) if shape.probe)
        """The modules that have a probe."""
        self._by_head: dict[str, list[int]] = {}
        for number in self.searched:
            if not shapes[number].ahead:
                self._by_head.setdefault(shapes[number].probe[:MIN_PROBE_CHARS], []).append(number)

    def beginning_at(self, text: str, at: int) -> Iterable[int]:
        """The modules, in prompt order, whose first literal may begin at ``at``."""
        return self._by_head.get(text[at : at + MIN_PROBE_CHARS], ())


def module_shape(module: Module, *, squeezed: bool) -> ModuleShape:
    parts: list[str | Slot] = list(module.parts)
    if squeezed:
        parts = [part if isinstance(part, Slot) else squeeze(part) for part in parts]
    elif parts:
        if isinstance(parts[0], str):
            parts[0] = parts[0].lstrip()
        if isinstance(parts[-1], str):
            parts[-1] = parts[-1].rstrip()
    parts = [part for part in parts if part]
    for number, part in enumerate(parts[: MAX_AHEAD + 1]):
        if isinstance(part, str) and len(part.strip()) >= MIN_PROBE_CHARS:
            return ModuleShape(parts=tuple(parts), probe=part[:PROBE_CHARS], ahead=tuple(parts[:number]))
    return ModuleShape(parts=tuple(parts), probe="", ahead=())


def place_modules(space: SearchText, index: ShapeIndex, *, skips_space: bool) -> list[PlacedSpan]:
    """Claims in text order. After each placed module the next in prompt order is tried first."""
    space.look_for((index.probes,))
    upcoming: _Upcoming | None = None
    claims: list[PlacedSpan] = []
    end = len(space.text)
    at = skip_space(space.text, 0) if skips_space else 0
    expected = 0
    resyncs = 0
    while at < end:
        here = _match_here(space, at, index, expected)
        if here is None:
            resyncs += 1
            if resyncs > MAX_RESYNCS:
                break
            upcoming = upcoming or _Upcoming(space, index)
            here = upcoming.first_behind(at, expected)
            if here is None:
                break
        claims.extend(here)
        at = here[-1].end
        if skips_space:
            at = skip_space(space.text, at)
        expected = here[-1].module + 1
    return claims


def skip_space(text: str, at: int) -> int:
    match = _SPACE.match(text, at)
    return match.end() if match else at


def slot_end(space: SearchText, at: int, slot: Slot, following: str) -> int | None:
    """Where the slot's value ends before the literal that follows it."""
    head = following[:PROBE_CHARS]
    last = min(len(space.text) - len(head), at + slot.max_chars)
    found = at - 1
    for _ in range(MAX_CANDIDATES if head else 0):
        found = space.next_piece(head, found + 1)
        if not 0 <= found <= last:
            break
        if space.text.startswith(following, found) and space.is_value(slot, at, found):
            return found
    return None


def _match_here(space: SearchText, at: int, index: ShapeIndex, expected: int) -> list[PlacedSpan] | None:
    """The claims of the module that stands at ``at``: the expected one, else the longest that fits."""
    shapes = index.shapes
    if expected < len(shapes):
        claims = _match(space, at, shapes, expected)
        if claims:
            return claims
    best: list[PlacedSpan] | None = None
    for module in index.beginning_at(space.text, at):
        claims = _match(space, at, shapes, module)
        if claims and (best is None or claims[-1].end > best[-1].end):
            best = claims
    return best


class _Upcoming:
    """The modules whose probes stand further on in a text that is walked from its beginning to its end.

    Each place is looked at once in the whole walk, however often it stops, unless a module begins with a slot: where it
    begins then depends on where the walk stands.
    """

    def __init__(self, space: SearchText, index: ShapeIndex) -> None:
        self._space = space
        self._shapes = index.shapes
        present = [module for module in index.searched if space.next_place(index.shapes[module].probe, 0) >= 0]
        self._present = present if any(index.shapes[module].ahead for module in present) else None
        self._places: list[tuple[int, int]] = [] if self._present is not None else [(-1, m) for m in present]
        """A heap of the next place of each module, and the module."""
        heapify(self._places)
        self._paused: list[int] = []
        """Modules whose next place isn't known: tried too often the last time, or placed."""

    def first_behind(self, at: int, expected: int) -> list[PlacedSpan] | None:
        """The claims of the module that begins soonest behind ``at``; None when there is none.

        Of several that begin there it is the longest, of equally long ones the first from the expected one on.
        """
        if self._present is not None:
            return self._each_behind(self._present, at, expected)
        paused, self._paused = self._paused, []
        for module in paused:
            self._push(module, at + 1)
        places = self._places
        best: list[PlacedSpan] | None = None
        tried: dict[int, int] = {}
        while places and (best is None or places[0][0] <= best[0].start):
            place, module = heappop(places)
            if place <= at:
                self._push(module, at + 1)
                continue
            claims = _match(self._space, place, self._shapes, module)
            tried[module] = tried.get(module, 0) + 1
            if claims or tried[module] == MAX_CANDIDATES:
                self._paused.append(module)
            else:
                self._push(module, place + 1)
            if claims and (best is None or _rank(claims, expected) < _rank(best, expected)):
                best = claims
        return best

    def _push(self, module: int, at: int) -> None:
        place = self._space.next_place(self._shapes[module].probe, at)
        if place >= 0:
            heappush(self._places, (place, module))

    def _each_behind(self, present: Sequence[int], at: int, expected: int) -> list[PlacedSpan] | None:
        best: list[PlacedSpan] | None = None
        limit = len(self._space.text)
        for module in sorted(present, key=lambda module: (module < expected, module)):
            found = at
            for _ in range(MAX_CANDIDATES):
                found = self._space.next_place(self._shapes[module].probe, found + 1)
                if not 0 <= found <= limit:
                    break
                claims = _match_around(self._space, at, found, self._shapes, module)
                if claims and (best is None or claims[0].start < limit or claims[-1].end > best[-1].end):
                    best, limit = claims, claims[0].start
                    break
        return best


def _rank(claims: list[PlacedSpan], expected: int) -> tuple[int, bool, int]:
    module = claims[0].module
    return -claims[-1].end, module < expected, module


def _match_around(
    space: SearchText, at: int, found: int, shapes: tuple[ModuleShape, ...], module: int
) -> list[PlacedSpan] | None:
    """The claims of ``module`` whose probe stands at ``found`` and which begins at ``at`` or behind it."""
    match shapes[module].ahead:
        case ():
            return _match(space, found, shapes, module)
        case (Slot() as slot,):
            start = space.value_start(slot, at, found)
            return None if start is None else _match(space, start, shapes, module)
        case (str() as head, Slot() as slot):
            start = found
            for _ in range(MAX_CANDIDATES):
                start = space.text.rfind(head, max(at, found - slot.max_chars - len(head)), start)
                claims = _match(space, start, shapes, module) if start >= 0 else None
                if claims or start < 0:
                    return claims
    return None


def _match(space: SearchText, at: int, shapes: tuple[ModuleShape, ...], module: int) -> list[PlacedSpan] | None:
    """The claims of ``module`` placed exactly at ``at``, or None."""
    parts = shapes[module].parts
    claims: list[PlacedSpan] = []
    for number, part in enumerate(parts):
        if isinstance(part, str):
            if not space.text.startswith(part, at):
                return None
            claims.append(PlacedSpan(at, at + len(part), module, None, not claims))
            at += len(part)
            continue
        end = slot_end(space, at, part, _literal_after(shapes, module, number))
        if end is None and (number + 1 == len(parts) or isinstance(parts[number + 1], Slot)):
            end = _open_end(space, at, part, shapes)
        if end is None and part.volatile:
            # Lifted out already, by a walk before this one; what follows has to stand right here.
            continue
        if end is None:
            return None
        claims.append(PlacedSpan(at, end, module, part, not claims))
        at = end
    return claims


def _literal_after(shapes: tuple[ModuleShape, ...], module: int, part: int) -> str:
    """The literal that follows a slot: in its own module or, at the end of that, in the next one."""
    rest = shapes[module].parts[part + 1 :] or (shapes[module + 1].parts if module + 1 < len(shapes) else ())
    return rest[0] if rest and isinstance(rest[0], str) else ""


def _open_end(space: SearchText, at: int, slot: Slot, shapes: tuple[ModuleShape, ...]) -> int | None:
    """Where a value ends that no literal of its own closes: where known text begins, else where its pattern ends."""
    limit = min(len(space.text), at + slot.max_chars)
    for shape in shapes:
        if shape.probe:
            found = space.next_place(shape.probe, at)
            limit = found if 0 <= found <= limit else limit
    if limit < at + slot.max_chars and space.is_value(slot, at, limit):
        return limit
    return space.value_end(slot, at, limit)

"""Places modules on a text one after the other, wherever they are, and skips what it doesn't know."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from heapq import heappop, heappush
from itertools import islice
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

NEAR_CHARS = 2_000
"""How far a module is searched for before all places of all modules are found."""
MAX_NEAR_SEARCHES = 3

MAX_TAGS = 1_000
"""Tags of a slot's value that are looked at."""
MAX_OPEN_TAGS = 4
"""Of those that the value doesn't close, the first ones are looked for behind it."""

_TAG = re.compile(r"<(/?)([^\W\d][\w.:-]{0,80})(?:\s[^<>]{0,200})?>")
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


def most_visible(squeezed: str, shape: ModuleShape, place: int) -> int:
    """The most characters that a module can take of a squeezed text, its probe standing at ``place``.

    0 when one of its literals isn't there or, behind a slot, nowhere further on. A value begins behind the literals
    ahead of it, and ends where the literal behind it begins.
    """
    total = 0
    at = place
    for number, part in enumerate(shape.parts):
        if isinstance(part, str):
            total += len(part)
            if number == len(shape.ahead) and not squeezed.startswith(part, place):
                return 0
            if number > len(shape.ahead):
                at = squeezed.find(part, at)
                if at < 0:
                    return 0
            if number >= len(shape.ahead):
                at += len(part)
            continue
        following = shape.parts[number + 1] if number + 1 < len(shape.parts) else None
        last = squeezed.rfind(following, at) if isinstance(following, str) and number > len(shape.ahead) else -1
        total += min(part.max_chars, last - at) if last >= 0 else part.max_chars
    return total


class ShapeIndex:
    """A profile's module shapes in one space, and what stands where they begin."""

    def __init__(self, shapes: Sequence[ModuleShape]) -> None:
        self.shapes = tuple(shapes)
        self.probes = Probes(shape.probe for shape in shapes if shape.probe)
        self.searched = tuple(number for number, shape in enumerate(shapes) if shape.probe)
        """The modules that have a probe."""
        self.has_ahead = any(shapes[number].ahead for number in self.searched)
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
    space.begin_walk()
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
    """Where the slot's value ends before the literal that follows it.

    Not inside a tag that opens in the value and is closed behind that place: that literal is quoted. But where there is
    no other place, there.
    """
    head = following[:PROBE_CHARS]
    last = min(len(space.text) - len(head), at + slot.max_chars)
    found = at - 1
    in_tag: int | None = None
    for _ in range(MAX_CANDIDATES if head else 0):
        found = space.next_piece(head, found + 1)
        if not 0 <= found <= last:
            break
        if space.text.startswith(following, found) and space.is_value(slot, at, found):
            if not is_in_tag(space.text, at, found):
                return found
            in_tag = found if in_tag is None else in_tag
    return in_tag


def is_in_tag(text: str, at: int, place: int) -> bool:
    """True when a tag that opens in ``[at, place)`` isn't closed there but is behind it."""
    opened: list[str] = []
    if text.find("<", at, place) >= 0:
        for tag in islice(_TAG.finditer(text, at, place), MAX_TAGS):
            if not tag[1]:
                opened.append(tag[2])
            elif tag[2] in opened:
                del opened[opened.index(tag[2]) :]
    return any(text.find(f"</{name}>", place) >= 0 for name in dict.fromkeys(opened[:MAX_OPEN_TAGS]))


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

    Mostly the next one is near. Where it isn't, all places of all probes are found at once, and each is looked at once
    in the whole walk, however often that stops. Where a module may begin with a slot, its beginning depends on where
    the walk stands, and so does which of two wins: those are searched for one after the other each time.
    """

    def __init__(self, space: SearchText, index: ShapeIndex) -> None:
        self._space = space
        self._index = index
        self._near_searches = MAX_NEAR_SEARCHES if space.knows(index.probes) else 0
        self._places: list[tuple[int, int, int, int]] | None = None
        """A heap of the next place of each module's first literal, and the module: with where the walk stood when it
        was looked for, and how many more may be tried from there."""
        self._paused: list[int] = []
        """Modules whose next place isn't known: tried too often the last time, or placed."""

    def first_behind(self, at: int, expected: int) -> list[PlacedSpan] | None:
        """The claims of the module that begins soonest behind ``at``; None when there is none.

        Of several that begin there it is the longest, of equally long ones the first from the expected one on.
        """
        index, space = self._index, self._space
        if index.has_ahead:
            space.look_for(index.probes)
            return self._each_behind(at, expected, len(space.text), space.next_place)
        if self._near_searches < MAX_NEAR_SEARCHES and self._places is None:
            self._near_searches += 1
            limit = min(len(space.text), at + NEAR_CHARS)
            found = self._each_behind(at, expected, limit, space.text.find)
            if found is not None or limit == len(space.text):
                return found
        return self._first_of_all_behind(at, expected)

    def _first_of_all_behind(self, at: int, expected: int) -> list[PlacedSpan] | None:
        if self._places is None:
            self._space.look_for(self._index.probes)
            self._places = []
            self._paused = list(self._index.searched)
        paused, self._paused = self._paused, []
        for module in paused:
            self._push(module, at, at, MAX_CANDIDATES)
        best: list[PlacedSpan] | None = None
        while self._places and (best is None or self._places[0][0] <= best[0].start):
            place, module, looked_from, left = heappop(self._places)
            if place <= at:
                self._push(module, at, at, MAX_CANDIDATES)
                continue
            claims = _match(self._space, place, self._index.shapes, module)
            if claims:
                self._paused.append(module)
            else:
                if looked_from != at:
                    left = MAX_CANDIDATES - self._space.places_between(self._index.shapes[module].probe, at + 1, place)
                self._push(module, at, place, left)
            if claims and (best is None or _rank(claims, expected) < _rank(best, expected)):
                best = claims
        return best

    def _push(self, module: int, at: int, behind: int, most: int) -> None:
        assert self._places is not None
        shape = self._index.shapes[module]
        literal = shape.parts[0]
        assert isinstance(literal, str)
        place, left = self._space.next_whole(shape.probe, literal, behind + 1, most)
        if place >= 0:
            heappush(self._places, (place, module, at, left))
        elif not left:
            self._paused.append(module)

    def _each_behind(
        self, at: int, expected: int, limit: int, next_place: Callable[[str, int, int], int]
    ) -> list[PlacedSpan] | None:
        """The same up to a limit, module by module, each only as far as one before it was found."""
        shapes = self._index.shapes
        best: list[PlacedSpan] | None = None
        for module in sorted(self._index.searched, key=lambda module: (module < expected, module)):
            found = at
            probe = shapes[module].probe
            for _ in range(MAX_CANDIDATES):
                found = next_place(probe, found + 1, limit + len(probe))
                if found < 0:
                    break
                claims = _match_around(self._space, at, found, shapes, module)
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
            found = space.next_place(shape.probe, at, limit + len(shape.probe))
            limit = found if found >= 0 else limit
    if limit < at + slot.max_chars and space.is_value(slot, at, limit):
        return limit
    return space.value_end(slot, at, limit)

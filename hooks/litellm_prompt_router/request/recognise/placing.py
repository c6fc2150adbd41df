"""Places modules on a text one after the other, wherever they are, and skips what it doesn't know.

A text is looked at in one of two ways: as it came (``RawText``), or without its white space (``SqueezedText``).
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from itertools import accumulate, islice
from typing import NamedTuple, Protocol

from litellm_prompt_router.profile.profile import Module, Slot

CHUNK_CHARS = 256
"""A prompt on one line is looked through in chunks of this size."""


class SearchText(Protocol):
    """A text to place modules on."""

    @property
    def text(self) -> str: ...

    def is_value(self, slot: Slot, start: int, end: int) -> bool:
        """True when ``[start, end)`` is a value of the slot, white space around it or not."""

    def value_end(self, slot: Slot, at: int, limit: int) -> int | None:
        """How far the slot's pattern reaches from ``at``."""

    def value_start(self, slot: Slot, at: int, end: int) -> int | None:
        """Where, behind ``at``, a value of the slot begins that ends at ``end``."""


class RawText:
    """A text as it came."""

    def __init__(self, text: str) -> None:
        self.text = text

    def is_value(self, slot: Slot, start: int, end: int) -> bool:
        if end - start > slot.max_chars:
            return False
        value = self.text[start:end]
        return slot.pattern.fullmatch(value) is not None or slot.pattern.fullmatch(value.strip()) is not None

    def value_end(self, slot: Slot, at: int, limit: int) -> int | None:
        match = slot.pattern.match(self.text[at:limit])
        return at + match.end() if match else None

    def value_start(self, slot: Slot, at: int, end: int) -> int | None:
        first = max(at, end - slot.max_chars)
        found = _last_value(slot, self.text[first:end].rstrip())
        return None if found is None else first + found


class SqueezedText:
    """A text without its white space, and the way back to positions in the original."""

    def __init__(self, raw: str) -> None:
        self._raw = raw
        self._chunks = [
            line[at : at + CHUNK_CHARS] for line in raw.splitlines(True) for at in range(0, len(line), CHUNK_CHARS)
        ]
        squeezed = [squeeze(line) for line in self._chunks]
        self.text = "".join(squeezed)
        self._raw_starts = [0, *accumulate(map(len, self._chunks))]
        self._starts = [0, *accumulate(map(len, squeezed))]

    def raw_start(self, at: int) -> int:
        """Original position of the ``at``-th visible character."""
        if at >= len(self.text):
            return len(self._raw)
        line = bisect_right(self._starts, at) - 1
        return self._raw_starts[line] + self._nth(line, at - self._starts[line])

    def raw_end(self, at: int) -> int:
        """Original position just behind the ``at - 1``-th visible character."""
        if at == 0:
            return 0
        line = bisect_left(self._starts, at) - 1
        return self._raw_starts[line] + self._nth(line, at - 1 - self._starts[line]) + 1

    def is_value(self, slot: Slot, start: int, end: int) -> bool:
        value = self._raw_text(start, end)
        if len(value) > slot.max_chars:
            return False
        return slot.pattern.fullmatch(value) is not None or slot.pattern.fullmatch(f"{value}\n") is not None

    def value_end(self, slot: Slot, at: int, limit: int) -> int | None:
        start = self.raw_start(at)
        value = one_newline(self._raw[start : min(start + slot.max_chars, self.raw_end(limit))])
        match = slot.pattern.match(value)
        return None if match is None else at + len(squeeze(value[: match.end()]))

    def value_start(self, slot: Slot, at: int, end: int) -> int | None:
        window = self._raw_text(max(at, end - slot.max_chars), end)
        found = _last_value(slot, window)
        return None if found is None else end - len(squeeze(window[found:]))

    def _raw_text(self, start: int, end: int) -> str:
        return one_newline(self._raw[self.raw_start(start) : self.raw_end(end)]) if end > start else ""

    def _nth(self, line: int, count: int) -> int:
        """Position in a line of its ``count``-th character that isn't white space."""
        visible = (at for at, character in enumerate(self._chunks[line]) if not character.isspace())
        return next(islice(visible, count, None))


def squeeze(text: str) -> str:
    return "".join(text.split())


def one_newline(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _last_value(slot: Slot, window: str) -> int | None:
    """Where the value begins that ends the window."""
    return next((match.start() for match in slot.pattern.finditer(window) if match.end() == len(window)), None)


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


def place_modules(space: SearchText, shapes: tuple[ModuleShape, ...], *, skips_space: bool) -> list[PlacedSpan]:
    """Claims in text order. After each placed module the next in prompt order is tried first."""
    claims: list[PlacedSpan] = []
    end = len(space.text)
    at = skip_space(space.text, 0) if skips_space else 0
    expected = 0
    resyncs = 0
    while at < end:
        here = _match_here(space, at, shapes, expected)
        if here is None:
            resyncs += 1
            here = _resync(space, at, shapes, expected) if resyncs <= MAX_RESYNCS else None
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
    limit = min(len(space.text), at + slot.max_chars + len(head))
    found = at - 1
    for _ in range(MAX_CANDIDATES if head else 0):
        found = space.text.find(head, found + 1, limit)
        if found < 0:
            break
        if space.text.startswith(following, found) and space.is_value(slot, at, found):
            return found
    return None


def _match_here(space: SearchText, at: int, shapes: tuple[ModuleShape, ...], expected: int) -> list[PlacedSpan] | None:
    """The claims of the module that stands at ``at``: the expected one, else the longest that fits."""
    if expected < len(shapes):
        claims = _match(space, at, shapes, expected)
        if claims:
            return claims
    best: list[PlacedSpan] | None = None
    for module, shape in enumerate(shapes):
        if shape.probe and not shape.ahead and space.text.startswith(shape.probe, at):
            claims = _match(space, at, shapes, module)
            if claims and (best is None or claims[-1].end > best[-1].end):
                best = claims
    return best


def _resync(space: SearchText, at: int, shapes: tuple[ModuleShape, ...], expected: int) -> list[PlacedSpan] | None:
    """The claims of the module that begins soonest behind ``at``; None when there is none."""
    best: list[PlacedSpan] | None = None
    limit = len(space.text)
    for module in (*range(expected, len(shapes)), *range(min(expected, len(shapes)))):
        shape = shapes[module]
        found = at
        for _ in range(MAX_CANDIDATES if shape.probe else 0):
            found = space.text.find(shape.probe, found + 1, limit + len(shape.probe))
            if found < 0:
                break
            claims = _match_around(space, at, found, shapes, module)
            if claims and (best is None or claims[0].start < limit or claims[-1].end > best[-1].end):
                best, limit = claims, claims[0].start
                break
    return best


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
            found = space.text.find(shape.probe, at, min(len(space.text), limit + len(shape.probe)))
            limit = found if found >= 0 else limit
    if limit < at + slot.max_chars and space.is_value(slot, at, limit):
        return limit
    return space.value_end(slot, at, limit)

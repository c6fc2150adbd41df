"""A prompt with its slots marked: what is literal in a stretch of it, and how its module file reads."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence

from litellm_prompt_router.authoring.split.slot_finding import Placed


class Template:
    """The first version of a prompt and the slots in it, in order. An empty slot belongs to what follows it."""

    def __init__(self, text: str, placed: Sequence[Placed]) -> None:
        self.text = text
        self.placed = tuple(placed)
        self._starts = [slot.start for slot in placed]

    def is_inside(self, at: int) -> bool:
        """True when a cut at ``at`` would go through a slot."""
        number = bisect_left(self._starts, at) - 1
        return number >= 0 and at < self.placed[number].end

    def literal(self, start: int, end: int) -> str:
        """The text of ``[start, end)`` without its slots."""
        return "".join(part for part in self._parts(start, end) if isinstance(part, str))

    def file_text(self, start: int, end: int) -> str:
        """The text of ``[start, end)`` with ``{{name}}`` for each slot."""
        parts = self._parts(start, end)
        return "".join(part if isinstance(part, str) else f"{{{{{part.slot.name}}}}}" for part in parts)

    def _parts(self, start: int, end: int) -> Iterator[str | Placed]:
        at = start
        last = len(self.placed) if end == len(self.text) else bisect_left(self._starts, end)
        for slot in self.placed[bisect_left(self._starts, start) : last]:
            yield self.text[at : slot.start]
            yield slot
            at = slot.end
        yield self.text[at:end]

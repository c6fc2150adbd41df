"""A draft profile: its modules and slots, and the doubts and proposals for its owner to review."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

DEFAULT_VERSION = "1"


@dataclass(frozen=True, kw_only=True, slots=True)
class DraftSlot:
    """A slot as it will be declared. ``max_chars`` None: the library's own limit."""

    name: str
    pattern: str
    sample: str
    volatile: bool
    description: str = ""
    max_chars: int | None = None
    stays: bool = False
    """It varies with every version, but has no sentence or block of its own that could move to the prompt's end."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PlacedSlot:
    """A slot at ``[start, end)`` of the first version, and its value in each version."""

    start: int
    end: int
    slot: DraftSlot
    values: tuple[str, ...]


class SlottedPrompt:
    """The first version of a prompt and the slots in it, in order. An empty slot belongs to what follows it."""

    def __init__(self, text: str, placed: Sequence[PlacedSlot]) -> None:
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

    def tokens(self, start: int, end: int, count: Callable[[str], int]) -> int:
        """Of the literal text, counted as a loaded profile's are: what stands between slots by itself."""
        return sum(count(part) for part in self._parts(start, end) if isinstance(part, str))

    def file_text(self, start: int, end: int) -> str:
        """The text of ``[start, end)`` with ``{{name}}`` for each slot."""
        parts = self._parts(start, end)
        return "".join(part if isinstance(part, str) else f"{{{{{part.slot.name}}}}}" for part in parts)

    def _parts(self, start: int, end: int) -> Iterator[str | PlacedSlot]:
        at = start
        last = len(self.placed) if end == len(self.text) else bisect_left(self._starts, end)
        for slot in self.placed[bisect_left(self._starts, start) : last]:
            yield self.text[at : slot.start]
            yield slot
            at = slot.end
        yield self.text[at:end]


@dataclass(frozen=True, kw_only=True, slots=True)
class DraftModule:
    """One module. ``text`` is what its file holds: the prompt's text with ``{{name}}`` where a slot stands.

    ``reason``: why it is in the core; empty when it isn't. ``until_labelled``: it is there only until labels show who
    needs it. ``evidence``: what shows that it isn't always needed. ``chars`` and ``tokens`` are of the literal text.
    """

    id: str
    file: str
    title: str
    description: str
    always: bool
    until_labelled: bool
    reason: str
    evidence: str
    requires: tuple[str, ...]
    tools: tuple[str, ...]
    triggers: tuple[str, ...]
    examples: tuple[str, ...]
    text: str
    chars: int
    tokens: int
    lost_messages: tuple[str, ...] = ()
    """Captured user messages that came without its tools, so without it, when it isn't in the core."""
    when: str = ""
    """One line for a routing model, where a model drafted it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class DraftDoubt:
    """A question for the owner to decide. ``module`` None: it concerns the whole profile."""

    module: str | None
    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Proposal:
    """A value of a single sample that probably varies, such as a date: a likely slot."""

    kind: str
    value: str
    line: int
    """Counted from 1."""
    module: str
    pattern: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Draft:
    """A profile to be reviewed: modules in prompt order.

    ``prompt`` is the first sample; where its slots' values are of a machine or a project, with made-up ones.
    """

    name: str
    version: str
    description: str
    prompt: str
    modules: tuple[DraftModule, ...]
    slots: tuple[DraftSlot, ...]
    proposals: tuple[Proposal, ...]
    doubts: tuple[DraftDoubt, ...]
    sample_count: int
    ignore: tuple[tuple[str, str], ...] = ()
    """``(field, value)`` of each rule of ``ignore:``."""
    declared: tuple[str, ...] = ()
    """The tools that requests with this prompt declare; none where no request was seen."""
    conversations: int = 0
    """The captured conversations that it was drafted from; 0 where it wasn't from traffic."""

    @property
    def tokens(self) -> int:
        return sum(module.tokens for module in self.modules)

    @property
    def core_tokens(self) -> int:
        return sum(module.tokens for module in self.modules if module.always)

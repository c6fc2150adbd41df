"""What is known of an agent's prompt: its modules in order, with the slots inside them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

from hooks.fitted import Fitted

Ttl = Literal["5m", "1h"]
Placement = Literal["append", "grow", "latest"]
"""Where late modules go: behind the message that first needed them; at the system prompt's end; or nowhere,
because each message gets a prompt of its own."""


class Found(Protocol):
    """A match in a string."""

    def start(self) -> int: ...
    def end(self) -> int: ...


class ValuePattern(Protocol):
    """A compiled pattern, of whichever engine."""

    def fullmatch(self, text: str, /) -> Found | None: ...
    def match(self, text: str, /) -> Found | None: ...
    def finditer(self, text: str, /) -> Iterator[Found]: ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Slot:
    """A span that varies between requests: ``pattern`` must match the whole value."""

    name: str
    pattern: ValuePattern
    sample: str
    volatile: bool
    max_chars: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Module:
    """A contiguous piece of the original prompt: literal text and the slots inside it, in order.

    ``tokens`` is the size of its literal text.
    """

    id: str
    title: str
    description: str
    always: bool
    requires: tuple[str, ...]
    triggers: tuple[str, ...]
    examples: tuple[str, ...]
    tools: tuple[str, ...]
    parts: tuple[str | Slot, ...]
    tokens: int

    @property
    def text(self) -> str:
        """The module as it stands in the original prompt, slots filled with their samples."""
        return "".join(part if isinstance(part, str) else part.sample for part in self.parts)


@dataclass(frozen=True, kw_only=True, slots=True)
class Economics:
    """What tuning found cheapest, decided for each conversation by what its first turn selects beside the core.

    ``bundles``: sets of module indexes; the smallest that holds the selection takes its place. None: the selection
    itself, if at least ``min_dropped`` tokens are left out for each token selected. Else every module is sent.
    """

    rewrites: bool = True
    """False: every conversation is left as it came."""
    min_dropped: float = 0.0
    bundles: tuple[frozenset[int], ...] | None = None
    read_share: float | None = None
    """What cached tokens cost where it was tuned, as a share of the input price; ``write_share`` likewise."""
    write_share: float | None = None
    profile_version: str | None = None
    """The profile as it was tuned."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Embedding:
    """The embedding model that messages of this profile are sent to."""

    model: str
    """Any name that LiteLLM knows, or a model group of the proxy."""
    timeout_seconds: float


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Profile:
    """All that is known of one agent's prompt, modules in prompt order. ``digest`` covers texts and metadata."""

    name: str
    version: str
    digest: str
    description: str
    modules: tuple[Module, ...]
    coverage_floor: float | None
    cache_ttl: Ttl
    placement: Placement | None = None
    """None: what the deployments make best."""
    economics: Economics | None = None
    """None: nobody tuned it, and a cautious rule decides."""
    order: Mapping[str, int] = field(repr=False)
    fitted: Fitted | None = field(default=None, repr=False)
    """What `prompt-router fit` learned; None: triggers alone."""
    embedding: Embedding | None = None
    """None: no text of anybody's is sent to an embedding model."""

    @property
    def text(self) -> str:
        """The monolithic prompt."""
        return "".join(module.text for module in self.modules)

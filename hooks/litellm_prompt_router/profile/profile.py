"""A profile: an agent's prompt as modules in order, the slots inside them, and its routing data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

from litellm_prompt_router.documents.plurals import many
from litellm_prompt_router.profile.fitted import Fitted, ModelLists

NO_ROUTER = "none"
Ttl = Literal["5m", "1h"]
Placement = Literal["append", "grow", "latest"]
"""Where late modules go: behind the message that first needed them; at the system prompt's end; or nowhere,
because each message gets a prompt of its own."""


class PatternMatch(Protocol):
    """A match in a string; a group that took no part in it starts and ends at -1."""

    def start(self, group: int = 0, /) -> int: ...
    def end(self, group: int = 0, /) -> int: ...


class ValuePattern(Protocol):
    """A compiled pattern of any engine."""

    @property
    def groups(self) -> int: ...
    def fullmatch(self, text: str, /) -> PatternMatch | None: ...
    def match(self, text: str, /) -> PatternMatch | None: ...
    def search(self, text: str, /) -> PatternMatch | None: ...
    def finditer(self, text: str, /) -> Iterator[PatternMatch]: ...


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

    ``tokens`` is the size of its literal text. ``optional``: a person says that without a fit, too, it may be left out
    where no trigger, tool call or requirement asks for it.
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
    optional: bool = False
    until_labelled: bool = False
    """It is in the core for want of evidence: `fit` may take it out where labels show who needs it."""
    when: str = ""
    """One line for the routing model: when a request needs it."""

    @property
    def text(self) -> str:
        """The module as it stands in the original prompt, slots filled with their samples."""
        return "".join(part if isinstance(part, str) else part.sample for part in self.parts)


@dataclass(frozen=True, kw_only=True, slots=True)
class ObservedUse:
    """How conversations use a profile, as labelled messages or a ledger show it. The cost gate goes by it."""

    calls_per_message: float | None = None
    """Calls that one user message leads to, tool loops included."""
    later_chances: Mapping[str, float] | None = None
    """By module id: the chance that a conversation which begins without the module needs it later."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Economics:
    """The cheapest way found by tuning, applied to each conversation by what its first turn selects beside the core.

    ``bundles``: sets of module indexes; the smallest that holds the selection takes its place. None: the selection
    itself, if at least ``min_dropped`` tokens are left out for each token selected. Else every module is sent.
    """

    is_tuned: bool = True
    """False: no way was found or looked for; nothing but ``use`` is known, and the untuned rule decides."""
    rewrites: bool = True
    """False: every conversation is left as it came."""
    min_dropped: float = 0.0
    bundles: tuple[frozenset[int], ...] | None = None
    read_share: float | None = None
    """Cached tokens' price in the tuning, as a share of the input price; ``write_share`` is that of cache writes."""
    write_share: float | None = None
    profile_version: str | None = None
    """The profile's version when it was tuned."""
    router: str | None = None
    """``Profile.router`` then; ``routing`` is ``Profile.routing``. None: not stated, so that nothing can differ."""
    routing: str | None = None
    conversations: int | None = None
    """How many it was tuned on; None where nobody says."""
    use: ObservedUse | None = None
    """What the traffic that it was tuned on showed; holds where the tuning itself doesn't, too."""


@dataclass(frozen=True, kw_only=True, slots=True)
class EmbeddingSettings:
    """The embedding model that messages of this profile are sent to."""

    model: str
    """Any name that LiteLLM knows, or a model group of the proxy."""
    timeout_seconds: float


@dataclass(frozen=True, kw_only=True, slots=True)
class RoutingModelSettings:
    """The chat model that is asked what messages of this profile need."""

    model: str
    """A model group of the proxy, or any chat model that LiteLLM knows."""
    hedge_model: str | None
    """Asked as well where the first hasn't answered by half of the time; the first answer holds."""
    timeout_seconds: float
    budget_usd_per_hour: float | None
    """Of one process; beyond it nothing is asked. None: no limit."""
    lists: ModelLists | None = None
    """Which of its lists select, whatever a fit found. None: those that a fit chose, both without one."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Ignore:
    """What an agent puts into user messages beside the user's own words, block by block.

    Patterns of ``skip``, ``results`` and ``summaries`` are matched at a block's beginning, the others anywhere.
    """

    tags: tuple[str, ...] = ()
    """Elements that are cut out, with all that is in them."""
    inside: tuple[str, ...] = ()
    """Elements that hold the user's words: where there is one, what is around it doesn't count."""
    drop: tuple[ValuePattern, ...] = ()
    """Cut out."""
    keep: tuple[ValuePattern, ...] = ()
    """Where one matches, the first group is the user's words and the rest doesn't count."""
    skip: tuple[ValuePattern, ...] = ()
    """A block that begins so is the agent's."""
    results: tuple[ValuePattern, ...] = ()
    """A message whose first block begins so is what a tool gave back, all of it."""
    summaries: tuple[ValuePattern, ...] = ()
    """A message with a block that begins so stands for earlier turns that the agent took out."""
    block: Literal["all", "first", "last"] = "all"
    """Which of the blocks that have words left are the user's."""

    def with_(self, other: Ignore) -> Ignore:
        """Both together; where they differ on the block, the other's holds."""
        return Ignore(
            tags=self.tags + other.tags,
            inside=self.inside + other.inside,
            drop=self.drop + other.drop,
            keep=self.keep + other.keep,
            skip=self.skip + other.skip,
            results=self.results + other.results,
            summaries=self.summaries + other.summaries,
            block=self.block if other.block == "all" else other.block,
        )


def how_to_review(name: str, sheet: str | None = None) -> str:
    """What a person does with a profile that nobody reviewed; ``sheet`` is its review sheet's path where known."""
    command = f"prompt-router review {name}"
    return f"read {sheet or f'`{command}`'}, then accept it with `{command} --accept`"


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
    """None: chosen for the deployments' providers and models."""
    economics: Economics | None = None
    """None: not tuned; a cautious rule decides."""
    ignore: Ignore = field(default=Ignore(), repr=False)
    """The rules of its ``ignore:``, without those for every agent."""
    order: Mapping[str, int] = field(repr=False)
    fitted: Fitted | None = field(default=None, repr=False)
    """What `prompt-router fit` learned; None: triggers alone."""
    embedding: EmbeddingSettings | None = None
    """None: no message is sent to an embedding model."""
    routing_model: RoutingModelSettings | None = None
    """None: no chat model is asked."""
    reviewed: bool = True
    """False: a draft that no person has looked at; it runs in shadow at most."""
    router: str = NO_ROUTER
    """A short digest of what was fitted, and of the models that it is used with; ``none``: neither fit nor model."""
    routing: str | None = None
    """A short digest of all else that selects modules: their texts, triggers, tools, requirements and marks."""

    @property
    def economics_in_force(self) -> Economics | None:
        """What tuning found, as long as modules are selected as they were in the tuning."""
        tuned = self.economics
        return tuned if tuned is not None and tuned.is_tuned and self.outdated_tuning is None else None

    @property
    def outdated_tuning(self) -> str | None:
        """What changed since the tuning, so that it doesn't hold any more; None where it holds or there is none."""
        tuned = self.economics
        if tuned is None or not tuned.is_tuned:
            return None
        if tuned.profile_version is not None and tuned.profile_version != self.version:
            return f"tuned on version {tuned.profile_version}"
        if tuned.router is not None and tuned.router != self.router:
            return "tuned with a fit that is gone" if self.router == NO_ROUTER else self._newer_router

        if tuned.routing is not None and tuned.routing != self.routing:
            return "tuned before modules, their triggers, tools or marks were changed"
        return None

    @property
    def _newer_router(self) -> str:
        asked = "" if self.routing_model is None else ", or before the routing model or its sections were changed"
        return f"tuned before the last fit{asked}"

    @property
    def left_alone(self) -> str | None:
        """Why every request of this profile is left as it came; None where that isn't so."""
        tuned = self.economics_in_force
        if tuned is None or tuned.rewrites:
            return None
        if tuned.conversations is None:
            return "left alone: its economics say so"
        return f"left alone: no gain in simulate on {many(tuned.conversations, 'conversation')}"

    @property
    def is_calibrated(self) -> bool:
        """True where a fit promises something of what it leaves out."""
        return self.fitted is not None and self.fitted.calibration.promise != "none"

    @property
    def text(self) -> str:
        """The monolithic prompt."""
        return "".join(module.text for module in self.modules)

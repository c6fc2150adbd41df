"""What is found out about each agent, step by step. Plain figures and names, so that a file can keep them."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

from litellm_prompt_router.analysis.simulate.cost_report import Parts
from litellm_prompt_router.analysis.simulate.gain import Shown

Origin = Literal["drafted", "kept", "found", "edited"]
"""A profile drafted now; the draft of an earlier run; one that was there and isn't of a run; one that was drafted by a
run and changed since. The last two are used as they are."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FoundAgent:
    """An agent of the traffic and its profile. ``reason``: why it has none."""

    profile: str | None
    origin: Origin | None
    reason: str | None
    begins: str
    calls: int
    conversations: int
    chars: int
    tokens: int
    """Of all its calls' system prompts."""
    tools: int
    keys: tuple[str, ...]
    models: tuple[str, ...]
    masked: int
    """Places of its prompt that `capture` masked, which won't match in flight."""

    @property
    def is_our_draft(self) -> bool:
        """True for a draft of `onboard` that nobody has touched, which a run may write into."""
        return self.origin in ("drafted", "kept")


@dataclass(frozen=True, kw_only=True, slots=True)
class ProfileSizes:
    """A profile's modules in tokens, by whether a request can do without them.

    ``core_tokens`` are always sent. ``optional_tokens`` can be left out today; ``undecided_tokens`` are core only
    because nothing shows yet that they aren't always needed; ``judged_tokens`` hold rules, so that a draft keeps them
    and only a person may say that some requests do without.
    """

    modules: int
    tokens: int
    chars: int
    core_tokens: int
    optional_tokens: int
    undecided_tokens: int
    judged_tokens: int
    judged_modules: int
    optional_modules: int
    undecided_modules: int
    untraceable_tokens: int
    """Of the optional and undecided ones, those without tools: traffic can't show who needs them."""
    is_reviewed: bool
    is_fitted: bool
    warnings: int


@dataclass(frozen=True, kw_only=True, slots=True)
class ModuleLeftOut:
    id: str
    tokens: int


@dataclass(frozen=True, kw_only=True, slots=True)
class MessageLeftOut:
    """What one of the owner's messages would lose. ``calls``: how often it came."""

    text: str
    modules: tuple[ModuleLeftOut, ...]
    calls: int

    @property
    def tokens(self) -> int:
        return sum(module.tokens for module in self.modules)


@dataclass(frozen=True, kw_only=True, slots=True)
class LeftOut:
    """The messages that would lose something, most tokens first; and how many there were, and what kept the others.

    ``kept_whole``: messages whose prompt goes out as it came, by reason.
    """

    messages: int
    losing: int
    shown: tuple[MessageLeftOut, ...]
    kept_whole: tuple[tuple[str, int], ...]
    declared_tokens: int = 0
    """Of the modules that may be left out, those one of whose tools each request declares, so that none is."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LabelCounts:
    """Labels that captured tool use gives, and the calibration messages that promises take.

    ``problem``: why there are none.
    """

    messages: int
    needing: int
    """Those that first need a module, which the promise is counted over."""
    calibrating: int
    """Of those, the ones that would set the threshold; the others teach."""
    for_expected: int
    for_guaranteed: int
    problem: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class TrialFit:
    """What a fit from captured tool use would do on this traffic, part of which taught it. Nothing is stored."""

    promise: str
    usd: Decimal
    left_out: LeftOut


@dataclass(frozen=True, kw_only=True, slots=True)
class Ceiling:
    """The least that the prompts could have cost, had each conversation got only what it turned out to need.

    ``usd`` takes out what labels may, unless a tool call asked for it; ``usd_tools`` only modules that own tools;
    ``usd_judged`` also what a person may take out.
    """

    usd: Decimal
    usd_tools: Decimal
    usd_judged: Decimal
    conversations: int
    conversations_with_tools: int


@dataclass(frozen=True, kw_only=True, slots=True)
class AgentCosts:
    """One agent's calls, accounted. USD of the prompts; output costs the same whatever is sent.

    ``as_sent_usd`` is what they cost as they came, ``full_cached_usd`` the same with cache marks placed well,
    ``auto_usd`` what the reviewed profile would make of them today. ``policies``: the rows of `simulate`.
    """

    calls: int
    conversations: int
    parts: Parts
    as_sent_usd: Decimal
    full_usd: Decimal
    full_cached_usd: Decimal
    auto_usd: Decimal
    shown: Shown
    """Whether ``auto`` is clearly cheaper than ``full_cached``, as `simulate` sees it."""
    policies: tuple[dict[str, Any], ...]
    passed: tuple[tuple[str, int], ...]
    """Calls that ``auto`` left as they came, by reason."""
    marked_calls: int
    """Calls in which the client set cache marks itself."""
    turns: int
    """User messages of all conversations."""
    span_seconds: float
    """From the first call of all the traffic to its last."""
    ceiling: Ceiling


GateState = Literal["kept", "written", "left_alone"]
"""Whose word the cost gate goes by: its rule or what a person made it; what this run wrote, which leaves the agent
alone; economics that somebody else had written and that do the same."""


@dataclass(frozen=True, kw_only=True, slots=True)
class GateAdvice:
    """What `simulate` says of an agent, and what came of it. ``is_unclear``: it may be a gain, or chance."""

    sentence: str
    is_gain: bool
    is_unclear: bool
    state: GateState

    @property
    def leaves_alone(self) -> bool:
        return self.state != "kept"


@dataclass(frozen=True, kw_only=True, slots=True)
class UnreplayedCalls:
    """Calls that aren't told of in money. ``parts``: tokens by our own counter; ``endpoints``: by name.

    ``unpriced``: the model that LiteLLM has no prices for. None: they came to endpoints that can't be replayed.
    """

    calls: int
    conversations: int
    endpoints: tuple[tuple[str, int], ...]
    parts: Parts
    unpriced: str | None = None

    @property
    def named(self) -> str:
        return " and ".join(name for name, _ in self.endpoints)


@dataclass(frozen=True, kw_only=True, slots=True)
class MadeRun:
    """Made-up traffic at one rate. ``policies``: the rows of `simulate --synthetic`."""

    conversations_per_hour: float
    calls: int
    conversations: int
    full_cached_usd: Decimal
    usd: Decimal
    """The cheapest of ``auto`` and the cached full prompt."""
    policies: tuple[dict[str, Any], ...]

    @property
    def best_usd(self) -> Decimal:
        """The least that any way of leaving text out costs, also where the cost gate doesn't choose it."""
        routed = (Decimal(row["usd"]) for row in self.policies if not row["policy"].startswith("full"))
        return min(self.usd, *routed)


@dataclass(frozen=True, kw_only=True, slots=True)
class MadeCosts:
    """What a prompt of these sizes could save on made-up traffic, if only what is core by its title had to stay."""

    runs: tuple[MadeRun, ...]
    shape: tuple[tuple[str, str], ...]
    """Options of `simulate --synthetic` that give the same figures."""


@dataclass(frozen=True, kw_only=True, slots=True)
class AskedRouting:
    """What a routing model would be asked about an agent's calls, each question once, and what that costs at most."""

    questions: int
    sections: int
    input_tokens: int
    usd: Decimal
    model: str
    span_seconds: float
    """From the first of the calls to the last."""


@dataclass(frozen=True, kw_only=True, slots=True)
class AgentFindings:
    """All of one agent's section of the page."""

    agent: FoundAgent
    sizes: ProfileSizes
    costs: AgentCosts | None
    """None: there is no traffic of it."""
    made: MadeCosts | None
    left_out: LeftOut | None
    labels: LabelCounts | None
    trial: TrialFit | None
    min_cache_tokens: int
    """Below it the provider caches nothing."""
    problem: str | None = None
    """Why nothing could be accounted."""
    gate: GateAdvice | None = None
    """None: nothing was replayed."""
    unreplayed: UnreplayedCalls | None = None
    model: str | None = None
    """What it is accounted as."""
    caches_by_itself: bool = False
    """True where the model's provider caches prompts without marks."""
    routing: AskedRouting | None = None
    """None: there is nothing to ask, or nobody knows the routing model's price."""

"""Everything that the report shows, as frozen types. Money is exact decimals.

What shadow mode would have saved is never added to what was saved: every sum is kept apart for shadow records.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from litellm_prompt_router.analysis.report.control_group import Interval, Saving
from litellm_prompt_router.analysis.report.reader_terms import SENT_EACH_TIME, next_step

By = Literal["key", "team", "model", "provider", "profile", "day", "hour"]
DIMENSIONS: tuple[By, ...] = ("key", "team", "model", "provider", "profile", "day", "hour")


@dataclass(frozen=True, kw_only=True, slots=True)
class Sums:
    """Sums over some records. Money is None where no record has it; ``*_calls`` says how many do."""

    calls: int
    failures: int
    rewritten: int
    fallbacks: int
    uncached_input_tokens: int
    cache_read_tokens: int
    cache_write_5m_tokens: int
    cache_write_1h_tokens: int
    output_tokens: int
    billed_usd: Decimal | None
    billed_calls: int
    unbilled_calls: int
    """Answered and without a bill that is known."""
    net_saved_usd: Decimal | None
    net_calls: int
    assumed_net_usd: Decimal | None
    """Of ``net_saved_usd``, what goes by cautious rules, because the provider doesn't publish its cache's."""
    assumed_calls: int
    routing_model_usd: Decimal | None
    """What asking routing models cost: no part of ``billed_usd``, and subtracted in ``net_saved_usd``."""
    routing_beside_net_usd: Decimal | None
    """Of that, what calls without a net figure asked for."""
    routing_model_call_count: int
    routing_unpriced: int
    """Calls whose questions' bill isn't known."""
    list_saved_usd: Decimal | None
    sized_calls: int
    """Calls whose prompt is known before and after."""
    original_chars: int
    prompt_chars: int
    parts_calls: int
    """Calls of which prompt, tools and history are all known, as they left."""
    part_prompt_chars: int
    part_tools_chars: int
    part_history_chars: int
    compared_input_tokens: int
    """Of calls with a counterfactual: input tokens, those read from cache, and the same of the original."""
    compared_read_tokens: int
    without_input_tokens: int
    without_read_tokens: int

    @property
    def input_tokens(self) -> int:
        written = self.cache_write_5m_tokens + self.cache_write_1h_tokens
        return self.uncached_input_tokens + self.cache_read_tokens + written

    @property
    def cache_hit_share(self) -> float | None:
        """Of all input tokens, those read from cache."""
        return self.cache_read_tokens / self.input_tokens if self.input_tokens else None


@dataclass(frozen=True, kw_only=True, slots=True)
class Group:
    """The sums of one value of ``--by``; ``would`` are its shadow records'."""

    name: str
    actual: Sums | None
    would: Sums | None

    @property
    def calls(self) -> int:
        return sum(side.calls for side in (self.actual, self.would) if side is not None)

    @property
    def billed_usd(self) -> Decimal | None:
        sides = [side.billed_usd for side in (self.actual, self.would) if side is not None]
        known = [usd for usd in sides if usd is not None]
        return sum(known, Decimal(0)) if known else None


@dataclass(frozen=True, kw_only=True, slots=True)
class ConversationCost:
    key: str
    conversation: str
    model: str
    calls: int
    billed_usd: Decimal | None
    net_saved_usd: Decimal


@dataclass(frozen=True, kw_only=True, slots=True)
class ModuleUse:
    """How often a module was selected. ``missed``: added because the model had used or named its tool without it."""

    module: str
    calls: int
    share: float
    evidence: Mapping[str, int]
    late: int
    missed: int

    @property
    def sent_each_time(self) -> str | None:
        """The one kind of evidence, where it says nothing of single requests; else None."""
        [kind, *others] = self.evidence
        return kind if kind in SENT_EACH_TIME and not others else None


@dataclass(frozen=True, kw_only=True, slots=True)
class MissedNeeds:
    """Conversations in which the agent called a tool of a module that had been left out. ``is_by_model``: those in
    which a routing model named modules."""

    is_by_model: bool
    conversations: int
    missed: int

    @property
    def share(self) -> float:
        return self.missed / self.conversations if self.conversations else 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Control:
    """The arms' comparison, or how many conversations are still missing for one."""

    holdout: int
    treatment: int
    needed: int
    compared_holdout: int
    compared_treatment: int
    strata: int
    unpriced: int
    """Conversations left out because a call has no bill."""
    per_conversation: Saving | None
    per_call: Saving | None

    @property
    def missing(self) -> str | None:
        """Why there is no figure: ``not yet: 14 of 200 conversations``."""
        if self.per_conversation is not None:
            return None
        return f"not yet: {min(self.compared_holdout, self.compared_treatment):,} of {self.needed:,} conversations"


@dataclass(frozen=True, kw_only=True, slots=True)
class TuningUse:
    """The calls of conversations that went by one tuning of a profile; ``own``: by what profile.yaml says."""

    profile: str
    tuning: str
    since_seconds: float
    until_seconds: float
    calls: int
    conversations: int
    net_saved_usd: Decimal | None
    """Estimated, without shadow mode's."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Figures:
    """Everything that the report shows."""

    since_seconds: float | None
    until_seconds: float | None
    actual: Sums | None
    would: Sums | None
    """Of shadow records: their saving is what rewriting would have saved."""
    conversations: int
    loose_calls: int
    """Calls without a known conversation."""
    cost_per_conversation_usd: Decimal | None
    net_interval: Interval | None
    would_interval: Interval | None
    by: By | None
    groups: tuple[Group, ...]
    steps: Literal["day", "hour"]
    timeline: tuple[Group, ...]
    modules: tuple[ModuleUse, ...]
    missed_needs: tuple[MissedNeeds, ...]
    tunings: tuple[TuningUse, ...]
    """Where profiles are tuned by themselves."""
    outcomes: Mapping[str, int]
    """Calls ``rewritten``, in ``shadow`` and of ``passthrough``."""
    held_back: Mapping[str, int]
    """By profile: calls held in shadow because nobody reviewed it."""
    passthroughs: Mapping[str, int]
    errors: Mapping[str, int]
    net_unavailable: Mapping[str, int]
    decision_p50_us: int | None
    decision_p99_us: int | None
    losses: tuple[ConversationCost, ...]
    gains: tuple[ConversationCost, ...]
    control: Control | None

    @property
    def chosen_modules(self) -> tuple[ModuleUse, ...]:
        """Those that some requests get and others don't, or for reasons of their own."""
        return tuple(use for use in self.modules if use.sent_each_time is None)

    @property
    def modules_each_time(self) -> Mapping[str, int]:
        """How many modules are sent each time, by the reason in words."""
        kinds = [use.sent_each_time for use in self.modules]
        return {words: kinds.count(kind) for kind, words in SENT_EACH_TIME.items() if kind in kinds}

    @property
    def step(self) -> tuple[str, int, str] | None:
        """``(reason, calls, what to do)`` of what most often kept something from being left out."""
        whole = {"fallback": self.actual.fallbacks} if self.actual is not None else {}
        return next_step({**self.passthroughs, "unreviewed": sum(self.held_back.values()), **whole})

    @property
    def total(self) -> Group:
        """Of all records, shadow mode's included."""
        return Group(name="All", actual=self.actual, would=self.would)

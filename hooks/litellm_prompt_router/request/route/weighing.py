"""A decision for every threshold at once: what is selected whatever it is, and how much speaks for the rest."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from litellm_prompt_router.profile.fitted import Fitted, Flags, Floats
from litellm_prompt_router.profile.profile import Profile
from litellm_prompt_router.request.route.embeddings import Lookup, no_embeddings
from litellm_prompt_router.request.route.needed_modules import closure_of
from litellm_prompt_router.request.route.router import Router
from litellm_prompt_router.request.route.routing_answers import AnswerLookup, no_answers
from litellm_prompt_router.request.route.scores import Trace, WeighedMessage
from litellm_prompt_router.request.types import RoutingDecision, Turn


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class WeightedConversation:
    """One conversation at its last turn. A module is selected when it is firm or its value reaches the threshold."""

    firm: Flags
    """By module: the core, triggers, tools called, and what those require; everything in a fallback."""
    used: Flags
    """By module: the core, tools called, and what those require: the state without any word of the user's."""
    values: Floats
    """By module: the highest gate value so far, its own or that of a module that requires it."""
    seen: tuple[WeighedMessage, ...]
    decision: RoutingDecision
    is_fallback: bool
    """True when no threshold matters."""
    is_fused: bool = False
    """True when the threshold is that of the fused scores."""

    def selected(self, threshold: float) -> Flags:
        return self.firm | (self.values >= threshold)


def weigh(
    router: Router,
    profile: Profile,
    turns: Sequence[Turn],
    lookup: Lookup = no_embeddings,
    *,
    declared: frozenset[str] | None = None,
    answers: AnswerLookup = no_answers,
) -> WeightedConversation:
    """The conversation as it stands before any threshold. ``declared``: the request's tools, where they are known.

    ``answers``, a routing model's, count in the decision alone.
    """
    trace = Trace()
    decision = router.decide(turns, trace=trace, lookup=lookup, declared=declared, answers=answers)
    size = len(profile.modules)
    values = np.full(size, -np.inf)
    if profile.fitted is not None and trace.weighed:
        highest = np.max(list(_on_one_scale(trace.weighed, profile.fitted)), axis=0)
        values = values_by_module(highest, profile.fitted.table.columns, profile)
    owners = {tool: n for n, module in enumerate(profile.modules) for tool in module.tools}
    called = {owners[tool] for turn in turns for tool in turn.tool_calls if tool in owners}
    core = {n for n, module in enumerate(profile.modules) if module.always}
    firm = with_required(core | called | trace.triggered, profile)
    return WeightedConversation(
        firm=np.ones(size, dtype=np.bool_) if trace.fallbacks else firm,
        used=with_required(core | called, profile),
        values=values,
        seen=tuple(trace.weighed),
        decision=decision,
        is_fallback=bool(trace.fallbacks),
        is_fused=any(seen.is_fused for seen in trace.weighed),
    )


def _on_one_scale(weighed: Sequence[WeighedMessage], fitted: Fitted) -> Iterable[Floats]:
    """The values, to be held against one threshold: the fused one wherever a message was weighed by its meaning."""
    shift = 0.0
    if fitted.semantics is not None and len({seen.is_fused for seen in weighed}) > 1:
        shift = fitted.semantics.calibration.threshold - fitted.calibration.threshold
    for seen in weighed:
        yield seen.values if seen.is_fused else seen.values + shift


def values_by_module(values: Floats, columns: Sequence[int], profile: Profile) -> Floats:
    """By module, its own column's value or that of a module that requires it, whichever is higher."""
    found = np.full(len(profile.modules), -np.inf)
    found[list(columns)] = values
    for module in range(len(profile.modules)):
        for needed in closure_of(module, profile):
            found[needed] = max(found[needed], found[module])
    return found


def with_required(modules: Iterable[int], profile: Profile) -> Flags:
    """True for these modules and all that they require."""
    flags: Flags = np.zeros(len(profile.modules), dtype=np.bool_)
    for module in modules:
        flags[[module, *closure_of(module, profile)]] = True
    return flags

"""Why the cost gate sends what it sends: the rule that held, the figures it compared, and where they would balance.

Made on demand, for people; a request in flight never gets here. It goes by the gate's own functions
(request/cost_gate.py), so that it can't tell of another decision than the gate's.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from litellm_prompt_router.profile.profile import Economics, Profile
from litellm_prompt_router.request.cost_gate import (
    first_selected,
    holds_for,
    leaves_nothing_out,
    modules_to_send,
    optional_tokens,
)
from litellm_prompt_router.request.expected_use import USUAL, ExpectedUse, expected_use
from litellm_prompt_router.request.types import Rewritten, RoutingDecision, Target
from litellm_prompt_router.request.untuned_rule import (
    UntunedRule,
    Weighing,
    counted_calls,
    drops_enough,
    has_known_prices,
    highest_chance_left_out,
    likely_later,
    shares_of,
    size_of,
    untuned_choice,
    weigh_against_full,
)

GateRule = Literal["off", "latest", "left_alone", "everything", "exact", "bundle", "every"] | UntunedRule
"""Which rule of the gate decided.

- The gate has no say: ``off`` in the settings; placement ``latest``, which has no first turn to go by.
- The profile has no fit, so that ``everything`` is selected: the request stays as it came.
- The profile is tuned: its requests are ``left_alone``, or get the selection (``exact``), a ``bundle`` or ``every``
  module.
- It is not tuned: what request/untuned_rule.py says.
"""
LEFT_ALONE: frozenset[GateRule] = frozenset({"no_tools", "low_read_price", "long_cache"})
"""The untuned rules by which a conversation is left alone whatever it selects."""
MAX_CALLS = 1_000
"""No break-even is told beyond this many calls a conversation."""


@dataclass(frozen=True, kw_only=True, slots=True)
class BreakEven:
    """The values from which on the untuned rule would send the selection, each with the others as they are.

    None where no value of that one alone changes the decision.
    """

    calls: int | None
    """Calls of a conversation; the rule assumes ``GateExplanation.calls``."""
    dropped_tokens: int | None
    """Tokens left out of the prompt."""
    read_share: float | None
    """The price of a cached token, as a share of the input price."""


@dataclass(frozen=True, kw_only=True, slots=True)
class GateExplanation:
    """One decision of the cost gate. Modules are indexes into the profile, without those of the core."""

    rule: GateRule
    selected: frozenset[int]
    sent: frozenset[int] | None
    """None: the request stays as it came."""
    core_tokens: int
    optional_tokens: int
    selected_tokens: int
    sent_tokens: int
    """Without the core's, like ``selected_tokens``."""
    min_cache_tokens: int
    read_share: float
    write_share: float
    has_known_prices: bool
    """False: cautious shares stand for those that nobody knows."""
    calls: float
    """By which the untuned rule wants a set to have paid."""
    expected: ExpectedUse
    likely: frozenset[int]
    """Modules that the untuned rule adds, as they are likely to be needed later."""
    likely_tokens: int
    highest_chance_left_out: float
    """Up to this chance of being needed later a module is left out."""
    weighing: Weighing
    """What the untuned rule compares, also where a tuning decided: the selection and what is likely."""
    drops_enough: bool
    break_even: BreakEven
    ignored_economics: str | None
    """Why the profile's tuning has no say; None where it has, or there is none."""

    @property
    def full_tokens(self) -> int:
        return self.core_tokens + self.optional_tokens

    @property
    def dropped_tokens(self) -> int:
        return self.optional_tokens - self.selected_tokens

    @property
    def compared_tokens(self) -> int:
        """What the untuned rule takes to be left out, without what is likely."""
        return self.dropped_tokens - self.likely_tokens

    @property
    def pays(self) -> bool:
        """Whether so much would pay by the untuned rule."""
        return self.drops_enough and self.weighing.pays


def explain_rewrite(ungated: Rewritten, *, gates_cost: bool = True, declares_tools: bool = True) -> GateExplanation:
    """What the gate makes of a request, from what would be sent without it."""
    return explain_decision(
        ungated.decision,
        ungated.recognition.profile,
        ungated.target,
        sizes=optional_tokens(ungated.recognition),
        is_latest=ungated.placement == "latest",
        gates_cost=gates_cost,
        declares_tools=declares_tools,
    )


def explain_decision(
    decision: RoutingDecision,
    profile: Profile,
    target: Target,
    *,
    sizes: tuple[Sequence[int], int] | None = None,
    is_latest: bool = False,
    gates_cost: bool = True,
    declares_tools: bool = True,
) -> GateExplanation:
    """What the gate makes of a routing decision.

    ``sizes``: what ``optional_tokens`` gives for the prompt; None where every module is in it, whole.
    """
    if sizes is None:
        modules = profile.modules
        sizes = [0 if m.always else m.tokens for m in modules], sum(m.tokens for m in modules if m.always)
    tokens, core_tokens = sizes
    first = frozenset(module for module in first_selected(decision, profile, is_latest=is_latest) if tokens[module])
    explained = explain_gate(
        profile.economics_in_force,
        target,
        first,
        tokens,
        core_tokens,
        is_hour=profile.cache_ttl == "1h",
        is_fitted=profile.is_calibrated,
        expected=expected_use(profile, declares_tools=declares_tools),
    )
    if profile.outdated_tuning is not None:
        explained = replace(explained, ignored_economics=profile.outdated_tuning)
    return _by_setting(explained, is_latest=is_latest, gates_cost=gates_cost)


def explain_gate(
    economics: Economics | None,
    target: Target,
    selected: frozenset[int],
    tokens: Sequence[int],
    core_tokens: int,
    *,
    is_hour: bool = False,
    is_fitted: bool = True,
    expected: ExpectedUse = USUAL,
) -> GateExplanation:
    """What ``modules_to_send`` says of the same, and why."""
    sent = modules_to_send(
        economics, target, selected, tokens, core_tokens, is_hour=is_hour, is_fitted=is_fitted, expected=expected
    )
    optional, selected_tokens = sum(tokens), size_of(selected, tokens)
    is_tuned = economics is not None and holds_for(target, economics)
    likely = likely_later(target, tokens, expected, is_hour=is_hour) - selected if is_fitted else frozenset()
    wanted_tokens, calls = size_of(selected | likely, tokens), counted_calls(target, expected)
    read, write = shares_of(target, is_hour=is_hour)
    explained = GateExplanation(
        rule="pays",
        selected=selected,
        sent=sent,
        core_tokens=core_tokens,
        optional_tokens=optional,
        selected_tokens=selected_tokens,
        sent_tokens=optional if sent is None else size_of(sent, tokens),
        min_cache_tokens=target.min_cache_tokens,
        read_share=read,
        write_share=write,
        has_known_prices=has_known_prices(target),
        calls=calls,
        expected=expected,
        likely=likely,
        likely_tokens=size_of(likely, tokens),
        highest_chance_left_out=highest_chance_left_out(target, expected, is_hour=is_hour),
        weighing=weigh_against_full(target, core_tokens, wanted_tokens, optional, is_hour=is_hour, calls=calls),
        drops_enough=drops_enough(target, optional - wanted_tokens, core_tokens + optional),
        break_even=_break_even(target, core_tokens, wanted_tokens, optional, is_hour, calls),
        ignored_economics=None if economics is None or is_tuned else "tuned for other cache prices",
    )
    if economics is not None and is_tuned and not economics.rewrites:
        return replace(explained, rule="left_alone")
    if leaves_nothing_out(selected, tokens, is_fitted=is_fitted):
        return replace(explained, rule="everything")
    if economics is not None and is_tuned:
        return replace(explained, rule=_tuned_rule(explained, economics))
    untuned = untuned_choice(
        target, selected, tokens, core_tokens, is_hour=is_hour, is_fitted=is_fitted, expected=expected
    )
    return replace(explained, rule=untuned.rule)


def _tuned_rule(explained: GateExplanation, economics: Economics) -> GateRule:
    if economics.bundles is None:
        enough = explained.dropped_tokens >= economics.min_dropped * explained.selected_tokens
        return "exact" if enough else "every"
    return "bundle" if any(bundle >= explained.selected for bundle in economics.bundles) else "every"


def _break_even(target: Target, core: int, selected: int, optional: int, is_hour: bool, counted: float) -> BreakEven:
    """Found by asking the gate's own rule for one value after the other."""

    def is_sent(selected: int, target: Target = target, calls: float = counted) -> bool:
        weighed = weigh_against_full(target, core, selected, optional, is_hour=is_hour, calls=calls)
        return drops_enough(target, optional - selected, core + optional) and weighed.pays

    def first(candidates: Iterable[int]) -> int | None:
        return next(iter(candidates), None)

    if core + optional < target.min_cache_tokens:
        return BreakEven(calls=None, dropped_tokens=None, read_share=None)
    thousandths = first(
        share for share in range(1_001) if is_sent(selected, replace(target, cache_read_share=share / 1_000))
    )
    return BreakEven(
        calls=first(calls for calls in range(1, MAX_CALLS + 1) if is_sent(selected, calls=calls)),
        dropped_tokens=first(dropped for dropped in range(optional + 1) if is_sent(optional - dropped)),
        read_share=None if thousandths is None else thousandths / 1_000,
    )


def _by_setting(explained: GateExplanation, *, is_latest: bool, gates_cost: bool) -> GateExplanation:
    """The explanation where the gate is off, or has no first turn to go by: there only what passes a request counts."""
    if not gates_cost:
        rule: GateRule = "off"
    elif is_latest and explained.rule not in ("left_alone", "everything"):
        rule = "latest"
    else:
        return explained
    return replace(explained, rule=rule, sent=explained.selected, sent_tokens=explained.selected_tokens)

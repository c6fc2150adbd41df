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
    CALLS,
    Weighing,
    drops_enough,
    first_selected,
    holds_for,
    leaves_nothing_out,
    modules_to_send,
    optional_tokens,
    pays,
    size_of,
    smallest_module,
    weigh_against_full,
)
from litellm_prompt_router.request.types import Rewritten, RoutingDecision, Target

GateRule = Literal[
    "off",
    "latest",
    "left_alone",
    "everything",
    "exact",
    "bundle",
    "every",
    "no_prices",
    "never_cached",
    "pays",
    "widened",
    "no_way",
]
"""Which rule of the gate decided.

- The gate has no say: ``off`` in the settings; placement ``latest``, which has no first turn to go by.
- The profile has no fit, so that ``everything`` is selected: the request stays as it came.
- The profile is tuned: its requests are ``left_alone``, or get the selection (``exact``), a ``bundle`` or ``every``
  module.
- It is not tuned. The selection is sent: ``no_prices`` are known, the full prompt is too short to be cached
  (``never_cached``), or the selection ``pays``. Every module is sent (``widened``), or the request stays as it came
  (``no_way``): nothing shorter would pay.
"""
MAX_CALLS = 1_000
"""No break-even is told beyond this many calls a conversation."""


@dataclass(frozen=True, kw_only=True, slots=True)
class BreakEven:
    """The values from which on the untuned rule would send the selection, each with the others as they are.

    None where no value of that one alone changes the decision.
    """

    calls: int | None
    """Calls of a conversation; the rule assumes ``CALLS``."""
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
    read_share: float | None
    write_share: float | None
    weighing: Weighing | None
    """What the untuned rule compares, also where a tuning decided; None where prices aren't known."""
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
    def pays(self) -> bool:
        """Whether the untuned rule would send the selection."""
        return self.drops_enough and (self.weighing is None or self.weighing.pays)


def explain_rewrite(ungated: Rewritten, *, gates_cost: bool = True) -> GateExplanation:
    """What the gate makes of a request, from what would be sent without it."""
    return explain_decision(
        ungated.decision,
        ungated.recognition.profile,
        ungated.target,
        sizes=optional_tokens(ungated.recognition),
        is_latest=ungated.placement == "latest",
        gates_cost=gates_cost,
    )


def explain_decision(
    decision: RoutingDecision,
    profile: Profile,
    target: Target,
    *,
    sizes: tuple[Sequence[int], int] | None = None,
    is_latest: bool = False,
    gates_cost: bool = True,
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
) -> GateExplanation:
    """What ``modules_to_send`` says of the same, and why."""
    sent = modules_to_send(economics, target, selected, tokens, core_tokens, is_hour=is_hour, is_fitted=is_fitted)
    optional, selected_tokens = sum(tokens), size_of(selected, tokens)
    is_tuned = economics is not None and holds_for(target, economics)
    weighing = weigh_against_full(target, core_tokens, selected_tokens, optional, is_hour=is_hour)
    explained = GateExplanation(
        rule="pays",
        selected=selected,
        sent=sent,
        core_tokens=core_tokens,
        optional_tokens=optional,
        selected_tokens=selected_tokens,
        sent_tokens=optional if sent is None else size_of(sent, tokens),
        min_cache_tokens=target.min_cache_tokens,
        read_share=target.cache_read_share,
        write_share=target.cache_write_1h_share if is_hour else target.cache_write_share,
        weighing=weighing,
        drops_enough=drops_enough(target, optional - selected_tokens, core_tokens + optional),
        break_even=_break_even(target, core_tokens, selected_tokens, optional, is_hour),
        ignored_economics=None if economics is None or is_tuned else "tuned for other cache prices",
    )
    if economics is not None and is_tuned and not economics.rewrites:
        return replace(explained, rule="left_alone")
    if leaves_nothing_out(selected, tokens, is_fitted=is_fitted):
        return replace(explained, rule="everything")
    if economics is not None and is_tuned:
        return replace(explained, rule=_tuned_rule(explained, economics))
    return replace(explained, rule=_untuned_rule(explained, target, tokens, is_hour=is_hour, is_fitted=is_fitted))


def _tuned_rule(explained: GateExplanation, economics: Economics) -> GateRule:
    if economics.bundles is None:
        enough = explained.dropped_tokens >= economics.min_dropped * explained.selected_tokens
        return "exact" if enough else "every"
    return "bundle" if any(bundle >= explained.selected for bundle in economics.bundles) else "every"


def _untuned_rule(
    explained: GateExplanation, target: Target, tokens: Sequence[int], *, is_hour: bool, is_fitted: bool
) -> GateRule:
    if target.cache_read_share is None:
        return "no_prices"
    if explained.full_tokens < target.min_cache_tokens:
        return "never_cached"
    if explained.pays:
        return "pays"
    smallest = smallest_module(tokens) if is_fitted else 0
    if smallest and pays(target, explained.core_tokens, smallest, explained.optional_tokens, is_hour):
        return "widened"
    return "no_way"


def _break_even(target: Target, core: int, selected: int, optional: int, is_hour: bool) -> BreakEven:
    """Found by asking the gate's own rule for one value after the other."""

    def is_sent(selected: int, target: Target = target, calls: int = CALLS) -> bool:
        weighed = weigh_against_full(target, core, selected, optional, is_hour=is_hour, calls=calls)
        return drops_enough(target, optional - selected, core + optional) and (weighed is None or weighed.pays)

    def first(candidates: Iterable[int]) -> int | None:
        return next(iter(candidates), None)

    if target.cache_read_share is None or core + optional < target.min_cache_tokens:
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

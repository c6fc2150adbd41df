"""The cost gate: whether a conversation is rewritten, and into which module set, by its first turn alone.

A full prompt that many conversations share is warm at the provider; an exact module set may be cold. What is left
out saves the read price on every call, what is sent instead costs a write on the first. No live state: every
replica decides alike, and a conversation never flips.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

from litellm_prompt_router.profile.profile import Economics, Profile
from litellm_prompt_router.request.expected_use import USUAL, ExpectedUse
from litellm_prompt_router.request.types import Evidence, Recognition, RoutingDecision, Target
from litellm_prompt_router.request.untuned_rule import size_of, untuned_choice

REMEMBERED = 256
SAME_SHARE = 0.1


def modules_to_send(
    economics: Economics | None,
    target: Target,
    selected: frozenset[int],
    tokens: Sequence[int],
    core_tokens: int,
    *,
    is_hour: bool = False,
    is_fitted: bool = True,
    expected: ExpectedUse = USUAL,
) -> frozenset[int] | None:
    """The modules to send beside the core, at least ``selected``; None to leave the conversation as it came.

    ``tokens`` of all modules by index, 0 for those of the core. Where the selection itself wouldn't pay, every
    module is sent: such conversations share one prefix with each other and its core with all. What was tuned for
    other cache prices than the target's doesn't count. ``is_hour``: the profile's marks last an hour. ``is_fitted``:
    the profile is calibrated. ``expected`` has a say where nothing was tuned.
    """
    if leaves_nothing_out(selected, tokens, is_fitted=is_fitted):
        return None
    every = frozenset([module for module, size in enumerate(tokens) if size]) | selected
    if economics is None or not holds_for(target, economics):
        return untuned_choice(
            target, selected, tokens, core_tokens, is_hour=is_hour, is_fitted=is_fitted, expected=expected
        ).sent
    if not economics.rewrites:
        return None
    if economics.bundles is not None:
        holding = [bundle & every for bundle in economics.bundles if bundle >= selected]
        return min(holding, key=lambda bundle: size_of(bundle, tokens), default=every)
    routed_tokens = size_of(selected, tokens)
    return selected if sum(tokens) - routed_tokens >= economics.min_dropped * routed_tokens else every


@lru_cache(maxsize=REMEMBERED)
def optional_tokens(recognition: Recognition) -> tuple[tuple[int, ...], int]:
    """``(tokens by module, core tokens)`` of what is in the prompt; the core's own modules count 0 in the first."""
    modules = recognition.profile.modules
    tokens, core_tokens = [0] * len(modules), 0
    for number in {span.module for span in recognition.spans if span.kind == "module"}:
        if modules[number].always:
            core_tokens += modules[number].tokens
        else:
            tokens[number] = modules[number].tokens
    return tuple(tokens), core_tokens


def with_modules(decision: RoutingDecision, profile: Profile, sent: frozenset[int]) -> RoutingDecision:
    """The same decision with all of ``sent`` there from the first turn on."""
    why = {profile.order[evidence.module]: evidence for evidence in decision.selected}
    for module in sent:
        known = why.get(module)
        if known is None:
            why[module] = Evidence(profile.modules[module].id, "bundle")
        elif known.late:
            why[module] = known._replace(late=False)
    arrivals = (
        arrival._replace(modules=tuple(module for module in arrival.modules if module not in sent))
        for arrival in decision.arrivals
    )
    return replace(
        decision,
        selected=tuple(why[module] for module in sorted(why)),
        arrivals=tuple(arrival for arrival in arrivals if arrival.modules),
        before_gate=decision.wanted,
    )


def leaves_nothing_out(selected: frozenset[int], tokens: Sequence[int], *, is_fitted: bool) -> bool:
    """Whether everything is selected, and a rewrite would have nothing to share with smaller selections.

    Without a fit nearly every conversation selects the same, so that all of the prompt in another order is only a
    second prefix beside the prompt as it came.
    """
    return not is_fitted and all(module in selected for module, size in enumerate(tokens) if size)


def first_selected(decision: RoutingDecision, profile: Profile, *, is_latest: bool = False) -> frozenset[int]:
    """What the first turn selected; all of it when nothing came late. ``is_latest``: the placement is."""
    if is_latest:  # nothing stands behind the conversation's first turn, so all of it is in the prompt
        return frozenset(map(profile.order.__getitem__, decision.modules))
    late = {module for arrival in decision.arrivals for module in arrival.modules}
    return frozenset([n for n in map(profile.order.__getitem__, decision.modules) if n not in late])


def holds_for(target: Target, economics: Economics) -> bool:
    """True of what was tuned, unless both sides know their prices and one of them differs by more than a tenth of the
    input price.
    """
    pairs = (
        (economics.read_share, target.cache_read_share),
        (economics.write_share, target.cache_write_share),
    )
    return economics.is_tuned and all(
        tuned is None or now is None or abs(tuned - now) <= SAME_SHARE for tuned, now in pairs
    )

"""The cost gate: whether a conversation is rewritten, and into which module set, by its first turn alone.

A full prompt that many conversations share is warm at the provider; an exact module set may be cold. What is left
out saves the read price on every call, what is sent instead costs a write on the first. No live state: every
replica decides alike, and a conversation never flips.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from typing import NamedTuple

from litellm_prompt_router.profile.profile import Economics, Profile
from litellm_prompt_router.request.types import Evidence, Recognition, RoutingDecision, Target

REMEMBERED = 256
SAME_SHARE = 0.1
CALLS = 10
MIN_DROPPED_SHARE = 1 / 3
"""The untuned rule: a set must have paid after so many calls though nobody shares it, and leave out this share of the
prompt. Chosen on made-up traffic (tests/benchmarks/never_dearer.py), where nearly no conversation of tool loops comes
out dearer than the full prompt; with fewer calls or a larger share it forgoes savings, otherwise it gets dearer.
"""


def modules_to_send(
    economics: Economics | None,
    target: Target,
    selected: frozenset[int],
    tokens: Sequence[int],
    core_tokens: int,
    *,
    is_hour: bool = False,
    is_fitted: bool = True,
) -> frozenset[int] | None:
    """The modules to send beside the core, at least ``selected``; None to leave the conversation as it came.

    ``tokens`` of all modules by index, 0 for those of the core. Where the selection itself wouldn't pay, every
    module is sent: such conversations share one prefix with each other and its core with all. What was tuned for
    other cache prices than the target's doesn't count. ``is_hour``: the profile's marks last an hour. ``is_fitted``:
    the profile is calibrated.
    """
    if leaves_nothing_out(selected, tokens, is_fitted=is_fitted):
        return None
    every = frozenset([module for module, size in enumerate(tokens) if size]) | selected
    if economics is None or not holds_for(target, economics):
        return _untuned(target, selected, every, tokens, core_tokens, is_hour=is_hour, is_fitted=is_fitted)
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


class Weighing(NamedTuple):
    """What a set of modules saves against the full prompt, and what it costs beyond it, in tokens at the input price.

    ``cold_tokens``: tokens that no other conversation has cached, so that they are written. None: the set is too short
    to be cached; then ``saved`` is what reading the full prompt costs at each call, and ``extra`` what the set costs.
    """

    saved: float
    extra: float
    cold_tokens: int | None

    @property
    def pays(self) -> bool:
        return self.saved >= self.extra


def weigh_against_full(
    target: Target, core_tokens: int, routed_tokens: int, optional_tokens: int, *, is_hour: bool, calls: int = CALLS
) -> Weighing | None:
    """What sending this much saves and costs at worst: the full prompt always cached, of what is sent only the core.

    So it holds however dense the traffic is. None where prices aren't known.
    """
    read = target.cache_read_share
    write = target.cache_write_1h_share if is_hour else target.cache_write_share
    if read is None or write is None:
        return None
    full_tokens, sent_tokens = core_tokens + optional_tokens, core_tokens + routed_tokens
    if sent_tokens < target.min_cache_tokens:
        return Weighing(read * full_tokens, sent_tokens, None)
    # A cache key for each routed set keeps the core apart, too; where writes cost extra that weighs.
    is_core_shared = core_tokens >= target.min_cache_tokens and not (target.takes_cache_key and write > 1)
    cold_tokens = routed_tokens if is_core_shared else sent_tokens
    return Weighing(calls * read * (full_tokens - sent_tokens), (write - read) * cold_tokens, cold_tokens)


def drops_enough(target: Target, dropped_tokens: int, full_tokens: int) -> bool:
    """Whether so much is left out that the untuned rule considers it: a minimum share, unless caching saves nothing."""
    if dropped_tokens >= MIN_DROPPED_SHARE * full_tokens:
        return True
    return target.cache_read_share is not None and target.cache_read_share >= 1


def smallest_module(tokens: Sequence[int]) -> int:
    """Tokens of the smallest module beside the core; 0 where there is none."""
    return min([size for size in tokens if size], default=0)


def _untuned(
    target: Target,
    selected: frozenset[int],
    every: frozenset[int],
    tokens: Sequence[int],
    core_tokens: int,
    *,
    is_hour: bool,
    is_fitted: bool,
) -> frozenset[int] | None:
    optional_tokens, routed_tokens = sum(tokens), size_of(selected, tokens)
    full_tokens = core_tokens + optional_tokens
    if target.cache_read_share is None or full_tokens < target.min_cache_tokens:
        return selected
    is_much = drops_enough(target, optional_tokens - routed_tokens, full_tokens)
    if is_much and pays(target, core_tokens, routed_tokens, optional_tokens, is_hour):
        return selected
    if not is_fitted:  # those that select everything go as they came: this one shares their prefix
        return None
    smallest = smallest_module(tokens)
    return every if smallest and pays(target, core_tokens, smallest, optional_tokens, is_hour) else None


def holds_for(target: Target, economics: Economics) -> bool:
    """True unless both sides know their prices and one of them differs by more than a tenth of the input price."""
    pairs = (
        (economics.read_share, target.cache_read_share),
        (economics.write_share, target.cache_write_share),
    )
    return all(tuned is None or now is None or abs(tuned - now) <= SAME_SHARE for tuned, now in pairs)


def pays(target: Target, core_tokens: int, routed_tokens: int, optional_tokens: int, is_hour: bool) -> bool:
    """Whether so much beside the core is cheaper than the full prompt by ``CALLS`` calls; True without prices."""
    weighed = weigh_against_full(target, core_tokens, routed_tokens, optional_tokens, is_hour=is_hour)
    return weighed is None or weighed.pays


def size_of(modules: frozenset[int], tokens: Sequence[int]) -> int:
    return sum([tokens[module] for module in modules])

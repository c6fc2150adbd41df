"""All that is found out about one agent of the traffic, once its calls are accounted."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

from litellm_prompt_router.analysis.simulate import RecordedCall
from litellm_prompt_router.onboarding.asked_routing import AskedModelPrices, asked_routing
from litellm_prompt_router.onboarding.believed_replay import not_left_alone, unreplayed_gate
from litellm_prompt_router.onboarding.conversation_needs import sizes_of
from litellm_prompt_router.onboarding.findings import AgentFindings, FoundAgent, UnreplayedCalls
from litellm_prompt_router.onboarding.left_out import left_out_of
from litellm_prompt_router.onboarding.onboard_state import costs_from, gate_from
from litellm_prompt_router.onboarding.replayed_costs import Tariff, WalkSettings
from litellm_prompt_router.onboarding.taken_traffic import TakenTraffic
from litellm_prompt_router.onboarding.trial_fit import is_enough, labels_of, try_fit
from litellm_prompt_router.profile.profile import Profile

Status = Callable[[str], AbstractContextManager[Callable[[str], None]]]
"""Shows what is going on."""


def findings_of(
    agent: FoundAgent,
    profile: Profile,
    taken: TakenTraffic,
    where: str,
    walk: WalkSettings,
    costs: Mapping[str, Any],
    unreplayed: UnreplayedCalls | None,
    *,
    asked: AskedModelPrices | None,
    warnings: int,
    status: Status,
    watch: Callable[[Sequence[RecordedCall]], Iterable[RecordedCall]],
) -> AgentFindings:
    """What it would do if it weren't left alone. ``profile``: as it is now; ``warnings``: how many `check` has of it.

    ``costs``: the document of the replay, empty where there was none; then ``walk`` is no tariff. ``asked``: the
    routing model whose cost is told.
    """
    gate = gate_from(costs.get("gates", {}).get(profile.name)) or unreplayed_gate(profile)
    profile = not_left_alone(profile)
    own = costs_from(costs.get("agents", {}).get(profile.name))
    labels, inferred = labels_of(taken.text, where, profile)
    trial = None
    if own is not None and isinstance(walk, Tariff) and inferred is not None and is_enough(labels, profile):
        trying = f"{profile.name}: trying a fit"
        with status(trying) as show:
            trial = try_fit(
                taken.calls,
                profile,
                inferred,
                walk,
                lambda what, done, of: show(f"{trying}: {what} {done}/{of}"),
                lambda items: items,
            )
    routing = None
    if asked is not None:
        routing = asked_routing(taken.every_call, profile, asked, walk.count_tokens, coverage_floor=walk.coverage_floor)
    return AgentFindings(
        routing=routing,
        agent=agent,
        sizes=sizes_of(profile, warnings),
        costs=own,
        made=None,
        left_out=left_out_of(taken.every_call, profile, walk, watch),
        labels=labels,
        trial=trial,
        min_cache_tokens=walk.target.min_cache_tokens,
        problem=None if own is not None else "no call with this prompt can be replayed",
        gate=gate,
        unreplayed=unreplayed,
        model=walk.model if isinstance(walk, Tariff) else None,
        caches_by_itself=isinstance(walk, Tariff) and not walk.target.takes_marks,
    )

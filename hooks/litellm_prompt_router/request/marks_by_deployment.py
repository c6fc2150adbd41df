"""Each deployment's own marks, where those of a group take different ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from litellm_prompt_router.request.types import UNKNOWN_TARGET, Rewritten, Target
from litellm_prompt_router.request.walk_steps import BodyForDeployment
from litellm_prompt_router.request.wire.marking import ANY_DEPLOYMENT, Marking, MarkPlan, Texts, instructions_for

_NO_PRICES: Mapping[str, Any] = dict.fromkeys(
    ("input_usd_per_token", "cache_read_share", "cache_write_share", "cache_write_1h_share")
)


def marking_of(
    unmarked_body: Mapping[str, Any],
    common: Target,
    rewritten_for: Callable[[Target], Rewritten],
    write: Callable[[Rewritten], Mapping[str, Any]],
    texts: Texts,
    bridged: Callable[[Rewritten], MarkPlan] | None,
) -> Marking | None:
    """Each candidate's own marks, one plan for all that are alike; None where one body does for all of them."""
    if not common.each:
        if bridged is None or not common.takes_marks:
            return None
        return Marking(plan_of={ANY_DEPLOYMENT: 0}, plans=(bridged(rewritten_for(common)),))
    # Deployments that differ in nothing that marks depend on share a plan.
    comparable = {own_id: _alike(target, common) for own_id, target in common.each}
    plans: list[MarkPlan] = []
    distinct: list[Target] = []
    for target in comparable.values():
        if target not in distinct:
            one = rewritten_for(target)
            marks = one.breakpoints
            distinct.append(target)
            if bridged is not None and target.takes_marks:
                plans.append(bridged(one))
            else:
                plans.append(MarkPlan(instructions_for(unmarked_body, write(one), texts), marks.added, marks.total))
    return Marking(
        plan_of={own_id: distinct.index(target) for own_id, target in comparable.items()}, plans=tuple(plans)
    )


def body_for(
    target: Target,
    common: Target,
    rewritten_for: Callable[[Target], Rewritten],
    write: Callable[[Rewritten], Mapping[str, Any]],
    texts: Texts,
    bridged: Callable[[Rewritten], MarkPlan] | None,
) -> BodyForDeployment:
    """The same text for a deployment that nobody counted on, with the marks that it takes."""
    one = rewritten_for(_alike(target, common))
    without = replace(UNKNOWN_TARGET, **_shared(common), reads_first_part=common.reads_first_part)
    unmarked = write(rewritten_for(without))
    if bridged is not None and target.takes_marks:
        return BodyForDeployment(unmarked, bridged(one))
    marks = one.breakpoints
    return BodyForDeployment(
        unmarked, MarkPlan(instructions_for(unmarked, write(one), texts), marks.added, marks.total)
    )


def _alike(target: Target, common: Target) -> Target:
    """The target, in all that marks don't depend on as all candidates have it."""
    return replace(target, **_shared(common), **_NO_PRICES)


def _shared(common: Target) -> dict[str, Any]:
    names = ("late_form", "takes_user_behind_result", "holds_to_prefix", "takes_changed_prompt")
    return {name: getattr(common, name) for name in names}

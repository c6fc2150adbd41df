"""What each model group gets: placement of late modules, cache marks, prices."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from litellm_prompt_router.operations.doctor.finding import Finding, fail, ok, warn
from litellm_prompt_router.request.types import UNKNOWN_TARGET, Target


def examine_groups(document: Mapping[str, Any], stated_placement: str) -> Iterable[Finding]:
    """A finding for each group. ``stated_placement``: the setting; ``auto`` leaves it to the group."""
    from litellm_prompt_router.gateway.deployments.groups import targets_of_config  # brings LiteLLM, some seconds

    entries = document.get("model_list")
    if not isinstance(entries, list) or not entries:
        yield warn("models", "no model_list in this file", "nothing, if models live in LiteLLM's database")
        return
    targets, problem = targets_of_config(document)
    if problem is not None:
        yield fail("models", f"LiteLLM doesn't take the model_list ({problem})", "correct it")
    for group, target in targets.items():
        yield _group(group, target, stated_placement)


def _group(group: str, target: Target, stated: str) -> Finding:
    name = f"model {group}"
    if target == UNKNOWN_TARGET:
        return warn(name, "nothing is known of its deployments: no marks, placement grow", "check the model's name")
    placement = target.placement if stated == "auto" else stated
    marks = "cache_control" if target.takes_marks else "breakpoints" if target.takes_breakpoints else "none"
    if target.each:
        marks = "by deployment"
    price = target.input_usd_per_token
    cost = f"${price * 1_000_000:g} a million tokens" if price is not None else "no price, or several"
    text = f"placement {placement}, marks {marks}, cached from {target.min_cache_tokens} tokens, {cost}"
    if price is None and not target.each:
        return warn(name, text, "state input_cost_per_token in its model_info, or savings stay unavailable")
    if stated == "append" and target.refuses_late_system:
        return warn(
            name, f"{text}; refuses system messages in a conversation, so append means grow", "set placement: auto"
        )
    return ok(name, text)

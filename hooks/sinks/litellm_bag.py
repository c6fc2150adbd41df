"""Facts -> LiteLLM's own request metadata: spend logs, Cost Optimization page, cache credit.

LiteLLM reads its metadata bag in place, so it is changed in place. Three of the keys decide what LiteLLM's
pages credit to the gateway; a client can send them too, so what arrived under them is always dropped.
"""

from __future__ import annotations

from typing import Any

from hooks.record import Facts
from hooks.wire.marking import Marking, Plan

OWN_KEY = "prompt_router"
MARKING = "marking"
COMPRESSION_KEY = "compression_savings"
INJECTED_KEY = "litellm_gateway_injected_cache"
EVERY_DEPLOYMENT = ""
"""LiteLLM's value for marks that every attempt's payload carries (anthropic_cache_control_hook.py, 1.106)."""


def scrub(bag: dict[str, Any]) -> None:
    """Drops what only the gateway may say."""
    for key in (OWN_KEY, COMPRESSION_KEY, INJECTED_KEY):
        bag.pop(key, None)
    spend_logs = bag.get("spend_logs_metadata")
    if isinstance(spend_logs, dict) and OWN_KEY in spend_logs:
        bag["spend_logs_metadata"] = {key: value for key, value in spend_logs.items() if key != OWN_KEY}


def stamp(bag: dict[str, Any], facts: Facts, marking: Marking | None = None) -> None:
    """Leaves the facts for our own later hooks, a summary for spend logs and LiteLLM's own savings fields.

    ``marking`` is for the deployment hook, where no one body does for all deployments.
    """
    bag[OWN_KEY] = facts.to_bag()
    if marking is not None and facts.outcome == "rewritten":
        bag[OWN_KEY][MARKING] = {"plan_of": dict(marking.plan_of), "plans": [list(plan) for plan in marking.plans]}
    spend_logs = bag.get("spend_logs_metadata")
    bag["spend_logs_metadata"] = {
        **(spend_logs if isinstance(spend_logs, dict) else {}),
        OWN_KEY: _summary(facts),
    }
    if facts.outcome == "shadow":
        return
    if facts.breakpoints_added:
        bag[INJECTED_KEY] = EVERY_DEPLOYMENT
    before, after = facts.original_tokens, facts.prompt_tokens
    if before is not None and after is not None and before > after:
        bag[COMPRESSION_KEY] = {
            "tokens_before": before,
            "tokens_after": after,
            "tokens_saved": before - after,
            "source": "compression_interception",
        }


def disclaim(bag: dict[str, Any]) -> None:
    """Takes the claims back for an answer that came from LiteLLM's own response cache: nothing was sent at all."""
    bag.pop(COMPRESSION_KEY, None)
    bag.pop(INJECTED_KEY, None)
    spend_logs = bag.get("spend_logs_metadata")
    summary = spend_logs.get(OWN_KEY) if isinstance(spend_logs, dict) else None
    if isinstance(spend_logs, dict) and isinstance(summary, dict):
        bag["spend_logs_metadata"] = {**spend_logs, OWN_KEY: {**summary, "list_price_saved_usd": None}}


def facts_in(bag: dict[str, Any]) -> Facts | None:
    """The facts that ``stamp`` left; None when there are none."""
    stamped = bag.get(OWN_KEY)
    if not isinstance(stamped, dict):
        return None
    return Facts.from_bag({name: value for name, value in stamped.items() if name != MARKING})


def marking_in(bag: dict[str, Any], endpoint: object) -> Marking | None:
    """The marking that ``stamp`` left for bodies of this endpoint; None when there is none."""
    stamped = bag.get(OWN_KEY)
    left = stamped.get(MARKING) if isinstance(stamped, dict) else None
    if not isinstance(stamped, dict) or not isinstance(left, dict):
        return None
    plans = tuple(Plan(*plan) for plan in left["plans"])
    own = stamped["caller"]["endpoint"]
    plan_of = {key: number for key, number in left["plan_of"].items() if (plans[number].endpoint or own) == endpoint}
    return Marking(plan_of=plan_of, plans=plans) if plan_of else None


def restamp(bag: dict[str, Any], deployment_id: str, plan: Plan) -> None:
    """Says of this attempt what its deployment gets. Attempts share the bag: the one that answers comes last."""
    bag[OWN_KEY]["breakpoints_added"] = plan.added
    bag[OWN_KEY]["breakpoints_total"] = plan.total
    if plan.added:
        # By deployment, so that an attempt without marks is credited with none.
        bag[INJECTED_KEY] = deployment_id


def _summary(facts: Facts) -> dict[str, Any]:
    return {
        "request_id": facts.caller.request_id,
        "outcome": facts.outcome,
        "reason": facts.reason,
        "mode": facts.mode,
        "profile": facts.profile,
        "profile_version": facts.profile_version,
        "modules": [evidence.module for evidence in facts.modules],
        "original_tokens": facts.original_tokens,
        "prompt_tokens": facts.prompt_tokens,
        "list_price_saved_usd": facts.list_price_saved_usd,
    }

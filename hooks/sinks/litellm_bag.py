"""Facts -> LiteLLM's own request metadata: spend logs, Cost Optimization page, cache credit.

LiteLLM reads its metadata bag in place, so it is changed in place. Three of the keys decide what LiteLLM's
pages credit to the gateway; a client can send them too, so what arrived under them is always dropped.
"""

from __future__ import annotations

from typing import Any

from hooks.record import Facts

OWN_KEY = "prompt_router"
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


def stamp(bag: dict[str, Any], facts: Facts) -> None:
    """Leaves the facts for our own success hook, a summary for spend logs and LiteLLM's own savings fields."""
    bag[OWN_KEY] = facts.to_bag()
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
    return Facts.from_bag(stamped) if isinstance(stamped, dict) else None


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

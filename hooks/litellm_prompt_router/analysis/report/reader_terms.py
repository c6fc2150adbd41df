"""Names from records in words for readers who don't know them."""

from __future__ import annotations

from collections.abc import Mapping

REASONS: Mapping[str, str] = {
    "bad_key_metadata": "the key's settings can't be read",
    "breaker": "switched off by itself after faults",
    "client_oauth": "paid by a subscription, not by the call",
    "error": "a fault of the router's",
    "holdout": "kept unchanged, for the control group",
    "no_system_prompt": "nothing to shorten",
    "not_in_percent": "outside the share that is switched on",
    "not_worth_it": "rewriting would not have paid",
    "not seen by the router": "LiteLLM has the call, the router has no record of it",
    "off": "switched off for this key or request",
    "stopped": "switched off for all",
    "unknown_profile": "the policy names a profile that isn't there",
    "unrecognised": "another prompt than the known ones",
    "unsupported_endpoint": "a kind of request that is left alone",
}
"""Why requests pass through."""
EVIDENCE: Mapping[str, str] = {
    "always": "part of every request",
    "score": "the message's words are like its examples",
    "trigger": "a listed phrase came up",
    "inherited": "needed earlier in the conversation",
    "requires": "another module needs it",
    "tool_call": "the model used its tool",
    "fallback": "the router was unsure and sent everything",
    "bundle": "cheaper sent along than left out",
}
"""Why modules are sent."""


def many(number: int, noun: str) -> str:
    """``1 damaged line``, ``1,200 damaged lines``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"

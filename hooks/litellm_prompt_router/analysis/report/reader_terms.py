"""Names from records in words for readers who don't know them."""

from __future__ import annotations

from collections.abc import Mapping

REASONS: Mapping[str, str] = {
    "bad_key_metadata": "the key's settings can't be read",
    "breaker": "switched off by itself after faults",
    "client_left": "its client went away while a routing model was asked",
    "client_oauth": "paid by a subscription, not by the call",
    "error": "a fault of the router's",
    "holdout": "kept unchanged, for the control group",
    "no_system_prompt": "nothing to shorten",
    "not_in_percent": "outside the share that is switched on",
    "began_unrewritten": "began without being rewritten, and its replayed thinking holds it to that",
    "not_worth_it": "rewriting would not have paid",
    "not seen by the router": "LiteLLM has the call, the router has no record of it",
    "off": "switched off for this key or request",
    "other_body": "answered by a fallback with messages of the client's own",
    "stopped": "switched off for all",
    "unknown_profile": "the policy names a profile that isn't there",
    "unrecognised": "another prompt than the known ones",
    "unreadable": "not of the form that the endpoint documents",
    "unsupported_endpoint": "a kind of request that is left alone",
}
"""Why requests pass through."""
NEXT_STEPS: Mapping[str, str] = {
    "bad_key_metadata": "`prompt-router status` has the last errors; correct the key's metadata",
    "breaker": "`prompt-router status` has the last errors",
    "error": "`prompt-router status` has the last errors",
    "fallback": "label messages and fit: `prompt-router label TRAFFIC.jsonl`, then `prompt-router fit`",
    "not_in_percent": "raise it: `prompt-router policy enable ALIAS --percent 100`",
    "not_worth_it": "label messages and fit, so that more is left out: `prompt-router label TRAFFIC.jsonl`, then"
    " `prompt-router fit`; `prompt-router tune LEDGER` says whether the traffic shows a gain all the same, and"
    " `prompt-router rewrite --explain` what the gate compared",
    "off": "`prompt-router policy show` says why, `prompt-router policy enable ALIAS` switches a key on",
    "stopped": "`prompt-router start`",
    "unknown_profile": "`prompt-router policy show`; correct the name",
    "unrecognised": "captured before its profile was there, or another agent's, or side calls such as titles:"
    " `prompt-router onboard TRAFFIC.jsonl` tells",
    "unreviewed": "read it, and accept it: `prompt-router review NAME`, `prompt-router review NAME --accept`",
}
"""What to do where much is passed through for this reason, held back unreviewed, or sent whole for want of a fit."""
HINDRANCES: Mapping[str, str] = {
    **REASONS,
    "fallback": "sent every module, as nothing says who needs them",
    "unreviewed": "held in shadow, as nobody reviewed the profile",
}
"""What kept something from being left out."""
OUTCOMES: Mapping[str, str] = {
    "rewritten": "rewritten",
    "shadow": "decided in shadow mode, sent as they came",
    "passthrough": "passed through as they came",
}
SENT_EACH_TIME: Mapping[str, str] = {"always": "always sent", "fallback": "sent because no fit says who needs them"}
"""Of modules that are selected for one of these reasons only there is nothing to tell but how many they are."""
EVIDENCE: Mapping[str, str] = {
    "always": "part of every request",
    "score": "the message's words are like its examples",
    "trigger": "a listed phrase came up",
    "inherited": "needed earlier in the conversation",
    "requires": "another module needs it",
    "tool_call": "the model used its tool",
    "assistant": "what the agent said calls for it",
    "model": "the routing model named it",
    "fallback": "the router was unsure and sent everything",
    "bundle": "cheaper sent along than left out",
}
"""Why modules are sent."""


def next_step(reasons: Mapping[str, int]) -> tuple[str, int, str] | None:
    """``(reason, calls, what to do)`` of the most frequent reason about which something can be done."""
    found = [(-calls, reason) for reason, calls in reasons.items() if reason in NEXT_STEPS and calls]
    if not found:
        return None
    calls, reason = min(found)
    return reason, -calls, NEXT_STEPS[reason]


def outcomes_in_words(outcomes: Mapping[str, int]) -> str:
    """``3 rewritten, 9 passed through as they came``."""
    return ", ".join(f"{outcomes[name]:,} {words}" for name, words in OUTCOMES.items() if outcomes.get(name))

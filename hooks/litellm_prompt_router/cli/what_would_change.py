"""What it would take for a request to be shortened: by the reason that it passed, fell back or was widened."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from litellm_prompt_router.profile.profile import Profile, how_to_review
from litellm_prompt_router.record.record import UNREVIEWED
from litellm_prompt_router.request.gate_explanation import LEFT_ALONE, GateExplanation
from litellm_prompt_router.request.route.uncalibrated import NOT_CALIBRATED
from litellm_prompt_router.request.types import UNREADABLE, RoutingDecision

PASSTHROUGHS: Mapping[str, str] = {
    "bad_key_metadata": "correct `prompt_router` in the key's or team's metadata; `prompt-router policy` shows it",
    "began_unrewritten": "a new conversation: this one replays thinking that the provider holds to how it began",
    "breaker": "the breaker opened after faults and closes by itself; `prompt-router status` shows the faults",
    "client_oauth": "nothing: the client pays by subscription, so shorter prompts would save no money",
    "client_left": "nothing: the client went away while a routing model was asked",
    "error": "report it: a fault of the router's own; `prompt-router status` and the log say more",
    "holdout": "nothing: this conversation is in the control group; `holdout: 0` ends the comparison",
    "no_system_prompt": "a system prompt: without one there is nothing to shorten",
    "not_in_percent": "raise `percent` in the policy: this conversation is outside the share that is switched on",
    "off": "switch it on for this key: `mode: rewrite` (or shadow) in policy, key metadata or settings",
    "other_body": "nothing: a fallback with messages of the client's own answered, as the client asked",
    "stopped": "`prompt-router start`: it is switched off for all",
    "unknown_profile": "correct the profile's name in the policy; `prompt-router check` lists those there are",
    "unrecognised": "a profile of this prompt: `prompt-router learn TRAFFIC.jsonl` or `prompt-router split PROMPT.txt`",
    UNREADABLE: "send a body of the form that the endpoint documents",
    UNREVIEWED: "`prompt-router review NAME`, then `prompt-router review NAME --accept`; until then it's in shadow",
    "unsupported_endpoint": "another endpoint: chat completions, messages, responses or generateContent",
}
"""By passthrough reason. ``not_worth_it`` depends on figures: see ``gate_advice``."""
OTHER_PASSTHROUGH = "a body that can be read; the reason says what is wrong with it"
FALLBACKS: Mapping[str, str] = {
    "attachment without a matching trigger": "a trigger for such attachments at the module that they need",
    "attachment without text": "words beside the attachment, or a trigger for such attachments",
    "nearly everything was selected": "smaller modules: what was selected is most of the prompt",
    "no calibrated threshold": "more labelled messages: `prompt-router fit` found too few to promise anything",
    "no user message": "a message of the user's",
    NOT_CALIBRATED: (
        "a fit on labelled messages (`prompt-router examples`, then `prompt-router fit`), a routing model"
        " (`router: {model: NAME}`), or `optional: true` at modules that not every request needs"
    ),
    "nothing known in the message": "labels of messages with such words, then `prompt-router fit`; or a trigger",
    "nothing to follow up on": "the conversation before this message",
    "the history was shortened": "the whole history: which modules its missing part brought can't be told",
}
UNFITTED = "labels and `prompt-router fit`, a routing model, `optional: true` at modules that not every request needs"
OTHER_FALLBACK = "the whole conversation in the request"


def passthrough_advice(reason: str, *, is_near: bool = False, profile: str | None = None) -> str:
    """``is_near``: the prompt is like the profile's, but too little of it is known."""
    if reason == "unrecognised" and is_near and profile is not None:
        return (
            f"bring {profile} up to date with this prompt (`prompt-router update`), or lower its `coverage_floor`"
            " if what is new may always be sent"
        )
    return PASSTHROUGHS.get(reason, OTHER_PASSTHROUGH)


def review_advice(profile: Profile) -> str | None:
    """None where a person reviewed it."""
    return None if profile.reviewed else f"{how_to_review(profile.name)}; until then it is in shadow"


def fallback_advice(decision: RoutingDecision) -> str | None:
    """None where the decision is no fallback."""
    return FALLBACKS.get(decision.fallback_reason or "", OTHER_FALLBACK) if decision.is_fallback else None


def gate_advice(explained: GateExplanation, profile: Profile) -> Iterator[str]:
    """What would have the selection sent; nothing where it is."""
    tune = f"`prompt-router simulate TRAFFIC.jsonl --profile {profile.name} --tune`"
    if explained.rule == "left_alone":
        yield f"newer traffic: {tune}"
        yield "a fit, triggers or marks that select less: any change of them ends what was tuned"
        return
    if explained.rule == "everything":
        yield FALLBACKS[NOT_CALIBRATED]
        return
    if explained.rule in LEFT_ALONE:
        yield f"recorded traffic or a ledger that shows a gain: {tune}, or `prompt-router tune LEDGER --write`"
        if explained.rule == "no_tools":
            yield "tools in the request: agents that run them make several calls for a message"
        else:
            yield "a model whose cached tokens cost more, or whose cache lives minutes"
        return
    if explained.rule == "may_need_all":
        yield "labels of whole conversations, then `prompt-router fit`: they tell what later messages need"
        yield f"recorded traffic: {tune}"
        return
    if explained.rule not in ("widened", "no_way", "every", "bundle"):
        return
    if not explained.dropped_tokens:
        pass  # everything is selected: no traffic shows what less would cost
    elif explained.rule in ("widened", "no_way"):
        yield f"recorded traffic, which shows what is warm where this rule takes the worst: {tune}"
    else:
        yield f"other traffic: {tune}"
    turning = explained.break_even
    if turning.calls is not None and turning.calls > explained.calls:
        counted = f"{explained.calls:g}"
        yield f"conversations of {turning.calls:,} calls or more (the rule takes {counted}), once tuned on them"
    if turning.dropped_tokens is not None and turning.dropped_tokens > explained.compared_tokens:
        how = "labels of more messages, then `prompt-router fit`" if profile.is_calibrated else UNFITTED
        yield f"{turning.dropped_tokens - explained.compared_tokens:,} more tokens left out: {how}, or smaller modules"
    elif turning.dropped_tokens is None:
        yield f"a smaller core: {explained.core_tokens:,} of {explained.full_tokens:,} tokens are always sent"
    if turning.read_share is not None and (explained.read_share or 0.0) < turning.read_share:
        cheap = (
            "aren't cheaper than others"
            if turning.read_share >= 1
            else (f"cost {turning.read_share:g} or more of the input price")
        )
        yield f"a model whose cached tokens {cheap}"

"""The facts of one request, from its caller and the walk's outcome, and what rewriting saves at list price."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import lru_cache, partial
from types import MappingProxyType
from typing import Any

from litellm_prompt_router.profile.profile import Profile
from litellm_prompt_router.record.prompt_state import PromptPlaces, places_of, start_of
from litellm_prompt_router.record.record import UNREVIEWED, Arm, Caller, Facts, RoutingOutcome
from litellm_prompt_router.request.history import totals_of
from litellm_prompt_router.request.types import (
    Composition,
    Mode,
    Outcome,
    Passthrough,
    Recognition,
    Request,
    Rewritten,
    RoutingDecision,
    Target,
)
from litellm_prompt_router.request.wire.declared_tools import ToolSizes

DRIFT_RESIDUE_CHARS = 200
"""Unknown text of this size is a section that the profile lacks; less is a user's note or a date."""
NOTHING_REMOVED = "nothing was removed"
_REMEMBERED = 256
"""Recognitions and profiles, each one object for all requests that it is of."""
OTHER_BODY = "other_body"
"""Reason of requests that a fallback answered which the client gave messages of its own."""
NO_LIST_PRICE = "no price for the model, or its deployments differ"


@dataclass(frozen=True, kw_only=True, slots=True)
class RoutingModelUse:
    """What the routing model did for a request. ``model``: its name, where the policy lets it be asked."""

    model: str | None
    outcome: RoutingOutcome
    wait_us: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class DecisionContext:
    """How the request came to be treated so: what decided its mode, its arm, a profile new to its conversation, the
    models that it waited for, and the tuning that its conversation goes by.
    """

    policy: str | None = None
    arm: Arm | None = None
    profile_changed_from: str | None = None
    routing_model: RoutingModelUse | None = None
    embedding_wait_us: int | None = None
    tuning: str | None = None


NO_CONTEXT = DecisionContext()


def facts_of(
    caller: Caller,
    mode: Mode,
    outcome: Outcome,
    target: Target,
    decision_us: int,
    context: DecisionContext = NO_CONTEXT,
    *,
    request: Request | None = None,
    data: Mapping[str, Any] = MappingProxyType({}),
    written: bytes | None = None,
) -> Facts:
    """The facts of one request; ``decision_us`` is the time our part took, waiting for models included.

    ``request`` and ``data``: the body, in our types and as it came, where it was read. ``written``: its tools, as
    ``written_tools`` writes them.
    """
    recognition, decision = outcome.recognition, outcome.decision
    sizes, asked = _part_sizes(request, data, recognition, written), context.routing_model
    # Made at once: copying so many fields takes time while the client waits.
    told = partial(
        Facts,
        caller=caller,
        mode=mode,
        policy=context.policy,
        arm=context.arm,
        profile_changed_from=context.profile_changed_from,
        tuning=context.tuning,
        decision_us=decision_us,
        routing_model=None if asked is None else asked.model,
        routing_model_outcome=None if asked is None else asked.outcome,
        routing_model_wait_us=None if asked is None else asked.wait_us,
        embedding_wait_us=context.embedding_wait_us,
        tools_chars=sizes.tools_chars,
        history_chars=sizes.history_chars,
        placed_at_chars=sizes.placed_at_chars,
        varying_at_chars=sizes.varying_at_chars,
        varying_chars=sizes.varying_chars,
    )
    if recognition is not None and decision is not None:
        return _recognised(
            told, mode, outcome, recognition, decision, target, is_held_back=context.policy == UNREVIEWED
        )
    assert isinstance(outcome, Passthrough)
    return _passed(told, outcome)


def of_other_body(facts: Facts, prompt_chars: int, marks: int) -> Facts:
    """The facts of a request whose answer was to another body than the one that left: nothing of it is ours.

    ``prompt_chars`` and ``marks`` are of the system prompt and the marks that were sent. What passed through anyway
    keeps its reason.
    """
    if facts.is_off:
        return facts
    return replace(
        facts,
        outcome="passthrough",
        reason=facts.reason if facts.is_passthrough else OTHER_BODY,
        placement=None,
        modules=(),
        is_fallback=False,
        fallback_reason=None,
        original_chars=prompt_chars,
        prompt_chars=prompt_chars,
        residue_chars=None,
        original_tokens=None,
        prompt_tokens=None,
        breakpoints_added=0,
        breakpoints_client=marks,
        breakpoints_total=marks,
        list_price_saved_usd=None,
        list_price_saved_reason=NOTHING_REMOVED,
    )


def _passed(told: Callable[..., Facts], outcome: Passthrough) -> Facts:
    near = outcome.near
    known = near or outcome.recognition
    return told(
        outcome="passthrough",
        reason=outcome.reason,
        profile=known.profile.name if known else None,
        profile_version=known.profile.version if known else None,
        profile_digest=known.profile.digest if known else None,
        coverage=round(known.coverage, 4) if known else None,
        is_drift=near is not None,
        known_lines=round(near.known_lines, 4) if near else None,
        original_chars=outcome.original_chars,
        breakpoints_client=outcome.client_marks,
        breakpoints_total=outcome.client_marks,
        list_price_saved_reason=NOTHING_REMOVED,
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class _PartSizes:
    """The sizes of what isn't system text, and what varies in that. None: nothing of the body was read."""

    tools_chars: int | None = None
    history_chars: int | None = None
    placed_at_chars: int | None = None
    varying_at_chars: int | None = None
    varying_chars: int | None = None


_NOT_READ = _PartSizes()
_TOOL_SIZES = ToolSizes()


def _part_sizes(
    request: Request | None, data: Mapping[str, Any], recognition: Recognition | None, written: bytes | None
) -> _PartSizes:
    if request is None:
        return _NOT_READ
    places = PromptPlaces() if recognition is None else places_of(recognition)
    return _PartSizes(
        tools_chars=_TOOL_SIZES.chars(data, written),
        history_chars=totals_of(request.turns).chars,
        placed_at_chars=start_of(places.placed),
        varying_at_chars=start_of(places.varying),
        varying_chars=None if recognition is None else sum([end - start for start, end in places.varying]),
    )


def _recognised(
    told: Callable[..., Facts],
    mode: Mode,
    outcome: Outcome,
    recognition: Recognition,
    decision: RoutingDecision,
    target: Target,
    *,
    is_held_back: bool,
) -> Facts:
    """A recognised prompt. Where it isn't worth rewriting, ``modules`` are those that were needed; all of them left.

    Of what was held back because nobody reviewed the profile that is the reason, whatever the gate says of the
    selection: it is what somebody can change.
    """
    absent = _absent_modules(recognition)
    residue_chars = _residue_chars(outcome, recognition)
    core = _core_ids(recognition.profile)
    wanted = [each for each in decision.wanted if each.module not in core]
    told = partial(
        told,
        profile=recognition.profile.name,
        profile_version=recognition.profile.version,
        profile_digest=recognition.profile.digest,
        coverage=round(recognition.coverage, 4),
        message_kind=decision.message_kind,
        query_chars=decision.query_chars,
        modules=decision.selected,
        module_total=len(recognition.profile.modules),
        is_fallback=decision.is_fallback,
        fallback_reason=decision.fallback_reason,
        residue_chars=residue_chars,
        is_drift=bool(absent) or residue_chars >= DRIFT_RESIDUE_CHARS,
        absent_modules=absent,
        turn_number=decision.turn_number,
        is_new_message=decision.is_new_message,
        wanted_modules=tuple([each.module for each in wanted if not each.late]),
        wanted_late_modules=tuple([each.module for each in wanted if each.late]),
        profile_router=recognition.profile.router,
        profile_routing=recognition.profile.routing,
    )
    if isinstance(outcome, Passthrough):
        added = outcome.added_marks if mode == "rewrite" else 0
        return told(
            outcome="shadow" if is_held_back else "passthrough",
            reason=UNREVIEWED if is_held_back else outcome.reason,
            original_chars=outcome.original_chars,
            prompt_chars=outcome.original_chars,
            breakpoints_added=added,
            breakpoints_client=outcome.client_marks,
            breakpoints_total=outcome.client_marks + added,
            list_price_saved_reason=NOTHING_REMOVED,
        )
    composition, breakpoints = outcome.composition, outcome.breakpoints
    saved, why_not = _list_price_saved(composition, target)
    return told(
        outcome="shadow" if mode == "shadow" else "rewritten",
        reason=UNREVIEWED if is_held_back else None,
        placement=outcome.placement,
        original_chars=recognition.spans[-1].end,
        prompt_chars=composition.chars,
        original_tokens=composition.original_tokens,
        prompt_tokens=composition.tokens,
        breakpoints_added=breakpoints.added,
        breakpoints_client=breakpoints.client,
        breakpoints_total=breakpoints.total,
        list_price_saved_usd=None if saved is None else format(saved, "f"),
        list_price_saved_reason=why_not,
    )


@lru_cache(maxsize=_REMEMBERED)
def _core_ids(profile: Profile) -> frozenset[str]:
    return frozenset([module.id for module in profile.modules if module.always])


def _residue_chars(outcome: Outcome, recognition: Recognition) -> int:
    if isinstance(outcome, Rewritten):
        return outcome.composition.residue_chars
    return sum(span.end - span.start for span in recognition.spans if span.kind == "residue")


@lru_cache(maxsize=_REMEMBERED)
def _absent_modules(recognition: Recognition) -> tuple[str, ...]:
    """The modules that recognition didn't place: edited in the agent's prompt, or gone from it."""
    placed = {span.module for span in recognition.spans}
    return tuple(module.id for number, module in enumerate(recognition.profile.modules) if number not in placed)


def _list_price_saved(composition: Composition, target: Target) -> tuple[Decimal | None, str | None]:
    """``(usd, reason)``: removed system tokens at the plain input price, signed; None with the reason.

    Ignores caching on both sides, so it overstates what a warm cache leaves to be saved.
    """
    if target.input_usd_per_token is None:
        return None, NO_LIST_PRICE
    removed_tokens = composition.original_tokens - composition.tokens
    return removed_tokens * target.input_usd_per_token, None

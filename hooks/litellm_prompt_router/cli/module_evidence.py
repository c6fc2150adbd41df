"""Every module of a decision, sent or left out, and why."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import NamedTuple

from litellm_prompt_router.profile.profile import Profile
from litellm_prompt_router.profile.topic_pieces import topics_of
from litellm_prompt_router.request.route import WeightedConversation
from litellm_prompt_router.request.types import RoutingDecision


class ModuleState(NamedTuple):
    """One module. ``evidence`` and ``detail`` say why it is selected; where it isn't, ``detail`` says why not."""

    module: str
    is_selected: bool
    evidence: str
    detail: str
    is_late: bool
    tokens: int


def states_of(
    decision: RoutingDecision, profile: Profile, weighted: WeightedConversation | None, declared: Collection[str] = ()
) -> Iterator[ModuleState]:
    """All modules in profile order. ``weighted``: the same conversation's scores; ``declared``: the request's tools."""
    evidence = {item.module: item for item in decision.selected}
    for number, module in enumerate(profile.modules):
        why = evidence.get(module.id)
        if why is None:
            detail = _why_not(number, profile, weighted, declared)
            yield ModuleState(module.id, False, "", detail, False, module.tokens)
        else:
            yield ModuleState(module.id, True, why.kind, why.detail or "", why.late, module.tokens)


def threshold_of(weighted: WeightedConversation, profile: Profile) -> float:
    """The one that the conversation's scores are held against, in a fitted profile."""
    assert profile.fitted is not None
    semantics = profile.fitted.semantics
    of = semantics if weighted.is_fused and semantics is not None else profile.fitted
    return of.calibration.threshold


def _why_not(number: int, profile: Profile, weighted: WeightedConversation | None, declared: Collection[str]) -> str:
    module = profile.modules[number]
    first = topics_of(profile.modules)[number]
    if first != number:
        return f"a piece of {profile.modules[first].id}"
    if profile.is_calibrated and profile.fitted is not None:
        if weighted is None or not weighted.seen or number not in profile.fitted.table.columns:
            return "nothing asks for it"
        return f"its score {weighted.values[number]:.2f} is below {threshold_of(weighted, profile):.2f}"
    if module.optional:
        return "marked optional, and nothing asks for it"
    if module.tools and declared:  # the only other way out of what is sent without a calibrated fit
        return "none of its tools is in the request"
    return "nothing asks for it"

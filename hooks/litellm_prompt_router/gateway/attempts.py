"""What each attempt of a request carries, from LiteLLM's deployment hooks.

LiteLLM tries a request several times, at several models, with bodies that a client's fallback may bring, and for a
list of models it makes calls side by side. A record says what the attempt that answered carried: so each is compared
with the body that left, and marked for the deployment that LiteLLM chose.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol

from litellm_prompt_router.gateway import metadata_bag
from litellm_prompt_router.gateway.caller import mapping_of
from litellm_prompt_router.gateway.calls_beside import CallBeside
from litellm_prompt_router.gateway.deployments.answering import chosen_target
from litellm_prompt_router.gateway.facts_in_flight import BodyThatLeft, LeftRequest
from litellm_prompt_router.gateway.request_ids import new_id
from litellm_prompt_router.record.facts import of_other_body
from litellm_prompt_router.record.record import Facts
from litellm_prompt_router.request.types import UnreadableRequestError
from litellm_prompt_router.request.wire import SHAPES
from litellm_prompt_router.request.wire.carried import carried, is_same, prompt_text, sent_body
from litellm_prompt_router.request.wire.marking import ANY_DEPLOYMENT, Marking, MarkPlan, apply_instructions
from litellm_prompt_router.request.wire.marks import CACHE_KEY, INJECTION_POINTS

OTHER_MESSAGES = "the attempt that answered carried other messages"
SILENT = "is_silent_experiment"
"""LiteLLM's mark in the bag of a call that mirrors another one (litellm/router.py, 1.106)."""


class KeptRequests(Protocol):
    """What accounting is told of attempts. Nothing here waits or raises."""

    def share(self, request_id: str, other_id: str) -> None:
        """Keeps a request for a call that goes out beside others, too."""
        ...

    def attempt(
        self,
        request_id: str,
        *,
        original: Mapping[str, Any] | None = None,
        rewritten: Mapping[str, Any] | None = None,
        marking: Marking | None = None,
    ) -> None:
        """Takes what the attempt that is out carries where that isn't what left."""
        ...


def prepare(kwargs: dict[str, Any], call_type: object, kept: KeptRequests) -> dict[str, Any] | None:
    """The attempt with the marks that its deployment takes; None where nothing is to change.

    Messages are shared among attempts, so what changes is put into new objects.
    """
    found = metadata_bag.find(kwargs)
    if found is None:
        return None
    name, bag, seal, left = found
    body = metadata_bag.body_that_left(seal)
    if body is None or call_type != left.facts.caller.endpoint:
        return _marked(kwargs, bag, left, call_type)
    is_beside = left.beside is not None and not left.is_one
    is_mirror = bag.get(SILENT) is True and not left.is_one
    if not is_beside and not is_mirror:
        return _prepared(kwargs, bag, call_type, seal, left, body, kept)
    caller = replace(body.facts.caller, request_id=new_id())
    kept.share(left.facts.caller.request_id, caller.request_id)
    body = replace(body, facts=replace(body.facts, caller=caller), attempts=0)
    beside = left.beside if is_beside else None
    left = LeftRequest(body.facts, left.marking and body.marking, beside=beside, is_one=True)
    bag, seal = metadata_bag.part_attempt(bag, left, body)
    kwargs = {**kwargs, name: bag}
    if beside is not None:
        beside.out[seal] = CallBeside.of(kwargs)
    prepared = _prepared(kwargs, bag, call_type, seal, left, body, kept)
    return kwargs if prepared is None else prepared


def _prepared(
    kwargs: dict[str, Any],
    bag: dict[str, Any],
    call_type: object,
    seal: str,
    left: LeftRequest,
    body: BodyThatLeft,
    kept: KeptRequests,
) -> dict[str, Any] | None:
    """``prepare`` for an attempt of whose request it is known what left."""
    is_first = not body.attempts
    body.attempts += 1
    if not is_same(body.sent, kwargs):
        carries = carried(body.sent, kwargs, is_first=is_first)
        if carries != "whole":
            _tell_other(kwargs, bag, call_type, seal, left, body, kept, is_prompt_ours=carries == "prompt")
            return None
        if is_first:
            body.sent = sent_body(kwargs)
    if not is_first:
        kept.attempt(body.facts.caller.request_id)
        left = left._replace(facts=body.facts, marking=left.marking and body.marking, usage_reason=None)
        metadata_bag.update_attempt(seal, left)
    own_id = str(mapping_of(kwargs.get("model_info")).get("id"))
    if (
        body.for_deployment is None
        or own_id in body.deployments
        or (body.marking is not None and own_id in body.marking.plan_of)
    ):
        return _marked(kwargs, bag, left, call_type)
    return _marked_for_other(kwargs, bag, call_type, seal, left, body, own_id, kept)


def _tell_other(
    kwargs: dict[str, Any],
    bag: dict[str, Any],
    call_type: object,
    seal: str,
    left: LeftRequest,
    body: BodyThatLeft,
    kept: KeptRequests,
    *,
    is_prompt_ours: bool,
) -> None:
    """Notes what an attempt carries that isn't the body which left."""
    marks = _marks_of(kwargs, str(call_type))
    if is_prompt_ours:
        kept.attempt(body.facts.caller.request_id)
        left = left._replace(facts=_with_marks(body.facts, marks), usage_reason=OTHER_MESSAGES)
    else:
        kept.attempt(body.facts.caller.request_id, original=kwargs)
        facts = of_other_body(body.facts, len(prompt_text(kwargs)), marks)
        left = left._replace(facts=facts, usage_reason=None)
    metadata_bag.update_attempt(seal, left)
    metadata_bag.say_injected(bag, None)


def _marks_of(kwargs: Mapping[str, Any], endpoint: str) -> int:
    """The marks in a body, whoever placed them."""
    try:
        return SHAPES[endpoint].read(kwargs).client_marks
    except UnreadableRequestError:
        return 0


def _with_marks(facts: Facts, marks: int) -> Facts:
    """The facts with the marks that the attempt's body has, whoever placed them."""
    added = min(facts.breakpoints_added, marks)
    return replace(facts, breakpoints_added=added, breakpoints_total=marks)


def _marked(kwargs: dict[str, Any], bag: dict[str, Any], left: LeftRequest, call_type: object) -> dict[str, Any] | None:
    """The body with the marks that were planned for the chosen deployment, where those of a group differ."""
    if left.marking is None:
        return None
    marking = metadata_bag.marking_in(bag, call_type)
    if marking is None:
        return None
    own_id = str(mapping_of(kwargs.get("model_info")).get("id"))
    number = marking.plan_of.get(own_id, marking.plan_of.get(ANY_DEPLOYMENT))
    if number is None:
        return None
    plan = marking.plans[number]
    changed = apply_instructions(plan.instructions, kwargs)
    if changed is None:
        return None
    metadata_bag.update_marks(bag, own_id, plan)
    return {**kwargs, **changed}


def _marked_for_other(
    kwargs: dict[str, Any],
    bag: dict[str, Any],
    call_type: object,
    seal: str,
    left: LeftRequest,
    body: BodyThatLeft,
    own_id: str,
    kept: KeptRequests,
) -> dict[str, Any] | None:
    """The body for a deployment that nobody counted on when it left: without the others' marks, with its own.

    Where somebody edited the messages since, theirs stay as they are.
    """
    if body.for_deployment is None or not is_same(body.sent, kwargs):
        return None
    request_id = body.facts.caller.request_id
    unmarked, plan = body.for_deployment(chosen_target(kwargs, str(call_type)))
    is_plain = body.marking is not None or not body.deployments
    plain = kwargs if is_plain else _without_marks(kwargs, unmarked, [name for name, _ in body.sent.fields])
    marking = Marking(plan_of={own_id: 0}, plans=(plan,))
    metadata_bag.update_attempt(seal, left._replace(marking=marking))
    kept.attempt(request_id, rewritten=unmarked, marking=marking)
    if plan.endpoint is not None:  # the body that LiteLLM makes of this one is marked
        return plain
    changed = apply_instructions(plan.instructions, plain)
    metadata_bag.update_marks(bag, own_id, plan if changed is not None else _unmarked(plan))
    return plain if changed is None else {**plain, **changed}


def _without_marks(kwargs: dict[str, Any], unmarked: Mapping[str, Any], fields: Sequence[str]) -> dict[str, Any]:
    """The attempt with these fields of the unmarked body, and nothing beside them that only marks the other."""
    plain = {**kwargs, **{name: unmarked[name] for name in fields if name in unmarked}}
    for name in (INJECTION_POINTS, CACHE_KEY):
        plain.pop(name, None)
        if name in unmarked:
            plain[name] = unmarked[name]
    tools, marked = unmarked.get("tools"), kwargs.get("tools")
    if isinstance(tools, list) and isinstance(marked, list) and len(tools) == len(marked):  # LiteLLM added none
        plain["tools"] = tools
    return plain


def _unmarked(plan: MarkPlan) -> MarkPlan:
    return plan._replace(added=0, total=plan.total - plan.added)

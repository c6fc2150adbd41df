"""What each attempt of a request carries, from LiteLLM's deployment hooks.

LiteLLM tries a request several times, at several models, with bodies that a client's fallback may bring, and for a
list of models it makes calls side by side. A record says what the attempt that answered carried: so each is compared
with the body that left, and marked for the deployment that LiteLLM chose.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from litellm_prompt_router.gateway import metadata_bag
from litellm_prompt_router.gateway.caller import mapping_of
from litellm_prompt_router.gateway.calls_beside import CallBeside
from litellm_prompt_router.gateway.completion import RecordCompleter
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


def prepare(kwargs: dict[str, Any], call_type: object, kept: RecordCompleter) -> dict[str, Any] | None:
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
        return _Attempt(kwargs=kwargs, bag=bag, seal=seal, left=left, body=body, kept=kept).prepared()
    caller = replace(body.facts.caller, request_id=new_id())
    kept.share(left.facts.caller.request_id, caller.request_id)
    body = replace(body, facts=replace(body.facts, caller=caller), attempts=0)
    beside = left.beside if is_beside else None
    left = LeftRequest(body.facts, left.marking and body.marking, beside=beside, is_one=True)
    bag, seal = metadata_bag.part_attempt(bag, left, body)
    kwargs = {**kwargs, name: bag}
    if beside is not None:
        beside.out[seal] = CallBeside.of(kwargs)
    prepared = _Attempt(kwargs=kwargs, bag=bag, seal=seal, left=left, body=body, kept=kept).prepared()
    return kwargs if prepared is None else prepared


@dataclass(kw_only=True, slots=True)
class _Attempt:
    """An attempt of a request of which it is known what left. ``left`` is what is told of the attempt that is out."""

    kwargs: dict[str, Any]
    bag: dict[str, Any]
    seal: str
    left: LeftRequest
    body: BodyThatLeft
    kept: RecordCompleter

    @property
    def endpoint(self) -> str:
        return self.left.facts.caller.endpoint

    @property
    def request_id(self) -> str:
        return self.body.facts.caller.request_id

    def prepared(self) -> dict[str, Any] | None:
        """What ``prepare`` gives."""
        body, kwargs = self.body, self.kwargs
        is_first = not body.attempts
        body.attempts += 1
        if not is_same(body.sent, kwargs):
            carries = carried(body.sent, kwargs, is_first=is_first)
            if carries != "whole":
                self._tell_other(is_prompt_ours=carries == "prompt")
                return None
            if is_first:
                body.sent = sent_body(kwargs)
        if not is_first:
            self.kept.attempt(self.request_id)
            self._tell(facts=body.facts, marking=self.left.marking and body.marking, usage_reason=None)
        own_id = _deployment_id(kwargs)
        if (
            body.for_deployment is None
            or own_id in body.deployments
            or (body.marking is not None and own_id in body.marking.plan_of)
        ):
            return _marked(kwargs, self.bag, self.left, self.endpoint)
        return self._marked_for_other(own_id)

    def _tell(self, **changes: Any) -> None:
        """Changes what is told of the attempt that is out."""
        self.left = self.left._replace(**changes)
        metadata_bag.update_attempt(self.seal, self.left)

    def _tell_other(self, *, is_prompt_ours: bool) -> None:
        """Notes what an attempt carries that isn't the body which left."""
        facts, marks = self.body.facts, _marks_of(self.kwargs, self.endpoint)
        if is_prompt_ours:
            self.kept.attempt(self.request_id)
            self._tell(facts=_with_marks(facts, marks), usage_reason=OTHER_MESSAGES)
        else:
            self.kept.attempt(self.request_id, original=self.kwargs)
            self._tell(facts=of_other_body(facts, len(prompt_text(self.kwargs)), marks), usage_reason=None)
        metadata_bag.say_injected(self.bag, None)

    def _marked_for_other(self, own_id: str) -> dict[str, Any] | None:
        """The body for a deployment that nobody counted on when it left: without the others' marks, with its own.

        Where somebody edited the messages since, theirs stay as they are.
        """
        body, kwargs = self.body, self.kwargs
        if body.for_deployment is None or not is_same(body.sent, kwargs):
            return None
        unmarked, plan = body.for_deployment(chosen_target(kwargs, self.endpoint))
        is_plain = body.marking is not None or not body.deployments
        plain = kwargs if is_plain else _without_marks(kwargs, unmarked, [name for name, _ in body.sent.fields])
        marking = Marking(plan_of={own_id: 0}, plans=(plan,))
        self._tell(marking=marking)
        self.kept.attempt(self.request_id, rewritten=unmarked, marking=marking)
        if plan.endpoint is not None:  # the body that LiteLLM makes of this one is marked
            return plain
        changed = apply_instructions(plan.instructions, plain)
        metadata_bag.update_marks(self.bag, own_id, plan if changed is not None else _unmarked(plan))
        return plain if changed is None else {**plain, **changed}


def _deployment_id(kwargs: Mapping[str, Any]) -> str:
    return str(mapping_of(kwargs.get("model_info")).get("id"))


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
    own_id = _deployment_id(kwargs)
    number = marking.plan_of.get(own_id, marking.plan_of.get(ANY_DEPLOYMENT))
    if number is None:
        return None
    plan = marking.plans[number]
    changed = apply_instructions(plan.instructions, kwargs)
    if changed is None:
        return None
    metadata_bag.update_marks(bag, own_id, plan)
    return {**kwargs, **changed}


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

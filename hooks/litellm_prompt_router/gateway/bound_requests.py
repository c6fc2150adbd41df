"""How a request goes on as its conversation began, where replayed thinking binds it to that."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from litellm_prompt_router.gateway.conversation_beginnings import (
    PASSED_BEGINNING,
    Beginning,
    ConversationBeginnings,
)
from litellm_prompt_router.gateway.request_steps import (
    IncomingRequest,
    RequestOutcome,
    outcome_before_routing,
    with_conversation,
)
from litellm_prompt_router.gateway.tuning.conversation_tunings import begins
from litellm_prompt_router.policy import Policy
from litellm_prompt_router.record.record import Caller
from litellm_prompt_router.request.slices import Slices
from litellm_prompt_router.request.walk_steps import OpenedRequest, WalkResult

NOT_SEEN = "began_unrewritten"
"""Reason of a conversation whose thinking is bound to what stands ahead, and which nobody saw begin."""
Opening = Callable[[Slices[OpenedRequest | WalkResult], IncomingRequest], Slices[OpenedRequest | WalkResult]]
"""Opens a request in slices; where that fails, the request passes through."""


@dataclass(frozen=True, kw_only=True, slots=True)
class BoundRequest:
    """A request under what its conversation began with. ``request`` has the configuration of then."""

    request: IncomingRequest
    caller: Caller
    opened: OpenedRequest
    policy: Policy


class BoundRequests:
    """Finds what the conversations of requests began with. For one event loop."""

    def __init__(self, beginnings: ConversationBeginnings) -> None:
        self._beginnings = beginnings
        self._unknown: tuple[str, str] | None = None

    def taken_unknown(self) -> tuple[str, str] | None:
        """The conversation that has to be looked up before the request at hand goes on, once; None without any."""
        unknown, self._unknown = self._unknown, None
        return unknown

    def of_left_alone(self, request: IncomingRequest, opening: Opening) -> Slices[BoundRequest | None]:
        """A request that is left alone by now, under what its conversation began with; None where it isn't bound."""
        data, endpoint, beginnings = request.data, request.caller.endpoint, self._beginnings
        if not beginnings.may_know or not request.target().holds_to_prefix:
            return None
        if request.thinking() is None and not beginnings.has_begun:
            return None
        opened = yield from opening(request.configuration.pipeline.opening(data, endpoint), request)
        if isinstance(opened, WalkResult):
            return None
        caller = with_conversation(request, opened)
        conversation = str(caller.conversation)
        if request.thinking() is None and not beginnings.knows(conversation):
            return None
        began = yield from self.beginning(PASSED_BEGINNING, request, opened, conversation)
        return None if began.policy.mode != "rewrite" else self.going_on(request, caller, opened, began)

    def beginning(
        self, own: Beginning, request: IncomingRequest, opened: OpenedRequest, conversation: str
    ) -> Slices[Beginning]:
        """What the conversation goes on with; ``own``: what is in force, which those take that begin."""
        thinking = request.thinking()
        if thinking is None:  # nothing is bound yet
            call = request.caller.request_id
            self._beginnings.goes_by(conversation, own, call, is_beginning=begins(opened.request))
            return own
        began = self._beginnings.of(conversation, thinking)
        if began is None:
            self._unknown = conversation, thinking
            yield
            began = self._beginnings.of(conversation, thinking)
        if began is None:
            self._beginnings.passed_unseen(conversation, thinking)
            return PASSED_BEGINNING
        return began

    def going_on(
        self, request: IncomingRequest, caller: Caller, opened: OpenedRequest, began: Beginning
    ) -> BoundRequest:
        """The request under what its conversation began with, counted."""
        self._beginnings.kept_going += 1
        earlier = replace(request, configuration=self._beginnings.configuration(began, request.configuration))
        return BoundRequest(request=earlier, caller=caller, opened=opened, policy=began.policy)


def left_as_it_began(
    request: IncomingRequest, caller: Caller, opened: OpenedRequest, began: Beginning
) -> RequestOutcome:
    """The request as it came: its conversation began so."""
    walked = request.configuration.pipeline.pass_through(opened, NOT_SEEN)
    return outcome_before_routing(caller, walked, began.policy)

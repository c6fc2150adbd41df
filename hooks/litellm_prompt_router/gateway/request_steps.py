"""What the steps of one request hand over to each other, from the request that came to what becomes of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

from litellm_prompt_router.gateway.recognised_prompts import NEVER
from litellm_prompt_router.gateway.waiting import AwaitingModels
from litellm_prompt_router.policy import Policy
from litellm_prompt_router.policy.active import ActiveConfiguration
from litellm_prompt_router.record.facts import DecisionContext
from litellm_prompt_router.record.record import Caller
from litellm_prompt_router.request.slices import Slices
from litellm_prompt_router.request.types import Mode, Target
from litellm_prompt_router.request.walk_steps import OpenedRequest, WalkResult
from litellm_prompt_router.request.wire import conversation_of, sender_of


class Accounting(Protocol):
    """What accounting is told of requests. Nothing here waits or raises."""

    @property
    def is_shared(self) -> bool:
        """Whether it shares what it observes with other processes."""
        ...

    def keep(
        self,
        caller: Caller,
        data: Mapping[str, Any],
        walked: WalkResult,
        *,
        is_sent: bool,
        unobserved_until: float = NEVER,
        written_tools: bytes | None = None,
    ) -> None:
        """Takes what will be asked for when the request is answered.

        ``unobserved_until``: until then others may have passed unseen that share its cache. ``written_tools``: the
        body's tools as ``marshal`` wrote them, where somebody had it do that.
        """
        ...

    def observe_anew(self, now_seconds: float) -> None:
        """Tells that requests before this moment passed unseen: what they cached isn't known."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class IncomingRequest:
    """A request. ``target`` looks its deployments up when it is called, not before.

    ``thinking``: a digest of the first thinking that it replays, None without any; looked for at the first call alone.
    """

    key: Any
    """LiteLLM's UserAPIKeyAuth."""
    scope: str
    """What stands for the key in hashes and counts."""
    data: dict[str, Any]
    bag: dict[str, Any]
    caller: Caller
    configuration: ActiveConfiguration
    began_ns: int
    target: Callable[[], Target]
    thinking: Callable[[], str | None]


@dataclass(frozen=True, kw_only=True, slots=True)
class RequestOutcome:
    """What becomes of one request. ``ran_without_fault``: it was decided to the end, so the breaker may close."""

    caller: Caller
    mode: Mode
    walked: WalkResult
    decided_by: DecisionContext
    ran_without_fault: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class MoreToRead:
    """A decision on a long conversation that lets others run; it goes on with ``slices``."""

    slices: Slices[RequestOutcome | AwaitingModels | None]
    unknown: tuple[str, str] | None = None
    """A conversation, and the thinking that it replays, to be looked up before."""


NextStep = RequestOutcome | AwaitingModels | MoreToRead | None
"""None: everything is stopped, and this request with it."""


def with_conversation(request: IncomingRequest, opened: OpenedRequest) -> Caller:
    """Who asks, and in which conversation."""
    sender = sender_of(request.data, request.caller.endpoint)
    conversation = conversation_of(request.scope, opened.request, sender)
    return replace(request.caller, conversation=conversation, names_session=sender.session is not None)


def outcome_before_routing(
    caller: Caller, walked: WalkResult, policy: Policy, source: str | None = None
) -> RequestOutcome:
    decided_by = DecisionContext(policy=source or policy.source)
    return RequestOutcome(caller=caller, mode=policy.mode, walked=walked, decided_by=decided_by)

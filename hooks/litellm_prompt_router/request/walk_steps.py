"""What one stage of the walk hands to its caller, and the caller to the next stage."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from litellm_prompt_router.profile.profile import RoutingModelSettings
from litellm_prompt_router.request.route import RoutingQuestion
from litellm_prompt_router.request.types import Outcome, Recognition, Request, Target
from litellm_prompt_router.request.wire import EndpointShape
from litellm_prompt_router.request.wire.marking import Marking, MarkPlan


class BodyForDeployment(NamedTuple):
    """A body without marks of ours, and how to mark it for one deployment."""

    unmarked: Mapping[str, Any]
    plan: MarkPlan


@dataclass(frozen=True, kw_only=True, slots=True)
class WalkResult:
    """An outcome, and the body to send if the outcome is to take effect."""

    outcome: Outcome
    body: Mapping[str, Any]
    request: Request | None = None
    """The body in our types; None where nobody read it."""
    marking: Marking | None = None
    """Where the deployments take different marks: ``body`` has none of ours, and this says which each one gets."""
    deployments: frozenset[str] = frozenset()
    """Those that ``body`` and ``marking`` are made for."""
    for_deployment: Callable[[Target], BodyForDeployment] | None = None
    """The same for any other one; None where ``body`` is as it came."""


@dataclass(frozen=True, kw_only=True, slots=True)
class OpenedRequest:
    """A request body, and ``request``: the same in our types."""

    data: Mapping[str, Any]
    shape: EndpointShape
    request: Request


@dataclass(frozen=True, kw_only=True, slots=True)
class RecognisedRequest:
    """An opened body whose prompt is a profile's."""

    opened: OpenedRequest
    recognition: Recognition


@dataclass(frozen=True, kw_only=True, slots=True)
class EmbeddingsWanted:
    """The texts whose vectors a decision goes by, and the model that gives them, in so much time."""

    model: str
    timeout_seconds: float
    by_turn: Mapping[int, str]

    @property
    def texts(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(self.by_turn.values()))


@dataclass(frozen=True, kw_only=True, slots=True)
class QuestionsWanted:
    """What a routing model is to be asked ahead of a decision: a question by user turn."""

    settings: RoutingModelSettings
    section_ids: tuple[str, ...]
    """The ids that an answer may name."""
    by_turn: Mapping[int, RoutingQuestion]

    @property
    def questions(self) -> tuple[RoutingQuestion, ...]:
        return tuple(dict.fromkeys(self.by_turn.values()))

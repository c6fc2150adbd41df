"""What a recognised request waits for: the tuning that its conversation goes by, where several do; vectors of an
embedding model; and then answers of a routing model.

Only of messages that nobody asked about so far; whatever was asked stays as it came out.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Protocol

from litellm_prompt_router.gateway.models.embedding_cache import TextsToEmbed
from litellm_prompt_router.gateway.models.routing_calls import Asking
from litellm_prompt_router.gateway.models.routing_model import of_caller
from litellm_prompt_router.gateway.tuning.conversation_tunings import ConversationTunings, TuningToAgree
from litellm_prompt_router.policy import Arm, Policy
from litellm_prompt_router.policy.active import ActiveConfiguration
from litellm_prompt_router.policy.tunings import TuningStep
from litellm_prompt_router.profile.profile import Profile
from litellm_prompt_router.record.facts import RoutingModelUse
from litellm_prompt_router.record.record import Caller, RoutingOutcome
from litellm_prompt_router.request.route import AnswerLookup, MessageEmbedding, RoutingAnswer, RoutingQuestion
from litellm_prompt_router.request.slices import Slices
from litellm_prompt_router.request.types import Recognition
from litellm_prompt_router.request.walk_steps import EmbeddingsWanted, QuestionsWanted, RecognisedRequest


class KnownEmbeddings(Protocol):
    """The vectors in this process's memory. Neither method waits."""

    def known(self, model: str, texts: Sequence[str]) -> Mapping[str, MessageEmbedding]:
        """The vectors of those of the texts that have one."""
        ...

    def never_asked(self, model: str, texts: Sequence[str]) -> Sequence[str]:
        """Those of the texts that have neither a vector nor a failure."""
        ...


class KnownAnswers(Protocol):
    """What routing models said, as this process remembers it. No method waits."""

    def known(self, model: str, question: RoutingQuestion) -> RoutingAnswer | None:
        """The answer, if there is one."""
        ...

    def never_asked(self, model: str, questions: Sequence[RoutingQuestion]) -> Sequence[RoutingQuestion]:
        """Those of the questions that have neither an answer nor a failure."""
        ...

    def outcome_of(self, model: str, question: RoutingQuestion) -> RoutingOutcome:
        """How a question stands that this request didn't ask."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class RequestToRoute:
    """A recognised request that is to be routed, with what the policy says of it and what it waited for."""

    caller: Caller
    recognised: RecognisedRequest
    policy: Policy
    arm: Arm | None
    wanted: EmbeddingsWanted | None = None
    embedding_wait_us: int | None = None
    questions: QuestionsWanted | None = None
    routing_model: RoutingModelUse | None = None
    configuration: ActiveConfiguration | None = None
    """What it is decided by, where that isn't what is in force."""
    tuning: str | None = None
    """The id of the tuning that the conversation goes by; None where no tuning goes on by itself."""


@dataclass(frozen=True, kw_only=True, slots=True)
class AwaitingModels:
    """A request whose decision waits until ``wanted`` is answered, or isn't in time."""

    wanted: TuningToAgree | TextsToEmbed | Asking
    began_ns: int
    to_route: RequestToRoute


class Waits:
    """Says what a request has to wait for, by what this process knows already. Never waits itself."""

    def __init__(self, embeddings: KnownEmbeddings, answers: KnownAnswers, tunings: ConversationTunings) -> None:
        self._embeddings = embeddings
        self._answers = answers
        self._tunings = tunings

    def first(
        self, to_route: RequestToRoute, configuration: ActiveConfiguration, bag: Mapping[str, Any]
    ) -> Slices[RequestToRoute | AwaitingModels]:
        """The request, ready to be decided, or what it waits for ahead of that."""
        recognised = to_route.recognised
        name = recognised.recognition.profile.name
        tunings = configuration.tunings.get(name)
        if tunings is None:
            return (yield from self._models(to_route, configuration, bag))
        step = self._tunings.step_of(name, str(to_route.caller.conversation), recognised.opened.request, tunings)
        if isinstance(step, TuningToAgree):
            return AwaitingModels(wanted=step, began_ns=time.perf_counter_ns(), to_route=to_route)
        return (yield from self._models(_under(step, to_route), configuration, bag))

    def _models(
        self, to_route: RequestToRoute, configuration: ActiveConfiguration, bag: Mapping[str, Any]
    ) -> Slices[RequestToRoute | AwaitingModels]:
        wanted = yield from configuration.pipeline.finding_embeddings(to_route.recognised)
        if wanted is not None:
            to_route = replace(to_route, wanted=wanted)
            texts = tuple(self._embeddings.never_asked(wanted.model, wanted.texts))
            if texts:
                to_embed = TextsToEmbed(model=wanted.model, texts=texts, timeout_seconds=wanted.timeout_seconds)
                return AwaitingModels(wanted=to_embed, began_ns=time.perf_counter_ns(), to_route=to_route)
        return (yield from self._routing_model(to_route, configuration, bag))

    def following(
        self,
        waiting: AwaitingModels,
        outcomes: Mapping[RoutingQuestion, RoutingOutcome],
        configuration: ActiveConfiguration,
        bag: Mapping[str, Any],
    ) -> Slices[RequestToRoute | AwaitingModels]:
        """The same once that is answered. ``outcomes``: what became of the questions that this request asked."""
        wanted, to_route = waiting.wanted, waiting.to_route
        if isinstance(wanted, TuningToAgree):
            tunings = configuration.tunings[to_route.recognised.recognition.profile.name]
            agreed = _under(self._tunings.agreed(wanted, tunings), to_route)
            return (yield from self._models(agreed, configuration, bag))
        if isinstance(wanted, TextsToEmbed):
            embedded = replace(to_route, embedding_wait_us=_waited_us(waiting))
            return (yield from self._routing_model(embedded, configuration, bag))
        latest, model = wanted.questions[-1], wanted.settings.model
        outcome = outcomes.get(latest) or self._answers.outcome_of(model, latest)
        return _asked(to_route, RoutingModelUse(model=model, outcome=outcome, wait_us=_waited_us(waiting)))

    def abandoned(self, waiting: AwaitingModels) -> RequestToRoute | None:
        """A request that ended while a routing model was asked for it; None where none was."""
        wanted = waiting.wanted
        if not isinstance(wanted, Asking):
            return None
        use = RoutingModelUse(model=wanted.settings.model, outcome="abandoned", wait_us=_waited_us(waiting))
        return _asked(waiting.to_route, use)

    def _routing_model(
        self, to_route: RequestToRoute, configuration: ActiveConfiguration, bag: Mapping[str, Any]
    ) -> Slices[RequestToRoute | AwaitingModels]:
        profile = to_route.recognised.recognition.profile
        settings = profile.routing_model
        if settings is None:
            return to_route
        if not to_route.policy.router_model:
            return _asked(to_route, RoutingModelUse(model=None, outcome="off"))
        model = settings.model
        if profile.left_alone is not None and configuration.settings.cost_gate:
            return _asked(to_route, RoutingModelUse(model=model, outcome="not_needed"))
        wanted = yield from configuration.pipeline.finding_questions(
            to_route.recognised, self._embeddings.known, to_route.wanted
        )
        if wanted is None:
            return _asked(to_route, RoutingModelUse(model=model, outcome="not_needed"))
        to_route = replace(to_route, questions=wanted)
        if not self._answers.never_asked(model, wanted.questions):
            outcome = self._answers.outcome_of(model, wanted.questions[-1])
            return _asked(to_route, RoutingModelUse(model=model, outcome=outcome))
        request_id = to_route.caller.request_id
        recognised, embedded = to_route.recognised, to_route.wanted

        def may_change(first: RoutingQuestion, answers: AnswerLookup) -> bool:
            return configuration.pipeline.may_add_modules(
                recognised,
                wanted,
                first,
                placement=to_route.policy.placement,
                lookup=self._embeddings.known,
                embedded=embedded,
                answers=answers,
            )

        asking = Asking(
            settings=settings,
            profile=profile.name,
            section_ids=wanted.section_ids,
            questions=wanted.questions,
            request_id=request_id,
            of_caller=of_caller(to_route.recognised.opened.data, bag, request_id, profile.name),
            may_change=may_change,
        )
        return AwaitingModels(wanted=asking, began_ns=time.perf_counter_ns(), to_route=to_route)


def _under(step: TuningStep, to_route: RequestToRoute) -> RequestToRoute:
    recognised = to_route.recognised
    tuned = replace(recognised, recognition=_with_profile(recognised.recognition, step.profile))
    return replace(to_route, recognised=tuned, tuning=step.id)


@lru_cache(maxsize=512)
def _with_profile(recognition: Recognition, profile: Profile) -> Recognition:
    """One object for all requests, by which what depends on positions alone is remembered."""
    return recognition if recognition.profile is profile else replace(recognition, profile=profile)


def _asked(to_route: RequestToRoute, use: RoutingModelUse) -> RequestToRoute:
    return replace(to_route, routing_model=use)


def _waited_us(waiting: AwaitingModels) -> int:
    return (time.perf_counter_ns() - waiting.began_ns) // 1000

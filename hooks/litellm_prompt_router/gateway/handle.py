"""One request, stage by stage: open, decide, await models where the profile wants them, finish.

Each stage hands over a value that the next one takes, so that a request which has to wait goes on where it stopped,
under the configuration that it began with. Knows LiteLLM's dicts, not its classes.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, TypeVar

from litellm_prompt_router.gateway import metadata_bag
from litellm_prompt_router.gateway.bound_requests import BoundRequests, left_as_it_began
from litellm_prompt_router.gateway.caller import alias_of, caller_of, dict_of, has_client_oauth, header_of, scope_of
from litellm_prompt_router.gateway.candidate_policies import KnownCandidates
from litellm_prompt_router.gateway.conversation_beginnings import (
    Beginning,
    ConversationBeginnings,
)
from litellm_prompt_router.gateway.deployments.groups import Deployments, requested_fallbacks
from litellm_prompt_router.gateway.facts_in_flight import BodyThatLeft
from litellm_prompt_router.gateway.profile_versions import ProfileVersions
from litellm_prompt_router.gateway.recognised_prompts import NEVER, RecognisedPrompts
from litellm_prompt_router.gateway.request_steps import (
    Accounting,
    IncomingRequest,
    MoreToRead,
    NextStep,
    RequestOutcome,
    outcome_before_routing,
    with_conversation,
)
from litellm_prompt_router.gateway.tuning.conversation_tunings import ConversationTunings
from litellm_prompt_router.gateway.waiting import AwaitingModels, KnownAnswers, KnownEmbeddings, RequestToRoute, Waits
from litellm_prompt_router.policy import HEADER, Policy, at_most_shadow, draw
from litellm_prompt_router.policy.active import ActiveConfiguration
from litellm_prompt_router.policy.breaker import Breaker, Trip
from litellm_prompt_router.record.facts import DecisionContext, facts_of
from litellm_prompt_router.record.record import UNREVIEWED, Caller, Facts, RoutingOutcome
from litellm_prompt_router.request.route import RoutingQuestion, no_answers
from litellm_prompt_router.request.slices import Slices
from litellm_prompt_router.request.types import UNKNOWN_TARGET, UNREADABLE, Passthrough, Rewritten, Target
from litellm_prompt_router.request.walk_steps import OpenedRequest, RecognisedRequest, WalkResult
from litellm_prompt_router.request.wire.body_shape import has_shape
from litellm_prompt_router.request.wire.carried import sent_body
from litellm_prompt_router.request.wire.declared_tools import written_tools
from litellm_prompt_router.request.wire.replayed_thinking import first_thinking
from litellm_prompt_router.telemetry.dispatch import Dispatcher

BREAKER_OPENED = "Breaker opened"
OFF = "off"
ERROR = "error"
Result = TypeVar("Result")


class RequestHandler:
    """Decides requests by the configuration in force. For one thread, LiteLLM's; ``publish`` may be called in any."""

    def __init__(
        self,
        configuration: ActiveConfiguration,
        dispatcher: Dispatcher,
        accounting: Accounting,
        embeddings: KnownEmbeddings,
        answers: KnownAnswers,
        tunings: ConversationTunings,
        clock: Callable[[], float] = time.time,
        beginnings: ConversationBeginnings | None = None,
    ) -> None:
        self.configuration = configuration
        """What is in force."""
        self.breaker = Breaker(configuration.thresholds)
        self.passed_while_stopped = 0
        """Requests of this process that came while everything was stopped. They have no record."""
        self.opened = 0
        """The others."""
        self.off_unrecorded = 0
        """Of these, the requests that were off and have no record, because settings want none of such."""
        self._dispatcher = dispatcher
        self._accounting = accounting
        self._waits = Waits(embeddings, answers, tunings)
        self._embeddings = embeddings
        self._answers = answers
        self._clock = clock
        self._deployments = Deployments()
        self._profiles = ProfileVersions()
        self._candidates = KnownCandidates()
        self._recognised = RecognisedPrompts()
        self.beginnings = beginnings or ConversationBeginnings()
        self._bound = BoundRequests(self.beginnings)
        self._recognised.expect(profile.text for profile in configuration.profiles)

    def publish(self, configuration: ActiveConfiguration) -> None:
        """Puts this configuration in force for the requests to come. May be called in any thread."""
        if configuration.thresholds != self.breaker.thresholds:
            self.breaker = Breaker(configuration.thresholds)
        is_start = self.configuration.stopped_by is not None and configuration.stopped_by is None
        self._recognised.expect(profile.text for profile in configuration.profiles)
        self.configuration = configuration
        if is_start:
            self._accounting.observe_anew(self._clock())

    def pass_while_stopped(self, bag: dict[str, Any] | None) -> None:
        """Counts a request that passes because everything is stopped, and drops fields of ours that the client sent."""
        self.passed_while_stopped += 1
        if bag is not None:
            metadata_bag.drop_reserved_keys(bag)

    def open(
        self, configuration: ActiveConfiguration, key: Any, data: dict[str, Any], call_type: str, bag: dict[str, Any]
    ) -> IncomingRequest:
        """The request, to be decided by this configuration. Fields of ours that the client sent are dropped."""
        began_ns = time.perf_counter_ns()
        self.opened += configuration.stopped_by is None
        metadata_bag.drop_reserved_keys(bag)
        caller = caller_of(key, data, call_type, bag, self._clock())

        def target() -> Target:
            is_auto_cached = data.get("enable_prompt_caching") is True
            return self._deployments.target(
                data.get("model"), caller.team_id, requested_fallbacks(data), is_auto_cached, caller.endpoint
            )

        found: list[str | None] = []

        def thinking() -> str | None:
            if not found:
                found.append(first_thinking(data))
            return found[0]

        return IncomingRequest(
            key=key,
            scope=scope_of(key),
            data=data,
            bag=bag,
            caller=caller,
            configuration=configuration,
            began_ns=began_ns,
            target=target,
            thinking=thinking,
        )

    def decide(self, request: IncomingRequest) -> NextStep:
        """Whether this request is rewritten, and how, or what comes before that is known."""
        return self._until_pause(self._deciding(request))

    def go_on(self, paused: MoreToRead) -> NextStep:
        """What comes next of a decision that let others run."""
        return self._until_pause(paused.slices)

    def _deciding(self, request: IncomingRequest) -> Slices[RequestOutcome | AwaitingModels | None]:
        """Reasons to pass it through come first, the cheapest first."""
        if request.configuration.stopped_by is not None:
            return (yield from self._as_it_began(request))
        data, caller, configuration = request.data, request.caller, request.configuration

        def passed(reason: str, policy: Policy, source: str | None = None) -> RequestOutcome:
            walked = WalkResult(outcome=Passthrough(reason=reason), body=data)
            return outcome_before_routing(caller, walked, policy, source)

        policies = self._candidates.of(
            configuration,
            caller,
            dict_of(request.key, "metadata"),
            dict_of(request.key, "team_metadata"),
            header_of(data, HEADER),
        )
        without_profile = policies.without_profile
        if policies.problems:
            self._dispatcher.submit_problem("Key metadata", policies.problems, caller.key_alias)
            return (yield from self._as_it_began(request)) or passed("bad_key_metadata", without_profile)
        if policies.is_off:
            return (yield from self._as_it_began(request)) or passed(OFF, without_profile)
        if has_client_oauth(data, request.bag):
            return passed("client_oauth", without_profile)
        if not self.breaker.admits(request.scope, time.monotonic()):
            return (yield from self._as_it_began(request)) or passed("breaker", without_profile, "breaker")
        pipeline = configuration.pipeline
        opened = yield from self._slices_or_pass_through(pipeline.opening(data, caller.endpoint), request)
        if isinstance(opened, WalkResult):
            return outcome_before_routing(caller, opened, without_profile)
        named = self._or_pass_through(lambda: with_conversation(request, opened), request)
        if isinstance(named, WalkResult):
            return outcome_before_routing(caller, named, without_profile)
        caller = named
        recognised: RecognisedRequest | WalkResult | None = None
        only = None
        policy = without_profile
        if len(policies.candidates) > 1:  # which rule it is depends on the profile
            only = policies.only
            recognised = self._or_pass_through(lambda: pipeline.recognise(opened, only=only), request)
            policy = policies.policy_for(
                recognised.recognition.profile.name if isinstance(recognised, RecognisedRequest) else None
            )
        if request.target().holds_to_prefix:
            own = Beginning(configuration=self.beginnings.id_of(configuration), policy=policy)
            began = yield from self._bound.beginning(own, request, opened, str(caller.conversation))
            if began != own:
                return (yield from self._bound_elsewhere(request, caller, opened, policy, began))
        if policy.mode == "off":
            return passed(OFF, policy)
        if policy.profile is not None and policy.profile not in configuration.profile_names:
            return passed("unknown_profile", policy)  # the policy names a profile that isn't loaded
        known = recognised if policy.profile == only else None
        return (yield from self._under_policy(request, caller, opened, policy, known))

    def _under_policy(
        self,
        request: IncomingRequest,
        caller: Caller,
        opened: OpenedRequest,
        policy: Policy,
        recognised: RecognisedRequest | WalkResult | None = None,
    ) -> Slices[RequestOutcome | AwaitingModels]:
        """What this policy makes of an opened request. ``recognised``: by the profile that it names, if it was."""
        configuration, pipeline = request.configuration, request.configuration.pipeline
        drawn = draw(request.scope, str(caller.conversation), percent=policy.percent, holdout=policy.holdout)
        if drawn == "not_in_percent":
            return outcome_before_routing(caller, pipeline.pass_through(opened, drawn), policy)
        if recognised is None:
            recognised = self._or_pass_through(lambda: pipeline.recognise(opened, only=policy.profile), request)
        if isinstance(recognised, WalkResult):
            return outcome_before_routing(caller, recognised, policy)
        if not recognised.recognition.profile.reviewed:
            policy = at_most_shadow(policy, UNREVIEWED)
        arm = drawn if policy.mode == "rewrite" and policy.holdout > 0 else None
        to_route = RequestToRoute(
            caller=caller, recognised=recognised, policy=policy, arm=arm, configuration=configuration
        )
        if arm == "holdout":
            walked = pipeline.pass_through(opened, arm, recognised.recognition)
            return self._outcome_of_profile(to_route, walked, ran_without_fault=False)
        step = yield from self._slices_or_pass_through(self._waits.first(to_route, configuration, request.bag), request)
        return (yield from self._route_or_wait(request, to_route, step))

    def _as_it_began(self, request: IncomingRequest) -> Slices[RequestOutcome | AwaitingModels | None]:
        """What becomes of a request that is left alone by now, where its conversation began rewritten and replays
        thinking that is bound to that; None of any other.
        """
        bound = yield from self._bound.of_left_alone(request, self._slices_or_pass_through)
        if bound is None:
            return None
        return (yield from self._under_policy(bound.request, bound.caller, bound.opened, bound.policy))

    def _bound_elsewhere(
        self, request: IncomingRequest, caller: Caller, opened: OpenedRequest, policy: Policy, began: Beginning
    ) -> Slices[RequestOutcome | AwaitingModels]:
        """The request under what its conversation began with, which isn't ``policy``, in force by now."""
        if began.policy.mode == "off":
            if policy.mode != "off":  # a prompt that nobody knows is told as such, whatever its conversation is
                pipeline = request.configuration.pipeline
                recognised = self._or_pass_through(lambda: pipeline.recognise(opened, only=policy.profile), request)
                if isinstance(recognised, WalkResult):
                    return outcome_before_routing(caller, recognised, policy)
            return left_as_it_began(request, caller, opened, began)
        bound = self._bound.going_on(request, caller, opened, began)
        return (yield from self._under_policy(bound.request, caller, opened, bound.policy))

    def is_stopped_for(self, request: IncomingRequest) -> bool:
        """Whether everything is stopped by now, and this request with it: not where thinking binds it."""
        if self.configuration.stopped_by is None:
            return False
        return not (request.target().holds_to_prefix and request.thinking() is not None)

    def _until_pause(self, slices: Slices[RequestOutcome | AwaitingModels | None]) -> NextStep:
        try:
            next(slices)
        except StopIteration as done:
            step: RequestOutcome | AwaitingModels | None = done.value
            return step
        return MoreToRead(slices=slices, unknown=self._bound.taken_unknown())

    def resume(
        self,
        request: IncomingRequest,
        waiting: AwaitingModels,
        outcomes: Mapping[RoutingQuestion, RoutingOutcome],
    ) -> NextStep:
        """What comes next, with what models answered; messages without an answer are routed without it.

        ``outcomes``: what became of the questions that this request asked.
        """
        return self._until_pause(self._resuming(request, waiting, outcomes))

    def _resuming(
        self,
        request: IncomingRequest,
        waiting: AwaitingModels,
        outcomes: Mapping[RoutingQuestion, RoutingOutcome],
    ) -> Slices[RequestOutcome | AwaitingModels]:
        step = yield from self._slices_or_pass_through(
            self._waits.following(
                waiting, outcomes, waiting.to_route.configuration or request.configuration, request.bag
            ),
            request,
        )
        return (yield from self._route_or_wait(request, waiting.to_route, step))

    def abandoned(self, request: IncomingRequest, waiting: AwaitingModels, reason: str) -> Facts | None:
        """The facts of a request that ended while it waited; None where it asked no routing model.

        It has no other record, and what it asked may be billed.
        """
        ended = self._waits.abandoned(waiting)
        if ended is None:
            return None
        pipeline, recognised = request.configuration.pipeline, ended.recognised
        walked = pipeline.pass_through(recognised.opened, reason, recognised.recognition)
        return self._facts(request, self._outcome_of_profile(ended, walked, ran_without_fault=False))

    def finish(self, request: IncomingRequest, handled: RequestOutcome) -> dict[str, Any] | None:
        """The rewritten body, or None to leave the request as it came. Its facts go into LiteLLM's bag."""
        data, walked, mode = request.data, handled.walked, handled.mode
        is_off = isinstance(walked.outcome, Passthrough) and walked.outcome.reason == OFF
        is_observed = not is_off or self._recognised.is_to_be_observed(
            data, request.caller.started_seconds, is_shared=self._accounting.is_shared
        )
        if not is_observed and not self._is_recorded_anyway(request):
            self.off_unrecorded += 1
            return None
        is_changed = mode == "rewrite" and walked.body is not data
        written = written_tools(data)
        facts = self._facts(request, handled, written)
        body = BodyThatLeft(
            sent=sent_body(walked.body if is_changed else data),
            facts=facts,
            marking=walked.marking if is_changed else None,
            deployments=walked.deployments,
            for_deployment=walked.for_deployment if is_changed else None,
        )
        metadata_bag.write_facts(request.bag, facts, walked.marking, body)
        if is_observed:
            self._accounting.keep(
                handled.caller,
                data,
                walked,
                is_sent=mode == "rewrite",
                unobserved_until=NEVER if walked.outcome.recognition is None else self._recognised.add(data),
                written_tools=written,
            )
        if handled.ran_without_fault:
            self.breaker.succeeded(request.scope, time.monotonic())
        return {**walked.body} if is_changed else None

    def failed(self, key: Any, error: Exception, where: str, data: Mapping[str, Any], endpoint: str) -> bool:
        """Reports a fault of ours in this key's request. With too many of them the breaker opens, which is told.

        False, and nothing is reported or counted, where the body doesn't have its endpoint's shape.
        """
        if not has_shape(data, endpoint):
            return False
        self._dispatcher.submit_error(error, where)
        for trip in self.breaker.failed(scope_of(key), time.monotonic()):
            alias = getattr(key, "key_alias", None) if trip.key is not None else None
            lines = _lines_of_trip(trip)
            self._dispatcher.submit_problem(BREAKER_OPENED, lines, alias if isinstance(alias, str) else None)
        return True

    def _facts(self, request: IncomingRequest, handled: RequestOutcome, written: bytes | None = None) -> Facts:
        walked = handled.walked
        target = walked.outcome.target if isinstance(walked.outcome, Rewritten) else UNKNOWN_TARGET
        decision_us = (time.perf_counter_ns() - request.began_ns) // 1000
        return facts_of(
            handled.caller,
            handled.mode,
            walked.outcome,
            target,
            decision_us,
            handled.decided_by,
            request=walked.request,
            data=request.data,
            written=written,
        )

    def _is_recorded_anyway(self, request: IncomingRequest) -> bool:
        """Whether a request that is off has a record all the same, as settings say, or is to be captured."""
        settings = request.configuration.settings
        return settings.ledger.off_keys or self._dispatcher.is_captured(alias_of(request.key))

    def _route_or_wait(
        self, request: IncomingRequest, to_route: RequestToRoute, step: RequestToRoute | AwaitingModels | WalkResult
    ) -> Slices[RequestOutcome | AwaitingModels]:
        if isinstance(step, AwaitingModels):
            return step
        if isinstance(step, WalkResult):  # a fault
            return self._outcome_of_profile(to_route, step, ran_without_fault=False)
        return (yield from self._route(request, step))

    def _route(self, request: IncomingRequest, to_route: RequestToRoute) -> Slices[RequestOutcome]:
        configuration = to_route.configuration or request.configuration
        walked = yield from self._slices_or_pass_through(
            configuration.pipeline.deciding(
                to_route.recognised,
                request.target,
                placement=to_route.policy.placement,
                lookup=self._embeddings.known,
                wanted=to_route.wanted,
                answers=self._answers.known if to_route.policy.router_model else no_answers,
                questions=to_route.questions,
            ),
            request,
        )
        is_fault = isinstance(walked.outcome, Passthrough) and walked.outcome.reason in (ERROR, UNREADABLE)
        return self._outcome_of_profile(to_route, walked, ran_without_fault=not is_fault)

    def _outcome_of_profile(
        self, to_route: RequestToRoute, walked: WalkResult, *, ran_without_fault: bool
    ) -> RequestOutcome:
        caller, policy = to_route.caller, to_route.policy
        profile = to_route.recognised.recognition.profile
        changed_from = self._profiles.changed_from(str(caller.conversation), profile)
        decided_by = DecisionContext(
            policy=policy.source,
            arm=to_route.arm,
            profile_changed_from=changed_from,
            routing_model=to_route.routing_model,
            embedding_wait_us=to_route.embedding_wait_us,
            tuning=to_route.tuning,
        )
        return RequestOutcome(
            caller=caller,
            mode=policy.mode,
            walked=walked,
            decided_by=decided_by,
            ran_without_fault=ran_without_fault,
        )

    def _slices_or_pass_through(self, slices: Slices[Result], request: IncomingRequest) -> Slices[Result | WalkResult]:
        """The result of a step in slices; where it fails, as ``_or_pass_through`` says."""
        try:
            return (yield from slices)
        except Exception as error:
            return self._unwalked(request, error)

    def _or_pass_through(self, step: Callable[[], Result], request: IncomingRequest) -> Result | WalkResult:
        """The step's result; where it fails, the fault is reported and the request passes through."""
        try:
            return step()
        except Exception as error:
            return self._unwalked(request, error)

    def _unwalked(self, request: IncomingRequest, error: Exception) -> WalkResult:
        """The request as it came, after a fault: one of ours, unless the body isn't what its endpoint takes."""
        is_fault = self.failed(request.key, error, "walk", request.data, request.caller.endpoint)
        return WalkResult(outcome=Passthrough(reason=ERROR if is_fault else UNREADABLE), body=request.data)


def _lines_of_trip(trip: Trip) -> tuple[str, ...]:
    whose = "of this key" if trip.key is not None else "of all keys"
    at = datetime.now(UTC).isoformat(timespec="seconds")
    return (
        f"{trip.faults} faults {whose} within {trip.window_seconds:g} s",
        f"since {at} its requests pass through; after {trip.pause_seconds:g} s one is tried",
    )

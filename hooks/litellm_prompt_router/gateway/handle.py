"""One request, stage by stage: open, decide, await vectors where the profile wants them, finish.

Each stage hands over a value that the next one takes, so that a request which has to wait goes on where it stopped,
under the configuration that it began with. Knows LiteLLM's dicts, not its classes.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Protocol, TypeVar

from litellm_prompt_router.gateway import metadata_bag
from litellm_prompt_router.gateway.caller import caller_of, dict_of, has_client_oauth, header_of, scope_of
from litellm_prompt_router.gateway.deployments.groups import Deployments
from litellm_prompt_router.policy import (
    HEADER,
    Arm,
    Policy,
    PolicyLayer,
    PolicyRule,
    Subject,
    decide_policy,
    draw,
    metadata_layers,
)
from litellm_prompt_router.policy.active import ActiveConfiguration
from litellm_prompt_router.policy.breaker import Breaker, Trip
from litellm_prompt_router.profile.profile import Profile
from litellm_prompt_router.record.facts import DecidedBy, facts_of, with_shares
from litellm_prompt_router.record.record import Caller
from litellm_prompt_router.request.pipeline import EmbeddingsWanted, RecognisedRequest, WalkResult
from litellm_prompt_router.request.route import MessageEmbedding
from litellm_prompt_router.request.types import UNKNOWN_TARGET, Mode, Passthrough, Rewritten, Target
from litellm_prompt_router.request.wire import conversation_of, sender_of
from litellm_prompt_router.telemetry.dispatch import Dispatcher

BREAKER_OPENED = "Breaker opened"
MAX_CONVERSATIONS = 20_000
"""Conversations whose profile version is remembered."""

Result = TypeVar("Result")


class Accounting(Protocol):
    """What accounting is told of requests. Neither method waits or raises."""

    def keep(self, caller: Caller, data: Mapping[str, Any], walked: WalkResult, *, is_sent: bool) -> None:
        """Takes what will be asked for when the request is answered."""
        ...

    def observe_anew(self, now_seconds: float) -> None:
        """Tells that requests before this moment passed unseen."""
        ...


class KnownEmbeddings(Protocol):
    """The vectors in this process's memory. Neither method waits."""

    def known(self, model: str, texts: Sequence[str]) -> Mapping[str, MessageEmbedding]:
        """The vectors of those of the texts that have one."""
        ...

    def never_asked(self, model: str, texts: Sequence[str]) -> Sequence[str]:
        """Those of the texts that have neither a vector nor a failure."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class IncomingRequest:
    """A request and its lazy look-ups."""

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


@dataclass(frozen=True, kw_only=True, slots=True)
class HandledRequest:
    """What becomes of one request. ``ran_without_fault``: our walk went all the way, so the breaker may close."""

    caller: Caller
    mode: Mode
    walked: WalkResult
    decided_by: DecidedBy
    ran_without_fault: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class _Routable:
    """A recognised request that is to be routed, with what the policy says of it."""

    caller: Caller
    recognised: RecognisedRequest
    policy: Policy
    arm: Arm | None


@dataclass(frozen=True, kw_only=True, slots=True)
class AwaitingEmbeddings:
    """A recognised request whose decision waits for the vectors of ``wanted``."""

    wanted: EmbeddingsWanted
    routable: _Routable


class RequestHandler:
    """Decides requests by the configuration in force. For one thread, LiteLLM's; ``publish`` may be called in any."""

    def __init__(
        self,
        configuration: ActiveConfiguration,
        dispatcher: Dispatcher,
        accounting: Accounting,
        embeddings: KnownEmbeddings,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.configuration = configuration
        """What is in force."""
        self.breaker = Breaker(configuration.thresholds)
        self.passed_while_stopped = 0
        """Requests of this process that came while everything was stopped. They have no record."""
        self._dispatcher = dispatcher
        self._accounting = accounting
        self._embeddings = embeddings
        self._clock = clock
        self._deployments = Deployments()
        self._profiles = _ProfileVersions()

    def publish(self, configuration: ActiveConfiguration) -> None:
        """Puts this in force for the requests to come."""
        if configuration.thresholds != self.breaker.thresholds:
            self.breaker = Breaker(configuration.thresholds)
        if self.configuration.stopped_by is not None and configuration.stopped_by is None:
            self._accounting.observe_anew(self._clock())
        self.configuration = configuration

    def open(self, key: Any, data: dict[str, Any], call_type: str, bag: dict[str, Any]) -> IncomingRequest:
        """The request under the configuration in force. What only the gateway may say is dropped from the bag."""
        began_ns = time.perf_counter_ns()
        metadata_bag.scrub(bag)
        caller = caller_of(key, data, call_type, bag, self._clock())

        def target() -> Target:
            is_auto_cached = data.get("enable_prompt_caching") is True
            return self._deployments.target(
                data.get("model"), caller.team_id, data.get("fallbacks"), is_auto_cached, caller.endpoint
            )

        return IncomingRequest(
            key=key,
            scope=scope_of(key),
            data=data,
            bag=bag,
            caller=caller,
            configuration=self.configuration,
            began_ns=began_ns,
            target=target,
        )

    def decide(self, request: IncomingRequest) -> HandledRequest | AwaitingEmbeddings:
        """What the policy gives this request, guard by guard, as far as it needs to know."""
        data, caller, configuration = request.data, request.caller, request.configuration

        def passed(reason: str, policy: Policy, source: str | None = None) -> HandledRequest:
            walked = WalkResult(outcome=Passthrough(reason=reason), body=data)
            return _handled(caller, walked, policy, source)

        metadata, problems = metadata_layers(
            configuration.default_mode,
            configuration.profile_names,
            dict_of(request.key, "metadata"),
            dict_of(request.key, "team_metadata"),
        )
        possible = _possible_policies(configuration, caller, metadata, header_of(data, HEADER))
        likely = possible[-1][1]
        if problems:
            self._dispatcher.submit_problem("Key metadata", problems, caller.key_alias)
            return passed("bad_key_metadata", likely)
        if all(policy.mode == "off" for _, policy in possible):
            return passed("off", likely)
        if has_client_oauth(data, request.bag):
            return passed("client_oauth", likely)
        if not self.breaker.admits(request.scope, time.monotonic()):
            return passed("breaker", likely, "breaker")
        pipeline = configuration.pipeline
        opened = self._tried(lambda: pipeline.open(data, caller.endpoint), request)
        if isinstance(opened, WalkResult):
            return _handled(caller, opened, likely)
        sender = sender_of(data, caller.endpoint)
        caller = replace(caller, conversation=conversation_of(request.scope, opened.request, sender))
        recognised: RecognisedRequest | WalkResult | None = None
        only = None
        policy = likely
        if len(possible) > 1:  # which rule it is depends on the profile
            only = decide_policy(configuration.default_policy, (*metadata, configuration.policy.defaults)).profile
            only = only if only in configuration.profile_names else None
            recognised = self._tried(lambda: pipeline.recognise(opened, only=only), request)
            name = recognised.recognition.profile.name if isinstance(recognised, RecognisedRequest) else None
            policy = next(policy for rule, policy in possible if _is_for_profile(rule, name))
        if policy.mode == "off":
            return passed("off", policy)
        if policy.profile is not None and policy.profile not in configuration.profile_names:
            return passed("unknown_profile", policy)  # of a policy file that waits to be put right
        drawn = draw(request.scope, str(caller.conversation), percent=policy.percent, holdout=policy.holdout)
        if drawn == "not_in_percent":
            return _handled(caller, pipeline.left_out(opened, drawn), policy)
        if recognised is None or policy.profile != only:
            recognised = self._tried(lambda: pipeline.recognise(opened, only=policy.profile), request)
        if isinstance(recognised, WalkResult):
            return _handled(caller, recognised, policy)
        arm = drawn if policy.mode == "rewrite" and policy.holdout > 0 else None
        routable = _Routable(caller=caller, recognised=recognised, policy=policy, arm=arm)
        if arm == "holdout":
            walked = pipeline.left_out(opened, arm, recognised.recognition)
            return self._routed(routable, walked, ran_without_fault=False)
        return self._await_or_route(request, routable)

    def resume(self, request: IncomingRequest, waiting: AwaitingEmbeddings) -> HandledRequest:
        """The request decided with the vectors that came; messages whose vector didn't are scored by their words."""
        return self._route(request, waiting.routable)

    def finish(self, request: IncomingRequest, handled: HandledRequest) -> dict[str, Any] | None:
        """The rewritten body, or None to leave the request as it came. Its facts go into LiteLLM's bag."""
        data, walked, mode = request.data, handled.walked, handled.mode
        target = walked.outcome.target if isinstance(walked.outcome, Rewritten) else UNKNOWN_TARGET
        decision_us = (time.perf_counter_ns() - request.began_ns) // 1000
        facts = facts_of(handled.caller, mode, walked.outcome, target, decision_us, handled.decided_by)
        facts = with_shares(facts, walked.request, data)
        metadata_bag.stamp(request.bag, facts, walked.marking)
        self._accounting.keep(handled.caller, data, walked, is_sent=mode == "rewrite")
        if handled.ran_without_fault:
            self.breaker.succeeded(request.scope, time.monotonic())
        return {**walked.body} if mode == "rewrite" and walked.body is not data else None

    def failed(self, key: Any, error: BaseException, where: str) -> None:
        """Reports a fault of ours in this key's request. With too many of them the breaker opens, which is told."""
        self._dispatcher.submit_error(error, where)
        for trip in self.breaker.failed(scope_of(key), time.monotonic()):
            alias = getattr(key, "key_alias", None) if trip.key is not None else None
            lines = _lines_of_trip(trip)
            self._dispatcher.submit_problem(BREAKER_OPENED, lines, alias if isinstance(alias, str) else None)

    def _await_or_route(self, request: IncomingRequest, routable: _Routable) -> HandledRequest | AwaitingEmbeddings:
        recognised, pipeline = routable.recognised, request.configuration.pipeline
        wanted = self._tried(lambda: pipeline.embeddings_wanted(recognised), request)
        if isinstance(wanted, WalkResult):
            return self._routed(routable, wanted, ran_without_fault=False)
        if wanted is not None:
            texts = tuple(self._embeddings.never_asked(wanted.model, wanted.texts))
            if texts:
                return AwaitingEmbeddings(wanted=replace(wanted, texts=texts), routable=routable)
        return self._route(request, routable)

    def _route(self, request: IncomingRequest, routable: _Routable) -> HandledRequest:
        pipeline, placement, lookup = request.configuration.pipeline, routable.policy.placement, self._embeddings.known

        def decide() -> WalkResult:
            return pipeline.decide(routable.recognised, request.target, placement=placement, lookup=lookup)

        walked = self._tried(decide, request)
        is_fault = isinstance(walked.outcome, Passthrough) and walked.outcome.reason == "error"
        return self._routed(routable, walked, ran_without_fault=not is_fault)

    def _routed(self, routable: _Routable, walked: WalkResult, *, ran_without_fault: bool) -> HandledRequest:
        caller, policy = routable.caller, routable.policy
        profile = routable.recognised.recognition.profile
        changed_from = self._profiles.changed_from(str(caller.conversation), profile)
        decided_by = DecidedBy(policy=policy.source, arm=routable.arm, profile_changed_from=changed_from)
        return HandledRequest(
            caller=caller,
            mode=policy.mode,
            walked=walked,
            decided_by=decided_by,
            ran_without_fault=ran_without_fault,
        )

    def _tried(self, step: Callable[[], Result], request: IncomingRequest) -> Result | WalkResult:
        """The step's result; a fault in it is an outcome too."""
        try:
            return step()
        except Exception as error:
            self.failed(request.key, error, "walk")
            return WalkResult(outcome=Passthrough(reason="error"), body=request.data)


class _ProfileVersions:
    """The profile version that each conversation had last, of at most MAX_CONVERSATIONS conversations."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, tuple[str, str]] = OrderedDict()

    def changed_from(self, conversation: str, profile: Profile) -> str | None:
        """The version and digest that the profile had at the call before, if it had others."""
        now = (profile.name, f"{profile.version}@{profile.digest[:12]}")
        before = self._known.get(conversation)
        self._known[conversation] = now
        self._known.move_to_end(conversation)
        if len(self._known) > MAX_CONVERSATIONS:
            self._known.popitem(last=False)
        return before[1] if before is not None and before[0] == now[0] and before[1] != now[1] else None


def _handled(caller: Caller, walked: WalkResult, policy: Policy, source: str | None = None) -> HandledRequest:
    decided_by = DecidedBy(policy=source or policy.source)
    return HandledRequest(caller=caller, mode=policy.mode, walked=walked, decided_by=decided_by)


def _possible_policies(
    configuration: ActiveConfiguration, caller: Caller, metadata: tuple[PolicyLayer, ...], header: str | None
) -> list[tuple[PolicyRule | None, Policy]]:
    """The rules that may decide, in order, with what each gives; None is no rule. The last one needs no profile."""
    subject = Subject(
        key_alias=caller.key_alias,
        key_hash=caller.key_hash,
        team_id=caller.team_id,
        user_id=caller.user_id,
        model_group=caller.model_group,
        tags=caller.tags,
    )
    below = (*metadata, configuration.policy.defaults)
    rules: list[PolicyRule | None] = [*configuration.policy.candidates(subject, caller.started_seconds)]
    if not rules or not _is_for_profile(rules[-1], None):
        rules.append(None)
    layers = [below if rule is None else (rule.layer, *below) for rule in rules]
    return [
        (rule, decide_policy(configuration.default_policy, each, header))
        for rule, each in zip(rules, layers, strict=True)
    ]


def _is_for_profile(rule: PolicyRule | None, profile: str | None) -> bool:
    return rule is None or rule.profiles is None or profile in rule.profiles


def _lines_of_trip(trip: Trip) -> tuple[str, ...]:
    whose = "of this key" if trip.key is not None else "of all keys"
    at = datetime.now(UTC).isoformat(timespec="seconds")
    return (
        f"{trip.faults} faults {whose} within {trip.window_seconds:g} s",
        f"since {at} its requests pass through; after {trip.pause_seconds:g} s one is tried",
    )

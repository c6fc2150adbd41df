"""From a request and what is in force to the outcome and its facts. Knows LiteLLM's dicts, not its classes."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Protocol, TypeVar

from litellm_prompt_router.documents.errors import EmbeddingsMissingError
from litellm_prompt_router.gateway import metadata_bag
from litellm_prompt_router.gateway.deployments.groups import Deployments
from litellm_prompt_router.gateway.events import caller_of, dict_of, has_client_oauth, scope_of
from litellm_prompt_router.policy import (
    HEADER,
    Arm,
    Policy,
    PolicyRule,
    Stated,
    Subject,
    decide_policy,
    draw,
    stated_in_metadata,
)
from litellm_prompt_router.policy.active import ActiveConfiguration
from litellm_prompt_router.policy.breaker import Breaker, Trip
from litellm_prompt_router.profile.profile import Profile
from litellm_prompt_router.record.facts import DecidedBy, facts_of, with_shares
from litellm_prompt_router.record.record import Caller
from litellm_prompt_router.request.pipeline import Pipeline, RecognisedRequest, WalkResult
from litellm_prompt_router.request.route import Lookup, no_embeddings
from litellm_prompt_router.request.types import UNKNOWN_TARGET, Mode, Passthrough, Rewritten, Target
from litellm_prompt_router.request.wire import bag_of, conversation_of, header_of, sender_of
from litellm_prompt_router.telemetry.dispatch import Dispatcher

TRIPPED = "Breaker opened"
MAX_CONVERSATIONS = 20_000
"""Whose profile is remembered, to tell when it becomes another one."""

Step = TypeVar("Step")


class Keep(Protocol):
    """Takes what accounting will ask for when the request is answered."""

    def __call__(self, caller: Caller, data: Mapping[str, Any], walked: WalkResult, *, is_sent: bool) -> None: ...


@dataclass(frozen=True, kw_only=True, slots=True)
class IncomingRequest:
    """A request and its lazy look-ups."""

    key: Any
    scope: str
    data: dict[str, Any]
    target: Callable[[], Target]
    lookup: Lookup
    is_again: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class HandledRequest:
    """What becomes of one request. ``ran_without_fault``: our walk went all the way, so the breaker may close."""

    caller: Caller
    mode: Mode
    walked: WalkResult
    standing: DecidedBy
    ran_without_fault: bool = False


class Engine:
    """Decides requests by the configuration in force. For one thread, LiteLLM's; ``publish`` may be called in any."""

    def __init__(
        self,
        configuration: ActiveConfiguration,
        dispatcher: Dispatcher,
        keep: Keep,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._configuration = configuration
        self._dispatcher = dispatcher
        self._keep = keep
        self._clock = clock
        self._deployments = Deployments()
        self._breaker = Breaker(configuration.thresholds)
        self._profiles = _Remembered()

    @property
    def configuration(self) -> ActiveConfiguration:
        """What is in force."""
        return self._configuration

    @property
    def breaker(self) -> Breaker:
        return self._breaker

    def publish(self, configuration: ActiveConfiguration) -> None:
        """Puts this in force for the requests to come."""
        if configuration.thresholds != self._breaker.thresholds:
            self._breaker = Breaker(configuration.thresholds)
        self._configuration = configuration

    def handle(
        self,
        key: Any,
        data: dict[str, Any],
        call_type: str,
        bag: dict[str, Any],
        lookup: Lookup = no_embeddings,
        *,
        is_again: bool = False,
    ) -> dict[str, Any] | None:
        """The rewritten body, or None to leave the request as it came. Its facts go into LiteLLM's bag.

        Raises EmbeddingsMissingError where ``lookup`` lacks vectors that have to be asked for first; ``is_again``: this
        request has been here before and was let in.
        """
        began = time.perf_counter_ns()
        configuration = self._configuration
        metadata_bag.scrub(bag)
        caller = caller_of(key, data, call_type, bag, self._clock())

        def target() -> Target:
            is_auto_cached = data.get("enable_prompt_caching") is True
            return self._deployments.target(
                data.get("model"), caller.team_id, data.get("fallbacks"), is_auto_cached, caller.endpoint
            )

        asked = IncomingRequest(
            key=key, scope=scope_of(key), data=data, target=target, lookup=lookup, is_again=is_again
        )
        treated = self._treat(configuration, asked, caller)
        walked, mode = treated.walked, treated.mode
        reach = walked.outcome.target if isinstance(walked.outcome, Rewritten) else UNKNOWN_TARGET
        decision_us = (time.perf_counter_ns() - began) // 1000
        facts = facts_of(treated.caller, mode, walked.outcome, reach, decision_us, treated.standing)
        facts = with_shares(facts, walked.request, data)
        metadata_bag.stamp(bag, facts, walked.marking)
        self._keep(treated.caller, data, walked, is_sent=mode == "rewrite")
        if treated.ran_without_fault:
            self._breaker.succeeded(asked.scope, time.monotonic())
        return {**walked.body} if mode == "rewrite" and walked.body is not data else None

    def failed(self, key: Any, error: BaseException, where: str) -> None:
        """Reports a fault of ours in this key's request. With too many of them the breaker opens, which is told."""
        self._dispatcher.submit_error(error, where)
        for trip in self._breaker.failed(scope_of(key), time.monotonic()):
            alias = getattr(key, "key_alias", None) if trip.key is not None else None
            self._dispatcher.submit_problem(TRIPPED, _told(trip), alias if isinstance(alias, str) else None)

    def _treat(self, configuration: ActiveConfiguration, asked: IncomingRequest, caller: Caller) -> HandledRequest:
        """What the policy gives this request, step by step as far as it needs to know."""
        key, data = asked.key, asked.data

        def treated(walked: WalkResult, policy: Policy, source: str | None = None) -> HandledRequest:
            standing = DecidedBy(policy=source or policy.source)
            return HandledRequest(caller=caller, mode=policy.mode, walked=walked, standing=standing)

        def passed(reason: str) -> WalkResult:
            return WalkResult(outcome=Passthrough(reason=reason), body=data)

        header = header_of(data, HEADER)
        if configuration.stopped_by is not None:
            return treated(passed("stopped"), decide_policy(configuration.base, (), "off"), configuration.stopped_by)
        metadata, problems = stated_in_metadata(
            configuration.below, configuration.profile_names, dict_of(key, "metadata"), dict_of(key, "team_metadata")
        )
        possible = _possible(configuration, caller, metadata, header)
        likely = possible[-1][1]
        if problems:
            self._dispatcher.submit_problem("Key metadata", problems, caller.key_alias)
            return treated(passed("bad_key_metadata"), likely)
        if all(policy.mode == "off" for _, policy in possible):
            return treated(passed("off"), likely)
        if has_client_oauth(data, bag_of(data) or {}):
            return treated(passed("client_oauth"), likely)
        if not asked.is_again and not self._breaker.admits(asked.scope, time.monotonic()):
            return treated(passed("breaker"), likely, "breaker")
        opened = self._tried(lambda: configuration.pipeline.open(data, caller.endpoint), key, data)
        if isinstance(opened, WalkResult):
            return treated(opened, likely)
        sender = sender_of(data, caller.endpoint)
        caller = replace(caller, conversation=conversation_of(asked.scope, opened.request, sender))
        pipeline = configuration.pipeline
        recognised: RecognisedRequest | WalkResult | None = None
        only = None
        policy = likely
        if len(possible) > 1:  # which rule it is depends on the profile
            only = decide_policy(configuration.base, (*metadata, configuration.policy.defaults)).profile
            only = only if only in configuration.profile_names else None
            recognised = self._tried(lambda: pipeline.recognise(opened, only=only), key, data)
            name = recognised.recognition.profile.name if isinstance(recognised, RecognisedRequest) else None
            policy = next(policy for rule, policy in possible if _takes(rule, name))
        if policy.mode == "off":
            return treated(passed("off"), policy)
        if policy.profile is not None and policy.profile not in configuration.profile_names:
            return treated(passed("unknown_profile"), policy)  # of a policy file that waits to be put right
        drawn = draw(asked.scope, str(caller.conversation), percent=policy.percent, holdout=policy.holdout)
        if drawn == "not_in_percent":
            request = opened.request
            chars = len(request.system_text)
            outcome = Passthrough(reason=drawn, original_chars=chars, client_marks=request.client_marks)
            return treated(WalkResult(outcome=outcome, body=data, request=request), policy)
        if recognised is None or policy.profile != only:
            recognised = self._tried(lambda: pipeline.recognise(opened, only=policy.profile), key, data)
        if isinstance(recognised, WalkResult):
            return treated(recognised, policy)
        return self._walked(asked, caller, recognised, policy, drawn, pipeline)

    def _walked(
        self,
        asked: IncomingRequest,
        caller: Caller,
        recognised: RecognisedRequest,
        policy: Policy,
        drawn: Arm,
        pipeline: Pipeline,
    ) -> HandledRequest:
        """A recognised request, in its arm where a control group runs."""
        arm = drawn if policy.mode == "rewrite" and policy.holdout > 0 else None
        opened, recognition = recognised.opened, recognised.recognition
        if arm == "holdout":
            outcome = Passthrough(
                reason=arm,
                recognition=recognition,
                original_chars=len(opened.request.system_text),
                client_marks=opened.request.client_marks,
            )
            walked, ran_without_fault = WalkResult(outcome=outcome, body=opened.data, request=opened.request), False
        else:

            def walk() -> WalkResult:
                return pipeline.walk_on(recognised, asked.target, placement=policy.placement, lookup=asked.lookup)

            walked = self._tried(walk, asked.key, opened.data)
            ran_without_fault = not (isinstance(walked.outcome, Passthrough) and walked.outcome.reason == "error")
        # Behind the walk, which may want to be taken again: what is remembered is then what was before.
        changed_from = self._profiles.changed(str(caller.conversation), recognition.profile)
        standing = DecidedBy(policy=policy.source, arm=arm, profile_changed_from=changed_from)
        return HandledRequest(
            caller=caller, mode=policy.mode, walked=walked, standing=standing, ran_without_fault=ran_without_fault
        )

    def _tried(self, step: Callable[[], Step], key: Any, data: Mapping[str, Any]) -> Step | WalkResult:
        """The step's result; a fault in it is an outcome too. Raises EmbeddingsMissingError."""
        try:
            return step()
        except EmbeddingsMissingError:
            raise
        except Exception as error:
            self.failed(key, error, "walk")
            return WalkResult(outcome=Passthrough(reason="error"), body=data)


class _Remembered:
    """The profile that each conversation had last, of so many conversations."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, tuple[str, str]] = OrderedDict()

    def changed(self, conversation: str, profile: Profile) -> str | None:
        """The version and digest that the profile had at the call before, if it had others."""
        now = (profile.name, f"{profile.version}@{profile.digest[:12]}")
        before = self._known.get(conversation)
        self._known[conversation] = now
        self._known.move_to_end(conversation)
        if len(self._known) > MAX_CONVERSATIONS:
            self._known.popitem(last=False)
        return before[1] if before is not None and before[0] == now[0] and before[1] != now[1] else None


def _possible(
    configuration: ActiveConfiguration, caller: Caller, metadata: tuple[Stated, ...], header: str | None
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
    if not rules or not _takes(rules[-1], None):
        rules.append(None)
    layers = [below if rule is None else (rule.stated, *below) for rule in rules]
    return [(rule, decide_policy(configuration.base, each, header)) for rule, each in zip(rules, layers, strict=True)]


def _takes(rule: PolicyRule | None, profile: str | None) -> bool:
    return rule is None or rule.profiles is None or profile in rule.profiles


def _told(trip: Trip) -> tuple[str, ...]:
    whose = "of this key" if trip.key is not None else "of all keys"
    at = datetime.now(UTC).isoformat(timespec="seconds")
    return (
        f"{trip.faults} faults {whose} within {trip.window_seconds:g} s",
        f"since {at} its requests pass through; after {trip.pause_seconds:g} s one is tried",
    )

"""The callback: guard, call, catch. LiteLLM's hooks on one side, the walk and the sinks on the other.

Every hook fails open: a fault of ours leaves the request as it came and is reported. Hooks are defined on this
very class because LiteLLM looks for ``async_pre_call_hook`` in ``vars(cls)`` and skips inherited ones.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from typing import Any

import litellm
from litellm.integrations.custom_logger import CustomLogger

from hooks.configuration import configured, pipeline_of
from hooks.data import Passthrough, Target
from hooks.deployments import Deployments
from hooks.errors import ConfigurationError
from hooks.facts import facts_of
from hooks.litellm_facts import caller_of, dict_of, failure_of, has_client_oauth, success_of
from hooks.pipeline import Pipeline, Walked
from hooks.policy import HEADER, Policy, decide_policy
from hooks.record import Caller, Facts
from hooks.settings import Settings
from hooks.sinks import litellm_bag
from hooks.sinks.capture import Answered, Asked
from hooks.sinks.dispatch import Dispatcher
from hooks.sinks.headers import headers_of
from hooks.wire import SHAPES, answer_of, bag_of, client_body, header_of, snapshot
from hooks.wire.marking import ANY, follow


def make_handler() -> PromptRouter:
    """The callback, from LiteLLM's ``callback_settings`` and the environment.

    Raises ConfigurationError, after printing every problem, so that the proxy doesn't start half-configured.
    """
    section = (litellm.callback_settings or {}).get("prompt_router")
    try:
        settings, profiles, count_tokens = configured(section, os.environ)
    except ConfigurationError as error:
        print("prompt-router can't start:", *error.problems, sep="\n  ", file=sys.stderr, flush=True)
        raise
    return PromptRouter(settings, pipeline_of(settings, profiles, count_tokens))


class PromptRouter(CustomLogger):  # type: ignore[misc]  # LiteLLM is untyped to mypy here
    """LiteLLM's hooks. Holds no state of any request: facts travel in LiteLLM's metadata bag."""

    def __init__(self, settings: Settings, pipeline: Pipeline) -> None:
        super().__init__()
        self._settings = settings
        self._pipeline = pipeline
        self._default = Policy(mode=settings.mode, profile=settings.profile)
        self._profiles = frozenset(pipeline.profiles)
        self._deployments = Deployments()
        self._dispatcher = Dispatcher(settings)

    async def async_pre_call_hook(
        self, user_api_key_dict: Any, cache: Any, data: dict[str, Any], call_type: str, **_: Any
    ) -> dict[str, Any] | None:
        """The rewritten body, or None to leave the request as it came."""
        body = None
        try:
            body = self._handle(user_api_key_dict, data, call_type)
        except Exception as error:
            self._dispatcher.submit_error(error, "pre_call")
        self._capture_request(user_api_key_dict, data, call_type)
        return body

    async def async_pre_call_deployment_hook(
        self, kwargs: dict[str, Any], call_type: Any, **_: Any
    ) -> dict[str, Any] | None:
        """The body with the marks that the chosen deployment takes, where those of a group differ; None elsewhere.

        Called for every attempt, and for health probes and endpoints that aren't ours; where LiteLLM answers one
        endpoint through another, once more with the other's body. Messages are shared among attempts, so what changes
        is put into new objects.
        """
        try:
            return _marked_for_deployment(kwargs, getattr(call_type, "value", call_type))
        except Exception as error:
            self._dispatcher.submit_error(error, "pre_call_deployment")
            return None

    async def async_post_call_response_headers_hook(
        self, data: dict[str, Any], user_api_key_dict: Any, response: Any, **_: Any
    ) -> dict[str, str] | None:
        """``x-prompt-router-*`` of one response."""
        try:
            facts = _facts(bag_of(data))
            return headers_of(facts) if facts is not None and self._settings.headers else None
        except Exception as error:
            self._dispatcher.submit_error(error, "response_headers")
            return None

    async def async_logging_hook(
        self, kwargs: dict[str, Any], result: Any, call_type: str, **_: Any
    ) -> tuple[Any, Any]:
        """What LiteLLM logs, without a claim where its own response cache answered. Runs ahead of every logger."""
        try:
            bag = bag_of(kwargs.get("litellm_params") or {}, litellm_bag.OWN_KEY)
            if bag is not None and kwargs.get("cache_hit"):
                litellm_bag.disclaim(bag)
        except Exception as error:
            self._dispatcher.submit_error(error, "logging")
        return kwargs, result

    async def async_log_success_event(
        self, kwargs: dict[str, Any], response_obj: Any, start_time: Any, end_time: Any, **_: Any
    ) -> None:
        """One record for each answered request, streams too."""
        try:
            params = kwargs.get("litellm_params") or {}
            facts = _facts(bag_of(params, litellm_bag.OWN_KEY))
            if facts is not None:
                self._dispatcher.submit(success_of(facts, kwargs, response_obj))
                self._capture_answer(facts, response_obj)
        except Exception as error:
            self._dispatcher.submit_error(error, "log_success")

    async def async_post_call_failure_hook(
        self,
        request_data: dict[str, Any],
        original_exception: Exception,
        user_api_key_dict: Any,
        *_: Any,
        **__: Any,
    ) -> None:
        """One record for each request that failed for the client, whatever was tried before."""
        try:
            facts = _facts(bag_of(request_data))
            if facts is not None:
                self._dispatcher.submit(failure_of(facts, original_exception))
                self._capture_answer(facts, None)
        except Exception as error:
            self._dispatcher.submit_error(error, "post_call_failure")

    def close(self) -> None:
        """Writes out what waits for the sinks. The end of the process does the same."""
        self._dispatcher.close()

    # Capture

    def _capture_request(self, key: Any, data: dict[str, Any], call_type: str) -> None:
        """The client's own body on its way to the traffic file, whatever became of it in our hands."""
        alias = getattr(key, "key_alias", None)
        if not isinstance(alias, str) or not self._dispatcher.captures(alias) or call_type not in SHAPES:
            return
        try:
            facts = _facts(bag_of(data))
            if facts is not None:
                asked = Asked(
                    request_id=facts.caller.request_id,
                    at_seconds=facts.caller.started_seconds,
                    key=alias,
                    session=facts.caller.thread_id,
                    endpoint=call_type,
                    request=snapshot(client_body(data)),
                )
                self._dispatcher.submit_asked(asked)
        except Exception as error:
            self._dispatcher.submit_error(error, "capture")

    def _capture_answer(self, facts: Facts, response: Any) -> None:
        if self._dispatcher.captures(facts.caller.key_alias):
            answered = Answered(request_id=facts.caller.request_id, response=answer_of(response))
            self._dispatcher.submit_answered(answered)

    # The request

    def _handle(self, key: Any, data: dict[str, Any], call_type: str) -> dict[str, Any] | None:
        began = time.perf_counter_ns()
        bag = bag_of(data)
        if bag is None:
            return None
        litellm_bag.scrub(bag)
        caller = caller_of(key, data, call_type, bag)
        policy = decide_policy(
            self._default,
            self._profiles,
            dict_of(key, "metadata"),
            dict_of(key, "team_metadata"),
            header_of(data, HEADER),
        )

        def target() -> Target:
            is_auto_cached = data.get("enable_prompt_caching") is True
            return self._deployments.target(
                data.get("model"), caller.team_id, data.get("fallbacks"), is_auto_cached, caller.endpoint
            )

        walked = self._walk(data, caller, policy, target)
        decision_us = (time.perf_counter_ns() - began) // 1000
        facts = facts_of(caller, policy.mode, walked.outcome, target(), decision_us)
        litellm_bag.stamp(bag, facts, walked.marking)
        return {**walked.body} if policy.mode == "rewrite" and walked.body is not data else None

    def _walk(self, data: dict[str, Any], caller: Caller, policy: Policy, target: Callable[[], Target]) -> Walked:
        """The outcome under this policy; a fault in the walk is one too."""
        if policy.problems:
            self._dispatcher.submit_problem("Key metadata", policy.problems, caller.key_alias)
            return Walked(outcome=Passthrough(reason="bad_key_metadata"), body=data)
        if policy.mode == "off":
            return Walked(outcome=Passthrough(reason="off"), body=data)
        if has_client_oauth(bag_of(data) or {}):
            return Walked(outcome=Passthrough(reason="client_oauth"), body=data)
        try:
            return self._pipeline.walk(data, caller.endpoint, target, only=policy.profile)
        except Exception as error:
            self._dispatcher.submit_error(error, "walk")
            return Walked(outcome=Passthrough(reason="error"), body=data)


def _marked_for_deployment(kwargs: dict[str, Any], call_type: object) -> dict[str, Any] | None:
    bag = bag_of(kwargs)
    marking = litellm_bag.marking_in(bag, call_type) if bag is not None else None
    if bag is None or marking is None:
        return None
    own_id = str((kwargs.get("model_info") or {}).get("id"))
    number = marking.plan_of.get(own_id, marking.plan_of.get(ANY))
    if number is None:
        return None
    plan = marking.plans[number]
    changed = follow(plan.instructions, kwargs)
    if changed is None:
        return None
    litellm_bag.restamp(bag, own_id, plan)
    return {**kwargs, **changed}


def _facts(bag: dict[str, Any] | None) -> Facts | None:
    return litellm_bag.facts_in(bag) if bag is not None else None

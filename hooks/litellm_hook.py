"""The callback: guard, call, catch. LiteLLM's hooks on one side, the walk and the sinks on the other.

Every hook fails open: a fault of ours leaves the request as it came and is reported. Hooks are defined on this
very class because LiteLLM looks for ``async_pre_call_hook`` in ``vars(cls)`` and skips inherited ones.
"""

from __future__ import annotations

import hashlib
import os
import re
import sys
import time
import uuid
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

import litellm
from litellm.integrations.custom_logger import CustomLogger

from hooks.configuration import configured, pipeline_of
from hooks.data import Passthrough, Target
from hooks.deployments import Deployments
from hooks.errors import ConfigurationError
from hooks.facts import facts_of
from hooks.pipeline import Pipeline, Walked
from hooks.policy import HEADER, Policy, decide_policy
from hooks.record import Caller, Facts, Record
from hooks.settings import Settings
from hooks.sinks import litellm_bag
from hooks.sinks.capture import Answered, Asked
from hooks.sinks.dispatch import Dispatcher
from hooks.sinks.headers import headers_of
from hooks.wire import SHAPES, answer_of, bag_of, client_body, header_of, read_usage, snapshot
from hooks.wire.marking import follow

CHAT = "acompletion"
MAX_NAME_CHARS = 256
USD_DIGITS = 12
"""The cheapest token costs about 1e-9 USD; what stands three digits below that is noise."""
_HASH = re.compile(r"[0-9a-f]{64}")


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

        Called for every attempt, and for health probes and endpoints that aren't ours. Messages are shared among
        attempts, so what changes is put into new objects.
        """
        try:
            return _marked_for_deployment(kwargs) if getattr(call_type, "value", call_type) == CHAT else None
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
            bag = bag_of(kwargs.get("litellm_params") or {})
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
            facts = _facts(bag_of(params))
            if facts is not None:
                self._dispatcher.submit(_success(facts, kwargs, response_obj))
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
                self._dispatcher.submit(_failure(facts, original_exception))
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
        caller = _caller(key, data, call_type, bag)
        policy = decide_policy(
            self._default,
            self._profiles,
            _dict(key, "metadata"),
            _dict(key, "team_metadata"),
            header_of(data, HEADER),
        )

        def target() -> Target:
            is_auto_cached = data.get("enable_prompt_caching") is True
            return self._deployments.target(data.get("model"), caller.team_id, data.get("fallbacks"), is_auto_cached)

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
        try:
            return self._pipeline.walk(data, caller.endpoint, target, only=policy.profile)
        except Exception as error:
            self._dispatcher.submit_error(error, "walk")
            return Walked(outcome=Passthrough(reason="error"), body=data)


def _marked_for_deployment(kwargs: dict[str, Any]) -> dict[str, Any] | None:
    bag = bag_of(kwargs)
    marking = litellm_bag.marking_in(bag) if bag is not None else None
    if bag is None or marking is None:
        return None
    own_id = str((kwargs.get("model_info") or {}).get("id"))
    number = marking.plan_of.get(own_id)
    if number is None:
        return None
    plan = marking.plans[number]
    changed = follow(plan.instructions, kwargs)
    if changed is None:
        return None
    litellm_bag.restamp(bag, own_id, plan)
    return {**kwargs, **changed}


# LiteLLM's objects -> plain facts


def _facts(bag: dict[str, Any] | None) -> Facts | None:
    return litellm_bag.facts_in(bag) if bag is not None else None


def _caller(key: Any, data: Mapping[str, Any], call_type: str, bag: Mapping[str, Any]) -> Caller:
    tools = data.get("tools")
    return Caller(
        request_id=uuid.uuid4().hex,
        call_id=_text(data.get("litellm_call_id")),
        started_seconds=time.time(),
        endpoint=call_type,
        stream=bool(data.get("stream")),
        thread_id=_text(data.get("litellm_session_id") or bag.get("session_id")),
        key_alias=_text(getattr(key, "key_alias", None)),
        key_hash=_key_hash(getattr(key, "api_key", None)),
        team_id=_text(getattr(key, "team_id", None)),
        model_group=_text(data.get("model")),
        tool_count=len(tools) if isinstance(tools, list) else 0,
    )


def _text(value: object) -> str | None:
    return value[:MAX_NAME_CHARS] if isinstance(value, str) and value else None


def _dict(holder: Any, name: str) -> dict[str, Any] | None:
    value = getattr(holder, name, None)
    return value if isinstance(value, dict) else None


def _key_hash(key: object) -> str | None:
    """LiteLLM's hash of the key, as in its spend logs; whatever isn't hashed yet is hashed here."""
    if not isinstance(key, str) or not key:
        return None
    return key if _HASH.fullmatch(key) else hashlib.sha256(key.encode()).hexdigest()


def _success(facts: Facts, kwargs: Mapping[str, Any], response: Any) -> Record:
    cached = bool(kwargs.get("cache_hit"))
    usage = read_usage(getattr(response, "usage", None))
    billed = _usd(kwargs.get("response_cost"))
    return Record(
        facts=facts,
        finished_seconds=time.time(),
        status="success",
        error_type=None,
        model=_text(kwargs.get("model")),
        provider=_text(kwargs.get("custom_llm_provider")),
        usage=usage,
        usage_reason=None if usage else "the provider reported no usage",
        billed_usd=billed,
        billed_reason=None if billed is not None else "LiteLLM knows no price for this model",
        response_cached=cached,
    )


def _usd(cost: object) -> Decimal | None:
    """LiteLLM's cost, a float, without the digits that only binary rounding put there."""
    if not isinstance(cost, (int, float)) or isinstance(cost, bool):
        return None
    return round(Decimal(cost), USD_DIGITS).normalize()


def _failure(facts: Facts, error: Exception) -> Record:
    return Record(
        facts=facts,
        finished_seconds=time.time(),
        status="failure",
        error_type=type(error).__name__,
        model=_text(getattr(error, "model", None)),
        provider=_text(getattr(error, "llm_provider", None)),
        usage=None,
        usage_reason="the request failed",
        billed_usd=None,
        billed_reason="the request failed",
        response_cached=False,
    )

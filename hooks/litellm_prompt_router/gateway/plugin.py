"""LiteLLM's hooks.

Every hook fails open: a fault of ours leaves the request as it came and is reported. Hooks are defined on this
very class because LiteLLM looks for ``async_pre_call_hook`` in ``vars(cls)`` and skips inherited ones.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import litellm
from litellm.integrations.custom_logger import CustomLogger

from litellm_prompt_router.documents.errors import ConfigurationError
from litellm_prompt_router.gateway import metadata_bag, proxy_server
from litellm_prompt_router.gateway.caller import alias_of
from litellm_prompt_router.gateway.completion import RecordCompleter
from litellm_prompt_router.gateway.deployments.map_prices import input_price
from litellm_prompt_router.gateway.events import answered_attempt, answered_response, failure_record, success_record
from litellm_prompt_router.gateway.handle import AwaitingEmbeddings, RequestHandler
from litellm_prompt_router.gateway.models.embedding_cache import EmbeddingCache
from litellm_prompt_router.gateway.models.embedding_model import ask_embedding_model
from litellm_prompt_router.gateway.models.local_embeddings import LocalEmbeddings, ask_of
from litellm_prompt_router.gateway.response_headers import headers_of
from litellm_prompt_router.policy.active import ActiveConfiguration, switched_off
from litellm_prompt_router.policy.loader import Loader
from litellm_prompt_router.policy.settings import DISABLED, is_disabled
from litellm_prompt_router.policy.watch import Watcher
from litellm_prompt_router.profile.profile import Profile
from litellm_prompt_router.profile.tokens import token_counter
from litellm_prompt_router.record.record import Facts
from litellm_prompt_router.request.wire import SHAPES, answer_of, client_body, sender_of, snapshot
from litellm_prompt_router.request.wire.marking import ANY_DEPLOYMENT, apply_instructions
from litellm_prompt_router.telemetry.capture import CapturedAnswer, CapturedRequest
from litellm_prompt_router.telemetry.dispatch import Dispatcher
from litellm_prompt_router.telemetry.status_file import InForce, ServedProfile


def make_handler() -> PromptRouter:
    """The callback, from LiteLLM's ``callback_settings`` and the environment.

    Raises ConfigurationError, after printing every problem, so that the proxy doesn't start half-configured.
    """
    section = (litellm.callback_settings or {}).get("prompt_router")
    loader = Loader(section, os.environ, proxy_server.config_path())
    try:
        configuration = loader.load_at_start()
    except ConfigurationError as error:
        print("prompt-router can't start:", *error.problems, sep="\n  ", file=sys.stderr, flush=True)
        if not is_disabled(os.environ):
            raise
        print(f"prompt-router is switched off by {DISABLED}", file=sys.stderr, flush=True)
        return PromptRouter(switched_off())
    handler = PromptRouter(configuration)
    handler.watch(loader)
    return handler


class PromptRouter(CustomLogger):  # type: ignore[misc]  # LiteLLM is untyped to mypy here
    """LiteLLM's hooks. Facts of a request travel in LiteLLM's metadata bag; what the client sent doesn't, because the
    bag is logged.
    """

    def __init__(
        self,
        configuration: ActiveConfiguration,
        count_tokens: Callable[[str], int] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__()
        self._dispatcher = Dispatcher(configuration.settings)
        self._completer = RecordCompleter(self._dispatcher, count_tokens or token_counter(), clock())
        tell = self._dispatcher.submit_problem
        self._local_models = LocalEmbeddings(tell, threads=configuration.settings.embedding_threads)
        self._embeddings = EmbeddingCache(ask_of(self._local_models, ask_embedding_model), tell)
        self._handler = RequestHandler(configuration, self._dispatcher, self._completer, self._embeddings, clock)
        self._watcher: Watcher | None = None
        self._dispatcher.report_in_force(self._in_force)
        if configuration.stopped_by is None:
            fitted = [profile.fitted for profile in configuration.profiles if profile.fitted is not None]
            self._local_models.start([each.semantics.model for each in fitted if each.semantics is not None])

    async def async_pre_call_hook(
        self, user_api_key_dict: Any, cache: Any, data: dict[str, Any], call_type: str, **_: Any
    ) -> dict[str, Any] | None:
        """The rewritten body, or None to leave the request as it came."""
        handler = self._handler
        configuration = handler.configuration
        body = None
        try:
            bag = metadata_bag.bag_of(data)
            if configuration.stopped_by is not None:  # out of the path: nothing is kept, marked or recorded
                handler.pass_while_stopped(bag)
                return None
            if bag is not None:
                request = handler.open(configuration, user_api_key_dict, data, call_type, bag)
                step = handler.decide(request)
                if isinstance(step, AwaitingEmbeddings):
                    redis = proxy_server.redis_for_hooks(cache)
                    await self._embeddings.fetch(step.model, step.texts, step.timeout_seconds, redis)
                    if handler.configuration.stopped_by is not None:
                        handler.pass_while_stopped(bag)
                        return None
                    step = handler.resume(request, step)
                body = handler.finish(request, step)
        except Exception as error:
            body = None
            handler.failed(user_api_key_dict, error, "pre_call")
            _remove_facts(data)
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
            facts = _facts(data)
            return headers_of(facts) if facts is not None and self._handler.configuration.settings.headers else None
        except Exception as error:
            self._dispatcher.submit_error(error, "response_headers")
            return None

    async def async_logging_hook(
        self, kwargs: dict[str, Any], result: Any, call_type: str, **_: Any
    ) -> tuple[Any, Any]:
        """Completes the record and writes summary and claim into what LiteLLM logs. Runs ahead of every logger."""
        try:
            bag = metadata_bag.bag_with_facts(kwargs.get("litellm_params") or {})
            facts = metadata_bag.facts_in(bag) if bag is not None else None
            if bag is not None and facts is not None:
                response = answered_response(kwargs, result)
                record = success_record(facts, kwargs, response)
                record = await self._completer.complete(record, answered_attempt(kwargs, response))
                price = input_price(metadata_bag.deployment_in(bag), record.model, record.provider)
                metadata_bag.write_summary(bag, record, price, self._handler.configuration.settings.cost_page)
                metadata_bag.copy_to_log_payload(kwargs, bag)
        except Exception as error:
            self._dispatcher.submit_error(error, "logging")
        return kwargs, result

    async def async_log_success_event(
        self, kwargs: dict[str, Any], response_obj: Any, start_time: Any, end_time: Any, **_: Any
    ) -> None:
        """One record for each answered request, streams too."""
        try:
            params = kwargs.get("litellm_params") or {}
            facts = _facts(params)
            if facts is not None:
                record = self._completer.completed(facts.caller.request_id)
                if record is None:
                    record = success_record(facts, kwargs, response_obj)
                    record = await self._completer.complete(record, answered_attempt(kwargs, response_obj))
                    self._completer.drop(facts.caller.request_id)
                self._dispatcher.submit(record)
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
            facts = _facts(request_data)
            if facts is not None:
                self._completer.drop(facts.caller.request_id)
                self._dispatcher.submit(failure_record(facts, original_exception))
                self._capture_answer(facts, None)
        except Exception as error:
            self._dispatcher.submit_error(error, "post_call_failure")

    def watch(self, loader: Loader) -> None:
        """Takes over what changes on disk, from now on."""

        def tell(title: str, lines: Sequence[str], once: str) -> None:
            self._dispatcher.submit_problem(title, lines, once=once)

        self._watcher = Watcher(loader, self._handler.publish, tell, self._dispatcher.submit_error)
        self._watcher.start()

    def close(self) -> None:
        """Writes out what waits for the sinks; also called at the process's end."""
        if self._watcher is not None:
            self._watcher.stop()
        self._local_models.close()
        self._completer.close()
        self._dispatcher.close()

    def _in_force(self) -> InForce:
        """For the status file; in the dispatcher's thread."""
        handler = self._handler
        configuration = handler.configuration
        profiles = configuration.profiles
        open_breakers = handler.breaker.open_for(time.monotonic())
        return InForce(
            default_mode=configuration.default_mode,
            profiles=tuple(_served(p) for p in profiles),
            configuration=configuration.number,
            stopped_by=configuration.stopped_by,
            passed_while_stopped=handler.passed_while_stopped,
            policy_path=str(configuration.policy_path) if configuration.policy.digest is not None else None,
            policy_digest=configuration.policy.digest,
            policy_rules=len(configuration.policy.rules),
            problems=self._watcher.problems if self._watcher is not None else (),
            is_breaker_open=None in open_breakers,
            breaker_keys=sum(key is not None for key in open_breakers),
            local_models=tuple(state.to_dict() for state in self._local_models.states()),
        )

    # Capture

    def _capture_request(self, key: Any, data: dict[str, Any], call_type: str) -> None:
        """Hands the body to the traffic file as the client sent it, rewritten or not."""
        alias = alias_of(key)
        if alias is None or not self._dispatcher.is_captured(alias) or call_type not in SHAPES:
            return
        try:
            facts = _facts(data)
            if facts is not None:
                asked = CapturedRequest(
                    request_id=facts.caller.request_id,
                    at_seconds=facts.caller.started_seconds,
                    key=alias,
                    sender=sender_of(data, call_type),
                    endpoint=call_type,
                    request=snapshot(client_body(data)),
                )
                self._dispatcher.submit_captured_request(asked)
        except Exception as error:
            self._dispatcher.submit_error(error, "capture")

    def _capture_answer(self, facts: Facts, response: Any) -> None:
        if self._dispatcher.is_captured(facts.caller.key_alias):
            answered = CapturedAnswer(request_id=facts.caller.request_id, response=answer_of(response))
            self._dispatcher.submit_captured_answer(answered)


def _marked_for_deployment(kwargs: dict[str, Any], call_type: object) -> dict[str, Any] | None:
    bag = metadata_bag.bag_with_facts(kwargs)
    marking = metadata_bag.marking_in(bag, call_type) if bag is not None else None
    if bag is None or marking is None:
        return None
    own_id = str((kwargs.get("model_info") or {}).get("id"))
    number = marking.plan_of.get(own_id, marking.plan_of.get(ANY_DEPLOYMENT))
    if number is None:
        return None
    plan = marking.plans[number]
    changed = apply_instructions(plan.instructions, kwargs)
    if changed is None:
        return None
    metadata_bag.update_marks(bag, own_id, plan)
    return {**kwargs, **changed}


def _remove_facts(data: Mapping[str, Any]) -> None:
    """Removes our facts after a fault, so that nothing is marked in, claimed for or told of the request."""
    bag = metadata_bag.bag_with_facts(data)
    if bag is not None:
        metadata_bag.drop_reserved_keys(bag)


def _facts(data: Mapping[str, Any]) -> Facts | None:
    bag = metadata_bag.bag_with_facts(data)
    return metadata_bag.facts_in(bag) if bag is not None else None


def _served(profile: Profile) -> ServedProfile:
    return ServedProfile(
        name=profile.name,
        version=profile.version,
        digest=profile.digest,
        reviewed=profile.reviewed,
        left_alone=profile.left_alone,
    )

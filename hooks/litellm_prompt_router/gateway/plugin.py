"""LiteLLM's hooks.

Every hook fails open: a fault of ours leaves the request as it came and is reported. Hooks are defined on this
very class because LiteLLM looks for ``async_pre_call_hook`` in ``vars(cls)`` and skips inherited ones.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import litellm
from litellm.integrations.custom_logger import CustomLogger

from litellm_prompt_router.documents.errors import ConfigurationError
from litellm_prompt_router.documents.shown_text import one_line
from litellm_prompt_router.gateway import attempts, metadata_bag, proxy_server
from litellm_prompt_router.gateway.captured_calls import CapturedCalls
from litellm_prompt_router.gateway.completion import RecordCompleter
from litellm_prompt_router.gateway.conversation_beginnings import ConversationBeginnings
from litellm_prompt_router.gateway.deployments.answering import InputPrices
from litellm_prompt_router.gateway.events import (
    abandoned_record,
    answered_attempt,
    answered_response,
    failure_record,
    success_record,
)
from litellm_prompt_router.gateway.facts_in_flight import LeftRequest
from litellm_prompt_router.gateway.handle import RequestHandler
from litellm_prompt_router.gateway.models.asked_models import AskedModels
from litellm_prompt_router.gateway.models.embedding_cache import TextsToEmbed
from litellm_prompt_router.gateway.models.routing_calls import Asking
from litellm_prompt_router.gateway.records_beside import RecordsBeside
from litellm_prompt_router.gateway.request_steps import IncomingRequest, MoreToRead, RequestOutcome
from litellm_prompt_router.gateway.response_headers import headers_of
from litellm_prompt_router.gateway.tuning.conversation_tunings import ConversationTunings, TuningToAgree
from litellm_prompt_router.gateway.tuning.self_tuning import SelfTuning
from litellm_prompt_router.gateway.tuning.worker_tuning import self_tuning_of
from litellm_prompt_router.gateway.waiting import AwaitingModels
from litellm_prompt_router.gateway.worker_state import in_force_of
from litellm_prompt_router.policy.active import ActiveConfiguration, switched_off
from litellm_prompt_router.policy.loader import Loader
from litellm_prompt_router.policy.settings import DISABLED, Settings, is_disabled
from litellm_prompt_router.policy.watch import Watcher
from litellm_prompt_router.profile.tokens import token_counter
from litellm_prompt_router.record.record import Facts, Record, RoutingOutcome
from litellm_prompt_router.record.routing_bill import with_routing_bill
from litellm_prompt_router.request.route import RoutingQuestion
from litellm_prompt_router.request.wire.replayed_thinking import thinking_in_answer
from litellm_prompt_router.telemetry.dispatch import Dispatcher
from litellm_prompt_router.telemetry.status_file import InForce

CLIENT_LEFT = "client_left"
STOPPED = "stopped"
"""Reasons of requests that ended while a routing model was asked for them."""


def make_handler() -> PromptRouter:
    """The callback, from LiteLLM's ``callback_settings`` and the environment.

    Raises ConfigurationError, after printing every problem, so that the proxy doesn't start half-configured.
    """
    section = (litellm.callback_settings or {}).get("prompt_router")
    loader = Loader(section, os.environ, proxy_server.config_path())
    try:
        configuration = loader.load_at_start()
    except ConfigurationError as error:
        print("prompt-router can't start:", *map(one_line, error.problems), sep="\n  ", file=sys.stderr, flush=True)
        if not is_disabled(os.environ):
            raise
        print(f"prompt-router is switched off by {DISABLED}", file=sys.stderr, flush=True)
        return PromptRouter(switched_off())
    handler = PromptRouter(configuration)
    handler.watch(loader)
    return handler


class PromptRouter(CustomLogger):  # type: ignore[misc]  # LiteLLM is untyped to mypy here
    """LiteLLM's hooks. A request's seal travels in LiteLLM's metadata bag; what is known of it stays here, because the
    bag is copied and logged.
    """

    def __init__(
        self,
        configuration: ActiveConfiguration,
        count_tokens: Callable[[str], int] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__()
        self._dispatcher = Dispatcher(configuration.settings)
        self._captured = CapturedCalls(self._dispatcher)
        self._completer = RecordCompleter(self._dispatcher, count_tokens or token_counter(), clock())
        dispatcher = self._dispatcher
        self._models = AskedModels(configuration.settings, dispatcher.submit, dispatcher.submit_problem)
        self._tunings = ConversationTunings(_tuning_folder(configuration.settings), clock)
        self._handler = RequestHandler(
            configuration,
            self._dispatcher,
            self._completer,
            self._models.embeddings,
            self._models.answers,
            self._tunings,
            clock,
            ConversationBeginnings(configuration.settings.status_folder),
        )
        self._beside = RecordsBeside(self._completer, self._finish)
        self._clock = clock
        self._prices = InputPrices()
        self._watcher: Watcher | None = None
        self._self_tuning: SelfTuning | None = None
        self._dispatcher.report_in_force(self._in_force)
        self._dispatcher.report_put_out(metadata_bag.put_out)
        if configuration.stopped_by is None:
            fitted = [profile.fitted for profile in configuration.profiles if profile.fitted is not None]
            self._models.local.start([each.semantics.model for each in fitted if each.semantics is not None])

    async def async_pre_call_hook(
        self, user_api_key_dict: Any, cache: Any, data: dict[str, Any], call_type: str, **_: Any
    ) -> dict[str, Any] | None:
        """The rewritten body, or None to leave the request as it came."""
        handler = self._handler
        configuration = handler.configuration
        body = None
        try:
            bag = metadata_bag.bag_of(data)
            may_be_bound = bag is not None and handler.beginnings.may_know
            if configuration.stopped_by is not None and not may_be_bound:  # nothing is kept, marked or recorded
                handler.pass_while_stopped(bag)
                return None
            if bag is not None:
                request = handler.open(configuration, user_api_key_dict, data, call_type, bag)
                decided = await self._decide(request, cache)
                if decided is None:
                    handler.pass_while_stopped(bag)
                    return None
                body = handler.finish(request, decided)
        except Exception as error:
            body = None
            handler.failed(user_api_key_dict, error, "pre_call", data, call_type)
            metadata_bag.remove_facts(data)
        self._captured.request(user_api_key_dict, data, call_type)
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
            return attempts.prepare(kwargs, getattr(call_type, "value", call_type), self._completer)
        except Exception as error:
            self._dispatcher.submit_error(error, "pre_call_deployment")
            return None

    async def async_post_call_success_deployment_hook(
        self, request_data: dict[str, Any], response: Any, call_type: Any, **_: Any
    ) -> None:
        """Takes the response of one of several calls that a request makes side by side."""
        try:
            self._beside.answered(request_data, response, getattr(call_type, "value", call_type))
        except Exception as error:
            self._dispatcher.submit_error(error, "post_call_success_deployment")

    async def async_post_call_failure_deployment_hook(
        self, request_data: dict[str, Any], exception: Exception, call_type: Any, **_: Any
    ) -> None:
        """Forgets one of several calls that a request makes side by side, where it failed."""
        try:
            self._beside.failed(request_data, getattr(call_type, "value", call_type), exception)
        except Exception as error:
            self._dispatcher.submit_error(error, "post_call_failure_deployment")

    async def async_post_call_response_headers_hook(
        self, data: dict[str, Any], user_api_key_dict: Any, response: Any, **_: Any
    ) -> dict[str, str] | None:
        """``x-prompt-router-*`` of one response."""
        try:
            left = metadata_bag.left_of_request(data)
            facts = None if left is None else left.facts
            if left is not None and left.beside is not None:
                self._beside.ended(left, data, is_stream=data.get("stream") is True)
                metadata_bag.finish(data)
            if facts is None or self._is_left_out(facts) or not self._handler.configuration.settings.headers:
                return None
            return headers_of(facts)
        except Exception as error:
            self._dispatcher.submit_error(error, "response_headers")
            return None

    async def async_logging_hook(
        self, kwargs: dict[str, Any], result: Any, call_type: str, **_: Any
    ) -> tuple[Any, Any]:
        """Completes the record and writes summary and claim into what LiteLLM logs. Runs ahead of every logger."""
        try:
            bag = metadata_bag.bag_with_facts(kwargs.get("litellm_params") or {})
            left = metadata_bag.left_in(bag) if bag is not None else None
            if bag is not None and left is not None:
                record = await self._record_of(left, kwargs, answered_response(kwargs, result))
                if record is None:
                    return kwargs, result
                record = with_routing_bill(record, self._models.bills.so_far(record.facts.caller.request_id))
                deployment_id = record.deployment_id or metadata_bag.deployment_in(bag)
                price = partial(self._prices, deployment_id, record.model, record.provider)
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
            left = metadata_bag.left_of_request(params)
            if left is not None:
                self._handler.beginnings.answered(left.facts.caller.request_id, thinking_in_answer(response_obj))
            if left is not None and left.beside is not None:  # its records are made by the other hooks
                self._captured.answer(left.facts, response_obj, left.beside.request_id)
            elif left is not None:
                facts = left.facts
                record = self._completer.completed(facts.caller.request_id)
                if record is None:
                    record = success_record(facts, kwargs, response_obj)
                    answer = answered_attempt(kwargs, response_obj, left.usage_reason)
                    record = await self._completer.complete(record, answer)
                    self._completer.drop(facts.caller.request_id)
                self._finish(record)
                self._captured.answer(facts, response_obj)
                metadata_bag.finish(params)
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
            left = metadata_bag.left_of_request(request_data)
            if left is not None:
                facts = left.facts
                if not self._beside.failed_together(left, original_exception):
                    self._completer.drop(facts.caller.request_id)
                    self._finish(failure_record(facts, original_exception))
                self._captured.answer(facts, None)
                metadata_bag.finish(request_data)
        except Exception as error:
            self._dispatcher.submit_error(error, "post_call_failure")

    def watch(self, loader: Loader) -> None:
        """Takes over what changes on disk, from now on."""

        def tell(title: str, lines: Sequence[str], once: str) -> None:
            self._dispatcher.submit_problem(title, lines, once=once)

        self._watcher = Watcher(loader, self._handler.publish, tell, self._dispatcher.submit_error)
        self._watcher.start()
        handler = self._handler
        self._self_tuning = self_tuning_of(
            handler.configuration.settings,
            lambda: handler.configuration,
            lambda: handler.opened + handler.passed_while_stopped,
            self._dispatcher,
            self._clock,
        )
        if self._self_tuning is not None:
            self._self_tuning.start()

    def close(self) -> None:
        """Writes out what waits for the sinks; also called at the process's end."""
        if self._watcher is not None:
            self._watcher.stop()
        if self._self_tuning is not None:
            self._self_tuning.close()
        self._models.close()
        self._tunings.close()
        self._handler.beginnings.close()
        self._completer.close()
        self._dispatcher.close()

    async def _decide(self, request: IncomingRequest, cache: Any) -> RequestOutcome | None:
        """What becomes of the request, once the models that it waits for have answered; None: everything was stopped.

        One whose client goes away meanwhile has a record all the same where it asked a routing model: for the bill.
        """
        handler = self._handler
        redis = proxy_server.redis_for_hooks(cache)
        self._tunings.share_through(redis)
        handler.beginnings.share_through(redis)
        step = handler.decide(request)
        while step is not None and not isinstance(step, RequestOutcome):
            if isinstance(step, MoreToRead):
                if step.unknown is not None:
                    await handler.beginnings.look_up(*step.unknown)
                else:
                    await asyncio.sleep(0)  # a long history: others run in between
                if handler.is_stopped_for(request):
                    return None
                step = handler.go_on(step)
                continue
            try:
                outcomes = await self._answered(step.wanted, redis)
            except asyncio.CancelledError as error:
                self._record_abandoned(request, step, CLIENT_LEFT, error)
                raise
            if handler.is_stopped_for(request):
                self._record_abandoned(request, step, STOPPED, None)
                return None
            step = handler.resume(request, step, outcomes)
        return step

    async def _record_of(self, left: LeftRequest, kwargs: Mapping[str, Any], response: Any) -> Record | None:
        """The record that LiteLLM's event is of; None where it is of no call that has one."""
        if left.beside is not None:
            return await self._beside.logged(left, kwargs, response)
        answer = answered_attempt(kwargs, response, left.usage_reason)
        return await self._completer.complete(success_record(left.facts, kwargs, response), answer)

    async def _answered(
        self, wanted: TuningToAgree | TextsToEmbed | Asking, redis: Any
    ) -> Mapping[RoutingQuestion, RoutingOutcome]:
        """Waits for what a request needs to know; what became of each question that was asked of a model."""
        if isinstance(wanted, TuningToAgree):
            await self._tunings.agree(wanted)
            return {}
        return await self._models.answer(wanted, redis)

    def _finish(self, record: Record) -> None:
        """Hands the record to the sinks, once the bill of what it asked is there."""
        if not self._is_left_out(record.facts):
            self._models.bills.finish(record)

    def _is_left_out(self, facts: Facts) -> bool:
        """True of a request that is off and known for the sake of others' figures alone."""
        return facts.is_off and not self._handler.configuration.settings.ledger.off_keys

    def _record_abandoned(
        self, request: IncomingRequest, step: AwaitingModels, reason: str, error: BaseException | None
    ) -> None:
        if self._models.bills.so_far(request.caller.request_id) is not None:
            facts = self._handler.abandoned(request, step, reason)
            if facts is not None:
                self._models.bills.finish(abandoned_record(facts, error))

    def _in_force(self) -> InForce:
        """For the status file; in the dispatcher's thread."""
        return in_force_of(
            self._handler,
            problems=self._watcher.problems if self._watcher is not None else (),
            local_models=tuple(state.to_dict() for state in self._models.local.states()),
            is_tuning=self._self_tuning is not None and self._self_tuning.is_running,
            unaccounted=self._completer.unaccounted,
            now_seconds=self._clock(),
        )


def _tuning_folder(settings: Settings) -> Path | None:
    """Where workers agree on tunings; None where no tuning goes on by itself."""
    return None if settings.tuning.every is None else settings.status_folder

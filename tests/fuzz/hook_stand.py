"""The hook with its walk and its accounting, without a proxy: a case goes through every method that LiteLLM calls."""

from __future__ import annotations

import asyncio
import logging
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import litellm
from litellm.proxy._types import UserAPIKeyAuth

from litellm_prompt_router.files import bundled_profiles, load_profiles
from litellm_prompt_router.gateway import metadata_bag
from litellm_prompt_router.gateway.plugin import PromptRouter
from litellm_prompt_router.policy.active import active_configuration, pipeline_of
from litellm_prompt_router.policy.settings import load_settings
from litellm_prompt_router.record.record import Facts, Record
from tests import made_profiles
from tests.fuzz.fuzz_case import FuzzCase

BAG = "litellm_metadata"
KEY = UserAPIKeyAuth(api_key="0" * 64, key_alias="alpha", metadata={})
CALL_SECONDS = 20.0
"""A hook that takes longer hangs."""
_MODELS = {
    "claude": ("anthropic/claude-sonnet-4-5",),
    "opus": ("anthropic/claude-opus-5",),
    "gpt": ("openai/gpt-4.1",),
    "gemini": ("gemini/gemini-2.5-pro",),
    "mixed": ("anthropic/claude-sonnet-4-5", "openai/gpt-4.1"),
}


@dataclass(kw_only=True, slots=True)
class Observed:
    """What became of a case. ``faults``: exceptions out of hooks, and what they reported of their own."""

    body: dict[str, Any]
    """As the client sent it."""
    out: dict[str, Any]
    """What LiteLLM goes on with; the same object where the hook left it."""
    facts: Facts | None = None
    records: list[Record] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    """Everything that leaves the hook in words: logs, summaries, headers, problems."""
    seconds: float = 0.0


class HookStand:
    """One hook for each way of setting it up. Not for two threads."""

    def __init__(self) -> None:
        workbench = load_profiles(bundled_profiles(), _quarter)
        profiles = (made_profiles.HARBOUR, *(each for each in workbench if each.name == "workbench"))
        self._hooks = {}
        self._now: Observed | None = None
        for is_gated in (True, False):
            settings = load_settings({"ledger": {"path": None}, "cost_gate": is_gated}, {})
            hook = PromptRouter(active_configuration(settings, pipeline_of(settings, profiles, _quarter)), _quarter)
            self._listen_to(hook)
            self._hooks[is_gated] = hook

    def close(self) -> None:
        for hook in self._hooks.values():
            hook.close()

    def run(self, case: FuzzCase) -> Observed:
        """Everything, from the request to its record."""
        return asyncio.run(self.ran(case))

    async def ran(self, case: FuzzCase, body: dict[str, Any] | None = None) -> Observed:
        """The same. ``body``: one that is too large to be written, in place of the case's own."""
        hook = self._hooks[case.is_gated]
        body = case.edited_body() if body is None else body
        bag: dict[str, Any] = {}
        data = {**body, BAG: bag, "litellm_call_id": "call-1"}
        seen = self._now = Observed(body=body, out=data)
        began = time.perf_counter()
        out = await self._called(hook.async_pre_call_hook(KEY, None, data, case.endpoint))
        seen.seconds = time.perf_counter() - began
        seen.out = data if out is None else out
        left = metadata_bag.left_in(bag)
        seen.facts = None if left is None else left.facts
        await self._answered(hook, case, seen, bag)
        metadata_bag.finish({BAG: bag})
        hook._completer._completed.clear()
        seen.told.append(str(bag.get("spend_logs_metadata")))
        self._now = None
        return seen

    async def _answered(self, hook: PromptRouter, case: FuzzCase, seen: Observed, bag: dict[str, Any]) -> None:
        answer = case.edited_answer()
        stated = answer.get("event")
        event: dict[str, Any] = stated if isinstance(stated, dict) else {}
        params = event.get("litellm_params")
        params = {**params, BAG: bag} if isinstance(params, dict) else {BAG: bag}
        chosen = {"model": "anthropic/claude-sonnet-4-5", "api_base": None, "model_info": {"id": "d-claude-0"}}
        attempt = {**seen.out, **chosen}  # what a deployment is, LiteLLM's router says, not the client
        await self._called(hook.async_pre_call_deployment_hook(attempt, case.endpoint))
        headers = await self._called(hook.async_post_call_response_headers_hook({BAG: bag}, KEY, None))
        seen.told.append(str(headers))
        if answer.get("form") == "failure":
            error = litellm.BadRequestError("refused", llm_provider="openai", model="m")
            await self._called(hook.async_post_call_failure_hook({BAG: bag}, error, KEY))
            return
        response = _response(answer)
        kwargs = {**event, "litellm_params": params}
        await self._called(hook.async_logging_hook(kwargs, response, case.endpoint))
        await self._called(hook.async_log_success_event(kwargs, response, None, None))

    async def _called(self, hook_call: Any) -> Any:
        try:
            return await asyncio.wait_for(hook_call, CALL_SECONDS)
        except Exception:  # noqa: BLE001  (it is what is looked for)
            assert self._now is not None
            self._now.faults.append(f"out of the hook:\n{traceback.format_exc()[-3_000:]}")

    def _listen_to(self, hook: PromptRouter) -> None:
        """Takes what the hook hands to its sinks."""
        dispatcher: Any = hook._dispatcher

        def error(fault: BaseException, where: str, *_: Any) -> None:
            if self._now is not None:
                trace = "".join(traceback.format_exception(fault))[-3_000:]
                self._now.faults.append(f"reported at {where}:\n{trace}")

        def submit(record: Record) -> None:
            if self._now is not None:
                self._now.records.append(record)

        def problem(*told: Any, **_: Any) -> None:
            if self._now is not None:
                self._now.told.append(str(told))

        dispatcher.submit_error, dispatcher.submit, dispatcher.submit_problem = error, submit, problem
        hook._models.bills._submit = submit
        hook._handler.breaker.failed = lambda *_: ()  # type: ignore[method-assign]


def _quarter(text: str) -> int:
    return len(text) // 4


def _response(answer: dict[str, Any]) -> Any:
    usage, form = answer.get("usage"), answer.get("form")
    if form == "dict":
        return answer
    if form == "object":
        return SimpleNamespace(usage=_object(usage), choices=[SimpleNamespace(message=answer.get("message"))])
    if form != "model_response":
        return None
    response = litellm.ModelResponse(model="m")
    try:
        response.usage = litellm.Usage(**usage)  # type: ignore[arg-type]
    except Exception:  # noqa: BLE001  (LiteLLM refuses what isn't usage)
        response.usage = _object(usage)
    return response


def _object(usage: Any) -> Any:
    if not isinstance(usage, dict):
        return usage
    return SimpleNamespace(**{key: value for key, value in usage.items() if isinstance(key, str)})


class _Lines(logging.Handler):
    def __init__(self, stand: HookStand) -> None:
        super().__init__()
        self._stand = stand

    def emit(self, record: logging.LogRecord) -> None:
        if self._stand._now is not None and record.name.startswith("litellm_prompt_router"):
            self._stand._now.told.append(record.getMessage())


@contextmanager
def hook_stand() -> Iterator[HookStand]:
    """A stand beside a LiteLLM router with groups of several providers."""
    models = [
        {
            "model_name": group,
            "litellm_params": {"model": model, "api_key": "sk-none"},
            "model_info": {"id": f"d-{group}-{number}"},
        }
        for group, listed in _MODELS.items()
        for number, model in enumerate(listed)
    ]
    router = litellm.Router(model_list=models, num_retries=0)
    with patch.dict(sys.modules, {"litellm.proxy.proxy_server": SimpleNamespace(llm_router=router)}):
        stand = HookStand()
        lines = _Lines(stand)
        logging.getLogger().addHandler(lines)
        try:
            yield stand
        finally:
            logging.getLogger().removeHandler(lines)
            stand.close()

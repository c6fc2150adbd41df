"""Recorded calls through LiteLLM's own dispatch, router and HTTP client to an emulated provider, in virtual time.

In one process, so that the hook's clock is the emulator's. Calls go one after the other, in their order.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Literal
from unittest.mock import patch

import litellm
from litellm.caching.caching import DualCache
from litellm.litellm_core_utils.logging_worker import GLOBAL_LOGGING_WORKER
from litellm.proxy._types import UserAPIKeyAuth
from litellm.proxy.utils import ProxyLogging

from litellm_prompt_router.analysis.simulate import RecordedCall
from litellm_prompt_router.files import bundled_profiles, load_profiles
from litellm_prompt_router.gateway import metadata_bag
from litellm_prompt_router.gateway.plugin import PromptRouter
from litellm_prompt_router.policy.active import active_configuration, pipeline_of
from litellm_prompt_router.policy.settings import load_settings
from litellm_prompt_router.profile.profile import Profile
from litellm_prompt_router.profile.tokens import token_counter
from tests.emulators.caching import CALL_HEADER, TIME_HEADER, EmulatedCache
from tests.emulators.line_files import whole_lines
from tests.emulators.upstream import Upstream

Endpoint = Literal["acompletion", "aresponses"]
BAGS: Mapping[Endpoint, str] = {"acompletion": "metadata", "aresponses": "litellm_metadata"}
"""What LiteLLM's proxy calls its own bag in a request."""
COUNT = token_counter()
PROFILES = load_profiles(bundled_profiles(), COUNT)
WAIT_SECONDS = 60.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Lane:
    """Calls to one deployment, all by one key. ``mode`` is what the key's metadata says.

    ``endpoint``: LiteLLM's call type; bodies are in its words.
    """

    group: str
    calls: Sequence[RecordedCall]
    mode: str = "rewrite"
    endpoint: Endpoint = "acompletion"


class Clock:
    def __init__(self, now_seconds: float = 0.0) -> None:
        self.now_seconds = now_seconds

    def __call__(self) -> float:
        return self.now_seconds


class Driver:
    """The hook, LiteLLM's router and the provider."""

    def __init__(self, folder: Path, upstream: Upstream, router: litellm.Router, hook: PromptRouter, clock: Clock):
        self.ledger_path = folder / "ledger.jsonl"
        self.upstream = upstream
        self.hook = hook
        self.clock = clock
        self._router = router
        self._logging = ProxyLogging(user_api_key_cache=DualCache())

    async def send(
        self,
        body: Mapping[str, Any],
        at_seconds: float,
        name: str,
        mode: str = "rewrite",
        endpoint: Endpoint = "acompletion",
    ) -> Any:
        """LiteLLM's answer to one call, its success event handled."""
        self.clock.now_seconds = at_seconds
        others = metadata_bag.in_flight()
        key = UserAPIKeyAuth(
            api_key="0" * 64, key_alias="alpha", metadata={"prompt_router": {"mode": mode}} if mode else {}
        )
        headers = {TIME_HEADER: str(at_seconds), CALL_HEADER: name}
        data = {
            **json.loads(json.dumps(body)),
            BAGS[endpoint]: {},
            "litellm_call_id": uuid.uuid4().hex,
            "extra_headers": headers,
        }
        data = await self._logging.pre_call_hook(user_api_key_dict=key, data=data, call_type=endpoint)
        try:
            answer = await getattr(self._router, endpoint)(**data)
        except Exception as error:
            await self._logging.post_call_failure_hook(
                request_data=data, original_exception=error, user_api_key_dict=key
            )
            raise
        if body.get("stream"):
            answer = [chunk async for chunk in answer]
        await GLOBAL_LOGGING_WORKER.flush()
        deadline = time.monotonic() + WAIT_SECONDS
        while (len(self.hook._completer) or metadata_bag.in_flight() > others) and time.monotonic() < deadline:
            await asyncio.sleep(0.001)
        assert not len(self.hook._completer), "the success event didn't come"
        assert metadata_bag.in_flight() <= others, "the success event didn't come"
        return answer

    async def run(self, lane: Lane) -> None:
        for call in lane.calls:
            body = {**call.request, "model": lane.group}
            await self.send(body, call.at_seconds, name_of(lane, call), lane.mode, lane.endpoint)

    def records(self) -> list[dict[str, Any]]:
        """Everything in the ledger, in the order of the calls."""
        assert self.hook._dispatcher.flush(WAIT_SECONDS)
        deadline = time.monotonic() + WAIT_SECONDS
        while not self.ledger_path.exists() and time.monotonic() < deadline:
            time.sleep(0.02)
        return [json.loads(line) for line in whole_lines(self.ledger_path)]


def name_of(lane: Lane, call: RecordedCall) -> str:
    return f"{lane.group}/{lane.mode}:{call.line}"


@contextmanager
def driving(
    folder: Path,
    model_list: Sequence[Mapping[str, Any]],
    upstream: Upstream,
    *,
    settings: Mapping[str, Any] | None = None,
    since_seconds: float = -100_000.0,
    profiles: Sequence[Profile] = PROFILES,
) -> Iterator[Driver]:
    """A driver whose hook has been running since ``since_seconds``, with the caches empty."""
    upstream.caching = EmulatedCache()
    folder.mkdir(parents=True, exist_ok=True)
    stated = load_settings({"ledger": {"path": str(folder / "ledger.jsonl")}, **(settings or {})}, {})
    clock = Clock(since_seconds)
    hook = PromptRouter(active_configuration(stated, pipeline_of(stated, profiles, COUNT)), COUNT, clock)
    router = litellm.Router(model_list=[dict(one) for one in model_list], num_retries=0)
    proxy = SimpleNamespace(llm_router=router)
    with (
        patch.object(litellm, "callbacks", []),
        patch.object(GLOBAL_LOGGING_WORKER, "timeout", WAIT_SECONDS),  # 20 s, which a busy machine may take at first
        patch.dict(sys.modules, {"litellm.proxy.proxy_server": proxy}),
    ):
        try:
            litellm.logging_callback_manager._reset_all_callbacks()  # another test's hook may be left there
            litellm.callbacks.append(hook)
            yield Driver(folder, upstream, router, hook, clock)
        finally:
            hook.close()
            # LiteLLM takes a second hook of the same class for the first one.
            litellm.logging_callback_manager._reset_all_callbacks()

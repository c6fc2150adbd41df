"""Hook and accounting in the order in which a worker comes to them: a call's hook, its accounting, then another
conversation's call, with other work in between; as processor time beside ``json.loads`` of the same body.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import os
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import litellm
from litellm.caching.caching import DualCache
from litellm.proxy._types import UserAPIKeyAuth
from rich.table import Table

from litellm_prompt_router.files import bundled_profiles, load_profile
from litellm_prompt_router.gateway.plugin import PromptRouter
from litellm_prompt_router.policy.active import active_configuration
from litellm_prompt_router.policy.settings import load_settings
from litellm_prompt_router.profile.profile import Profile
from litellm_prompt_router.profile.tokens import token_counter
from litellm_prompt_router.request.pipeline import Pipeline
from tests.benchmarks.growing_conversations import Body, lanes, tasks_in
from tests.benchmarks.load import quantile
from tests.benchmarks.plain_provider import CHARS_PER_TOKEN, OUTPUT_TOKENS, WRITTEN_TOKENS
from tests.benchmarks.process_use import cpu_seconds, settled_cpu_seconds

ENDPOINT = "acompletion"
GROUP, MODEL, DEPLOYMENT = "claude", "claude-sonnet-4-5", "one"
LANES = 16
FOREIGN_BYTES = 8_000_000
"""Copied between two calls: what a processor remembers is then another's, as behind the rest of a proxy."""


@dataclass(kw_only=True, slots=True)
class Times:
    """Processor time in seconds, a call each."""

    parsing: list[float] = field(default_factory=list)
    hook: list[float] = field(default_factory=list)
    accounting_on_loop: list[float] = field(default_factory=list)
    accounting: list[float] = field(default_factory=list)
    """In all threads of the process."""
    behind: float = 0.0
    """What was used after a call's hooks, in threads and in children: on average."""


def use_router() -> None:
    """Gives LiteLLM the router that a proxy would have. Its server takes seconds to import, so only here."""
    proxy_server = importlib.import_module("litellm.proxy.proxy_server")
    params = {"model": f"anthropic/{MODEL}", "api_key": "emulated"}
    model = {"model_name": GROUP, "litellm_params": params, "model_info": {"id": DEPLOYMENT}}
    vars(proxy_server)["llm_router"] = litellm.Router(model_list=[model])


def event_of(data: Body, bag: dict[str, Any], chars: int) -> tuple[dict[str, Any], litellm.ModelResponse]:
    """What LiteLLM tells of an answered call."""
    read = max(0, chars // CHARS_PER_TOKEN - WRITTEN_TOKENS)
    usage = litellm.Usage(
        prompt_tokens=read + WRITTEN_TOKENS,
        completion_tokens=OUTPUT_TOKENS,
        total_tokens=read + WRITTEN_TOKENS + OUTPUT_TOKENS,
        cache_read_input_tokens=read,
        cache_creation_input_tokens=WRITTEN_TOKENS,
    )
    now = datetime.now(UTC)
    kwargs = {
        "litellm_params": {"metadata": bag, "model_info": {"id": DEPLOYMENT}, "api_key": "emulated"},
        "litellm_call_id": data["litellm_call_id"],
        "model": MODEL,
        "custom_llm_provider": "anthropic",
        "optional_params": {},
        "response_cost": 0.01,
        "standard_logging_object": {"metadata": {}, "cost_breakdown": {"input_cost": 0.009, "output_cost": 0.001}},
        "api_call_start_time": now,
        "completion_start_time": now,
    }
    bag["model_info"] = {"id": DEPLOYMENT}
    return kwargs, litellm.ModelResponse(model=MODEL, usage=usage)


async def in_request_order(hook: PromptRouter, wires: Sequence[bytes]) -> Times:
    """Every call once, as a worker that has one at a time sees it."""
    times = Times()
    key, cache = UserAPIKeyAuth(api_key="0" * 64, key_alias="bench"), DualCache()
    foreign, copied = bytearray(FOREIGN_BYTES), bytearray(FOREIGN_BYTES)
    settled = 0.0
    for number, wire in enumerate(wires):
        copied[:] = foreign
        began = time.thread_time()
        body = json.loads(wire)
        times.parsing.append(time.thread_time() - began)
        bag: dict[str, Any] = {}
        data = {**body, "metadata": bag, "litellm_call_id": f"call-{number}"}
        json.dumps(body)  # LiteLLM writes the body several times, before and after the hook
        began = time.thread_time()
        sent = await hook.async_pre_call_hook(key, cache, data, ENDPOINT)
        times.hook.append(time.thread_time() - began)
        copied[:] = foreign
        json.dumps(sent or data, default=str)
        kwargs, answer = event_of(data, bag, len(wire))
        on_loop, everywhere = time.thread_time(), time.process_time()
        await hook.async_logging_hook(kwargs, answer, ENDPOINT)
        await hook.async_log_success_event(kwargs, answer, None, None)
        times.accounting_on_loop.append(time.thread_time() - on_loop)
        times.accounting.append(time.process_time() - everywhere)
        settled += times.accounting[-1]
    used = cpu_seconds(os.getpid())
    times.behind = (settled_cpu_seconds(os.getpid(), at_most_seconds=4.0) - used) / len(wires)
    return times


def wires_of(profile: Profile, messages: int, calls: int) -> list[bytes]:
    running = lanes(profile, tasks_in(bundled_profiles() / "workbench"), GROUP, LANES, messages)
    return [json.dumps(next(running[number % LANES])).encode() for number in range(calls)]


def measure_in_order(table: Table, *, messages: Sequence[int], calls: int, modes: Sequence[str]) -> None:
    """Adds a row for each step, with p50 and p99 and their ratios to ``json.loads`` at the median."""
    use_router()
    count = token_counter()
    profile = load_profile(bundled_profiles() / "workbench", count)
    for length in messages:
        warm = wires_of(profile, length, calls + 4 * LANES)
        for mode in modes:
            with tempfile.TemporaryDirectory() as folder:
                section = {"mode": mode, "cost_gate": False, "ledger": {"path": str(Path(folder) / "ledger.jsonl")}}
                pipeline = Pipeline([profile], count, coverage_floor=0.6)
                hook = PromptRouter(active_configuration(load_settings(section, {}), pipeline), count)
                times = asyncio.run(in_request_order(hook, warm))
                hook.close()
            skipped = 4 * LANES
            rows = {
                "json.loads": times.parsing,
                "hook": times.hook,
                "accounting, event loop": times.accounting_on_loop,
                "accounting, all threads": times.accounting,
            }
            base = quantile(sorted(times.parsing[skipped:]), 0.5)
            for name, seconds in rows.items():
                ordered = sorted(seconds[skipped:])
                p50, p99 = quantile(ordered, 0.5), quantile(ordered, 0.99)
                shown = [f"{1e6 * p50:.0f}", f"{p50 / base:.2f}", f"{1e6 * p99:.0f}", f"{p99 / base:.2f}"]
                table.add_row(f"{length} messages, {mode}", name, *shown)
            behind = f"{1e6 * times.behind:.0f}"
            table.add_row(f"{length} messages, {mode}", "behind it, on average", behind, "", "", "")
            table.add_section()

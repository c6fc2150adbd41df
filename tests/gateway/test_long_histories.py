"""A long conversation that this worker sees for the first time: others run while it is read. Through LiteLLM's own
dispatch.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import litellm
import pytest

from litellm_prompt_router.gateway.plugin import PromptRouter
from litellm_prompt_router.policy.active import active_configuration
from litellm_prompt_router.policy.settings import load_settings
from litellm_prompt_router.request.pipeline import Pipeline
from litellm_prompt_router.request.route.agent_words import AgentReader
from litellm_prompt_router.request.slices import MAX_UNSLICED_TURNS, SLICE_TURNS
from tests.gateway.test_hook_dispatch import COUNT, WORKBENCH, dispatch
from tests.gateway.test_unreviewed import facts_of, on_the_wire

MESSAGES = 1_001


def rewriting(ledger: Path) -> PromptRouter:
    settings = load_settings({"ledger": {"path": str(ledger)}}, {})
    return PromptRouter(active_configuration(settings, Pipeline([WORKBENCH], COUNT, coverage_floor=0.6)))


@pytest.fixture
def hook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[PromptRouter]:
    hook = rewriting(tmp_path / "ledger.jsonl")
    monkeypatch.setattr(litellm, "callbacks", [hook])
    yield hook
    hook.close()


def body(messages: int = MESSAGES) -> dict[str, Any]:
    said = [
        {"role": ("user", "assistant")[number % 2], "content": f"Sum up orders.csv, column {number}"}
        for number in range(messages)
    ]
    prompt = {"role": "system", "content": WORKBENCH.text}
    return {"model": "claude", "messages": [prompt, *said], "metadata": {}, "litellm_call_id": f"call-{messages}"}


async def turns_of_others(data: dict[str, Any]) -> tuple[dict[str, Any], int]:
    """What LiteLLM goes on with, and how often another task had its turn meanwhile."""
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(other())
    out = await dispatch(data)
    task.cancel()
    return out, turns


async def test_others_run_while_it_is_read(hook: PromptRouter) -> None:
    """At its first sight; the call behind it has a few messages to read, and is decided as any short one is."""
    _, of_short = await turns_of_others(body(1))
    _, of_unsliced = await turns_of_others(body(MAX_UNSLICED_TURNS - 1))
    first, of_first = await turns_of_others(body())
    _, of_next = await turns_of_others(body(MESSAGES + 2))
    assert of_unsliced == of_short
    assert of_first - of_short >= (MESSAGES - MAX_UNSLICED_TURNS) // SLICE_TURNS
    assert of_next == of_short
    assert facts_of(first)["turn_number"] == (MESSAGES + 1) // 2


async def test_it_is_decided_as_a_remembered_one(hook: PromptRouter, tmp_path: Path) -> None:
    """Byte for byte, whether two of them are read at a time or another worker has seen it grow."""
    other = rewriting(tmp_path / "other.jsonl")
    one, two = await asyncio.gather(dispatch(body()), dispatch(body(MESSAGES + 2)))
    litellm.callbacks = [other]
    for messages in range(1, MESSAGES + 4, 200):
        await dispatch(body(messages))
    assert on_the_wire(await dispatch(body())) == on_the_wire(one)
    assert on_the_wire(await dispatch(body(MESSAGES + 2))) == on_the_wire(two)
    assert on_the_wire(one) != on_the_wire(body())
    other.close()


async def test_a_fault_between_two_slices_gives_back_the_request(
    hook: PromptRouter, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard = 0
    plain = AgentReader.hear

    def failing(self: AgentReader, turn: Any) -> Any:
        nonlocal heard
        heard += 1
        if heard > 2 * SLICE_TURNS:
            raise RuntimeError("a bug")
        return plain(self, turn)

    monkeypatch.setattr(AgentReader, "hear", failing)
    out = await dispatch(body())
    assert json.dumps(out["messages"]) == json.dumps(body()["messages"])
    assert (facts_of(out)["outcome"], facts_of(out)["reason"]) == ("passthrough", "error")


async def test_one_that_everything_is_stopped_under_passes(hook: PromptRouter) -> None:
    """Out of the path from then on: unchanged, and without a record."""
    data = body()
    task = asyncio.create_task(dispatch(data))
    for _ in range(10):
        await asyncio.sleep(0)
    handler = hook._handler
    handler.publish(replace(handler.configuration, stopped_by="kill switch"))
    out = await task
    assert on_the_wire(out) == on_the_wire(body())
    assert "prompt_router" not in out["metadata"]
    assert handler.passed_while_stopped == 1

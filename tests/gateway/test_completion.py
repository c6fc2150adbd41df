"""The requests in flight: what is no longer waited for isn't counted."""

from __future__ import annotations

import asyncio
import threading
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from litellm_prompt_router.accounting.accountant import AnsweredAttempt
from litellm_prompt_router.gateway import completion
from litellm_prompt_router.gateway.completion import RecordCompleter
from litellm_prompt_router.policy.settings import load_settings
from litellm_prompt_router.record.record import Caller, Facts, Record
from litellm_prompt_router.telemetry.dispatch import Dispatcher

ANSWER = AnsweredAttempt(
    deployment_id=None, provider=None, model=None, scope=0, usage=None, breakdown=None, first_token_seconds=0.0
)


def record() -> Record:
    caller = Caller(
        request_id="r",
        call_id=None,
        started_seconds=0.0,
        endpoint="acompletion",
        stream=False,
        thread_id=None,
        key_alias=None,
        key_hash=None,
        team_id=None,
        model_group=None,
        tool_count=0,
    )
    return Record(
        facts=Facts(caller=caller, mode="shadow", outcome="passthrough", reason="unrecognised"),
        finished_seconds=1.0,
        status="success",
        error_type=None,
        model=None,
        provider=None,
        usage=None,
        usage_reason="none",
        billed_usd=Decimal(0),
        billed_reason=None,
        response_cached=False,
    )


async def test_what_litellm_cancels_is_no_longer_in_flight(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """LiteLLM cancels logging that takes too long, and the wait for our thread with it."""
    dispatcher = Dispatcher(load_settings({"ledger": {"path": str(tmp_path / "ledger.jsonl")}}, {}))
    accounts = RecordCompleter(dispatcher, len, 0.0)
    is_free, is_busy = threading.Event(), threading.Event()

    def slow(_: object, record: Record, *__: Any) -> Record:
        is_busy.set()
        is_free.wait(30)
        return record

    monkeypatch.setattr("litellm_prompt_router.accounting.accountant.Accountant.complete", slow)
    waiting = asyncio.create_task(accounts.complete(record(), ANSWER))
    await asyncio.to_thread(is_busy.wait, 30)
    assert len(accounts) == 1
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    is_free.set()
    assert len(accounts) == 0
    accounts.close()
    dispatcher.close()


def test_a_turn_is_given_after_some_work_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where steps are short several of them go by."""
    now, slept = [100.0], list[float]()
    monkeypatch.setattr("litellm_prompt_router.gateway.completion.time.perf_counter", lambda: now[0])
    monkeypatch.setattr("litellm_prompt_router.gateway.completion.time.sleep", slept.append)
    give_way = completion._giving_way()
    for _ in range(10):
        give_way()
        now[0] += completion.GIVE_WAY_AFTER_SECONDS / 4.5
    assert slept == [completion.GIVE_WAY_SECONDS] * 2
    now[0] += 1.0
    give_way()
    assert len(slept) == 3


async def test_a_long_line_is_not_joined(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Records beyond so many go without an estimate, with the reason."""
    monkeypatch.setattr("litellm_prompt_router.gateway.completion.MAX_COMPLETING", 1)
    dispatcher = Dispatcher(load_settings({"ledger": {"path": str(tmp_path / "ledger.jsonl")}}, {}))
    accounts = RecordCompleter(dispatcher, len, 0.0)
    is_free, is_busy = threading.Event(), threading.Event()

    def slow(_: object, record: Record, *__: Any) -> Record:
        is_busy.set()
        is_free.wait(30)
        return record

    monkeypatch.setattr("litellm_prompt_router.accounting.accountant.Accountant.complete", slow)
    first = asyncio.create_task(accounts.complete(record(), ANSWER))
    await asyncio.to_thread(is_busy.wait, 30)
    late = await accounts.complete(record(), ANSWER)
    assert late.estimated_net_saved_reason == "unavailable: accounting is behind"
    assert accounts.unaccounted == 1
    is_free.set()
    assert (await first).estimated_net_saved_reason is None
    accounts.close()
    dispatcher.close()

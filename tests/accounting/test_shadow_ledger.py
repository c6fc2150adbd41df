"""What a shadow run through LiteLLM's own dispatch leaves in the ledger, and what tuning makes of it."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from litellm_prompt_router.analysis.conversation_links import linked
from litellm_prompt_router.analysis.ledger_calls import CallTally, calls_in
from litellm_prompt_router.analysis.simulate import RecordedCall
from litellm_prompt_router.record import prompt_state
from litellm_prompt_router.record.history_state import digest_of_text
from tests.accounting.driving import PROFILES, Lane, driving
from tests.benchmarks import workbench_traffic
from tests.benchmarks.ledger_tuning import MODEL, shadow_run, tuned_twice, workbench_calls
from tests.emulators.upstream import Upstream
from tests.end_to_end.workbench import PROMPT, TOOLS

(WORKBENCH,) = (profile for profile in PROFILES if profile.name == "workbench")
LEVEL_POINTS = 2.0
SMALLER = 10
"""Bodies of captured traffic are so many times larger than its ledger, at least."""


@pytest.fixture
def short_conversations(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workbench_traffic, "TURNS", 0.9)
    monkeypatch.setattr(workbench_traffic, "LOOP_CALLS", 1.2)


@pytest.mark.usefixtures("short_conversations")
def test_tuned_from_its_ledger_and_from_its_capture(tmp_path: Path) -> None:
    """The same choice, levels within 2 points, and the second half measured on the bodies as the ledger says."""
    calls = [_opened_apart(call) for call in workbench_calls(WORKBENCH, 42, rate=3)]
    run = shadow_run(tmp_path, WORKBENCH, calls, MODEL)
    both = tuned_twice(run, WORKBENCH, MODEL)
    tuning = both.from_ledger.tuning
    assert tuning is not None
    assert (both.from_ledger.conversations, both.from_ledger.calls) == (42, len(calls))
    assert tuning.choice == both.from_capture.choice == "exact"
    assert tuning.economics == both.from_capture.economics
    assert both.furthest < LEVEL_POINTS
    assert tuning.versus_full_cached * 100 == pytest.approx(both.measured * 100, abs=LEVEL_POINTS)
    assert both.measured < -0.2
    assert run.capture_bytes > SMALLER * run.ledger_bytes


def _opened_apart(call: RecordedCall) -> RecordedCall:
    """No other conversation begins with the same words: captured traffic takes those for one."""
    system, asked, *rest = call.request["messages"]
    asked = {**asked, "content": f"{asked['content']} (for {call.conversation})"}
    return replace(call, request={**call.request, "messages": [system, asked, *rest]})


def _ask(text: str) -> dict[str, Any]:
    return {"role": "user", "content": text}


def _bodies() -> Iterator[list[dict[str, Any]]]:
    """Five calls of one conversation: a tool loop, another module, a retry; and one that opens alike."""
    system = {"role": "system", "content": PROMPT}
    tool_call = {"id": "t1", "type": "function", "function": {"name": "read_file", "arguments": '{"path": "in/a"}'}}
    loop = [
        system,
        _ask("Sum up in/orders.csv by month"),
        {"role": "assistant", "content": None, "tool_calls": [tool_call]},
        {"role": "tool", "tool_call_id": "t1", "content": "month,total " * 50},
    ]
    asked = [*loop, {"role": "assistant", "content": "Done."}, _ask("Now commit it on a new branch")]
    yield loop[:2]
    yield loop
    yield asked
    yield asked
    yield loop[:2]
    yield [*loop[:2], {"role": "assistant", "content": "Which one?"}, _ask("the first")]


def _records(folder: Path, mode: str, bodies: Sequence[list[dict[str, Any]]]) -> list[dict[str, Any]]:
    calls = [
        RecordedCall(
            line=number,
            at_seconds=10.0 * number,
            key="alpha",
            conversation="c",
            request={"model": "m", "messages": messages, "tools": TOOLS},
        )
        for number, messages in enumerate(bodies, 1)
    ]
    with Upstream() as upstream:
        params = {"model": MODEL, "api_base": upstream.url, "api_key": "emulated"}
        with driving(folder, [{"model_name": "m", "litellm_params": params}], upstream) as driver:
            asyncio.run(driver.run(Lane(group="m", calls=calls, mode=mode)))
            return driver.records()


TOLD = (
    *("turn_number", "is_new_message", "wanted_modules", "wanted_late_modules", "history_state", "history_tokens"),
    *("previous_history_states", "recent_state", "message_count", "tools_tokens", "tools_state", "profile_router"),
    *("placed_state", "varying_state", "varying_chars", "names_session", "profile_routing"),
)


def test_the_ledger_tells_a_conversation_without_its_text(tmp_path: Path) -> None:
    """In shadow mode and in rewriting alike: turns, what routing wanted, sizes, and hashes that link the calls."""
    bodies = list(_bodies())
    shadow, rewritten = (_records(tmp_path / mode, mode, bodies) for mode in ("shadow", "rewrite"))
    for one, other in zip(shadow, rewritten, strict=True):
        assert {name: one[name] for name in TOLD} == {name: other[name] for name in TOLD}
    assert {record["outcome"] for record in rewritten} <= {"rewritten", "passthrough"}
    assert [record["turn_number"] for record in shadow] == [1, 1, 2, 2, 1, 2]
    assert [record["is_new_message"] for record in shadow] == [True, False, True, True, True, True]
    assert [record["message_count"] for record in shadow] == [1, 3, 5, 5, 1, 3]
    links = linked(calls_in(shadow, WORKBENCH, CallTally()))
    assert [(link.conversation, link.is_repeated) for link in links] == [
        *((0, False), (0, False), (0, False), (0, True), (1, False), (1, False)),
    ]
    assert "tools/git" in shadow[2]["wanted_late_modules"]
    assert set(shadow[1]["wanted_modules"]) == set(shadow[0]["wanted_modules"])
    assert not {module.id for module in WORKBENCH.modules if module.always} & set(shadow[0]["wanted_modules"])
    assert shadow[1]["history_tokens"] > 100  # the tool's result
    assert shadow[0]["tools_tokens"] > 0
    text = json.dumps([{name: record[name] for name in TOLD} for record in shadow])
    assert "orders" not in text
    assert "in/a" not in text


def test_nothing_is_hashed_while_the_client_waits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Values that vary may be long: the thread that accounts hashes them."""
    threads: list[str] = []

    def hashed(text: str, scope: str) -> str:
        threads.append(threading.current_thread().name)
        return digest_of_text(text, scope)

    monkeypatch.setattr(prompt_state, "digest_of_text", hashed)
    for record in _records(tmp_path, "rewrite", [*_bodies()][:2]):
        assert record["placed_state"] or record["varying_state"]
    assert threads
    assert all(name.startswith("prompt-router-accounts") for name in threads)


def test_arguments_of_tool_calls_are_in_the_history(tmp_path: Path) -> None:
    """They are tokens that a provider bills."""
    bodies = list(_bodies())[:2]
    long = json.loads(json.dumps(bodies))
    long[1][2]["tool_calls"][0]["function"]["arguments"] = json.dumps({"path": "in/a", "what": "every row " * 200})
    before, after = (_records(tmp_path / str(n), "shadow", each)[1] for n, each in enumerate((bodies, long)))
    assert after["history_tokens"] > before["history_tokens"] + 300
    assert after["history_state"] != before["history_state"]
    assert after["history_chars"] == before["history_chars"]


def _wanted(record: Mapping[str, Any]) -> set[str]:
    return {*record["wanted_modules"], *record["wanted_late_modules"]}


def test_what_was_wanted_stands_beside_what_was_sent(tmp_path: Path) -> None:
    """Where the cost gate sends more, and where it leaves the request as it came."""
    for record in _records(tmp_path, "rewrite", list(_bodies())):
        sent = {module["id"] for module in record["modules"]}
        assert _wanted(record) <= sent
        if record["reason"] == "not_worth_it":
            assert record["wanted_modules"] is not None

"""Tuning that goes on by itself in a real proxy with two workers, whose clock is moved by hand."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from litellm_prompt_router.files import load_profile
from litellm_prompt_router.files.profile_editor import ProfileEditor
from litellm_prompt_router.files.profile_yaml import EconomicsFile
from litellm_prompt_router.gateway.tuning.self_tuning import CHANGED
from litellm_prompt_router.operations.workers import WorkerStatus, attention, read_workers
from litellm_prompt_router.policy.tuning_state import (
    LEAD_SECONDS,
    STATE_NAME,
    new_tuning,
    read_state,
    write_state,
)
from litellm_prompt_router.profile.tokens import token_counter
from tests.emulators.envelopes import Envelopes
from tests.emulators.policy_proxy import PolicyProxy, running_policy_proxy
from tests.emulators.upstream import Upstream
from tests.end_to_end.workbench import PROMPT, TASK, TOOLS, system_text

pytestmark = pytest.mark.proxy

DAY = 86_400.0
WAIT_SECONDS = 90.0
ROUNDS = 12
"""Of connections of their own: as good as surely each of two workers answers some."""
TASKS = (TASK, "Draw a chart of the sales by region", "Translate notes.md into French", "Commit my changes, please")
PINNED = "tuning: pinned\n"


def wait(holds: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while not holds():
        assert time.monotonic() < deadline, f"not within {WAIT_SECONDS:g} s: {what}"
        time.sleep(0.2)


@dataclass
class Talk:
    """A conversation with the agent, as its client has it, and what arrived of its first call."""

    task: str
    messages: list[dict[str, Any]] = field(default_factory=list)
    arrived: str | None = None

    def go_on(self, proxy: PolicyProxy) -> None:
        """One call more. What arrives begins with what arrived before."""
        if not self.messages:
            self.messages = [{"role": "system", "content": PROMPT}, {"role": "user", "content": self.task}]
        proxy.upstream.clear()
        response = proxy.post("key-0", self.messages, tools=TOOLS)
        assert response.status_code == 200, response.text
        (sent,) = proxy.upstream.calls
        text = texts_of(sent.json)
        assert text.startswith(self.arrived or ""), self.task
        self.arrived = text
        self.messages += [response.json()["choices"][0]["message"], {"role": "user", "content": "yes, go on"}]

    @property
    def is_full(self) -> bool:
        return str(self.arrived).startswith(PROMPT)


def texts_of(body: Any) -> str:
    """All that the model reads of a body, in order; where marks stand is no part of it."""
    return system_text(body) + json.dumps(without_marks(body["messages"]))[:-1]


def without_marks(part: Any) -> Any:
    if isinstance(part, dict):
        return {name: without_marks(each) for name, each in part.items() if name != "cache_control"}
    if isinstance(part, list):
        return [without_marks(each) for each in part]
    return part


@dataclass(frozen=True, kw_only=True)
class TunedProxy:
    """The proxy, its clock and its state of tuning."""

    proxy: PolicyProxy
    folder: Path

    def move_clock(self, seconds: float) -> None:
        path = self.folder / "clock"
        moved = float(path.read_text("ascii")) + seconds if path.exists() else seconds
        self.proxy.replace(path, str(moved))

    @property
    def now(self) -> float:
        path = self.folder / "clock"
        return time.time() + (float(path.read_text("ascii")) if path.exists() else 0.0)

    @property
    def state_path(self) -> Path:
        return self.folder / "status" / STATE_NAME

    def statuses(self) -> list[WorkerStatus]:
        workers, problems = read_workers(self.folder / "status", self.now)
        assert problems == ()
        return [worker.status for worker in workers]

    def tried(self) -> str | None:
        known = read_state(self.state_path).profiles.get("workbench")
        return None if known is None or known.last_try is None else known.last_try.said

    def tried_at(self) -> float | None:
        known = read_state(self.state_path).profiles.get("workbench")
        return None if known is None or known.last_try is None else known.last_try.at_seconds

    def until_all_have(self, tuning: str) -> None:
        """Every worker says so."""
        wait(
            lambda: [[each.tuning for each in status.tuning] for status in self.statuses()] == [[tuning]] * 2,
            f"{tuning} in both workers",
        )

    def records(self) -> list[dict[str, Any]]:
        return list(self.proxy.records().values())


@pytest.fixture
def tuned(tmp_path: Path) -> Iterator[TunedProxy]:
    """Two workers; profile.yaml says to leave the profile alone, and what tuning may find is pinned at first."""
    settings = {"tuning": {"every": "24h", "at_latest": 0, "minimum_conversations": 40}}
    with (
        Upstream() as upstream,
        Envelopes() as envelopes,
        running_policy_proxy(
            upstream, envelopes, tmp_path, workers=2, policy=PINNED, settings=settings, has_clock=True
        ) as proxy,
    ):
        editor = ProfileEditor(tmp_path / "profiles" / "workbench")
        editor.set_section("economics", {"choice": "full"})
        editor.save()
        proxy.until_all(
            lambda response: response.headers.get("x-prompt-router-reason") == "not_worth_it",
            lambda: proxy.post("key-1", [{"role": "system", "content": PROMPT}, {"role": "user", "content": "Hi"}]),
        )
        yield TunedProxy(proxy=proxy, folder=tmp_path)


def begun(tuned: TunedProxy, round: str) -> list[Talk]:
    """Conversations that have just begun."""
    talks = [Talk(task=f"{task} ({round}, number {number})") for task in TASKS for number in range(3)]
    for talk in talks:
        talk.go_on(tuned.proxy)
    return talks


def check_switch(tuned: TunedProxy, old: list[Talk], tuning: str) -> None:
    """From the moment on, what begins is rewritten in both workers, and what began before stays whole."""
    tuned.until_all_have(tuning)
    between = begun(tuned, "between")
    assert all(talk.is_full for talk in between)
    tuned.move_clock(LEAD_SECONDS + 1)
    new = begun(tuned, "new")
    taken = [talk for talk in new if not talk.is_full]
    assert len(taken) > len(new) / 2  # on a busy machine a store may be too slow, which keeps the older one
    for _ in range(2):
        for talk in (*old, *between, *new):
            talk.go_on(tuned.proxy)
    assert all(talk.is_full for talk in (*old, *between))
    assert [talk for talk in new if not talk.is_full] == taken
    wait(lambda: sum(record["tuning"] == tuning for record in tuned.records()) == 3 * len(taken), "the records")
    assert {record["tuning"] for record in tuned.records()} == {"own", tuning}


@pytest.mark.full
def test_a_change_reaches_both_workers_and_no_conversation_moves(tuned: TunedProxy) -> None:
    """A state as another process writes it; before, a broken ledger, of which nothing comes but the word that it is."""
    proxy = tuned.proxy
    broken = tuned.folder / "ledger.20260101T000000.000000Z.0123abcd.jsonl"
    broken.write_bytes(b"\x00 no record\n" * 500)
    proxy.replace(proxy.policy_path, "stop: false\n")
    wait(lambda: "damaged" in str(tuned.tried()), "what became of the broken ledger")
    assert read_state(tuned.state_path).profiles["workbench"].tunings == ()
    wait(lambda: any("damaged" in line for line in attention_of(tuned)), "what status says")
    broken.unlink()
    old = begun(tuned, "old")
    assert all(talk.is_full for talk in old)
    tuning = new_tuning("workbench", EconomicsFile(choice="exact"), tuned.now, "made")
    write_state(tuned.state_path, read_state(tuned.state_path).with_tuning("workbench", tuning))
    check_switch(tuned, old, tuning.id)


def attention_of(tuned: TunedProxy) -> tuple[str, ...]:
    workers, _ = read_workers(tuned.folder / "status", tuned.now)
    return attention(workers, tuned.now)


@pytest.mark.full
def test_it_tunes_by_itself(tuned: TunedProxy, tmp_path_factory: pytest.TempPathFactory) -> None:
    """From the ledger of a shadow run, by a process of its own, a day after it was let go; told once."""
    from tests.benchmarks.ledger_tuning import MODEL, shadow_run, workbench_calls

    proxy = tuned.proxy
    profile = load_profile(tuned.folder / "profiles" / "workbench", token_counter())
    made = tmp_path_factory.mktemp("shadow")
    shadow_run(made, profile, workbench_calls(profile, 60, 60.0), MODEL)
    old = begun(tuned, "old")
    assert all(talk.is_full for talk in old)
    shutil.copy(made / "ledger.jsonl", tuned.folder / "ledger.20260101T000000.000000Z.0123abcd.jsonl")
    proxy.replace(proxy.policy_path, "stop: false\n")
    wait(lambda: tuned.tried() is not None, "the end of the tuning")
    assert tuned.tried() == "changed"
    (tuning,) = read_state(tuned.state_path).profiles["workbench"].tunings
    assert tuning.economics is not None
    assert tuning.economics.choice == "exact"
    wait(lambda: any(event.get("message") == CHANGED for event in proxy.envelopes.events), "the event")
    check_switch(tuned, old, tuning.id)
    tuned.move_clock(DAY)
    tried_at = tuned.tried_at()
    wait(lambda: tuned.tried_at() != tried_at, "the next day's tuning")
    assert str(tuned.tried()).startswith("stays as it is"), tuned.state_path.read_text()
    assert len(read_state(tuned.state_path).profiles["workbench"].tunings) == 1
    events = [event for event in proxy.envelopes.events if event.get("message") == CHANGED]
    assert [(e["level"], e["contexts"]["tuning"]["from"], e["contexts"]["tuning"]["to"]) for e in events] == [
        ("info", "own", "exact")
    ]

"""A tuning that is taken over by two workers, through LiteLLM's own dispatch: what is sent, from call to call."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import litellm
import pytest
from litellm.caching.caching import DualCache
from litellm.proxy._types import UserAPIKeyAuth
from litellm.proxy.utils import ProxyLogging

from litellm_prompt_router.files import bundled_profiles
from litellm_prompt_router.files.profile_editor import ProfileEditor
from litellm_prompt_router.files.profile_yaml import EconomicsFile
from litellm_prompt_router.gateway.plugin import PromptRouter
from litellm_prompt_router.gateway.tuning import conversation_tunings
from litellm_prompt_router.policy.loader import Loader
from litellm_prompt_router.policy.tuning_state import (
    EMPTY_STATE,
    KEPT_SECONDS,
    LEAD_SECONDS,
    STATE_NAME,
    AcceptedTuning,
    new_tuning,
    read_state,
    write_state,
)
from tests.end_to_end.workbench import PROMPT
from tests.gateway.left_facts import left_facts

KEY = UserAPIKeyAuth(api_key="0" * 64, key_alias="alpha")
WAIT_SECONDS = 10.0


@dataclass
class Clock:
    now: float = field(default_factory=time.time)

    def __call__(self) -> float:
        return self.now


@dataclass
class Team:
    """Two workers of one folder, whose clock is moved by hand."""

    folder: Path
    monkeypatch: pytest.MonkeyPatch
    clock: Clock = field(default_factory=Clock)
    workers: list[PromptRouter] = field(default_factory=list)

    def start(self) -> None:
        section = {
            "profiles": str(self.folder / "profiles"),
            "ledger": {"path": str(self.folder / "ledger.jsonl")},
            "tuning": {"every": "90d", "at_latest": "7d", "quiet_requests": 0},
        }
        loader = Loader(section, {}, None)
        worker = PromptRouter(loader.load_at_start(), clock=self.clock)
        worker.watch(loader)
        self.workers.append(worker)

    def restart(self) -> None:
        for worker in self.workers:
            worker.close()
        self.workers.clear()
        for _ in range(2):
            self.start()

    @property
    def state_path(self) -> Path:
        return self.folder / "status" / STATE_NAME

    def announce(self, choice: Any) -> AcceptedTuning:
        """A tuning as a worker that tuned writes it; both have read it then."""
        tuning = new_tuning("workbench", EconomicsFile(choice=choice), self.clock.now, "made")
        state = read_state(self.state_path) if self.state_path.exists() else EMPTY_STATE
        write_state(self.state_path, state.with_tuning("workbench", tuning))
        wait(lambda: all(worker._in_force().tuning[0]["tuning"] == tuning.id for worker in self.workers))
        return tuning

    async def send(self, worker: int, messages: list[dict[str, Any]]) -> dict[str, Any]:
        """What LiteLLM goes on with."""
        self.monkeypatch.setattr(litellm, "callbacks", [self.workers[worker]])
        data = {"model": "claude", "messages": [*messages], "metadata": {}, "litellm_call_id": "call-1"}
        logging = ProxyLogging(user_api_key_cache=DualCache())
        result: dict[str, Any] = await logging.pre_call_hook(user_api_key_dict=KEY, data=data, call_type="acompletion")
        return result


@dataclass
class Dialogue:
    """A conversation as its client has it."""

    task: str
    messages: list[dict[str, Any]] = field(default_factory=list)
    system: str | None = None
    tuning: str | None = None

    async def go_on(self, team: Team, worker: int) -> None:
        """One call more, which goes by the same tuning and has the same prompt as those before."""
        if not self.messages:
            self.messages = [{"role": "system", "content": PROMPT}, {"role": "user", "content": self.task}]
        sent = await team.send(worker, self.messages)
        facts = left_facts(sent["metadata"])
        system = sent["messages"][0]["content"]
        assert (self.system or system, self.tuning or facts["tuning"]) == (system, facts["tuning"])
        self.system, self.tuning = system, facts["tuning"]
        self.messages += [{"role": "assistant", "content": "Done."}, {"role": "user", "content": "yes, go on"}]

    @property
    def is_full(self) -> bool:
        return self.system == PROMPT


def wait(holds: Callable[[], object]) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.fixture
def team(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Team]:
    """profile.yaml says to leave the profile alone; a busy machine's disk has all the time that it needs."""
    monkeypatch.setattr(conversation_tunings, "BEGIN_SECONDS", 20.0)
    monkeypatch.setattr(conversation_tunings, "LOOK_SECONDS", 20.0)
    shutil.copytree(bundled_profiles() / "workbench", tmp_path / "profiles" / "workbench")
    editor = ProfileEditor(tmp_path / "profiles" / "workbench")
    editor.set_section("economics", {"choice": "full"})
    editor.save()
    made = Team(tmp_path, monkeypatch)
    for _ in range(2):
        made.start()
    yield made
    for worker in made.workers:
        worker.close()


async def test_the_change_reaches_both_and_no_conversation_moves(team: Team) -> None:
    """Whoever answers, and over a restart of both workers."""
    old = [Dialogue(f"Sum up orders.csv by month, number {number}") for number in range(4)]
    for number, talk in enumerate(old):
        await talk.go_on(team, number % 2)
    assert {(talk.is_full, talk.tuning) for talk in old} == {(True, "own")}
    tuning = team.announce("exact")
    assert all(worker._in_force().profiles[0].left_alone for worker in team.workers)
    between = Dialogue("Draw a chart of orders.csv")
    await between.go_on(team, 0)
    team.clock.now += LEAD_SECONDS
    new = [Dialogue(f"Translate notes.md into French, number {number}") for number in range(4)]
    for number, talk in enumerate(new):
        await talk.go_on(team, number % 2)
    assert {(talk.is_full, talk.tuning) for talk in new} == {(False, tuning.id)}
    assert [worker._in_force().profiles[0].left_alone for worker in team.workers] == [None, None]
    everyone = [*old, between, *new]
    for number, talk in enumerate(everyone):
        await talk.go_on(team, (number + 1) % 2)
    team.restart()
    for number, talk in enumerate(everyone):
        await talk.go_on(team, number % 2)
    assert {talk.tuning for talk in (*old, between)} == {"own"}


async def test_a_second_change_leaves_each_what_it_began_with(team: Team) -> None:
    """Three tunings side by side; after a week the oldest is gone, and what it was is as good as new."""
    talks: list[Dialogue] = []
    for choice in ("exact", "full", "exact"):
        talk = Dialogue(f"Translate notes.md into French, number {len(talks)}")
        talks.append(talk)
        await talk.go_on(team, len(talks) % 2)
        team.announce(choice)
        team.clock.now += LEAD_SECONDS
    for number, talk in enumerate(talks):
        await talk.go_on(team, number % 2)
        await talk.go_on(team, (number + 1) % 2)
    assert [talk.is_full for talk in talks] == [True, False, True]
    assert len({talk.tuning for talk in talks}) == 3
    team.clock.now += KEPT_SECONDS
    late = Dialogue("Translate notes.md into Dutch")
    await late.go_on(team, 0)
    assert not late.is_full


async def test_a_state_that_is_broken_changes_nothing(team: Team) -> None:
    tuning = team.announce("exact")
    team.clock.now += LEAD_SECONDS
    talk = Dialogue("Translate notes.md into French")
    await talk.go_on(team, 0)
    team.state_path.write_text("{")
    wait(lambda: all(worker._in_force().problems for worker in team.workers))
    await talk.go_on(team, 1)
    other = Dialogue("Translate notes.md into Dutch")
    await other.go_on(team, 1)
    assert talk.tuning == other.tuning == tuning.id

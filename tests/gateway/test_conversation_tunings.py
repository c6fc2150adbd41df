"""No conversation under way changes: whoever answers, it goes by the tuning that it began with."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from litellm_prompt_router.files.profile_yaml import EconomicsFile
from litellm_prompt_router.gateway.tuning import conversation_tunings
from litellm_prompt_router.gateway.tuning.conversation_tunings import (
    ConversationTunings,
    TuningStore,
    TuningToAgree,
    begins,
)
from litellm_prompt_router.policy.tuning_state import (
    EMPTY_STATE,
    KEPT_SECONDS,
    LEAD_SECONDS,
    TuningState,
    new_tuning,
)
from litellm_prompt_router.policy.tunings import OWN, tunings_of
from litellm_prompt_router.request.types import Request, Turn
from tests.made_profiles import module, profile

PROFILE = profile(module("core", "You are a clerk. ", always=True), module("mail", "Mail well. "))
FULL, EXACT = (EconomicsFile(choice=choice) for choice in ("full", "exact"))
HOUR = 3_600.0


def request(*roles: str, missing: str | None = None) -> Request:
    turns = tuple(Turn(role, "words") for role in roles)
    return Request(system=(), turns=turns, marks_before=(), marks_after=(), missing_history=missing)


OPENING, LATER = request("user"), request("user", "assistant", "user")


@dataclass
class Clock:
    now: float = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class MadeStore:
    """A store in memory. While it is down every call fails; a write that fails may have been done all the same."""

    values: dict[str, str] = field(default_factory=dict)
    is_down: bool = False
    writes_while_down: bool = False
    calls: int = 0

    async def read(self, keys: Sequence[str]) -> Mapping[str, str]:
        self.calls += 1
        if self.is_down:
            raise OSError("down")
        return {key: self.values[key] for key in keys if key in self.values}

    async def agree(self, key: str, value: str, ttl_seconds: int) -> str:
        self.calls += 1
        if not self.is_down or self.writes_while_down:
            self.values.setdefault(key, value)
        if self.is_down:
            raise OSError("down")
        return self.values[key]

    async def renew(self, key: str, value: str, ttl_seconds: int) -> None:
        self.values[key] = value  # in the background, when it is there again


class MadeWorker:
    """A worker's memory, and the state as it has read it: each change only so many seconds after it was written."""

    def __init__(self, clock: Clock, store: TuningStore) -> None:
        self._clock = clock
        self._store = store
        self.coming: list[tuple[float, TuningState]] = []
        self.state = EMPTY_STATE
        self.restart()

    def restart(self) -> None:
        self.memory = ConversationTunings(None, self._clock)
        self.memory._store = self._store

    async def call(self, conversation: str, asked: Request) -> str:
        """The id of the step that the call goes by."""
        for at, state in [*self.coming]:
            if at <= self._clock.now:
                self.state = state
                self.coming.remove((at, state))
        tunings = tunings_of(self.state, [PROFILE])[PROFILE.name]
        step = self.memory.step_of(PROFILE.name, conversation, asked, tunings)
        if isinstance(step, TuningToAgree):
            await self.memory.agree(step)
            step = self.memory.agreed(step, tunings)
        await asyncio.sleep(0)  # what goes on in the background is done
        await asyncio.sleep(0)
        return step.id


WORKERS = 3
workers = st.integers(0, WORKERS - 1)
conversations = st.integers(0, 5)
actions = st.one_of(
    st.tuples(st.just("call"), conversations, workers, st.booleans()),
    st.tuples(st.just("call"), conversations, workers, st.booleans()),
    st.tuples(st.just("again"), conversations, workers, st.booleans()),
    st.tuples(st.just("switch"), st.lists(st.floats(0, LEAD_SECONDS - 0.1), min_size=WORKERS, max_size=WORKERS)),
    st.tuples(st.just("wait"), st.sampled_from((0.1, 1.0, 5.0, 11.0, HOUR))),
    st.tuples(st.just("restart"), workers),
)


@settings(max_examples=300, deadline=None)
@given(st.lists(actions, max_size=60))
def test_a_conversation_goes_by_one_tuning_from_start_to_end(todo: list[Any]) -> None:
    """Any openings, later calls, equal openings, switches that workers read at different moments, and restarts; also
    where the store is out of reach while a conversation begins."""

    async def run() -> None:
        clock, store, state = Clock(), MadeStore(), EMPTY_STATE
        team = [MadeWorker(clock, store) for _ in range(WORKERS)]
        seen: dict[int, str] = {}
        for number, (what, *how) in enumerate(todo):
            if what in ("call", "again"):
                conversation, worker, is_down = how
                is_opening = conversation not in seen or what == "again"
                # A conversation begins under the oldest while the store is away; its first worker says so later.
                store.is_down = store.writes_while_down = is_down and conversation not in seen
                step = await team[worker].call(str(conversation), OPENING if is_opening else LATER)
                store.is_down = False
                assert seen.setdefault(conversation, step) == step
            elif what == "switch":
                economics = (FULL, EXACT)[number % 2]
                state = state.with_tuning(PROFILE.name, new_tuning(PROFILE.name, economics, clock.now, ""))
                for worker, delay in zip(team, how[0], strict=True):
                    worker.coming.append((clock.now + delay, state))
            elif what == "wait":
                clock.now += how[0]
            else:
                team[how[0]].restart()

    asyncio.run(run())


async def test_what_begins_after_the_moment_goes_by_the_new_one() -> None:
    """And nothing is asked or written on the way of a request while there is one tuning alone."""
    clock, store = Clock(), MadeStore()
    first, second = (MadeWorker(clock, store) for _ in range(2))
    assert await first.call("old", OPENING) == OWN
    assert store.values == {"sample:old": OWN}
    tuning = new_tuning("sample", FULL, clock.now, "")
    state = EMPTY_STATE.with_tuning("sample", tuning)
    for worker in (first, second):
        worker.state = state
    assert await second.call("between", OPENING) == OWN
    clock.now += LEAD_SECONDS
    assert await first.call("new", OPENING) == tuning.id
    assert await second.call("new", LATER) == tuning.id
    assert await second.call("old", LATER) == OWN
    assert await first.call("between", LATER) == OWN
    assert await second.call("unseen", LATER) == OWN
    before = store.calls
    assert await second.call("new", LATER) == tuning.id
    assert store.calls == before


async def test_a_store_out_of_reach_keeps_the_older_tuning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conversation_tunings, "LOOK_SECONDS", 0.05)
    clock, store = Clock(), MadeStore(is_down=True)
    first, second = (MadeWorker(clock, store) for _ in range(2))
    tuning = new_tuning("sample", FULL, clock.now, "")
    for worker in (first, second):
        worker.state = EMPTY_STATE.with_tuning("sample", tuning)
    clock.now += LEAD_SECONDS
    assert await first.call("c", OPENING) == OWN
    assert await second.call("c", LATER) == OWN
    store.is_down = False
    assert await second.call("c", LATER) == OWN
    assert await first.call("d", OPENING) == tuning.id


async def test_after_a_week_nobody_goes_by_the_one_before() -> None:
    """Then there is one tuning again, and nothing to agree on."""
    clock, store = Clock(), MadeStore()
    worker = MadeWorker(clock, store)
    tuning = new_tuning("sample", FULL, clock.now, "")
    worker.state = EMPTY_STATE.with_tuning("sample", tuning)
    assert await worker.call("old", OPENING) == OWN
    clock.now += LEAD_SECONDS + KEPT_SECONDS
    calls = store.calls
    assert await worker.call("old", LATER) == tuning.id
    assert await worker.call("unseen", LATER) == tuning.id
    assert store.calls == calls


async def test_workers_agree_through_a_file(tmp_path: Path) -> None:
    """Two memories over one file; a third finds it after both have ended."""
    clock = Clock()
    tuning = new_tuning("sample", FULL, clock.now, "")
    tunings = tunings_of(EMPTY_STATE.with_tuning("sample", tuning), [PROFILE])["sample"]
    clock.now += LEAD_SECONDS

    async def step(memory: ConversationTunings, asked: Request) -> str:
        wanted = memory.step_of("sample", "c", asked, tunings)
        assert isinstance(wanted, TuningToAgree)
        await memory.agree(wanted)
        return memory.agreed(wanted, tunings).id

    made = [ConversationTunings(tmp_path, clock) for _ in range(3)]
    assert await step(made[0], OPENING) == tuning.id
    assert await step(made[1], LATER) == tuning.id
    made[0].close()
    made[1].close()
    assert await step(made[2], LATER) == tuning.id
    made[2].close()


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        pytest.param(OPENING, True, id="a question"),
        pytest.param(request("user", "user"), True, id="context and a question"),
        pytest.param(request("assistant", "user"), True, id="a greeting of the application's"),
        pytest.param(LATER, False, id="an answer"),
        pytest.param(request("user", "assistant", "tool"), False, id="a tool's result"),
        pytest.param(request("user", missing="at the provider"), False, id="history at the provider"),
    ],
)
def test_a_conversation_begins_where_the_model_has_said_nothing(asked: Request, expected: bool) -> None:
    assert begins(asked) is expected


async def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conversation_tunings, "MAX_CONVERSATIONS", 3)
    worker = MadeWorker(Clock(), MadeStore())
    for number in range(10):
        await worker.call(str(number), OPENING)
    assert len(worker.memory._known) == 3

"""The dispatcher, with real sinks and with dead ones."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from litellm_prompt_router.policy.settings import GlitchtipSettings, Settings
from litellm_prompt_router.record.record import Record
from litellm_prompt_router.telemetry.dispatch import Dispatcher
from litellm_prompt_router.telemetry.glitchtip import EventCounts, Glitchtip
from litellm_prompt_router.telemetry.ledger import Ledger
from tests.emulators.envelopes import Behaviour, Envelopes
from tests.telemetry.records import held_back, passthrough, record

Start = Callable[..., Dispatcher]
PATIENCE = 120.0
"""Seconds after which something is taken to hang. Nothing here waits for time to pass, however busy the machine is."""


class DeadLedger(Ledger):
    """Fails as no ledger should."""

    def write(self, records: Sequence[Record]) -> None:
        raise RuntimeError("dead")


class DeadGlitchtip(Glitchtip):
    """Fails as no sink should."""

    def __init__(self) -> None:
        super().__init__(GlitchtipSettings(), "router@1.0")

    def write(self, record: Record) -> None:
        raise RuntimeError("dead")

    def close(self, timeout: float) -> None:
        raise RuntimeError("dead")

    def stats(self) -> EventCounts:
        raise RuntimeError("dead")


class StuckGlitchtip(Glitchtip):
    """Takes a record and doesn't come back before it is told to."""

    def __init__(self) -> None:
        super().__init__(GlitchtipSettings(), "router@1.0")
        self.entered, self.released = threading.Event(), threading.Event()

    def write(self, record: Record) -> None:
        self.entered.set()
        self.released.wait(PATIENCE)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.jsonl"


@pytest.fixture
def start(path: Path, envelopes: Envelopes) -> Iterator[Start]:
    """Makes dispatchers, by default on ``path`` and ``envelopes``, that are closed behind the test."""
    made: list[Dispatcher] = []

    def start(*sinks: Ledger | Glitchtip, **settings: Any) -> Dispatcher:
        defaults: dict[str, Any] = {"ledger": {"path": path}, "glitchtip": {"dsn": envelopes.dsn}, "status_dir": None}
        ledger = next((sink for sink in sinks if isinstance(sink, Ledger)), None)
        glitchtip = next((sink for sink in sinks if isinstance(sink, Glitchtip)), None)
        made.append(Dispatcher(Settings(**defaults | settings), ledger=ledger, glitchtip=glitchtip))
        return made[-1]

    yield start
    for dispatcher in made:
        dispatcher.close(PATIENCE)


def ids(path: Path) -> list[str]:
    return [json.loads(line)["request_id"] for line in path.read_text().splitlines()]


def test_a_record_reaches_every_sink(path: Path, envelopes: Envelopes, start: Start) -> None:
    """The ledger gets its line, GlitchTip its events."""
    dispatcher = start()
    for name in "abc":
        dispatcher.submit(record(name))
    assert dispatcher.flush(PATIENCE)
    assert ids(path) == ["a", "b", "c"]
    assert len(envelopes.events) == 9
    assert str(dispatcher.failures()) == ""


def test_the_events_of_many_records_are_few_posts(path: Path, envelopes: Envelopes, start: Start) -> None:
    """Each is stored: the envelopes name no event, because GlitchTip would give its id to all of them."""
    dispatcher = start()
    for number in range(60):
        dispatcher.submit(record(str(number)))
    assert dispatcher.flush(PATIENCE)
    assert len(envelopes.raw) <= 3
    requests = [event["contexts"]["request"] for event in envelopes.events if "request" in event["contexts"]]
    assert [request["request_id"] for request in requests] == ids(path)
    assert (len(envelopes.events), len(envelopes.transactions)) == (180, 60)
    event_ids = [event["event_id"] for event in (*envelopes.events, *envelopes.transactions)]
    assert len(set(event_ids)) == 240


def test_what_was_submitted_goes_out_by_itself(path: Path, envelopes: Envelopes, start: Start) -> None:
    """Nobody has to flush: first the ledger's line, then the events, though nothing else comes."""
    dispatcher = start()
    dispatcher.submit(record("alone"))
    envelopes.wait_for(3, PATIENCE, n_transactions=1)
    assert ids(path) == ["alone"]
    assert dispatcher.status()["glitchtip"]["pending"] <= 4


def test_a_process_that_is_told_to_end_leaves_nothing_waiting(envelopes: Envelopes, start: Start) -> None:
    """What gathered goes out at the signal, and what comes later at once."""
    dispatcher = start()
    dispatcher.submit(record("before"))
    dispatcher._queue.prepare_for_exit()
    envelopes.wait_for(3, PATIENCE, n_transactions=1)
    dispatcher.submit(record("after"))
    envelopes.wait_for(6, PATIENCE, n_transactions=2)
    delivery = dispatcher._queue.consumer
    assert delivery.gather_seconds() == 0


def test_drift_problems_and_faults_are_told(envelopes: Envelopes, start: Start) -> None:
    """Each as its own kind of event, and all in what the log says."""
    dispatcher = start()
    dispatcher.submit(passthrough("unrecognised", profile="workbench", profile_version="3", is_drift=True))
    dispatcher.submit_problem("Key metadata", ("mode: nonsense", "profile: unknown"))
    try:
        raise ValueError("the user's own words")
    except ValueError as error:
        dispatcher.submit_error(error, "walk")
    assert dispatcher.flush(PATIENCE)
    problem, fault, drift, request = envelopes.events
    assert (request["message"], drift["message"]) == ("Prompt Request", "Prompt drift")
    assert problem["contexts"]["problem"]["problems"] == ["mode: nonsense", "profile: unknown"]
    assert fault["exception"]["values"][0]["value"] == "in walk"
    failures = dispatcher.failures()
    assert failures.faults == 1
    assert failures.last_problem == "Key metadata: mode: nonsense; profile: unknown"
    assert (failures.last_fault or "").startswith("ValueError in walk, tests/telemetry/test_dispatcher.py:")


def test_a_profile_that_nobody_reviewed_is_told_once_and_counted(envelopes: Envelopes, start: Start) -> None:
    """Every request that it holds back is counted; shadow that a policy chose is not."""
    dispatcher = start()
    for number in range(3):
        dispatcher.submit(held_back(f"held-{number}"))
    dispatcher.submit(record("chosen", mode="shadow", outcome="shadow", policy="key metadata"))
    assert dispatcher.flush(PATIENCE)
    told = [event for event in envelopes.events if event.get("message") == "Profile not reviewed"]
    assert len(told) == 1
    counters = dispatcher.status()["counters"]
    assert counters["held_as_unreviewed"] == {"workbench": 3}
    assert counters["by_reason"] == {"unreviewed": 3}


def test_without_sinks_nothing_happens(start: Start) -> None:
    """No ledger path and no DSN is a valid choice."""
    dispatcher = start(ledger={"path": None}, glitchtip={})
    dispatcher.submit(record())
    assert dispatcher.close(PATIENCE)
    assert str(dispatcher.failures()) == ""


def test_closing_writes_everything_and_ends_the_thread(path: Path, envelopes: Envelopes, start: Start) -> None:
    """What comes later is dropped and counted."""
    before = set(threading.enumerate())
    dispatcher = start()
    for n in range(50):
        dispatcher.submit(record(str(n)))
    started = {thread for thread in threading.enumerate() if thread.name == "litellm-prompt-router"} - before
    assert dispatcher.close(PATIENCE)
    for thread in started:
        thread.join()
    assert len(started) == 1
    assert ids(path) == [str(n) for n in range(50)]
    assert len(envelopes.events) == 150
    dispatcher.submit(record("late"))
    assert dispatcher.failures().dropped == 1
    assert dispatcher.close(PATIENCE)


def test_an_ending_interpreter_starts_no_threads(path: Path, start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """Closing then does the thread's work."""

    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread at interpreter shutdown")

    dispatcher = start(glitchtip={})
    monkeypatch.setattr(threading.Thread, "start", refuse)
    dispatcher.submit(record("last words"))
    assert dispatcher.close(PATIENCE)
    assert ids(path) == ["last words"]


def test_first_submits_from_many_threads_share_one_thread(path: Path, start: Start) -> None:
    """And every record arrives."""
    before = set(threading.enumerate())
    dispatcher = start(glitchtip={})
    barrier = threading.Barrier(16)

    def submit(n: int) -> None:
        barrier.wait()
        dispatcher.submit(record(str(n)))

    threads = [threading.Thread(target=submit, args=(n,)) for n in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    own = {thread for thread in threading.enumerate() if thread.name == "litellm-prompt-router"} - before
    assert len(own) == 1
    assert dispatcher.close(PATIENCE)
    assert sorted(ids(path)) == sorted(str(n) for n in range(16))


def test_a_full_queue_drops_and_counts(path: Path, start: Start) -> None:
    """The request never waits for a sink."""
    stuck = StuckGlitchtip()
    dispatcher = start(stuck, ledger={"path": path, "queue_size": 5})
    dispatcher.submit(record("taken"))
    assert stuck.entered.wait(PATIENCE)
    for n in range(8):
        dispatcher.submit(record(str(n)))
    assert dispatcher.failures().dropped == 3
    assert not dispatcher.flush(0)
    stuck.released.set()
    assert dispatcher.close(PATIENCE)
    assert ids(path) == ["taken", "0", "1", "2", "3", "4"]
    assert dispatcher.failures().dropped == 3


def test_a_dead_ledger_leaves_glitchtip_alone(envelopes: Envelopes, start: Start, path: Path) -> None:
    """Its failures are faults of ours."""
    dispatcher = start(DeadLedger(path))
    dispatcher.submit(record())
    assert dispatcher.flush(PATIENCE)
    assert len(envelopes.events) == 3
    assert dispatcher.failures().faults == 1
    assert (dispatcher.failures().last_fault or "").startswith("RuntimeError in sink, ")


def test_a_dead_glitchtip_leaves_the_ledger_alone(path: Path, start: Start) -> None:
    """Whatever of it fails."""
    dispatcher = start(DeadGlitchtip())
    dispatcher.submit(record("a"))
    dispatcher.submit(record("b"))
    assert dispatcher.close(PATIENCE)
    assert ids(path) == ["a", "b"]


def test_trouble_is_told_where_it_is_heard(
    tmp_path: Path, envelopes: Envelopes, start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    """A ledger that can't be written is an event and a line in the log; later records bring it up to date."""
    folder = tmp_path / "logs"
    folder.write_text("a file in the way")
    dispatcher = start(ledger={"path": folder / "ledger.jsonl"})
    with caplog.at_level(logging.WARNING):
        dispatcher.submit(record("a"))
        assert dispatcher.flush(PATIENCE)
        folder.unlink()
        dispatcher.submit(record("b"))
        assert dispatcher.close(PATIENCE)
    assert ids(folder / "ledger.jsonl") == ["a", "b"]
    problems = [event for event in envelopes.events if event["message"] == "Ledger not written"]
    assert [event["contexts"]["problem"]["problems"] for event in problems] == [["FileExistsError EEXIST"]]
    assert [entry.getMessage() for entry in caplog.records] == ["prompt router: ledger_error: FileExistsError EEXIST"]


def test_a_server_that_is_down_is_one_log_line(
    envelopes: Envelopes, start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    """Losses are summed up by reason."""
    envelopes.behave(Behaviour.ANSWERS_500)
    dispatcher = start()
    with caplog.at_level(logging.WARNING):
        for n in range(5):
            dispatcher.submit(record(str(n)))
        assert dispatcher.close(PATIENCE)
    assert caplog.records[-1].getMessage() == "prompt router: glitchtip_lost: {'status_500': 20}"
    assert len(caplog.records) <= 2


FORKING = """
import os, sys
from litellm_prompt_router.policy.settings import Settings
from litellm_prompt_router.telemetry.dispatch import Dispatcher
from tests.telemetry.records import record

path, dsn = sys.argv[1:]
dispatcher = Dispatcher(Settings(ledger={"path": path}, glitchtip={"dsn": dsn}))
dispatcher.submit(record("parent-before"))
assert dispatcher.flush(120)
dispatcher.submit(record("waiting at the fork"))
child = os.fork()
if child == 0:
    dispatcher.submit(record("child"))
    os._exit(0 if dispatcher.close(120) else 1)
assert os.waitpid(child, 0)[1] == 0
dispatcher.submit(record("parent-after"))
assert dispatcher.close(120)
"""

LEAVING = """
import sys
from litellm_prompt_router.policy.settings import Settings
from litellm_prompt_router.telemetry.dispatch import Dispatcher
from tests.telemetry.records import record

path, dsn = sys.argv[1:]
Dispatcher.close.__defaults__ = (120.0,)
Dispatcher(Settings(ledger={"path": path}, glitchtip={"dsn": dsn})).submit(record("last words"))
"""


def run(script: str, path: Path, envelopes: Envelopes) -> None:
    subprocess.run([sys.executable, "-W", "ignore", "-c", script, str(path), envelopes.dsn], check=True)


def test_a_forked_child_has_a_thread_of_its_own(path: Path, envelopes: Envelopes) -> None:
    """Parent and child both write all of theirs, and nothing twice."""
    run(FORKING, path, envelopes)
    assert sorted(ids(path)) == ["child", "parent-after", "parent-before", "waiting at the fork"]
    assert len(envelopes.events) == 12


def test_the_end_of_the_process_flushes(path: Path, envelopes: Envelopes) -> None:
    """Nobody has to close the dispatcher."""
    run(LEAVING, path, envelopes)
    assert ids(path) == ["last words"]
    assert len(envelopes.events) == 3

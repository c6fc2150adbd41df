"""What a worker says of itself, and its file."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import time
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

from litellm_prompt_router.policy.settings import LedgerSettings, Settings
from litellm_prompt_router.telemetry.counters import MAX_ERRORS, MAX_KEYS, OTHER, Counters
from litellm_prompt_router.telemetry.dispatch import Dispatcher
from litellm_prompt_router.telemetry.status_file import STALE_SECONDS, InForce, ServedProfile, is_stale
from tests.telemetry.records import CALLER, FACTS, RECORD, passthrough, record

PROFILE = ServedProfile(name="workbench", version="3", digest="abc")
IN_FORCE = InForce(default_mode="rewrite", profiles=(PROFILE,), configuration=1)


def dispatcher(tmp_path: Path, **settings: Any) -> Dispatcher:
    ledger = LedgerSettings(path=tmp_path / "ledger.jsonl")
    worker = Dispatcher(Settings(ledger=ledger, **settings))
    worker.report_in_force(lambda: IN_FORCE)
    return worker


def test_a_worker_says_how_it_is(tmp_path: Path) -> None:
    """Who it is, what it serves, counts since the start, the last errors and each sink's state."""
    worker = dispatcher(tmp_path)
    asked = replace(FACTS, routing_model="small", routing_model_outcome="answered")
    worker.submit(
        replace(
            RECORD,
            facts=asked,
            billed_usd=Decimal("0.25"),
            estimated_net_saved_usd=Decimal("-0.125"),
            routing_model_call_count=2,
            routing_model_usd=Decimal("0.0004"),
        )
    )
    worker.submit(passthrough("unrecognised"))
    worker.submit(
        replace(record(mode="shadow", outcome="shadow", routing_model_outcome="remembered"), status="failure")
    )
    worker.submit_problem("Key metadata", ("mode: nonsense",))
    assert worker.flush()
    status = worker.status()
    assert json.loads(json.dumps(status, allow_nan=False)) == status
    assert (status["schema"], status["pid"], status["default_mode"]) == (1, os.getpid(), "rewrite")
    assert status["profiles"] == [
        {"name": "workbench", "version": "3", "digest": "abc", "reviewed": True, "left_alone": None}
    ]
    assert status["counters"] == {
        "requests": 3,
        "by_outcome": {"rewritten": 1, "passthrough": 1, "shadow": 1},
        "by_mode": {"rewrite": 2, "shadow": 1},
        "by_status": {"success": 2, "failure": 1},
        "by_reason": {"unrecognised": 1},
        "held_as_unreviewed": {},
        "billed_usd": "0.2500002",
        "estimated_net_saved_usd": "-0.125",
        "estimated_net_saved_requests": 1,
        "routing_model": {"by_outcome": {"answered": 1, "remembered": 1}, "calls": 2, "usd": "0.0004"},
        "alerts": {},
    }
    [key] = status["keys"]
    assert (key["key_alias"], key["mode"], key["failures"]) == ("alpha", "shadow", 1)
    [error] = status["last_errors"]
    assert (error["kind"], error["text"]) == ("problem", "Key metadata: mode: nonsense")
    assert (status["ledger"]["written"], status["ledger"]["waiting"], status["ledger"]["lag_seconds"]) == (3, 0, 0.0)
    assert (status["queue"]["waiting"], status["queue"]["dropped"]) == (0, 0)
    worker.report_in_force(
        lambda: replace(IN_FORCE, profiles=(), stopped_by="kill switch", policy_digest="abcd", problems=("x",))
    )
    changed = worker.status()
    assert (changed["profiles"], changed["stopped_by"], changed["problems"]) == ([], "kill switch", ["x"])
    assert changed["policy"] == {"path": None, "digest": "abcd", "rules": 0}
    worker.close()


def test_a_ledger_that_lags_says_so(tmp_path: Path) -> None:
    """From the first record that isn't on disk."""
    (tmp_path / "logs").write_text("a file in the way")
    worker = Dispatcher(Settings(ledger=LedgerSettings(path=tmp_path / "logs" / "ledger.jsonl")))
    worker.submit(RECORD)
    assert worker.flush()
    time.sleep(0.01)
    ledger = worker.status()["ledger"]
    assert (ledger["waiting"], ledger["last_error"]) == (1, "FileExistsError EEXIST")
    assert ledger["lag_seconds"] > 0
    worker.close()


def test_the_file_is_there_without_traffic_and_gone_behind_a_clean_end(tmp_path: Path) -> None:
    """Readable by its owner only, and whole whenever it is read."""
    folder = tmp_path / "status"
    worker = dispatcher(tmp_path, status_dir=folder)
    worker.submit(RECORD)
    assert worker.flush()
    deadline = time.monotonic() + 10
    while not (found := list(folder.glob("worker-*.json"))):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    [path] = found
    status = json.loads(path.read_text())
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.name.endswith(f"-{os.getpid()}.json")
    assert not is_stale(status, time.time())
    worker.close()
    assert list(folder.iterdir()) == []


KILLED = """
import os, signal, sys, time
from litellm_prompt_router.policy.settings import Settings
from litellm_prompt_router.telemetry.dispatch import Dispatcher
Dispatcher(Settings(ledger={"path": None}, status_dir=sys.argv[1]))
while not [name for name in os.listdir(sys.argv[1]) if name.endswith(".json")]:
    time.sleep(0.01)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_a_killed_worker_left_is_stale(tmp_path: Path) -> None:
    """By its process, even when another one has its number now; by its age where the process can't be seen."""
    subprocess.run([sys.executable, "-W", "ignore", "-c", KILLED, str(tmp_path)], check=False)
    [path] = tmp_path.glob("worker-*.json")
    left = json.loads(path.read_text())
    assert is_stale(left, left["written_seconds"])
    assert is_stale({**left, "pid": os.getpid()}, left["written_seconds"])
    elsewhere = {**left, "host": "elsewhere.example"}
    assert not is_stale(elsewhere, left["written_seconds"] + STALE_SECONDS - 1)
    assert is_stale(elsewhere, left["written_seconds"] + STALE_SECONDS + 1)


def test_a_folder_that_cannot_be_written_is_told_and_harms_nothing(tmp_path: Path) -> None:
    """The ledger goes on."""
    in_the_way = tmp_path / "status"
    in_the_way.write_text("a file")
    worker = dispatcher(tmp_path, status_dir=in_the_way)
    worker.submit(RECORD)
    assert worker.flush()
    worker.submit(RECORD)
    assert worker.close()
    assert worker.failures().status_error == "FileExistsError EEXIST"
    assert worker.failures().ledger_lost == 0


def test_counts_stay_bounded() -> None:
    """Whatever keys and errors come."""
    counters = Counters()
    for number in range(MAX_KEYS + 50):
        caller = replace(CALLER, key_alias=f"key-{number}")
        counters.add(replace(RECORD, facts=replace(RECORD.facts, caller=caller)))
        counters.add_error("fault", f"{number} " + 9_999 * "x", 0.0)
    keys = {key["key_alias"]: key["by_outcome"]["rewritten"] for key in counters.keys()}  # noqa: SIM118  (a method)
    assert (len(keys), keys[OTHER]) == (MAX_KEYS + 1, 50)
    assert len(counters.errors()) == MAX_ERRORS
    assert counters.errors()[0]["text"].startswith(f"{MAX_KEYS + 49} ")
    assert max(len(error["text"]) for error in counters.errors()) == 500

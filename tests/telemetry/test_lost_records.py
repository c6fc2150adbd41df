"""Records that can't be written: they overflow, or are counted, logged and told, also behind the end."""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from litellm_prompt_router.operations.workers import attention, read_workers
from litellm_prompt_router.policy.settings import Settings
from litellm_prompt_router.telemetry.dispatch import Dispatcher
from litellm_prompt_router.telemetry.rotation import compress_and_remove, rotated_path
from litellm_prompt_router.telemetry.status_file import Identity, InForce, StatusFile
from tests.emulators.envelopes import Envelopes
from tests.emulators.small_disk import fill, free, mounted
from tests.telemetry.records import record

PATIENCE = 120.0


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    with mounted(folder, "1m") as is_mounted:
        if not is_mounted:
            pytest.skip("mounting a small disk wants root and CAP_SYS_ADMIN")
        yield folder


def dispatcher(path: Path, envelopes: Envelopes, status: Path | None = None, **ledger: Any) -> Dispatcher:
    settings: dict[str, Any] = {"ledger": {"path": path, **ledger}, "glitchtip": {"dsn": envelopes.dsn}}
    return Dispatcher(Settings(**settings, status_dir=status))


def ids(path: Path) -> list[str]:
    return [json.loads(line)["request_id"] for line in path.read_text().splitlines()]


def losses(envelopes: Envelopes) -> list[Any]:
    return [
        event["contexts"]["lost_records"]["lost"] for event in envelopes.events if event["message"] == "Records lost"
    ]


def test_a_full_disk_overflows_at_the_end(
    tmp_path: Path, disk: Path, envelopes: Envelopes, caplog: pytest.LogCaptureFixture
) -> None:
    """Every record is in one of the two files, whole and once; nothing is lost, and no status file stays."""
    path, overflow = disk / "ledger.jsonl", tmp_path / "overflow.jsonl"
    worker = dispatcher(path, envelopes, tmp_path / "status", overflow_path=overflow)
    worker.submit(record("before"))
    assert worker.flush(PATIENCE)
    fill(disk)
    for number in range(9):
        worker.submit(record(str(number)))
    assert worker.flush(PATIENCE)
    assert worker.close(PATIENCE)
    assert sorted(ids(path) + ids(overflow)) == sorted(["before", *map(str, range(9))])
    assert ids(overflow)
    assert losses(envelopes) == []
    assert not [entry for entry in caplog.records if entry.levelno >= logging.ERROR]
    assert not [*(tmp_path / "status").iterdir()]


def test_a_process_told_to_end_overflows_at_once(tmp_path: Path, disk: Path, envelopes: Envelopes) -> None:
    """Nothing that ``atexit`` keeps is run behind SIGTERM."""
    path, overflow = disk / "ledger.jsonl", tmp_path / "overflow.jsonl"
    fill(disk)
    worker = dispatcher(path, envelopes, overflow_path=overflow)
    worker.submit(record("before"))
    worker._queue.prepare_for_exit()
    worker.submit(record("after"))
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline and not (overflow.exists() and len(overflow.read_text().splitlines()) == 2):
        time.sleep(0.01)
    assert ids(overflow) == ["before", "after"]


def test_lost_records_are_told_with_their_number(
    tmp_path: Path, disk: Path, envelopes: Envelopes, caplog: pytest.LogCaptureFixture
) -> None:
    """At ERROR, in one event, and in ``status`` when the worker is gone, though its status file is on the full disk."""
    worker = dispatcher(disk / "ledger.jsonl", envelopes, disk / "status")
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline and not [*disk.glob("status/*.json")]:
        time.sleep(0.01)
    fill(disk)
    for number in range(7):
        worker.submit(record(str(number)))
    worker.flush(PATIENCE)
    worker.close(PATIENCE)
    written = len(ids(disk / "ledger.jsonl"))
    lost = 7 - written
    assert lost > 0
    errors = [entry.getMessage() for entry in caplog.records if entry.levelno == logging.ERROR]
    assert errors == [f"prompt router: {lost} records were not written to the ledger (ledger {lost}): OSError ENOSPC"]
    assert losses(envelopes) == [lost]
    workers, problems = read_workers(disk / "status", time.time())
    assert problems == ()
    (line,) = attention(workers, time.time())
    assert f"ended, {lost} records lost (ledger {lost}): OSError ENOSPC" in line


def test_the_disk_is_tried_again_without_traffic(disk: Path, envelopes: Envelopes) -> None:
    """What waits is written once there is room, though nothing else comes."""
    path = disk / "ledger.jsonl"
    fill(disk)
    worker = dispatcher(path, envelopes)
    worker.submit(record("waits"))
    assert worker.flush(PATIENCE)
    free(disk)
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline and not (path.exists() and path.read_text().endswith("\n")):
        time.sleep(0.05)
    assert ids(path) == ["waits"]
    assert worker.close(PATIENCE)


def test_dropped_and_unfinished_requests_count_in_the_same_place(
    tmp_path: Path, envelopes: Envelopes, caplog: pytest.LogCaptureFixture
) -> None:
    """Records that found the queue closed, and requests whose end nobody told."""
    worker = dispatcher(tmp_path / "ledger.jsonl", envelopes)
    worker.report_put_out(lambda: 3)
    worker.submit(record("a"))
    assert worker.flush(PATIENCE)
    worker.close(PATIENCE)
    worker.submit(record("b"))
    assert worker.status()["lost_records"] == {"ledger": 0, "queue": 1, "in_flight": 3, "at_end": 0}
    assert losses(envelopes) == [3]
    assert "(in_flight 3)" in caplog.text


def test_an_ended_workers_file_outlives_the_next_of_its_number(tmp_path: Path) -> None:
    """A container started again has the same host and pid."""
    identity = Identity(version="1", in_force=lambda: InForce(default_mode="off"))
    first = StatusFile(tmp_path, identity)
    first.write({"n": 1})
    first.write_last({"n": 2})
    first.write_last({"n": 3})
    StatusFile(tmp_path, identity).write({"n": 4})
    assert sorted(json.loads(file.read_text())["n"] for file in tmp_path.iterdir()) == [3, 4]
    first.remove()


def test_status_files_are_not_written_through_symlinks(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.write_text("kept")
    folder = tmp_path / "status"
    folder.mkdir()
    file = StatusFile(folder, Identity(version="1", in_force=lambda: InForce(default_mode="off")))
    file._path.with_suffix(".new").symlink_to(target)
    file._path.symlink_to(target)
    file.write({"n": 1})
    assert (target.read_text(), json.loads(file._path.read_text())) == ("kept", {"n": 1})
    assert not file._path.is_symlink()


@pytest.mark.parametrize("suffix", [".gz", ".gz.tmp"])
def test_rotated_files_are_not_written_through_symlinks(tmp_path: Path, suffix: str) -> None:
    """No record goes: the plain file stays, or is compressed beside the target."""
    path, target = tmp_path / "ledger.jsonl", tmp_path / "target"
    target.write_text("kept")
    rotated = rotated_path(path, 0.0)
    rotated.write_text("{}\n")
    os.utime(rotated, (0, 0))
    rotated.with_name(rotated.name + suffix).symlink_to(target)
    compress_and_remove(path, compresses=True, keep=None, settled_seconds=0.0)
    assert target.read_text() == "kept"
    assert rotated.exists() == (suffix == ".gz")

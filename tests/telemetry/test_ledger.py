"""The ledger on a real file system."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from litellm_prompt_router.telemetry.ledger import Ledger
from tests.telemetry.records import record

WRITER = """
import sys
from litellm_prompt_router.telemetry.ledger import Ledger
from tests.telemetry.records import record
ledger = Ledger(sys.argv[1])
for batch in range(40):
    ledger.write([record(f"{sys.argv[2]}-{batch}-{n}", profile="p" * 4000) for n in range(5)])
ledger.close()
assert ledger.lost == 0
"""


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_bytes().decode().removesuffix("\n").split("\n")]


def ids(path: Path) -> list[str]:
    return [line["request_id"] for line in lines(path)]


def test_a_record_is_one_line_of_json(tmp_path: Path) -> None:
    """Folders are made, only the owner may read, and the line is the record's."""
    path = tmp_path / "logs" / "deep" / "ledger.jsonl"
    ledger = Ledger(path)
    ledger.write([record("a"), record("b")])
    assert path.read_text() == f"{record('a').to_json()}\n{record('b').to_json()}\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert (ledger.written, ledger.lost, ledger.waiting, ledger.last_error) == (2, 0, 0, None)


def test_nothing_is_opened_before_the_first_record(tmp_path: Path) -> None:
    """A ledger that gets no record leaves no file."""
    path = tmp_path / "ledger.jsonl"
    ledger = Ledger(path)
    ledger.write([])
    ledger.close()
    assert not path.exists()


def test_text_that_utf_8_cannot_hold_survives(tmp_path: Path) -> None:
    """A lone surrogate is spelled as JSON spells it, a NUL and a line separator stay inside their line."""
    path = tmp_path / "ledger.jsonl"
    Ledger(path).write([record("a\ud800\x00\u2028b")])
    assert ids(path) == ["a\ud800\x00\u2028b"]


def test_a_record_that_is_no_json_is_lost_alone(tmp_path: Path) -> None:
    """The others of its batch are written."""
    path = tmp_path / "ledger.jsonl"
    ledger = Ledger(path)
    ledger.write([record("a"), record("b", coverage=float("nan")), record("c")])
    assert ids(path) == ["a", "c"]
    assert (ledger.lost, ledger.last_error) == (1, "ValueError")


def test_processes_share_a_file(tmp_path: Path) -> None:
    """Two processes' lines of 4 kB don't mix."""
    path = tmp_path / "ledger.jsonl"
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, str(path), name]) for name in "xy"]
    assert [writer.wait() for writer in writers] == [0, 0]
    assert sorted(ids(path)) == sorted(f"{name}-{batch}-{n}" for name in "xy" for batch in range(40) for n in range(5))


@pytest.mark.parametrize("rotate", [lambda path: path.rename(f"{path}.1"), Path.unlink], ids=["moved", "removed"])
def test_a_rotated_file_is_opened_anew(tmp_path: Path, rotate: Any) -> None:
    """What comes after the rotation is in the new file."""
    path = tmp_path / "ledger.jsonl"
    ledger = Ledger(path)
    ledger.write([record("before")])
    rotate(path)
    ledger.write([record("after")])
    assert ids(path) == ["after"]


def test_a_truncated_file_goes_on_from_its_start(tmp_path: Path) -> None:
    """As logrotate's copytruncate leaves it."""
    path = tmp_path / "ledger.jsonl"
    ledger = Ledger(path)
    ledger.write([record("before")])
    os.truncate(path, 0)
    ledger.write([record("after")])
    assert ids(path) == ["after"]


def test_what_could_not_be_written_comes_with_the_next_batch(tmp_path: Path) -> None:
    """A folder that can't be made is counted; once it can, nothing is missing and the order is kept."""
    folder = tmp_path / "logs"
    folder.write_text("a file in the way")
    ledger = Ledger(folder / "ledger.jsonl")
    ledger.write([record("a")])
    ledger.write([record("b")])
    assert (ledger.waiting, ledger.lost, ledger.last_error) == (2, 0, "FileExistsError EEXIST")
    folder.unlink()
    ledger.write([record("c")])
    assert ids(folder / "ledger.jsonl") == ["a", "b", "c"]
    assert (ledger.waiting, ledger.lost, ledger.written) == (0, 0, 3)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux only")
def test_a_full_disk_is_counted() -> None:
    """The backlog keeps the newest records; what it can't hold and what is left at the end are lost."""
    ledger = Ledger("/dev/full", backlog=2)
    ledger.write([record("a"), record("b"), record("c")])
    assert (ledger.waiting, ledger.lost, ledger.last_error) == (2, 1, "OSError ENOSPC")
    ledger.close()
    assert (ledger.waiting, ledger.lost, ledger.written) == (0, 3, 0)


def test_a_pipe_without_a_reader_does_not_hang(tmp_path: Path) -> None:
    """Opening it fails at once."""
    path = tmp_path / "pipe"
    os.mkfifo(path)
    ledger = Ledger(path)
    ledger.write([record()])
    assert (ledger.waiting, ledger.last_error) == (1, "OSError ENXIO")


LINE = len(record("a").to_json()) + 1


@pytest.mark.parametrize(
    "cut",
    [1, LINE - 2, LINE - 1, LINE, LINE + 1, 3 * LINE - 2, 3 * LINE - 1],
)
def test_a_write_that_was_cut_short_is_finished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cut: int) -> None:
    """No torn line stays, and each record is there once."""
    path = tmp_path / "ledger.jsonl"
    sizes = [cut]
    write = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: write(fd, data[: sizes.pop()] if sizes else data))
    ledger = Ledger(path)
    ledger.write([record(name) for name in "abc"])
    ledger.write([record("d")])
    found = path.read_text().removesuffix("\n").split("\n")
    whole = [line for line in found if line.endswith("}")]
    assert [json.loads(line)["request_id"] for line in whole] == ["a", "b", "c", "d"]
    assert len(found) == len(whole)
    assert (ledger.written, ledger.waiting, ledger.lost) == (4, 0, 0)


def test_a_torn_line_is_closed_by_a_later_batch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk fills in the middle of a line and is cleared before the next batch."""
    path = tmp_path / "ledger.jsonl"
    answers = [20]
    write = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: write(fd, data[: answers.pop(0)] if answers else data))
    ledger = Ledger(path)
    ledger.write([record("a")])
    assert (ledger.waiting, ledger.last_error) == (1, "OSError ENOSPC")
    ledger.write([record("b")])
    rest = path.read_text().splitlines()
    assert [json.loads(line)["request_id"] for line in rest] == ["a", "b"]


def test_a_fork_leaves_the_backlog_to_the_parent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise both would write it."""
    folder = tmp_path / "logs"
    folder.write_text("a file in the way")
    ledger = Ledger(folder / "ledger.jsonl")
    ledger.write([record("parent's")])
    folder.unlink()
    monkeypatch.setattr(os, "getpid", lambda: -1)
    ledger.write([record("child's")])
    assert ids(folder / "ledger.jsonl") == ["child's"]

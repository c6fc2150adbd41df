"""A ledger that is rotated while several processes write it, and what becomes of the rotated files."""

from __future__ import annotations

import gzip
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from litellm_prompt_router.policy.settings import LedgerSettings
from litellm_prompt_router.telemetry.ledger import Ledger
from litellm_prompt_router.telemetry.rotation import compress_and_remove, rotated_files
from tests.telemetry.records import record

NAME = re.compile(r"ledger\.\d{8}T\d{6}\.\d{6}Z\.[0-9a-f]{8}\.jsonl(\.gz)?")
WRITER = """
import sys
from litellm_prompt_router.policy.settings import LedgerSettings
from litellm_prompt_router.telemetry.ledger import Ledger
from tests.telemetry.records import record
ledger = Ledger(sys.argv[1], rotation=LedgerSettings(max_mb=1, gzip=True))
for batch in range(60):
    ledger.write([record(f"{sys.argv[2]}-{batch}-{n}", profile="p" * 4000) for n in range(10)])
ledger.close()
assert ledger.lost == 0, ledger.last_error
"""


def ids_in(folder: Path) -> list[str]:
    """Every record's id in the folder's files, wherever it is."""
    found: list[str] = []
    for file in sorted(folder.glob("*.jsonl*")):
        raw = file.read_bytes()
        text = gzip.decompress(raw) if file.suffix == ".gz" else raw
        found += [json.loads(line)["request_id"] for line in text.splitlines()]
    return found


def settings(**stated: object) -> LedgerSettings:
    return LedgerSettings.model_validate({"max_mb": 1, **stated})


def fill(ledger: Ledger, prefix: str, megabytes: float) -> list[str]:
    """Writes that much in batches of 100 kB and gives the ids."""
    names = [f"{prefix}-{n}" for n in range(int(megabytes * 10))]
    for name in names:
        ledger.write([record(name, profile="p" * 100_000)])
    return names


def test_a_full_file_is_moved_before_the_batch_that_would_pass_it(tmp_path: Path) -> None:
    """No file is over the size, no name is used twice, and names sort as records were written."""
    path = tmp_path / "ledger.jsonl"
    ledger = Ledger(path, rotation=settings())
    names = fill(ledger, "a", 3.5)
    files = [*rotated_files(path), path]
    assert len(files) == 4
    assert all(NAME.fullmatch(file.name) for file in files[:-1])
    assert all(file.stat().st_size <= 1_000_000 for file in files)
    written = [json.loads(line)["request_id"] for file in files for line in file.read_text().splitlines()]
    assert written == names


def test_yesterdays_file_is_moved(tmp_path: Path) -> None:
    """By the UTC day of its last line, which its new name tells; the same day goes on in it."""
    path = tmp_path / "ledger.jsonl"
    ledger = Ledger(path, rotation=settings())
    ledger.write([record("yesterday")])
    yesterday = time.time() - 86_400
    os.utime(path, (yesterday, yesterday))
    ledger.write([record("today")])
    ledger.write([record("today, too")])
    (moved,) = rotated_files(path)
    assert moved.name.startswith(time.strftime("ledger.%Y%m%dT", time.gmtime(yesterday)))
    assert [json.loads(line)["request_id"] for line in path.read_text().splitlines()] == ["today", "today, too"]


def test_days_may_share_a_file(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    ledger = Ledger(path, rotation=settings(daily=False))
    ledger.write([record("yesterday")])
    os.utime(path, (0, 0))
    ledger.write([record("today")])
    assert [*rotated_files(path)] == []


def test_processes_rotate_and_compress_one_ledger(tmp_path: Path) -> None:
    """Three processes, 7 MB in files of 1 MB: every record is there once, and no line is torn."""
    path = tmp_path / "ledger.jsonl"
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, str(path), name]) for name in "xyz"]
    assert [writer.wait() for writer in writers] == [0, 0, 0]
    assert len([*rotated_files(path)]) >= 7
    assert sorted(ids_in(tmp_path)) == sorted(f"{p}-{b}-{n}" for p in "xyz" for b in range(60) for n in range(10))
    compress_and_remove(path, compresses=True, keep=None, settled_seconds=0)
    assert {file.suffix for file in rotated_files(path)} == {".gz"}
    assert len(ids_in(tmp_path)) == 1_800


def test_rotated_files_are_compressed_in_the_background(tmp_path: Path) -> None:
    """By the ledger itself, what an earlier process left included."""
    path = tmp_path / "ledger.jsonl"
    names = fill(Ledger(path, rotation=settings()), "earlier", 1.5)
    ledger = Ledger(path, rotation=settings(gzip=True))
    names += fill(ledger, "later", 1.5)
    assert ledger._rotated is not None
    ledger._rotated.join(60)
    assert [file.suffix for file in rotated_files(path)] == [".gz"] * len([*rotated_files(path)])
    assert len([*rotated_files(path)]) >= 2
    assert sorted(ids_in(tmp_path)) == sorted(names)


def test_a_crash_while_compressing_loses_nothing(tmp_path: Path) -> None:
    """A draft is made again; of two whole copies the plain one goes."""
    path = tmp_path / "ledger.jsonl"
    names = fill(Ledger(path, rotation=settings()), "a", 2.5)
    first, second = rotated_files(path)
    first.with_name(f"{first.name}.gz.tmp").write_bytes(gzip.compress(first.read_bytes())[:100])
    second.with_name(f"{second.name}.gz").write_bytes(gzip.compress(second.read_bytes()))
    assert [*rotated_files(path)] == [first, second]
    compress_and_remove(path, compresses=True, keep=None, settled_seconds=0)
    assert sorted(file.name for file in tmp_path.iterdir()) == sorted(
        [f"{first.name}.gz", f"{second.name}.gz", path.name]
    )
    assert sorted(ids_in(tmp_path)) == sorted(names)


def test_only_so_many_rotated_files_are_kept(tmp_path: Path) -> None:
    """The oldest go, other files in the folder stay."""
    path = tmp_path / "ledger.jsonl"
    other = tmp_path / "ledger.backup.jsonl"
    other.write_text("mine")
    names = fill(Ledger(path, rotation=settings()), "a", 4)
    compress_and_remove(path, compresses=False, keep=2)
    other.unlink()
    assert ids_in(tmp_path) == names[-len(ids_in(tmp_path)) :]
    assert len([*rotated_files(path)]) == 2


@pytest.mark.parametrize("end", [b'{"request_id": "cut sh', b'{"request_id": "whole"}'], ids=["torn", "no newline"])
def test_a_line_that_another_process_left_open_harms_no_other(tmp_path: Path, end: bytes) -> None:
    """As after a kill in the middle of a write."""
    path = tmp_path / "ledger.jsonl"
    Ledger(path).write([record("before")])
    ledger = Ledger(path)
    ledger.write([record("mine")])
    with path.open("ab") as file:
        file.write(end)
    ledger.write([record("after")])
    lines = path.read_bytes().splitlines()
    assert lines[2] == end
    assert [json.loads(line)["request_id"] for line in (lines[0], lines[1], lines[3])] == ["before", "mine", "after"]

"""However writes fail, each line is in the ledger, in its overflow file or counted as lost: once."""

from __future__ import annotations

import errno
import json
import os
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple
from unittest import mock

from hypothesis import given
from hypothesis import strategies as st

from litellm_prompt_router.telemetry import line_file
from litellm_prompt_router.telemetry.line_file import LineFile

FILES, BACKLOG = 3, 4


class Append(NamedTuple):
    """One of the files appends so many lines; what each write may take, None for all; then ENOSPC."""

    file: int
    lines: int
    room: tuple[int | None, ...]


class Rotated(NamedTuple):
    """Somebody moves the file away."""


class Stranger(NamedTuple):
    """A writer that knows no lock appends a whole line between a write and the cut behind it."""

    room: int


appends = st.builds(
    Append,
    file=st.integers(0, FILES - 1),
    lines=st.integers(0, 4),
    room=st.lists(st.none() | st.integers(0, 70), max_size=3).map(tuple),
)
steps = st.lists(appends | st.builds(Rotated) | st.builds(Stranger, room=st.integers(1, 70)), max_size=25)


def parts(folder: Path) -> list[str]:
    return [line for file in sorted(folder.glob("*.jsonl*")) for line in file.read_text().splitlines() if line]


def parses(line: str) -> bool:
    try:
        json.loads(line)
    except ValueError:
        return False
    return True


def run(folder: Path, schedule: Sequence[Append | Rotated | Stranger], *, has_lock: bool, overflows: bool) -> None:
    path, real, room = folder / "ledger.jsonl", os.write, list[int | None]()
    strangers = torn = submitted = 0
    is_between = False

    def write(fd: int, data: bytes) -> int:
        nonlocal torn
        if not room:
            return real(fd, data)
        allowed = room.pop(0)
        if allowed == 0:
            raise OSError(errno.ENOSPC, "full")
        written = real(fd, data[:allowed])
        torn += allowed is not None and written < len(data)
        if is_between:
            with path.open("ab", buffering=0) as other:
                real(other.fileno(), b'{"n": "stranger"}\n')
        return written

    class WithoutLock:
        LOCK_EX = LOCK_NB = LOCK_UN = 0

        @staticmethod
        def flock(fd: int, how: int) -> None:
            raise OSError(errno.ENOLCK, "none")

    files = [
        LineFile(path, backlog=BACKLOG, overflow=LineFile(folder / "over.jsonl", backlog=0) if overflows else None)
        for _ in range(FILES)
    ]
    with mock.patch.object(os, "write", write):
        locks = mock.patch.object(line_file, "fcntl", WithoutLock)
        if not has_lock:
            locks.start()
        try:
            for number, step in enumerate(schedule):
                match step:
                    case Append():
                        room[:] = [*step.room, 0] if step.room else []
                        files[step.file].append(_line(submitted + each) for each in range(step.lines))
                        submitted += step.lines
                    case Rotated():
                        if path.exists():
                            path.rename(folder / f"ledger.jsonl.{number}")
                    case Stranger():
                        room[:], is_between = [step.room, 0], True
                        files[0].append([_line(submitted)])
                        submitted += 1
                        is_between = False
                room.clear()
            for file in files:
                file.close()
        finally:
            if not has_lock:
                locks.stop()
    lines = parts(folder)
    whole = Counter(json.loads(line)["n"] for line in lines if parses(line))
    strangers = whole.pop("stranger", 0)
    broken = sum(not parses(line) for line in lines)
    if has_lock and not any(isinstance(step, Stranger) for step in schedule):
        assert broken == 0
        assert sum(whole.values()) + sum(file.lost for file in files) == submitted
    assert broken <= torn + strangers
    assert all(count == 1 for count in whole.values())
    assert len(whole) + sum(file.lost for file in files) <= submitted
    assert sum(file.written + file.overflowed + file.lost for file in files) == submitted
    if overflows and has_lock and not any(isinstance(step, Stranger) for step in schedule):
        in_overflow = (folder / "over.jsonl").read_text().splitlines() if (folder / "over.jsonl").exists() else []
        assert len(in_overflow) == sum(file.overflowed for file in files)


def _line(number: int) -> bytes:
    return json.dumps({"n": number, "text": "x" * (number % 40)}).encode() + b"\n"


@given(steps, st.booleans())
def test_under_the_lock_every_line_is_somewhere_once(
    schedule: list[Append | Rotated | Stranger], overflows: bool
) -> None:
    """Also behind short writes, between rotations, and with other files on the same path."""
    with tempfile.TemporaryDirectory() as name:
        run(Path(name), schedule, has_lock=True, overflows=overflows)


@given(steps, st.booleans())
def test_without_locks_no_line_is_there_twice(schedule: list[Append | Rotated | Stranger], overflows: bool) -> None:
    """And no more lines are torn than writes were cut short."""
    with tempfile.TemporaryDirectory() as name:
        run(Path(name), schedule, has_lock=False, overflows=overflows)


def test_what_a_stranger_wrote_is_not_cut(tmp_path: Path) -> None:
    """A line that somebody without the lock wrote behind a torn one stays whole where it can, and ours comes again."""
    run(tmp_path, [Append(0, 1, ()), Stranger(5), Append(1, 1, ())], has_lock=True, overflows=False)
    text = (tmp_path / "ledger.jsonl").read_text()
    assert text.count('{"n": "stranger"}\n') == 1
    assert [line for line in text.splitlines() if parses(line)][-1].startswith('{"n": 1')

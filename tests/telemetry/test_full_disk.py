"""A disk that is full for a while loses no line and leaves no torn one."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import pytest

from litellm_prompt_router.telemetry.line_file import LineFile


def test_a_write_cut_short_leaves_whole_lines_each_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk cuts every write at another byte; when it is freed every line is there once."""
    path = tmp_path / "ledger.jsonl"
    real, room = os.write, [0]

    def short(fd: int, data: bytes) -> int:
        if room[0] == 0:
            raise OSError(errno.ENOSPC, "full")
        written = real(fd, data[: room[0]])
        room[0] -= written
        return written

    lines = [json.dumps({"n": number, "text": "x" * number}).encode() + b"\n" for number in range(20)]
    for cut in range(1, 60, 7):
        path.unlink(missing_ok=True)
        file = LineFile(path, backlog=100)
        with monkeypatch.context() as patched:
            patched.setattr(os, "write", short)
            for line in lines:
                room[0] = cut
                file.append([line])
                assert all(json.loads(text) for text in path.read_bytes().splitlines())
        file.close()
        assert path.read_bytes() == b"".join(lines)
        assert (file.written, file.lost) == (len(lines), 0)


def test_a_symlink_is_not_followed(tmp_path: Path) -> None:
    """What a symlink points to is not written; the lines wait, and the error says why."""
    target = tmp_path / "target"
    target.write_text("kept")
    (tmp_path / "ledger.jsonl").symlink_to(target)
    file = LineFile(tmp_path / "ledger.jsonl", backlog=10)
    file.append([b"{}\n"])
    assert (file.waiting, file.last_error) == (1, "OSError ELOOP")
    assert target.read_text() == "kept"

"""The capture file's writer, and its place in the dispatcher."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from litellm_prompt_router.policy.settings import CaptureSettings, LedgerSettings, Settings
from litellm_prompt_router.request.wire import UNNAMED
from litellm_prompt_router.telemetry import capture as capture_file
from litellm_prompt_router.telemetry import dispatch
from litellm_prompt_router.telemetry.capture import (
    MAX_PENDING,
    PENDING_SECONDS,
    Capture,
    CapturedAnswer,
    CapturedRequest,
)
from litellm_prompt_router.telemetry.dispatch import Dispatcher
from tests.emulators.line_files import whole_lines

ANSWER = {"message": {"role": "assistant", "content": "yes"}, "usage": {"prompt_tokens": 1}}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "traffic.jsonl"


def settings(path: Path, **values: Any) -> CaptureSettings:
    return CaptureSettings(path=path, keys=frozenset({"alpha"}), **values)


def asked(name: str = "a", size: int = 0, **request: Any) -> CapturedRequest:
    """Padded to that many bytes."""
    body = json.dumps({"messages": [{"role": "user", "content": name}], **request}).encode().ljust(size)
    return CapturedRequest(
        request_id=name,
        at_seconds=1.5,
        key="alpha",
        sender=UNNAMED,
        endpoint="acompletion",
        request=body,
    )


def lines(path: Path) -> list[tuple[str, bool]]:
    """Each line's message, and whether it has a response."""
    found = [json.loads(line) for line in whole_lines(path)]
    return [(line["request"]["messages"][0]["content"], "response" in line) for line in found]


def test_a_call_is_written_once_it_is_answered(path: Path) -> None:
    """In the order of answers; an answer to nothing known is nothing."""
    capture = Capture(settings(path))
    capture.add_request(asked("a"), 0)
    capture.add_request(asked("b"), 0)
    assert not path.exists()
    capture.add_answer(CapturedAnswer(request_id="b", response=ANSWER))
    capture.add_answer(CapturedAnswer(request_id="a", response=None))
    capture.add_answer(CapturedAnswer(request_id="a", response=ANSWER))
    assert lines(path) == [("b", True), ("a", False)]
    assert (capture.written, capture.lost) == (2, 0)


def test_what_is_never_answered_is_written_all_the_same(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When it has waited long enough, when there are too many or too large ones, and at the end."""
    monkeypatch.setattr(capture_file, "MAX_PENDING_BYTES", 1_000_000)
    capture = Capture(settings(path))
    capture.add_request(asked("old"), 0)
    capture.add_request(asked("new"), PENDING_SECONDS)
    assert lines(path) == [("old", False)]
    for number in range(MAX_PENDING):
        capture.add_request(asked(str(number)), PENDING_SECONDS)
    assert lines(path) == [("old", False), ("new", False)]
    capture.add_request(asked("huge", size=1_000_000), PENDING_SECONDS)
    assert len(lines(path)) == MAX_PENDING + 2
    capture.add_request(asked("last"), PENDING_SECONDS)
    assert lines(path)[-1] == ("huge", False)
    capture.close()
    assert lines(path)[-1] == ("last", False)
    assert capture.lost == 0


def test_what_cannot_be_written_is_lost_alone_and_counted(path: Path) -> None:
    """The next call is written."""
    capture = Capture(settings(path))
    capture.add_request(asked("a"), 0)
    capture.add_answer(CapturedAnswer(request_id="a", response={"message": object()}))
    capture.add_request(replace(asked("b"), request=b"{"), 0)
    capture.add_answer(CapturedAnswer(request_id="b", response=None))
    capture.add_request(asked("c"), 0)
    capture.add_answer(CapturedAnswer(request_id="c", response=None))
    assert lines(path) == [("c", False)]
    assert (capture.lost, capture.last_error) == (2, "JSONDecodeError")


def test_a_file_that_others_could_read_becomes_private(path: Path) -> None:
    """Whoever made it."""
    path.touch(0o644)
    capture = Capture(settings(path))
    capture.add_request(asked(), 0)
    capture.close()
    assert path.stat().st_mode & 0o777 == 0o600


WRITER = """
import sys
from litellm_prompt_router.policy.settings import CaptureSettings
from litellm_prompt_router.telemetry.capture import Capture
from tests.emulators.line_files import whole_lines
from tests.telemetry.test_capture import asked

capture = Capture(CaptureSettings(path=sys.argv[1], keys={"alpha"}, max_mb=1))
for number in range(60):
    capture.add_request(asked(f"{sys.argv[2]}-{number}", more="w " * 10_000), 0)
capture.close()
assert capture.lost == 0
"""


def test_processes_share_a_file_that_rotates(path: Path) -> None:
    """Both move it aside in turn; every line that is left is whole, and the newest are there."""
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, str(path), name]) for name in "xy"]
    assert [writer.wait() for writer in writers] == [0, 0]
    moved = path.with_name("traffic.jsonl.1")
    both = lines(moved) + lines(path)
    assert len(set(both)) == len(both)
    assert {("x-59", False), ("y-59", False)} & set(both)
    assert 0.9e6 < moved.stat().st_size < 1.1e6


def test_every_dropped_line_is_counted(
    path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """More text than may wait, or a dispatcher that is closed: the request goes on, the count tells."""
    dispatcher = Dispatcher(Settings(ledger=LedgerSettings(path=None), capture=settings(path)))
    monkeypatch.setattr(dispatch, "MAX_QUEUED_CAPTURE_BYTES", 100)
    dispatcher.submit_captured_request(asked("too much", size=101))
    dispatcher.submit_captured_request(asked("a", size=100))
    assert dispatcher.flush()
    dispatcher.submit_captured_request(asked("b", size=100))
    dispatcher.submit_captured_answer(CapturedAnswer(request_id="a", response=ANSWER))
    assert dispatcher.close()
    dispatcher.submit_captured_request(asked("late", size=1))
    assert lines(path) == [("a", True), ("b", False)]
    assert dispatcher.failures().capture_lost == 2
    assert [entry.getMessage() for entry in caplog.records] == [
        f"prompt router: capture is on: messages of alpha are written to {path}",
        "prompt router: capture_lost: 1",
    ]


def test_an_unwritable_file_is_told(tmp_path: Path) -> None:
    """Calls wait for it in the backlog; what is still there at the end is lost."""
    (tmp_path / "file").touch()
    dispatcher = Dispatcher(
        Settings(ledger=LedgerSettings(path=None), capture=settings(tmp_path / "file" / "traffic.jsonl"))
    )
    dispatcher.submit_captured_request(asked())
    assert dispatcher.close()
    failures = dispatcher.failures()
    assert (failures.capture_lost, failures.capture_error) == (1, "FileExistsError EEXIST")


def test_off_by_default() -> None:
    """No key is captured, not even one without an alias."""
    dispatcher = Dispatcher(Settings(ledger=LedgerSettings(path=None)))
    assert not dispatcher.is_captured("alpha")
    assert not dispatcher.is_captured(None)


FORKING = """
import os, sys
from litellm_prompt_router.policy.settings import CaptureSettings, LedgerSettings, Settings
from litellm_prompt_router.telemetry.dispatch import Dispatcher
from tests.telemetry.test_capture import asked

capture = CaptureSettings(path=sys.argv[1], keys={"alpha"})
dispatcher = Dispatcher(Settings(ledger=LedgerSettings(path=None), capture=capture))
dispatcher.submit_captured_request(asked("parent"))
assert dispatcher.flush(30)
child = os.fork()
if child == 0:
    dispatcher.submit_captured_request(asked("child"))
    os._exit(0 if dispatcher.close(30) else 1)
assert os.waitpid(child, 0)[1] == 0
assert dispatcher.close(30)
"""


def test_a_fork_leaves_what_waits_to_the_parent(path: Path) -> None:
    """Nothing is written twice."""
    subprocess.run([sys.executable, "-W", "ignore", "-c", FORKING, str(path)], check=True)
    assert sorted(lines(path)) == [("child", False), ("parent", False)]

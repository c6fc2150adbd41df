"""Files that are written: a symlink keeps the proxy from starting, and is told with what to do."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from litellm_prompt_router.documents.errors import ConfigurationError
from litellm_prompt_router.operations.doctor.machine import examine_folders
from litellm_prompt_router.policy.loader import Loader
from litellm_prompt_router.policy.settings import Settings, load_settings
from litellm_prompt_router.policy.written_files import names_device, symlink_problems
from litellm_prompt_router.telemetry.line_file import LineFile


def sections(link: Path) -> dict[str, dict[str, Any]]:
    return {
        "ledger.path": {"ledger": {"path": str(link)}},
        "ledger.overflow_path": {"ledger": {"overflow_path": str(link)}},
        "capture.path": {"capture": {"path": str(link), "keys": ["alpha"]}},
    }


@pytest.mark.parametrize("name", ["ledger.path", "ledger.overflow_path", "capture.path"])
def test_a_symlink_is_refused_at_start_and_by_doctor(tmp_path: Path, name: str) -> None:
    target = tmp_path / "target.jsonl"
    link = tmp_path / "link.jsonl"
    link.symlink_to(target)
    section = sections(link)[name]
    with pytest.raises(ConfigurationError) as raised:
        Loader(section, {}, None).load_at_start()
    assert [problem for problem in raised.value.problems if name in problem and str(target) in problem]
    findings = [each for each in examine_folders(load_settings(section, {}), ()) if each.check == name]
    assert [str(target) in str(each) for each in findings] == [True]


def test_devices_are_no_symlinks_of_anyones() -> None:
    assert names_device("/dev/stdout")
    assert not names_device("/dev/shm/ledger.jsonl")
    assert symlink_problems(Settings.model_validate({"ledger": {"path": "/dev/stdout"}})) == []


@pytest.mark.skipif(not Path("/dev/stdout").is_symlink(), reason="no /dev/stdout here")
def test_standard_output_takes_lines(tmp_path: Path) -> None:
    """A pipe, and a file that it was redirected to."""
    script = (
        "from litellm_prompt_router.telemetry.line_file import LineFile\n"
        "file = LineFile('/dev/stdout', backlog=9, max_bytes=3)\n"
        "file.append([b'{}\\n']); file.append([b'[]\\n']); file.close(); assert file.written == 2, file.last_error"
    )
    command = [sys.executable, "-c", script]
    assert subprocess.run(command, capture_output=True, check=True).stdout == b"{}\n[]\n"
    with (tmp_path / "out").open("wb") as out:
        subprocess.run(command, stdout=out, check=True)
    assert (tmp_path / "out").read_bytes() == b"{}\n[]\n"
    assert Path("/dev/stdout").is_symlink()


def test_a_fifo_is_written(tmp_path: Path) -> None:
    path = tmp_path / "fifo"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        file = LineFile(path, backlog=9)
        file.append([b"{}\n"])
        assert os.read(reader, 99) == b"{}\n"
    finally:
        os.close(reader)


@pytest.mark.parametrize(
    "ledger", [{"path": "a.jsonl", "overflow_path": "./b/../a.jsonl"}, {"path": None, "overflow_path": "a"}]
)
def test_an_overflow_file_is_another_than_the_ledger(ledger: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError) as raised:
        load_settings({"ledger": ledger}, {})
    assert "overflow_path" in raised.value.problems[0]

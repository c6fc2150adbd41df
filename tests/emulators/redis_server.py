"""A real Redis, where one is installed, as a process of its own."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.emulators.proxy import free_port

START_SECONDS = 10.0


@dataclass(frozen=True, kw_only=True, slots=True)
class RunningRedis:
    """Where it listens, and its process."""

    port: int
    process: subprocess.Popen[bytes]


@contextlib.contextmanager
def started_redis(folder: Path) -> Iterator[RunningRedis]:
    """It, for the time of the block, unless it is ended before. Raises FileNotFoundError without ``redis-server``."""
    port, log_path = free_port(), folder / "redis.log"
    command = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)]
    with log_path.open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
    try:
        deadline = time.monotonic() + START_SECONDS
        while b"Ready to accept" not in log_path.read_bytes():
            assert time.monotonic() < deadline, "redis-server didn't start"
            time.sleep(0.05)
        yield RunningRedis(port=port, process=process)
    finally:
        process.terminate()
        process.wait(START_SECONDS)


@contextlib.contextmanager
def running_redis(folder: Path) -> Iterator[int]:
    """Its port, for the time of the block. Skips the test where there is no ``redis-server``."""
    if shutil.which("redis-server") is None:
        pytest.skip("no redis-server here")
    with started_redis(folder) as redis:
        yield redis.port

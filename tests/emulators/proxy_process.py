"""A proxy's process: LiteLLM's command, or in a session of tests a fork of a process that has imported LiteLLM."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import BinaryIO, Protocol, cast

FORKED = Path(__file__).with_name("forked_litellm.py")
IMPORT_SECONDS = 180.0
READ_LATER = ("PROMPT_ROUTER_", "GLITCHTIP_DSN", "LITELLM_MASTER_KEY")
READ_LATER_ENDS = ("_KEY", "_API_BASE", "_PATH")
"""What LiteLLM and its callback don't read while they are imported; a start with any other variable has no fork."""


class ProxyProcess(Protocol):
    """What of ``subprocess.Popen`` is used of a proxy."""

    pid: int
    returncode: int | None

    def poll(self) -> int | None: ...
    def wait(self, timeout: float | None = None) -> int: ...
    def terminate(self) -> None: ...
    def kill(self) -> None: ...


class ForkedProcess:
    """A fork, by the interface of ``subprocess.Popen``."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._ended = threading.Event()
        self._pidfd = os.pidfd_open(pid)

    def end(self, code: int) -> None:
        """To be called once, by whoever waited for the process."""
        self.returncode = code
        os.close(self._pidfd)
        self._ended.set()

    def poll(self) -> int | None:
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """The exit code. Raises subprocess.TimeoutExpired."""
        if not self._ended.wait(timeout) or self.returncode is None:
            raise subprocess.TimeoutExpired("litellm", timeout or 0)
        return self.returncode

    def terminate(self) -> None:
        self._send(signal.SIGTERM)

    def kill(self) -> None:
        self._send(signal.SIGKILL)

    def _send(self, number: signal.Signals) -> None:
        if self.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._pidfd, number)


class Forks:
    """The process that has imported LiteLLM, and its forks. It is started by the first of them."""

    def __init__(self, env: Mapping[str, str]) -> None:
        self._env = dict(env)
        self._parent: subprocess.Popen[bytes] | None = None
        self._started: queue.SimpleQueue[ForkedProcess] = queue.SimpleQueue()
        self._lock = threading.Lock()

    def start(self, arguments: Sequence[str], env: Mapping[str, str], cwd: Path | None, log: Path) -> ForkedProcess:
        """LiteLLM's command line with these arguments. Raises queue.Empty if the import takes too long."""
        start = {"arguments": list(arguments), "env": dict(env), "cwd": str(cwd or Path.cwd()), "log": str(log)}
        with self._lock:
            stdin = self._running().stdin
            assert stdin is not None
            stdin.write(json.dumps(start).encode() + b"\n")
            stdin.flush()
            return self._started.get(timeout=IMPORT_SECONDS)

    def close(self) -> None:
        """Ends the process; its forks were ended before."""
        if self._parent is not None:
            assert self._parent.stdin is not None
            self._parent.stdin.close()
            self._parent.wait(IMPORT_SECONDS)
            self._reader.join()

    def _running(self) -> subprocess.Popen[bytes]:
        if self._parent is None:
            self._parent = subprocess.Popen(
                [sys.executable, str(FORKED)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=self._env
            )
            self._reader = threading.Thread(
                target=self._read, args=(cast("BinaryIO", self._parent.stdout),), daemon=True
            )
            self._reader.start()
        return self._parent

    def _read(self, said: BinaryIO) -> None:
        running: dict[int, ForkedProcess] = {}
        with said:
            for line in said:
                pid, code = json.loads(line)
                if code is None:
                    running[pid] = ForkedProcess(pid)
                    self._started.put(running[pid])
                else:
                    running.pop(pid).end(code)


def can_fork(env: Mapping[str, str], defaults: Mapping[str, str]) -> bool:
    """Whether nothing but what is read later differs from the environment in which LiteLLM was imported."""
    own = {name for name, value in env.items() if defaults.get(name) != value}
    return all(name.startswith(READ_LATER) or name.endswith(READ_LATER_ENDS) for name in own)

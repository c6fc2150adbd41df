"""How a worker is -> a small file in a folder of such files, for ``prompt-router status``.

One file a process, replaced whole every few seconds and removed at a clean end, unless records were lost. One that a
killed process left is recognised by its process: ``pid`` on ``host`` must still run and have started at
``process_started_ticks``.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import socket
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

SCHEMA = 1
STATUS_SECONDS = 5.0
BLOCK_BYTES, SPARE_BYTES = 4_096, 1_024
LOCAL_COST_MAP, HUB_OFFLINE = "LITELLM_LOCAL_MODEL_COST_MAP", "HF_HUB_OFFLINE"
STALE_SECONDS = 60.0
"""A worker writes every ``STATUS_SECONDS``; GlitchTip being slow holds it up for less than this."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ServedProfile:
    """A profile in force. One that nobody ``reviewed`` changes no request.

    ``left_alone``: why each of its requests is left as it came; None where that isn't so.
    """

    name: str
    version: str
    digest: str
    reviewed: bool = True
    left_alone: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class InForce:
    """What decides on requests now.

    ``stopped_by``: the kill switch or the environment; ``passed_while_stopped``: requests since the start that passed
    because of it, without a record; ``off_unrecorded``: those that were off, where settings want no record of such.
    ``went_on_as_begun``: those that replay thinking and went on as their conversation began, whatever is in force.
    ``unaccounted``: answered requests whose records have no saving because accounting was full.
    ``problems``: what is broken on disk, so that something older is in force.
    ``breaker_keys``: keys whose requests pass through because of our faults; ``is_breaker_open``: so do all.
    ``tuning``: of each profile that is tuned by itself, what holds and why, and what comes next.
    ``local_models``: how the worker stands with the process of each embedding model that runs on this machine.
    """

    default_mode: str
    profiles: tuple[ServedProfile, ...] = ()
    configuration: int = 0
    stopped_by: str | None = None
    passed_while_stopped: int = 0
    off_unrecorded: int = 0
    went_on_as_begun: int = 0
    unaccounted: int = 0
    policy_path: str | None = None
    policy_digest: str | None = None
    policy_rules: int = 0
    problems: tuple[str, ...] = ()
    is_breaker_open: bool = False
    breaker_keys: int = 0
    tuning: tuple[Mapping[str, Any], ...] = ()
    local_models: tuple[Mapping[str, Any], ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types."""
        return {
            "default_mode": self.default_mode,
            "profiles": [asdict(profile) for profile in self.profiles],
            "configuration": self.configuration,
            "stopped_by": self.stopped_by,
            "passed_while_stopped": self.passed_while_stopped,
            "off_unrecorded": self.off_unrecorded,
            "went_on_as_begun": self.went_on_as_begun,
            "unaccounted": self.unaccounted,
            "policy": {"path": self.policy_path, "digest": self.policy_digest, "rules": self.policy_rules},
            "problems": list(self.problems),
            "breaker": {"is_open": self.is_breaker_open, "open_keys": self.breaker_keys},
            "tuning": [dict(profile) for profile in self.tuning],
            "local_models": [dict(model) for model in self.local_models],
        }


class Identity:
    """Which worker it is, and what is in force there, asked each time."""

    def __init__(self, *, version: str, in_force: Callable[[], InForce]) -> None:
        self.in_force = in_force
        self._version = version
        self._started: dict[int, float] = {os.getpid(): time.time()}

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types; a forked child is a worker of its own."""
        pid = os.getpid()
        return {
            "schema": SCHEMA,
            "version": self._version,
            "host": socket.gethostname(),
            "pid": pid,
            "process_started_ticks": process_started_ticks(pid),
            "started_seconds": self._started.setdefault(pid, time.time()),
            "offline": list(offline_variables(os.environ)),
            **self.in_force().to_dict(),
        }


def offline_variables(environ: Mapping[str, str]) -> tuple[str, ...]:
    """Of the two variables that keep LiteLLM off the network while it starts and runs, those that are set.

    LiteLLM takes the first only as ``True`` (litellm_core_utils/get_model_cost_map.py, 1.106), huggingface_hub the
    second as 1, true, yes or on.
    """
    cost_map = environ.get(LOCAL_COST_MAP, "").lower() == "true"
    hub = environ.get(HUB_OFFLINE, "").lower() in ("1", "true", "yes", "on")
    return (*((LOCAL_COST_MAP,) if cost_map else ()), *((HUB_OFFLINE,) if hub else ()))


class StatusFile:
    """Writes to ``<folder>/worker-<host>-<pid>.json``, readable by its owner only. For one thread.

    The file is padded with spaces to whole blocks, so that a full disk, which takes no new one, still has room for
    what it says next: it is then written over in place.
    """

    def __init__(self, folder: Path, identity: Identity) -> None:
        self.last_error: str | None = None
        me = identity.to_dict()
        stem = f"worker-{me['host'].replace('/', '_')}-{me['pid']}"
        self._path = folder / f"{stem}.json"
        self._last = folder / f"{stem}-ended-{int(time.time())}.json"

    def write(self, status: Mapping[str, Any]) -> None:
        """Replaces the file. An OSError is kept in ``last_error``; the next time may go better."""
        text = json.dumps(status, allow_nan=False).encode("ascii")
        fresh = self._path.with_suffix(".new")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            fresh.unlink(missing_ok=True)
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
            with os.fdopen(os.open(fresh, flags, 0o600), "wb") as file:
                file.write(text.ljust(-(-(len(text) + SPARE_BYTES) // BLOCK_BYTES) * BLOCK_BYTES))
            fresh.replace(self._path)
            self.last_error = None
        except OSError as error:
            self.last_error = f"{type(error).__name__} {errno.errorcode.get(error.errno or 0, '')}".rstrip()
            with contextlib.suppress(OSError):
                fresh.unlink(missing_ok=True)
            with contextlib.suppress(OSError):
                self._write_over(text)

    def _write_over(self, text: bytes) -> None:
        with os.fdopen(os.open(self._path, os.O_WRONLY | os.O_CLOEXEC | os.O_NOFOLLOW), "wb", buffering=0) as file:
            size = os.fstat(file.fileno()).st_size
            if len(text) <= size:
                file.write(text.ljust(size))

    def write_last(self, status: Mapping[str, Any]) -> None:
        """The file of a worker that has ended; a later worker of the same host and number doesn't replace it."""
        with contextlib.suppress(OSError):
            if not self._path.exists():
                self._last.rename(self._path)
        self.write(status)
        with contextlib.suppress(OSError):
            self._path.rename(self._last)

    def remove(self) -> None:
        """Takes the file away: this worker ended as it should."""
        for path in (self._path, self._path.with_suffix(".new"), self._last):
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)


def is_stale(status: Mapping[str, Any], now_seconds: float) -> bool:
    """True for what a dead process left. Of another host only the age can be told; ``now_seconds`` is Unix time."""
    pid = status.get("pid")
    if status.get("host") == socket.gethostname() and isinstance(pid, int):
        ticks = process_started_ticks(pid)
        if ticks is None and Path("/proc/self/stat").exists():
            return True
        if ticks is not None and ticks != status.get("process_started_ticks"):
            return True
    written = status.get("written_seconds")
    return not isinstance(written, (int, float)) or now_seconds - written > STALE_SECONDS


def process_started_ticks(pid: int) -> int | None:
    """When a process started, in clock ticks since boot (proc(5), ``/proc/<pid>/stat`` field 22); None if unknown."""
    try:
        # The name in parentheses may hold anything, so fields are counted from behind it.
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
        return int(stat.rpartition(")")[2].split()[19])
    except (OSError, ValueError, IndexError):
        return None

"""What a process and all its children have used of the processors and of the memory, from ``/proc``."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable
from pathlib import Path

PROC = Path("/proc")
TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")
POLL_SECONDS = 0.5
QUIET_SHARE = 0.04
"""Of one processor, below which nothing is being worked off."""


def cpu_seconds_in(stat: str) -> float:
    """User and system time in the text of ``/proc/PID/stat``, with that of children that have ended."""
    fields = stat.rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / TICKS_A_SECOND


def parent_in(stat: str) -> int:
    return int(stat.rpartition(")")[2].split()[1])


def family(pid: int) -> tuple[int, ...]:
    """The process and its descendants."""
    parents: dict[int, int] = {}
    for folder in PROC.iterdir():
        if folder.name.isdecimal():
            with contextlib.suppress(OSError):
                parents[int(folder.name)] = parent_in((folder / "stat").read_text())
    found = [pid]
    for each in found:
        found += [child for child, parent in parents.items() if parent == each]
    return tuple(found)


def cpu_seconds(pid: int) -> float:
    """Of the process and its descendants so far."""
    total = 0.0
    for each in family(pid):
        with contextlib.suppress(OSError):
            total += cpu_seconds_in((PROC / str(each) / "stat").read_text())
    return total


def memory_mb(pid: int) -> float:
    """Resident memory of the process alone."""
    pages = int((PROC / str(pid) / "statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def settled_cpu_seconds(
    pid: int,
    *,
    at_most_seconds: float = 8.0,
    read: Callable[[int], float] = cpu_seconds,
    sleep: Callable[[float], None] = time.sleep,
) -> float:
    """``cpu_seconds`` once the process has worked off what it does behind its answers."""
    before = read(pid)
    for _ in range(int(at_most_seconds / POLL_SECONDS)):
        sleep(POLL_SECONDS)
        now = read(pid)
        if now - before <= QUIET_SHARE * POLL_SECONDS:
            return now
        before = now
    return before

"""When a file of lines is full or a day old, and what it is called then.

Rotated names sort in time and are unique, so that workers and replicas can share a folder.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

STAMP = "%Y%m%dT%H%M%S.%fZ"
_ROTATED = re.compile(r"\.\d{8}T\d{6}\.\d{6}Z\.[0-9a-f]{8}\Z")


@dataclass(frozen=True, kw_only=True, slots=True)
class Rotation:
    """Moves a file that a batch would take over ``max_bytes``, or that was last written on an earlier UTC day."""

    max_bytes: int
    is_daily: bool

    def is_due(self, found: os.stat_result, coming: int, now: float) -> bool:
        if found.st_size == 0:
            return False
        is_full = found.st_size + coming > self.max_bytes
        return is_full or (self.is_daily and _day(found.st_mtime) < _day(now))


def rotated_path(path: Path, last_written: float) -> Path:
    """``logs/prompt_router.jsonl`` -> ``logs/prompt_router.<UTC of its last line>.<random>.jsonl``."""
    stamp = datetime.fromtimestamp(last_written, UTC).strftime(STAMP)
    return path.with_name(f"{path.stem}.{stamp}.{os.urandom(4).hex()}{path.suffix}")


def rotated_files(path: Path) -> Iterator[Path]:
    """The rotated files of ``path``, oldest first; of one that is being compressed, the plain one."""
    try:
        names = sorted(entry.name for entry in os.scandir(path.parent) if entry.name.startswith(f"{path.stem}."))
    except OSError:
        return
    for name in names:
        plain = name.removesuffix(".gz").removesuffix(path.suffix)
        if plain.startswith(path.stem) and _ROTATED.fullmatch(plain[len(path.stem) :]):
            if name.endswith(".gz") and name.removesuffix(".gz") in names:
                continue
            if name.removesuffix(".gz") == f"{plain}{path.suffix}":
                yield path.with_name(name)


def _day(seconds: float) -> int:
    return int(seconds // 86_400)

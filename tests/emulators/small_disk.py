"""A small disk of its own, which can be full."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

FILLER = "filler"
PIECE = b"\0" * 65_536


@contextlib.contextmanager
def mounted(folder: Path, size: str) -> Iterator[bool]:
    """True while a disk of this size (as mount(8) writes it) is mounted there; False where this user may not."""
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    is_mounted = os.geteuid() == 0 and subprocess.run(command, capture_output=True, check=False).returncode == 0
    try:
        yield is_mounted
    finally:
        if is_mounted:
            subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(folder: Path) -> None:
    """Writes until nothing more fits."""
    with (folder / FILLER).open("ab", buffering=0) as file, contextlib.suppress(OSError):
        while file.write(PIECE):
            pass


def free(folder: Path) -> None:
    (folder / FILLER).unlink(missing_ok=True)

"""Which of the files that settings name may be written: no symlink is followed but the system's own to a device."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from litellm_prompt_router.policy.settings import WHERE, Settings

_DEVICE_FOLDERS = ("/dev", "/dev/fd", "/proc/self/fd")


def names_device(path: Path | str) -> bool:
    """True for ``/dev/stdout`` and the like: symlinks that the system made, and never to be moved."""
    return os.path.dirname(os.path.abspath(path)) in _DEVICE_FOLDERS  # noqa: PTH100, PTH120  (resolves no symlink)


def symlinks_in(settings: Settings) -> Iterator[tuple[str, str]]:
    """``(setting, what is wrong and what to do)`` of each file to write that is a symlink."""
    files = {
        "ledger.path": settings.ledger.path,
        "ledger.overflow_path": settings.ledger.overflow_path,
        "capture.path": settings.capture.path,
    }
    for name, path in files.items():
        if path is not None and path.is_symlink() and not names_device(path):
            target = path.readlink()
            yield name, f"{path} is a symlink, which is not followed; name the file that it points to ({target})"


def symlink_problems(settings: Settings) -> list[str]:
    return [f"{WHERE}: {name}: {problem}" for name, problem in symlinks_in(settings)]

"""Rotated files: when a file of lines is moved, its name then, and how moved files are compressed and removed.

Rotated names sort in time and are unique, so that workers and replicas can share a folder. A file is compressed
beside itself under a temporary name, forced to disk, renamed and only then removed. Whoever finds both files after a
crash has two equal copies: the plain one goes.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import gzip
import logging
import os
import re
import shutil
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

STAMP = "%Y%m%dT%H%M%S.%fZ"
_ROTATED = re.compile(r"\.\d{8}T\d{6}\.\d{6}Z\.[0-9a-f]{8}\Z")
CHUNK_BYTES = 1 << 20
SETTLED_SECONDS = 2.0
"""A writer that couldn't lock may still finish a batch in a file that was just moved."""
LOWEST_PRIORITY = 19
log = logging.getLogger(__name__)


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


class RotatedFiles:
    """Compresses and removes the rotated files of ``path``, in a thread that ends when nothing is left to do."""

    def __init__(self, path: Path, *, compresses: bool, keep: int | None) -> None:
        self._path = path
        self._compresses = compresses
        self._keep = keep
        self._guard = threading.Lock()
        self._has_work = False
        self._thread: threading.Thread | None = None
        self._pid = os.getpid()

    def wake(self) -> None:
        """Starts the work, or has it done once more if it is under way. Doesn't wait."""
        if not self._compresses and self._keep is None:
            return
        if self._pid != os.getpid():  # a forked child has no thread
            self._pid, self._guard, self._thread = os.getpid(), threading.Lock(), None
        with self._guard:
            self._has_work = True
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="prompt-router-archive", daemon=True)
                self._thread.start()

    def join(self, timeout: float) -> None:
        """Waits for the work under way."""
        thread = self._thread
        if thread is not None and self._pid == os.getpid():
            thread.join(timeout)

    def _run(self) -> None:
        with contextlib.suppress(OSError, AttributeError):  # it works at the usual priority as well
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), LOWEST_PRIORITY)
        while True:
            with self._guard:
                if not self._has_work:
                    self._thread = None
                    return
                self._has_work = False
            try:
                compress_and_remove(self._path, compresses=self._compresses, keep=self._keep)
            except OSError as error:
                log.warning("prompt router: rotated ledger files stay as they are: %s", type(error).__name__)


def compress_and_remove(
    path: Path, *, compresses: bool, keep: int | None, settled_seconds: float = SETTLED_SECONDS
) -> None:
    """Compresses what is plain, then removes the oldest beyond ``keep``. Raises OSError."""
    if compresses:
        for file in [*rotated_files(path)]:
            if file.suffix != ".gz":
                _compress(file, settled_seconds)
    if keep is not None:
        files = [*rotated_files(path)]
        for file in files[: max(0, len(files) - keep)]:
            file.unlink(missing_ok=True)


def _compress(file: Path, settled_seconds: float) -> None:
    """``file`` -> ``file.gz``, unless another process is at it."""
    try:
        source = os.fdopen(os.open(file, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW), "rb")
    except FileNotFoundError:
        return
    except OSError as error:
        if error.errno == errno.ELOOP:
            return  # nobody of ours made a symlink
        raise
    with source:
        try:
            fcntl.flock(source, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return
        found = os.fstat(source.fileno())
        if found.st_nlink == 0:
            return
        time.sleep(min(settled_seconds, max(0.0, found.st_mtime + settled_seconds - time.time())))
        packed = file.with_name(f"{file.name}.gz")
        if packed.is_symlink():
            return
        if not packed.exists():
            draft = file.with_name(f"{file.name}.gz.tmp")  # one that is there was left by a crash: we hold the lock
            draft.unlink(missing_ok=True)
            fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
            try:
                with os.fdopen(fd, "wb") as raw:
                    with gzip.GzipFile(filename="", fileobj=raw, mode="wb", compresslevel=6, mtime=0) as target:
                        shutil.copyfileobj(source, target, CHUNK_BYTES)
                    raw.flush()
                    os.fsync(raw.fileno())
            except OSError:
                draft.unlink(missing_ok=True)  # a full disk needs the room
                raise
            if source.tell() != os.fstat(source.fileno()).st_size:
                draft.unlink()
                return
            draft.rename(packed)
        file.unlink()

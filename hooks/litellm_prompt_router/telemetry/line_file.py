"""A file of lines that several processes append to and anyone may rotate."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import stat
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from litellm_prompt_router.policy.written_files import names_device
from litellm_prompt_router.process_memory.bounded import register_memory
from litellm_prompt_router.telemetry.rotation import Rotation, rotated_path

FLAGS = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOFOLLOW
"""O_NONBLOCK makes a FIFO without a reader an error instead of a wait, O_NOFOLLOW a symlink one (ELOOP).
``/dev/stdout`` and the like are followed: they are the system's."""
ROTATED = ".1"
LOCK_SECONDS = 0.5
LOCK_PAUSE_SECONDS = 0.002


class LineFile:
    """Appends lines to ``path``, opened at the first write. For one thread; a fork may go on using it.

    Each batch is one write on an append descriptor, so lines of different processes don't mix; where the file
    system has locks it is made under one, so that nobody writes into a file that was moved, and a network file
    system appends at the end. Of a write that was cut short (a full disk) the torn line is cut off again, unless
    somebody wrote behind it; there, without a lock, or behind a process that died, the next line starts on a new one:
    a reader has to skip the torn one.

    An OSError leaves the batch in the backlog for the next ``append``. Lines that are pushed out of the backlog, or
    still wait at ``close``, go to ``overflow``, a file on another path; ``lost`` counts them where there is none, or
    it can't be written either. A file that a batch would take over
    ``max_bytes`` is moved to ``<path>.1`` first, in place of the one moved before it; with a ``rotation`` it is
    moved to a name of its own, and ``on_rotated`` called. New files are readable by their owner only; with
    ``is_private`` files found there become so.
    """

    def __init__(
        self,
        path: Path | str,
        *,
        backlog: int,
        max_bytes: int | None = None,
        rotation: Rotation | None = None,
        on_rotated: Callable[[], None] | None = None,
        is_private: bool = False,
        overflow: LineFile | None = None,
    ) -> None:
        self.written = 0
        self.overflowed = 0
        """Lines that are in ``overflow``."""
        self.lost = 0
        self.last_error: str | None = None
        """The latest failure's class and errno name, such as ``PermissionError EACCES``."""
        self._path = Path(path)
        self._is_device = names_device(self._path)
        self._limit = backlog
        self._max_bytes = max_bytes
        self._rotation = rotation
        self._on_rotated = on_rotated
        self._is_private = is_private
        self._overflow = overflow
        self._backlog: list[bytes] = []
        self._is_torn = False
        self._fd: int | None = None
        self._pid = os.getpid()
        register_memory(self, "lines not written yet", backlog, lambda it: len(it._backlog))

    def append(self, lines: Iterable[bytes]) -> None:
        """Appends what earlier calls left, then ``lines``, each with its newline. Raises nothing."""
        if self._pid != os.getpid():  # the backlog is the parent's to write
            self._pid = os.getpid()
            self._backlog = []
        pending = [*self._backlog, *lines]
        try:
            while pending:
                pending = self._append(pending)
        except OSError as error:
            self._failed(error)
        self._backlog = pending[max(0, len(pending) - self._limit) :]
        self._put_out(pending[: len(pending) - len(self._backlog)])

    @property
    def waiting(self) -> int:
        """Lines in the backlog."""
        return len(self._backlog)

    def close(self) -> None:
        """One last attempt at the backlog; what remains overflows. A later ``append`` opens the file again."""
        self.append(())
        waiting, self._backlog = self._backlog, []
        self._put_out(waiting)
        self._close()
        if self._overflow is not None:
            self._overflow.close()

    def pour_over(self) -> None:
        """Empties the backlog into ``overflow``, where there is one: this process may end at any time."""
        if self._overflow is not None:
            waiting, self._backlog = self._backlog, []
            self._put_out(waiting)

    @property
    def overflow_error(self) -> str | None:
        """``overflow``'s latest failure."""
        return None if self._overflow is None else self._overflow.last_error

    def _put_out(self, lines: list[bytes]) -> None:
        """Into ``overflow``, which keeps no backlog of its own; what it can't take is lost."""
        if self._overflow is None or not lines:
            self.lost += len(lines)
            return
        before = self._overflow.lost
        self._overflow.append(lines)
        missing = self._overflow.lost - before
        self.lost += missing
        self.overflowed += len(lines) - missing

    def _append(self, pending: list[bytes]) -> list[bytes]:
        """The lines that are not whole in the file after one write. Raises OSError."""
        data = b"".join(pending)
        has_moved = False
        while True:
            fd = self._descriptor()
            with _locked(fd) as is_locked:
                if is_locked and not self._is_current(fd):
                    continue
                if is_locked and not has_moved and self._is_due(fd, len(data)):
                    self._move(fd)
                    has_moved = True
                    continue
                head = b"\n" if self._is_torn or (is_locked and self._ends_torn(fd)) else b""
                size = os.fstat(fd).st_size
                written = os.write(fd, head + data)
                if is_locked and (torn := _torn_bytes(pending, written - len(head))):
                    written -= _cut(fd, torn, size + written)
                break
        self._is_torn = self._is_torn and written == 0
        if written <= len(head):
            raise OSError(errno.ENOSPC, "nothing was written")
        room = written - len(head)
        whole = 0
        while whole < len(pending) and room >= len(pending[whole]) - 1:  # the newline may follow
            room -= len(pending[whole])
            whole += 1
        self._is_torn = room != 0
        self.written += whole
        if has_moved and self._on_rotated is not None:
            self._on_rotated()
        return pending[whole:]

    def _descriptor(self) -> int:
        """The file at ``path``, opened again if another one stands there now."""
        if self._fd is not None:
            if self._is_current(self._fd):
                return self._fd
            self._close()
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._fd = os.open(self._path, FLAGS & ~os.O_NOFOLLOW if self._is_device else FLAGS, 0o600)
        if self._is_private:
            os.fchmod(self._fd, 0o600)
        self._is_torn = False
        return self._fd

    def _is_current(self, fd: int) -> bool:
        try:
            there = self._path.stat() if self._is_device else self._path.lstat()
            return os.path.samestat(os.fstat(fd), there)
        except OSError:
            return False  # opening says what is wrong

    def _ends_torn(self, fd: int) -> bool:
        """True when another process died in the middle of a line, and where that can't be read."""
        found = os.fstat(fd)
        if not stat.S_ISREG(found.st_mode) or found.st_size == 0 or self._is_device:
            return False
        try:
            reader = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        except OSError:
            return True
        try:
            return os.pread(reader, 1, found.st_size - 1) != b"\n"
        finally:
            os.close(reader)

    def _is_due(self, fd: int, coming: int) -> bool:
        found = os.fstat(fd)
        if self._is_device:
            return False
        if self._rotation is not None:
            return stat.S_ISREG(found.st_mode) and self._rotation.is_due(found, coming, time.time())
        return self._max_bytes is not None and found.st_size > 0 and found.st_size + coming > self._max_bytes

    def _move(self, fd: int) -> None:
        if self._rotation is not None:
            self._path.rename(rotated_path(self._path, os.fstat(fd).st_mtime))
        else:
            self._path.rename(f"{self._path}{ROTATED}")

    def _failed(self, error: OSError) -> None:
        name = errno.errorcode.get(error.errno or 0, "")
        self.last_error = f"{type(error).__name__} {name}".rstrip()

    def _close(self) -> None:
        fd, self._fd = self._fd, None
        if fd is not None:
            try:
                os.close(fd)
            except OSError as error:
                self._failed(error)


def _torn_bytes(pending: list[bytes], written: int) -> int:
    """How much of a line that isn't whole the first ``written`` bytes of ``pending`` end with."""
    for line in pending:
        if written < len(line):
            return max(0, written)
        written -= len(line)
    return 0


def _cut(fd: int, count: int, end: int) -> int:
    """``count`` if so many bytes could be taken off the file, which has to end at ``end``; else 0. Under the lock.

    A writer without the lock may have appended: what it wrote is not cut.
    """
    try:
        found = os.fstat(fd)
        if not stat.S_ISREG(found.st_mode) or found.st_size != end:
            return 0
        os.ftruncate(fd, end - count)
    except OSError:
        return 0
    return count


@contextlib.contextmanager
def _locked(fd: int) -> Iterator[bool]:
    """True under a lock that other writers respect; False where there is none to be had soon."""
    deadline = time.monotonic() + LOCK_SECONDS
    while True:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        except BlockingIOError:
            if time.monotonic() > deadline:
                yield False
                return
            time.sleep(LOCK_PAUSE_SECONDS)
        except OSError:
            yield False
            return
    try:
        yield True
    finally:
        with contextlib.suppress(OSError):  # what was written is written
            fcntl.flock(fd, fcntl.LOCK_UN)

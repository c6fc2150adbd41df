"""Lines of bytes -> a file that several processes append to and anyone may rotate."""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Iterable
from pathlib import Path

FLAGS = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK
"""O_NONBLOCK makes a FIFO without a reader an error instead of a wait."""
ROTATED = ".1"


class LineFile:
    """Appends lines to ``path``, opened at the first write. For one thread; a fork may go on using it.

    Each batch is one write on an append descriptor, so lines of different processes don't mix. After a write
    that was cut short (a full disk) the rest starts on a new line: a reader has to skip the torn one.

    An OSError leaves the batch in the backlog for the next ``append``. ``lost`` counts the lines that were
    pushed out of the backlog, or were still waiting at ``close``. A file that a batch would take over
    ``max_bytes`` is moved to ``<path>.1`` first, in place of the one moved before it. New files are readable by
    their owner only; with ``is_private`` files found there become so.
    """

    def __init__(
        self, path: Path | str, *, backlog: int, max_bytes: int | None = None, is_private: bool = False
    ) -> None:
        self.written = 0
        self.lost = 0
        self.last_error: str | None = None
        """The latest failure's class and errno name, such as ``PermissionError EACCES``."""
        self._path = Path(path)
        self._limit = backlog
        self._max_bytes = max_bytes
        self._is_private = is_private
        self._backlog: list[bytes] = []
        self._is_torn = False
        self._fd: int | None = None
        self._pid = os.getpid()

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
        self.lost += max(0, len(pending) - self._limit)
        self._backlog = pending[-self._limit :] if self._limit else []

    @property
    def waiting(self) -> int:
        """Lines in the backlog."""
        return len(self._backlog)

    def close(self) -> None:
        """One last attempt at the backlog; what remains is lost. A later ``append`` opens the file again."""
        self.append(())
        self.lost += len(self._backlog)
        self._backlog = []
        self._close()

    def _append(self, pending: list[bytes]) -> list[bytes]:
        """The lines that are not whole in the file after one write. Raises OSError."""
        fd = self._rotated(self._descriptor(), sum(map(len, pending)))
        head = b"\n" if self._is_torn else b""
        written = os.write(fd, head + b"".join(pending))
        if written == 0:
            raise OSError(errno.ENOSPC, "nothing was written")
        room = written - len(head)
        whole = 0
        while whole < len(pending) and room >= len(pending[whole]) - 1:  # the newline may follow
            room -= len(pending[whole])
            whole += 1
        self._is_torn = room != 0
        self.written += whole
        return pending[whole:]

    def _descriptor(self) -> int:
        """The file at ``path``, opened again if another one stands there now."""
        if self._fd is not None:
            try:
                if os.path.samestat(os.fstat(self._fd), self._path.stat()):
                    return self._fd
            except OSError:
                pass  # opening says what is wrong
            self._close()
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._fd = os.open(self._path, FLAGS, 0o600)
        if self._is_private:
            os.fchmod(self._fd, 0o600)
        self._is_torn = False
        return self._fd

    def _rotated(self, fd: int, coming: int) -> int:
        """A descriptor with room for that many bytes; of several processes that come here, one moves the file."""
        size = os.fstat(fd).st_size
        if self._max_bytes is None or size == 0 or size + coming <= self._max_bytes:
            return fd
        fcntl.flock(fd, fcntl.LOCK_EX)
        try:
            if os.path.samestat(os.fstat(fd), self._path.stat()):
                self._path.rename(f"{self._path}{ROTATED}")
        finally:
            fcntl.flock(fd, fcntl.LOCK_UN)
        return self._descriptor()

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

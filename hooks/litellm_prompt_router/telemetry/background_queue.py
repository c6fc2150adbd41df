"""From any thread to one thread of this process, without waiting. Knows nothing of what is handed over."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Any, Generic, NamedTuple, Protocol, TypeVar


class QueueConsumer(Protocol):
    """What the thread does. Raises nothing."""

    def take(self, item: Any, /) -> None: ...

    def tick(self) -> None:
        """Does what is due. Called behind each item, and when ``wait_seconds`` are over."""

    def wait_seconds(self) -> float | None:
        """Until the next ``tick`` at the latest; None: nothing is due before the next item."""

    def hurry(self) -> None:
        """From now on leaves nothing for later: the process may end at any time."""

    def finish(self, seconds: float, *, is_last: bool) -> None:
        """Brings all that was taken to its end, within so many seconds."""


W = TypeVar("W", bound=QueueConsumer)


class _Flush(NamedTuple):
    """``is_last``: the thread ends behind it."""

    deadline: float
    done: threading.Event
    is_last: bool


class _Hurry(NamedTuple):
    """Comes when the process is told to end."""


class Inbox:
    """What waits for the thread, ``limit`` items at most. What finds it full or closed is dropped and counted."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.dropped = 0
        self.queue: SimpleQueue[Any] = SimpleQueue()

    @property
    def waiting(self) -> int:
        return self.queue.qsize()


class _ProcessQueue(NamedTuple, Generic[W]):
    inbox: Inbox
    work: W
    thread: threading.Thread


class BackgroundQueue(Generic[W]):
    """One inbox, one thread and one ``QueueConsumer`` in each process.

    They start with the first item, and again in a forked child; what waits at the fork stays with the parent.
    """

    def __init__(self, make: Callable[[Inbox], W], *, limit: int, name: str) -> None:
        self._make = make
        self._limit = limit
        self._name = name
        self._lanes: dict[int, _ProcessQueue[W]] = {}
        self._is_closed = False

    def put(self, item: object) -> bool:
        """True if the thread gets it. Never waits."""
        inbox = self._own().inbox
        if self._is_closed or inbox.waiting >= self._limit:
            inbox.dropped += 1
            return False
        inbox.queue.put(item)
        return True

    def start(self) -> None:
        """Starts the thread ahead of the first item."""
        self._own()

    @property
    def work(self) -> W:
        """This process's; starts its thread."""
        return self._own().work

    def flush(self, timeout: float) -> bool:
        """True once all that was put is finished; False after ``timeout`` seconds."""
        return self._flush(timeout, is_last=False)

    def close(self, timeout: float) -> bool:
        """Flushes and ends the thread. Whatever is put later is dropped."""
        if self._is_closed:
            return True
        self._is_closed = True
        return self._flush(timeout, is_last=True)

    def hurry(self) -> None:
        """Tells the thread that the process is about to end. Waits for nothing: a signal's handler may call it."""
        lane = self._lanes.get(os.getpid())
        if lane is not None:
            lane.inbox.queue.put(_Hurry())

    def _own(self) -> _ProcessQueue[W]:
        """This process's lane. If several threads come first, the one whose lane got in starts it."""
        pid = os.getpid()
        lane = self._lanes.get(pid)
        if lane is None:
            inbox = Inbox(self._limit)
            work = self._make(inbox)
            thread = threading.Thread(target=_run, args=(inbox, work), name=self._name, daemon=True)
            fresh = _ProcessQueue(inbox, work, thread)
            lane = self._lanes.setdefault(pid, fresh)
            if lane is fresh:
                with contextlib.suppress(RuntimeError):  # the interpreter is ending: ``close`` does the work
                    thread.start()
        return lane

    def _flush(self, timeout: float, *, is_last: bool) -> bool:
        lane = self._lanes.get(os.getpid())
        if lane is None:
            return True
        flush = _Flush(time.monotonic() + timeout, threading.Event(), is_last)
        is_started = lane.thread.is_alive()  # asked first: a thread that takes the last flush at once is gone behind it
        lane.inbox.queue.put(flush)
        if is_last and not is_started:
            _run(lane.inbox, lane.work)
        return flush.done.wait(timeout)


def _run(inbox: Inbox, work: QueueConsumer) -> None:
    while True:
        try:
            item = inbox.queue.get(timeout=work.wait_seconds())
        except Empty:
            work.tick()
            continue
        if isinstance(item, _Flush):
            work.finish(max(0.0, item.deadline - time.monotonic()), is_last=item.is_last)
            item.done.set()
            if item.is_last:
                return
        elif isinstance(item, _Hurry):
            work.hurry()
        else:
            work.take(item)
        work.tick()

"""A fork-safe bounded queue with one consumer thread per process. Knows nothing of the items."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable, Iterator
from queue import Empty, SimpleQueue
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

from litellm_prompt_router.process_memory.bounded import register_memory


class QueueConsumer(Protocol):
    """What the thread does with items. Raises nothing."""

    def take(self, item: Any, /) -> None: ...

    def gather_seconds(self) -> float:
        """How long items may gather behind the first of them: the thread then wakes once for all of them."""

    def do_due_work(self) -> None:
        """Called behind items, and when ``wait_seconds`` are over."""

    def wait_seconds(self) -> float | None:
        """Until the next ``do_due_work`` at the latest; None: nothing is due before the next item."""

    def prepare_for_exit(self) -> None:
        """From now on leaves nothing for later: the process may end at any time."""

    def finish(self, seconds: float, *, is_last: bool) -> None:
        """Writes and sends what was taken, within so many seconds."""


C = TypeVar("C", bound=QueueConsumer)


class _FlushRequest(NamedTuple):
    """``is_last``: the thread ends behind it."""

    deadline: float
    done: threading.Event
    is_last: bool


class _ExitNotice(NamedTuple):
    """The process has been told to end."""


class BoundedQueue:
    """Items that wait for the thread, ``limit`` at most. One that finds it full or closed is dropped and counted."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.dropped = 0
        self.items: SimpleQueue[Any] = SimpleQueue()
        self._hurry: SimpleQueue[None] = SimpleQueue()  # putting into one is safe in a signal's handler
        register_memory(self, "records waiting for sinks", limit, lambda it: it.waiting)

    @property
    def waiting(self) -> int:
        return self.items.qsize()

    def hurry(self) -> None:
        """Ends the thread's gathering, now or the next time. Waits for nothing."""
        if self._hurry.empty():
            self._hurry.put(None)

    def gather(self, seconds: float) -> None:
        """Returns after so many seconds, or when told to hurry."""
        with contextlib.suppress(Empty):
            self._hurry.get(timeout=seconds)


class _ConsumerThread(NamedTuple, Generic[C]):
    queue: BoundedQueue
    consumer: C
    thread: threading.Thread


class BackgroundQueue(Generic[C]):
    """One queue, one thread and one ``QueueConsumer`` in each process.

    They start with the first item, and again in a forked child; what waits at the fork stays with the parent.
    """

    def __init__(self, make_consumer: Callable[[BoundedQueue], C], *, limit: int, name: str) -> None:
        self._make_consumer = make_consumer
        self._limit = limit
        self._name = name
        self._by_process: dict[int, _ConsumerThread[C]] = {}
        self._is_closed = False

    def put(self, item: object) -> bool:
        """True if the thread gets it. Never waits."""
        queue = self._of_this_process().queue
        if self._is_closed or queue.waiting >= self._limit:
            queue.dropped += 1
            return False
        queue.items.put(item)
        if 2 * queue.waiting >= self._limit:
            queue.hurry()
        return True

    def start(self) -> None:
        """Starts the thread ahead of the first item."""
        self._of_this_process()

    @property
    def consumer(self) -> C:
        """This process's; starts its thread."""
        return self._of_this_process().consumer

    def flush(self, timeout: float) -> bool:
        """True once all that was put is finished; False after ``timeout`` seconds."""
        return self._flush(timeout, is_last=False)

    def close(self, timeout: float) -> bool:
        """Flushes and ends the thread. Whatever is put later is dropped."""
        if self._is_closed:
            return True
        self._is_closed = True
        return self._flush(timeout, is_last=True)

    def prepare_for_exit(self) -> None:
        """Tells the thread that the process is about to end. Waits for nothing: a signal's handler may call it."""
        own = self._by_process.get(os.getpid())
        if own is not None:
            own.queue.items.put(_ExitNotice())
            own.queue.hurry()

    def _of_this_process(self) -> _ConsumerThread[C]:
        """Made at the first call. Of several threads that come first, one starts what it made."""
        pid = os.getpid()
        own = self._by_process.get(pid)
        if own is None:
            queue = BoundedQueue(self._limit)
            consumer = self._make_consumer(queue)
            thread = threading.Thread(target=_consume, args=(queue, consumer), name=self._name, daemon=True)
            fresh = _ConsumerThread(queue, consumer, thread)
            own = self._by_process.setdefault(pid, fresh)
            if own is fresh:
                with contextlib.suppress(RuntimeError):  # the interpreter is ending: ``close`` does the work
                    thread.start()
        return own

    def _flush(self, timeout: float, *, is_last: bool) -> bool:
        own = self._by_process.get(os.getpid())
        if own is None:
            return True
        flush = _FlushRequest(time.monotonic() + timeout, threading.Event(), is_last)
        is_started = own.thread.is_alive()  # asked first: a thread that takes the last flush at once is gone behind it
        own.queue.items.put(flush)
        own.queue.hurry()
        if is_last and not is_started:
            _consume(own.queue, own.consumer)
        return flush.done.wait(timeout)


def _consume(queue: BoundedQueue, consumer: QueueConsumer) -> None:
    while True:
        try:
            first = queue.items.get(timeout=consumer.wait_seconds())
        except Empty:
            consumer.do_due_work()
            continue
        if not isinstance(first, _FlushRequest | _ExitNotice) and (seconds := consumer.gather_seconds()) > 0:
            queue.gather(seconds)
        for item in _gathered(queue, first):
            if isinstance(item, _FlushRequest):
                consumer.finish(max(0.0, item.deadline - time.monotonic()), is_last=item.is_last)
                item.done.set()
                if item.is_last:
                    return
            elif isinstance(item, _ExitNotice):
                consumer.prepare_for_exit()
            else:
                consumer.take(item)
        consumer.do_due_work()


def _gathered(queue: BoundedQueue, first: Any) -> Iterator[Any]:
    """``first`` and what waits behind it now; what comes later waits until due work is done."""
    yield first
    for _ in range(queue.waiting):
        yield queue.items.get()

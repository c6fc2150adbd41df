"""One thread that makes calls in the order in which they came, while coroutines wait for what they return.

``loop.run_in_executor`` does the same with two futures a call and a lock in each: several times the work on the event
loop, on every request.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, NamedTuple, TypeVar

T = TypeVar("T")


class _WaitingCall(NamedTuple):
    call: Callable[[], Any]
    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[Any]

    def make(self) -> None:
        """Makes the call and has the loop settle the future; not where nobody waits any more."""
        if self.future.cancelled():
            return
        result, error = None, None
        try:
            result = self.call()
        except BaseException as raised:  # noqa: BLE001  (it is the waiting coroutine's)
            error = raised
        with contextlib.suppress(RuntimeError):  # the loop is closed
            self.loop.call_soon_threadsafe(_settle, self.future, result, error)


class AccountingThread:
    """Starts with the first call, and again in a forked child; ``close`` or the process's end ends it."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._waiting: SimpleQueue[_WaitingCall | None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._is_closed = False

    @property
    def is_started(self) -> bool:
        return self._thread is not None

    async def run(self, call: Callable[[], T]) -> T:
        """What the call returns or raises. One that is cancelled while it waits in line is not made.

        Raises RuntimeError once the thread is closed.
        """
        if self._is_closed:
            raise RuntimeError("the accounting thread is closed")
        if self._thread is None or not self._thread.is_alive():
            self._start()
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        self._waiting.put(_WaitingCall(call, loop, future))
        return await future

    def close(self) -> None:
        """Ends the thread once it has made the calls that it has."""
        self._is_closed = True
        atexit.unregister(self.close)
        if self._thread is not None and self._thread.is_alive():
            self._waiting.put(None)
            self._thread.join()

    def _start(self) -> None:
        self._waiting = SimpleQueue()  # the parent's may be locked
        self._thread = threading.Thread(target=_work, args=(self._waiting,), name=self._name, daemon=True)
        self._thread.start()
        atexit.unregister(self.close)
        atexit.register(self.close)


def _work(waiting: SimpleQueue[_WaitingCall | None]) -> None:
    while True:
        next_call = waiting.get()
        if next_call is None:
            return
        next_call.make()
        del next_call  # what it holds goes now, not with the next


def _settle(future: asyncio.Future[Any], result: object, error: BaseException | None) -> None:
    if future.cancelled():
        return
    if error is None:
        future.set_result(result)
    else:
        future.set_exception(error)

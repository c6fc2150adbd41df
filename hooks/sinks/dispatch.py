"""From the request to the sinks without waiting: a queue, and one thread in each process that uses it."""

from __future__ import annotations

import atexit
import contextlib
import importlib.metadata
import logging
import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from queue import Empty, SimpleQueue
from typing import NamedTuple, ParamSpec

from hooks.record import Record
from hooks.settings import Settings
from hooks.sinks.capture import Answered, Asked, Capture
from hooks.sinks.faults import Fault
from hooks.sinks.glitchtip import Glitchtip
from hooks.sinks.ledger import Ledger

DISTRIBUTION = "litellm-prompt-router"
BATCH_SECONDS = 0.2
"""A crash loses no more of the ledger than was submitted in this time."""
LOG_SECONDS = 60.0
FLUSH_SECONDS = 3.0
MAX_QUEUED_CAPTURE_BYTES = 64_000_000
CAPTURE_WARNING_SECONDS = 3_600.0

P = ParamSpec("P")
log = logging.getLogger(__name__)


class _Problem(NamedTuple):
    title: str
    lines: tuple[str, ...]
    key_alias: str | None


class _Flush(NamedTuple):
    """``is_last``: the thread ends behind it."""

    deadline: float
    done: threading.Event
    is_last: bool


class _Unfinished(NamedTuple):
    """A record that only the thread completes."""

    record: Record
    complete: Callable[[Record], Record]


_Item = Record | _Unfinished | _Problem | Fault | Asked | Answered | _Flush


class _Lane(NamedTuple):
    """One process's queue and the thread that empties it."""

    queue: SimpleQueue[_Item]
    thread: threading.Thread


@dataclass(frozen=True, kw_only=True, slots=True)
class Trouble:
    """What went wrong so far in this process.

    ``dropped``: items that found the queue full or closed. ``capture_lost``: lines missing in the capture file.
    ``faults``: exceptions in our own code, the sinks' included.
    """

    dropped: int
    ledger_lost: int
    ledger_error: str | None
    capture_lost: int = 0
    capture_error: str | None = None
    glitchtip_lost: Mapping[str, int]
    """By reason."""
    faults: int
    last_fault: str | None
    last_problem: str | None

    def __str__(self) -> str:
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return ", ".join(f"{name}: {value}" for name, value in values.items() if value)


class Dispatcher:
    """Hands records, problems and faults to the sinks of ``settings``, or to those given in their place.

    The ``submit`` methods never wait, do no I/O and raise nothing; with ``ledger.queue_size`` items waiting
    they drop and count. The thread starts at the first of them, and again in a forked child; what waits at
    the fork stays with the parent. Trouble is logged, once a minute at most. The end of the process closes
    the dispatcher.
    """

    def __init__(self, settings: Settings, *, ledger: Ledger | None = None, glitchtip: Glitchtip | None = None) -> None:
        path = settings.ledger.path
        self._ledger = ledger or (Ledger(path) if path is not None else None)
        self._glitchtip = glitchtip or Glitchtip(settings.glitchtip, _release())
        self._capture = Capture(settings.capture) if settings.capture.path is not None else None
        self._captures = settings.capture
        self._capture_dropped = 0
        self._capture_given = self._capture_taken = 0
        self._next_capture_warning = 0.0
        self._warn_of_capture()
        self._queue_size = settings.ledger.queue_size
        self._lanes: dict[int, _Lane] = {}
        self._is_closed = False
        self._dropped = 0
        self._faults = 0
        self._last_fault: str | None = None
        self._last_problem: str | None = None
        self._logged = ""
        self._next_log = 0.0
        atexit.register(self.close)

    def submit(self, record: Record, complete: Callable[[Record], Record] | None = None) -> None:
        """Queues a finished request. ``complete`` is called in the thread; if it fails, the record goes as it is."""
        self._put(record if complete is None else _Unfinished(record, complete))

    def submit_problem(self, title: str, lines: Sequence[str], key_alias: str | None = None) -> None:
        """Queues a configuration problem met in flight. ``title`` is fixed text without figures."""
        self._put(_Problem(title, tuple(lines), key_alias))

    def submit_error(self, error: BaseException, where: str) -> None:
        """Queues what may be told of a fault in our code; keeps neither the exception nor its frames."""
        self._put(Fault.of(error, where))

    def captures(self, key_alias: str | None) -> bool:
        """True when this key's requests are to be captured."""
        return self._capture is not None and key_alias in self._captures.keys

    def submit_asked(self, asked: Asked) -> None:
        """Queues a captured request, if there is room for its text."""
        is_full = self._capture_given - self._capture_taken + len(asked.request) > MAX_QUEUED_CAPTURE_BYTES
        if is_full or not self._put(asked):
            self._capture_dropped += 1
        else:
            self._capture_given += len(asked.request)

    def submit_answered(self, answered: Answered) -> None:
        """Queues what came of a captured request."""
        self._put(answered)

    def flush(self, timeout: float = FLUSH_SECONDS) -> bool:
        """True once all that was submitted is written, and sent or lost; False after ``timeout`` seconds."""
        return self._flush(timeout, is_last=False)

    def close(self, timeout: float = FLUSH_SECONDS) -> bool:
        """Flushes and ends the thread. Whatever is submitted later is dropped."""
        atexit.unregister(self.close)
        if self._is_closed:
            return True
        self._is_closed = True
        return self._flush(timeout, is_last=True)

    def trouble(self) -> Trouble:
        """What went wrong so far in this process."""
        counts = self._glitchtip.stats()
        return Trouble(
            dropped=self._dropped,
            ledger_lost=self._ledger.lost if self._ledger else 0,
            ledger_error=self._ledger.last_error if self._ledger else None,
            capture_lost=self._capture_dropped + (self._capture.lost if self._capture else 0),
            capture_error=self._capture.last_error if self._capture else None,
            glitchtip_lost=counts.lost,
            faults=self._faults + counts.faults,
            last_fault=self._last_fault,
            last_problem=self._last_problem,
        )

    # In any thread

    def _put(self, item: _Item) -> bool:
        lane = self._lane()
        if self._is_closed or lane.queue.qsize() >= self._queue_size:
            self._dropped += 1
            return False
        lane.queue.put(item)
        return True

    def _lane(self) -> _Lane:
        """This process's lane. If several threads come first, the one whose lane got in starts it."""
        pid = os.getpid()
        lane = self._lanes.get(pid)
        if lane is None:
            queue: SimpleQueue[_Item] = SimpleQueue()
            thread = threading.Thread(target=self._run, args=(queue,), name=DISTRIBUTION, daemon=True)
            fresh = _Lane(queue, thread)
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
        lane.queue.put(flush)
        if is_last and not lane.thread.is_alive():
            self._run(lane.queue)
        return flush.done.wait(timeout)

    # In the thread

    def _run(self, queue: SimpleQueue[_Item]) -> None:
        batch: list[Record] = []
        due = 0.0
        while True:
            try:
                item = queue.get(timeout=max(0.0, due - time.monotonic()) if batch else None)
            except Empty:
                self._write(batch)
                continue
            if isinstance(item, _Unfinished):
                item = self._completed(item)
            match item:
                case Record():
                    if not batch:
                        due = time.monotonic() + BATCH_SECONDS
                    batch.append(item)
                    self._send(item)
                case _Problem():
                    self._last_problem = f"{item.title}: {'; '.join(item.lines)}"
                    self._attempt(self._glitchtip.problem, item.title, item.lines, item.key_alias)
                case Fault():
                    self._faults += 1
                    self._last_fault = str(item)
                    self._attempt(self._glitchtip.fault, item)
                case Asked() | Answered():
                    self._attempt(self._take_down, item)
                case _Flush():
                    self._write(batch)
                    self._finish(item)
                    if item.is_last:
                        return
            if batch and time.monotonic() >= due:
                self._write(batch)
            self._attempt(self._log)

    def _completed(self, item: _Unfinished) -> Record:
        try:
            return item.complete(item.record)
        except Exception as error:  # noqa: BLE001  (the record is worth having without its estimate)
            fault = Fault.of(error, "accounting")
            self._faults += 1
            self._last_fault = str(fault)
            self._attempt(self._glitchtip.fault, fault)
            return replace(item.record, estimated_net_saved_reason="unavailable: error")

    def _send(self, record: Record) -> None:
        self._attempt(self._glitchtip.write, record)
        if record.facts.is_drift:
            self._attempt(self._glitchtip.drift, record)

    def _write(self, batch: list[Record]) -> None:
        """Empties ``batch`` into the ledger, and tells GlitchTip if the ledger can't be written."""
        if self._ledger is not None and batch:
            self._attempt(self._ledger.write, batch)
            if self._ledger.waiting:
                lines = (str(self._ledger.last_error),)
                self._attempt(self._glitchtip.problem, "Ledger not written", lines)
        batch.clear()

    def _take_down(self, item: Asked | Answered) -> None:
        if self._capture is None:
            return
        if isinstance(item, Asked):
            self._capture_taken += len(item.request)
            self._capture.ask(item, time.monotonic())
            self._warn_of_capture()
        else:
            self._capture.answer(item)

    def _warn_of_capture(self) -> None:
        """While capture is on, a line in the log at the start and every hour of traffic."""
        now = time.monotonic()
        if self._capture is not None and now >= self._next_capture_warning:
            self._next_capture_warning = now + CAPTURE_WARNING_SECONDS
            keys = ", ".join(sorted(self._captures.keys))
            log.warning("prompt router: capture is on: messages of %s are written to %s", keys, self._captures.path)

    def _finish(self, flush: _Flush) -> None:
        if self._capture is not None and flush.is_last:
            self._attempt(self._capture.close)
        if self._ledger is not None and flush.is_last:
            self._attempt(self._ledger.close)
        finish = self._glitchtip.close if flush.is_last else self._glitchtip.flush
        self._attempt(finish, max(0.0, flush.deadline - time.monotonic()))
        if flush.is_last:
            self._next_log = 0.0
            self._attempt(self._log)
        flush.done.set()

    def _log(self) -> None:
        """One line with all the trouble, when there is more of it than in the line before."""
        now = time.monotonic()
        if now < self._next_log:
            return
        text = str(self.trouble())
        if text != self._logged:
            self._logged, self._next_log = text, now + LOG_SECONDS
            log.warning("prompt router: %s", text)

    def _attempt(self, call: Callable[P, None], *args: P.args, **kwargs: P.kwargs) -> None:
        """``call``, kept from harming the other sink."""
        try:
            call(*args, **kwargs)
        except Exception as error:  # noqa: BLE001  (a dead sink is counted, the others go on)
            self._faults += 1
            self._last_fault = str(Fault.of(error, "sink"))


def _release() -> str:
    try:
        return f"{DISTRIBUTION}@{importlib.metadata.version(DISTRIBUTION)}"
    except importlib.metadata.PackageNotFoundError:
        return f"{DISTRIBUTION}@unknown"

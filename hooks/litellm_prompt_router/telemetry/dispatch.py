"""What hooks hand records and faults to, without waiting.

``Dispatcher`` puts them into a ``BackgroundQueue``; its one consumer thread is a ``Delivery``, which hands each item to
the ``Sinks`` that the settings switch on.
"""

from __future__ import annotations

import atexit
import importlib.metadata
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from litellm_prompt_router.policy.settings import Settings
from litellm_prompt_router.record.record import Record
from litellm_prompt_router.telemetry.background_queue import BackgroundQueue, BoundedQueue
from litellm_prompt_router.telemetry.capture import Capture, CapturedAnswer, CapturedRequest
from litellm_prompt_router.telemetry.delivery import Delivery, Item, Notice, Problem, warn_of_capture
from litellm_prompt_router.telemetry.exit_signal import call_on_exit_signal
from litellm_prompt_router.telemetry.faults import Fault
from litellm_prompt_router.telemetry.glitchtip import Glitchtip
from litellm_prompt_router.telemetry.ledger import Ledger
from litellm_prompt_router.telemetry.prometheus import prometheus_of
from litellm_prompt_router.telemetry.sinks import DeliveryFailures, Sinks
from litellm_prompt_router.telemetry.status_file import Identity, InForce

DISTRIBUTION = "litellm-prompt-router"
FLUSH_SECONDS = 3.0
MAX_QUEUED_CAPTURE_BYTES = 64_000_000


class Dispatcher:
    """Hands records, problems and faults to the sinks of ``settings``, or to those given in their place.

    The ``submit`` methods never wait, do no I/O and raise nothing; with ``ledger.queue_size`` items waiting they drop
    and count. The process's thread starts with the first item, or at once where status files are written. Failures are
    logged, once a minute at most. The end of the process closes the dispatcher.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        ledger: Ledger | None = None,
        glitchtip: Glitchtip | None = None,
    ) -> None:
        path = settings.ledger.path
        version = _version()
        self._captures = settings.capture
        sinks = Sinks(
            ledger=ledger or (Ledger(path, rotation=settings.ledger) if path is not None else None),
            glitchtip=glitchtip or Glitchtip(settings.glitchtip, f"{DISTRIBUTION}@{version}"),
            capture=Capture(settings.capture) if settings.capture.path is not None else None,
            prometheus=prometheus_of(settings.metrics),
        )
        if sinks.capture is not None:
            warn_of_capture(settings.capture.keys, settings.capture.path)
        self._is_capturing = sinks.capture is not None
        self._identity = Identity(version=version, in_force=lambda: InForce(default_mode=settings.mode))

        self._put_out: Callable[[], int] = lambda: 0

        def delivery(queue: BoundedQueue) -> Delivery:
            return Delivery(settings, sinks, self._identity, queue, lambda: self._put_out())

        self._queue = BackgroundQueue(delivery, limit=settings.ledger.queue_size, name=DISTRIBUTION)
        atexit.register(self.close)
        call_on_exit_signal(self._queue.prepare_for_exit)
        if settings.status_folder is not None:
            self._queue.start()

    def submit(self, record: Record) -> None:
        """Queues a finished request."""
        if not self._put(record):
            self._queue.consumer.dropped_records += 1

    def submit_problem(
        self, title: str, lines: Sequence[str], key_alias: str | None = None, *, once: str | None = None
    ) -> None:
        """Queues a configuration problem met in flight. ``title`` is fixed text without figures.

        ``once``: the same in every process that meets this problem, so that GlitchTip keeps one event of them all.
        """
        self._put(Problem(title, tuple(lines), key_alias, once))

    def submit_notice(self, name: str, title: str, context: Mapping[str, Any]) -> None:
        """Queues something that people should know of and that is no trouble."""
        self._put(Notice(name, title, context))

    def submit_error(self, error: BaseException, where: str) -> None:
        """Queues what may be told of a fault in our code; keeps neither the exception nor its frames."""
        self._put(Fault.of(error, where))

    def is_captured(self, key_alias: str | None) -> bool:
        """True when this key's requests are to be captured."""
        return self._is_capturing and key_alias in self._captures.keys

    def submit_captured_request(self, captured: CapturedRequest) -> None:
        """Queues a captured request, if there is room for its text."""
        delivery = self._queue.consumer
        is_full = delivery.capture_given - delivery.capture_taken + len(captured.request) > MAX_QUEUED_CAPTURE_BYTES
        if is_full or not self._put(captured):
            delivery.capture_dropped += 1
        else:
            delivery.capture_given += len(captured.request)

    def submit_captured_answer(self, captured: CapturedAnswer) -> None:
        """Queues the response to a captured request, or that there was none."""
        self._put(captured)

    def report_in_force(self, in_force: Callable[[], InForce]) -> None:
        """Sets the function that tells ``status`` what is in force; it is called in the dispatcher's thread."""
        self._identity.in_force = in_force

    def report_put_out(self, put_out: Callable[[], int]) -> None:
        """Sets the function that counts requests whose facts went before their end was told: they have no record."""
        self._put_out = put_out

    def flush(self, timeout: float = FLUSH_SECONDS) -> bool:
        """True once all that was submitted is written, and sent or lost; False after ``timeout`` seconds."""
        return self._queue.flush(timeout)

    def close(self, timeout: float = FLUSH_SECONDS) -> bool:
        """Flushes and ends the thread. Whatever is submitted later is dropped."""
        atexit.unregister(self.close)
        return self._queue.close(timeout)

    def failures(self) -> DeliveryFailures:
        """What went wrong so far in this process."""
        return self._queue.consumer.failures()

    def status(self) -> dict[str, Any]:
        """How this worker is, in plain JSON types: ``docs/status.md`` tells the fields."""
        return self._queue.consumer.status()

    def _put(self, item: Item) -> bool:
        return self._queue.put(item)


def _version() -> str:
    try:
        return importlib.metadata.version(DISTRIBUTION)
    except importlib.metadata.PackageNotFoundError:
        return "unknown"

"""Hands each submitted item to the sinks it is for, and counts and watches records. In the dispatcher's thread."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from typing import Any, NamedTuple, ParamSpec

from litellm_prompt_router.documents.shown_text import MAX_NAME_CHARS, one_line
from litellm_prompt_router.policy.settings import Settings
from litellm_prompt_router.process_memory.bounded import bounded_memories
from litellm_prompt_router.record.record import Record
from litellm_prompt_router.telemetry.alerts import AlertWatch
from litellm_prompt_router.telemetry.background_queue import BoundedQueue
from litellm_prompt_router.telemetry.capture import CapturedAnswer, CapturedRequest
from litellm_prompt_router.telemetry.counters import Counters
from litellm_prompt_router.telemetry.faults import Fault
from litellm_prompt_router.telemetry.lost_records import LossTeller, LostRecords
from litellm_prompt_router.telemetry.sinks import DeliveryFailures, Sinks, sink_states
from litellm_prompt_router.telemetry.status_file import STATUS_SECONDS, Identity, StatusFile

RECORDS_A_TURN, TURN_SECONDS = 4, 0.0005
"""So many records are handled at a time, and requests may go on in between: they share one interpreter."""
BATCH_SECONDS = 0.2
"""A crash loses no more of the ledger than was submitted in this time."""
POST_SECONDS = 1.0
"""A crash loses no more of GlitchTip's events than came in this time and ``BATCH_SECONDS``."""
LOG_SECONDS = 60.0
RETRY_SECONDS, MAX_RETRY_SECONDS = 1.0, 30.0
"""The ledger's backlog is tried again after so long; each failure doubles it."""
CAPTURE_WARNING_SECONDS = 3_600.0

P = ParamSpec("P")
log = logging.getLogger(__name__)


class Problem(NamedTuple):
    """A configuration problem met in flight. ``title`` is fixed text without figures."""

    title: str
    lines: tuple[str, ...]
    key_alias: str | None
    once: str | None = None
    """The same in every process that meets it, so that GlitchTip keeps one event of them all."""


class Notice(NamedTuple):
    """Something that people should know of and that is no trouble. ``title`` is fixed text, ``name`` a fixed word."""

    name: str
    title: str
    context: Mapping[str, Any]


Item = Record | Problem | Notice | Fault | CapturedRequest | CapturedAnswer


class Delivery:
    """Takes the items of one process, in its thread. A sink's failure harms no other sink."""

    def __init__(
        self, settings: Settings, sinks: Sinks, identity: Identity, queue: BoundedQueue, put_out: Callable[[], int]
    ) -> None:
        self._sinks = sinks
        self._queue = queue
        self._identity = identity
        self._capture_settings = settings.capture
        self._batch: list[Record] = []
        self._post_due: float | None = None
        self._unwritten_since: float | None = None
        self._retry_due: float | None = None
        self._retry_seconds = RETRY_SECONDS
        self._is_ending = False
        self._put_out = put_out
        self._teller = LossTeller(sinks.glitchtip.lost_records)
        self._counters = Counters()
        self._alerts = settings.alerts
        self._watch = AlertWatch(settings.alerts, time.monotonic())
        self._window_due = time.monotonic() + settings.alerts.window_seconds
        self._status = StatusFile(folder, identity) if (folder := settings.status_folder) is not None else None
        self._status_due = 0.0
        self._batch_seconds = BATCH_SECONDS
        self._next_capture_warning = time.monotonic() + CAPTURE_WARNING_SECONDS
        self._faults = 0
        self._last_fault: str | None = None
        self._last_problem: str | None = None
        self._logged = ""
        self._next_log = 0.0
        self.capture_dropped = 0
        """Counted by those who submit, like ``capture_given``: bytes of captured requests that were queued."""
        self.capture_given = 0
        self.capture_taken = 0
        self.dropped_records = 0
        """Counted by those who submit."""

    # Called in the dispatcher's thread

    def take(self, item: Item, /) -> None:
        """Hands one item to the sinks it is for."""
        match item:
            case Record():
                if self._unwritten_since is None:
                    self._unwritten_since = time.monotonic()
                self._batch.append(item)
            case Problem():
                self._last_problem = f"{item.title}: {'; '.join(item.lines)}"
                self._counters.add_error("problem", self._last_problem, time.time())
                self._attempt(self._sinks.glitchtip.problem, item.title, item.lines, item.key_alias, item.once)
            case Notice():
                self._attempt(self._sinks.glitchtip.notice, item.name, item.title, item.context)
            case Fault():
                self._fault(item)
                self._attempt(self._sinks.glitchtip.fault, item)
            case CapturedRequest() | CapturedAnswer():
                self._attempt(self._capture, item)

    def gather_seconds(self) -> float:
        """How long records may gather behind the first of them."""
        return self._batch_seconds

    def do_due_work(self) -> None:
        """Hands over the records that were taken, and does what is due by now."""
        self._deliver()
        now = time.monotonic()
        if self._retry_due is not None and now >= self._retry_due:
            self._write()
        if self._post_due is not None and now >= self._post_due:
            self._post()
        if now >= self._window_due:
            self._window_due = now + self._alerts.window_seconds
            self._attempt(self._close_window, now)
        if self._status is not None and not self._is_ending and now >= self._status_due:
            self._status_due = now + STATUS_SECONDS
            self._attempt(self._write_status, self._status)
        self._attempt(self._tell_lost, is_now=self._is_ending)
        if self._is_ending:
            self._attempt(self._end_status)
        self._attempt(self._log)

    def wait_seconds(self) -> float | None:
        """Until the next ``do_due_work`` at the latest."""
        due = list(self._due())
        return max(0.0, min(due) - time.monotonic()) if due else None

    def prepare_for_exit(self) -> None:
        """Writes what was taken, from now on each record as it comes, and takes the status file away.

        What the ledger can't take goes into the overflow file at once. Where records are lost, the file stays.
        """
        self._batch_seconds, self._is_ending = 0.0, True
        self._deliver()
        if self._retry_due is not None:
            self._write()
        self._attempt(self._tell_lost, is_now=True)
        self._post()
        self._attempt(self._end_status)

    def finish(self, seconds: float, *, is_last: bool) -> None:
        """Writes and sends all that was taken."""
        deadline = time.monotonic() + seconds
        self._deliver()
        if is_last:
            self._is_ending = True
            for sink in (self._sinks.capture, self._sinks.ledger):
                if sink is not None:
                    self._attempt(sink.close)
            self._attempt(self._tell_lost, is_now=True)
        end = self._sinks.glitchtip.close if is_last else self._sinks.glitchtip.flush
        self._attempt(end, max(0.0, deadline - time.monotonic()))
        if is_last:
            self._next_log = 0.0
            self._attempt(self._log)
            self._attempt(self._end_status)

    # Called in any thread

    def failures(self) -> DeliveryFailures:
        """What went wrong so far in this process."""
        ledger, capture, counts = self._sinks.ledger, self._sinks.capture, self._sinks.glitchtip.stats()
        return DeliveryFailures(
            dropped=self._queue.dropped,
            ledger_lost=ledger.lost if ledger else 0,
            ledger_error=ledger.last_error if ledger else None,
            capture_lost=self.capture_dropped + (capture.lost if capture else 0),
            capture_error=capture.last_error if capture else None,
            status_error=self._status.last_error if self._status else None,
            glitchtip_lost=counts.lost,
            faults=self._faults + counts.faults,
            last_fault=self._last_fault,
            last_problem=self._last_problem,
        )

    def lost_records(self) -> LostRecords:
        """Records that are in no file, or won't be if the process ends now."""
        ledger = self._sinks.ledger
        return LostRecords(
            ledger=ledger.lost if ledger else 0,
            queue=self.dropped_records,
            in_flight=self._put_out(),
            at_end=ledger.waiting if ledger and self._is_ending else 0,
        )

    def status(self) -> dict[str, Any]:
        """How this worker is, in plain JSON types: ``docs/status.md`` tells the fields."""
        since, queue = self._unwritten_since, self._queue
        lag_seconds = time.monotonic() - since if since is not None else 0.0
        return {
            **self._identity.to_dict(),
            "written_seconds": time.time(),
            "has_ended": self._is_ending,
            "lost_records": self.lost_records().to_dict(),
            "keys": self._counters.keys(),
            "counters": self._counters.to_dict(),
            "last_errors": self._counters.errors(),
            "queue": {"waiting": queue.waiting, "limit": queue.limit, "dropped": queue.dropped},
            "memories": [asdict(memory) for memory in bounded_memories()],
            **sink_states(self._sinks, self.failures(), batched=len(self._batch), lag_seconds=lag_seconds),
        }

    # Parts of the above

    def _due(self) -> Iterable[float]:
        if self._post_due is not None:
            yield self._post_due
        if self._retry_due is not None:
            yield self._retry_due
        if (told := self._teller.due) is not None:
            yield told
        if self._alerts.enabled:
            yield self._window_due
        if self._status is not None and not self._is_ending:
            yield self._status_due

    def _deliver(self) -> None:
        """Empties the batch into every sink. What GlitchTip is to get waits for ``_post``."""
        if not self._batch:
            return
        for number, record in enumerate(self._batch):
            if number and number % RECORDS_A_TURN == 0 and self._batch_seconds:
                time.sleep(TURN_SECONDS)
            self._count(record)
        self._write()
        if self._post_due is None:
            self._post_due = time.monotonic() + (POST_SECONDS if self._batch_seconds else 0.0)

    def _count(self, record: Record) -> None:
        glitchtip, prometheus = self._sinks.glitchtip, self._sinks.prometheus
        self._attempt(self._counters.add, record)
        self._attempt(self._watch.add, record)
        if prometheus is not None:
            self._attempt(prometheus.write, record)
        self._attempt(glitchtip.write, record)
        if record.facts.is_drift:
            self._attempt(glitchtip.drift, record)
        if record.facts.is_held_back:
            self._attempt(glitchtip.unreviewed, record)

    def _post(self) -> None:
        self._post_due = None
        self._attempt(self._sinks.glitchtip.post)

    def _write(self) -> None:
        """Empties the batch into the ledger, and tells GlitchTip if the ledger can't be written."""
        ledger, batch = self._sinks.ledger, self._batch
        if ledger is not None:
            self._attempt(ledger.write, batch)
            if ledger.waiting:
                lines = (str(ledger.last_error),)
                self._attempt(self._sinks.glitchtip.problem, "Ledger not written", lines)
                if self._is_ending:
                    self._attempt(ledger.pour_over)
        self._batch = []
        if ledger is None or not ledger.waiting:
            self._unwritten_since = None
            self._retry_due, self._retry_seconds = None, RETRY_SECONDS
        else:
            self._retry_due = time.monotonic() + self._retry_seconds
            self._retry_seconds = min(2 * self._retry_seconds, MAX_RETRY_SECONDS)

    def _write_status(self, file: StatusFile) -> None:
        file.write(self.status())

    def _end_status(self) -> None:
        """The status file goes with its worker, unless it tells of lost records."""
        if self._status is None:
            return
        if self.lost_records().total:
            self._status.write_last(self.status())
        else:
            self._status.remove()

    def _tell_lost(self, *, is_now: bool) -> None:
        ledger = self._sinks.ledger
        self._teller.tell(self.lost_records(), ledger.last_error if ledger else None, is_now=is_now)

    def _close_window(self, now: float) -> None:
        for alert in self._watch.close(now, self.failures().lost()) if self._alerts.enabled else ():
            self._counters.add_alert(alert.name, alert.summary, time.time())
            self._attempt(self._sinks.glitchtip.alert, alert)
            if self._sinks.prometheus is not None:
                self._attempt(self._sinks.prometheus.alert, alert)

    def _capture(self, item: CapturedRequest | CapturedAnswer) -> None:
        capture = self._sinks.capture
        if capture is None:
            return
        if isinstance(item, CapturedRequest):
            self.capture_taken += len(item.request)
            capture.add_request(item, time.monotonic())
            now = time.monotonic()
            if now >= self._next_capture_warning:
                self._next_capture_warning = now + CAPTURE_WARNING_SECONDS
                warn_of_capture(self._capture_settings.keys, self._capture_settings.path)
        else:
            capture.add_answer(item)

    def _log(self) -> None:
        """Logs all failures in one line, where they are others than in the line before."""
        now = time.monotonic()
        if now < self._next_log:
            return
        failures = self.failures()
        if self._sinks.prometheus is not None:
            self._sinks.prometheus.losses(failures.lost())
        text = str(failures)
        if text != self._logged:
            self._logged, self._next_log = text, now + LOG_SECONDS
            log.warning("prompt router: %s", one_line(text))

    def _fault(self, fault: Fault) -> None:
        self._faults += 1
        self._last_fault = str(fault)
        self._watch.add_fault()
        self._counters.add_error("fault", self._last_fault, time.time())
        if self._sinks.prometheus is not None:
            self._attempt(self._sinks.prometheus.fault, fault.where)

    def _attempt(self, call: Callable[P, None], *args: P.args, **kwargs: P.kwargs) -> None:
        """``call``, kept from harming the other sinks."""
        try:
            call(*args, **kwargs)
        except Exception as error:  # noqa: BLE001  (a dead sink is counted, the others go on)
            self._faults += 1
            self._last_fault = str(Fault.of(error, "sink"))


def warn_of_capture(keys: Iterable[str], path: object) -> None:
    """A line in the log while capture is on, at the start and every hour of traffic."""
    log.warning(
        "prompt router: capture is on: messages of %s are written to %s",
        ", ".join(one_line(key, MAX_NAME_CHARS) for key in sorted(keys)),
        one_line(str(path)),
    )

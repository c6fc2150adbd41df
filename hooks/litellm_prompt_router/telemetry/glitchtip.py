"""Records, drift and faults -> GlitchTip. Sentry's SDK is imported where there is somewhere to send to."""

from __future__ import annotations

import functools
import math
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec

from litellm_prompt_router.policy.settings import GlitchtipSettings
from litellm_prompt_router.record.record import Record
from litellm_prompt_router.telemetry import glitchtip_events
from litellm_prompt_router.telemetry.alerts import Alert
from litellm_prompt_router.telemetry.faults import Fault
from litellm_prompt_router.telemetry.glitchtip_events import plain, tag_text

if TYPE_CHECKING:
    from sentry_sdk.transport import Transport

    from litellm_prompt_router.telemetry.glitchtip_transport import CountingTransport, GlitchtipProject

ONCE_SECONDS = 3_600.0
MAX_ONCE_KEYS = 1_000
FAULTS_PER_MINUTE = 20

P = ParamSpec("P")


@dataclass(frozen=True, kw_only=True, slots=True)
class EventCounts:
    """Events of this process so far. ``lost`` is by reason; ``pending`` is neither sent nor lost.

    ``suppressed``: faults above the rate limit. ``faults``: calls of the sink that failed in our own code.
    """

    sent: int
    lost: Mapping[str, int]
    pending: int
    suppressed: int
    faults: int


def _guarded(method: Callable[Concatenate[Glitchtip, P], None]) -> Callable[Concatenate[Glitchtip, P], None]:
    """``method`` with every exception counted instead of raised."""

    @functools.wraps(method)
    def guarded(self: Glitchtip, /, *args: P.args, **kwargs: P.kwargs) -> None:
        try:
            method(self, *args, **kwargs)
        except Exception:  # noqa: BLE001  (sinks never raise)
            self._faults += 1

    return guarded


class Glitchtip:
    """Sends requests to ``dsn``, and what somebody should look at to ``errors_dsn`` if there is one.

    Without a DSN nothing happens. For one thread; after a fork the child connects anew. ``clock``: monotonic
    seconds.
    """

    def __init__(
        self,
        settings: GlitchtipSettings,
        release: str,
        transport: type[Transport] | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._alarm_dsn = settings.errors_dsn or settings.dsn
        self._release = tag_text(release) or "unknown"
        self._transport = transport
        self._clock = clock
        self._projects: dict[tuple[int, str], GlitchtipProject] = {}
        self._closed: list[CountingTransport] = []
        self._once: dict[object, float] = {}
        self._minute = -math.inf
        self._faults_this_minute = 0
        self._suppressed_since = 0
        self._suppressed = 0
        self._faults = 0
        if self._alarm_dsn is not None:  # now, because a later import would hold up requests
            from litellm_prompt_router.telemetry import glitchtip_transport  # noqa: F401

    @_guarded
    def write(self, record: Record) -> None:
        """Gathers one request for ``post``, if it is in the sample: three events and a transaction; a passthrough one.

        A request that is off sends nothing.
        """
        facts = record.facts
        if self._settings.dsn is None or facts.is_off:
            return
        if glitchtip_events.is_sampled(facts.caller.request_id, self._settings.sample_rate):
            self._project(self._settings.dsn).gather(glitchtip_events.request_bodies(record))

    @_guarded
    def post(self) -> None:
        """Sends what was gathered, in one envelope."""
        for project in self._own_projects():
            project.post()

    @property
    def gathered(self) -> int:
        """Events that wait for ``post``."""
        return sum(project.gathered for project in self._own_projects())

    @_guarded
    def drift(self, record: Record) -> None:
        """Reports a prompt that is a profile's but for some of it, or nearly, once an hour a profile version."""
        if self._alarm_dsn and self._is_first(glitchtip_events.drift_key(record)):
            self._send(self._alarm_dsn, glitchtip_events.drift_event(record))

    @_guarded
    def unreviewed(self, record: Record) -> None:
        """Reports a profile whose requests are held in shadow until somebody reviews it, once an hour a version."""
        if self._alarm_dsn and self._is_first(glitchtip_events.unreviewed_key(record)):
            self._send(self._alarm_dsn, glitchtip_events.unreviewed_event(record))

    @_guarded
    def problem(
        self, title: str, path_lines: Sequence[str], key_alias: str | None = None, once: str | None = None
    ) -> None:
        """Reports a configuration problem met in flight, once an hour for each content and key.

        ``title`` is fixed text without figures.
        """
        if self._alarm_dsn and self._is_first(("problem", title, key_alias, *path_lines)):
            self._send(self._alarm_dsn, glitchtip_events.problem_event(title, path_lines, key_alias, once))

    @_guarded
    def notice(self, name: str, title: str, context: Mapping[str, Any]) -> None:
        """Sends what people should know of; whoever tells it does so once."""
        if self._settings.dsn is not None:
            self._send(self._settings.dsn, glitchtip_events.notice_event(name, title, context))

    @_guarded
    def lost_records(self, context: Mapping[str, Any]) -> None:
        """Reports records that were lost; whoever tells it does so once a minute at most."""
        if self._alarm_dsn:
            self._send(self._alarm_dsn, glitchtip_events.lost_records_event(context))

    @_guarded
    def alert(self, alert: Alert) -> None:
        """Reports an alert; whoever raises it does so once a window."""
        if self._alarm_dsn:
            self._send(self._alarm_dsn, glitchtip_events.alert_event(alert))

    @_guarded
    def error(self, error: BaseException, where: str) -> None:
        """Reports a fault in our code, without the exception's message. ``where`` is a fixed word."""
        if self._alarm_dsn:
            self.fault(Fault.of(error, where))

    @_guarded
    def fault(self, fault: Fault) -> None:
        """``error`` for a fault taken down earlier. Above the rate limit it is only counted."""
        if not self._alarm_dsn:
            return
        now = self._clock()
        if now - self._minute >= 60:
            self._minute, self._faults_this_minute = now, 0
        if self._faults_this_minute >= FAULTS_PER_MINUTE:
            self._suppressed += 1
            self._suppressed_since += 1
            return
        self._faults_this_minute += 1
        self._send(self._alarm_dsn, glitchtip_events.fault_event(fault, self._suppressed_since))
        self._suppressed_since = 0

    @_guarded
    def flush(self, timeout: float) -> None:
        """Waits until everything is sent or lost, for ``timeout`` seconds at most."""
        deadline = time.monotonic() + timeout
        for project in self._own_projects():
            project.flush(max(0.0, deadline - time.monotonic()))

    @_guarded
    def close(self, timeout: float) -> None:
        """Flushes, then disconnects. A later call connects again."""
        self.flush(timeout)
        for project in self._own_projects():
            project.close()
            if project.counts is not None:
                self._closed.append(project.counts)
        self._projects.clear()

    @property
    def is_on(self) -> bool:
        """True if there is somewhere to send to."""
        return self._alarm_dsn is not None

    def stats(self) -> EventCounts:
        """What became of the events so far."""
        transports = [*self._closed, *(project.counts for project in self._own_projects() if project.counts)]
        return EventCounts(
            sent=sum(transport.sent for transport in transports),
            lost=dict(sum((transport.lost for transport in transports), Counter[str]())),
            pending=sum(transport.pending for transport in transports) + self.gathered,
            suppressed=self._suppressed,
            faults=self._faults,
        )

    def _is_first(self, key: object) -> bool:
        """True once an hour for each key, and for so many keys at most."""
        now = self._clock()
        self._once = {known: since for known, since in self._once.items() if now - since < ONCE_SECONDS}
        if key in self._once or len(self._once) >= MAX_ONCE_KEYS:
            return False
        self._once[key] = now
        return True

    def _send(self, dsn: str, event: Mapping[str, Any]) -> None:
        self._project(dsn).send(plain(event))

    def _project(self, dsn: str) -> GlitchtipProject:
        key = (os.getpid(), dsn)
        project = self._projects.get(key)
        if project is None:
            from litellm_prompt_router.telemetry.glitchtip_transport import CountingTransport, GlitchtipProject

            project = GlitchtipProject(dsn, self._settings, self._release, self._transport or CountingTransport)
            self._projects[key] = project
        return project

    def _own_projects(self) -> Iterator[GlitchtipProject]:
        """Not those of the process that this one forked from: their queues are its own, their locks stuck."""
        return (project for (pid, _), project in list(self._projects.items()) if pid == os.getpid())

"""Records, drift and faults -> GlitchTip, over Sentry clients that share nothing with LiteLLM's."""

from __future__ import annotations

import functools
import math
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Concatenate, NamedTuple, ParamSpec, cast

import sentry_sdk
import urllib3
from sentry_sdk.envelope import Envelope
from sentry_sdk.transport import HttpTransport, Transport
from sentry_sdk.types import Event

from litellm_prompt_router.policy.settings import GlitchtipSettings
from litellm_prompt_router.record.record import Record
from litellm_prompt_router.telemetry import glitchtip_events
from litellm_prompt_router.telemetry.alerts import Alert
from litellm_prompt_router.telemetry.faults import Fault
from litellm_prompt_router.telemetry.glitchtip_events import plain, tag_text

SERVER_NAME = "prompt-router"
"""Sent instead of the host name, which is the SDK's default."""
ONCE_SECONDS = 3_600.0
MAX_ONCE_KEYS = 1_000
FAULTS_PER_MINUTE = 20

P = ParamSpec("P")


class CountingTransport(HttpTransport):
    """Sends envelopes of one event each, and knows what became of every one of them.

    Some servers close kept-alive connections unannounced, so a broken post is tried again on a fresh one.
    The tries are ours because urllib3 logs a warning for each of its own, and three for each event would fill
    the proxy's log while GlitchTip is down.
    """

    TIMEOUT = 10
    PAUSES_SECONDS = (0.0, 0.1, 0.2)

    def __init__(self, options: dict[str, Any]) -> None:
        self.captured = 0
        self.sent = 0
        self.lost: Counter[str] = Counter()
        """By reason: network, full_queue, status_<code>, self_rate_limits (held back after a 429)."""
        super().__init__(options)

    def capture_envelope(self, envelope: Envelope) -> None:
        self.captured += 1
        super().capture_envelope(envelope)

    def on_dropped_event(self, _reason: str) -> None:
        """Called by the SDK once for each event given up. (``record_lost_event`` isn't called for a 429.)"""
        self.lost[_reason] += 1

    def _get_pool_options(self) -> dict[str, Any]:
        # With urllib3 in charge of Retry-After, a 429 would raise, and the SDK never hold back.
        retries = urllib3.Retry(
            total=None, connect=0, read=0, other=0, status=0, redirect=3, respect_retry_after_header=False
        )
        return {**super()._get_pool_options(), "retries": retries}

    def _request(self, *args: Any, **kwargs: Any) -> Any:
        for pause in self.PAUSES_SECONDS:
            try:
                return self._counted(super()._request(*args, **kwargs))
            except urllib3.exceptions.HTTPError:
                time.sleep(pause)
        return self._counted(super()._request(*args, **kwargs))

    def _counted(self, response: Any) -> Any:
        if 200 <= response.status < 300:
            self.sent += 1
        return response


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


class _Project(NamedTuple):
    """A client and its transport, unless that isn't of the counting kind."""

    client: sentry_sdk.Client
    transport: CountingTransport | None


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
        self._transport = transport or CountingTransport
        self._clock = clock
        self._lines: dict[tuple[int, str], _Project] = {}
        self._closed: list[CountingTransport] = []
        self._once: dict[object, float] = {}
        self._minute = -math.inf
        self._faults_this_minute = 0
        self._suppressed_since = 0
        self._suppressed = 0
        self._faults = 0

    @_guarded
    def write(self, record: Record) -> None:
        """Sends one request, if it is in the sample: three events and a transaction; a passthrough one event.

        A request that is off sends nothing.
        """
        facts = record.facts
        if self._settings.dsn is None or facts.is_off:
            return
        if glitchtip_events.is_sampled(facts.caller.request_id, self._settings.sample_rate):
            for event in glitchtip_events.request_events(record):
                self._send(self._settings.dsn, event)

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
        for line in self._own_lines():
            line.client.flush(timeout=max(0.0, deadline - time.monotonic()))

    @_guarded
    def close(self, timeout: float) -> None:
        """Flushes, then disconnects. A later call connects again."""
        self.flush(timeout)
        for line in self._own_lines():
            line.client.close(timeout=0)
            if line.transport is not None:
                self._closed.append(line.transport)
        self._lines.clear()

    @property
    def is_on(self) -> bool:
        """True if there is somewhere to send to."""
        return self._alarm_dsn is not None

    def stats(self) -> EventCounts:
        """What became of the events so far."""
        transports = [*self._closed, *(line.transport for line in self._own_lines() if line.transport)]
        lost = sum((transport.lost for transport in transports), Counter[str]())
        sent = sum(transport.sent for transport in transports)
        return EventCounts(
            sent=sent,
            lost=dict(lost),
            pending=sum(transport.captured for transport in transports) - sent - lost.total(),
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
        key = (os.getpid(), dsn)
        if key not in self._lines:
            client = self._connect(dsn)
            transport = client.transport
            self._lines[key] = _Project(client, transport if isinstance(transport, CountingTransport) else None)
        self._lines[key].client.capture_event(cast(Event, plain(event)))

    def _own_lines(self) -> Iterator[_Project]:
        """Not those of the process that this one forked from: their queues are its own, their locks stuck."""
        return (line for (pid, _), line in list(self._lines.items()) if pid == os.getpid())

    def _connect(self, dsn: str) -> sentry_sdk.Client:
        # Events are captured without a scope and no integration is on, so nothing is sent that isn't in them.
        # send_default_pii is off unless set, and setting it warns of its deprecation (2.75).
        return sentry_sdk.Client(
            dsn=dsn,
            release=self._release,
            environment=self._settings.environment,
            server_name=SERVER_NAME,
            transport=self._transport,
            transport_queue_size=self._settings.queue_size,
            shutdown_timeout=2,
            default_integrations=False,
            auto_enabling_integrations=False,
            include_local_variables=False,
            include_source_context=False,
            max_request_body_size="never",
            max_breadcrumbs=0,
            send_client_reports=False,
            auto_session_tracking=False,
            enable_backpressure_handling=False,
            spotlight=False,
            # br needs a package that the server may lack; the declared type is an enum that the SDK rejects
            _experiments={"transport_compression_algo": "gzip"},  # type: ignore[typeddict-item]
        )

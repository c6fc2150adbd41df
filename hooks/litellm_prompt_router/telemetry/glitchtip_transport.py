"""How events leave for GlitchTip: several in an envelope, over a client of Sentry's SDK that shares nothing with
LiteLLM's.

GlitchTip stores every event of an envelope whose header names none (5.2: ``apps/event_ingest/views.py``, checked
against the backend of December 2025; 6.x takes each item's own id). With an id in the header 5.2 gives that to all of
them, and keeps the first only.
"""

from __future__ import annotations

import time
import uuid
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import orjson
import sentry_sdk
import urllib3
from sentry_sdk.envelope import Envelope, Item, PayloadRef
from sentry_sdk.transport import HttpTransport, Transport
from sentry_sdk.types import Event

from litellm_prompt_router.policy.settings import GlitchtipSettings
from litellm_prompt_router.process_memory.bounded import register_memory

SERVER_NAME = "prompt-router"
"""Sent instead of the host name, which is the SDK's default."""
GZIP_LEVEL = 3
"""Level 9, the SDK's own, takes several times as long for a tenth less."""
MAX_ENVELOPE_EVENTS = 200
MAX_ENVELOPE_BYTES = 400_000
"""GlitchTip 5.2 takes 2.5 MB, decompressed; proxies ahead of it often 1 MB."""


class EventBundle(Item):
    """Several events as one item to the SDK, which makes an object of each item; on the wire they are items."""

    def __init__(self, lines: Sequence[bytes]) -> None:
        super().__init__(payload=PayloadRef(bytes=b""), headers={"type": "event"})
        self.lines = lines
        """Of each event its item's header and its body."""

    def serialize_into(self, f: Any) -> None:
        f.write(b"".join(self.lines))


def _event_count(envelope: Envelope) -> int:
    return sum([len(item.lines) if isinstance(item, EventBundle) else 1 for item in envelope.items])


class CountingTransport(HttpTransport):
    """Sends envelopes, and knows what became of every event in them.

    At most ``transport_queue_size`` events wait; those beyond it are lost. Some servers close kept-alive connections
    unannounced, so a broken post is tried again on a fresh one. Only an envelope of one event, whose id GlitchTip
    knows again, is tried again after an answer that took too long: the others might be stored twice.
    The tries are ours because urllib3 logs a warning for each of its own, and three for each post would fill
    the proxy's log while GlitchTip is down.
    """

    TIMEOUT = 10
    PAUSES_SECONDS = (0.0, 0.1, 0.2)

    def __init__(self, options: dict[str, Any]) -> None:
        self.captured = 0
        self.sent = 0
        self.lost: Counter[str] = Counter()
        """By reason: network, full_queue, status_<code>, self_rate_limits (held back after a 429)."""
        self._limit = int(options["transport_queue_size"])
        self._submitted = 0  # events of the envelope that the caller's thread hands over
        self._posted = 0  # events of the one that the worker's thread posts
        super().__init__(options)
        register_memory(self, "GlitchTip events", self._limit, lambda it: it.pending)

    @property
    def pending(self) -> int:
        """Events that are neither sent nor lost."""
        return self.captured - self.sent - self.lost.total()

    def capture_envelope(self, envelope: Envelope) -> None:
        room = max(0, self._limit - self.pending)
        count = _event_count(envelope)
        self.captured += count
        self.lost["full_queue"] += max(0, count - room)
        self._submitted = min(count, room)
        if not self._submitted:
            return
        if count > room:
            lines = [line for item in envelope.items if isinstance(item, EventBundle) for line in item.lines]
            envelope = Envelope(headers=envelope.headers, items=[EventBundle(lines[:room])])
        super().capture_envelope(envelope)

    def on_dropped_event(self, _reason: str) -> None:
        """Called by the SDK once for each envelope given up. (``record_lost_event`` isn't called for a 429.)"""
        self.lost[_reason] += self._submitted if _reason == "full_queue" else self._posted

    def _get_pool_options(self) -> dict[str, Any]:
        # With urllib3 in charge of Retry-After, a 429 would raise, and the SDK never hold back.
        retries = urllib3.Retry(
            total=None, connect=0, read=0, other=0, status=0, redirect=3, respect_retry_after_header=False
        )
        return {**super()._get_pool_options(), "retries": retries}

    def _send_envelope(self, envelope: Envelope) -> None:
        self._posted = _event_count(envelope)
        super()._send_envelope(envelope)

    def _request(self, *args: Any, **kwargs: Any) -> Any:
        for pause in self.PAUSES_SECONDS:
            try:
                return self._counted(super()._request(*args, **kwargs))
            except urllib3.exceptions.HTTPError as error:
                if self._posted > 1 and isinstance(
                    getattr(error, "reason", error), urllib3.exceptions.ReadTimeoutError
                ):
                    raise
                time.sleep(pause)
        return self._counted(super()._request(*args, **kwargs))

    def _counted(self, response: Any) -> Any:
        if 200 <= response.status < 300:
            self.sent += self._posted
        return response


class GlitchtipProject:
    """One project's connection in one process. For one thread; ``counts`` is None for transports that don't count."""

    def __init__(self, dsn: str, settings: GlitchtipSettings, release: str, transport: type[Transport]) -> None:
        self._client = _connect(dsn, settings, release, transport)
        made = self._client.transport
        assert made is not None
        self._transport = made
        self.counts = made if isinstance(made, CountingTransport) else None
        self._ending = _ending_of(settings, release)
        self._lines: list[bytes] = []
        self._bytes = 0

    @property
    def gathered(self) -> int:
        """Events that wait for ``post``."""
        return len(self._lines)

    def gather(self, bodies: Iterable[tuple[bytes, bytes]]) -> None:
        """Keeps events for the next envelope: kinds and JSON objects, 16 at most. A full envelope is posted at once."""
        event_id = uuid.uuid4().hex[:-1].encode()
        for number, (kind, body) in enumerate(bodies):
            end = b',"event_id":"%b%x"%b' % (event_id, number, self._ending)
            size = len(body) - 1 + len(end)
            head = b'{"type":"%b","content_type":"application/json","length":%d}' % (kind, size)
            self._lines.append(b"%b\n%b%b\n" % (head, body[:-1], end))
            self._bytes += size
        if len(self._lines) >= MAX_ENVELOPE_EVENTS or self._bytes >= MAX_ENVELOPE_BYTES:
            self.post()

    def post(self) -> None:
        """Hands what was gathered to the transport."""
        lines, self._lines, self._bytes = self._lines, [], 0
        if lines:
            self._transport.capture_envelope(Envelope(headers={}, items=[EventBundle(lines)]))

    def send(self, event: Event) -> None:
        """Sends an event in an envelope of its own, by whose id GlitchTip keeps one of several."""
        self._client.capture_event(event)

    def flush(self, timeout: float) -> None:
        """Waits until everything is sent or lost, for ``timeout`` seconds at most."""
        self.post()
        self._client.flush(timeout=timeout)

    def close(self) -> None:
        """Disconnects, without waiting."""
        self._client.close(timeout=0)


def _ending_of(settings: GlitchtipSettings, release: str) -> bytes:
    """What the SDK's client puts behind each event, as the end of a JSON object."""
    version = sentry_sdk.VERSION
    sdk = {
        "name": "sentry.python",
        "version": version,
        "packages": [{"name": "pypi:sentry-sdk", "version": version}],
        "integrations": [],
    }
    common = {
        "release": release,
        "environment": settings.environment,
        "server_name": SERVER_NAME,
        "sdk": sdk,
        "platform": "python",
    }
    return b"," + orjson.dumps(common)[1:]


def _connect(dsn: str, settings: GlitchtipSettings, release: str, transport: type[Transport]) -> sentry_sdk.Client:
    # Events are captured without a scope and no integration is on, so nothing is sent that isn't in them.
    # send_default_pii is off unless set, and setting it warns of its deprecation (2.75).
    return sentry_sdk.Client(
        dsn=dsn,
        release=release,
        environment=settings.environment,
        server_name=SERVER_NAME,
        transport=transport,
        transport_queue_size=settings.queue_size,
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
        _experiments={"transport_compression_algo": "gzip", "transport_compression_level": GZIP_LEVEL},  # type: ignore[typeddict-item]
    )

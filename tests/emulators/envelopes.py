"""A receiver of Sentry envelopes that can be told to behave as badly as real ones do."""

from __future__ import annotations

import enum
import gzip
import importlib
import re
import threading
import time
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Self

from sentry_sdk.envelope import Envelope, Item

from tests.emulators.loopback import Answer, HangUp, Incoming, Loopback

ENVELOPE_PATH = re.compile(r"/api/\d+/envelope/")
PUBLIC_KEY = "0123456789abcdef0123456789abcdef"


class Behaviour(enum.Enum):
    """How posts are answered."""

    WELL = enum.auto()
    DROPS_KEEP_ALIVE = enum.auto()
    """The second post on a connection finds it closed, as uWSGI does; a fresh connection works."""
    ANSWERS_500 = enum.auto()
    ANSWERS_429 = enum.auto()
    SLOW = enum.auto()
    """Accepted, but the answer comes late."""
    GARBAGE = enum.auto()
    """The answer is not HTTP."""
    REFUSES = enum.auto()
    """Nothing listens on the port."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RawPost:
    """One post. ``envelope`` is None if it did not decompress and parse; ``is_accepted`` means 200."""

    path: str
    headers: Mapping[str, str]
    body: bytes
    envelope: Envelope | None
    is_accepted: bool


class Envelopes:
    """Collects the events and transactions of every envelope it accepts.

    As GlitchTip 5.2 does, it gives all events of an envelope the id in the envelope's header, if there is one, and
    keeps the first of several with one id.
    """

    def __init__(self) -> None:
        self._behaviour = Behaviour.WELL
        self._seconds = 0.0
        self._arrival = threading.Condition()
        self._posts: list[RawPost] = []
        self._server = Loopback(self._respond)

    @property
    def url(self) -> str:
        """Where envelopes of ``dsn`` are posted."""
        return f"{self._server.url}/api/1/envelope/"

    @property
    def dsn(self) -> str:
        return self.dsn_of(1)

    def dsn_of(self, project: int) -> str:
        """The DSN of another project on the same server."""
        return f"http://{PUBLIC_KEY}@127.0.0.1:{self._server.port}/{project}"

    @property
    def raw(self) -> list[RawPost]:
        """Every post that reached the receiver, accepted or not; a copy."""
        with self._arrival:
            return list(self._posts)

    @property
    def events(self) -> list[dict[str, Any]]:
        return self._accepted("event")

    @property
    def transactions(self) -> list[dict[str, Any]]:
        return self._accepted("transaction")

    def wait_for(self, n_events: int = 1, seconds: float = 5.0, *, n_transactions: int = 0) -> list[dict[str, Any]]:
        """The accepted events, once there are at least this many of both. Raises AssertionError if late."""
        deadline = time.monotonic() + seconds
        with self._arrival:
            while len(self.events) < n_events or len(self.transactions) < n_transactions:
                left = deadline - time.monotonic()
                if left <= 0:
                    raise AssertionError(
                        f"after {seconds} s: {len(self.events)} of {n_events} events, "
                        f"{len(self.transactions)} of {n_transactions} transactions, "
                        f"{len(self._posts)} posts"
                    )
                self._arrival.wait(left)
            return self.events

    def wait_until_quiet(self, quiet_seconds: float, seconds: float = 10.0) -> None:
        """Returns when nothing has come for so long: what belongs to an earlier request is here by then."""
        deadline = time.monotonic() + seconds
        with self._arrival:
            while self._arrival.wait(quiet_seconds) and time.monotonic() < deadline:
                pass

    def behave(self, behaviour: Behaviour, *, seconds: float = 1.0) -> None:
        """Answer like this from now on. ``seconds`` is SLOW's delay and ANSWERS_429's Retry-After."""
        self._behaviour, self._seconds = behaviour, seconds
        if behaviour is Behaviour.REFUSES:
            self._server.stop_listening()
        else:
            self._server.listen()

    def clear(self) -> None:
        """Forget the posts and behave well."""
        self.behave(Behaviour.WELL)
        with self._arrival:
            self._posts.clear()

    def __enter__(self) -> Self:
        self._server.listen()
        return self

    def __exit__(self, *error: object) -> None:
        self._server.close()

    def _accepted(self, kind: str) -> list[dict[str, Any]]:
        envelopes = [post.envelope for post in self.raw if post.envelope is not None and post.is_accepted]
        items = [item for envelope in envelopes for item in _stored(envelope, kind)]
        return [item.payload.json for item in items if item.payload.json is not None]

    def _respond(self, incoming: Incoming) -> Answer | HangUp:
        if incoming.method != "POST" or not ENVELOPE_PATH.fullmatch(incoming.route):
            return Answer(status=404)
        behaviour, seconds = self._behaviour, self._seconds
        if behaviour is Behaviour.DROPS_KEEP_ALIVE and incoming.nth > 1:
            return HangUp()
        envelope = _parse(incoming)
        answer = _answer(behaviour, seconds) if envelope else Answer(status=400, body=b"invalid envelope")
        post = RawPost(
            path=incoming.path,
            headers=incoming.headers,
            body=incoming.body,
            envelope=envelope,
            is_accepted=isinstance(answer, Answer) and answer.status == 200,
        )
        with self._arrival:
            self._posts.append(post)
            self._arrival.notify_all()
        return answer


def _stored(envelope: Envelope, kind: str) -> list[Item]:
    items = [item for item in envelope if item.type == kind]
    return items[:1] if kind == "event" and "event_id" in envelope.headers else items


def _answer(behaviour: Behaviour, seconds: float) -> Answer | HangUp:
    match behaviour:
        case Behaviour.ANSWERS_500:
            return Answer(status=500, body=b"<h1>Server Error (500)</h1>")
        case Behaviour.ANSWERS_429:
            return Answer(status=429, headers={"Retry-After": f"{seconds:g}"}, body=b"Too Many Requests")
        case Behaviour.GARBAGE:
            return HangUp(raw=b"\x00\xff not http at all\r\n\r\n")
        case Behaviour.SLOW:
            return Answer(body=b'{"id":"emulated"}', delay_seconds=seconds)
        case _:
            return Answer(body=b'{"id":"emulated"}')


UNREADABLE = (AttributeError, EOFError, KeyError, OSError, TypeError, ValueError, zlib.error)
"""What decompressing and parsing raise for bytes that are no envelope."""


def _parse(incoming: Incoming) -> Envelope | None:
    try:
        decompress = DECODERS[incoming.headers.get("content-encoding", "identity")]
        return Envelope.deserialize(decompress(incoming.body))
    except UNREADABLE:
        return None


def _unbrotli(body: bytes) -> bytes:
    """Only where the optional `brotli` is installed, which is also the only place sentry_sdk uses it."""
    return bytes(importlib.import_module("brotli").decompress(body))


DECODERS: Mapping[str, Callable[[bytes], bytes]] = {
    "identity": bytes,
    "gzip": gzip.decompress,
    "deflate": zlib.decompress,
    "br": _unbrotli,
}

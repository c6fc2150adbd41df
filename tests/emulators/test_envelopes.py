"""The envelope receiver against a real sentry_sdk client."""

from __future__ import annotations

import gzip
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import httpx
import pytest
import sentry_sdk

from tests.emulators.envelopes import Behaviour, Envelopes


@contextmanager
def sentry_client(dsn: str) -> Iterator[sentry_sdk.Client]:
    client = sentry_sdk.Client(
        dsn=dsn,
        default_integrations=False,
        auto_enabling_integrations=False,
        send_client_reports=False,  # a lost event would be followed by a report of the loss
    )
    try:
        yield client
    finally:
        client.close(timeout=5)


def send(client: sentry_sdk.Client, message: str) -> None:
    """Capture one event and wait until the transport is done with it."""
    client.capture_event({"message": message, "level": "info"})
    client.flush(timeout=5)


def test_event_and_transaction(envelopes: Envelopes) -> None:
    """A real client's event and transaction arrive parsed."""
    with sentry_client(envelopes.dsn) as client:
        client.capture_event({"message": "Prompt rewritten", "level": "info", "tags": {"mode": "rewrite"}})
        client.capture_event(
            {
                "type": "transaction",
                "transaction": "rewrite",
                "start_timestamp": datetime(2026, 1, 1, tzinfo=UTC),
                "timestamp": datetime(2026, 1, 1, 0, 0, 1, tzinfo=UTC),
                "contexts": {"trace": {"trace_id": "0" * 32, "span_id": "0" * 16, "op": "rewrite"}},
            }
        )
        (event,) = envelopes.wait_for(1, 5, n_transactions=1)
    assert event["message"] == "Prompt rewritten"
    assert event["tags"] == {"mode": "rewrite"}
    assert [transaction["transaction"] for transaction in envelopes.transactions] == ["rewrite"]
    assert {post.headers["content-encoding"] for post in envelopes.raw} <= {"gzip", "br"}
    assert {post.path for post in envelopes.raw} == {"/api/1/envelope/"}


@pytest.mark.parametrize("encoding", ["identity", "gzip"])
def test_encodings(envelopes: Envelopes, encoding: str) -> None:
    """Plain and compressed envelopes are both read."""
    body = b'{}\n{"type":"event"}\n{"message":"hello"}\n'
    with httpx.Client(trust_env=False) as client:
        response = client.post(
            envelopes.url,
            content=gzip.compress(body) if encoding == "gzip" else body,
            headers={"content-encoding": encoding},
        )
    assert response.status_code == 200
    assert envelopes.events == [{"message": "hello"}]


def test_unreadable_envelope(envelopes: Envelopes) -> None:
    """What does not parse is refused with 400 and kept in ``raw``."""
    with httpx.Client(trust_env=False) as client:
        response = client.post(envelopes.url, content=b"no envelope")
    assert response.status_code == 400
    assert [post.body for post in envelopes.raw] == [b"no envelope"]
    assert envelopes.events == []


def test_wait_for_says_what_is_missing(envelopes: Envelopes) -> None:
    """A wait in vain fails in time, with counts."""
    with pytest.raises(AssertionError) as error:
        envelopes.wait_for(2, 0.1)
    assert str(error.value) == "after 0.1 s: 0 of 2 events, 0 of 0 transactions, 0 posts"


LOSSES = [
    (Behaviour.ANSWERS_500, 1),
    (Behaviour.ANSWERS_429, 1),
    (Behaviour.GARBAGE, 1),
    (Behaviour.REFUSES, 0),
]


@pytest.mark.parametrize(("behaviour", "n_posts"), LOSSES, ids=lambda value: getattr(value, "name", None))
def test_bad_behaviour_loses_an_event(envelopes: Envelopes, behaviour: Behaviour, n_posts: int) -> None:
    """The stock client drops an event that is answered badly, and the receiver counts it as not accepted."""
    envelopes.behave(behaviour, seconds=60)
    with sentry_client(envelopes.dsn) as client:
        send(client, "lost")
    assert envelopes.events == []
    assert [post.is_accepted for post in envelopes.raw] == [False] * n_posts
    envelopes.clear()
    with sentry_client(envelopes.dsn) as client:
        send(client, "after")
    assert [event["message"] for event in envelopes.events] == ["after"]


def test_dropped_keep_alive_loses_an_event(envelopes: Envelopes) -> None:
    """The second event on a connection is lost by the stock client; the third travels on a new one."""
    envelopes.behave(Behaviour.DROPS_KEEP_ALIVE)
    with sentry_client(envelopes.dsn) as client:
        for message in ("first", "second", "third"):
            send(client, message)
    assert [event["message"] for event in envelopes.events] == ["first", "third"]


def test_slow_receiver(envelopes: Envelopes) -> None:
    """A slow answer holds the sender up, and the event counts."""
    envelopes.behave(Behaviour.SLOW, seconds=0.3)
    start = time.monotonic()
    with sentry_client(envelopes.dsn) as client:
        send(client, "late")
    assert time.monotonic() - start >= 0.3
    assert [event["message"] for event in envelopes.events] == ["late"]


def test_one_id_for_all_events_of_an_envelope_leaves_one(envelopes: Envelopes) -> None:
    """As GlitchTip 5.2 reads an envelope's header; without an id there, each event is stored."""
    for header in ('{"event_id": "0123456789abcdef0123456789abcdef"}', "{}"):
        items = "".join(f'{{"type": "event"}}\n{{"message": "{number}"}}\n' for number in range(3))
        httpx.post(envelopes.url, content=f"{header}\n{items}", trust_env=False).raise_for_status()
    assert [event["message"] for event in envelopes.events] == ["0", "0", "1", "2"]

"""The GlitchTip sink against a receiver of real envelopes."""

from __future__ import annotations

import gzip
import json
import logging
import os
import socket
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sentry_sdk.envelope import Envelope
from sentry_sdk.transport import Transport

from litellm_prompt_router.policy.settings import GlitchtipSettings
from litellm_prompt_router.telemetry.glitchtip import FAULTS_PER_MINUTE, Glitchtip
from litellm_prompt_router.telemetry.glitchtip_transport import MAX_ENVELOPE_EVENTS, CountingTransport
from tests.emulators.envelopes import Behaviour, Envelopes
from tests.telemetry.records import CALLER, RECORD, held_back, passthrough, record

MARKER = "the user's own words"
Connect = Callable[..., Glitchtip]


class Impatient(CountingTransport):
    """Retries without a pause."""

    PAUSES_SECONDS = (0.0, 0.0, 0.0)


class Clock:
    """Seconds that pass when told to."""

    def __init__(self) -> None:
        self.now = 5.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def connect(envelopes: Envelopes) -> Iterator[Connect]:
    """Makes sinks that send to ``envelopes`` and are closed behind the test."""
    made: list[Glitchtip] = []

    def connect(*, clock: Callable[[], float] | None = None, **settings: Any) -> Glitchtip:
        settings = {"dsn": envelopes.dsn, **settings}
        sink = Glitchtip(GlitchtipSettings(**settings), "router@1.0", Impatient, **({"clock": clock} if clock else {}))
        made.append(sink)
        return sink

    yield connect
    for sink in made:
        sink.close(5)


@pytest.fixture
def sink(connect: Connect) -> Glitchtip:
    return connect()


def wire(envelopes: Envelopes) -> str:
    """Every byte that was sent: paths, headers and bodies."""
    return "\n".join(
        f"{post.path} {dict(post.headers)} {gzip.decompress(post.body).decode()}" for post in envelopes.raw
    )


TAGS = {
    "provider": "anthropic",
    "profile": "workbench",
    "profile_version": "3",
    "mode": "rewrite",
    "outcome": "rewritten",
    "key_alias": "alpha",
    "model": "claude-sonnet-4-5",
    "prompt_size_bucket": "20k-50k",
    "module_count": "2",
    "is_fallback": "false",
}


def tags(event: dict[str, Any]) -> dict[str, str]:
    return dict(event["tags"])


def test_a_rewritten_request_is_three_events(envelopes: Envelopes, sink: Glitchtip) -> None:
    """Fixed titles and fingerprints, the counted sentence and the figures in a context, tags on each."""
    sink.write(record())
    sink.post()
    events = envelopes.wait_for(3, n_transactions=1)
    assert [(event["message"], event["fingerprint"], event["level"]) for event in events] == [
        ("Routing: modules selected", ["prompt_router.routing"], "info"),
        ("Prompt built", ["prompt_router.prompt"], "info"),
        ("Prompt Request", ["prompt_router.request"], "info"),
    ]
    assert [event["contexts"] for event in events] == [
        {
            "routing": {
                "summary": "Routing: 2 modules selected",
                "query_length": 41,
                "modules_selected": ["core/identity", "tools/charts"],
                "module_count": 2,
                "evidence": {"core/identity": "always", "tools/charts": "trigger:bar chart"},
                "is_fallback": False,
                "decision_us": 1234,
            }
        },
        {
            "prompt": {
                "summary": "Prompt built: 2 modules, 31234 chars",
                "modules": ["core/identity", "tools/charts"],
                "total_chars": 31234,
                "original_chars": 116000,
                "cache_eligible_count": 3,
                "breakpoints": {"added": 2, "client": 1},
            }
        },
        {
            "request": {
                "summary": "Prompt Request: claude-sonnet-4-5, 31234 chars, 12 tools",
                "request_id": "4f9d",
                "call_id": "call-1",
                "thread_id": "thread-7",
                "model": "claude-sonnet-4-5",
                "prompt_size": 31234,
                "cache_enabled": True,
                "status": "success",
                "error_type": None,
                "tool_count": 12,
                "original_tokens": 26000,
                "prompt_tokens": 7000,
                "list_price_saved_usd": "0.057000",
                "list_price_saved_reason": None,
                "uncached_input_tokens": 11,
                "cache_read_tokens": 7000,
                "cache_write_5m_tokens": 30,
                "cache_write_1h_tokens": 0,
                "output_tokens": 5,
                "usage_reason": None,
                "billed_usd": "0.0000001",
                "billed_reason": None,
                "counterfactual_usd": None,
                "estimated_net_saved_usd": None,
                "estimated_net_saved_reason": None,
                "estimated_net_saved_method": None,
                "response_cached": False,
                "conversation": None,
                "arm": None,
                "policy": None,
            }
        },
    ]
    for event in events:
        assert tags(event) == TAGS
        assert (event["release"], event["environment"]) == ("router@1.0", "production")
        assert event["server_name"] == "prompt-router"
        assert event["timestamp"] == "2025-11-24T16:00:02.500000Z"
        assert not {"breadcrumbs", "request", "extra", "user", "modules"} & set(event)


@pytest.mark.parametrize(
    ("net", "sign"), [("-0.00000012", "loss"), ("0", "zero"), ("0.0031", "gain")], ids=["loss", "zero", "gain"]
)
def test_money_is_told_as_it_is(envelopes: Envelopes, sink: Glitchtip, net: str, sign: str) -> None:
    """Exact and signed in the context, its sign as a tag, because GlitchTip counts tags only."""
    priced = replace(
        record(arm="treatment"),
        counterfactual_usd=Decimal(net) + Decimal("0.0000001"),
        estimated_net_saved_usd=Decimal(net),
        estimated_net_saved_method="cache model",
    )
    sink.write(priced)
    sink.post()
    request = envelopes.wait_for(3)[2]
    told = {name: value for name, value in request["contexts"]["request"].items() if "net" in name or "usd" in name}
    assert told == {
        "list_price_saved_usd": "0.057000",
        "billed_usd": "0.0000001",
        "counterfactual_usd": format(Decimal(net) + Decimal("0.0000001"), "f"),
        "estimated_net_saved_usd": net,
        "estimated_net_saved_reason": None,
        "estimated_net_saved_method": "cache model",
    }
    assert (request["tags"]["net"], request["tags"]["arm"]) == (sign, "treatment")


def test_the_decision_is_a_transaction(envelopes: Envelopes, sink: Glitchtip) -> None:
    """It lasts exactly as long as the decision took."""
    sink.write(record())
    sink.post()
    envelopes.wait_for(3, n_transactions=1)
    (transaction,) = envelopes.transactions
    began, ended = (datetime.fromisoformat(transaction[name]) for name in ("start_timestamp", "timestamp"))
    assert ended - began == timedelta(microseconds=1234)
    assert transaction["transaction"] == "prompt_router.decision"
    assert transaction["contexts"]["trace"]["op"] == "prompt_router"
    assert tags(transaction) == TAGS


def test_shadow_says_so(envelopes: Envelopes, sink: Glitchtip) -> None:
    """The same events, under the outcome `shadow`."""
    sink.write(record(mode="shadow", outcome="shadow"))
    sink.post()
    events = envelopes.wait_for(3, n_transactions=1)
    assert {(event["tags"]["mode"], event["tags"]["outcome"]) for event in events} == {("shadow", "shadow")}


def test_a_passthrough_is_one_event(envelopes: Envelopes, sink: Glitchtip) -> None:
    """It is searchable by its reason; what isn't known has no tag."""
    sink.write(passthrough("unrecognised"))
    sink.flush(5)
    (event,) = envelopes.events
    assert event["message"] == "Prompt Request"
    assert tags(event) == {
        "provider": "anthropic",
        "mode": "rewrite",
        "outcome": "passthrough",
        "reason": "unrecognised",
        "key_alias": "alpha",
        "model": "claude-sonnet-4-5",
    }
    assert envelopes.transactions == []


def test_a_request_that_is_off_is_none_of_our_business(envelopes: Envelopes, sink: Glitchtip) -> None:
    """Nothing is sent for it."""
    sink.write(passthrough("off"))
    sink.flush(5)
    assert envelopes.raw == []


def test_unstorable_text_is_removed(envelopes: Envelopes, sink: Glitchtip) -> None:
    """Neither a NUL nor a lone surrogate reaches the wire, in whatever field."""
    sink.write(record("id\x00\ud800", profile="work\x00bench", profile_version="\udfff"))
    sink.post()
    events = envelopes.wait_for(3, n_transactions=1)
    assert {event["tags"]["profile"] for event in events} == {"workbench"}
    assert all("profile_version" not in event["tags"] for event in events)
    assert events[2]["contexts"]["request"]["request_id"] == "id"
    assert "\\u0000" not in wire(envelopes)
    assert "\\ud8" not in wire(envelopes)


def test_a_fault_carries_no_data(envelopes: Envelopes, sink: Glitchtip) -> None:
    """Type and frames, but no message, locals, source lines, host name or place on this machine."""
    local_variable = MARKER
    try:
        raise ValueError(f"could not route {local_variable}")
    except ValueError as error:
        sink.error(error, "walk")
    (event,) = envelopes.wait_for(1)
    (raised,) = event["exception"]["values"]
    assert (raised["type"], raised["value"], event["level"]) == ("ValueError", "in walk", "error")
    (frame,) = raised["stacktrace"]["frames"]
    assert isinstance(frame.pop("lineno"), int)
    assert frame == {
        "module": "tests.telemetry.test_glitchtip",
        "function": "test_a_fault_carries_no_data",
        "filename": "tests/telemetry/test_glitchtip.py",
        "in_app": False,
    }
    assert event["fingerprint"] == [
        "prompt_router.fault:walk:ValueError:tests.telemetry.test_glitchtip.test_a_fault_carries_no_data"
    ]
    for secret in (MARKER, "could not route", socket.gethostname(), str(Path(__file__).parents[2])):
        assert secret not in wire(envelopes)


def test_requests_tell_no_key(envelopes: Envelopes, sink: Glitchtip) -> None:
    """Not even its hash."""
    sink.write(record())
    sink.post()
    envelopes.wait_for(3)
    assert CALLER.key_hash is not None
    assert CALLER.key_hash not in wire(envelopes)


def test_an_error_storm_is_counted(envelopes: Envelopes, connect: Connect) -> None:
    """Above the limit a minute faults are only counted, and the next one sent says how many."""
    clock = Clock()
    sink = connect(clock=clock, sample_rate=0)
    for _ in range(FAULTS_PER_MINUTE + 5):
        sink.error(ValueError(MARKER), "walk")
    clock.now += 60
    sink.error(ValueError(MARKER), "walk")
    sink.flush(5)
    assert [event["contexts"]["fault"]["suppressed"] for event in envelopes.events] == [
        *(FAULTS_PER_MINUTE * [0]),
        5,
    ]
    assert sink.stats().suppressed == 5


def test_what_needs_attention_has_a_project_of_its_own(envelopes: Envelopes, connect: Connect) -> None:
    """Faults, problems and drift go to the errors' DSN, requests to the other."""
    sink = connect(errors_dsn=envelopes.dsn_of(2))
    sink.write(record())
    sink.error(ValueError(), "walk")
    sink.problem("Key metadata", ["key metadata: mode: nonsense"])
    sink.drift(passthrough("unrecognised", profile="workbench", profile_version="3", is_drift=True))
    sink.flush(5)
    assert sorted(post.path for post in envelopes.raw) == ["/api/1/envelope/"] + 3 * ["/api/2/envelope/"]


def test_drift_is_reported_once_an_hour(envelopes: Envelopes, connect: Connect) -> None:
    """For each profile version."""
    clock = Clock()
    sink = connect(clock=clock, sample_rate=0)
    for seconds, version in [(0, "3"), (1, "3"), (1, "4"), (3_597, "3"), (1, "3"), (1, "3")]:
        clock.now += seconds
        sink.drift(passthrough("unrecognised", profile="workbench", profile_version=version, coverage=0.4))
    sink.flush(5)
    assert [(event["message"], event["level"], event["fingerprint"]) for event in envelopes.events] == 3 * [
        ("Prompt drift", "warning", ["prompt_router.drift:workbench"])
    ]
    assert [event["tags"]["profile_version"] for event in envelopes.events] == ["3", "4", "3"]
    assert envelopes.events[0]["contexts"]["drift"] == {
        "summary": "Prompt drift: workbench, coverage 0.4",
        "profile": "workbench",
        "profile_version": "3",
        "coverage": 0.4,
        "known_lines": None,
        "reason": "unrecognised",
        "original_chars": None,
        "residue_chars": None,
        "absent_modules": [],
    }


def test_drift_that_several_processes_see_is_one_event(envelopes: Envelopes, connect: Connect) -> None:
    """GlitchTip keeps one of several events with one id: theirs is the same within an hour."""
    hours = (record(absent_modules=("tools/git",)), replace(record(), finished_seconds=RECORD.finished_seconds + 3_600))
    for sink in (connect(sample_rate=0), connect(sample_rate=0)):
        for seen in (*hours, *hours, passthrough("unrecognised", profile="workbench", profile_version="3")):
            sink.drift(seen)
        sink.flush(5)
    ids = [event["event_id"] for event in envelopes.events]
    assert (len(ids), len(set(ids))) == (6, 3)
    assert envelopes.events[0]["contexts"]["drift"]["absent_modules"] == ["tools/git"]


def test_an_unreviewed_profile_is_reported_once_an_hour(envelopes: Envelopes, connect: Connect) -> None:
    """For each version, as a warning that says what to do; several processes' events are one."""
    for sink in (connect(sample_rate=0), connect(sample_rate=0)):
        for version in ("3", "3", "4"):
            sink.unreviewed(held_back(profile_version=version))
        sink.flush(5)
    assert [(event["message"], event["level"], event["fingerprint"]) for event in envelopes.events] == 4 * [
        ("Profile not reviewed", "warning", ["prompt_router.unreviewed:workbench"])
    ]
    ids = [event["event_id"] for event in envelopes.events]
    assert (ids[:2], len(set(ids))) == (ids[2:], 2)
    assert envelopes.events[0]["contexts"]["unreviewed"] == {
        "summary": "Profile not reviewed: workbench, held in shadow",
        "profile": "workbench",
        "profile_version": "3",
        "todo": "read `prompt-router review workbench`, then accept it with `prompt-router review workbench --accept`",
    }


def test_a_notice_is_an_event_that_is_no_trouble(envelopes: Envelopes, connect: Connect) -> None:
    """Of the level info, an issue of its own for each profile, with its figures in the context."""
    sink = connect()
    sink.notice("tuning", "Tuning changed", {"profile": "workbench", "from": "own", "to": "exact", "first_half": -0.1})
    sink.close(5)
    (event,) = envelopes.events
    assert (event["message"], event["level"]) == ("Tuning changed", "info")
    assert event["fingerprint"] == ["prompt_router.tuning:workbench"]
    assert event["tags"] == {"profile": "workbench"}
    assert event["contexts"]["tuning"]["first_half"] == -0.1


def test_problems_are_reported_once_an_hour(envelopes: Envelopes, connect: Connect) -> None:
    """For each content; all under one issue for each title."""
    clock = Clock()
    sink = connect(clock=clock)
    for seconds, line in [(0, "a: unknown"), (1, "a: unknown"), (1, "b: unknown"), (3_600, "a: unknown")]:
        clock.now += seconds
        sink.problem("Key metadata", [line])
    sink.flush(5)
    assert [event["contexts"]["problem"]["problems"] for event in envelopes.events] == [
        ["a: unknown"],
        ["b: unknown"],
        ["a: unknown"],
    ]
    assert {(event["message"], event["level"], *event["fingerprint"]) for event in envelopes.events} == {
        ("Key metadata", "error", "prompt_router.problem:Key metadata")
    }


def test_only_the_sample_is_sent(envelopes: Envelopes, connect: Connect) -> None:
    """Two replicas agree on it, and faults are always sent."""
    ids = [uuid.UUID(int=n).hex for n in range(40)]
    for sink in (connect(sample_rate=0.3), connect(sample_rate=0.3)):
        for request_id in ids:
            sink.write(record(request_id))
        sink.error(ValueError(), "walk")
        sink.flush(5)
    requests = [
        event["contexts"]["request"]["request_id"] for event in envelopes.events if "request" in event["contexts"]
    ]
    first, second = requests[: len(requests) // 2], requests[len(requests) // 2 :]
    assert first == second
    assert 0 < len(first) < 40
    assert sum("exception" in event for event in envelopes.events) == 2


def test_without_a_dsn_nothing_happens(envelopes: Envelopes, connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even with the DSN that the SDK would find by itself."""
    monkeypatch.setenv("SENTRY_DSN", envelopes.dsn)
    sink = connect(dsn=None)
    sink.write(record())
    sink.drift(record())
    sink.problem("Key metadata", ["a"])
    sink.error(ValueError(), "walk")
    sink.close(5)
    assert envelopes.raw == []
    assert sink.stats().faults == 0


def test_bodies_are_gzip(envelopes: Envelopes, sink: Glitchtip) -> None:
    """The only compression that every GlitchTip reads."""
    sink.write(record())
    sink.post()
    envelopes.wait_for(3)
    assert {post.headers["content-encoding"] for post in envelopes.raw} == {"gzip"}


def test_a_server_that_drops_kept_connections_loses_nothing(
    envelopes: Envelopes, sink: Glitchtip, caplog: pytest.LogCaptureFixture
) -> None:
    """And nobody's log hears of it."""
    envelopes.behave(Behaviour.DROPS_KEEP_ALIVE)
    with caplog.at_level(logging.WARNING):
        for n in range(25):
            sink.write(record(str(n)))
        sink.flush(10)
    assert len(envelopes.events) == 75
    assert len(envelopes.transactions) == 25
    assert (sink.stats().sent, sink.stats().lost, sink.stats().pending) == (100, {}, 0)
    assert caplog.records == []


@pytest.mark.parametrize(
    ("behaviour", "lost"),
    [
        (Behaviour.ANSWERS_500, {"status_500": 4}),
        (Behaviour.ANSWERS_429, {"status_429": 4}),
        (Behaviour.REFUSES, {"network": 4}),
        (Behaviour.GARBAGE, {"network": 4}),
    ],
    ids=lambda value: value.name if isinstance(value, Behaviour) else "",
)
def test_every_loss_is_counted_once(
    envelopes: Envelopes,
    sink: Glitchtip,
    caplog: pytest.LogCaptureFixture,
    behaviour: Behaviour,
    lost: dict[str, int],
) -> None:
    """By reason, without a log line for each; and the sink goes on where the server lets it."""
    envelopes.behave(behaviour, seconds=60)
    with caplog.at_level(logging.WARNING):
        sink.write(record())
        sink.flush(10)
    counts = sink.stats()
    assert (counts.sent, counts.lost, counts.pending) == (0, lost, 0)
    assert caplog.records == []
    envelopes.behave(Behaviour.WELL)
    sink.write(record())
    sink.flush(10)
    assert sink.stats().sent == (0 if behaviour is Behaviour.ANSWERS_429 else 4)


class Hasty(Impatient):
    """Doesn't wait long for an answer."""

    TIMEOUT = 0.2  # type: ignore[assignment]


def test_what_may_have_arrived_is_not_sent_twice(envelopes: Envelopes) -> None:
    """Where the answer is too late, GlitchTip may have stored the events; only one that it knows again is repeated."""
    envelopes.behave(Behaviour.SLOW, seconds=1)
    sink = Glitchtip(GlitchtipSettings(dsn=envelopes.dsn, errors_dsn=envelopes.dsn_of(2)), "router@1.0", Hasty)
    sink.write(record())
    sink.flush(10)
    sink.problem("Key metadata", ["a"])
    sink.close(10)
    counts = sink.stats()
    assert (counts.sent, counts.lost, counts.pending) == (0, {"network": 5}, 0)
    posts = [(post.path, post.envelope.headers.get("event_id")) for post in envelopes.raw if post.envelope]
    (of_requests,) = [event_id for path, event_id in posts if path == "/api/1/envelope/"]
    assert of_requests is None
    repeated = [event_id for path, event_id in posts if path == "/api/2/envelope/"]
    assert (len(repeated), len(set(repeated))) == (4, 1)


def test_a_full_envelope_is_posted_at_once(envelopes: Envelopes, sink: Glitchtip) -> None:
    """GlitchTip takes no envelope of any size, and nothing gathers without bound."""
    for number in range(MAX_ENVELOPE_EVENTS):
        sink.write(record(str(number)))
    assert sink.gathered < MAX_ENVELOPE_EVENTS
    sink.close(10)
    sizes = [len(post.envelope.items) for post in envelopes.raw if post.envelope]
    assert sizes == 4 * [MAX_ENVELOPE_EVENTS]
    assert max(len(gzip.decompress(post.body)) for post in envelopes.raw) < 1_000_000


def test_a_slow_server_fills_the_queue_and_no_more(envelopes: Envelopes, connect: Connect) -> None:
    """What the queue can't take is lost; what it took arrives when the server recovers."""
    envelopes.behave(Behaviour.SLOW, seconds=1)
    sink = connect(queue_size=100)
    for n in range(40):
        sink.write(record(str(n)))
        sink.post()
    counts = sink.stats()
    assert counts.pending + sum(counts.lost.values()) + counts.sent == 160
    assert counts.lost.keys() == {"full_queue"}
    envelopes.behave(Behaviour.WELL)
    sink.flush(10)
    counts = sink.stats()
    assert counts.sent + counts.lost["full_queue"] == 160
    assert len(envelopes.events) + len(envelopes.transactions) == counts.sent


def test_closing_does_not_wait_for_a_dead_server(envelopes: Envelopes, connect: Connect) -> None:
    """What could not be sent in time stays pending, in plain sight."""
    envelopes.behave(Behaviour.SLOW, seconds=1)
    sink = connect()
    sink.write(record())
    sink.close(0.01)
    assert sink.stats().pending > 0


def test_a_closed_sink_connects_again(envelopes: Envelopes, sink: Glitchtip) -> None:
    """And its counts go on."""
    sink.write(record())
    sink.close(5)
    sink.write(record())
    sink.close(5)
    assert sink.stats().sent == 8
    assert len(envelopes.events) == 6


def test_a_forked_child_counts_its_own(sink: Glitchtip, monkeypatch: pytest.MonkeyPatch) -> None:
    """The parent's clients are the parent's to flush, close and count."""
    sink.write(record())
    sink.flush(5)
    with monkeypatch.context() as child:
        child.setattr(os, "getpid", lambda: -1)
        assert sink.stats().sent == 0
    assert sink.stats().sent == 4


def test_a_sink_never_raises(connect: Connect) -> None:
    """Its own faults are counted."""
    sink = Glitchtip(GlitchtipSettings.model_construct(dsn="nonsense"), "")
    sink.write(record())
    sink.drift(record())
    sink.problem("Key metadata", ["a"])
    sink.error(ValueError(), "walk")
    sink.flush(1)
    sink.close(1)
    assert sink.stats().faults == 4


def test_any_transport_will_do(envelopes: Envelopes) -> None:
    """Without counts, if it doesn't count."""
    caught: list[Envelope] = []

    class Capture(Transport):
        def capture_envelope(self, envelope: Envelope) -> None:
            caught.append(envelope)

    sink = Glitchtip(GlitchtipSettings(dsn=envelopes.dsn), "router@1.0", Capture)
    sink.write(record())
    sink.post()
    (envelope,) = caught
    assert len(Envelope.deserialize(envelope.serialize()).items) == 4
    assert sink.stats().sent == 0


BESIDE_LITELLM = """
import sys
import sentry_sdk
from litellm_prompt_router.policy.settings import GlitchtipSettings
from litellm_prompt_router.telemetry.glitchtip import Glitchtip
from tests.telemetry.records import record

ours, theirs, integrations = sys.argv[1:]
before = Glitchtip(GlitchtipSettings(dsn=ours), "router@1.0")
before.write(record("before"))
# As LiteLLM's "sentry" callback does.
sentry_sdk.init(dsn=theirs, traces_sample_rate=1.0, auto_enabling_integrations=integrations == "all")
sentry_sdk.get_global_scope().set_tag("theirs", "yes")
after = Glitchtip(GlitchtipSettings(dsn=ours), "router@1.0")
with sentry_sdk.start_transaction(name="theirs"):
    for sink in (before, after):
        sink.write(record("after"))
        try:
            raise ValueError("the user's own words")
        except ValueError as error:
            sink.error(error, "walk")
for sink in (before, after):
    sink.close(10)
sentry_sdk.capture_message("theirs")
sentry_sdk.flush(10)
"""


@pytest.mark.parametrize("integrations", ["none", pytest.param("all", marks=pytest.mark.full)])
def test_litellms_own_sentry_keeps_out(envelopes: Envelopes, integrations: str) -> None:
    """Whichever starts first: ours get nothing of theirs, theirs nothing of ours.

    By itself the SDK imports every library that it has an integration for, which takes half a minute.
    """
    command = [sys.executable, "-c", BESIDE_LITELLM, envelopes.dsn_of(1), envelopes.dsn_of(2), integrations]
    subprocess.run(command, check=True)
    sent: dict[str, list[dict[str, Any]]] = {"/api/1/envelope/": [], "/api/2/envelope/": []}
    for post in envelopes.raw:
        assert post.envelope is not None
        sent[post.path] += [item.payload.json for item in post.envelope if item.payload.json]
    ours, theirs = sent["/api/1/envelope/"], sent["/api/2/envelope/"]
    assert len(ours) == 3 * 4 + 2
    assert "theirs" not in json.dumps(ours)
    assert "prompt_router" not in json.dumps(theirs)
    assert MARKER not in wire(envelopes)
    assert [event["message"] for event in theirs if event.get("level") == "info"] == ["theirs"]

"""Hostile names through the dispatcher and its real sinks: tags, metric labels, log lines."""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from litellm_prompt_router.documents.shown_text import MAX_NAME_CHARS
from litellm_prompt_router.gateway.response_headers import MAX_VALUE_CHARS, headers_of
from litellm_prompt_router.policy.settings import Settings
from litellm_prompt_router.record.record import Record
from litellm_prompt_router.request.types import Evidence
from litellm_prompt_router.telemetry.dispatch import Dispatcher
from litellm_prompt_router.telemetry.glitchtip_events import MAX_TAG_CHARS
from litellm_prompt_router.telemetry.prometheus import Prometheus
from tests.emulators.envelopes import Envelopes
from tests.telemetry.records import RECORD

NAMES = (
    "a\r\nforged: 1",
    "\x1b[31mred\x00",
    "\u202eevil\u200b\u2028",
    "=1\t+1",
    "[bold]x[/]",
    "\ud800",
    "日本" * 5_000,
    'a"} 1\nforged 1',
    "n" * 10_000,
)


def named(name: str) -> Record:
    """The same call, with this name wherever a name stands."""
    caller = replace(RECORD.facts.caller, key_alias=name, team_id=name, model_group=name, request_id=name, call_id=name)
    modules = (Evidence(module=name, kind="trigger", detail=name, late=True),)
    facts = replace(
        RECORD.facts,
        caller=caller,
        profile=name,
        profile_version=name,
        reason=name,
        modules=modules,
    )
    return replace(RECORD, facts=facts, model=name, provider=name, error_type=name)


def is_plain(text: str) -> bool:
    return text.isprintable() and "\n" not in text


def test_tags_and_log_lines(tmp_path: Path, envelopes: Envelopes, caplog: pytest.LogCaptureFixture) -> None:
    """Bounded, on one line and printable; the ledger keeps every name as it came."""
    caplog.set_level(logging.INFO)
    path = tmp_path / "l.jsonl"
    dispatcher = Dispatcher(
        Settings.model_validate({"ledger": {"path": path}, "glitchtip": {"dsn": envelopes.dsn}, "status_dir": None})
    )
    for name in NAMES:
        dispatcher.submit(named(name))
    assert dispatcher.flush()
    events = envelopes.wait_for(3 * len(NAMES), n_transactions=len(NAMES))
    dispatcher.close()
    for event in events:
        for tag, value in dict(event["tags"]).items():
            assert len(value) <= MAX_TAG_CHARS, tag
            assert is_plain(value), (tag, value)
    assert [json.loads(line)["key_alias"] for line in path.read_text("utf-8").splitlines()] == [*NAMES]
    assert all(is_plain(record.getMessage()) for record in caplog.records if "prompt router" in record.getMessage())


def test_metric_labels() -> None:
    """A scraper reads them again, and no name makes a sample of its own."""
    registry = CollectorRegistry()
    sink = Prometheus(registry)
    for name in NAMES:
        sink.write(named(name))
    text = generate_latest(registry).decode()
    assert not any(line.startswith("forged") for line in text.splitlines())
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    values = {value for sample in samples for value in sample.labels.values()}
    assert len(values) > len(NAMES)
    assert all(is_plain(value) and len(value) <= MAX_NAME_CHARS for value in values)


@pytest.mark.parametrize("name", NAMES, ids=range(len(NAMES)))
def test_response_headers(name: str) -> None:
    """What a server takes: printable ASCII, bounded."""
    headers = headers_of(named(name).facts)
    assert "x-prompt-router-modules" in headers
    assert all(value.isascii() and is_plain(value) and len(value) <= MAX_VALUE_CHARS for value in headers.values())

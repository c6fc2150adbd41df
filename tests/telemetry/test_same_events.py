"""Lines and events of any record, against a plain way to make them: field by field, and by Sentry's own client."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import sentry_sdk
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sentry_sdk.envelope import Envelope
from sentry_sdk.transport import Transport

from litellm_prompt_router.cache_model.usage import Usage
from litellm_prompt_router.policy.settings import GlitchtipSettings
from litellm_prompt_router.record.history_state import HistoryState
from litellm_prompt_router.record.record import Caller, Facts, Record
from litellm_prompt_router.request.types import Evidence
from litellm_prompt_router.telemetry.glitchtip import Glitchtip
from litellm_prompt_router.telemetry.glitchtip_events import plain, present, size_bucket
from tests.law_examples import examples
from tests.telemetry.records import FACTS, RECORD

DSN = "http://0123456789abcdef0123456789abcdef@127.0.0.1:9/1"
TIMESTAMP = "%Y-%m-%dT%H:%M:%S.%fZ"
BUCKETS = tuple(each.name for each in fields(Usage))


class Caught(Transport):
    """Keeps the items that it is given."""

    items: list[tuple[str | None, dict[str, Any]]]

    def __init__(self, options: dict[str, Any]) -> None:
        super().__init__(options)
        self.items = []
        caught.append(self)

    def capture_envelope(self, envelope: Envelope) -> None:
        for item in Envelope.deserialize(envelope.serialize()):
            body = json.loads(item.get_bytes())
            del body["event_id"]
            self.items.append((item.type, body))


caught: list[Caught] = []


def plain_line(record: Record) -> dict[str, Any]:
    facts, caller = record.facts, record.facts.caller
    line = {each.name: getattr(caller, each.name) for each in fields(Caller)}
    line |= {each.name: getattr(facts, each.name) for each in fields(Facts) if each.name != "caller"}
    line["modules"] = [
        {"id": each.module, "evidence": each.kind, "detail": each.detail, "late": each.late} for each in facts.modules
    ]
    line |= {"late_modules": [each.module for each in facts.modules if each.late]}
    line |= {"module_count": len(facts.modules) or None}
    if record.response_cached:
        line |= {"list_price_saved_usd": None, "list_price_saved_reason": "answered from the response cache"}
    for each in fields(Record):
        value = getattr(record, each.name)
        if each.name == "history":
            line |= {inner.name: getattr(value, inner.name, None) for inner in fields(HistoryState)}
        elif each.name in ("usage", "counterfactual"):
            prefix = "" if each.name == "usage" else "counterfactual_"
            line |= {prefix + bucket: getattr(value, bucket, None) for bucket in BUCKETS}
        elif each.name != "facts":
            line[each.name] = format(value, "f") if isinstance(value, Decimal) else value
    return line


def plain_events(record: Record) -> Iterator[dict[str, Any]]:
    facts, line = record.facts, plain_line(record)
    ids = [each.module for each in facts.modules]
    sent = facts.prompt_chars if facts.outcome == "rewritten" else facts.original_chars
    model = record.model or facts.caller.model_group
    is_passthrough = facts.outcome == "passthrough"
    net = record.estimated_net_saved_usd
    tags = present(
        {
            **{name: line[name] for name in ("provider", "profile", "profile_version", "key_alias", "mode", "outcome")},
            "reason": facts.reason,
            "arm": facts.arm,
            "net": None if net is None else "gain" if net > 0 else "loss" if net < 0 else "zero",
            "model": model,
            "prompt_size_bucket": size_bucket(sent),
            "module_count": None if is_passthrough else len(ids),
            "is_fallback": None if is_passthrough else str(facts.is_fallback).lower(),
        }
    )

    def message(title: str, context: str, content: dict[str, Any]) -> dict[str, Any]:
        return {
            "message": title,
            "level": "info",
            "logger": "prompt_router",
            "fingerprint": [f"prompt_router.{context}"],
            "timestamp": datetime.fromtimestamp(record.finished_seconds, UTC).strftime(TIMESTAMP),
            "contexts": {context: content},
            "tags": tags,
        }

    if not is_passthrough:
        evidence = {
            each.module: each.kind if each.detail is None else f"{each.kind}:{each.detail}" for each in facts.modules
        }
        routing = {
            "summary": f"Routing: {len(ids)} modules selected",
            "query_length": facts.query_chars,
            "modules_selected": ids,
            "module_count": len(ids),
            "evidence": evidence,
            "is_fallback": facts.is_fallback,
            "decision_us": facts.decision_us,
        }
        yield message("Routing: modules selected", "routing", routing)
        prompt = {
            "summary": f"Prompt built: {len(ids)} modules, {facts.prompt_chars} chars",
            "modules": ids,
            "total_chars": facts.prompt_chars,
            "original_chars": facts.original_chars,
            "cache_eligible_count": facts.breakpoints_total,
            "breakpoints": {"added": facts.breakpoints_added, "client": facts.breakpoints_client},
        }
        yield message("Prompt built", "prompt", prompt)
    names = [
        *("request_id", "call_id", "thread_id", "status", "error_type", "tool_count", "original_tokens"),
        *("prompt_tokens", *BUCKETS, "usage_reason", "list_price_saved_usd", "list_price_saved_reason", "billed_usd"),
        *("billed_reason", "counterfactual_usd", "estimated_net_saved_usd", "estimated_net_saved_reason"),
        *("estimated_net_saved_method", "response_cached", "conversation", "arm", "policy"),
    ]
    if facts.routing_model_outcome is not None:
        names += ["routing_model", "routing_model_outcome", "routing_model_wait_us", "routing_model_call_count"]
        names += ["routing_model_input_tokens", "routing_model_output_tokens", "routing_model_usd"]
        names += ["routing_model_usd_reason"]
    size = "unknown size" if sent is None else f"{sent} chars"
    request = {
        "summary": f"Prompt Request: {model or 'unknown model'}, {size}, {facts.caller.tool_count} tools",
        "model": model,
        "prompt_size": sent,
        "cache_enabled": facts.breakpoints_total > 0,
    }
    yield message("Prompt Request", "request", request | {name: line[name] for name in names})
    if not is_passthrough and facts.decision_us is not None:
        began = datetime.fromtimestamp(facts.caller.started_seconds, UTC)
        trace = hashlib.sha256(facts.caller.request_id.encode("utf-8", "backslashreplace")).hexdigest()
        yield {
            "type": "transaction",
            "transaction": "prompt_router.decision",
            "transaction_info": {"source": "custom"},
            "start_timestamp": began.strftime(TIMESTAMP),
            "timestamp": (began + timedelta(microseconds=facts.decision_us)).strftime(TIMESTAMP),
            "contexts": {
                "trace": {"trace_id": trace[:32], "span_id": trace[32:48], "op": "prompt_router", "status": "ok"}
            },
            "tags": tags,
            "spans": [],
        }


TEXTS = st.one_of(
    st.sampled_from(
        ["", "tools/git", "a b", 'say "yes"', "\x00", "\ud800", "back\\slash", "über", "x" * 2_500, "null"]
    ),
    st.text(max_size=30),
)
OPTIONAL = st.none() | TEXTS
COUNTS = st.none() | st.integers(0, 10**7)
MONEY = st.none() | st.decimals(-10, 10, places=9) | st.just(Decimal("1E-12"))
MODULES = st.lists(
    st.builds(Evidence, module=TEXTS, kind=st.sampled_from(["always", "score"]), detail=OPTIONAL, late=st.booleans()),
    max_size=14,
)
USAGES = st.none() | st.builds(Usage, **{bucket: st.integers(0, 10**6) for bucket in BUCKETS})
SECONDS = st.floats(1.6e9, 2.0e9)
LAWS = settings(max_examples=examples(60), deadline=None, suppress_health_check=[HealthCheck.too_slow])


@st.composite
def records(draw: st.DrawFn) -> Record:
    def drawn(of: st.SearchStrategy[Any], *names: str) -> dict[str, Any]:
        return {name: draw(of) for name in names}

    caller = replace(
        FACTS.caller,
        request_id=draw(TEXTS),
        started_seconds=draw(SECONDS),
        tags=tuple(draw(st.lists(TEXTS, max_size=2))),
        **drawn(OPTIONAL, "call_id", "thread_id", "key_alias", "model_group", "conversation"),
    )
    facts = replace(
        FACTS,
        caller=caller,
        outcome=draw(st.sampled_from(["rewritten", "shadow", "passthrough"])),
        modules=tuple(draw(MODULES)),
        is_fallback=draw(st.booleans()),
        **drawn(OPTIONAL, "reason", "profile", "profile_version", "policy", "list_price_saved_usd"),
        **drawn(COUNTS, "query_chars", "original_chars", "prompt_chars", "decision_us"),
        routing_model_outcome=draw(st.sampled_from([None, "answered"])),
        wanted_modules=draw(st.none() | st.lists(TEXTS, max_size=2).map(tuple)),
        coverage=draw(st.none() | st.floats(0, 1)),
    )
    return replace(
        RECORD,
        facts=facts,
        finished_seconds=draw(SECONDS),
        response_cached=draw(st.booleans()),
        usage=draw(USAGES),
        counterfactual=draw(USAGES),
        history=draw(st.none() | st.builds(HistoryState, message_count=COUNTS, recent_state=OPTIONAL)),
        **drawn(OPTIONAL, "error_type", "model", "provider", "usage_reason", "billed_reason"),
        **drawn(MONEY, "billed_usd", "counterfactual_usd", "estimated_net_saved_usd"),
        routing_model_usd=draw(MONEY),
        routing_model_call_count=draw(COUNTS),
    )


@LAWS
@given(records())
def test_a_line_is_what_its_fields_are(record: Record) -> None:
    """In the order of the fields, to the byte."""
    line = plain_line(record)
    assert (record.to_dict(), list(record.to_dict())) == (line, list(line))
    assert record.to_json() == json.dumps(line, allow_nan=False)


@LAWS
@given(st.lists(records(), min_size=1, max_size=3))
def test_gathered_events_are_those_that_sentrys_client_sends(made: list[Record]) -> None:
    """All but their ids, whatever text is in the records."""
    caught.clear()
    sink = Glitchtip(GlitchtipSettings(dsn=DSN, environment="staging"), "router@1.0", Caught)
    for record in made:
        sink.write(record)
    sink.post()
    options: dict[str, Any] = {"default_integrations": False, "auto_enabling_integrations": False, "max_breadcrumbs": 0}
    client = sentry_sdk.Client(
        dsn=DSN, release="router@1.0", environment="staging", server_name="prompt-router", transport=Caught, **options
    )
    for record in made:
        for event in plain_events(record):
            client.capture_event(plain(event))
    assert sink.stats().faults == 0
    ours, theirs = caught
    assert ours.items == theirs.items

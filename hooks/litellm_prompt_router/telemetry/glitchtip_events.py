"""Records, drift and faults -> the bodies of GlitchTip events. Pure.

What GlitchTip does with events decides their form. It groups by fingerprint and titles an issue after its
first event: both are fixed, figures go into contexts, and what is to be searched or counted goes into tags.
"""

from __future__ import annotations

import functools
import hashlib
import math
import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

import orjson

from litellm_prompt_router.documents.shown_text import one_line
from litellm_prompt_router.profile.profile import how_to_review
from litellm_prompt_router.record.record import PROMPT_SIZE_EDGES, USAGE_BUCKETS, Caller, Facts, Record, line_reader
from litellm_prompt_router.request.types import Evidence
from litellm_prompt_router.telemetry.alerts import Alert
from litellm_prompt_router.telemetry.faults import Fault, Raised

NAME = "prompt_router"
"""Logger, transaction op, and how fingerprints begin."""
MAX_TAG_CHARS = 200
MAX_TEXT_CHARS = 2_000
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
"""A NUL or a lone surrogate makes GlitchTip drop the event, or others stored with it, behind a 200."""


def is_sampled(request_id: str, rate: float) -> bool:
    """True for the share ``rate`` of request ids, always the same ones."""
    if rate >= 1:
        return True
    digest = hashlib.sha256(request_id.encode("utf-8", "backslashreplace")).digest()
    return int.from_bytes(digest[:8]) < rate * 2**64


def request_bodies(record: Record) -> Iterator[tuple[bytes, bytes]]:
    """The events of one request, each as its kind of envelope item and a JSON object.

    Field names and figures are the ledger's.
    """
    tags = _tags_as_json(_tag_values(record))
    for event in _request_events(record):
        event["tags"] = tags
        yield b"transaction" if "transaction" in event else b"event", json_of(event)


def json_of(event: object) -> bytes:
    """``plain(event)`` as JSON, without walking through it where there is nothing to change."""
    try:
        body = orjson.dumps(event)
        if b"\\" not in body and not _may_hold_long_text(body):  # what is escaped may be a NUL
            return body
    except TypeError:  # a lone surrogate, or a type that isn't JSON's
        pass
    return orjson.dumps(plain(event))


def _may_hold_long_text(body: bytes) -> bool:
    """False for JSON without escapes none of whose texts is longer than ``MAX_TEXT_CHARS``.

    A longer one would hold a whole one of these windows, without a quotation mark.
    """
    window = MAX_TEXT_CHARS // 2
    return len(body) > MAX_TEXT_CHARS and any(
        body.find(b'"', at, at + window) < 0 for at in range(0, len(body) - window + 1, window)
    )


def _request_events(record: Record) -> Iterator[dict[str, Any]]:
    """Without tags, which are the same on all of them."""
    if not record.facts.is_passthrough:
        yield _message(record, "Routing: modules selected", "routing", _routing(record.facts))
        yield _message(record, "Prompt built", "prompt", _prompt(record.facts))
    yield _message(record, "Prompt Request", "request", _request(record))
    if record.facts.selection_us is not None:
        yield _decision(record.facts.caller, record.facts.selection_us)


def drift_event(record: Record) -> dict[str, Any]:
    """An issue of its own for each profile, because an alert fires once an issue.

    Every process gives the drift of one profile version and hour the same id, and GlitchTip keeps one of them.
    """
    facts = record.facts
    drift = {
        "summary": f"Prompt drift: {facts.profile}, coverage {facts.coverage}",
        **_picked(facts, "profile", "profile_version", "coverage", "known_lines", "reason", "original_chars"),
        **_picked(facts, "residue_chars", "absent_modules"),
    }
    once = ":".join(map(str, drift_key(record)))
    event = {**_message(record, "Prompt drift", "drift", drift), "tags": _tags(record)}
    fingerprint = [f"{NAME}.drift:{facts.profile}"]
    return {**event, "level": "warning", "fingerprint": fingerprint, "event_id": _event_id(once)}


def drift_key(record: Record) -> tuple[object, ...]:
    """What is reported once: a profile version in an hour. That nothing is rewritten any more is news of its own."""
    facts = record.facts
    return (f"{NAME}.drift", facts.profile, facts.profile_version, facts.reason, int(record.finished_seconds // 3600))


def unreviewed_event(record: Record) -> dict[str, Any]:
    """An issue for each profile whose requests are held in shadow; all processes' events of an hour are one."""
    facts = record.facts
    unreviewed = {
        "summary": f"Profile not reviewed: {facts.profile}, held in shadow",
        **_picked(facts, "profile", "profile_version"),
        "todo": how_to_review(str(facts.profile)),
    }
    event = {**_message(record, "Profile not reviewed", "unreviewed", unreviewed), "tags": _tags(record)}
    fingerprint = [f"{NAME}.unreviewed:{facts.profile}"]
    once = ":".join(map(str, unreviewed_key(record)))
    return {**event, "level": "warning", "fingerprint": fingerprint, "event_id": _event_id(once)}


def unreviewed_key(record: Record) -> tuple[object, ...]:
    """What is reported once: a profile version in an hour."""
    facts = record.facts
    return (f"{NAME}.unreviewed", facts.profile, facts.profile_version, int(record.finished_seconds // 3600))


def _event_id(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "backslashreplace")).hexdigest()[:32]


def problem_event(
    title: str, path_lines: Sequence[str], key_alias: str | None, once: str | None = None
) -> dict[str, Any]:
    """One issue for each title; the key that it concerns is a tag. ``once`` makes it one event for all processes."""
    return {
        **({} if once is None else {"event_id": _event_id(f"{NAME}.problem:{title}:{once}")}),
        "tags": present({"key_alias": key_alias}),
        "message": title,
        "level": "error",
        "logger": NAME,
        "fingerprint": [f"{NAME}.problem:{title}"],
        "contexts": {"problem": {"summary": f"{title}: {len(path_lines)}", "problems": list(path_lines)}},
    }


def notice_event(name: str, title: str, context: Mapping[str, Any]) -> dict[str, Any]:
    """One issue for each title, and for each profile. ``name``: of the context and the fingerprint."""
    profile = context.get("profile")
    return {
        "message": title,
        "level": "info",
        "logger": NAME,
        "fingerprint": [f"{NAME}.{name}" + (f":{profile}" if profile else "")],
        "tags": present({"profile": profile}),
        "contexts": {name: dict(context)},
    }


def lost_records_event(context: Mapping[str, Any]) -> dict[str, Any]:
    """One issue for all losses of records; the figures are in the context."""
    return {
        "message": "Records lost",
        "level": "error",
        "logger": NAME,
        "fingerprint": [f"{NAME}.lost_records"],
        "contexts": {"lost_records": dict(context)},
    }


def alert_event(alert: Alert) -> dict[str, Any]:
    """One issue for each kind of alert, and for each profile where it is one profile's."""
    return {
        "message": alert.title,
        "level": "error",
        "logger": NAME,
        "fingerprint": [f"{NAME}.alert:{alert.name}" + (f":{alert.profile}" if alert.profile else "")],
        "tags": present({"alert": alert.name, "profile": alert.profile}),
        "contexts": {"alert": {"summary": alert.summary, **alert.figures}},
    }


def fault_event(fault: Fault, suppressed: int) -> dict[str, Any]:
    """One issue for each place that failed. ``suppressed``: faults not sent since the last that was."""
    caught = fault.chain[-1]
    at = f"{fault.at.module}.{fault.at.function}" if fault.at else ""
    return {
        "level": "error",
        "logger": NAME,
        "fingerprint": [f"{NAME}.fault:{fault.where}:{caught.type}:{at}"],
        "exception": {"values": [_exception(raised, fault.where) for raised in fault.chain]},
        "tags": present({"where": fault.where, "error_type": caught.type}),
        "contexts": {"fault": {"where": fault.where, "at": at, "suppressed": suppressed}},
    }


def _exception(raised: Raised, where: str) -> dict[str, Any]:
    exception: dict[str, Any] = {
        "type": raised.type,
        "module": raised.module,
        "value": f"in {where}",
        "mechanism": {"type": NAME, "handled": True},
    }
    if raised.frames:
        exception["stacktrace"] = {
            "frames": [
                {
                    "module": frame.module,
                    "function": frame.function,
                    "lineno": frame.line,
                    "filename": frame.path,
                    "in_app": frame.is_own,
                }
                for frame in raised.frames
            ]
        }
    return exception


def _message(record: Record, title: str, context: str, content: dict[str, Any]) -> dict[str, Any]:
    return {
        "message": title,
        "level": "info",
        "logger": NAME,
        "fingerprint": [f"{NAME}.{context}"],
        "timestamp": _timestamp(record.finished_seconds),
        "contexts": {context: content},
    }


@functools.lru_cache(maxsize=1)
def _timestamp(seconds: float) -> str:
    return _as_text(datetime.fromtimestamp(seconds, UTC))


def _as_text(moment: datetime) -> str:
    """Such as ``2026-11-24T16:00:02.500000Z``; ``moment`` is in UTC."""
    return moment.isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"


def _routing(facts: Facts) -> dict[str, Any]:
    count = len(facts.modules)
    selected, evidence = _modules_as_json(facts.modules)
    return {
        "summary": f"Routing: {count} modules selected",
        "query_length": facts.query_chars,
        "modules_selected": selected,
        "module_count": count,
        "evidence": evidence,
        "is_fallback": facts.is_fallback,
        "decision_us": facts.decision_us,
    }


@functools.lru_cache(maxsize=256)
def _modules_as_json(modules: tuple[Evidence, ...]) -> tuple[orjson.Fragment, orjson.Fragment]:
    """Their ids, and the evidence of each. Calls of a conversation mostly have the same."""
    ids = json_of([evidence.module for evidence in modules])
    return orjson.Fragment(ids), orjson.Fragment(json_of({each.module: _evidence(each) for each in modules}))


def _evidence(evidence: Evidence) -> str:
    return evidence.kind if evidence.detail is None else f"{evidence.kind}:{evidence.detail}"


def _prompt(facts: Facts) -> dict[str, Any]:
    return {
        "summary": f"Prompt built: {len(facts.modules)} modules, {facts.prompt_chars} chars",
        "modules": _modules_as_json(facts.modules)[0],
        "total_chars": facts.prompt_chars,
        "original_chars": facts.original_chars,
        "cache_eligible_count": facts.breakpoints_total,
        "breakpoints": {"added": facts.breakpoints_added, "client": facts.breakpoints_client},
    }


_told_of_request = line_reader(
    *("request_id", "call_id", "thread_id", "status", "error_type", "tool_count"),
    *("original_tokens", "prompt_tokens", *USAGE_BUCKETS, "usage_reason"),
    *("list_price_saved_usd", "list_price_saved_reason", "billed_usd", "billed_reason", "counterfactual_usd"),
    *("estimated_net_saved_usd", "estimated_net_saved_reason", "estimated_net_saved_method", "response_cached"),
    *("conversation", "arm", "policy"),
)
_told_of_routing_model = line_reader(
    *("routing_model", "routing_model_outcome", "routing_model_wait_us", "routing_model_call_count"),
    *("routing_model_input_tokens", "routing_model_output_tokens", "routing_model_usd", "routing_model_usd_reason"),
)
"""Told of requests whose profile names such a model."""


def _request(record: Record) -> dict[str, Any]:
    facts = record.facts
    model, size = record.model_or_group, facts.sent_chars
    chars = "unknown size" if size is None else f"{size} chars"
    told = {
        "summary": f"Prompt Request: {model or 'unknown model'}, {chars}, {facts.caller.tool_count} tools",
        "model": model,
        "prompt_size": size,
        "cache_enabled": facts.breakpoints_total > 0,
        **_told_of_request(record),
    }
    return told if facts.routing_model_outcome is None else told | _told_of_routing_model(record)


def _decision(caller: Caller, decision_us: int) -> dict[str, Any]:
    """A transaction as long as the decision took: GlitchTip shows mean duration and count."""
    began = datetime.fromtimestamp(caller.started_seconds, UTC)
    ended = began + timedelta(microseconds=decision_us)
    trace = hashlib.sha256(caller.request_id.encode("utf-8", "backslashreplace")).hexdigest()
    return {
        "type": "transaction",
        "transaction": f"{NAME}.decision",
        "transaction_info": {"source": "custom"},
        "start_timestamp": _as_text(began),
        "timestamp": _as_text(ended),
        "contexts": {
            "trace": {"trace_id": trace[:32], "span_id": trace[32:48], "op": NAME, "status": "ok"},
        },
        "spans": [],
    }


_TAGS = (
    *("provider", "profile", "profile_version", "key_alias", "mode", "outcome", "reason", "arm", "net", "model"),
    *("prompt_size_bucket", "module_count", "is_fallback"),
)
"""What GlitchTip can search and count. To add a tag, add its name here and its value in ``_tag_values``."""


def _tag_values(record: Record) -> tuple[str | int | None, ...]:
    facts = record.facts
    is_passthrough = facts.is_passthrough
    return (
        *(record.provider, facts.profile, facts.profile_version, facts.caller.key_alias, facts.mode, facts.outcome),
        *(facts.reason, facts.arm, record.net_direction, record.model_or_group),
        size_bucket(facts.sent_chars),
        None if is_passthrough else len(facts.modules),
        None if is_passthrough else str(facts.is_fallback).lower(),
    )


def _tags(record: Record) -> dict[str, str]:
    return present(dict(zip(_TAGS, _tag_values(record), strict=True)))


@functools.lru_cache(maxsize=256)
def _tags_as_json(values: tuple[str | int | None, ...]) -> orjson.Fragment:
    return orjson.Fragment(json_of(present(dict(zip(_TAGS, values, strict=True)))))


def _picked(facts: Facts, *names: str) -> dict[str, Any]:
    return {name: getattr(facts, name) for name in names}


def size_bucket(chars: int | None) -> str | None:
    """Such as ``20k-50k``: the lower edge is in the bucket."""
    return None if chars is None else _BUCKETS[bisect_right(PROMPT_SIZE_EDGES, chars)]


def _bucket_names() -> Iterator[str]:
    edges = [f"{edge // 1000}k" if edge else "0" for edge in (0, *PROMPT_SIZE_EDGES)]
    yield from (f"{lower}-{upper}" for lower, upper in pairwise(edges))
    yield f"{edges[-1]}+"


_BUCKETS = tuple(_bucket_names())


def plain(value: object) -> Any:
    """``value`` in JSON types that GlitchTip stores: text bounded, without NULs and lone surrogates."""
    match value:
        case None | bool() | int() | orjson.Fragment():  # the last is JSON already, of what was plain
            return value
        case str():
            return _UNSTORABLE.sub("", value)[:MAX_TEXT_CHARS]
        case float():
            return value if math.isfinite(value) else None
        case Decimal():
            return format(value, "f")
        case Mapping():
            return {plain(str(key)): plain(item) for key, item in value.items()}
        case list() | tuple():
            return [plain(item) for item in value]
        case set() | frozenset():
            return [plain(item) for item in sorted(value, key=str)]
        case _:
            return f"<{type(value).__name__}>"


def present(tags: Mapping[str, object]) -> dict[str, str]:
    """Tags with a value, as text. GlitchTip drops an event with anything else in a tag."""
    texts = {name: tag_text(value) for name, value in tags.items() if isinstance(value, (str, int))}
    return {name: text for name, text in texts.items() if text}


def tag_text(value: object) -> str:
    """One line of bounded, storable text; empty if nothing of ``value`` is."""
    text = str(value)
    if len(text) <= MAX_TAG_CHARS and text.isascii() and text.isprintable() and " " not in text:
        return text
    return one_line(" ".join(_UNSTORABLE.sub("", text[: 2 * MAX_TAG_CHARS])[:MAX_TAG_CHARS].split()))[:MAX_TAG_CHARS]

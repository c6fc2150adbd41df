"""Records, drift and faults -> the bodies of GlitchTip events. Pure.

What GlitchTip does with events decides their form. It groups by fingerprint and titles an issue after its
first event: both are fixed, figures go into contexts, and what is to be searched or counted goes into tags.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from litellm_prompt_router.cache_model.usage import Usage
from litellm_prompt_router.record.record import Record
from litellm_prompt_router.telemetry.alerts import Alert
from litellm_prompt_router.telemetry.faults import Fault, Raised
from litellm_prompt_router.telemetry.storable import present

NAME = "prompt_router"
"""Logger, transaction op, and how fingerprints begin."""
TIMESTAMP = "%Y-%m-%dT%H:%M:%S.%fZ"
SIZE_EDGES = (5_000, 10_000, 20_000, 50_000, 100_000, 200_000, 500_000)


def is_sampled(request_id: str, rate: float) -> bool:
    """True for the share ``rate`` of request ids, always the same ones."""
    digest = hashlib.sha256(request_id.encode("utf-8", "backslashreplace")).digest()
    return int.from_bytes(digest[:8]) < rate * 2**64


def request_events(record: Record) -> Iterator[dict[str, Any]]:
    """The events of one request. Field names and figures are the ledger's."""
    line = record.to_dict()
    is_routed = line["outcome"] != "passthrough"
    if is_routed:
        yield _message(record, "Routing: modules selected", "routing", _routing(line), _tags(line))
        yield _message(record, "Prompt built", "prompt", _prompt(line), _tags(line))
    yield _message(record, "Prompt Request", "request", _request(line), _tags(line))
    if is_routed and line["decision_us"] is not None:
        yield _decision(line)


def drift_event(record: Record) -> dict[str, Any]:
    """An issue of its own for each profile, because an alert fires once an issue.

    Every process gives the drift of one profile version and hour the same id, and GlitchTip keeps one of them.
    """
    line = record.to_dict()
    drift = {
        "summary": f"Prompt drift: {line['profile']}, coverage {line['coverage']}",
        **_picked(line, "profile", "profile_version", "coverage", "known_lines", "reason", "original_chars"),
        **_picked(line, "residue_chars", "absent_modules"),
    }
    once = ":".join(map(str, drift_key(record)))
    event = _message(record, "Prompt drift", "drift", drift, _tags(line))
    fingerprint = [f"{NAME}.drift:{line['profile']}"]
    return {**event, "level": "warning", "fingerprint": fingerprint, "event_id": _event_id(once)}


def drift_key(record: Record) -> tuple[object, ...]:
    """What is reported once: a profile version in an hour. That nothing is rewritten any more is news of its own."""
    facts = record.facts
    return (f"{NAME}.drift", facts.profile, facts.profile_version, facts.reason, int(record.finished_seconds // 3600))


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


def _message(record: Record, title: str, context: str, content: dict[str, Any], tags: dict[str, str]) -> dict[str, Any]:
    return {
        "message": title,
        "level": "info",
        "logger": NAME,
        "fingerprint": [f"{NAME}.{context}"],
        "timestamp": datetime.fromtimestamp(record.finished_seconds, UTC).strftime(TIMESTAMP),
        "contexts": {context: content},
        "tags": tags,
    }


def _routing(line: Mapping[str, Any]) -> dict[str, Any]:
    modules = line["modules"]
    return {
        "summary": f"Routing: {len(modules)} modules selected",
        "query_length": line["query_chars"],
        "modules_selected": [module["id"] for module in modules],
        "module_count": len(modules),
        "evidence": {module["id"]: _evidence(module) for module in modules},
        "is_fallback": line["is_fallback"],
        "decision_us": line["decision_us"],
    }


def _evidence(module: Mapping[str, Any]) -> str:
    kind, detail = module["evidence"], module["detail"]
    return str(kind) if detail is None else f"{kind}:{detail}"


def _prompt(line: Mapping[str, Any]) -> dict[str, Any]:
    modules = [module["id"] for module in line["modules"]]
    return {
        "summary": f"Prompt built: {len(modules)} modules, {line['prompt_chars']} chars",
        "modules": modules,
        "total_chars": line["prompt_chars"],
        "original_chars": line["original_chars"],
        "cache_eligible_count": _breakpoints(line),
        "breakpoints": {"added": line["breakpoints_added"], "client": line["breakpoints_client"]},
    }


def _request(line: Mapping[str, Any]) -> dict[str, Any]:
    model, size = _model(line), _sent_chars(line)
    chars = "unknown size" if size is None else f"{size} chars"
    money = ("list_price_saved_usd", "list_price_saved_reason", "billed_usd", "billed_reason", "counterfactual_usd")
    net = ("estimated_net_saved_usd", "estimated_net_saved_reason", "estimated_net_saved_method")
    usage = (*(field.name for field in fields(Usage)), "usage_reason")
    return {
        "summary": f"Prompt Request: {model or 'unknown model'}, {chars}, {line['tool_count']} tools",
        "model": model,
        "prompt_size": size,
        "cache_enabled": _breakpoints(line) > 0,
        **_picked(line, "request_id", "call_id", "thread_id", "status", "error_type", "tool_count"),
        **_picked(line, "original_tokens", "prompt_tokens", *usage, *money, *net, "response_cached"),
        **_picked(line, "conversation", "arm", "policy"),
    }


def _decision(line: Mapping[str, Any]) -> dict[str, Any]:
    """A transaction as long as the decision took: GlitchTip shows mean duration and count."""
    began = datetime.fromtimestamp(line["started_seconds"], UTC)
    ended = began + timedelta(microseconds=line["decision_us"])
    trace = hashlib.sha256(line["request_id"].encode("utf-8", "backslashreplace")).hexdigest()
    return {
        "type": "transaction",
        "transaction": f"{NAME}.decision",
        "transaction_info": {"source": "custom"},
        "start_timestamp": began.strftime(TIMESTAMP),
        "timestamp": ended.strftime(TIMESTAMP),
        "contexts": {
            "trace": {"trace_id": trace[:32], "span_id": trace[32:48], "op": NAME, "status": "ok"},
        },
        "tags": _tags(line),
        "spans": [],
    }


def _tags(line: Mapping[str, Any]) -> dict[str, str]:
    is_routed = line["outcome"] != "passthrough"
    return present(
        {
            **_picked(line, "provider", "profile", "profile_version", "key_alias"),
            **_picked(line, "mode", "outcome", "reason", "arm"),
            "net": _sign(line["estimated_net_saved_usd"]),
            "model": _model(line),
            "prompt_size_bucket": size_bucket(_sent_chars(line)),
            "module_count": len(line["modules"]) if is_routed else None,
            "is_fallback": str(line["is_fallback"]).lower() if is_routed else None,
        }
    )


def _sign(usd: str | None) -> str | None:
    """``gain``, ``loss`` or ``zero``, which can be counted; the figure itself can't."""
    if usd is None:
        return None
    net = Decimal(usd)
    return "gain" if net > 0 else "loss" if net < 0 else "zero"


def _picked(line: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: line[name] for name in names}


def _model(line: Mapping[str, Any]) -> str | None:
    model: str | None = line["model"] or line["model_group"]
    return model


def _sent_chars(line: Mapping[str, Any]) -> int | None:
    """Characters of system text that really left: the original's unless it was rewritten."""
    size: int | None = line["prompt_chars"] if line["outcome"] == "rewritten" else line["original_chars"]
    return size


def _breakpoints(line: Mapping[str, Any]) -> int:
    return int(line["breakpoints_total"])


def size_bucket(chars: int | None) -> str | None:
    """Such as ``20k-50k``: the lower edge is in the bucket."""
    if chars is None:
        return None
    edges = (0, *SIZE_EDGES)
    below = max(index for index, edge in enumerate(edges) if chars >= edge)
    names = [f"{edge // 1000}k" if edge else "0" for edge in edges]
    return f"{names[below]}-{names[below + 1]}" if below + 1 < len(names) else f"{names[below]}+"

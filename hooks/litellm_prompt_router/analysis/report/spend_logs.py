"""An export of LiteLLM's SpendLogs table read as ledger records.

Names are those of ``LiteLLM_SpendLogs`` in LiteLLM's schema.prisma (1.106, checked 2026-11). What we left there is
the summary under ``metadata.spend_logs_metadata.prompt_router``; the bill, the tokens and the key are LiteLLM's.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

import orjson
import polars as pl

from litellm_prompt_router.analysis.report.columns import COLUMNS, frame_of
from litellm_prompt_router.analysis.report.ledger_files import LedgerTally
from litellm_prompt_router.cache_model.usage import read_usage
from litellm_prompt_router.documents.errors import ConfigurationError
from litellm_prompt_router.record.routing_bill import QUESTION_KEY

OWN_KEY = "prompt_router"
USD_DIGITS = 12
"""As in the ledger: LiteLLM's spend is a float."""
CACHE_HIT = "true"


def read_spend_logs(file: Path, tally: LedgerTally) -> pl.DataFrame:
    """The rows that carry our summary, or that are calls all the same. Raises ConfigurationError."""
    tally.files += 1
    records = []
    for row in _rows(file):
        if _is_question(row):  # its cost is in the summary of the request that asked
            continue
        tally.lines += 1
        record = _record(row)
        if record is None:
            tally.damaged += 1
            tally.damaged_in[str(file)] = tally.damaged_in.get(str(file), 0) + 1
        else:
            records.append(record)
    return frame_of(records)


def _rows(file: Path) -> Iterator[Mapping[str, Any]]:
    try:
        raw = file.read_bytes()
    except OSError as error:
        raise ConfigurationError([f"{file}: can't be read ({error.strerror}); check the path"]) from None
    text = raw.decode("utf-8-sig", "replace")
    if text.lstrip()[:1] not in ("[", "{"):
        csv.field_size_limit(sys.maxsize)
        yield from csv.DictReader(text.splitlines(keepends=True))
        return
    try:
        whole = orjson.loads(text)
    except orjson.JSONDecodeError:
        yield from (_object(line) for line in text.splitlines() if line.strip())
        return
    rows = whole.get("data", [whole]) if isinstance(whole, dict) else whole
    yield from (row if isinstance(row, dict) else {} for row in rows)


def _is_question(row: Mapping[str, Any]) -> bool:
    """True for a call to a routing model that we made ourselves."""
    return QUESTION_KEY in _object(_object(row.get("metadata")).get("spend_logs_metadata"))


def _record(row: Mapping[str, Any]) -> dict[str, Any] | None:
    ended = _time(row.get("endTime")) or _time(row.get("startTime"))
    if ended is None or not row.get("request_id"):
        return None
    metadata = _object(row.get("metadata"))
    spend_metadata = _object(metadata.get("spend_logs_metadata"))
    summary = _object(spend_metadata.get(OWN_KEY))
    is_hit = str(row.get("cache_hit")).lower() == CACHE_HIT
    status = row.get("status") or metadata.get("status") or "success"
    record = {name: value for name, value in summary.items() if name in COLUMNS}
    return {
        **record,
        "request_id": str(summary.get("request_id") or row["request_id"]),
        "finished_seconds": ended,
        "started_seconds": _time(row.get("startTime")),
        "call_id": _text(row.get("litellm_call_id")),
        "key_alias": summary.get("key_alias") or _text(metadata.get("user_api_key_alias")),
        "key_hash": _text(row.get("api_key")),
        "team_id": _text(row.get("team_id")),
        "model_group": _text(row.get("model_group")),
        "model": _text(row.get("model")),
        "provider": _text(row.get("custom_llm_provider")),
        "endpoint": _text(row.get("call_type")),
        "conversation": summary.get("conversation"),
        "mode": summary.get("mode"),
        "outcome": summary.get("outcome") or "passthrough",
        "reason": summary.get("reason") if summary else "not seen by the router",
        "status": "failure" if status == "failure" else "success",
        "error_type": _text(_object(metadata.get("error_information")).get("error_class")),
        "response_cached": is_hit,
        "billed_usd": None if status == "failure" else _usd(row.get("spend")),
        **_usage(row, metadata),
    }


def _usage(row: Mapping[str, Any], metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Buckets from the usage object that LiteLLM keeps in metadata; without it only what the table has."""
    stated = _object(metadata.get("usage_object"))
    usage = read_usage({**stated, **{name: _int(stated[name]) for name in ("prompt_tokens",) if name in stated}})
    if usage is not None:
        return asdict(usage)
    prompt, output = _int(row.get("prompt_tokens")), _int(row.get("completion_tokens"))
    return {"uncached_input_tokens": prompt, "output_tokens": output}


def _object(value: object) -> dict[str, Any]:
    """A JSON column: an object, or its text."""
    if isinstance(value, (str, bytes)):
        try:
            value = orjson.loads(value)
        except orjson.JSONDecodeError:
            return {}
    if isinstance(value, str):  # exported twice over
        return _object(value) if value[:1] == "{" else {}
    return value if isinstance(value, dict) else {}


def _time(value: object) -> float | None:
    if not isinstance(value, str) or not value:
        return None
    try:
        stated = datetime.fromisoformat(value.replace(" UTC", "+00:00"))
    except ValueError:
        return None
    return (stated if stated.tzinfo else stated.replace(tzinfo=UTC)).timestamp()


def _usd(value: object) -> str | None:
    if value is None or value == "" or isinstance(value, bool):
        return None
    try:
        return format(round(Decimal(str(value)), USD_DIGITS), "f")
    except InvalidOperation:
        return None


def _int(value: object) -> int | None:
    try:
        return None if isinstance(value, bool) or value in (None, "") else int(str(value))
    except ValueError:
        return None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None

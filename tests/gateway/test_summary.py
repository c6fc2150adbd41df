"""The summary that LiteLLM's spend logs get: the ledger line's own fields, in its order, of bounded size."""

from __future__ import annotations

import json
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from litellm_prompt_router.cache_model.usage import Usage
from litellm_prompt_router.gateway.metadata_bag import MAX_NAMES, MAX_TEXT_CHARS, write_facts, write_summary
from litellm_prompt_router.record.ledger_schema import LEDGER_FIELDS
from litellm_prompt_router.record.record import Caller, Facts, Record
from litellm_prompt_router.request.types import Evidence

CALLER = Caller(
    request_id="r",
    call_id="c",
    started_seconds=1.5,
    endpoint="acompletion",
    stream=True,
    thread_id="t" * 500,
    key_alias="alias",
    key_hash="0" * 64,
    team_id=None,
    model_group="claude",
    tool_count=3,
    tags=("one",),
)
OFF = Facts(caller=CALLER, mode="off", outcome="passthrough", reason="off")
REWRITTEN = replace(
    OFF,
    mode="rewrite",
    outcome="rewritten",
    reason=None,
    profile="workbench",
    coverage=0.9876,
    modules=(
        Evidence("core", "always", None),
        Evidence("tools", "trigger", "word", late=True),
    ),
    original_chars=65_000,
    list_price_saved_usd="0.0123",
)
LONG = replace(
    REWRITTEN,
    reason="x" * 999,
    absent_modules=tuple(map(str, range(300))),
    modules=tuple(Evidence("m" * 300 + str(number), "score", "d" * 300, number % 2 == 0) for number in range(150)),
)


def record_of(facts: Facts, *, response_cached: bool = False) -> Record:
    return Record(
        facts=facts,
        finished_seconds=2.0,
        status="success",
        error_type=None,
        model="claude-sonnet-4-5",
        provider="anthropic",
        usage=Usage(
            uncached_input_tokens=1,
            cache_read_tokens=2,
            cache_write_5m_tokens=3,
            cache_write_1h_tokens=4,
            output_tokens=5,
        ),
        usage_reason=None,
        billed_usd=Decimal("1E-7"),
        billed_reason=None,
        response_cached=response_cached,
        estimated_net_saved_usd=Decimal("-0.5"),
    )


def plainly(line: dict[str, Any]) -> dict[str, Any]:
    """A ledger line's summary, one field after the other."""
    names = {each.name for each in LEDGER_FIELDS if each.in_summary}

    def bounded(value: Any) -> Any:
        if isinstance(value, str):
            return value[:MAX_TEXT_CHARS]
        if isinstance(value, dict):
            return {name: bounded(item) for name, item in value.items()}
        return [bounded(item) for item in value[:MAX_NAMES]] if isinstance(value, (list, tuple)) else value

    return {name: bounded(value) for name, value in line.items() if name in names}


@pytest.mark.parametrize("facts", [OFF, REWRITTEN, LONG], ids=["off", "rewritten", "long"])
def test_the_summary_is_the_ledgers_line_cut_to_size(facts: Facts) -> None:
    """When the request leaves, and when the answer is known; byte for byte."""
    bag: dict[str, Any] = {}
    write_facts(bag, facts)
    assert json.dumps(bag["spend_logs_metadata"]["prompt_router"]) == json.dumps(plainly(facts.to_dict()))
    for response_cached in (False, True):
        record = record_of(facts, response_cached=response_cached)
        write_summary(bag, record, lambda: None, "net")
        assert json.dumps(bag["spend_logs_metadata"]["prompt_router"]) == json.dumps(plainly(record.to_dict()))


def test_what_litellm_does_to_a_summary_reaches_no_other() -> None:
    """Summaries of the same modules share nothing that can be changed."""
    first: dict[str, Any] = {}
    write_facts(first, REWRITTEN)
    modules = first["spend_logs_metadata"]["prompt_router"]["modules"]
    modules[0]["id"] = "changed"
    modules.clear()
    second: dict[str, Any] = {}
    write_facts(second, REWRITTEN)
    assert second["spend_logs_metadata"]["prompt_router"] == plainly(REWRITTEN.to_dict())

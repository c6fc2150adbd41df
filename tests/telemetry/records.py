"""Finished records to feed the sinks."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

from litellm_prompt_router.cache_model.usage import Usage
from litellm_prompt_router.record.record import UNREVIEWED, Caller, Facts, Record
from litellm_prompt_router.request.types import Evidence

CALLER = Caller(
    request_id="4f9d",
    call_id="call-1",
    started_seconds=1_764_000_000.25,
    endpoint="acompletion",
    stream=False,
    thread_id="thread-7",
    key_alias="alpha",
    key_hash="deadbeef" * 8,
    team_id="team-a",
    model_group="sonnet",
    tool_count=12,
)
MODULES = (
    Evidence(module="core/identity", kind="always", detail=None, late=False),
    Evidence(module="tools/charts", kind="trigger", detail="bar chart", late=True),
)
FACTS = Facts(
    caller=CALLER,
    mode="rewrite",
    outcome="rewritten",
    reason=None,
    profile="workbench",
    profile_version="3",
    profile_digest="abc",
    coverage=0.98,
    message_kind="task",
    query_chars=41,
    modules=MODULES,
    module_total=24,
    original_chars=116_000,
    prompt_chars=31_234,
    residue_chars=12,
    original_tokens=26_000,
    prompt_tokens=7_000,
    breakpoints_added=2,
    breakpoints_client=1,
    breakpoints_total=3,
    list_price_saved_usd="0.057000",
    decision_us=1_234,
)
USAGE = Usage(
    uncached_input_tokens=11,
    cache_read_tokens=7_000,
    cache_write_5m_tokens=30,
    cache_write_1h_tokens=0,
    output_tokens=5,
)
RECORD = Record(
    facts=FACTS,
    finished_seconds=1_764_000_002.5,
    status="success",
    error_type=None,
    model="claude-sonnet-4-5",
    provider="anthropic",
    usage=USAGE,
    usage_reason=None,
    billed_usd=Decimal("0.0000001"),
    billed_reason=None,
    response_cached=False,
)


def record(request_id: str = "4f9d", **facts: Any) -> Record:
    """A rewritten request's record, its facts changed by name."""
    return replace(RECORD, facts=replace(FACTS, caller=replace(CALLER, request_id=request_id), **facts))


def held_back(request_id: str = "4f9d", **facts: Any) -> Record:
    """The record of a request held in shadow because nobody reviewed its profile."""
    unreviewed: dict[str, Any] = {"mode": "shadow", "outcome": "shadow", "reason": UNREVIEWED, "policy": UNREVIEWED}
    return record(request_id, **unreviewed, **facts)


def passthrough(reason: str, **facts: Any) -> Record:
    """The record of a request left as it came."""
    left = Facts(caller=CALLER, mode="rewrite", outcome="passthrough", reason=reason, decision_us=80)
    return replace(RECORD, facts=replace(left, **facts))

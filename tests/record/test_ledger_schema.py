"""A field is named once: the ledger line, Parquet files, the bag and the summary all have it from there."""

from __future__ import annotations

import json
from dataclasses import Field, dataclass, fields, replace
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from litellm_prompt_router.analysis.report.columns import COLUMNS, EXTRA, MONEY, frame_of
from litellm_prompt_router.cache_model.usage import Usage
from litellm_prompt_router.gateway import metadata_bag
from litellm_prompt_router.record import ledger_schema
from litellm_prompt_router.record.history_state import HistoryState
from litellm_prompt_router.record.ledger_schema import LEDGER_FIELDS
from litellm_prompt_router.record.record import LEDGER_ONLY, Caller, Facts, Record
from tests.telemetry.records import CALLER, FACTS, MODULES, RECORD, USAGE

HOLDERS = {"caller", "facts", "usage", "counterfactual", "history"}
"""Fields that hold others, which stand in the line in their place."""
FULL_CALLER = replace(CALLER, user_id="u", tags=("a", "b"), conversation="c-1", names_session=True)
FULL_FACTS = replace(
    FACTS, caller=FULL_CALLER, reason="r", known_lines=0.9, placement="append", fallback_reason="unsure", arm="holdout",
    list_price_saved_reason="why", absent_modules=("core/identity",), policy="settings", profile_changed_from="2 abc",
    tools_chars=9_000, history_chars=4_000, routing_model="small", routing_model_outcome="answered",
    routing_model_wait_us=300_000, embedding_wait_us=40_000, turn_number=2, is_new_message=True,
    wanted_modules=("tools/data_processing",), wanted_late_modules=("tools/email",), profile_router="none",
    profile_routing="12ab", placed_at_chars=100, varying_at_chars=200, varying_chars=300, tuning="t-1",
)  # fmt: skip
FULL_HISTORY = HistoryState(
    message_count=3, history_state="cc", previous_history_states=("dd", "ee"), recent_state="ff",
    previous_recent_state="0a", history_tokens=900, tools_state="0b", tools_tokens=400,
    placed_state="aa", varying_state="bb",
)  # fmt: skip
FULL = replace(
    RECORD, facts=FULL_FACTS, error_type="RateLimitError", usage_reason="why", billed_reason="why", deployment_id="d1",
    service_tier="flex", priced_usd=Decimal("0.1"), priced_reason="why", counterfactual=USAGE,
    counterfactual_usd=Decimal("0.2"), estimated_net_saved_usd=Decimal("-0.3"), estimated_net_saved_reason="why",
    estimated_net_saved_method="model", routing_model_call_count=1, routing_model_input_tokens=600,
    routing_model_output_tokens=20, routing_model_usd=Decimal("0.0001"), routing_model_usd_reason="why",
    history=FULL_HISTORY,
)  # fmt: skip


def declared() -> list[Field[Any]]:
    return [
        field for owner in (Caller, Facts, Record, HistoryState) for field in fields(owner) if field.name not in HOLDERS
    ]


def test_the_full_record_leaves_no_field_out() -> None:
    """A new field has to get a value above, or the tests below would say nothing of it."""
    for holder in (FULL, FULL_FACTS, FULL_CALLER, FULL_HISTORY):
        assert [field.name for field in fields(holder) if getattr(holder, field.name) in (None, ())] == []


def test_every_field_is_a_field_of_the_ledger_line() -> None:
    """Each once, in one order; beside them stand the usage's buckets and what follows from the modules."""
    line = FULL.to_dict()
    assert list(line) == [field.name for field in LEDGER_FIELDS]
    buckets = [field.name for field in fields(Usage)]
    beside = {"late_modules", "module_count", *buckets, *(f"counterfactual_{bucket}" for bucket in buckets)}
    assert set(line) == {field.name for field in declared()} | beside
    assert len(line) == len(declared()) + len(beside)


def test_every_field_is_a_column_that_keeps_its_value() -> None:
    """Nothing is left over for the column of misfits."""
    line = json.loads(FULL.to_json())
    row = frame_of([line]).row(0, named=True)
    assert row.pop(EXTRA) is None
    assert list(row) == list(line)
    for name, value in line.items():
        kept = row[name]
        if COLUMNS[name] == MONEY:
            assert Decimal(value) == kept
        elif name == "modules":
            assert json.loads(kept) == value
        else:
            assert kept == value


def test_the_summary_has_every_field_that_is_not_for_the_ledger_alone() -> None:
    """With the ledger's values."""
    bag: dict[str, Any] = {}
    metadata_bag.write_summary(bag, FULL, lambda: None, "off")
    summary = bag["spend_logs_metadata"]["prompt_router"]
    hidden = {field.name for field in declared() if field.metadata == LEDGER_ONLY}
    hidden |= {field.name for field in fields(HistoryState)}
    hidden |= {f"counterfactual_{field.name}" for field in fields(Usage)}
    assert hidden >= {"key_hash", "user_id", "tags"}
    line = json.loads(FULL.to_json())
    assert json.loads(json.dumps(summary)) == {name: value for name, value in line.items() if name not in hidden}


def test_a_type_that_no_column_can_have_is_refused() -> None:
    """With the field that has it."""

    @dataclass
    class Strange:
        found: dict[str, int]

    with pytest.raises(TypeError, match=r"^Strange\.found: dict\[str, int\] is no type of a ledger field$"):
        ledger_schema._ledger_field(Strange, fields(Strange)[0])


def test_columns_have_the_types_that_readers_of_older_files_know() -> None:
    """Parquet files of earlier versions are read beside new ones."""
    found = {dtype: [name for name in COLUMNS if COLUMNS[name] == dtype] for dtype in set(COLUMNS.values())}
    assert found[pl.List(pl.String)] == [
        *("tags", "absent_modules", "wanted_modules", "wanted_late_modules"),
        *("late_modules", "previous_history_states"),
    ]
    assert found[pl.Boolean] == [
        *("stream", "names_session", "is_fallback", "is_drift", "is_new_message", "response_cached"),
    ]
    assert found[pl.Float64] == ["started_seconds", "coverage", "known_lines", "finished_seconds"]
    assert [name.endswith("_usd") for name in COLUMNS] == [COLUMNS[name] == MONEY for name in COLUMNS]
    counted = ("_tokens", "_chars", "_count", "_number", "_total", "_us", "breakpoints_added", "breakpoints_client")
    assert [name.endswith(counted) for name in COLUMNS] == [COLUMNS[name] == pl.Int64 for name in COLUMNS]


@pytest.mark.parametrize(
    ("outcome", "reason", "net", "counts", "direction", "sent"),
    [
        pytest.param("rewritten", None, "0.5", "0.5", "gain", 31_234, id="a gain"),
        pytest.param("rewritten", None, "-0.5", "-0.5", "loss", 31_234, id="a loss"),
        pytest.param("rewritten", None, None, None, None, 31_234, id="unknown"),
        pytest.param("shadow", None, "0.5", None, "gain", 116_000, id="shadow mode's doesn't count"),
        pytest.param("passthrough", "not_worth_it", "0", "0", "zero", 116_000, id="left as it came"),
    ],
)
def test_what_a_record_counts_as(
    outcome: Any, reason: str | None, net: str | None, counts: str | None, direction: str | None, sent: int
) -> None:
    """The one place where sinks and reports learn it."""
    made = replace(
        FULL,
        facts=replace(FULL_FACTS, outcome=outcome, reason=reason, modules=MODULES),
        estimated_net_saved_usd=None if net is None else Decimal(net),
    )
    assert made.net_saved_usd == (None if counts is None else Decimal(counts))
    assert made.counts_as_net is (outcome != "shadow")
    assert made.net_direction == direction
    assert made.facts.sent_chars == sent
    assert made.facts.removed_tokens == (19_000 if outcome == "rewritten" else 0)
    assert made.facts.sends_added_marks is (outcome != "shadow")
    assert made.facts.selection_us == (None if outcome == "passthrough" else 1_234)
    assert made.facts.has_selection
    assert not made.facts.is_off


def test_a_request_that_is_off_or_a_side_call_is_no_conversation_of_ours() -> None:
    assert replace(FULL_FACTS, outcome="passthrough", reason="off").is_off
    for reason in ("unrecognised", "no_system_prompt"):
        assert not replace(FULL_FACTS, outcome="passthrough", reason=reason).is_conversation
    assert not replace(FULL_FACTS, profile=None, reason="holdout").is_conversation
    assert replace(FULL_FACTS, reason="holdout").is_conversation


@pytest.mark.parametrize("refusal", ["BadRequestError", "UnprocessableEntityError", "UnsupportedParamsError"])
def test_a_refused_rewrite_is_told_from_other_failures(refusal: str) -> None:
    refused = replace(FULL, status="failure", error_type=refusal)
    assert refused.is_refused_rewrite
    assert not replace(refused, error_type="RateLimitError").is_refused_rewrite
    assert not replace(refused, facts=replace(FULL_FACTS, outcome="shadow")).is_refused_rewrite
    assert not replace(refused, status="success").is_refused_rewrite

"""What the report says of whole columns is what a record says of itself."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import product
from typing import Any

import polars as pl

from litellm_prompt_router.analysis.report.columns import frame_of
from litellm_prompt_router.analysis.report.frames import NAMES, with_groups
from tests.telemetry.records import CALLER, FACTS, RECORD

OUTCOMES: tuple[Any, ...] = ("rewritten", "shadow", "passthrough")
STATUSES: tuple[Any, ...] = ("success", "failure")
REASONS = (None, "off", "unrecognised", "no_system_prompt", "holdout")


def test_columns_and_properties_agree() -> None:
    """For every outcome, status and reason, with a profile and without, with sizes known and unknown."""
    kinds = product(OUTCOMES, STATUSES, REASONS, ("workbench", None), (31_234, None), ("claude", None))
    caller = replace(CALLER, conversation="c-1")
    records = [
        replace(
            RECORD,
            status=status,
            model=model,
            facts=replace(
                FACTS, caller=caller, outcome=outcome, reason=reason, profile=profile, prompt_chars=prompt_chars
            ),
        )
        for outcome, status, reason, profile, prompt_chars, model in kinds
    ]
    lines = [json.loads(record.to_json()) for record in records]
    frame = with_groups(frame_of(lines, NAMES).lazy()).collect()
    found = frame.select("is_shadow", "is_failure", "sent_chars", pl.col("conversation").is_not_null(), "model").rows()
    assert found == [
        (
            not record.counts_as_net,
            record.is_failure,
            record.facts.sent_chars,
            record.facts.is_conversation,
            record.model_or_group,
        )
        for record in records
    ]

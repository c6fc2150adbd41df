"""A lazy frame of ledger records -> every figure of the report. Sums of money are exact decimals."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Literal

import orjson
import polars as pl

from litellm_prompt_router.analysis.report.conversations import (
    TOP,
    control_of,
    conversations_of,
    loose_of,
    net_interval,
    ranked,
)
from litellm_prompt_router.analysis.report.figures import By, Figures, ModuleUse
from litellm_prompt_router.analysis.report.frames import DAY_SECONDS, collected, grouped
from litellm_prompt_router.analysis.report.sums import groups_of, summed_of


def figures_of(records: pl.LazyFrame, by: By | None) -> Figures | None:
    """All figures of the records; None when there are none."""
    frame = grouped(records)
    span = collected(
        frame.select(pl.col("finished_seconds").min().alias("since"), pl.col("finished_seconds").max().alias("until"))
    ).row(0)
    if span[0] is None:
        return None
    steps: Literal["day", "hour"] = "day" if span[1] // DAY_SECONDS - span[0] // DAY_SECONDS > 1 else "hour"
    summed = summed_of(frame, steps, by)
    (total,) = groups_of(summed, None)
    timeline = groups_of(summed, steps)
    conversations = conversations_of(frame)
    loose = loose_of(frame)
    priced = conversations.filter(pl.col("billed_calls") > 0)
    priced_count = priced["unit"].n_unique()
    decision = collected(frame.filter(pl.col("decision_us").is_not_null()).group_by("decision_us").len())
    extremes = ranked(frame, conversations)
    return Figures(
        since_seconds=span[0],
        until_seconds=span[1],
        actual=total.actual,
        would=total.would,
        conversations=conversations["unit"].n_unique(),
        loose_calls=int(loose["calls"].sum()),
        cost_per_conversation_usd=Decimal(priced["billed"].sum()) / priced_count if priced_count else None,
        net_interval=net_interval(conversations, loose, is_shadow=False),
        would_interval=net_interval(conversations, loose, is_shadow=True),
        by=by,
        groups=timeline if by == steps else groups_of(summed, by) if by else (),
        steps=steps,
        timeline=timeline,
        modules=_modules(frame),
        passthroughs=_counts(frame.filter(pl.col("outcome") == "passthrough"), "reason"),
        errors=_counts(frame.filter(pl.col("status") == "failure"), "error_type"),
        net_unavailable=_counts(
            frame.filter(pl.col("estimated_net_saved_usd").is_null(), pl.col("outcome") != "passthrough"),
            "estimated_net_saved_reason",
        ),
        decision_p50_us=_quantile(decision, 0.50),
        decision_p99_us=_quantile(decision, 0.99),
        losses=tuple(c for c in extremes[:TOP] if c.net_saved_usd < 0),
        gains=tuple(c for c in extremes[::-1][:TOP] if c.net_saved_usd > 0),
        control=control_of(conversations),
    )


def _modules(frame: pl.LazyFrame) -> tuple[ModuleUse, ...]:
    selections = collected(
        frame.filter(pl.col("modules").is_not_null() & (pl.col("modules") != "[]")).group_by("modules").len()
    )
    total = int(selections["len"].sum())
    calls: dict[str, int] = {}
    late: dict[str, int] = {}
    missed: dict[str, int] = {}
    evidence: dict[str, dict[str, int]] = {}
    for text, count in selections.iter_rows():
        for use in _uses(text):
            module, kind = str(use.get("id")), str(use.get("evidence"))
            calls[module] = calls.get(module, 0) + count
            kinds = evidence.setdefault(module, {})
            kinds[kind] = kinds.get(kind, 0) + count
            if use.get("late"):
                late[module] = late.get(module, 0) + count
                if kind == "tool_call":
                    missed[module] = missed.get(module, 0) + count
    return tuple(
        ModuleUse(
            module=module,
            calls=count,
            share=count / total,
            evidence=dict(sorted(evidence[module].items(), key=lambda item: (-item[1], item[0]))),
            late=late.get(module, 0),
            missed=missed.get(module, 0),
        )
        for module, count in sorted(calls.items(), key=lambda item: (-item[1], item[0]))
    )


def _uses(text: str) -> Iterable[Mapping[str, Any]]:
    """The modules of one selection; names alone where nothing else was written down."""
    try:
        listed = orjson.loads(text)
    except orjson.JSONDecodeError:
        return
    for item in listed if isinstance(listed, list) else ():
        if isinstance(item, dict):
            yield item
        elif isinstance(item, str):
            yield {"id": item, "evidence": "unknown"}


def _counts(frame: pl.LazyFrame, name: str) -> dict[str, int]:
    rows: Sequence[tuple[str | None, int]] = collected(frame.group_by(name).len()).rows()
    return {value or "unknown": count for value, count in sorted(rows, key=lambda row: (-row[1], str(row[0])))}


def _quantile(counted: pl.DataFrame, share: float) -> int | None:
    """The least value that ``share`` of all are no greater than."""
    ordered = counted.sort("decision_us")
    reached = ordered["len"].cum_sum()
    if reached.is_empty():
        return None
    return int(ordered["decision_us"][int((reached >= share * reached[-1]).arg_max() or 0)])

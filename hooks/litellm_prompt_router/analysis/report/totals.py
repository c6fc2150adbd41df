"""Every figure of the report from a lazy frame of ledger records. Sums of money are exact decimals."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from decimal import Decimal
from typing import Any, Literal

import numpy as np
import orjson
import polars as pl

from litellm_prompt_router.analysis.report.conversations import (
    TOP,
    control_of,
    conversations_in,
    conversations_of,
    loose_in,
    names_in,
    net_interval,
    ranked,
)
from litellm_prompt_router.analysis.report.figures import DIMENSIONS, By, Figures, Group, ModuleUse, Sums
from litellm_prompt_router.analysis.report.frames import DAY_SECONDS, collected_each, with_groups
from litellm_prompt_router.analysis.report.missed_needs import missed_needs, needs_in
from litellm_prompt_router.analysis.report.tunings_used import tunings_in, tunings_used
from litellm_prompt_router.record.record import USAGE_BUCKETS


def figures_of(records: pl.LazyFrame, by: By | None) -> Figures | None:
    """All figures of the records; None when there are none."""
    frame = with_groups(records)
    column = pl.col
    first = collected_each(
        {
            "span": frame.select(
                column("finished_seconds").min().alias("since"), column("finished_seconds").max().alias("until")
            ),
            "selections": frame.filter(column("modules").is_not_null() & (column("modules") != "[]"))
            .group_by("modules")
            .len(),
            **names_in(frame),
        }
    )
    span, selections = first.pop("span").row(0), first.pop("selections")
    if span[0] is None:
        return None
    steps: Literal["day", "hour"] = "day" if span[1] // DAY_SECONDS - span[0] // DAY_SECONDS > 1 else "hour"
    found = collected_each(
        {
            "summed": _summed(frame, steps, by),
            "conversations": conversations_in(frame, first),
            "loose": loose_in(frame),
            "needs": needs_in(frame, selections),
            "tunings": tunings_in(frame),
            "decision": frame.filter(column("decision_us").is_not_null()).group_by("decision_us").len(),
            "outcomes": frame.group_by("outcome").len(),
            "held_back": frame.filter(column("is_held_back")).group_by("profile").len(),
            "passthroughs": frame.filter(column("outcome") == "passthrough").group_by("reason").len(),
            "errors": frame.filter(column("status") == "failure").group_by("error_type").len(),
            "net_unavailable": frame.filter(
                column("estimated_net_saved_usd").is_null(), column("outcome") != "passthrough"
            )
            .group_by("estimated_net_saved_reason")
            .len(),
        }
    )
    summed, loose = found["summed"], found["loose"]
    (total,) = _groups(summed, None)
    timeline = _groups(summed, steps)
    conversations = conversations_of(found["conversations"])
    priced = conversations.filter(pl.col("billed_calls") > 0)
    priced_count = priced["unit"].n_unique()
    extremes = ranked(frame, conversations)
    return Figures(
        since_seconds=span[0],
        until_seconds=span[1],
        actual=total.actual,
        would=total.would,
        conversations=conversations["unit"].n_unique(),
        loose_calls=int(loose["calls"].sum()),
        cost_per_conversation_usd=Decimal(priced["cost"].sum()) / priced_count if priced_count else None,
        net_interval=net_interval(conversations, loose, is_shadow=False),
        would_interval=net_interval(conversations, loose, is_shadow=True),
        by=by,
        groups=timeline if by == steps else _groups(summed, by) if by else (),
        steps=steps,
        timeline=timeline,
        modules=_modules(selections),
        missed_needs=missed_needs(found["needs"]),
        tunings=tunings_used(found["tunings"]),
        outcomes=_counts(found["outcomes"]),
        held_back=_counts(found["held_back"]),
        passthroughs=_counts(found["passthroughs"]),
        errors=_counts(found["errors"]),
        net_unavailable=_counts(found["net_unavailable"]),
        decision_p50_us=_quantile(found["decision"], 0.50),
        decision_p99_us=_quantile(found["decision"], 0.99),
        losses=tuple(c for c in extremes[:TOP] if c.net_saved_usd < 0),
        gains=tuple(c for c in extremes[::-1][:TOP] if c.net_saved_usd > 0),
        control=control_of(conversations),
    )


def _summed(frame: pl.LazyFrame, steps: By, by: By | None) -> pl.LazyFrame:
    """Sums by time step and by the dimension asked for, of shadow records apart."""
    return frame.group_by("is_shadow", *dict.fromkeys((steps, by or steps))).agg(_sum_expressions())


def _groups(summed: pl.DataFrame, by: By | None) -> tuple[Group, ...]:
    """The sums of each value of ``by``, in time's order or the dearest first; without it one group of all."""
    keys = ["is_shadow", *([by] if by else [])]
    sums = pl.selectors.exclude(pl.selectors.by_name("is_shadow", *DIMENSIONS, require_all=False)).sum()
    found: dict[Any, dict[bool, Sums]] = {}
    for row in summed.group_by(keys).agg(sums).to_dicts():
        found.setdefault(row.get(by or ""), {})[row["is_shadow"]] = _sums(row)
    groups = [
        Group(name=_group_name(value, by), actual=sides.get(False), would=sides.get(True))
        for value, sides in found.items()
    ]
    if by in ("day", "hour"):
        return tuple(sorted(groups, key=lambda group: group.name))
    return tuple(sorted(groups, key=lambda group: (-(group.billed_usd or 0), group.name)))


def _sum_expressions() -> list[pl.Expr]:
    column = pl.col
    is_sized = column("original_chars").is_not_null() & column("prompt_chars").is_not_null()
    has_parts = pl.all_horizontal(column("sent_chars", "tools_chars", "history_chars").is_not_null())
    is_compared = column("counterfactual_cache_read_tokens").is_not_null() & column("cache_read_tokens").is_not_null()
    buckets = [bucket for bucket in USAGE_BUCKETS if bucket != "output_tokens"]

    def inputs(prefix: str) -> pl.Expr:
        return pl.sum_horizontal(*(column(f"{prefix}{bucket}") for bucket in buckets))

    def where(condition: pl.Expr, value: pl.Expr) -> pl.Expr:
        return pl.when(condition).then(value).otherwise(0).sum()

    is_failure = column("is_failure")
    return [
        pl.len().alias("calls"),
        is_failure.sum().alias("failures"),
        (column("outcome") == "rewritten").sum().alias("rewritten"),
        column("is_fallback").sum().alias("fallbacks"),
        *(column(bucket).sum() for bucket in USAGE_BUCKETS),
        column("billed_usd").sum(),
        column("billed_usd").count().alias("billed_calls"),
        (column("billed_usd").is_null() & ~is_failure).sum().alias("unbilled_calls"),
        column("estimated_net_saved_usd").sum().alias("net_saved_usd"),
        column("estimated_net_saved_usd").count().alias("net_calls"),
        column("estimated_net_saved_usd").filter(column("is_assumed")).sum().alias("assumed_net_usd"),
        column("estimated_net_saved_usd").filter(column("is_assumed")).count().alias("assumed_calls"),
        column("routing_model_usd").sum(),
        column("routing_model_usd").count().alias("routing_priced"),
        column("routing_model_usd")
        .filter(column("estimated_net_saved_usd").is_null())
        .sum()
        .alias("routing_beside_net_usd"),
        column("routing_model_call_count").sum(),
        ((column("routing_model_call_count") > 0) & column("routing_model_usd").is_null())
        .sum()
        .alias("routing_unpriced"),
        column("list_price_saved_usd").sum().alias("list_saved_usd"),
        column("list_price_saved_usd").count().alias("list_calls"),
        is_sized.sum().alias("sized_calls"),
        where(is_sized, column("original_chars")).alias("original_chars"),
        where(is_sized, column("prompt_chars")).alias("prompt_chars"),
        has_parts.sum().alias("parts_calls"),
        where(has_parts, column("sent_chars")).alias("part_prompt_chars"),
        where(has_parts, column("tools_chars")).alias("part_tools_chars"),
        where(has_parts, column("history_chars")).alias("part_history_chars"),
        where(is_compared, inputs("")).alias("compared_input_tokens"),
        where(is_compared, column("cache_read_tokens")).alias("compared_read_tokens"),
        where(is_compared, inputs("counterfactual_")).alias("without_input_tokens"),
        where(is_compared, column("counterfactual_cache_read_tokens")).alias("without_read_tokens"),
    ]


def _sums(row: Mapping[str, Any]) -> Sums:
    values: dict[str, Any] = {item.name: row[item.name] for item in fields(Sums)}
    for money, count in (
        ("billed_usd", "billed_calls"),
        ("net_saved_usd", "net_calls"),
        ("assumed_net_usd", "assumed_calls"),
        ("list_saved_usd", "list_calls"),
        ("routing_model_usd", "routing_priced"),
        ("routing_beside_net_usd", "routing_priced"),
    ):
        values[money] = row[money].normalize() if row[count] else None
    for name, value in values.items():
        if value is None and not name.endswith("_usd"):
            values[name] = 0
    return Sums(**values)


def _group_name(value: Any, by: By | None) -> str:
    if by == "day":
        return str(np.datetime64(int(value), "D"))
    if by == "hour":
        return f"{np.datetime64(int(value), 'h')}:00".replace("T", " ")
    return str(value)


def _modules(selections: pl.DataFrame) -> tuple[ModuleUse, ...]:
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
                if _is_miss(kind, use.get("detail")):
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


def _is_miss(kind: str, detail: object) -> bool:
    """True where the agent itself used or named what it lacked. What its words only score for is a guess."""
    if kind != "assistant":
        return kind == "tool_call"
    try:
        float(str(detail))
    except ValueError:
        return True
    return False


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


def _counts(counted: pl.DataFrame) -> dict[str, int]:
    rows: Sequence[tuple[str | None, int]] = counted.rows()
    return {value or "unknown": count for value, count in sorted(rows, key=lambda row: (-row[1], str(row[0])))}


def _quantile(counted: pl.DataFrame, share: float) -> int | None:
    """The least value that ``share`` of all are no greater than."""
    ordered = counted.sort("decision_us")
    reached = ordered["len"].cum_sum()
    if reached.is_empty():
        return None
    return int(ordered["decision_us"][int((reached >= share * reached[-1]).arg_max() or 0)])

"""A frame of records -> sums over all of them, and over those of each key, day and the like."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import numpy as np
import polars as pl

from litellm_prompt_router.analysis.report.figures import DIMENSIONS, By, Group, Sums
from litellm_prompt_router.analysis.report.frames import collected


def summed_of(frame: pl.LazyFrame, steps: By, by: By | None) -> pl.DataFrame:
    """The sums of all that is grouped by, in one pass."""
    return collected(frame.group_by("is_shadow", *dict.fromkeys((steps, by or steps))).agg(_sum_expressions()))


def groups_of(summed: pl.DataFrame, by: By | None) -> tuple[Group, ...]:
    keys = ["is_shadow", *([by] if by else [])]
    sums = pl.selectors.exclude(pl.selectors.by_name("is_shadow", *DIMENSIONS, require_all=False)).sum()
    found: dict[Any, dict[bool, Sums]] = {}
    for row in summed.group_by(keys).agg(sums).to_dicts():
        found.setdefault(row.get(by or ""), {})[row["is_shadow"]] = _sums(row)
    groups = [
        Group(name=_name(value, by), actual=sides.get(False), would=sides.get(True)) for value, sides in found.items()
    ]
    if by in ("day", "hour"):
        return tuple(sorted(groups, key=lambda group: group.name))
    return tuple(sorted(groups, key=lambda group: (-(group.billed_usd or 0), group.name)))


def _sum_expressions() -> list[pl.Expr]:
    column = pl.col
    is_sized = column("original_chars").is_not_null() & column("prompt_chars").is_not_null()
    left = pl.when(column("outcome") == "rewritten").then("prompt_chars").otherwise("original_chars")
    has_parts = left.is_not_null() & column("tools_chars").is_not_null() & column("history_chars").is_not_null()
    is_compared = column("counterfactual_cache_read_tokens").is_not_null() & column("cache_read_tokens").is_not_null()
    buckets = ("uncached_input_tokens", "cache_read_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens")

    def inputs(prefix: str) -> pl.Expr:
        return pl.sum_horizontal(*(column(f"{prefix}{bucket}") for bucket in buckets))

    def where(condition: pl.Expr, value: pl.Expr) -> pl.Expr:
        return pl.when(condition).then(value).otherwise(0).sum()

    is_failure = (column("status") == "failure").fill_null(False)
    return [
        pl.len().alias("calls"),
        is_failure.sum().alias("failures"),
        (column("outcome") == "rewritten").sum().alias("rewritten"),
        column("is_fallback").sum().alias("fallbacks"),
        *(column(bucket).sum() for bucket in (*buckets, "output_tokens")),
        column("billed_usd").sum(),
        column("billed_usd").count().alias("billed_calls"),
        (column("billed_usd").is_null() & ~is_failure).sum().alias("unbilled_calls"),
        column("estimated_net_saved_usd").sum().alias("net_saved_usd"),
        column("estimated_net_saved_usd").count().alias("net_calls"),
        column("list_price_saved_usd").sum().alias("list_saved_usd"),
        column("list_price_saved_usd").count().alias("list_calls"),
        is_sized.sum().alias("sized_calls"),
        where(is_sized, column("original_chars")).alias("original_chars"),
        where(is_sized, column("prompt_chars")).alias("prompt_chars"),
        has_parts.sum().alias("parts_calls"),
        where(has_parts, left).alias("part_prompt_chars"),
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
        ("list_saved_usd", "list_calls"),
    ):
        values[money] = row[money].normalize() if row[count] else None
    for name, value in values.items():
        if value is None and not name.endswith("_usd"):
            values[name] = 0
    return Sums(**values)


def _name(value: Any, by: By | None) -> str:
    if by == "day":
        return str(np.datetime64(int(value), "D"))
    if by == "hour":
        return f"{np.datetime64(int(value), 'h')}:00".replace("T", " ")
    return str(value)

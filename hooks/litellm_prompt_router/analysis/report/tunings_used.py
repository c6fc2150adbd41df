"""By which tunings conversations went, where profiles are tuned by themselves: a change shows as a second line."""

from __future__ import annotations

import polars as pl

from litellm_prompt_router.analysis.report.figures import TuningUse


def tunings_in(frame: pl.LazyFrame) -> pl.LazyFrame:
    """A row for each profile and tuning, in the order in which they were first seen."""
    column = pl.col
    return (
        frame.filter(column("tuning").is_not_null())
        .group_by("profile", "tuning")
        .agg(
            column("finished_seconds").min().alias("since"),
            column("finished_seconds").max().alias("until"),
            pl.len().alias("calls"),
            pl.struct("key", "conversation").n_unique().alias("conversations"),
            column("estimated_net_saved_usd").filter(~column("is_shadow")).sum().alias("net"),
            column("estimated_net_saved_usd").filter(~column("is_shadow")).count().alias("net_calls"),
        )
        .sort("profile", "since", "tuning")
    )


def tunings_used(rows: pl.DataFrame) -> tuple[TuningUse, ...]:
    """The rows of ``tunings_in``."""
    return tuple(
        TuningUse(
            profile=row["profile"],
            tuning=row["tuning"],
            since_seconds=row["since"],
            until_seconds=row["until"],
            calls=row["calls"],
            conversations=row["conversations"],
            net_saved_usd=row["net"] if row["net_calls"] else None,
        )
        for row in rows.to_dicts()
    )

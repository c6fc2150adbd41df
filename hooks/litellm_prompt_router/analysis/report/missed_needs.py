"""In how many conversations the agent called a tool of a module that was left out, by who chose the modules."""

from __future__ import annotations

import polars as pl

from litellm_prompt_router.analysis.report.figures import MissedNeeds
from litellm_prompt_router.analysis.report.frames import collected

_MISS = r'\{[^{}]*"evidence": ?"tool_call"[^{}]*"late": ?true[^{}]*\}'
_BY_MODEL = r'"evidence": ?"model"'


def missed_needs(frame: pl.LazyFrame) -> tuple[MissedNeeds, ...]:
    """Of conversations in which a routing model named modules, and of the others; those that there are."""
    routed = frame.filter(
        pl.col("conversation").is_not_null() & pl.col("modules").is_not_null() & (pl.col("modules") != "[]")
    )
    counted = collected(
        routed.with_columns(
            pl.struct("key", "conversation").hash().alias("unit"),
            pl.col("modules").str.contains(_MISS).alias("is_missed"),
            pl.col("modules").str.contains(_BY_MODEL).alias("is_by_model"),
        )
        .group_by("unit")
        .agg(pl.col("is_missed").any(), pl.col("is_by_model").any())
        .group_by("is_by_model")
        .agg(pl.len().alias("conversations"), pl.col("is_missed").sum().alias("missed"))
        .sort("is_by_model", descending=True)
    )
    return tuple(
        MissedNeeds(is_by_model=bool(is_by_model), conversations=int(conversations), missed=int(missed))
        for is_by_model, conversations, missed in counted.select("is_by_model", "conversations", "missed").iter_rows()
    )

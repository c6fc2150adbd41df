"""In how many conversations the agent called a tool of a module that was left out, by who chose the modules."""

from __future__ import annotations

import polars as pl

from litellm_prompt_router.analysis.report.figures import MissedNeeds

_MISS = r'\{[^{}]*"evidence": ?"tool_call"[^{}]*"late": ?true[^{}]*\}'
_BY_MODEL = r'"evidence": ?"model"'


def needs_in(frame: pl.LazyFrame, selections: pl.DataFrame) -> pl.LazyFrame:
    """How many conversations there are by who chose; ``selections`` are all that the calls have."""
    told = selections.select(
        "modules",
        pl.col("modules").str.contains(_MISS).alias("is_missed"),
        pl.col("modules").str.contains(_BY_MODEL).alias("is_by_model"),
    )
    return (
        frame.filter(pl.col("conversation").is_not_null())
        .select("modules", pl.struct("key", "conversation").hash().alias("unit"))
        .join(told.lazy(), on="modules")
        .group_by("unit")
        .agg(pl.col("is_missed").any(), pl.col("is_by_model").any())
        .group_by("is_by_model")
        .agg(pl.len().alias("conversations"), pl.col("is_missed").sum().alias("missed"))
        .sort("is_by_model", descending=True)
    )


def missed_needs(counted: pl.DataFrame) -> tuple[MissedNeeds, ...]:
    """Of conversations in which a routing model named modules, and of the others; those that there are."""
    return tuple(
        MissedNeeds(is_by_model=bool(is_by_model), conversations=int(conversations), missed=int(missed))
        for is_by_model, conversations, missed in counted.select("is_by_model", "conversations", "missed").iter_rows()
    )

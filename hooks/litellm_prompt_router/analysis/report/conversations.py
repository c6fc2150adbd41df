"""What conversations cost and saved: intervals, greatest losses and gains, the control group."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl

from litellm_prompt_router.analysis.report.control_group import (
    MIN_CONVERSATIONS,
    MIN_STRATUM,
    CostSample,
    Interval,
    Stratum,
    compare_both,
    interval_of_sum,
)
from litellm_prompt_router.analysis.report.figures import Control, ConversationCost
from litellm_prompt_router.analysis.report.frames import collected

TOP = 10
LOOSE_GROUPS = 2_048
_IDENTITY = ("unit", "key", "is_shadow", "arm")


def names_in(frame: pl.LazyFrame) -> dict[str, pl.LazyFrame]:
    """The names that conversations have, by their column."""
    known = frame.filter(pl.col("conversation").is_not_null())
    return {name: known.select(pl.col(name).unique().drop_nulls()) for name in ("key", "model", "arm")}


def conversations_in(frame: pl.LazyFrame, names: Mapping[str, pl.DataFrame]) -> pl.LazyFrame:
    """A row for each conversation and model; ``names`` are the columns of ``names_in``.

    ``cost`` is the bill and routing models'.

    ``unit`` is a hash of 64 bits: two of a million conversations fall together once in 40 million reports. Names
    stay in the files, because as text they would take most of the memory.
    """
    known = frame.filter(pl.col("conversation").is_not_null())
    known = known.with_columns(pl.struct("key", "conversation").hash().alias("unit")).with_columns(
        pl.col(name).cast(pl.Enum(found[name].sort())) for name, found in names.items()
    )
    return known.group_by(*_IDENTITY, "model").agg(
        pl.len().alias("calls"),
        pl.col("billed_usd").sum().alias("billed"),
        (pl.col("billed_usd").sum() + pl.col("routing_model_usd").sum()).alias("cost"),
        pl.col("billed_usd").count().alias("billed_calls"),
        (pl.col("billed_usd").is_null() & ~pl.col("is_failure")).sum().alias("unbilled"),
        pl.col("estimated_net_saved_usd").sum().alias("net"),
        pl.col("estimated_net_saved_usd").count().alias("net_calls"),
    )


def conversations_of(parts: pl.DataFrame) -> pl.DataFrame:
    """Of the rows of ``conversations_in`` one for each conversation; one that shadow mode saw in part has two."""
    if parts["unit"].n_unique() == parts.height:
        return parts
    summed = ("calls", "billed", "cost", "billed_calls", "unbilled", "net", "net_calls")
    return (
        parts.sort("calls", "model", descending=True)
        .group_by(_IDENTITY, maintain_order=True)
        .agg(pl.col("model").first(), *(pl.col(name).sum() for name in summed))
    )


def _names_of(frame: pl.LazyFrame, units: Sequence[int]) -> dict[int, str]:
    unit = pl.struct("key", "conversation").hash()
    found = collected(
        frame.filter(pl.col("conversation").is_not_null())
        .select(unit.alias("unit"), "conversation")
        .filter(pl.col("unit").is_in(list(units)))
        .unique()
    )
    return dict(found.iter_rows())


def loose_in(frame: pl.LazyFrame) -> pl.LazyFrame:
    """Calls without a conversation, each of which stands for itself; by chance in groups, to bound their number."""
    loose = frame.filter(pl.col("conversation").is_null())
    return loose.group_by("is_shadow", (pl.col("request_id").hash() % LOOSE_GROUPS).alias("group")).agg(
        pl.len().alias("calls"),
        pl.col("estimated_net_saved_usd").sum().alias("net"),
        pl.col("estimated_net_saved_usd").count().alias("net_calls"),
    )


def net_interval(conversations: pl.DataFrame, loose: pl.DataFrame, *, is_shadow: bool) -> Interval | None:
    """The confidence interval of the summed net saving, of shadow records or of all others."""
    units = [
        side.filter((pl.col("is_shadow") == is_shadow) & (pl.col("net_calls") > 0))["net"].cast(pl.Float64).to_numpy()
        for side in (conversations, loose)
    ]
    return interval_of_sum(np.sort(np.concatenate(units)))  # rows come in any order


def ranked(frame: pl.LazyFrame, conversations: pl.DataFrame) -> list[ConversationCost]:
    """The TOP losses and gains that are real ones, from the greatest loss to the greatest gain."""
    real = conversations.filter(~pl.col("is_shadow") & (pl.col("net_calls") > 0))
    ends = pl.concat([real.bottom_k(TOP, by=["net", "unit"]), real.top_k(TOP, by=["net", "unit"])])
    ends = ends.unique().sort("net", "unit")
    names = _names_of(frame, ends["unit"].to_list())
    return [
        ConversationCost(
            key=row["key"],
            conversation=names[row["unit"]],
            model=row["model"],
            calls=row["calls"],
            billed_usd=row["billed"].normalize() if row["billed_calls"] else None,
            net_saved_usd=row["net"].normalize(),
        )
        for row in ends.to_dicts()
    ]


def control_of(conversations: pl.DataFrame) -> Control | None:
    """The comparison of the control group's arms; None where no conversation was put into one."""
    arms = conversations.filter(pl.col("arm").is_not_null())
    if arms.is_empty():
        return None
    counted = dict(arms.group_by("arm").len().iter_rows())
    priced = arms.filter((pl.col("unbilled") == 0) & (pl.col("billed_calls") > 0))
    strata = []
    for (key, model), part in priced.group_by("key", "model", maintain_order=True):
        samples = {name: _sample(part.filter(pl.col("arm") == name)) for name in ("treatment", "holdout")}
        if min(len(sample.cost) for sample in samples.values()) >= MIN_STRATUM:
            strata.append(Stratum(key=str(key), model=str(model), **samples))
    strata.sort(key=lambda stratum: (stratum.key, stratum.model))
    held = sum(len(stratum.holdout.cost) for stratum in strata)
    treated = sum(len(stratum.treatment.cost) for stratum in strata)
    is_enough = min(held, treated) >= MIN_CONVERSATIONS
    per_conversation, per_call = compare_both(strata if is_enough else ())
    return Control(
        holdout=counted.get("holdout", 0),
        treatment=counted.get("treatment", 0),
        needed=MIN_CONVERSATIONS,
        compared_holdout=held,
        compared_treatment=treated,
        strata=len(strata),
        unpriced=arms.height - priced.height,
        per_conversation=per_conversation,
        per_call=per_call,
    )


def _sample(part: pl.DataFrame) -> CostSample:
    part = part.sort("cost", "calls")
    return CostSample(cost=part["cost"].cast(pl.Float64).to_numpy(), size=part["calls"].cast(pl.Float64).to_numpy())

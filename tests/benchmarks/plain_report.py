"""The report's figures by a query that a person would write by hand: ``python -m tests.benchmarks.plain_report FILES``.

Nothing of the product's reading or adding up is in it: polars alone, lazy and streaming, all queries collected at once.
Intervals and the arms' comparison are no sums: here as there ``control_group`` works them out.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl

from litellm_prompt_router.analysis.report.control_group import CostSample, Stratum, compare_both, interval_of_sum

TOKENS = ("uncached_input_tokens", "cache_read_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens")
USES = pl.List(pl.Struct({"id": pl.String, "evidence": pl.String, "detail": pl.String, "late": pl.Boolean}))
COST = pl.col("billed_usd").sum() + pl.col("routing_model_usd").sum()


def sums() -> list[pl.Expr]:
    """Of one group of calls."""
    sized = pl.col("original_chars").is_not_null() & pl.col("prompt_chars").is_not_null()
    compared = pl.col("counterfactual_cache_read_tokens").is_not_null() & pl.col("cache_read_tokens").is_not_null()
    parts = pl.all_horizontal(pl.col("sent_chars", "tools_chars", "history_chars").is_not_null())
    net = pl.col("estimated_net_saved_usd")
    failed = pl.col("status") == "failure"
    return [
        pl.len().alias("calls"),
        failed.sum().alias("failures"),
        (pl.col("outcome") == "rewritten").sum().alias("rewritten"),
        pl.col("is_fallback").sum().alias("fallbacks"),
        pl.col(*TOKENS, "output_tokens", "billed_usd").sum(),
        pl.col("billed_usd").count().alias("billed_calls"),
        (pl.col("billed_usd").is_null() & ~failed).sum().alias("unbilled_calls"),
        net.sum().alias("net_saved_usd"),
        net.count().alias("net_calls"),
        net.filter(pl.col("is_assumed")).sum().alias("assumed_net_usd"),
        net.filter(pl.col("is_assumed")).count().alias("assumed_calls"),
        pl.col("routing_model_usd").sum(),
        pl.col("routing_model_usd").filter(net.is_null()).sum().alias("routing_beside_net_usd"),
        pl.col("routing_model_call_count").sum(),
        ((pl.col("routing_model_call_count") > 0) & pl.col("routing_model_usd").is_null())
        .sum()
        .alias("routing_unpriced"),
        pl.col("list_price_saved_usd").sum().alias("list_saved_usd"),
        sized.sum().alias("sized_calls"),
        pl.col("original_chars", "prompt_chars").filter(sized).sum(),
        parts.sum().alias("parts_calls"),
        pl.col("sent_chars").filter(parts).sum().alias("part_prompt_chars"),
        pl.col("tools_chars").filter(parts).sum().alias("part_tools_chars"),
        pl.col("history_chars").filter(parts).sum().alias("part_history_chars"),
        pl.sum_horizontal(TOKENS).filter(compared).sum().alias("compared_input_tokens"),
        pl.col("cache_read_tokens").filter(compared).sum().alias("compared_read_tokens"),
        pl.sum_horizontal(f"counterfactual_{name}" for name in TOKENS)
        .filter(compared)
        .sum()
        .alias("without_input_tokens"),
        pl.col("counterfactual_cache_read_tokens").filter(compared).sum().alias("without_read_tokens"),
    ]


def queries(calls: pl.LazyFrame) -> dict[str, pl.LazyFrame]:
    """What the report needs, each as a table."""
    talks = calls.filter(pl.col("conversation").is_not_null())
    loose = calls.filter(pl.col("conversation").is_null())
    net = pl.col("estimated_net_saved_usd")
    selected = calls.filter(pl.col("modules").is_not_null() & (pl.col("modules") != "[]"))
    routed = selected.filter(pl.col("conversation").is_not_null())
    uses = (
        selected.group_by("modules")
        .len()
        .with_columns(pl.col("modules").str.json_decode(USES))
        .explode("modules", empty_as_null=True)
        .unnest("modules")
    )
    named = pl.col("modules").str.contains('"evidence": ?"model"')
    missed = pl.col("modules").str.contains(r'\{[^{}]*"evidence": ?"tool_call"[^{}]*"late": ?true[^{}]*\}')
    passed = pl.col("outcome") == "passthrough"
    return {
        "span": calls.select(
            pl.col("finished_seconds").min().alias("since"), pl.col("finished_seconds").max().alias("until")
        ),
        "total": calls.group_by("is_shadow").agg(sums()),
        "timeline": calls.group_by("is_shadow", pl.col("finished_seconds") // 86_400).agg(sums()),
        "conversations": talks.group_by("key", "conversation", "is_shadow", "arm", "model").agg(
            pl.len().alias("calls"),
            pl.col("billed_usd").sum().alias("billed"),
            COST.alias("cost"),
            pl.col("billed_usd").count().alias("billed_calls"),
            (pl.col("billed_usd").is_null() & (pl.col("status") != "failure")).sum().alias("unbilled"),
            net.sum().alias("net"),
            net.count().alias("net_calls"),
        ),
        "loose": loose.select("is_shadow", "estimated_net_saved_usd"),
        "uses": uses.group_by("id", "evidence", "late").agg(pl.col("len").sum()),
        "selected": selected.select(pl.len()),
        "missed": routed.group_by("key", "conversation")
        .agg(named.any().alias("named"), missed.any().alias("missed"))
        .group_by("named")
        .agg(pl.len().alias("conversations"), pl.col("missed").sum()),
        "tunings": calls.filter(pl.col("tuning").is_not_null()).group_by("profile", "tuning").len(),
        "decision": calls.select(
            *(
                pl.col("decision_us").quantile(share, "higher").cast(pl.Int64).alias(name)
                for name, share in (("p50", 0.5), ("p99", 0.99))
            )
        ),
        "outcomes": calls.group_by("outcome").len(),
        "passthroughs": calls.filter(passed).group_by("reason").len(),
        "errors": calls.filter(pl.col("status") == "failure").group_by("error_type").len(),
        "held_back": calls.filter(pl.col("reason") == "unreviewed").group_by("profile").len(),
        "net_unavailable": calls.filter(net.is_null(), ~passed).group_by("estimated_net_saved_reason").len(),
    }


def figures(files: Sequence[str], *, has_intervals: bool) -> dict[str, Any]:
    """The cells that a report of these Parquet files has, by their names in its JSON."""
    reason = pl.col("reason").fill_null("")
    side_call = pl.col("profile").is_null() | reason.is_in(["no_system_prompt", "unrecognised"])
    calls = pl.scan_parquet(list(files)).with_columns(
        pl.coalesce("key_alias", "key_hash", pl.lit("(no key)")).alias("key"),
        (pl.col("outcome") == "shadow").alias("is_shadow"),
        pl.col("estimated_net_saved_method").str.starts_with("assumed").alias("is_assumed"),
        pl.when(pl.col("outcome") == "rewritten").then("prompt_chars").otherwise("original_chars").alias("sent_chars"),
        pl.when(~side_call).then("conversation").alias("conversation"),
    )
    asked = queries(calls)
    tables = dict(zip(asked, pl.collect_all(list(asked.values()), engine="streaming"), strict=True))
    talks = tables["conversations"]
    priced = talks.filter(pl.col("billed_calls") > 0)
    known = talks.filter(~pl.col("is_shadow") & (pl.col("net_calls") > 0))
    order = ["net", "conversation"]
    found = {
        "since_seconds": tables["span"]["since"][0],
        "until_seconds": tables["span"]["until"][0],
        **{
            side: tables["total"].filter(pl.col("is_shadow") == shadow).drop("is_shadow").to_dicts()[0]
            for side, shadow in (("actual", False), ("would", True))
        },
        "timeline": tables["timeline"]
        .sort("finished_seconds", "is_shadow")
        .drop("finished_seconds", "is_shadow")
        .to_dicts(),
        "conversations": talks.select(pl.struct("key", "conversation").n_unique()).item(),
        "loose_calls": tables["loose"].height,
        "cost": priced["cost"].sum() / priced.select(pl.struct("key", "conversation").n_unique()).item(),
        "losses": known.bottom_k(10, by=order).filter(pl.col("net") < 0).sort("net")["net"].to_list(),
        "gains": known.top_k(10, by=order).filter(pl.col("net") > 0).sort("net", descending=True)["net"].to_list(),
        "modules": _modules(tables["uses"], tables["selected"].item()),
        "missed_needs": tables["missed"].sort("named", descending=True).rows(),
        "tunings": tables["tunings"].height,
        "decision": tables["decision"].rows()[0],
        **{
            name: {value or "unknown": count for value, count in tables[name].rows()}
            for name in ("outcomes", "passthroughs", "errors", "held_back", "net_unavailable")
        },
        "arms": dict(talks.filter(pl.col("arm").is_not_null()).group_by("arm").len().rows()),
    }
    return {**found, **(_intervals(talks, tables["loose"]) if has_intervals else {})}


def _modules(uses: pl.DataFrame, selected: int) -> dict[str, Any]:
    missed = pl.col("late") & (pl.col("evidence") == "tool_call")
    table = uses.group_by("id").agg(
        pl.col("len").sum(),
        pl.col("len").filter("late").sum().alias("late"),
        pl.col("len").filter(missed).sum().alias("missed"),
    )
    kinds = {row[:2]: row[2] for row in uses.group_by("id", "evidence").agg(pl.col("len").sum()).rows()}
    return {
        name: {
            "calls": calls,
            "share": calls / selected,
            "late": late,
            "missed": lacked,
            "evidence": {kind: count for (module, kind), count in kinds.items() if module == name},
        }
        for name, calls, late, lacked in table.rows()
    }


def _intervals(talks: pl.DataFrame, loose: pl.DataFrame) -> dict[str, Any]:
    found = {}
    for name, shadow in (("net_interval", False), ("would_interval", True)):
        side = pl.col("is_shadow") == shadow
        nets = talks.filter(side & (pl.col("net_calls") > 0))["net"]
        alone = loose.filter(side)["estimated_net_saved_usd"].drop_nulls()
        interval = interval_of_sum(np.sort(pl.concat([nets, alone.cast(nets.dtype)]).cast(pl.Float64).to_numpy()))
        found[name] = None if interval is None else [interval.low, interval.high]
    priced = talks.filter(pl.col("arm").is_not_null() & (pl.col("unbilled") == 0) & (pl.col("billed_calls") > 0))
    strata = []
    for (key, model), part in sorted(priced.group_by("key", "model"), key=lambda item: str(item[0])):
        arms = {}
        for arm in ("treatment", "holdout"):
            rows = part.filter(pl.col("arm") == arm).sort("cost", "calls").select(pl.col("cost", "calls").cast(float))
            arms[arm] = CostSample(cost=rows["cost"].to_numpy(), size=rows["calls"].to_numpy())
        if min(len(sample.cost) for sample in arms.values()) >= 10:
            strata.append(Stratum(key=str(key), model=str(model), **arms))
    for name, saving in zip(("per_conversation", "per_call"), compare_both(strata), strict=True):
        found[name] = None if saving is None else [saving.saved_usd, saving.interval.low, saving.interval.high]
    return found


def run() -> None:
    files = [name for name in sys.argv[1:] if name != "--without-intervals"]
    found = figures(files, has_intervals="--without-intervals" not in sys.argv)
    json.dump(found, sys.stdout, default=str)


if __name__ == "__main__":
    run()

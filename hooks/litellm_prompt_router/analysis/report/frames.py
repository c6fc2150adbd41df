"""A lazy frame of ledger records with what the report groups and counts by as columns of their own.

What a record counts as is said in ``record.Facts`` and ``record.Record``; here it is said of whole columns."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from litellm_prompt_router.record.record import ASSUMED, SIDE_CALLS, UNREVIEWED

NAMES = (
    "request_id", "finished_seconds", "conversation", "key_alias", "key_hash", "team_id", "model_group", "model",
    "provider", "mode", "outcome", "reason", "arm", "status", "error_type", "profile", "modules", "is_fallback",
    "original_chars", "prompt_chars", "tools_chars", "history_chars", "uncached_input_tokens", "cache_read_tokens",
    "cache_write_5m_tokens", "cache_write_1h_tokens", "output_tokens", "response_cached", "billed_usd",
    "counterfactual_uncached_input_tokens", "counterfactual_cache_read_tokens",
    "counterfactual_cache_write_5m_tokens", "counterfactual_cache_write_1h_tokens", "estimated_net_saved_usd",
    "estimated_net_saved_reason", "estimated_net_saved_method", "list_price_saved_usd", "decision_us",
    "routing_model_call_count", "routing_model_usd", "tuning",
)  # fmt: skip
"""The columns that are read."""
NO_KEY = "(no key)"
NONE = "(none)"
DAY_SECONDS = 86_400
HOUR_SECONDS = 3_600


def with_groups(records: pl.LazyFrame) -> pl.LazyFrame:
    """The records with ``key``, ``team``, ``day`` and the like, which are never null.

    ``is_assumed`` says that the net figure goes by rules that the provider doesn't publish.
    ``is_shadow``, ``is_held_back``, ``is_failure`` and ``sent_chars`` are as the record's properties, and
    ``conversation`` is null where ``is_conversation`` is false: side calls count as calls alone.
    """
    is_side_call = pl.col("profile").is_null() | pl.col("reason").is_in(sorted(SIDE_CALLS)).fill_null(False)
    return records.with_columns(
        pl.coalesce("key_alias", "key_" + pl.col("key_hash").str.slice(0, 8), pl.lit(NO_KEY)).alias("key"),
        pl.coalesce("team_id", pl.lit(NONE)).alias("team"),
        pl.coalesce("model", "model_group", pl.lit(NONE)).alias("model"),
        pl.col("provider").fill_null(NONE),
        pl.col("profile").fill_null(NONE),
        (pl.col("finished_seconds") // DAY_SECONDS).cast(pl.Int32, strict=False).alias("day"),
        (pl.col("finished_seconds") // HOUR_SECONDS).cast(pl.Int32, strict=False).alias("hour"),
        (pl.col("outcome") == "shadow").fill_null(False).alias("is_shadow"),
        (pl.col("reason") == UNREVIEWED).fill_null(False).alias("is_held_back"),
        pl.col("estimated_net_saved_method").str.starts_with(ASSUMED).fill_null(False).alias("is_assumed"),
        (pl.col("status") == "failure").fill_null(False).alias("is_failure"),
        pl.when(pl.col("outcome") == "rewritten").then("prompt_chars").otherwise("original_chars").alias("sent_chars"),
        pl.when(~is_side_call).then("conversation").alias("conversation"),
    )


def collected(lazy: pl.LazyFrame) -> pl.DataFrame:
    """The frame's rows, worked out in bounded memory."""
    return lazy.collect(engine="streaming")


def collected_each(queries: Mapping[str, pl.LazyFrame]) -> dict[str, pl.DataFrame]:
    """Each query's rows. One after another: all at once they took as long and half as much memory again."""
    return {name: collected(query) for name, query in queries.items()}

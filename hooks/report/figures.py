"""A lazy frame of ledger records -> every figure of the report. Sums of money are exact decimals.

What shadow mode would have saved is never added to what was saved: every sum is kept apart for shadow records.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from decimal import Decimal
from typing import Any, Literal

import numpy as np
import orjson
import polars as pl

from hooks.record import SIDE_CALLS
from hooks.report.control import (
    MIN_CONVERSATIONS,
    MIN_STRATUM,
    Interval,
    Sample,
    Saving,
    Stratum,
    compare,
    interval_of_sum,
)

By = Literal["key", "team", "model", "provider", "profile", "day", "hour"]
DIMENSIONS: tuple[By, ...] = ("key", "team", "model", "provider", "profile", "day", "hour")
NAMES = (
    "request_id", "finished_seconds", "conversation", "key_alias", "key_hash", "team_id", "model_group", "model",
    "provider", "mode", "outcome", "reason", "arm", "status", "error_type", "profile", "modules", "is_fallback",
    "original_chars", "prompt_chars", "tools_chars", "history_chars", "uncached_input_tokens", "cache_read_tokens",
    "cache_write_5m_tokens", "cache_write_1h_tokens", "output_tokens", "response_cached", "billed_usd",
    "counterfactual_uncached_input_tokens", "counterfactual_cache_read_tokens",
    "counterfactual_cache_write_5m_tokens", "counterfactual_cache_write_1h_tokens", "estimated_net_saved_usd",
    "estimated_net_saved_reason", "list_price_saved_usd", "decision_us",
)  # fmt: skip
"""The columns that are read."""
TOP = 10
LOOSE_GROUPS = 2_048
NO_KEY = "(no key)"
NONE = "(none)"
DAY_SECONDS = 86_400
HOUR_SECONDS = 3_600


@dataclass(frozen=True, kw_only=True, slots=True)
class Sums:
    """Sums over some records. Money is None where no record has it; ``*_calls`` says how many do."""

    calls: int
    failures: int
    rewritten: int
    fallbacks: int
    uncached_input_tokens: int
    cache_read_tokens: int
    cache_write_5m_tokens: int
    cache_write_1h_tokens: int
    output_tokens: int
    billed_usd: Decimal | None
    billed_calls: int
    unbilled_calls: int
    """Answered and without a bill that is known."""
    net_saved_usd: Decimal | None
    net_calls: int
    list_saved_usd: Decimal | None
    sized_calls: int
    """Calls whose prompt is known before and after."""
    original_chars: int
    prompt_chars: int
    parts_calls: int
    """Calls of which prompt, tools and history are all known, as they left."""
    part_prompt_chars: int
    part_tools_chars: int
    part_history_chars: int
    compared_input_tokens: int
    """Of calls with a counterfactual: input tokens, those read from cache, and the same of the original."""
    compared_read_tokens: int
    without_input_tokens: int
    without_read_tokens: int

    @property
    def input_tokens(self) -> int:
        written = self.cache_write_5m_tokens + self.cache_write_1h_tokens
        return self.uncached_input_tokens + self.cache_read_tokens + written

    @property
    def cache_hit_share(self) -> float | None:
        """Of all input tokens, those read from cache."""
        return self.cache_read_tokens / self.input_tokens if self.input_tokens else None


@dataclass(frozen=True, kw_only=True, slots=True)
class Group:
    """The sums of one value of ``--by``; ``would`` are its shadow records'."""

    name: str
    actual: Sums | None
    would: Sums | None

    @property
    def calls(self) -> int:
        return sum(side.calls for side in (self.actual, self.would) if side is not None)

    @property
    def billed_usd(self) -> Decimal | None:
        sides = [side.billed_usd for side in (self.actual, self.would) if side is not None]
        known = [usd for usd in sides if usd is not None]
        return sum(known, Decimal(0)) if known else None


@dataclass(frozen=True, kw_only=True, slots=True)
class Conversation:
    key: str
    conversation: str
    model: str
    calls: int
    billed_usd: Decimal | None
    net_saved_usd: Decimal


@dataclass(frozen=True, kw_only=True, slots=True)
class ModuleUse:
    """How often a module was selected. ``missed``: added because the model had used its tool without it."""

    module: str
    calls: int
    share: float
    evidence: Mapping[str, int]
    late: int
    missed: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Control:
    """The arms' comparison, or how many conversations are still missing for one."""

    holdout: int
    treatment: int
    needed: int
    compared_holdout: int
    compared_treatment: int
    strata: int
    unpriced: int
    """Conversations left out because a call has no bill."""
    per_conversation: Saving | None
    per_call: Saving | None

    @property
    def missing(self) -> str | None:
        """Why there is no figure: ``not yet: 14 of 200 conversations``."""
        if self.per_conversation is not None:
            return None
        return f"not yet: {min(self.compared_holdout, self.compared_treatment):,} of {self.needed:,} conversations"


@dataclass(frozen=True, kw_only=True, slots=True)
class Figures:
    """Everything that the report shows."""

    since_seconds: float | None
    until_seconds: float | None
    actual: Sums | None
    would: Sums | None
    """Of shadow records: their saving is what rewriting would have saved."""
    conversations: int
    loose_calls: int
    """Calls without a known conversation."""
    cost_per_conversation_usd: Decimal | None
    net_interval: Interval | None
    would_interval: Interval | None
    by: By | None
    groups: tuple[Group, ...]
    steps: Literal["day", "hour"]
    timeline: tuple[Group, ...]
    modules: tuple[ModuleUse, ...]
    passthroughs: Mapping[str, int]
    errors: Mapping[str, int]
    net_unavailable: Mapping[str, int]
    decision_p50_us: int | None
    decision_p99_us: int | None
    losses: tuple[Conversation, ...]
    gains: tuple[Conversation, ...]
    control: Control | None


def figures_of(records: pl.LazyFrame, by: By | None) -> Figures | None:
    """All figures of the records; None when there are none."""
    frame = records.with_columns(
        pl.coalesce("key_alias", "key_" + pl.col("key_hash").str.slice(0, 8), pl.lit(NO_KEY)).alias("key"),
        pl.coalesce("team_id", pl.lit(NONE)).alias("team"),
        pl.coalesce("model", "model_group", pl.lit(NONE)).alias("model"),
        pl.col("provider").fill_null(NONE),
        pl.col("profile").fill_null(NONE),
        (pl.col("finished_seconds") // DAY_SECONDS).cast(pl.Int32).alias("day"),
        (pl.col("finished_seconds") // HOUR_SECONDS).cast(pl.Int32).alias("hour"),
        (pl.col("outcome") == "shadow").fill_null(False).alias("is_shadow"),
        _conversation().alias("conversation"),
    )
    span = _collected(
        frame.select(pl.col("finished_seconds").min().alias("since"), pl.col("finished_seconds").max().alias("until"))
    ).row(0)
    if span[0] is None:
        return None
    steps: Literal["day", "hour"] = "day" if span[1] // DAY_SECONDS - span[0] // DAY_SECONDS > 1 else "hour"
    summed = _summed(frame, steps, by)
    (total,) = _groups(summed, None)
    timeline = _groups(summed, steps)
    conversations = _conversations(frame)
    loose = _loose(frame)
    priced = conversations.filter(pl.col("billed_calls") > 0)
    priced_count = priced["unit"].n_unique()
    decision = _collected(frame.filter(pl.col("decision_us").is_not_null()).group_by("decision_us").len())
    ranked = _ranked(frame, conversations)
    return Figures(
        since_seconds=span[0],
        until_seconds=span[1],
        actual=total.actual,
        would=total.would,
        conversations=conversations["unit"].n_unique(),
        loose_calls=int(loose["calls"].sum()),
        cost_per_conversation_usd=Decimal(priced["billed"].sum()) / priced_count if priced_count else None,
        net_interval=_net_interval(conversations, loose, is_shadow=False),
        would_interval=_net_interval(conversations, loose, is_shadow=True),
        by=by,
        groups=timeline if by == steps else _groups(summed, by) if by else (),
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
        losses=tuple(c for c in ranked[:TOP] if c.net_saved_usd < 0),
        gains=tuple(c for c in ranked[::-1][:TOP] if c.net_saved_usd > 0),
        control=_control(conversations),
    )


def _conversation() -> pl.Expr:
    """Null for side calls, as ``Facts.is_conversation`` has it: they count as calls alone."""
    is_side = pl.col("profile").is_null() | pl.col("reason").is_in(sorted(SIDE_CALLS)).fill_null(False)
    return pl.when(~is_side).then("conversation")


def _collected(lazy: pl.LazyFrame) -> pl.DataFrame:
    return lazy.collect(engine="streaming")


# Sums


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


def _summed(frame: pl.LazyFrame, steps: By, by: By | None) -> pl.DataFrame:
    """The sums of all that is grouped by, in one pass."""
    return _collected(frame.group_by("is_shadow", *dict.fromkeys((steps, by or steps))).agg(_sum_expressions()))


def _groups(summed: pl.DataFrame, by: By | None) -> tuple[Group, ...]:
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


# Conversations


def _conversations(frame: pl.LazyFrame) -> pl.DataFrame:
    """A row for each conversation; one that shadow mode saw in part has two.

    ``unit`` is a hash of 64 bits: two of a million conversations fall together once in 40 million reports. Names
    stay in the files, because as text they would take most of the memory.
    """
    known = frame.filter(pl.col("conversation").is_not_null())
    names = {name: _collected(known.select(pl.col(name).unique().drop_nulls())) for name in ("key", "model", "arm")}
    known = known.with_columns(pl.struct("key", "conversation").hash().alias("unit")).with_columns(
        pl.col(name).cast(pl.Enum(found[name].sort())) for name, found in names.items()
    )
    failed = (pl.col("status") == "failure").fill_null(False)
    identity = ["unit", "key", "is_shadow", "arm"]
    parts = _collected(
        known.group_by(*identity, "model").agg(
            pl.len().alias("calls"),
            pl.col("billed_usd").sum().alias("billed"),
            pl.col("billed_usd").count().alias("billed_calls"),
            (pl.col("billed_usd").is_null() & ~failed).sum().alias("unbilled"),
            pl.col("estimated_net_saved_usd").sum().alias("net"),
            pl.col("estimated_net_saved_usd").count().alias("net_calls"),
        )
    )
    if parts["unit"].n_unique() == parts.height:
        return parts
    summed = ("calls", "billed", "billed_calls", "unbilled", "net", "net_calls")
    return (
        parts.sort("calls", "model", descending=True)
        .group_by(identity, maintain_order=True)
        .agg(pl.col("model").first(), *(pl.col(name).sum() for name in summed))
    )


def _names_of(frame: pl.LazyFrame, units: Sequence[int]) -> dict[int, str]:
    unit = pl.struct("key", "conversation").hash()
    found = _collected(
        frame.filter(pl.col("conversation").is_not_null())
        .select(unit.alias("unit"), "conversation")
        .filter(pl.col("unit").is_in(list(units)))
        .unique()
    )
    return dict(found.iter_rows())


def _loose(frame: pl.LazyFrame) -> pl.DataFrame:
    """Calls without a conversation stand for themselves, here in groups of any."""
    loose = frame.filter(pl.col("conversation").is_null())
    return _collected(
        loose.group_by("is_shadow", (pl.col("request_id").hash() % LOOSE_GROUPS).alias("group")).agg(
            pl.len().alias("calls"),
            pl.col("estimated_net_saved_usd").sum().alias("net"),
            pl.col("estimated_net_saved_usd").count().alias("net_calls"),
        )
    )


def _net_interval(conversations: pl.DataFrame, loose: pl.DataFrame, *, is_shadow: bool) -> Interval | None:
    units = [
        side.filter((pl.col("is_shadow") == is_shadow) & (pl.col("net_calls") > 0))["net"].cast(pl.Float64).to_numpy()
        for side in (conversations, loose)
    ]
    return interval_of_sum(np.sort(np.concatenate(units)))  # rows come in any order


def _ranked(frame: pl.LazyFrame, conversations: pl.DataFrame) -> list[Conversation]:
    """The TOP losses and gains that are real ones, from the greatest loss to the greatest gain."""
    real = conversations.filter(~pl.col("is_shadow") & (pl.col("net_calls") > 0))
    ends = pl.concat([real.bottom_k(TOP, by=["net", "unit"]), real.top_k(TOP, by=["net", "unit"])])
    ends = ends.unique().sort("net", "unit")
    names = _names_of(frame, ends["unit"].to_list())
    return [
        Conversation(
            key=row["key"],
            conversation=names[row["unit"]],
            model=row["model"],
            calls=row["calls"],
            billed_usd=row["billed"].normalize() if row["billed_calls"] else None,
            net_saved_usd=row["net"].normalize(),
        )
        for row in ends.to_dicts()
    ]


def _control(conversations: pl.DataFrame) -> Control | None:
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
    return Control(
        holdout=counted.get("holdout", 0),
        treatment=counted.get("treatment", 0),
        needed=MIN_CONVERSATIONS,
        compared_holdout=held,
        compared_treatment=treated,
        strata=len(strata),
        unpriced=arms.height - priced.height,
        per_conversation=compare(strata, by_call=False) if is_enough else None,
        per_call=compare(strata, by_call=True) if is_enough else None,
    )


def _sample(part: pl.DataFrame) -> Sample:
    part = part.sort("billed", "calls")
    return Sample(cost=part["billed"].cast(pl.Float64).to_numpy(), size=part["calls"].cast(pl.Float64).to_numpy())


# The rest


def _modules(frame: pl.LazyFrame) -> tuple[ModuleUse, ...]:
    selections = _collected(
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
            evidence=dict(sorted(evidence[module].items(), key=lambda item: -item[1])),
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
    rows: Sequence[tuple[str | None, int]] = _collected(frame.group_by(name).len()).rows()
    return {value or "unknown": count for value, count in sorted(rows, key=lambda row: (-row[1], str(row[0])))}


def _quantile(counted: pl.DataFrame, share: float) -> int | None:
    """The least value that ``share`` of all are no greater than."""
    ordered = counted.sort("decision_us")
    reached = ordered["len"].cum_sum()
    if reached.is_empty():
        return None
    return int(ordered["decision_us"][int((reached >= share * reached[-1]).arg_max() or 0)])

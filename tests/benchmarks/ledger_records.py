"""Seeded ledger records at any scale, as Parquet or JSON Lines: ``python -m tests.benchmarks.ledger_records``.

Columns are drawn with numpy, a part at a time, in the layout that ``prompt-router ledger compact`` writes. A few
hundred selections of modules, conversations of about eight calls with heavy-tailed costs, four per cent held out.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import orjson
import polars as pl

from litellm_prompt_router.analysis.report.columns import MONEY, SCHEMA

CALLS_A_CONVERSATION = 8
START = 1_793_500_000.0
SPAN_SECONDS = 30 * 86_400
KEYS = ("reports-agent", "support-bot", "code-assistant", "research", "finance-analyst")
MODELS = (("claude-sonnet-4-5", "anthropic", 3e-6), ("claude-opus-5", "bedrock", 5e-6), ("gpt-5.6", "openai", 2e-6))
MODULES = ("data_processing", "charts", "git", "web_search", "documents", "shell", "code", "spreadsheets", "images")
KINDS = ("score", "trigger", "inherited", "tool_call", "requires")
DETAILS = {"trigger": "bar chart", "tool_call": "plot_chart", "requires": "tools/git"}
SELECTIONS = 300
PART = 250_000


def selections(rng: np.random.Generator, count: int) -> list[str]:
    """JSON texts as records have them under ``modules``."""
    found = []
    for _ in range(count):
        picked = rng.choice(len(MODULES), size=rng.integers(1, 6), replace=False)
        uses = [{"id": "core/identity", "evidence": "always", "detail": None, "late": False}]
        for index in sorted(picked):
            kind = KINDS[int(rng.choice(5, p=[0.45, 0.25, 0.15, 0.05, 0.10]))]
            is_late = bool(rng.random() < 0.15) or kind == "tool_call"
            detail = f"{rng.uniform(0.1, 0.9):.2f}" if kind == "score" else DETAILS.get(kind)
            uses.append({"id": f"tools/{MODULES[index]}", "evidence": kind, "detail": detail, "late": is_late})
        found.append(orjson.dumps(uses).decode())
    return found


def part(seed: int, first: int, count: int, total: int, kinds: int = SELECTIONS) -> pl.DataFrame:
    """``count`` records from number ``first`` on, of ``total`` in all, with so many ``kinds`` of selections."""
    rng = np.random.default_rng([seed, first])
    texts = selections(np.random.default_rng(seed), kinds)
    number = np.arange(first, first + count)
    conversation = number // CALLS_A_CONVERSATION
    per = np.random.default_rng([seed, 1])  # what a conversation has in common
    base = int(conversation[0])
    spread = int(conversation[-1]) - base + 1
    per = np.random.default_rng([seed, 7, base])
    at = conversation - base
    key = per.choice(len(KEYS), spread, p=[0.35, 0.25, 0.2, 0.15, 0.05])[at]
    model = per.choice(len(MODELS), spread, p=[0.6, 0.15, 0.25])[at]
    is_held = (per.random(spread) < 0.04)[at]
    mode = per.choice(3, spread, p=[0.85, 0.05, 0.10])[at]  # rewritten, shadow, passthrough
    scale = per.lognormal(0, 0.9, spread)[at]
    price = np.array([item[2] for item in MODELS])[model]
    outcome = np.where(is_held | (mode == 2), "passthrough", np.where(mode == 1, "shadow", "rewritten"))
    original = np.full(count, 26_000)
    sent = (original * rng.uniform(0.2, 0.6, count)).astype(np.int64)
    history = (4_000 * scale * (1 + number % CALLS_A_CONVERSATION)).astype(np.int64)
    is_rewritten = outcome == "rewritten"
    system = np.where(is_rewritten, sent, original)
    is_first = number % CALLS_A_CONVERSATION == 0
    read = np.where(is_first, 0, system + history * 3 // 4)
    wrote = np.where(is_first, system, 0)
    full_read = np.where(is_first & (rng.random(count) < 0.2), 0, original + history * 3 // 4)
    full_wrote = np.where(full_read == 0, original, 0)
    fresh = history // 4
    output = rng.integers(50, 900, count)

    def usd(uncached: object, reads: object, writes: object) -> np.ndarray:
        weighed = np.asarray(uncached) + 0.1 * np.asarray(reads) + 1.25 * np.asarray(writes)
        result: np.ndarray = np.round((weighed + 5 * output) * price * 1e12).astype(np.int64)
        return result

    billed, full = usd(fresh, read, wrote), usd(fresh, full_read, full_wrote)
    is_failed = rng.random(count) < 0.002
    is_routed = outcome != "passthrough"
    saved = np.where(outcome == "shadow", usd(fresh, full_read, full_wrote) - usd(fresh, read, wrote), full - billed)
    finished = START + SPAN_SECONDS * number / total + rng.uniform(0, 5, count)

    def money(picos: np.ndarray, known: np.ndarray) -> pl.Series:
        values = pl.Series(picos).cast(pl.Decimal(38, 0)).cast(MONEY) * pl.Series([1]).cast(pl.Decimal(1, 0))
        scaled = values / pl.Series(["1000000000000"]).cast(MONEY)
        return scaled.cast(MONEY).set(~pl.Series(known), None)

    def picked(names: tuple[str, ...], index: np.ndarray) -> pl.Series:
        return pl.Series(names).gather(index)

    ids = pl.Series(number)
    frame = pl.DataFrame(
        {
            "request_id": ids.hash().cast(pl.String),
            "call_id": ids.hash(1).cast(pl.String),
            "started_seconds": finished - rng.exponential(3, count),
            "finished_seconds": finished,
            "endpoint": pl.repeat("acompletion", count, eager=True),
            "stream": rng.random(count) < 0.7,
            "conversation": "c-" + pl.Series(conversation).hash(2).cast(pl.String),
            "key_alias": picked(KEYS, key),
            "team_id": picked(("analytics", "support", "engineering"), key % 3),
            "model_group": picked(tuple(item[0] for item in MODELS), model),
            "model": picked(tuple(item[0] for item in MODELS), model),
            "provider": picked(tuple(item[1] for item in MODELS), model),
            "mode": pl.Series(np.where(outcome == "shadow", "shadow", "rewrite")),
            "outcome": pl.Series(outcome),
            "reason": pl.Series(np.where(is_held, "holdout", "not_worth_it")).set(pl.Series(is_routed), None),
            "arm": pl.Series(np.where(is_held, "holdout", "treatment")).set(pl.Series(outcome == "shadow"), None),
            "status": pl.Series(np.where(is_failed, "failure", "success")),
            "error_type": pl.repeat("RateLimitError", count, eager=True).set(pl.Series(~is_failed), None),
            "profile": pl.repeat("workbench", count, eager=True),
            "modules": picked(tuple(texts), rng.integers(0, len(texts), count)).set(pl.Series(~is_routed), None),
            "is_fallback": rng.random(count) < 0.03,
            "original_chars": original * 4,
            "prompt_chars": pl.Series(sent * 4).set(pl.Series(~is_routed), None),
            "tools_chars": pl.repeat(18_000, count, eager=True),
            "history_chars": history * 4,
            "original_tokens": original,
            "prompt_tokens": sent,
            "uncached_input_tokens": fresh,
            "cache_read_tokens": read,
            "cache_write_5m_tokens": wrote,
            "cache_write_1h_tokens": np.zeros(count, dtype=np.int64),
            "output_tokens": output,
            "response_cached": np.zeros(count, dtype=bool),
            "billed_usd": money(billed, ~is_failed),
            "counterfactual_uncached_input_tokens": fresh,
            "counterfactual_cache_read_tokens": full_read,
            "counterfactual_cache_write_5m_tokens": full_wrote,
            "counterfactual_cache_write_1h_tokens": np.zeros(count, dtype=np.int64),
            "estimated_net_saved_usd": money(saved, is_routed & ~is_failed),
            "list_price_saved_usd": money(np.round((original - sent) * price * 1e12).astype(np.int64), is_routed),
            "decision_us": rng.lognormal(5, 0.4, count).astype(np.int64),
        }
    )
    rest = [pl.lit(None, dtype).alias(name) for name, dtype in SCHEMA.items() if name not in frame.columns]
    return frame.with_columns(rest).select(pl.col(name).cast(SCHEMA[name]) for name in SCHEMA)


def write_parquet(folder: Path, records: int, seed: int = 1) -> list[Path]:
    """Files of a part each."""
    files = []
    for first in range(0, records, PART):
        files.append(folder / f"records-{first:010}.parquet")
        part(seed, first, min(PART, records - first), records).write_parquet(files[-1])
    return files


def write_lines(file: Path, records: int, seed: int = 1, kinds: int = SELECTIONS) -> None:
    """The same records as the proxy writes them."""
    money = [name for name, dtype in SCHEMA.items() if dtype == MONEY]
    with file.open("wb") as target:
        for first in range(0, records, PART):
            frame = part(seed, first, min(PART, records - first), records, kinds).drop("extra")
            frame = frame.with_columns(pl.col(name).cast(pl.String).str.replace("0{1,6}$", "") for name in money)
            for row in frame.iter_rows(named=True):
                row["modules"] = orjson.loads(row["modules"]) if row["modules"] else []
                target.write(json.dumps(row).encode() + b"\n")


def measured(*arguments: str) -> str:
    """Seconds, CPU seconds and peak GB of ``prompt-router report`` on these paths, in a process of its own."""
    code = (
        "import resource, sys; from litellm_prompt_router.cli import main\n"
        "try: main(sys.argv[1:])\n"
        "finally:\n"
        " used = resource.getrusage(resource.RUSAGE_SELF)\n"
        " print(used.ru_utime + used.ru_stime, used.ru_maxrss, file=sys.stderr)"
    )
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", code, "report", *arguments], capture_output=True, text=True, check=True
    )
    cpu, kilobytes = done.stderr.split()[-2:]
    seconds = time.perf_counter() - began
    return f"{seconds:.1f} s, {float(cpu):.1f} s of CPU, {int(kilobytes) / 1e6:.2f} GB"


def run() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=10_000_000)
    parser.add_argument("--lines", type=int, default=200_000, help="records of the JSON Lines run; 0 leaves it out")
    stated = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files = write_parquet(folder, stated.records)
        size = sum(file.stat().st_size for file in files) / 1e9
        print(f"Parquet: {stated.records:,} records, {size:.2f} GB", flush=True)
        for more in ((), ("--by", "key"), ("--html", str(folder / "report.html"))):
            print(f"  report {' '.join(more)[:8]}: {measured(str(folder / '*.parquet'), *more)}", flush=True)
        if stated.lines:
            lines = folder / "lines.jsonl"
            write_lines(lines, stated.lines)
            print(f"JSON Lines: {stated.lines:,} records, {lines.stat().st_size / 1e9:.2f} GB")
            print(f"  report: {measured(str(lines))}")


if __name__ == "__main__":
    run()

"""``python -m tests.benchmarks.never_dearer``: ``auto`` against the full prompt with good caching, cell by cell.

Every combination of arrival rate, prompt size, coarse or fine modules and conversation length is made up from a
seed, tuned on the first half of its conversations and measured on the second. ``untuned`` is what the same second
half costs with a profile that nobody tuned, ``latest`` what re-routing every message costs.
"""

from __future__ import annotations

import argparse
import itertools
import os
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from multiprocessing import Pool

from rich.console import Console
from rich.progress import track

RATES = (1, 10, 100, 1_000, 10_000)
SIZES = (5_000, 26_000, 120_000)
SHAPES = {"coarse": {"core_share": 0.58, "modules": 6}, "fine": {"core_share": 0.23, "modules": 20}}
"""A prompt in a core and six sections, or in twenty."""
LENGTHS = ((1, 1), (1, 3), (1, 6), (3, 1), (3, 6), (10, 3), (40, 1), (40, 3))
"""User messages a conversation, and the calls that each leads to."""
CALLS_PER_CELL = 4_000
CONVERSATIONS = (80, 400)
"""At least and at most, whatever the number of calls."""
PROMISED_CALLS = 3


@dataclass(frozen=True, kw_only=True, slots=True)
class Cell:
    rate: int
    size: int
    shape: str
    turns: int
    calls: int
    model: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Measured:
    """``tuned``, ``untuned`` and ``latest`` against the cached full prompt, as shares of it: below 0 is cheaper."""

    cell: Cell
    choice: str
    calls_per_conversation: float
    tuned: float
    untuned: float
    latest: float


def measure(cell: Cell) -> Measured:
    """One cell, from its seed."""
    from litellm_prompt_router.analysis.simulate import Workload, arrivals
    from litellm_prompt_router.analysis.simulate.synthetic import simulate_synthetic
    from litellm_prompt_router.cli.model_accounts import account_for
    from litellm_prompt_router.cli.tune_option import tune_synthetic

    few, many = CONVERSATIONS
    workload = Workload(
        conversations_per_hour=cell.rate,
        conversations=max(few, min(many, CALLS_PER_CELL // (cell.turns * cell.calls))),
        turns=cell.turns,
        calls_per_turn=cell.calls,
        prompt_tokens=cell.size,
        **SHAPES[cell.shape],  # type: ignore[arg-type]
    )
    account = account_for(cell.model, None)
    calls = arrivals(workload)
    tuning, second = tune_synthetic(workload, calls, account, "")
    report = simulate_synthetic(workload, second, account.rules, account.prices, account.target)
    tuned = simulate_synthetic(
        workload, second, account.rules, account.prices, account.target, economics=tuning.economics
    )
    return Measured(
        cell=cell,
        choice=tuning.choice,
        calls_per_conversation=len(calls) / workload.conversations,
        tuned=_share(tuned["auto"].usd, tuned["full-cached"].usd),
        untuned=_share(report["auto"].usd, report["full-cached"].usd),
        latest=_share(report["latest"].usd, report["full-cached"].usd),
    )


def _share(usd: Decimal, baseline: Decimal) -> float:
    return float(usd / baseline) - 1


def table(measured: Sequence[Measured]) -> list[str]:
    """Worst and best cell of each group, in Markdown."""
    lines = [
        "| modules | turns x calls | tuned: worst, best | untuned: worst, best | re-routed (`latest`): worst, best |",
        "|---|---|---|---|---|",
    ]
    for shape, (turns, calls) in itertools.product(SHAPES, LENGTHS):
        cells = [m for m in measured if (m.cell.shape, m.cell.turns, m.cell.calls) == (shape, turns, calls)]
        if cells:
            spans = (_span([getattr(m, name) for m in cells]) for name in ("tuned", "untuned", "latest"))
            lines.append(f"| {shape} | {turns} x {calls} | {' | '.join(spans)} |")
    return lines


def _span(shares: Sequence[float]) -> str:
    return f"{max(shares):+.1%}, {min(shares):+.1%}"


def summary(measured: Sequence[Measured]) -> list[str]:
    """What holds and what doesn't, counted."""
    promised = [m for m in measured if m.calls_per_conversation >= PROMISED_CALLS]
    broken = [m for m in promised if m.untuned > 0]
    choices = {choice: sum(m.choice == choice for m in measured) for choice in ("exact", "bundles", "all", "full")}
    return [
        f"{len(measured)} cells; tuned: dearer in {sum(m.tuned > 0 for m in measured)}, "
        + ", ".join(f"{choice} in {count}" for choice, count in choices.items()),
        f"untuned, {PROMISED_CALLS} or more calls a conversation: dearer in {len(broken)} of {len(promised)}"
        + (f", at worst {max(m.untuned for m in broken):+.1%}" if broken else ""),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--model", default="claude-sonnet-4-5")
    parser.add_argument("--every-cell", action="store_true", help="a line for each cell, too")
    arguments = parser.parse_args()
    os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    cells = [
        Cell(rate=rate, size=size, shape=shape, turns=turns, calls=calls, model=arguments.model)
        for (turns, calls), size, shape, rate in itertools.product(LENGTHS, SIZES, SHAPES, RATES)
    ]
    console = Console(stderr=True)
    with Pool() as pool:
        results = pool.imap(measure, cells)
        measured = list(track(results, "cells", total=len(cells), console=console, transient=True))
    if arguments.every_cell:
        for m in measured:
            cell = m.cell
            print(
                f"{cell.rate:>6}/h {cell.size:>7} {cell.shape:6} {cell.turns:>2} x {cell.calls} "
                f"{m.choice:7} tuned {m.tuned:+.3f} untuned {m.untuned:+.3f} latest {m.latest:+.3f}"
            )
    print(*table(measured), "", *summary(measured), sep="\n")


if __name__ == "__main__":
    main()

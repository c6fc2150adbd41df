"""``python -m tests.benchmarks.never_dearer``: ``auto`` against the full prompt with good caching, cell by cell.

Every combination of arrival rate, prompt size, coarse or fine modules and conversation length is made up from a seed,
under the prices and the cache rules of each model. Tuned is tuned on the first half of the conversations; all are
measured on the second. Untuned is measured by what the cost gate may know of the profile: nothing; what later messages
need, as labels of the first half's conversations tell; and how many calls a message leads to as well, as a ledger does.
``latest`` is what re-routing every message costs. Loops declare tools; talk, one call a message, is measured with tools
declared and without.
"""

from __future__ import annotations

import argparse
import itertools
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from multiprocessing import Pool
from typing import Any

from rich.console import Console
from rich.progress import track

MODELS = ("claude-sonnet-4-5", "openai/gpt-5.6", "gemini-2.5-pro", "claude-sonnet-5", "deepseek/deepseek-chat")
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
PROMISED = 0.01
"""No dearer than this share of the full prompt's bill, in cells of so many calls a conversation."""
KNOWN = ("tuned", "untuned", "labelled", "observed")


@dataclass(frozen=True, kw_only=True, slots=True)
class Cell:
    rate: int
    size: int
    shape: str
    turns: int
    calls: int
    has_tools: bool
    model: str
    seed: int = 0
    calls_per_cell: int = CALLS_PER_CELL
    tunes: bool = True

    @property
    def is_promised(self) -> bool:
        return self.turns * self.calls >= PROMISED_CALLS


@dataclass(frozen=True, kw_only=True, slots=True)
class Measured:
    """Against the cached full prompt, as shares of it: below 0 is cheaper.

    ``untuned``: nothing is known; ``labelled``: what later messages need is; ``observed``: calls a message are, too.
    """

    cell: Cell
    choice: str | None
    tuned: float | None
    """None where nothing was tuned."""
    untuned: float
    labelled: float
    observed: float
    latest: float


def measure(cell: Cell) -> Measured:
    """One cell, from its seed."""
    from litellm_prompt_router.analysis.simulate import Workload, arrivals
    from litellm_prompt_router.analysis.simulate.synthetic import expected_of, halves
    from litellm_prompt_router.cli.model_accounts import account_for
    from litellm_prompt_router.cli.tune_option import tune_synthetic

    few, many = CONVERSATIONS
    workload = Workload(
        conversations_per_hour=cell.rate,
        conversations=max(few, min(many, cell.calls_per_cell // (cell.turns * cell.calls))),
        turns=cell.turns,
        calls_per_turn=cell.calls,
        prompt_tokens=cell.size,
        declares_tools=cell.has_tools,
        seed=cell.seed,
        **SHAPES[cell.shape],  # type: ignore[arg-type]
    )
    account = account_for(cell.model, None)
    calls = arrivals(workload)
    first, second = halves(calls)
    ways: dict[str, dict[str, Any]] = {
        "labelled": {"expected": expected_of(workload, first)},
        "observed": {"expected": expected_of(workload, first, knows_calls=True)},
    }
    choice = None
    if cell.tunes:
        tuning, _ = tune_synthetic(workload, calls, account, "")
        choice, ways["tuned"] = tuning.choice, {"economics": tuning.economics}
    bills = _bills(workload, second, account, ("full-cached", "latest", "auto"))
    baseline = bills["full-cached"]
    shares = {"latest": _share(bills["latest"], baseline), "untuned": _share(bills["auto"], baseline)}
    for name, known in ways.items():
        shares[name] = _share(_bills(workload, second, account, ("auto",), **known)["auto"], baseline)
    return Measured(cell=cell, choice=choice, tuned=shares.pop("tuned", None), **shares)


def _bills(
    workload: Any, calls: Any, account: Any, policies: Any, *, economics: Any = None, expected: Any = None
) -> dict[str, Decimal]:
    """USD by policy."""
    from litellm_prompt_router.analysis.simulate.synthetic import accounted
    from litellm_prompt_router.cache_model import cost_usd, total_usage

    usages: dict[str, list[Any]] = {policy: [] for policy in policies}
    for _, billed in accounted(workload, calls, account.rules, account.target, economics, policies, expected):
        for policy in policies:
            usages[policy].append(billed[policy])
    return {policy: cost_usd(total_usage(each), account.prices) for policy, each in usages.items()}


def _share(usd: Decimal, baseline: Decimal) -> float:
    return float(usd / baseline) - 1


def cells_of(models: Sequence[str], seed: int, calls_per_cell: int, *, tunes: bool = True) -> list[Cell]:
    return [
        Cell(
            rate=rate,
            size=size,
            shape=shape,
            turns=turns,
            calls=calls,
            has_tools=has_tools,
            model=model,
            seed=seed,
            calls_per_cell=calls_per_cell,
            tunes=tunes,
        )
        for model in models
        for (turns, calls), has_tools, size, shape, rate in itertools.product(
            LENGTHS, (False, True), SIZES, SHAPES, RATES
        )
        if has_tools or calls == 1
    ]


def alike(models: Sequence[str]) -> dict[str, str]:
    """By model the first one with the same cache rules, prices and gate, so that each is measured once."""
    from litellm_prompt_router.cli.model_accounts import account_for

    firsts: dict[tuple[object, ...], str] = {}
    found = {}
    for model in models:
        account = account_for(model, None)
        prices, target = account.prices, account.target
        facts = (
            account.rules,
            *(target.cache_read_share, target.cache_write_share, target.min_cache_tokens),
            *(target.takes_cache_key, target.cache_lifetime_seconds, prices.cache_read_usd_per_mtok > 0),
        )
        found[model] = firsts.setdefault(facts, model)
    return found


def by_model(measured: Sequence[Measured]) -> list[str]:
    """What is promised, by model and by what is known, in Markdown."""
    lines = [
        "| model | known of the profile | worst | above +1% | mean |",
        "|---|---|---|---|---|",
    ]
    names = {
        "untuned": "nothing",
        "labelled": "what later messages need (labels)",
        "observed": "that, and calls a message (a ledger)",
        "tuned": "tuned",
    }
    for model in dict.fromkeys(m.cell.model for m in measured):
        promised = [m for m in measured if m.cell.model == model and is_usual(m.cell) and m.cell.is_promised]
        for name, what in names.items():
            shares = [share for m in promised if (share := getattr(m, name)) is not None]
            if not shares:
                continue
            lines.append(
                f"| {model} | {what} | {max(shares):+.1%} | {above(shares)} of {len(shares)} "
                f"| {sum(shares) / len(shares):+.1%} |"
            )
    return lines


def is_usual(cell: Cell) -> bool:
    """Loops declare tools and talk doesn't."""
    return cell.has_tools == (cell.calls > 1)


def above(shares: Sequence[float]) -> int:
    return sum(share > PROMISED for share in shares)


def table(measured: Sequence[Measured]) -> list[str]:
    """Worst and best cell of each group, in Markdown."""
    lines = [
        "| modules | turns x calls | tools | tuned: worst, best | untuned: worst, best | with labels: worst, best "
        "| with a ledger's use: worst, best | re-routed (`latest`): worst, best |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for shape, (turns, calls), has_tools in itertools.product(SHAPES, LENGTHS, (False, True)):
        key = (shape, turns, calls, has_tools)
        cells = [m for m in measured if (m.cell.shape, m.cell.turns, m.cell.calls, m.cell.has_tools) == key]
        if cells:
            spans = (_span([getattr(m, name) for m in cells]) for name in (*KNOWN, "latest"))
            lines.append(f"| {shape} | {turns} x {calls} | {'yes' if has_tools else 'no'} | {' | '.join(spans)} |")
    return lines


def _span(shares: Sequence[float | None]) -> str:
    known = [share for share in shares if share is not None]
    return f"{max(known):+.1%}, {min(known):+.1%}" if known else ""


def summary(measured: Sequence[Measured]) -> list[str]:
    """What holds and what doesn't, counted, of one model's cells."""
    lines = []
    promised = [m for m in measured if m.cell.is_promised]
    groups = {
        "loops declare tools, talk doesn't": [m for m in promised if is_usual(m.cell)],
        "talk that declares tools": [m for m in promised if not is_usual(m.cell)],
    }
    for what, cells in groups.items():
        for name in KNOWN:
            shares = [share for m in cells if (share := getattr(m, name)) is not None]
            if shares:
                lines.append(
                    f"{what}; {name}: {above(shares)} of {len(shares)} cells of {PROMISED_CALLS}+ calls above "
                    f"{PROMISED:+.0%}, worst {max(shares):+.1%}, mean {sum(shares) / len(shares):+.1%}"
                )
    choices = {choice: sum(m.choice == choice for m in measured) for choice in ("exact", "bundles", "all", "full")}
    return [*lines, "tuned: " + ", ".join(f"{choice} in {count}" for choice, count in choices.items())]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--model", action="append", help="may be repeated; default: all five")
    parser.add_argument("--every-cell", action="store_true", help="a line for each cell, too")
    parser.add_argument("--untuned", action="store_true", help="leave out tuning, which takes most of the time")
    parser.add_argument("--rate", type=int, action="append", help="conversations an hour; may be repeated")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--calls-per-cell", type=int, default=CALLS_PER_CELL)
    arguments = parser.parse_args()
    os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    models = tuple(arguments.model or MODELS)
    same = alike(models)
    firsts = list(dict.fromkeys(same.values()))
    cells = [
        cell
        for cell in cells_of(firsts, arguments.seed, arguments.calls_per_cell, tunes=not arguments.untuned)
        if cell.rate in (arguments.rate or RATES)
    ]
    console = Console(stderr=True)
    with Pool() as pool:
        results = pool.imap(measure, cells)
        once = list(track(results, "cells", total=len(cells), console=console, transient=True))
    measured = [
        replace(m, cell=replace(m.cell, model=model))
        for model, first in same.items()
        for m in once
        if m.cell.model == first
    ]
    if arguments.every_cell:
        for m in measured:
            cell = m.cell
            print(
                f"{cell.model} {cell.rate:>6}/h {cell.size:>7} {cell.shape:6} {cell.turns:>2} x {cell.calls} "
                f"{'tools' if cell.has_tools else '-':5} {m.choice or '-':7} tuned {m.tuned or 0:+.3f} "
                f"untuned {m.untuned:+.3f} labelled {m.labelled:+.3f} observed {m.observed:+.3f} latest {m.latest:+.3f}"
            )
    print(*by_model(measured), sep="\n")
    for model in models:
        own = [m for m in measured if m.cell.model == model]
        print("", model, "", *table(own), "", *summary(own), sep="\n")


if __name__ == "__main__":
    main()

"""``python -m tests.benchmarks.never_dearer``: ``auto`` against the full prompt with good caching, cell by cell.

Every combination of arrival rate, prompt size, coarse or fine modules and conversation length is made up from a seed,
under the prices and the cache rules of each model. Tuned is tuned on the first half of the conversations; all are
measured on the second. Untuned is measured by what the cost gate may know of the profile: nothing; what later messages
need, as labels of the first half's conversations tell; and how many calls a message leads to as well, as a ledger does.
Loops declare tools; talk, one call a message, is measured with tools declared and without. Where a host's cache
lifetime isn't published, what is told is the worst of the lifetimes that it may have.
"""

from __future__ import annotations

import argparse
import itertools
import os
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from multiprocessing import Pool
from statistics import fmean
from typing import Any

from litellm_prompt_router.analysis.simulate import Workload
from litellm_prompt_router.analysis.simulate.layouts import modules_of
from litellm_prompt_router.analysis.simulate.synthetic import accounted, admission
from litellm_prompt_router.analysis.simulate.workload import SyntheticCall
from litellm_prompt_router.cache_model import cost_usd, total_usage
from litellm_prompt_router.profile.later_chances import later_chances
from litellm_prompt_router.request.expected_use import CALLS_PER_MESSAGE, ExpectedUse

MODELS = (
    "claude-sonnet-4-5",
    "claude-sonnet-5",
    "openai/gpt-5.6",
    "deepseek/deepseek-chat",
    "gemini/gemini-2.5-pro",
)
RATES = (1, 10, 100, 1_000, 10_000)
SIZES = (5_000, 26_000, 120_000)
SHAPES = {"coarse": {"core_share": 0.58, "modules": 6}, "fine": {"core_share": 0.23, "modules": 20}}
"""A prompt in a core and six sections, or in twenty."""
LENGTHS = ((1, 1), (1, 3), (1, 6), (3, 1), (3, 6), (10, 3), (40, 1), (40, 3))
"""User messages a conversation, and the calls that each leads to."""
CALLS_PER_CELL = 400
CONVERSATIONS = (80, 400)
"""At least and at most, whatever the number of calls: tuning takes 80."""
LONGEST_TUNED_CALLS = 60
LONG_CONVERSATIONS = 40
"""Conversations of more calls are made so few that nothing can be tuned on them: they take most of the time."""
PROMISED_CALLS = 3
PROMISED = 0.01
"""No dearer than this share of the full prompt's bill, in cells of so many calls a conversation."""
KNOWN = {
    "untuned": "nothing",
    "labelled": "what later messages need (labels)",
    "observed": "that, and calls a message (a ledger)",
    "tuned": "tuned",
}
PROGRESS_SECONDS = 15.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Cell:
    rate: int
    size: int
    shape: str
    turns: int
    calls: int
    model: str
    seed: int = 0
    calls_per_cell: int = CALLS_PER_CELL
    tunes: bool = True

    @property
    def is_tuned(self) -> bool:
        return self.tunes and self.turns * self.calls <= LONGEST_TUNED_CALLS

    @property
    def conversations(self) -> int:
        few, many = CONVERSATIONS
        if self.turns * self.calls > LONGEST_TUNED_CALLS:
            few = LONG_CONVERSATIONS
        return max(few, min(many, self.calls_per_cell // (self.turns * self.calls)))

    @property
    def is_promised(self) -> bool:
        return self.turns * self.calls >= PROMISED_CALLS


@dataclass(frozen=True, kw_only=True, slots=True)
class Measured:
    """Against the cached full prompt, as shares of it: below 0 is cheaper. ``shares``: by what is known (KNOWN)."""

    cell: Cell
    has_tools: bool
    choice: str | None
    """What tuning chose; None where nothing was tuned."""
    shares: Mapping[str, float]

    @property
    def group(self) -> str:
        if self.cell.calls > 1:
            return "loops"
        return "talk that declares tools" if self.has_tools else "talk"


def expected_of(workload: Workload, calls: Iterable[SyntheticCall], *, knows_calls: bool = False) -> ExpectedUse:
    """What labels of these conversations say of later ones; with ``knows_calls`` also what a ledger says of calls."""
    selections: dict[int, list[frozenset[int]]] = {}
    count = 0
    for call in calls:
        count += 1
        if call.opens_turn:
            selections.setdefault(call.conversation, []).append(frozenset(modules_of(call.selection)))
    modules = range(workload.modules)
    known = later_chances(selections.values(), modules)
    of_others = fmean(known.values()) if known else None
    messages = sum(map(len, selections.values()))
    return ExpectedUse(
        declares_tools=workload.declares_tools,
        calls_per_message=max(1.0, count / messages) if knows_calls and messages else CALLS_PER_MESSAGE,
        later_chances=None if of_others is None else tuple(known.get(module, of_others) for module in modules),
    )


def measure(cell: Cell) -> list[Measured]:
    """One cell, from its seed; talk with tools declared and without."""
    from litellm_prompt_router.analysis.simulate import Workload, arrivals
    from litellm_prompt_router.analysis.simulate.synthetic import halves
    from litellm_prompt_router.cli.model_accounts import account_for
    from litellm_prompt_router.cli.tune_option import tune_synthetic

    workload = Workload(
        conversations_per_hour=cell.rate,
        conversations=cell.conversations,
        turns=cell.turns,
        calls_per_turn=cell.calls,
        prompt_tokens=cell.size,
        seed=cell.seed,
        **SHAPES[cell.shape],  # type: ignore[arg-type]
    )
    account = account_for(cell.model, None)
    calls = arrivals(workload)
    first, second = halves(calls)
    tuning = tune_synthetic(workload, calls, account, "")[0] if cell.is_tuned else None
    ways: dict[tuple[bool, str], dict[str, Any]] = {}
    for has_tools in (True, False) if cell.calls == 1 else (True,):
        declared = replace(workload, declares_tools=has_tools)
        ways[has_tools, "untuned"] = {"expected": ExpectedUse(declares_tools=has_tools)}
        ways[has_tools, "labelled"] = {"expected": expected_of(declared, first)}
        ways[has_tools, "observed"] = {"expected": expected_of(declared, first, knows_calls=True)}
        if tuning is not None:
            ways[has_tools, "tuned"] = {"economics": tuning.economics}
    by_rules = [_shares(workload, second, account, rules, ways) for rules in account.cache.possible_rules]
    worst = {way: max(each[way] for each in by_rules) for way in ways}
    return [
        Measured(
            cell=cell,
            has_tools=has_tools,
            choice=None if tuning is None else tuning.choice,
            shares={name: share for (declares, name), share in worst.items() if declares == has_tools},
        )
        for has_tools in dict.fromkeys(declares for declares, _ in ways)
    ]


def _shares(
    workload: Any, calls: Any, account: Any, rules: Any, ways: Mapping[tuple[bool, str], Any]
) -> dict[tuple[bool, str], float]:
    """How much dearer each way is. Ways that send the same are accounted once, and one that rewrites nothing isn't."""
    firsts = sorted({call.selection for call in calls if call.number == 0})
    baseline: Any = None
    known: dict[tuple[int | None, ...], float] = {(None,) * len(firsts): 0.0}
    shares = {}
    for way, told in ways.items():
        admit = admission(workload, account.target, told.get("economics"), told.get("expected"))
        sent = tuple(map(admit, firsts))
        if sent not in known:
            baseline = baseline or _usd(workload, calls, account, rules, "full-cached", {})
            known[sent] = float(_usd(workload, calls, account, rules, "auto", told) / baseline) - 1
        shares[way] = known[sent]
    return shares


def _usd(workload: Any, calls: Any, account: Any, rules: Any, policy: Any, told: Mapping[str, Any]) -> Any:
    economics, expected = told.get("economics"), told.get("expected")
    billed = accounted(workload, calls, rules, account.target, economics, (policy,), expected)
    return cost_usd(total_usage([usages[policy] for _, usages in billed]), account.prices)


def cells_of(
    models: Sequence[str],
    *,
    seed: int = 0,
    calls_per_cell: int = CALLS_PER_CELL,
    tunes: bool = True,
    rates: Sequence[int] = RATES,
) -> list[Cell]:
    """The cells that something is promised of, the longest conversations first: they take longest."""
    cells = [
        Cell(
            rate=rate,
            size=size,
            shape=shape,
            turns=turns,
            calls=calls,
            model=model,
            seed=seed,
            calls_per_cell=calls_per_cell,
            tunes=tunes,
        )
        for (turns, calls), model, size, shape, rate in itertools.product(
            sorted(LENGTHS, key=lambda length: -length[0] * length[1]), models, SIZES, SHAPES, rates
        )
    ]
    return [cell for cell in cells if cell.is_promised]


def alike(models: Sequence[str]) -> dict[str, str]:
    """By model the first one with the same cache rules, prices and gate, so that each is measured once."""
    from litellm_prompt_router.cli.model_accounts import account_for

    firsts: dict[tuple[object, ...], str] = {}
    found = {}
    for model in models:
        account = account_for(model, None)
        prices, target = account.prices, account.target
        facts = (
            account.cache.possible_rules,
            *(target.cache_read_share, target.cache_write_share, target.min_cache_tokens),
            *(target.takes_cache_key, target.cache_lifetime_seconds, prices.cache_read_usd_per_mtok > 0),
        )
        found[model] = firsts.setdefault(facts, model)
    return found


def lines_of(model: str, measured: Sequence[Measured]) -> list[str]:
    """What is promised, by group of cells and by what is known, in Markdown."""
    lines = []
    for group in ("loops", "talk", "talk that declares tools", "loops and talk"):
        parts = ("loops", "talk") if group == "loops and talk" else (group,)
        cells = [m for m in measured if m.group in parts]
        for told, names in _alike_lines(cells).items():
            lines.append(f"| {model} | {group}, {len(cells)} | {'; '.join(names)} | {told} |")
    return lines


def _alike_lines(cells: Sequence[Measured]) -> dict[str, list[str]]:
    """Worst, count and mean -> for which of KNOWN that is so."""
    found: dict[str, list[str]] = {}
    for name, what in KNOWN.items():
        shares = [m.shares[name] for m in cells if name in m.shares]
        if shares:
            told = f"{max(shares):+.1%} | {above(shares)} | {sum(shares) / len(shares):+.1%}"
            found.setdefault(told, []).append(what)
    return found


def above(shares: Iterable[float]) -> int:
    return sum(share > PROMISED for share in shares)


def line_of(m: Measured) -> str:
    """One cell."""
    cell = m.cell
    shares = " ".join(f"{name} {share:+.3f}" for name, share in m.shares.items())
    return (
        f"{cell.model} {cell.rate:>6}/h {cell.size:>7} {cell.shape:6} {cell.turns:>2} x {cell.calls} "
        f"{'tools' if m.has_tools else '-':5} {m.choice or '-':7} {shares}"
    )


def measured_of(cells: Sequence[Cell]) -> Iterator[Measured]:
    """Each as it is done; tells on stderr how far it is."""
    began = told = time.monotonic()
    with Pool() as pool:
        for count, found in enumerate(pool.imap_unordered(measure, cells), 1):
            yield from found
            now = time.monotonic()
            if now - told >= PROGRESS_SECONDS or count == len(cells):
                told = now
                print(f"{count} of {len(cells)} cells, {now - began:.0f} s", file=sys.stderr, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--model", action="append", help="may be repeated; default: all five")
    parser.add_argument("--every-cell", action="store_true", help="a line for each cell, too, on stderr")
    parser.add_argument("--untuned", action="store_true", help="leave out tuning, which takes most of the time")
    parser.add_argument("--rate", type=int, action="append", help="conversations an hour; may be repeated")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--calls-per-cell", type=int, default=CALLS_PER_CELL)
    arguments = parser.parse_args()
    os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    models = tuple(arguments.model or MODELS)
    same = alike(models)
    print("| model | cells | known of the profile | worst | above +1% | mean |", "|---|---|---|---|---|---|", sep="\n")
    for model in dict.fromkeys(same.values()):
        cells = cells_of(
            [model],
            seed=arguments.seed,
            calls_per_cell=arguments.calls_per_cell,
            tunes=not arguments.untuned,
            rates=tuple(arguments.rate or RATES),
        )
        print(model, file=sys.stderr)
        measured = list(measured_of(cells))
        name = ", ".join(each for each, first in same.items() if first == model)
        print(*lines_of(name, measured), sep="\n", flush=True)
        if arguments.every_cell:
            print(*map(line_of, measured), sep="\n", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()

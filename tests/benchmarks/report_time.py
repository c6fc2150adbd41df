"""What ``prompt-router report`` costs beside plain polars: ``python -m tests.benchmarks.report_time [--records N]``.

Seeded records are written as a proxy writes them, and ``prompt-router ledger compact`` makes Parquet of them. Then in
interleaved rounds, each in a process of its own: the report on Parquet, the same figures by a query that a person
would write by hand (``plain_report``), both without intervals, and the report on JSON Lines. The figures of all are
compared cell by cell before anything is printed.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from tests.benchmarks.ledger_records import write_lines

SELECTIONS = 20_000
"""Scores are in them, so that few are alike."""
COMMAND = "from litellm_prompt_router.cli import main; main()"
WITHOUT_INTERVALS = (
    "from litellm_prompt_router.analysis.report import conversations, totals\n"
    "conversations.compare_both = lambda *_: (None, None)\n"
    "totals.net_interval = lambda *_, **__: None\n"
) + COMMAND
PLAIN = "tests.benchmarks.plain_report"


@dataclass(frozen=True, kw_only=True, slots=True)
class Cost:
    """Of one run, its processes together; ``peak_mb`` is of the greatest one."""

    seconds: float
    cpu_seconds: float
    peak_mb: float


@dataclass(kw_only=True, slots=True)
class Runner:
    """One way to the figures, and what its runs cost."""

    name: str
    arguments: Sequence[str]
    costs: list[Cost] = field(default_factory=list)
    found: Any = None

    def run(self) -> None:
        began = time.perf_counter()
        with tempfile.TemporaryFile() as output:
            process = subprocess.Popen([sys.executable, *self.arguments], stdout=output, stderr=subprocess.PIPE)
            assert process.stderr is not None
            told = process.stderr.read()
            _, status, used = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            if process.returncode:
                raise SystemExit(f"{self.name}: {told.decode()}")
            output.seek(0)
            self.found = json.load(output)
        cpu = used.ru_utime + used.ru_stime
        self.costs.append(Cost(seconds=time.perf_counter() - began, cpu_seconds=cpu, peak_mb=used.ru_maxrss / 1_000))

    def median(self, name: str) -> float:
        return float(statistics.median(getattr(cost, name) for cost in self.costs))


def made_ledgers(folder: Path, records: int) -> tuple[Path, Path]:
    """``(JSON Lines, Parquet)`` of the same records."""
    lines, parquet = folder / "ledger.jsonl", folder / "ledger.parquet"
    write_lines(lines, records, kinds=SELECTIONS)
    command = [sys.executable, "-c", COMMAND, "ledger", "compact", str(lines), "-o", str(parquet)]
    subprocess.run(command, check=True, capture_output=True)
    return lines, parquet


def differences(report: Mapping[str, Any], plain: Mapping[str, Any]) -> list[str]:
    """The cells that aren't the same in both, by name."""
    control = report["control"]
    cells: dict[str, tuple[Any, Any]] = {
        "cost": (report["cost_per_conversation_usd"], plain["cost"]),
        "decision": ([report["decision_p50_us"], report["decision_p99_us"]], plain["decision"]),
        "tunings": (len(report["tunings"]), plain["tunings"]),
        "missed_needs": ([list(each.values()) for each in report["missed_needs"]], plain["missed_needs"]),
        "arms": ({arm: control[arm] for arm in plain["arms"]}, plain["arms"]),
        "modules": ({use.pop("module"): use for use in map(dict, report["modules"])}, plain["modules"]),
        "timeline": (
            [side for step in report["timeline"] for side in (step["actual"], step["would"]) if side],
            [{name: step[name] for name in plain["actual"]} for step in plain["timeline"]],
        ),
    }
    for name in ("losses", "gains"):
        cells[name] = ([each["net_saved_usd"] for each in report[name]], plain[name])
    for name in ("since_seconds", "until_seconds", "actual", "would", "conversations", "loose_calls", "outcomes",
                 "passthroughs", "errors", "held_back", "net_unavailable"):  # fmt: skip
        cells[name] = (report[name], plain[name])
    for name in ("net_interval", "would_interval"):
        if name in plain:
            cells[name] = (report[name] and list(report[name].values()), plain[name])
    for name in ("per_conversation", "per_call"):
        if name in plain:
            saving = control[name]
            cells[name] = (saving and [saving["saved_usd"], *saving["interval"].values()], plain[name])
    return [f"{name}: {ours} and {plains}" for name, (ours, plains) in cells.items() if not _is_same(ours, plains)]


def _is_same(ours: Any, plain: Any) -> bool:
    """Money by its value, and unknown money, which a plain sum has as 0; floats but for rounding."""
    match ours, plain:
        case (dict(), dict()):
            return ours.keys() == plain.keys() and all(_is_same(ours[name], plain[name]) for name in ours)
        case (list(), list()):
            return len(ours) == len(plain) and all(map(_is_same, ours, plain))
        case (None, _):
            return plain is None or float(plain) == 0
        case ((str() | float()), (str() | float())):
            try:
                return math.isclose(float(ours), float(plain), rel_tol=1e-12)
            except ValueError:
                return bool(ours == plain)
    return bool(ours == plain)


def shown(runners: Sequence[Runner], records: int, sizes: Sequence[int]) -> None:
    table = Table(
        "", title=f"{records:,} records: {sizes[0] / 1e6:,.0f} MB of JSON Lines, {sizes[1] / 1e6:,.0f} MB of Parquet"
    )
    for name in ("CPU s", "s", "CPU of plain", "CPU of report, Parquet", "s of report, Parquet", "peak MB"):
        table.add_column(name, justify="right")
    report, plain = runners[0], runners[1]
    for each in runners:
        base = runners[3] if each is runners[2] else plain
        table.add_row(
            each.name,
            f"{each.median('cpu_seconds'):.2f}",
            f"{each.median('seconds'):.2f}",
            f"{each.median('cpu_seconds') / base.median('cpu_seconds'):.2f}x",
            f"{each.median('cpu_seconds') / report.median('cpu_seconds'):.2f}x",
            f"{each.median('seconds') / report.median('seconds'):.2f}x",
            f"{max(cost.peak_mb for cost in each.costs):,.0f}",
        )
    Console(width=140).print(table)


def run() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--ledgers", type=Path, metavar="FOLDER", help="keep the ledgers there, and use them again")
    stated = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, Progress(console=Console(stderr=True)) as progress:
        folder = stated.ledgers or Path(name)
        lines, parquet = folder / "ledger.jsonl", folder / "ledger.parquet"
        making = progress.add_task("making ledgers", total=1)
        if not parquet.exists():
            made_ledgers(folder, stated.records)
        progress.update(making, completed=1)
        runners = [
            Runner(name="report, Parquet", arguments=("-c", COMMAND, "report", str(parquet), "--json")),
            Runner(name="plain polars", arguments=("-m", PLAIN, str(parquet))),
            Runner(
                name="report, Parquet, no intervals",
                arguments=("-c", WITHOUT_INTERVALS, "report", str(parquet), "--json"),
            ),
            Runner(name="plain polars, no intervals", arguments=("-m", PLAIN, str(parquet), "--without-intervals")),
            Runner(name="report, JSON Lines", arguments=("-c", COMMAND, "report", str(lines), "--json")),
        ]
        rounds = progress.add_task("measuring", total=stated.rounds * len(runners))
        for _ in range(stated.rounds):
            for runner in runners:
                runner.run()
                progress.advance(rounds)
        sizes = [file.stat().st_size for file in (lines, parquet)]
    found = [
        *differences(runners[0].found, runners[1].found),
        *(
            f"{name}: JSON Lines differ from Parquet"
            for name, value in runners[0].found.items()
            if name != "read" and runners[4].found[name] != value
        ),
    ]
    for line in found:
        print(line)
    shown(runners, runners[0].found["actual"]["calls"] + runners[0].found["would"]["calls"], sizes)
    if found:
        raise SystemExit("the figures differ")
    print("the figures are the same in every cell")


if __name__ == "__main__":
    run()

"""A proxy of two workers under many requests: memory and latency by tenth of the run, and every record accounted for.

    python -m tests.benchmarks.soak [--requests 20000] [--mode rewrite] [--messages 10] [--at-once 16]

Ends with 1 where a request has no record in the ledger, or two, or one is of no request.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from litellm_prompt_router.files import bundled_profiles, load_profile
from litellm_prompt_router.profile.tokens import token_counter
from tests.benchmarks.growing_conversations import lanes, tasks_in
from tests.benchmarks.load import Load, next_batch, quantile, send
from tests.benchmarks.plain_provider import running_plain_provider
from tests.benchmarks.process_use import cpu_seconds, family, memory_mb
from tests.benchmarks.side_by_side import MODEL, MODES, NOOP, RunningVariant, end_cleanly_when_told, running_variants

LANES = 32
CHUNK = 200
TENTHS = 10
WORKERS = 2
WAIT_SECONDS = 60.0
WIDTH = 120


@dataclass(frozen=True, kw_only=True, slots=True)
class Tenth:
    """One part of the run."""

    requests: int
    p50_ms: float
    p99_ms: float
    requests_a_second: float
    cpu_ms: float
    memory_mb: tuple[float, ...]
    """Of each process, by its number."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Counted:
    """What the ledger has of the calls that were answered."""

    records: int
    missing: int
    doubled: int
    unasked: int

    @property
    def is_whole(self) -> bool:
        return not (self.missing or self.doubled or self.unasked)


def parts_of(requests: int) -> list[list[int]]:
    """The sizes of the batches of each tenth; they add up to all requests."""
    ends = [requests * tenth // TENTHS for tenth in range(TENTHS + 1)]
    sizes = [after - before for before, after in pairwise(ends)]
    return [[min(CHUNK, size - at) for at in range(0, size, CHUNK)] for size in sizes]


def counted(sent: Iterable[str], recorded: Iterable[str]) -> Counted:
    """How the answered calls and the records go together, by LiteLLM's ids of calls."""
    asked, found = Counter(sent), Counter(recorded)
    return Counted(
        records=found.total(),
        missing=(asked - found).total(),
        doubled=sum(number - asked[id] for id, number in found.items() if 0 < asked[id] < number),
        unasked=sum(number for id, number in found.items() if id not in asked),
    )


def recorded_ids(folder: Path) -> list[str]:
    """Of all ledger files in the folder, begun and full ones."""
    lines = (line for path in sorted(folder.glob("ledger*.jsonl")) for line in path.read_text("utf-8").splitlines())
    return [json.loads(line)["call_id"] for line in lines]


def waited_for(folder: Path, sent: Sequence[str], seconds: float = WAIT_SECONDS) -> Counted:
    """What the ledger has once it has all, or after so long."""
    deadline = time.monotonic() + seconds
    while True:
        found = counted(sent, recorded_ids(folder))
        if not found.missing or time.monotonic() > deadline:
            return found
        time.sleep(1.0)


def tenth_of(loads: Sequence[Load], cpu_used: float, pid: int) -> Tenth:
    seconds = sorted(each for load in loads for each in load.seconds)
    return Tenth(
        requests=len(seconds),
        p50_ms=1e3 * quantile(seconds, 0.5),
        p99_ms=1e3 * quantile(seconds, 0.99),
        requests_a_second=len(seconds) / sum(load.elapsed_seconds for load in loads),
        cpu_ms=1e3 * cpu_used / len(seconds),
        memory_mb=tuple(memory_mb(each) for each in family(pid)),
    )


def table_of(title: str, at_start: Sequence[float], tenths: Sequence[Tenth]) -> Table:
    table = Table("requests", "p50 ms", "p99 ms", "1/s", "CPU ms", "MB of each process", title=title)
    table.add_row("at start", "", "", "", "", " ".join(f"{each:.0f}" for each in at_start))
    done = 0
    for tenth in tenths:
        done += tenth.requests
        times = (tenth.p50_ms, tenth.p99_ms, tenth.requests_a_second, tenth.cpu_ms)
        memory = " ".join(f"{each:.0f}" for each in tenth.memory_mb)
        table.add_row(f"{done:,}", *(f"{each:.1f}" for each in times), memory)
    return table


def run(variant: RunningVariant, requests: int, messages: int, at_once: int, progress: Progress) -> tuple[str, ...]:
    """Sends all, prints the table, and gives the ids of the calls."""
    workbench = bundled_profiles() / "workbench"
    calls = lanes(load_profile(workbench, token_counter()), tasks_in(workbench), MODEL, LANES, messages)
    task = progress.add_task("requests", total=requests)
    at_start = [memory_mb(each) for each in family(variant.pid)]
    tenths: list[Tenth] = []
    sent: list[str] = []
    for sizes in parts_of(requests):
        before = cpu_seconds(variant.pid)
        loads = []
        for size in sizes:
            loads.append(send(variant.proxy.url, variant.proxy.master_key, next_batch(calls, size), at_once))
            sent += loads[-1].call_ids
            progress.advance(task, size)
        if loads:
            tenths.append(tenth_of(loads, cpu_seconds(variant.pid) - before, variant.pid))
    title = f"{variant.name}, {WORKERS} workers, {messages} messages, {at_once} at once"
    progress.console.print(table_of(title, at_start, tenths))
    return tuple(sent)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=20_000)
    parser.add_argument("--mode", choices=[NOOP, *MODES], default="rewrite")
    parser.add_argument("--messages", type=int, default=10, help="of a call, on average")
    parser.add_argument("--at-once", type=int, default=16)
    arguments = parser.parse_args()
    end_cleanly_when_told()
    console = Console(width=WIDTH)
    with (
        tempfile.TemporaryDirectory() as folder,
        running_plain_provider() as provider,
        running_variants([arguments.mode], Path(folder), provider, workers=WORKERS) as [variant],
    ):
        with Progress(console=console, transient=True) as progress:
            sent = run(variant, arguments.requests, arguments.messages, arguments.at_once, progress)
        if not variant.has_ledger:
            return
        found = waited_for(variant.folder, sent)
    missing = f"{found.missing} missing, {found.doubled} doubled, {found.unasked} of no request"
    console.print(f"{len(sent):,} answered, {found.records:,} records: {missing}", highlight=False)
    sys.exit(not found.is_whole)


if __name__ == "__main__":
    main()

"""What the callback costs a proxy: real proxies side by side, in interleaved rounds, as ratios to a no-op callback.

    python -m tests.benchmarks.proxy_cost [--messages 10] [--at-once 1] [--requests 300] [--rounds 5]

Six LiteLLM proxies of one worker each (no callback, a callback that does nothing, ours off, in shadow, rewriting, and
rewriting without ledger and GlitchTip) get the same calls of the workbench agent, whose conversations grow as agents'
do. Processor time is that of the proxy's processes alone, once what they do behind their answers is done, so that other
work on the machine doesn't decide; latency and requests a second are by the clock, and do suffer from it.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from litellm_prompt_router.files import bundled_profiles, load_profile
from litellm_prompt_router.profile.tokens import token_counter
from tests.benchmarks.growing_conversations import lanes, tasks_in
from tests.benchmarks.load import Batch, Load, next_batch, send
from tests.benchmarks.plain_provider import running_plain_provider
from tests.benchmarks.process_use import memory_mb, settled_cpu_seconds
from tests.benchmarks.side_by_side import MODEL, NOOP, VARIANTS, RunningVariant, end_cleanly_when_told, running_variants

LANES = 16
WIDTH = 130
WARM_UP = 4 * LANES


@dataclass(frozen=True, kw_only=True, slots=True)
class Measured:
    """One proxy in one round."""

    cpu_ms: float
    """Of one request."""
    p50_ms: float
    p99_ms: float
    requests_a_second: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Ratio:
    """The median over rounds of a ratio within each, with the least and the greatest."""

    median: float
    least: float
    greatest: float

    def __str__(self) -> str:
        return f"{self.median:.2f} ({self.least:.2f}-{self.greatest:.2f})"


FIELDS = ("cpu_ms", "p50_ms", "p99_ms", "requests_a_second")


def ratio(rounds: Sequence[Mapping[str, Measured]], name: str, field: str, base: str) -> Ratio:
    """Of one variant's measure to the base's in the same round."""
    found = [getattr(each[name], field) / getattr(each[base], field) for each in rounds]
    return Ratio(median=statistics.median(found), least=min(found), greatest=max(found))


def order_of(names: Sequence[str], round: int) -> list[str]:
    """Which proxy is measured when: each begins, and follows another one, in turn."""
    step = 1 if round % 2 == 0 else -1
    return [names[(round + step * place) % len(names)] for place in range(len(names))]


def measure(variant: RunningVariant, batch: Batch, at_once: int) -> Measured:
    before = settled_cpu_seconds(variant.pid)
    load: Load = send(variant.proxy.url, variant.proxy.master_key, batch, at_once)
    used = settled_cpu_seconds(variant.pid) - before
    return Measured(
        cpu_ms=1e3 * used / len(load.seconds),
        p50_ms=load.p50_ms,
        p99_ms=load.p99_ms,
        requests_a_second=load.requests_a_second,
    )


def table_of(title: str, rounds: Sequence[Mapping[str, Measured]], names: Sequence[str], base: str) -> Table:
    """Ratios of each variant to the base, and the milliseconds that they are of."""
    columns = ("proxy", "CPU a request", "ms", "p50", "ms", "p99", "ms", "requests/s", "1/s")
    table = Table(*columns, title=title, title_justify="left")
    for name in names:
        row = [name]
        for field in FIELDS:
            median = statistics.median(getattr(each[name], field) for each in rounds)
            row += [str(ratio(rounds, name, field, base)), f"{median:.1f}"]
        table.add_row(*row)
    return table


def outcomes(variant: RunningVariant) -> str:
    """What the ledger says became of the calls."""
    if not variant.ledger.exists():
        return "no ledger"
    records = map(json.loads, variant.ledger.read_text("utf-8").splitlines())
    counted = Counter(str(record.get("outcome")) + ", " + str(record.get("reason")) for record in records)
    return "; ".join(f"{number} {outcome}" for outcome, number in counted.most_common())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, nargs="+", default=[10], help="messages of a call on average")
    parser.add_argument("--at-once", type=int, nargs="+", default=[1], help="calls in flight, up to 16")
    parser.add_argument("--requests", type=int, default=300, help="to each proxy in each round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", nargs="+", choices=VARIANTS, default=list(VARIANTS), help="proxies to start")
    parser.add_argument("--json", type=Path, help="write every round's figures here")
    arguments = parser.parse_args()
    end_cleanly_when_told()
    names = arguments.only if NOOP in arguments.only else [NOOP, *arguments.only]
    workbench = bundled_profiles() / "workbench"
    profile, tasks = load_profile(workbench, token_counter()), tasks_in(workbench)
    settings = [(messages, at_once) for messages in arguments.messages for at_once in arguments.at_once]
    console = Console(width=WIDTH)
    written = []
    with (
        tempfile.TemporaryDirectory() as folder,
        running_plain_provider() as provider,
        Progress(console=console, transient=True) as progress,
    ):
        booting = progress.add_task("starting proxies", total=len(names))
        with running_variants(names, Path(folder), provider, began=lambda _: progress.advance(booting)) as variants:
            by_name = {variant.name: variant for variant in variants}
            at_start = {name: memory_mb(variant.pid) for name, variant in by_name.items()}
            for messages, at_once in settings:
                title = f"{messages} messages, {at_once} at once, {arguments.requests} requests a round"
                task = progress.add_task(title, total=len(names) * (arguments.rounds + 1))
                calls = lanes(profile, tasks, MODEL, LANES, messages)
                rounds: list[dict[str, Measured]] = []
                warm_up = next_batch(calls, WARM_UP)
                for name in names:
                    send(by_name[name].proxy.url, by_name[name].proxy.master_key, warm_up, at_once)
                    progress.advance(task)
                for number in range(arguments.rounds):
                    batch = next_batch(calls, arguments.requests)
                    measured = {}
                    for name in order_of(names, number):
                        measured[name] = measure(by_name[name], batch, at_once)
                        progress.advance(task)
                    rounds.append(measured)
                console.print(table_of(title, rounds, names, NOOP))
                for number, each in enumerate(rounds):
                    for name, one in each.items():
                        row = {"messages": messages, "at_once": at_once, "round": number, "proxy": name}
                        written.append(row | {field: getattr(one, field) for field in FIELDS})
            for name, variant in by_name.items():
                grown = f"{at_start[name]:.0f} MB at start, {memory_mb(variant.pid):.0f} at the end"
                console.print(f"{name}: {grown}; {outcomes(variant)}", highlight=False)
    if arguments.json is not None:
        arguments.json.write_text("".join(json.dumps(row) + "\n" for row in written))


if __name__ == "__main__":
    main()

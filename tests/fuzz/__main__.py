"""``python -m tests.fuzz``: a run over made cases, or over one that an earlier run wrote."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path

os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import click
from rich.console import Console
from rich.progress import Progress

from tests.fuzz.fuzz_case import read_case
from tests.fuzz.fuzz_run import FuzzFigures, fuzz, judged, write_failure
from tests.fuzz.hook_stand import hook_stand
from tests.fuzz.real_traffic import bodies_in

_console = Console(highlight=False, soft_wrap=True)


@click.command()
@click.option("--requests", default=10_000, show_default=True, help="How many.")
@click.option("--seed", default=1, show_default=True, help="The same seed gives the same requests.")
@click.option("--bodies", type=click.Path(exists=True, file_okay=False, path_type=Path), help="Traffic files to edit.")
@click.option("--max-seconds", default=3_600.0, show_default=True, help="Ends a run that takes longer.")
@click.option(
    "--failures",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("fuzz-failures"),
    show_default=True,
    help="Where what breaks a law is written, made small.",
)
@click.option("--replay", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Run one such file.")
def main(
    requests: int, seed: int, bodies: Path | None, max_seconds: float, failures: Path, replay: Path | None
) -> None:
    """Odd requests and odd answers through the hooks, judged by the laws. Exits with 1 where one is broken."""
    if replay is not None:
        _replay(replay)
        return
    captured = () if bodies is None else bodies_in(bodies)
    with Progress(console=Console(stderr=True)) as progress:
        task = progress.add_task(f"seed {seed}", total=requests)
        figures = fuzz(
            requests, seed, captured=captured, max_seconds=max_seconds, advance=lambda: progress.advance(task)
        )
    _show(figures)
    for number, (kind, (case, law)) in enumerate(figures.examples.items()):
        path = write_failure(failures, number, case, law)
        _console.print(f"{figures.broken[kind]:>7} {kind}\n        {path}", markup=False)
    sys.exit(1 if figures.broken else 0)


def _show(figures: FuzzFigures) -> None:
    _console.print(
        f"{figures.requests:,} requests in {figures.seconds:.0f} s, {sum(figures.broken.values()):,} failures of "
        f"{len(figures.broken)} kinds; the slowest hook took {figures.slowest_seconds:.2f} s "
        f"(request {figures.slowest_number})"
    )
    _console.print(json.dumps(dict(sorted(figures.outcomes.items())), indent=1), markup=False)


def _replay(path: Path) -> None:
    with hook_stand() as stand:
        broken, _ = asyncio.run(judged(stand, read_case(path)))
    for law in broken:
        _console.print(law, markup=False)
    _console.print(f"{len(broken)} laws broken")
    sys.exit(1 if broken else 0)


if __name__ == "__main__":
    main()

"""``prompt-router ledger``."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from litellm_prompt_router.cli.extras import require_extra
from litellm_prompt_router.cli.inputs import json_option
from litellm_prompt_router.cli.output import say, show_json
from litellm_prompt_router.documents.plurals import many

if TYPE_CHECKING:
    from litellm_prompt_router.analysis.report.ledger_files import LedgerTally


@click.group()
def ledger() -> None:
    """Look after ledger files."""


@ledger.command("compact", short_help="Turn JSON Lines into Parquet.")
@click.argument("paths", nargs=-1, required=True, metavar="PATHS...")
@click.option(
    "-o",
    "--output",
    "target",
    required=True,
    type=click.Path(path_type=Path),
    metavar="FILE|DIR",
    help="A new .parquet file, or a folder that gets a file for each UTC day.",
)
@click.option("--delete", "deletes", is_flag=True, help="Delete the sources once the result has been read back.")
@json_option
def compact_command(paths: tuple[str, ...], target: Path, deletes: bool, as_json: bool) -> None:
    """Write ledger files (.jsonl, .jsonl.gz; folders and patterns too) as Parquet, which `report` reads fast.

    Every field is kept, those of other versions in the column `extra`. Torn lines are counted. --delete keeps a
    file that has any, and one that is still being written. Needs the extra `report`.
    """
    require_extra("report", "polars", by="ledger compact")
    from litellm_prompt_router.analysis.report.compact import compact
    from litellm_prompt_router.analysis.report.ledger_files import ledger_files

    sources = [file for file in ledger_files(paths) if file.suffix != ".parquet"]
    done = compact(sources, target, is_folder=target.is_dir() or target.suffix != ".parquet", deletes=deletes)
    if as_json:
        show_json(
            {
                "files": [str(file) for file in done.files],
                "records": done.records,
                "source_bytes": done.source_bytes,
                "bytes": done.bytes,
                "deleted": [str(file) for file in done.deleted],
                "kept": list(done.kept),
                **asdict(done.tally),
            }
        )
        return
    say(f"{done.records:,} records of {done.tally.files:,} files in {len(done.files):,} Parquet files")
    say(f"{_megabytes(done.source_bytes)} -> {_megabytes(done.bytes)}")
    if deletes:
        say(f"deleted: {len(done.deleted):,} files, after reading the result back")
    for line in [*told(done.tally), *done.kept]:
        say(line, err=True)


def told(tally: LedgerTally) -> list[str]:
    """What was wrong with the files, a line each."""
    lines = [
        f"{file}: captured traffic, not a ledger: `prompt-router onboard` or `simulate` reads it"
        if tally.captured_in.get(file) == count
        else f"{file}: {many(count, 'damaged line')}, not counted"
        for file, count in tally.damaged_in.items()
    ]
    lines += [f"{file}: ends in the middle; what is there was read" for file in tally.cut]
    return lines + [f"{file}: left out, its compressed copy is beside it" for file in tally.skipped]


def _megabytes(size: int) -> str:
    return f"{size / 1e6:,.1f} MB"

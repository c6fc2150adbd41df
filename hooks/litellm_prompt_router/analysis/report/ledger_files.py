"""One lazy frame of ledger files of any kind. Lines that are no records are counted, not fatal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from litellm_prompt_router.analysis.ledger_lines import (
    PARQUET,
    LedgerTally,
    ledger_files,
    records_in,
    without_copies,
)
from litellm_prompt_router.analysis.report.columns import SCHEMA, frame_of
from litellm_prompt_router.analysis.report.line_batches import batches_in, garbage_kept
from litellm_prompt_router.documents.errors import ConfigurationError

__all__ = ["LedgerTally", "batches_in", "ledger_files", "records_in", "rows_in", "scan", "without_copies"]


def scan(files: Sequence[Path], tally: LedgerTally, names: Sequence[str], workplace: Path) -> pl.LazyFrame:
    """All records of the files as one lazy frame of these columns; JSON Lines go through ``workplace``."""
    parquet = [file for file in files if file.suffix == PARQUET]
    lines = [file for file in files if file.suffix != PARQUET]
    alike: dict[tuple[tuple[str, pl.DataType], ...], list[Path]] = {}
    for file in parquet:
        alike.setdefault(_schema_of(file), []).append(file)
    frames = [_scan_parquet(group, dict(schema), names) for schema, group in alike.items()]
    tally.files += len(parquet)
    parts: list[Path] = []
    with garbage_kept():
        for number, batch in enumerate(batches_in(without_copies(lines, tally), tally, names)):
            parts.append(workplace / f"{number:08}.parquet")
            batch.write_parquet(parts[-1], compression="lz4", statistics=False)
    if parts:
        frames.append(pl.scan_parquet(parts))
    return pl.concat(frames) if frames else frame_of([], names).lazy()


def _schema_of(file: Path) -> tuple[tuple[str, pl.DataType], ...]:
    try:
        there = pl.scan_parquet(file, glob=False).collect_schema()
    except (OSError, pl.exceptions.PolarsError):
        raise ConfigurationError([f"{file}: can't be read as Parquet; is the file whole?"]) from None
    if "request_id" not in there or "finished_seconds" not in there:
        raise ConfigurationError([f"{file}: not a ledger: it has no request_id and finished_seconds"])
    return tuple(there.items())


def _scan_parquet(alike: Sequence[Path], there: Mapping[str, pl.DataType], names: Sequence[str]) -> pl.LazyFrame:
    """Files of one schema in one scan: scans side by side would each read ahead, and take memory by their number."""
    return pl.scan_parquet(list(alike), glob=False).select(
        pl.lit(None, SCHEMA[name]).alias(name)
        if name not in there
        else pl.col(name)
        if there[name] == SCHEMA[name]
        else pl.col(name).cast(SCHEMA[name], strict=False)
        for name in names
    )


def rows_in(file: Path, names: Sequence[str]) -> Iterator[dict[str, Any]]:
    """The records of a Parquet file, with those columns of these names that it has. Raises ConfigurationError."""
    there = dict(_schema_of(file))
    columns = [name for name in names if name in there]
    frame = pl.scan_parquet(file, glob=False).select(columns)
    yield from frame.collect().iter_rows(named=True)

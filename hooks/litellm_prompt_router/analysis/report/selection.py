"""The records that a report is of: from which files, of which time and mode."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from litellm_prompt_router.analysis.report.frames import NAMES
from litellm_prompt_router.analysis.report.ledger_files import LedgerTally, ledger_files, scan
from litellm_prompt_router.analysis.report.spend_logs import read_spend_logs


def selected_records(
    paths: Sequence[str],
    spend_logs: Path | None,
    workplace: Path,
    *,
    since_seconds: float | None,
    until_seconds: float | None,
    mode: str | None,
) -> tuple[pl.LazyFrame, LedgerTally]:
    """The records as one lazy frame, which reads from ``workplace``. Raises ConfigurationError."""
    tally = LedgerTally()
    frames = [scan(ledger_files(paths), tally, NAMES, workplace)] if paths else []
    if spend_logs is not None:
        frames.append(read_spend_logs(spend_logs, tally).lazy().select(NAMES))
    records = pl.concat(frames)
    if since_seconds is not None:
        records = records.filter(pl.col("finished_seconds") >= since_seconds)
    if until_seconds is not None:
        records = records.filter(pl.col("finished_seconds") < until_seconds)
    return (records if mode is None else records.filter(pl.col("mode") == mode)), tally

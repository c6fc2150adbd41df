"""Ledger files -> one frame that is read in bounded memory."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from litellm_prompt_router.analysis.report.columns import SCHEMA, frame_of
from litellm_prompt_router.analysis.report.frames import NAMES
from litellm_prompt_router.analysis.report.ledger_files import LedgerTally, scan
from tests.analysis.report_records import made

FILES = 6


def scanned(files: list[Path], workplace: Path) -> pl.LazyFrame:
    return scan(files, LedgerTally(), NAMES, workplace)


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    """Parquet files of one call each, as ``ledger compact`` writes them; a pattern's characters are in their names."""
    found = []
    for number in range(FILES):
        found.append(tmp_path / f"[day]-{number}.parquet")
        frame_of([made(number, tools_chars=9_000).to_dict()]).write_parquet(found[-1])
    return found


def test_files_of_one_schema_are_one_scan(files: list[Path], tmp_path: Path) -> None:
    """Scans side by side read ahead each: forty of them took about four times the memory of one."""
    frame = scanned(files, tmp_path)
    assert frame.explain().count("Parquet SCAN") == 1
    assert frame.collect()["request_id"].to_list() == [f"r-{number}" for number in range(FILES)]


def test_files_of_several_versions_are_read_together(files: list[Path], tmp_path: Path) -> None:
    """One lacks a column and one has numbers where this version has text; each of the rest counts."""
    older = pl.read_parquet(files[1], glob=False).drop("tools_chars", "extra")
    older.write_parquet(files[1])
    other = pl.read_parquet(files[2], glob=False).with_columns(pl.lit(7).alias("team_id"))
    other.write_parquet(files[2])
    frame = scanned(files, tmp_path)
    assert frame.explain().count("Parquet SCAN") == 3
    found = frame.collect().sort("request_id")
    assert found.schema == pl.Schema({name: SCHEMA[name] for name in NAMES})
    assert found["request_id"].to_list() == [f"r-{number}" for number in range(FILES)]
    assert found["tools_chars"].is_null().to_list() == [number == 1 for number in range(FILES)]
    assert found["team_id"][2] == "7"

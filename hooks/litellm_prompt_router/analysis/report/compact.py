"""Ledger files of JSON Lines compacted into Parquet, with nothing lost.

Rows are written in parts first and joined as a stream, so no file has to fit into memory. Sources are deleted only
after the result has been read back and found to hold the same rows.
"""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from litellm_prompt_router.analysis.report.columns import SCHEMA
from litellm_prompt_router.analysis.report.ledger_files import LedgerTally, batches_in, without_copies
from litellm_prompt_router.documents.errors import ConfigurationError

ROW_GROUP = 100_000
_WORD = 1 << 64


@dataclass(frozen=True, kw_only=True, slots=True)
class Compacted:
    """``kept``: sources that weren't deleted though they were to be, each with the reason."""

    files: tuple[Path, ...]
    records: int
    tally: LedgerTally
    source_bytes: int
    bytes: int
    deleted: tuple[Path, ...]
    kept: tuple[str, ...]


def compact(sources: Sequence[Path], target: Path, *, is_folder: bool, deletes: bool) -> Compacted:
    """Writes one file, or with ``is_folder`` one for each UTC day. Raises ConfigurationError."""
    tally = LedgerTally()
    plain = without_copies(sources, tally)
    folder = target if is_folder else target.parent
    if not is_folder and target.exists():
        raise ConfigurationError([f"{target}: is there already; name another file or a folder"])
    folder.mkdir(parents=True, exist_ok=True)
    sizes = {file: file.stat().st_size for file in plain}
    with tempfile.TemporaryDirectory(dir=folder, prefix=".compact-") as name:
        parts, digest, records = _parts(batches_in(plain, tally), Path(name))
        if not parts:
            raise ConfigurationError(["no records in these files; nothing was written"])
        drafts = _joined(parts, Path(name), target, is_folder=is_folder)
        if _digest_of(drafts) != (digest, records):
            raise ConfigurationError([f"{target}: what was written doesn't read back as it was; check the disk"])
        for draft, final in drafts.items():
            _settle(draft, final)
    deleted, kept = _deleted(plain, sizes, tally) if deletes else ((), ())
    written = tuple(drafts.values())
    return Compacted(
        files=written,
        records=records,
        tally=tally,
        source_bytes=sum(sizes.values()),
        bytes=sum(file.stat().st_size for file in written),
        deleted=tuple(deleted),
        kept=tuple(kept),
    )


def _parts(batches: Iterable[pl.DataFrame], folder: Path) -> tuple[list[Path], int, int]:
    files: list[Path] = []
    digest = records = 0
    for batch in batches:
        files.append(folder / f"part-{len(files):06}.parquet")
        batch.write_parquet(files[-1], compression="lz4", statistics=False)
        digest = (digest + _digest(batch)) % _WORD
        records += batch.height
    return files, digest, records


def _joined(parts: list[Path], folder: Path, target: Path, *, is_folder: bool) -> dict[Path, Path]:
    """Drafts and the names that they will have."""
    whole = pl.scan_parquet(parts)
    if not is_folder:
        draft = folder / "whole.parquet"
        whole.sink_parquet(draft, row_group_size=ROW_GROUP)
        return {draft: target}
    day = (pl.col("finished_seconds") // 86_400).cast(pl.Int32, strict=False)
    days = whole.select(day.alias("day").unique()).collect(engine="streaming")["day"].sort().to_list()
    drafts = {}
    for number in days:
        stem = pl.Series([number]).cast(pl.Date).dt.strftime("%Y%m%d")[0]
        draft = folder / f"{stem}.parquet"
        whole.filter(day == number).sink_parquet(draft, row_group_size=ROW_GROUP)
        drafts[draft] = target / f"prompt_router.{stem}.{os.urandom(4).hex()}.parquet"
    return drafts


def _digest(frame: pl.DataFrame) -> int:
    """The same for the same rows in any order."""
    return int(sum(frame.hash_rows(seed=1).to_list())) % _WORD


def _digest_of(files: Iterable[Path]) -> tuple[int, int]:
    digest = records = 0
    for file in files:
        lazy = pl.scan_parquet(file)
        rows = int(lazy.select(pl.len()).collect().item())
        for start in range(0, rows, ROW_GROUP):
            digest += _digest(lazy.slice(start, ROW_GROUP).collect().select(*SCHEMA))
        records += rows
    return digest % _WORD, records


def _settle(draft: Path, final: Path) -> None:
    with draft.open("rb") as file:
        os.fsync(file.fileno())
    draft.rename(final)


def _deleted(sources: Iterable[Path], sizes: dict[Path, int], tally: LedgerTally) -> tuple[list[Path], list[str]]:
    deleted: list[Path] = []
    kept: list[str] = []
    for file in sources:
        if str(file) in tally.damaged_in or str(file) in tally.cut:
            kept.append(f"{file}: kept, it has damaged lines")
            continue
        with file.open("rb") as source:
            fcntl.flock(source, fcntl.LOCK_EX)  # writers append under it
            if os.fstat(source.fileno()).st_size != sizes[file]:
                kept.append(f"{file}: kept, it was written to meanwhile")
                continue
            file.unlink()
        deleted.append(file)
    return deleted, kept

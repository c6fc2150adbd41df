"""One lazy frame of ledger files of any kind. Lines that are no records are counted, not fatal."""

from __future__ import annotations

import glob
import gzip
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, cast

import orjson
import polars as pl

from litellm_prompt_router.analysis.report.columns import SCHEMA, frame_of, is_record
from litellm_prompt_router.documents.errors import ConfigurationError

BATCH_LINES = 20_000
SUFFIXES = (".jsonl", ".ndjson", ".json", ".gz", ".parquet")


@dataclass(kw_only=True, slots=True)
class LedgerTally:
    """What was read: ``damaged`` lines are torn or no records; ``cut`` files end in the middle."""

    files: int = 0
    lines: int = 0
    damaged: int = 0
    damaged_in: dict[str, int] = field(default_factory=dict)
    captured_in: dict[str, int] = field(default_factory=dict)
    """Of the damaged, by file: calls of captured traffic, which no ledger holds."""
    cut: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    """Files whose records are in another one of those given."""


def ledger_files(stated: Sequence[str]) -> tuple[Path, ...]:
    """The files that paths, folders and patterns name, each once. Raises ConfigurationError with every problem."""
    found: dict[Path, None] = {}
    problems: list[str] = []
    for text in stated:
        path = Path(text)
        if path.is_dir():
            inside = [file for file in sorted(path.iterdir()) if file.name.endswith(SUFFIXES) and file.is_file()]
            if not inside:
                problems.append(f"{text}: no ledger files in this folder; they end in .jsonl, .jsonl.gz or .parquet")
            found.update(dict.fromkeys(inside))
        elif path.is_file():
            found[path] = None
        else:
            # A pattern takes what a crash may have left beside the ledger as little as a folder does.
            names = sorted(glob.glob(text, recursive=True))  # noqa: PTH207  (Path.glob takes no absolute pattern)
            inside = [Path(name) for name in names if name.endswith(SUFFIXES) and Path(name).is_file()]
            if not inside:
                problems.append(f"{text}: no such file; check the path")
            found.update(dict.fromkeys(inside))
    if problems:
        raise ConfigurationError(problems)
    return tuple(found)


def without_copies(files: Iterable[Path], tally: LedgerTally) -> tuple[Path, ...]:
    """Of a file and its compressed copy, which a crash can leave side by side, only the copy."""
    given = tuple(files)
    names = {str(file) for file in given}
    kept = tuple(file for file in given if f"{file}.gz" not in names)
    tally.skipped.extend(str(file) for file in given if f"{file}.gz" in names)
    return kept


def records_in(file: Path, tally: LedgerTally) -> Iterator[dict[str, Any]]:
    """The file's records. Raises ConfigurationError if it can't be opened."""
    tally.files += 1
    for line in _lines(file, tally):
        if line.isspace():
            continue
        tally.lines += 1
        try:
            document = orjson.loads(line)
        except orjson.JSONDecodeError:
            document = None
        if is_record(document):
            yield document
        else:
            tally.damaged += 1
            tally.damaged_in[str(file)] = tally.damaged_in.get(str(file), 0) + 1
            if isinstance(document, dict) and isinstance(document.get("request"), dict):
                tally.captured_in[str(file)] = tally.captured_in.get(str(file), 0) + 1


def batches_in(
    files: Iterable[Path], tally: LedgerTally, names: Iterable[str] = tuple(SCHEMA)
) -> Iterator[pl.DataFrame]:
    """The records of JSON Lines files as frames of bounded size."""
    wanted = tuple(names)
    batch: list[dict[str, Any]] = []
    for file in files:
        for record in records_in(file, tally):
            batch.append(record)
            if len(batch) == BATCH_LINES:
                yield frame_of(batch, wanted)
                batch.clear()
    if batch:
        yield frame_of(batch, wanted)


def scan(files: Sequence[Path], tally: LedgerTally, names: Sequence[str], workplace: Path) -> pl.LazyFrame:
    """All records of the files as one lazy frame of these columns; JSON Lines go through ``workplace``."""
    parquet = [file for file in files if file.suffix == ".parquet"]
    lines = [file for file in files if file.suffix != ".parquet"]
    alike: dict[tuple[tuple[str, pl.DataType], ...], list[Path]] = {}
    for file in parquet:
        alike.setdefault(_schema_of(file), []).append(file)
    frames = [_scan_parquet(group, dict(schema), names) for schema, group in alike.items()]
    tally.files += len(parquet)
    parts: list[Path] = []
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


def _lines(file: Path, tally: LedgerTally) -> Iterator[bytes]:
    try:
        with _opened(file) as lines:
            yield from lines
    except (EOFError, gzip.BadGzipFile, zlib.error):
        tally.cut.append(str(file))
    except OSError as error:
        raise ConfigurationError([f"{file}: can't be read ({error.strerror}); check the path"]) from None


def _opened(file: Path) -> IO[bytes]:
    if file.suffix == ".gz":
        return cast(IO[bytes], gzip.open(file, "rb"))
    return file.open("rb")

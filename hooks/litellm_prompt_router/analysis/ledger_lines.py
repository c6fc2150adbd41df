"""Ledger files found by path, folder and pattern, and their lines as records. Needs no extra."""

from __future__ import annotations

import glob
import gzip
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, cast

import orjson

from litellm_prompt_router.documents.errors import ConfigurationError

SUFFIXES = (".jsonl", ".ndjson", ".json", ".gz", ".parquet")
PARQUET = ".parquet"
READ_BYTES = 1 << 18
LAST_SECONDS = 253_402_300_800
"""The year 10000, which no date holds any more: a record of then is damaged."""


def is_record(document: object) -> bool:
    """True for what can be counted: an object with an id and a time, of the years 1970 to 9999."""
    if not isinstance(document, dict):
        return False
    at = document.get("finished_seconds")
    if isinstance(at, bool) or not isinstance(at, (int, float)):
        return False
    return isinstance(document.get("request_id"), str) and 0 <= at < LAST_SECONDS


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
    for line in lines_in(file, tally):
        record = record_of(line, file, tally)
        if record is not None:
            yield record


def record_of(line: bytes, file: Path, tally: LedgerTally) -> dict[str, Any] | None:
    """The line's record; None for a blank line, and for a damaged one, which is counted as such."""
    if line.isspace():
        return None
    tally.lines += 1
    try:
        document = orjson.loads(line)
    except orjson.JSONDecodeError:
        document = None
    if is_record(document):
        return cast(dict[str, Any], document)
    tally.damaged += 1
    tally.damaged_in[str(file)] = tally.damaged_in.get(str(file), 0) + 1
    if isinstance(document, dict) and isinstance(document.get("request"), dict):
        tally.captured_in[str(file)] = tally.captured_in.get(str(file), 0) + 1
    return None


def lines_in(file: Path, tally: LedgerTally) -> Iterator[bytes]:
    """The file's lines, as far as they can be read. Raises ConfigurationError if it can't be opened."""
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
    return file.open("rb", buffering=READ_BYTES)

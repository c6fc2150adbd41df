"""JSON Lines files -> frames of bounded size.

Nearly all of the time goes into parsing. Of a line only the values asked for are kept, and of few lines at once, so
that they stay in the processor's cache.
"""

from __future__ import annotations

import gc
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from operator import itemgetter
from pathlib import Path
from typing import Any

import orjson
import polars as pl

from litellm_prompt_router.analysis.ledger_lines import LAST_SECONDS, LedgerTally, lines_in, record_of, records_in
from litellm_prompt_router.analysis.report.columns import EXTRA, SCHEMA, frame_of, frame_of_rows, with_money

BATCH_LINES = 20_000
ROWS_AT_ONCE = 2_000
_FIRST = ("request_id", "finished_seconds")
"""By which a record is known."""


def batches_in(
    files: Iterable[Path], tally: LedgerTally, names: Iterable[str] = tuple(SCHEMA)
) -> Iterator[pl.DataFrame]:
    """The files' records, with these columns."""
    wanted = tuple(names)
    return _whole_batches(files, tally, wanted) if EXTRA in wanted else _picked_batches(files, tally, wanted)


def _whole_batches(files: Iterable[Path], tally: LedgerTally, names: tuple[str, ...]) -> Iterator[pl.DataFrame]:
    """With what no column holds, for which a record is needed whole."""
    batch: list[dict[str, Any]] = []
    for file in files:
        for record in records_in(file, tally):
            batch.append(record)
            if len(batch) == BATCH_LINES:
                yield frame_of(batch, names)
                batch.clear()
    if batch:
        yield frame_of(batch, names)


def _picked_batches(files: Iterable[Path], tally: LedgerTally, names: tuple[str, ...]) -> Iterator[pl.DataFrame]:
    order = (*_FIRST, *(name for name in names if name not in _FIRST))
    frames: list[pl.DataFrame] = []
    for file in files:
        for rows in _rows_in(file, tally, order):
            frames.append(frame_of_rows(rows, order))
            if len(frames) * ROWS_AT_ONCE >= BATCH_LINES:
                yield with_money(pl.concat(frames)).select(names)
                frames.clear()
    if frames:
        yield with_money(pl.concat(frames)).select(names)


def _rows_in(file: Path, tally: LedgerTally, order: tuple[str, ...]) -> Iterator[list[tuple[Any, ...]]]:
    """The records' values of these names, of which the first two are _FIRST; what a record lacks is None."""
    tally.files += 1
    pick = itemgetter(*order)
    rows: list[tuple[Any, ...]] = []
    for line in lines_in(file, tally):
        row = None
        try:
            document = orjson.loads(line)
            row = pick(document)
        except KeyError:  # of a version that has fewer fields
            row = tuple([document.get(name) for name in order])
        except (orjson.JSONDecodeError, TypeError):
            pass
        if row is not None and type(row[0]) is str and type(row[1]) is float and 0 <= row[1] < LAST_SECONDS:
            tally.lines += 1
        else:  # blank, damaged, or with a time in whole seconds
            record = record_of(line, file, tally)
            if record is None:
                continue
            row = tuple([record.get(name) for name in order])
        rows.append(row)
        if len(rows) == ROWS_AT_ONCE:
            yield rows
            rows = []
    if rows:
        yield rows


@contextmanager
def garbage_kept() -> Iterator[None]:
    """No search for circular garbage meanwhile: parsed records are many objects and have none."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()

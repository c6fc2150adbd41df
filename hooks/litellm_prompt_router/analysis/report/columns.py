"""Ledger records as columns: the types that Parquet files have, and rows put into them.

Whatever doesn't fit its column, and fields that this version doesn't know, are kept as JSON in ``extra``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import orjson
import polars as pl

from litellm_prompt_router.record.ledger_schema import LEDGER_FIELDS, FieldType

MONEY = pl.Decimal(38, 18)
"""Sums of it are exact. Records have 12 digits behind the point."""
EXTRA = "extra"
MODULES = "modules"
"""Its list of objects is JSON text: equal selections are equal texts, which Parquet stores once."""
_TYPES: Mapping[FieldType, Any] = {
    "text": pl.String,
    "integer": pl.Int64,
    "number": pl.Float64,
    "boolean": pl.Boolean,
    "money": MONEY,
    "texts": pl.List(pl.String),
    "modules": pl.String,
}
COLUMNS: Mapping[str, Any] = {field.name: _TYPES[field.type] for field in LEDGER_FIELDS}
"""The ledger's fields, in its order."""
SCHEMA: Mapping[str, Any] = {**COLUMNS, EXTRA: pl.String}
_EXACT = r"^[+-]?[0-9]{1,20}(\.[0-9]{1,18})?([eE][+-]?[0-9])?$"


def frame_of(records: Sequence[Mapping[str, Any]], names: Iterable[str] = tuple(SCHEMA)) -> pl.DataFrame:
    """The records' columns of these names, each of its type; ``extra`` holds what would be lost."""
    wanted = tuple(names)
    misfits: dict[int, dict[str, Any]] = {}
    columns = [_column(name, [each.get(name) for each in records], misfits) for name in wanted if name != EXTRA]
    if EXTRA in wanted:
        for index, record in enumerate(records):
            unknown = record.keys() - COLUMNS.keys()
            if unknown:
                misfits.setdefault(index, {}).update({name: record[name] for name in sorted(unknown)})
        texts = [_json(misfits[index]) if index in misfits else None for index in range(len(records))]
        columns.append(pl.Series(EXTRA, texts, dtype=pl.String))
    return pl.DataFrame(columns)


def frame_of_rows(rows: Sequence[Sequence[Any]], names: Sequence[str]) -> pl.DataFrame:
    """Records that are given by their values of these names, without ``extra``; money is text yet.

    What doesn't fit is null.
    """
    columns = zip(names, zip(*rows, strict=True), strict=True)
    return pl.DataFrame(
        [_texts(name, values) if SCHEMA[name] == MONEY else _column(name, values, {}) for name, values in columns]
    )


def with_money(frame: pl.DataFrame) -> pl.DataFrame:
    """The frame's texts of money as money; what is none is null."""
    texts = [pl.col(name) for name in frame.columns if SCHEMA[name] == MONEY]
    return frame.with_columns(
        pl.when(text.str.contains(_EXACT)).then(text).cast(MONEY, strict=False).name.keep() for text in texts
    )


def _column(name: str, values: Sequence[Any], misfits: dict[int, dict[str, Any]]) -> pl.Series:
    dtype = SCHEMA[name]
    if name == MODULES:
        return pl.Series(
            name, [None if value is None else orjson.dumps(value).decode() for value in values], dtype=pl.String
        )
    if dtype == MONEY:
        return _money(name, values, misfits)
    try:
        return pl.Series(name, values, dtype=dtype, strict=True)
    except (TypeError, OverflowError, ValueError, pl.exceptions.PolarsError):
        kept: list[Any] = []
        for index, value in enumerate(values):
            fits = value is None or _fits(name, value)
            kept.append(value if fits else None)
            if not fits:
                misfits.setdefault(index, {})[name] = value
        return pl.Series(name, kept, dtype=dtype, strict=True)


def _money(name: str, values: Sequence[Any], misfits: dict[int, dict[str, Any]]) -> pl.Series:
    money = with_money(pl.DataFrame([_texts(name, values)]))[name]
    if money.null_count() != values.count(None):
        for index in money.is_null().arg_true():
            if values[index] is not None:
                misfits.setdefault(index, {})[name] = values[index]
    return money


def _texts(name: str, values: Sequence[Any]) -> pl.Series:
    """What isn't text is null."""
    try:
        return pl.Series(name, values, dtype=pl.String, strict=True)
    except (TypeError, OverflowError, ValueError, pl.exceptions.PolarsError):
        return pl.Series(name, [value if isinstance(value, str) else None for value in values], dtype=pl.String)


def _fits(name: str, value: object) -> bool:
    try:
        pl.Series(name, [value], dtype=SCHEMA[name], strict=True)
    except (TypeError, OverflowError, ValueError, pl.exceptions.PolarsError):
        return False
    return True


def _json(value: object) -> str:
    return orjson.dumps(value).decode()

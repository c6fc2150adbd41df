"""Every field of a ledger line with its type, derived from the classes that hold it: see ``record``."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import Field, dataclass, fields, replace
from decimal import Decimal
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from litellm_prompt_router.record.history_state import HistoryState
from litellm_prompt_router.record.record import (
    HISTORY,
    LEDGER_ONLY_KEY,
    USAGE_BUCKETS,
    USAGE_PREFIXES,
    Caller,
    Facts,
    Record,
)
from litellm_prompt_router.request.types import Evidence

FieldType = Literal["text", "integer", "number", "boolean", "money", "texts", "modules"]
MONEY_SUFFIX = "_usd"
"""Ends the names of money, which is exact decimal text."""
_TYPES: dict[Any, FieldType] = {
    str: "text",
    int: "integer",
    float: "number",
    bool: "boolean",
    Decimal: "money",
    tuple[str, ...]: "texts",
    tuple[Evidence, ...]: "modules",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class LedgerField:
    """One field of a ledger line, which may be null in any. ``in_summary``: LiteLLM's spend logs get it too."""

    name: str
    type: FieldType
    in_summary: bool = True


def _ledger_fields() -> Iterator[LedgerField]:
    """In the order of ``Record.to_dict``."""
    yield from (_ledger_field(Caller, each) for each in fields(Caller))
    yield from (_ledger_field(Facts, each) for each in fields(Facts) if each.name != "caller")
    yield LedgerField(name="late_modules", type="texts")
    yield LedgerField(name="module_count", type="integer")
    for each in fields(Record):
        if each.name in USAGE_PREFIXES:
            in_summary = not each.metadata.get(LEDGER_ONLY_KEY)
            for bucket in USAGE_BUCKETS:
                name = USAGE_PREFIXES[each.name] + bucket
                yield LedgerField(name=name, type="integer", in_summary=in_summary)
        elif each.name == HISTORY:
            for told in fields(HistoryState):
                yield replace(_ledger_field(HistoryState, told), in_summary=False)
        elif each.name != "facts":
            yield _ledger_field(Record, each)


def _ledger_field(owner: type, of: Field[Any]) -> LedgerField:
    """Raises TypeError on a type that no column can have."""
    stated = get_type_hints(owner)[of.name]
    is_union = get_origin(stated) in (Union, UnionType)
    options = [option for option in (get_args(stated) if is_union else (stated,)) if option is not NoneType]
    if len(options) > 1 or (options[0] not in _TYPES and get_origin(options[0]) is not Literal):
        raise TypeError(f"{owner.__name__}.{of.name}: {stated} is no type of a ledger field")
    of_type = "money" if of.name.endswith(MONEY_SUFFIX) else _TYPES.get(options[0], "text")
    return LedgerField(name=of.name, type=of_type, in_summary=not of.metadata.get(LEDGER_ONLY_KEY))


LEDGER_FIELDS: tuple[LedgerField, ...] = tuple(_ledger_fields())

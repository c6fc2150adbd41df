"""The finished facts of one request, as every sink receives them, and what follows from them.

``Facts`` are known when the request leaves. ``Record`` adds what the response brought. What a request counts as (off,
a side call, a gain) is a property here; sinks only format.

A field is named once, in its class. It is then a field of the ledger line of the same name, a column of Parquet files
(``ledger_schema``) and part of the summary in LiteLLM's spend logs, unless it is marked ``LEDGER_ONLY``.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from decimal import Decimal
from functools import lru_cache
from itertools import groupby
from operator import attrgetter
from typing import Any, Literal

from litellm_prompt_router.cache_model.usage import Usage
from litellm_prompt_router.record.history_state import HistoryState
from litellm_prompt_router.record.request_facts import (
    LEDGER_ONLY,
    LEDGER_ONLY_KEY,
    SIDE_CALLS,
    UNREVIEWED,
    Arm,
    Caller,
    Facts,
    OutcomeName,
    RoutingOutcome,
    told_modules,
)
from litellm_prompt_router.request.types import Evidence

__all__ = [
    "LEDGER_ONLY",
    "LEDGER_ONLY_KEY",
    "SIDE_CALLS",
    "UNREVIEWED",
    "Arm",
    "Caller",
    "Facts",
    "OutcomeName",
    "Record",
    "RoutingOutcome",
]

NetDirection = Literal["gain", "loss", "zero"]
MODELLED, ASSUMED = "modelled", "assumed"
"""How ``estimated_net_saved_method`` begins: by cache rules that the provider publishes, or by cautious ones."""
REFUSALS = frozenset({"BadRequestError", "UnprocessableEntityError", "UnsupportedParamsError"})
"""LiteLLM's exceptions for a body that the provider won't take (litellm/exceptions.py, 1.106)."""
FROM_RESPONSE_CACHE = "answered from the response cache"
PROMPT_SIZE_EDGES = (5_000, 10_000, 20_000, 50_000, 100_000, 200_000, 500_000)
"""Characters of system text at which sinks part small prompts from large ones."""
USAGE_BUCKETS = tuple(bucket.name for bucket in fields(Usage))
USAGE_PREFIXES: Mapping[str, str] = {"usage": "", "counterfactual": "counterfactual_"}
"""The fields of a record that hold token usage, and how the names of their buckets begin in the ledger."""

HISTORY = "history"
"""The field of a record that holds what is told of its messages."""
HISTORY_NAMES = tuple(each.name for each in fields(HistoryState))


@dataclass(frozen=True, kw_only=True, slots=True)
class Record:
    """One finished request. Unknown is None with the reason beside it, never 0."""

    facts: Facts
    finished_seconds: float
    """Unix seconds."""
    status: Literal["success", "failure"]
    error_type: str | None = field(metadata=LEDGER_ONLY)
    model: str | None
    """The deployment's model, as the provider knows it."""
    provider: str | None
    usage: Usage | None
    usage_reason: str | None
    billed_usd: Decimal | None
    billed_reason: str | None
    response_cached: bool
    """True when LiteLLM answered from its own response cache."""
    deployment_id: str | None = None
    service_tier: str | None = None
    priced_usd: Decimal | None = None
    """The usage at the deployment's prices by our own arithmetic, to check ``billed_usd`` with."""
    priced_reason: str | None = field(default=None, metadata=LEDGER_ONLY)
    counterfactual: Usage | None = field(default=None, metadata=LEDGER_ONLY)
    """What the same call would have used with the original prompt, by the model of the provider's cache."""
    counterfactual_usd: Decimal | None = None
    estimated_net_saved_usd: Decimal | None = None
    """``counterfactual_usd`` less the bill and less the routing model's, signed; None with the reason."""
    estimated_net_saved_reason: str | None = None
    estimated_net_saved_method: str | None = None
    """How it was found. Estimates begin with MODELLED or ASSUMED."""
    routing_model_call_count: int | None = None
    """Calls to routing models that this request caused, hedges included; None where it could cause none."""
    routing_model_input_tokens: int | None = None
    routing_model_output_tokens: int | None = None
    routing_model_usd: Decimal | None = None
    """What they cost, those whose answer came too late included; no part of ``billed_usd``. None with the reason."""
    routing_model_usd_reason: str | None = None
    history: HistoryState | None = field(default=None, metadata=LEDGER_ONLY)
    """Its fields stand in the ledger under their own names; None where accounting had no part in the request."""

    @property
    def is_failure(self) -> bool:
        return self.status == "failure"

    @property
    def is_refused_rewrite(self) -> bool:
        """True where the provider wouldn't take the body that we wrote: that may be our doing."""
        return self.is_failure and self.facts.is_rewritten and self.error_type in REFUSALS

    @property
    def counts_as_net(self) -> bool:
        """False in shadow mode, whose figures are of what didn't happen: they are never added to the others."""
        return not self.facts.is_shadow

    @property
    def net_saved_usd(self) -> Decimal | None:
        """The estimated net saving that counts, signed; None where it is unknown or shadow mode's."""
        return self.estimated_net_saved_usd if self.counts_as_net else None

    @property
    def net_direction(self) -> NetDirection | None:
        """The estimated net saving in a word, which can be counted; None where it is unknown."""
        net = self.estimated_net_saved_usd
        return None if net is None else "gain" if net > 0 else "loss" if net < 0 else "zero"

    @property
    def model_or_group(self) -> str | None:
        """The deployment's model, or the group that was asked for where none answered."""
        return self.model or self.facts.caller.model_group

    def to_json(self) -> str:
        """One ledger line, without the newline, in ASCII."""
        line = _as_json(self.line_with(None))
        # Calls of a conversation mostly have the same modules. No text holds these quotation marks unescaped.
        return line.replace('"modules": null', f'"modules": {_modules_as_json(self.facts.modules)}', 1)

    def to_dict(self) -> dict[str, Any]:
        """The record flat, in plain JSON types. Money is exact decimal text."""
        return self.line_with(told_modules(self.facts.modules))

    def line_with(self, modules: object) -> dict[str, Any]:
        """``to_dict`` with something in the place of its modules."""
        line = self.facts.line_with(modules)
        if self.response_cached:
            line |= _WHERE_CACHED
        for names, values in _LINE_PARTS:
            line.update(zip(names, values(self), strict=True))
        return _with_money_as_text(line, _MONEY_NAMES)


def line_reader(*names: str) -> Callable[[Record], dict[str, Any]]:
    """Reads these fields of a record's line, as ``to_dict`` has them, without making the others.

    Fields of the caller, the facts and the record, and the usage's buckets. Raises KeyError for another.
    """
    places = (
        *((each.name, f"facts.caller.{each.name}") for each in fields(Caller)),
        *((each.name, f"facts.{each.name}") for each in fields(Facts)),
        *((each.name, each.name) for each in fields(Record)),
    )
    known = dict(places) | {bucket: f"usage.{bucket}" for bucket in USAGE_BUCKETS}
    unknown = known | dict.fromkeys(USAGE_BUCKETS, "usage")  # where that is None, so are they
    with_usage, without_usage = (attrgetter(*[each[name] for name in names]) for each in (known, unknown))
    money_names = tuple(name for name in names if name in _MONEY_NAMES)

    def read(record: Record) -> dict[str, Any]:
        values = without_usage if record.usage is None else with_usage
        found = dict(zip(names, values(record), strict=True))
        if record.response_cached:
            found |= {name: value for name, value in _WHERE_CACHED.items() if name in found}
        return _with_money_as_text(found, money_names)

    return read


def _with_money_as_text(line: dict[str, Any], names: Iterable[str]) -> dict[str, Any]:
    for name in names:
        if (value := line[name]) is not None:
            line[name] = format(value, "f")
    return line


_as_json = json.JSONEncoder(allow_nan=False).encode


@lru_cache(maxsize=256)
def _modules_as_json(modules: tuple[Evidence, ...]) -> str:
    return _as_json(told_modules(modules))


_LinePart = tuple[tuple[str, ...], Callable[[Record], tuple[Any, ...]]]
"""Names that stand beside each other in a line, and their values in a record."""


def _line_parts() -> Iterator[_LinePart]:
    """In the order of the fields: those of a record by their names, those of a field's own fields in its place."""
    names = [each.name for each in fields(Record) if each.name != "facts"]
    for is_flat, group in groupby(names, key=lambda name: name != HISTORY and name not in USAGE_PREFIXES):
        if is_flat:
            beside = tuple(group)
            yield beside, attrgetter(*beside) if len(beside) > 1 else _alone(attrgetter(*beside))
        else:
            yield from (_inner_part(name) for name in group)


def _inner_part(name: str) -> _LinePart:
    inner = HISTORY_NAMES if name == HISTORY else USAGE_BUCKETS
    value_of, inner_values = attrgetter(name), attrgetter(*inner)
    unknown = (None,) * len(inner)

    def values(record: Record) -> tuple[Any, ...]:
        value = value_of(record)
        return unknown if value is None else inner_values(value)

    return tuple(USAGE_PREFIXES.get(name, "") + each for each in inner), values


def _alone(value_of: Callable[[Record], Any]) -> Callable[[Record], tuple[Any, ...]]:
    return lambda record: (value_of(record),)


_WHERE_CACHED: Mapping[str, Any] = {"list_price_saved_usd": None, "list_price_saved_reason": FROM_RESPONSE_CACHE}
_LINE_PARTS = tuple(_line_parts())
_MONEY_NAMES = tuple(each.name for each in fields(Record) if each.name.endswith("_usd"))

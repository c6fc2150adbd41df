"""The finished facts of one request, as every sink receives them, and what follows from them.

``Facts`` are known when the request leaves. ``Record`` adds what the response brought. What a request counts as (off,
a side call, a gain) is a property here; sinks only format.

A field is named once, in its class. It is then a field of the ledger line of the same name, a column of Parquet files
(``ledger_schema``) and part of the summary in LiteLLM's spend logs, unless it is marked ``LEDGER_ONLY``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from decimal import Decimal
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
)

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
        return json.dumps(self.to_dict(), allow_nan=False)

    def to_dict(self) -> dict[str, Any]:
        """The record flat, in plain JSON types. Money is exact decimal text."""
        line = self.facts.to_dict()
        if self.response_cached:
            line |= {"list_price_saved_usd": None, "list_price_saved_reason": FROM_RESPONSE_CACHE}
        for name in _RECORD_NAMES:
            value = getattr(self, name)
            if name == HISTORY:
                line |= {each: getattr(value, each, None) for each in HISTORY_NAMES}
            elif name in USAGE_PREFIXES:
                line |= {USAGE_PREFIXES[name] + bucket: getattr(value, bucket, None) for bucket in USAGE_BUCKETS}
            else:
                line[name] = format(value, "f") if isinstance(value, Decimal) else value
        return line


_RECORD_NAMES = tuple(each.name for each in fields(Record) if each.name != "facts")

"""What asking a routing model cost one request, and a record with that in it.

Only the request that asked bears the bill: those that found an answer, or waited for another's, cost nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal

from litellm_prompt_router.record.record import Record

QUESTION_KEY = "prompt_router_question"
"""In the ``spend_logs_metadata`` of a question's own call: of which request it is."""
FAILED_METHOD = "the request failed; its routing bill"
NO_BILL = "unavailable: the routing model's bill"


@dataclass(frozen=True, kw_only=True, slots=True)
class QuestionsBill:
    """The calls to routing models that one request caused. ``usd`` is what is known of their price."""

    calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    usd: Decimal = Decimal(0)
    unknown_calls: int = 0
    """Calls whose price isn't known: LiteLLM has none for the model, or no answer came."""


NO_ROUTING_BILL = QuestionsBill()


def with_routing_bill(record: Record, bill: QuestionsBill | None) -> Record:
    """The record with what asking cost, which its net figure bears as well; None: it asked nobody.

    Takes a record without such a bill: one that has it already is not to be charged twice.
    """
    if record.facts.routing_model is None:
        return record
    bill = bill or NO_ROUTING_BILL
    record = replace(
        record,
        routing_model_call_count=bill.calls,
        routing_model_input_tokens=bill.input_tokens,
        routing_model_output_tokens=bill.output_tokens,
        routing_model_usd=None if bill.unknown_calls else bill.usd,
        routing_model_usd_reason=f"unknown of {bill.unknown_calls} of {bill.calls}" if bill.unknown_calls else None,
    )
    if not bill.calls:
        return record
    net = record.estimated_net_saved_usd
    if bill.unknown_calls:
        if net is None:
            return record
        return replace(
            record,
            estimated_net_saved_usd=None,
            estimated_net_saved_reason=NO_BILL,
            estimated_net_saved_method=None,
        )
    if net is not None:
        return replace(record, estimated_net_saved_usd=net - bill.usd)
    if record.is_failure:
        return replace(record, estimated_net_saved_usd=-bill.usd, estimated_net_saved_method=FAILED_METHOD)
    return record

"""The bills of questions to routing models, until they are in the record of the request that asked.

An answer may come after its request was answered: then the record waits for it, for at most as long as a call to such a
model may take. So every bill is in one record, and in no other. For one thread, LiteLLM's.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from decimal import Decimal

from litellm_prompt_router.process_memory.bounded import register_memory
from litellm_prompt_router.record.record import Record
from litellm_prompt_router.record.routing_bill import QuestionsBill, with_routing_bill

MAX_OPEN = 10_000
"""Requests whose record isn't out yet; a proxy that never tells what became of them can't fill the memory."""


@dataclass(kw_only=True, slots=True)
class _OpenBill:
    bill: QuestionsBill = field(default_factory=QuestionsBill)
    pending: int = 0
    waiting: Record | None = None
    """Its request's record, finished but for this."""


class RoutingBills:
    """``submit`` is given each record once, with all that its request's questions cost."""

    def __init__(self, submit: Callable[[Record], None]) -> None:
        self._submit = submit
        self._open: OrderedDict[str, _OpenBill] = OrderedDict()
        register_memory(self, "open routing bills", MAX_OPEN, lambda it: len(it._open))

    def begin(self, request_id: str) -> None:
        """A call goes out for this request. ``settle`` must follow, once."""
        found = self._open.setdefault(request_id, _OpenBill())
        found.pending += 1
        found.bill = replace(found.bill, calls=found.bill.calls + 1)
        while len(self._open) > MAX_OPEN:
            _, oldest = self._open.popitem(last=False)
            if oldest.waiting is not None:
                self._submit(with_routing_bill(oldest.waiting, _as_far_as_known(oldest)))

    def settle(self, request_id: str, *, input_tokens: int, output_tokens: int, usd: Decimal | None) -> None:
        """What a call used and cost; None where nobody knows."""
        found = self._open.get(request_id)
        if found is None:
            return
        bill = found.bill
        found.pending -= 1
        found.bill = replace(
            bill,
            input_tokens=bill.input_tokens + input_tokens,
            output_tokens=bill.output_tokens + output_tokens,
            usd=bill.usd + (usd or 0),
            unknown_calls=bill.unknown_calls + (usd is None),
        )
        if found.waiting is not None and not found.pending:
            del self._open[request_id]
            self._submit(with_routing_bill(found.waiting, found.bill))

    def so_far(self, request_id: str) -> QuestionsBill | None:
        """What this request's questions cost as far as it is known by now; None where it asked nothing."""
        found = self._open.get(request_id)
        return None if found is None else _as_far_as_known(found)

    def finish(self, record: Record) -> None:
        """Submits a record, now or when the last answer that its request asked for is there."""
        request_id = record.facts.caller.request_id
        found = self._open.get(request_id)
        if found is not None and found.pending and found.waiting is None:
            found.waiting = record
            return
        if found is not None and found.waiting is None:
            del self._open[request_id]
            self._submit(with_routing_bill(record, found.bill))
        else:
            self._submit(with_routing_bill(record, None))

    def close(self) -> None:
        """Submits what waits; of calls that are still out nothing is known."""
        waiting = [each for each in self._open.values() if each.waiting is not None]
        self._open.clear()
        for each in waiting:
            if each.waiting is not None:
                self._submit(with_routing_bill(each.waiting, _as_far_as_known(each)))


def _as_far_as_known(found: _OpenBill) -> QuestionsBill:
    return replace(found.bill, unknown_calls=found.bill.unknown_calls + found.pending)

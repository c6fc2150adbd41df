"""Estimates beside what would have been billed: the same calls once more, left as they came, on the same clock."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

from litellm_prompt_router.analysis.simulate import RecordedCall
from tests.accounting.driving import Driver, Endpoint, Lane, driving
from tests.emulators.caching import EmulatedCache
from tests.emulators.providers import model_list
from tests.emulators.upstream import Upstream

LONG_CALLS = 5
"""Conversations with more calls are compared one by one."""
CLEAR_SHARE = Decimal("0.01")
"""Of the bill: what a conversation saves or loses is clear beyond it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Compared:
    """One call: the record of the rewritten one, and what the one that was left alone was billed."""

    group: str
    conversation: str
    record: Mapping[str, Any]
    left: Mapping[str, Any]
    """The record of the one that was left alone."""

    @property
    def left_usd(self) -> Decimal:
        return Decimal(self.left["billed_usd"])

    @property
    def estimated_usd(self) -> Decimal | None:
        saved = self.record["estimated_net_saved_usd"]
        return None if saved is None else Decimal(saved)

    @property
    def true_usd(self) -> Decimal:
        return self.left_usd - Decimal(self.record["billed_usd"])


async def compared(
    folder: Path,
    lanes: Mapping[str, Sequence[RecordedCall]],
    *,
    caching: EmulatedCache | None = None,
    settings: Mapping[str, Any] | None = None,
    endpoint: Endpoint = "acompletion",
    models: Callable[[str], list[dict[str, Any]]] = model_list,
    prepare: Callable[[Driver], object] = lambda _: None,
) -> list[Compared]:
    """Every call of every group under both. Groups share no cache, so their clocks run on their own.

    ``models``: LiteLLM's model list by the upstream's address; ``prepare`` sees each driver before its first call.
    """
    ledgers = [
        await _ledger(folder / mode, lanes, mode, caching, settings or {}, endpoint, models, prepare)
        for mode in ("rewrite", "off")
    ]
    calls = [(group, call) for group, of_group in lanes.items() for call in of_group]
    unpriced = {group for (group, _), left in zip(calls, ledgers[1], strict=True) if left["billed_usd"] is None}
    assert not unpriced, f"groups without a price: {sorted(unpriced)}"
    return [
        Compared(group=group, conversation=call.conversation, record=record, left=left)
        for (group, call), record, left in zip(calls, *ledgers, strict=True)
    ]


async def _ledger(
    folder: Path,
    lanes: Mapping[str, Sequence[RecordedCall]],
    mode: str,
    caching: EmulatedCache | None,
    settings: Any,
    endpoint: Endpoint,
    models: Callable[[str], list[dict[str, Any]]],
    prepare: Callable[[Driver], object],
) -> list[dict[str, Any]]:
    with Upstream() as upstream, driving(folder, models(upstream.url), upstream, settings=settings) as driver:
        if caching is not None:
            caching.clear()
            upstream.caching = caching
        prepare(driver)
        for group, calls in lanes.items():
            await driver.run(Lane(group=group, calls=calls, mode=mode, endpoint=endpoint))
        assert not str(driver.hook._dispatcher.failures())
        return driver.records()


class Sums(NamedTuple):
    """Of one call, or of one conversation."""

    estimated_usd: Decimal
    true_usd: Decimal
    billed_usd: Decimal


@dataclass(frozen=True, kw_only=True, slots=True)
class Accuracy:
    """``off_share``: of the sum; ``worst_share``: of any long conversation; ``signs_share``: of calls, that agree.

    ``worst_usd`` and ``worst_bill_share`` are of any long conversation, too: a share of a saving near zero tells
    little. ``clear_signs_share`` is of conversations whose true saving is more than a hundredth of their bill.
    """

    calls: int
    unknown: int
    estimated_usd: Decimal
    true_usd: Decimal
    worst_share: float
    worst_usd: Decimal
    worst_bill_share: float
    signs_share: float
    clear_signs_share: float
    clear_conversations: int
    long_conversations: int

    @property
    def off_share(self) -> float:
        return float(abs(self.estimated_usd - self.true_usd) / abs(self.true_usd)) if self.true_usd else 0.0


def accuracy_of(calls: Sequence[Compared]) -> Accuracy:
    known = [(call, call.estimated_usd) for call in calls]
    pairs = [(call, estimate) for call, estimate in known if estimate is not None]
    conversations: dict[tuple[str, str], list[Sums]] = {}
    for call, estimate in pairs:
        sums = Sums(estimate, call.true_usd, Decimal(call.record["billed_usd"]))
        conversations.setdefault((call.group, call.conversation), []).append(sums)
    totals = {
        name: Sums(*(sum(column, Decimal(0)) for column in zip(*of, strict=True))) for name, of in conversations.items()
    }
    long = [totals[name] for name, of in conversations.items() if len(of) > LONG_CALLS]
    clear = [of for of in totals.values() if abs(of.true_usd) > CLEAR_SHARE * of.billed_usd]
    return Accuracy(
        calls=len(calls),
        unknown=len(calls) - len(pairs),
        estimated_usd=sum((estimate for _, estimate in pairs), Decimal(0)),
        true_usd=sum((call.true_usd for call, _ in pairs), Decimal(0)),
        worst_share=max(map(_off, long), default=0.0),
        worst_usd=max((abs(of.estimated_usd - of.true_usd) for of in long), default=Decimal(0)),
        worst_bill_share=max((float(abs(of.estimated_usd - of.true_usd) / of.billed_usd) for of in long), default=0.0),
        clear_signs_share=sum(_sign(of.estimated_usd) == _sign(of.true_usd) for of in clear) / max(1, len(clear)),
        clear_conversations=len(clear),
        signs_share=sum(_sign(estimate) == _sign(call.true_usd) for call, estimate in pairs) / len(pairs),
        long_conversations=len(long),
    )


def _off(of: Sums) -> float:
    if not of.true_usd:
        return float(of.estimated_usd != 0)
    return float(abs(of.estimated_usd - of.true_usd) / abs(of.true_usd))


def _sign(usd: Decimal) -> int:
    return (usd > 0) - (usd < 0)

"""Calls of a chaos run, what clients saw of them, and which have a record."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tests.benchmarks.chaos_stage import GONE, REFUSED

LAST_SECOND = 1.0
TAKEN_OVER_SECONDS = 5.0
"""A change of the policy file is in force after two seconds, and a call that began before that may take some more."""
EXPECTED: Mapping[str, int] = {REFUSED: 400}


@dataclass(kw_only=True, slots=True)
class Call:
    """One call and what came of it."""

    number: int
    kind: str
    status: int | None = None
    call_id: str | None = None
    at: float = 0.0
    has_outcome: bool = False
    """Its headers say what was decided on it."""
    detail: str = ""
    retried: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Judged:
    """What the run comes to."""

    ours: tuple[Call, ...]
    billed: int
    """Answers that the provider gave."""
    unheard: int
    """Of these, to calls that no client saw end in a 200."""
    recorded: int
    """Records of answered calls, in the ledger and in its overflow file."""
    missing: tuple[Call, ...]
    """Answered with a 200, by an id that no record has, though nothing was stopped."""
    stopped: int
    """Answered with a 200 while `stop` was set: such calls are counted by the worker, and have no record."""
    last_second: int
    """Of these, answered within the last second before a worker was killed."""
    doubled: int
    torn: int

    @property
    def is_good(self) -> bool:
        return not self.ours and len(self.missing) <= self.last_second and not self.doubled and not self.torn


def judged(
    calls: Iterable[Call],
    records: Sequence[Mapping[str, Any]],
    torn: int,
    *,
    killed_at: Sequence[float],
    billed: Mapping[int, int],
    stopped: Sequence[tuple[float, float]] = (),
) -> Judged:
    """``killed_at``: when workers were killed; ``billed``: the provider's answers by the number of the call.

    ``stopped``: from when to when `stop` was set.
    """
    calls = tuple(calls)
    recorded = Counter(record["call_id"] for record in records if record["status"] == "success")
    whole = [call for call in calls if call.status == 200 and call.call_id is not None]
    without = [call for call in whole if call.call_id not in recorded]
    passed = {id(call) for call in without if not call.has_outcome and _is_within(call.at, stopped)}
    missing = tuple(call for call in without if id(call) not in passed)
    answers = sum(billed.values())
    return Judged(
        ours=tuple(call for call in calls if call.kind != GONE and call.status != EXPECTED.get(call.kind, 200)),
        billed=answers,
        unheard=answers - len(whole),
        recorded=recorded.total(),
        missing=missing,
        stopped=len(passed),
        last_second=sum(any(0 <= at - call.at <= LAST_SECOND for at in killed_at) for call in missing),
        doubled=sum(number - 1 for number in recorded.values()),
        torn=torn,
    )


def _is_within(moment: float, spans: Sequence[tuple[float, float]]) -> bool:
    return any(since <= moment <= until + TAKEN_OVER_SECONDS for since, until in spans)

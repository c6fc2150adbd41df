"""Finished records -> what somebody should be woken for. Pure: the clock is passed in; for one thread.

Each watch gathers what it needs and is judged at the end of a window. One that has too few samples by then goes
on into the next window, so that a quiet worker is judged too, only later. Memory is bounded by the constants
below and by ``net_loss_conversations``.
"""

from __future__ import annotations

import math
from collections import Counter, OrderedDict, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Literal

from litellm_prompt_router.policy.settings import AlertSettings
from litellm_prompt_router.record.record import Record

AlertName = Literal["error_rate", "failure_rate", "decision_time", "net_loss", "coverage_drift", "losses"]

TITLES: Mapping[AlertName, str] = {
    "error_rate": "Alert: error rate",
    "failure_rate": "Alert: requests fail",
    "decision_time": "Alert: decisions are slow",
    "net_loss": "Alert: rewriting loses money",
    "coverage_drift": "Alert: coverage drift",
    "losses": "Alert: events or records lost",
}
MAX_DECISIONS = 10_000
MAX_PROFILES = 100
MAX_TYPES = 20


@dataclass(frozen=True, kw_only=True, slots=True)
class Alert:
    """One reason to look. ``figures`` are plain JSON; ``profile`` where it is one profile's."""

    name: AlertName
    summary: str
    figures: Mapping[str, Any]
    profile: str | None = None

    @property
    def title(self) -> str:
        return TITLES[self.name]


@dataclass(kw_only=True, slots=True)
class _Requests:
    """``faults`` may be more than requests: drift of one, headers of another."""

    total: int = 0
    faults: int = 0
    refused: int = 0
    failed: int = 0
    types: Counter[str] = field(default_factory=Counter)


@dataclass(kw_only=True, slots=True)
class _Coverage:
    total: int = 0
    drifted: int = 0
    summed: float = 0.0
    version: str | None = None


class AlertWatch:
    """Gathers records and faults until ``close`` judges them. ``now`` is a clock's reading in seconds."""

    def __init__(self, settings: AlertSettings, now: float) -> None:
        self._settings = settings
        self._began = now
        self._errors, self._failures = _Requests(), _Requests()
        self._decisions: deque[int] = deque(maxlen=MAX_DECISIONS)
        self._conversations: OrderedDict[str, Decimal] = OrderedDict()
        self._has_new_net = False
        self._profiles: dict[str, _Coverage] = {}
        self._lost: Mapping[str, int] = {}

    def add(self, record: Record) -> None:
        """Takes a finished request; one that is off is none of ours."""
        facts = record.facts
        if facts.is_off:
            return
        self._count(record)
        if facts.computing_us is not None:
            self._decisions.append(facts.computing_us)
        self._add_net(record)
        if facts.profile is not None and (facts.profile in self._profiles or len(self._profiles) < MAX_PROFILES):
            coverage = self._profiles.setdefault(facts.profile, _Coverage())
            coverage.total += 1
            coverage.drifted += facts.is_drift
            coverage.summed += facts.coverage or 0.0
            coverage.version = facts.profile_version

    def add_fault(self) -> None:
        """Takes a fault in our own code."""
        self._errors.faults += 1

    def close(self, now: float, lost: Mapping[str, int]) -> tuple[Alert, ...]:
        """What the window that ends gives reason for. ``lost`` counts, by place, what was lost since the start."""
        alerts = (
            *self._error_rate(),
            *self._failure_rate(),
            *self._decision_time(),
            *self._net_loss(),
            *self._drift(),
            *self._losses(lost),
        )
        seconds = round(now - self._began)
        self._began = now
        return tuple(
            Alert(
                name=alert.name,
                summary=alert.summary,
                figures={**alert.figures, "window_seconds": seconds},
                profile=alert.profile,
            )
            for alert in alerts
        )

    def _count(self, record: Record) -> None:
        for requests in (self._errors, self._failures):
            requests.total += 1
            requests.refused += record.is_refused_rewrite
            requests.failed += record.is_failure
            kind = record.error_type or "unknown"
            if record.is_failure and (kind in requests.types or len(requests.types) < MAX_TYPES):
                requests.types[kind] += 1

    def _add_net(self, record: Record) -> None:
        net, limit = record.net_saved_usd, self._settings.net_loss_conversations
        if net is None or limit is None:
            return
        conversation = record.facts.caller.conversation_or_request
        self._conversations[conversation] = self._conversations.get(conversation, Decimal(0)) + net
        self._conversations.move_to_end(conversation)
        if len(self._conversations) > limit:
            self._conversations.popitem(last=False)
        self._has_new_net = True

    def _error_rate(self) -> Iterable[Alert]:
        requests = self._errors
        if requests.total < self._settings.minimum_requests:
            return
        self._errors = _Requests()
        rate = (requests.faults + requests.refused) / requests.total
        limit = self._settings.error_rate
        if limit is not None and rate > limit:
            figures = {
                "rate": round(rate, 6),
                "limit": limit,
                "requests": requests.total,
                "faults_of_ours": requests.faults,
                "rewritten_and_refused": requests.refused,
            }
            yield Alert(name="error_rate", summary=f"Error rate {rate:.2%}, limit {limit:.2%}", figures=figures)

    def _failure_rate(self) -> Iterable[Alert]:
        requests = self._failures
        if requests.total < self._settings.minimum_requests:
            return
        self._failures = _Requests()
        rate = requests.failed / requests.total
        limit = self._settings.failure_rate
        if limit is not None and rate > limit:
            figures = {
                "rate": round(rate, 6),
                "limit": limit,
                "requests": requests.total,
                "failed": requests.failed,
                "by_type": dict(requests.types.most_common()),
            }
            yield Alert(
                name="failure_rate", summary=f"{rate:.2%} of requests failed, limit {limit:.2%}", figures=figures
            )

    def _decision_time(self) -> Iterable[Alert]:
        if len(self._decisions) < self._settings.minimum_requests:
            return
        ordered = sorted(self._decisions)
        self._decisions.clear()
        limit = self._settings.decision_p99_us
        p99 = _quantile(ordered, 0.99)
        if limit is not None and p99 > limit:
            figures = {
                "p50_us": _quantile(ordered, 0.5),
                "p99_us": p99,
                "max_us": ordered[-1],
                "limit_us": limit,
                "decisions": len(ordered),
            }
            yield Alert(name="decision_time", summary=f"Decision p99 {p99} us, limit {limit} us", figures=figures)

    def _net_loss(self) -> Iterable[Alert]:
        limit = self._settings.net_loss_conversations
        if limit is None or len(self._conversations) < limit or not self._has_new_net:
            return
        self._has_new_net = False
        total = sum(self._conversations.values(), Decimal(0))
        if total < 0:
            figures = {
                "estimated_net_saved_usd": format(total, "f"),
                "conversations": len(self._conversations),
                "conversations_at_a_loss": sum(net < 0 for net in self._conversations.values()),
            }
            summary = f"{-total:f} USD lost over {len(self._conversations)} conversations"
            yield Alert(name="net_loss", summary=summary, figures=figures)

    def _drift(self) -> Iterable[Alert]:
        limit = self._settings.drift_rate
        for profile, coverage in list(self._profiles.items()):
            if coverage.total < self._settings.minimum_requests:
                continue
            del self._profiles[profile]
            rate = coverage.drifted / coverage.total
            if limit is not None and rate > limit:
                figures = {
                    "profile": profile,
                    "profile_version": coverage.version,
                    "rate": round(rate, 6),
                    "limit": limit,
                    "requests": coverage.total,
                    "drifted": coverage.drifted,
                    "mean_coverage": round(coverage.summed / coverage.total, 4),
                }
                summary = f"{rate:.1%} of prompts have drifted from {profile}, limit {limit:.1%}"
                yield Alert(name="coverage_drift", summary=summary, figures=figures, profile=profile)

    def _losses(self, lost: Mapping[str, int]) -> Iterable[Alert]:
        more = {place: count - self._lost.get(place, 0) for place, count in lost.items()}
        more = {place: count for place, count in more.items() if count > 0}
        self._lost = dict(lost)
        if self._settings.losses and more:
            summary = f"{sum(more.values())} events or records lost"
            yield Alert(name="losses", summary=summary, figures={"lost": more, "lost_since_start": self._lost})


def _quantile(ordered: list[int], share: float) -> int:
    """The nearest rank."""
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]

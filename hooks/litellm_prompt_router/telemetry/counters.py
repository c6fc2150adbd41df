"""Finished records -> counts since the start of this process, bounded whatever keys and reasons come. Pure."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from litellm_prompt_router.process_memory.bounded import register_memory
from litellm_prompt_router.record.record import Record

MAX_KEYS = 500
MAX_NAMES = 100
MAX_ERRORS = 20
MAX_TEXT_CHARS = 500
OTHER = "(other)"


@dataclass(kw_only=True, slots=True)
class _KeyCounts:
    """``mode`` and ``policy`` are the latest request's."""

    mode: str = ""
    policy: str | None = None
    profile: str | None = None
    outcomes: Counter[str] = field(default_factory=Counter)
    failures: int = 0
    net_saved_usd: Decimal = Decimal(0)
    net_known: int = 0


class Counters:
    """Counts records by what became of them, and keeps the last errors. Written by one thread, read by any."""

    def __init__(self) -> None:
        self._requests = 0
        self._by: dict[str, Counter[str]] = {name: Counter() for name in ("outcome", "mode", "status", "reason")}
        self._held: Counter[str] = Counter()
        self._keys: dict[str | None, _KeyCounts] = {}
        register_memory(self, "keys counted", MAX_KEYS + 1, lambda it: len(it._keys))
        self._billed_usd = Decimal(0)
        self._net_saved_usd = Decimal(0)
        self._net_known = 0
        self._routing: Counter[str] = Counter()
        self._routing_calls = 0
        self._routing_usd = Decimal(0)
        self._errors: deque[dict[str, Any]] = deque(maxlen=MAX_ERRORS)
        self._alerts: Counter[str] = Counter()

    def add(self, record: Record) -> None:
        """Counts a finished request."""
        facts = record.facts
        self._requests += 1
        for name, value in (("outcome", facts.outcome), ("mode", facts.mode), ("status", record.status)):
            self._by[name][value] += 1
        if facts.reason is not None:
            reasons = self._by["reason"]
            reasons[facts.reason if facts.reason in reasons or len(reasons) < MAX_NAMES else OTHER] += 1
        if facts.is_held_back:
            profile = str(facts.profile)
            self._held[profile if profile in self._held or len(self._held) < MAX_NAMES else OTHER] += 1
        self._billed_usd += record.billed_usd or 0
        if facts.routing_model_outcome is not None:
            self._routing[facts.routing_model_outcome] += 1
        self._routing_calls += record.routing_model_call_count or 0
        self._routing_usd += record.routing_model_usd or 0
        key = self._key(facts.caller.key_alias)
        key.mode, key.policy, key.profile = facts.mode, facts.policy, facts.profile or key.profile
        key.outcomes[facts.outcome] += 1
        key.failures += record.is_failure
        if record.net_saved_usd is not None:
            self._net_saved_usd += record.net_saved_usd
            self._net_known += 1
            key.net_saved_usd += record.net_saved_usd
            key.net_known += 1

    def add_error(self, kind: str, text: str, at_seconds: float) -> None:
        """Keeps an error of which nothing is secret; ``at_seconds`` are Unix seconds."""
        self._errors.append({"at_seconds": at_seconds, "kind": kind, "text": text[:MAX_TEXT_CHARS]})

    def add_alert(self, name: str, summary: str, at_seconds: float) -> None:
        """Counts an alert; it is an error too."""
        self._alerts[name] += 1
        self.add_error("alert", summary, at_seconds)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types. Money is decimal text; the net figure is null while it is known of no request."""
        return {
            "requests": self._requests,
            **{f"by_{name}": dict(counts) for name, counts in self._by.items()},
            "held_as_unreviewed": dict(self._held),
            "billed_usd": format(self._billed_usd, "f"),
            **_net(self._net_saved_usd, self._net_known),
            "routing_model": {
                "by_outcome": dict(self._routing),
                "calls": self._routing_calls,
                "usd": format(self._routing_usd, "f"),
            },
            "alerts": dict(self._alerts),
        }

    def keys(self) -> list[dict[str, Any]]:
        """Each key alias seen, null for keys without one; ``(other)`` stands for those beyond the limit."""
        return [
            {
                "key_alias": alias,
                "mode": key.mode,
                "policy": key.policy,
                "profile": key.profile,
                "by_outcome": dict(key.outcomes),
                "failures": key.failures,
                **_net(key.net_saved_usd, key.net_known),
            }
            for alias, key in list(self._keys.items())
        ]

    def errors(self) -> list[dict[str, Any]]:
        """The last errors, latest first."""
        return list(self._errors)[::-1]

    def _key(self, alias: str | None) -> _KeyCounts:
        if alias not in self._keys and len(self._keys) >= MAX_KEYS:
            alias = OTHER
        return self._keys.setdefault(alias, _KeyCounts())


def _net(net_saved_usd: Decimal, known: int) -> dict[str, Any]:
    return {
        "estimated_net_saved_usd": format(net_saved_usd, "f") if known else None,
        "estimated_net_saved_requests": known,
    }

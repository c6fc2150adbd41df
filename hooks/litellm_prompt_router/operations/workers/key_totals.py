"""What became of each key's requests, over all workers. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from litellm_prompt_router.operations.workers.read_status import KeySeen, WorkerStatus


@dataclass(frozen=True, kw_only=True, slots=True)
class KeyTotal:
    """``modes`` and ``policies``: of the key's latest request in each worker. ``net_saved_usd``: None while unknown."""

    key_alias: str | None
    modes: tuple[str, ...]
    policies: tuple[str, ...]
    outcomes: Mapping[str, int]
    net_saved_usd: Decimal | None


def totals_by_key(statuses: Iterable[WorkerStatus]) -> tuple[KeyTotal, ...]:
    """By alias, requests without one first."""
    seen: dict[str | None, list[KeySeen]] = {}
    for status in statuses:
        for key in status.keys:
            seen.setdefault(key.key_alias, []).append(key)
    return tuple(_total(alias, seen[alias]) for alias in sorted(seen, key=lambda alias: alias or ""))


def _total(alias: str | None, keys: list[KeySeen]) -> KeyTotal:
    known = [key.estimated_net_saved_usd for key in keys if key.estimated_net_saved_usd is not None]
    outcomes: Counter[str] = Counter()
    for key in keys:
        outcomes.update(key.by_outcome)
    return KeyTotal(
        key_alias=alias,
        modes=tuple(sorted({key.mode for key in keys})),
        policies=tuple(sorted({key.policy for key in keys if key.policy is not None})),
        outcomes=outcomes,
        net_saved_usd=sum(known, Decimal(0)) if known else None,
    )

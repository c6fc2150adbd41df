"""The circuit breaker: after too many faults of ours, of one key or of all, requests pass through for a while.

Closed, it counts faults. At the limit within the window it opens: requests pass through untouched. After a pause it is
half open: the next request is tried, and a fault opens it again, a success closes it. Pure: the clock is passed in. One
for each process; its calls don't overlap.

A fault that isn't in what was sent meets every request. So it opens for all keys only where their faults come one after
the other: a request between them that ran without a fault shows that theirs lie in what they sent, and then each key's
own circuit is enough.
"""

from __future__ import annotations

import math
from collections import OrderedDict, deque
from dataclasses import dataclass, field

from litellm_prompt_router.process_memory.bounded import register_memory

MAX_KEYS = 1_000
"""Keys with faults that are remembered; beyond, the one that failed longest ago is forgotten."""


@dataclass(frozen=True, kw_only=True, slots=True)
class BreakerThresholds:
    """``key_faults`` of one key, or ``all_faults`` of all keys without a success between, within the window open the
    breaker for the pause.
    """

    key_faults: int = 5
    all_faults: int = 20
    window_seconds: float = 60.0
    pause_seconds: float = 30.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Trip:
    """A breaker that opened. ``key`` None: for all keys."""

    key: str | None
    faults: int
    window_seconds: float
    pause_seconds: float


@dataclass(kw_only=True, slots=True)
class _Circuit:
    """``open_until``: -inf while closed; a moment that has passed while half open."""

    faults: deque[float] = field(default_factory=deque)
    open_until: float = -math.inf

    @property
    def is_closed(self) -> bool:
        return self.open_until == -math.inf


class Breaker:
    """Says which requests to leave as they come. ``now``: monotonic seconds."""

    def __init__(self, thresholds: BreakerThresholds) -> None:
        self.thresholds = thresholds
        self._all = _Circuit()
        self._keys: OrderedDict[str, _Circuit] = OrderedDict()
        register_memory(self, "breaker keys", MAX_KEYS, lambda it: len(it._keys))

    def admits(self, key: str, now: float) -> bool:
        """False while it is open for this key or for all. Half open, it admits."""
        own = self._keys.get(key)
        return now >= self._all.open_until and (own is None or now >= own.open_until)

    def open_for(self, now: float) -> tuple[str | None, ...]:
        """The keys that it is open for now, and None where it is open for all. May be called in any thread."""
        keys = [key for key, circuit in list(self._keys.items()) if now < circuit.open_until]
        return (*([None] if now < self._all.open_until else []), *keys)

    def failed(self, key: str, now: float) -> tuple[Trip, ...]:
        """Counts a fault of ours. Returns what opened by it; half open it only opens again, which isn't returned."""
        own = self._keys.setdefault(key, _Circuit())
        self._keys.move_to_end(key)
        if len(self._keys) > MAX_KEYS:
            self._keys.popitem(last=False)
        limits = self.thresholds
        trips = (
            self._count(own, key, limits.key_faults, now),
            self._count(self._all, None, limits.all_faults, now),
        )
        return tuple(trip for trip in trips if trip is not None)

    def succeeded(self, key: str, now: float) -> None:
        """Closes what is half open for this key, whose request ran without a fault, and forgets its faults.

        Those of all keys are counted anew from here on.
        """
        if self._all.faults:
            self._all.faults.clear()
        own = self._keys.get(key)
        if own is not None and not own.is_closed and now >= own.open_until:
            del self._keys[key]
        if not self._all.is_closed and now >= self._all.open_until:
            self._all = _Circuit()

    def _count(self, circuit: _Circuit, key: str | None, limit: int, now: float) -> Trip | None:
        limits = self.thresholds
        if not circuit.is_closed:
            if now >= circuit.open_until:
                circuit.open_until = now + limits.pause_seconds
            return None
        circuit.faults.append(now)
        while circuit.faults[0] <= now - limits.window_seconds:
            circuit.faults.popleft()
        if len(circuit.faults) < limit:
            return None
        circuit.faults.clear()
        circuit.open_until = now + limits.pause_seconds
        return Trip(key=key, faults=limit, window_seconds=limits.window_seconds, pause_seconds=limits.pause_seconds)

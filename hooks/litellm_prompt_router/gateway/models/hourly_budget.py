"""What a profile's questions to routing models cost within the last hour, in this process."""

from __future__ import annotations

from collections import deque
from decimal import Decimal

HOUR_SECONDS = 3_600.0
UNKNOWN_PRICE_USD = Decimal("0.001")
"""What a call counts whose price nobody knows: that of some 1,000 tokens of a dear model."""


class HourlyBudget:
    """Prices of calls by when they came. Calls that are out count as much as the dearest of the hour."""

    def __init__(self) -> None:
        self._spent: deque[tuple[float, Decimal]] = deque()
        self._total = Decimal(0)
        self._out = 0

    def admits(self, limit_usd: float | None, now: float) -> bool:
        """True where one more call may go out."""
        if limit_usd is None:
            return True
        while self._spent and self._spent[0][0] <= now - HOUR_SECONDS:
            self._total -= self._spent.popleft()[1]
        dearest = max((usd for _, usd in self._spent), default=Decimal(0)) if self._out else Decimal(0)
        return self._total + self._out * dearest < Decimal(str(limit_usd))

    def begin(self) -> None:
        """A call goes out. ``settle`` must follow."""
        self._out += 1

    def settle(self, usd: Decimal | None, now: float) -> None:
        """What it cost."""
        self._out -= 1
        price = UNKNOWN_PRICE_USD if usd is None else usd
        if price:
            self._spent.append((now, price))
            self._total += price

"""Figures as the page says them."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal

HOUR_SECONDS = 3_600.0
DAY_SECONDS = 86_400.0
MONTH_DAYS = 30
MINUS = "−"


def share_of(part: Decimal | float, whole: Decimal | float) -> float:
    """0 where the whole is nothing."""
    return float(part) / float(whole) if whole else 0.0


def percent_text(share: float) -> str:
    """``31%``; below 10% with a digit behind the point."""
    digits = 0 if abs(share) >= 0.0995 else 1
    text = f"{abs(share):.{digits}%}"
    return f"{MINUS if share < 0 and text.strip('0.%') else ''}{text}"


def usd_text(value: Decimal) -> str:
    """``1,240 USD``; two digits below 100, four below 1."""
    size = abs(value)
    digits = 0 if size >= 100 else 2 if size >= 1 or not size else 4
    rounded = size.quantize(Decimal(1).scaleb(-digits), ROUND_HALF_EVEN)
    return f"{MINUS if value < 0 and rounded else ''}{rounded:,} USD"


def span_text(seconds: float) -> str:
    """``27 hours``."""
    for unit, size in (("day", DAY_SECONDS), ("hour", HOUR_SECONDS), ("minute", 60.0)):
        if seconds >= 2 * size:
            return f"{seconds / size:,.0f} {unit}s"
    return f"{seconds:,.0f} seconds"


def a_month(value: Decimal, span_seconds: float) -> Decimal | None:
    """The same at this rate for 30 days; None when less than an hour was seen, which says nothing of a month."""
    if span_seconds < HOUR_SECONDS:
        return None
    return value * Decimal(MONTH_DAYS * DAY_SECONDS) / Decimal(span_seconds)

"""Figures as people read them, and as plain JSON types."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

from litellm_prompt_router.analysis.report.control_group import Interval
from litellm_prompt_router.analysis.report.figures import Sums

UNKNOWN = "unknown"
MINUS = "−"


def usd(value: Decimal | float | None, digits: int | None = None) -> str:
    """``$1,234.56``; four digits below a dollar unless it is said how many; signed with a true minus."""
    if value is None:
        return UNKNOWN
    exact = Decimal(value)
    if digits is None:
        digits = 4 if abs(exact) < 1 else 2
    rounded = abs(exact).quantize(Decimal(1).scaleb(-digits), ROUND_HALF_EVEN)
    return f"{MINUS if exact < 0 and rounded else ''}${rounded:,}"


def digits_for(values: Iterable[Decimal | None]) -> int:
    """Digits behind the point that suit a whole column."""
    return 2 if any(value is not None and abs(value) >= 10 for value in values) else 4


def between(interval: Interval | None) -> str:
    """``$1.00 to $2.00``."""
    return "no interval" if interval is None else f"{usd(interval.low)} to {usd(interval.high)}"


def share(value: float | None) -> str:
    """``67.2%``."""
    return UNKNOWN if value is None else f"{value:.1%}".replace("-", "−")


def ratio(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def count(value: float | None) -> str:
    return UNKNOWN if value is None else f"{value:,.0f}"


def at(seconds: float | None) -> str:
    """``2026-11-25 04:05`` in UTC."""
    return UNKNOWN if seconds is None else datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M")


def reduction(sums: Sums | None) -> float | None:
    """Of the prompts' characters, the share that was left out."""
    if sums is None or not sums.original_chars:
        return None
    return 1 - sums.prompt_chars / sums.original_chars


def jsonable(value: Any) -> Any:
    """Plain JSON types; money as exact decimal text."""
    match value:
        case Decimal():
            return format(value, "f")
        case Mapping():
            return {str(key): jsonable(item) for key, item in value.items()}
        case list() | tuple():
            return [jsonable(item) for item in value]
    if is_dataclass(value):
        return {item.name: jsonable(getattr(value, item.name)) for item in fields(value)}
    return value

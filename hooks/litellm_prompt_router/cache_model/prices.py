"""Token buckets -> USD, to the last digit."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from decimal import Context, Decimal, Inexact, InvalidOperation, Overflow

from litellm_prompt_router.cache_model.usage import Usage

_EXACT = Context(prec=60, traps=[Inexact, InvalidOperation, Overflow])
"""Raises where it would have to round."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Prices:
    """USD per million tokens of each bucket. Where a provider has one write price it is the 5-minute one.

    Raises ValueError for a price that is no finite amount of 0 or more.
    """

    input_usd_per_mtok: Decimal
    cache_read_usd_per_mtok: Decimal
    cache_write_5m_usd_per_mtok: Decimal
    cache_write_1h_usd_per_mtok: Decimal
    output_usd_per_mtok: Decimal

    def __post_init__(self) -> None:
        for field in fields(self):
            price: Decimal = getattr(self, field.name)
            if not (isinstance(price, Decimal) and price.is_finite() and price >= 0):
                raise ValueError(f"{field.name}: expected a Decimal of 0 or more, got {price!r}")


def cost_usd(usage: Usage, prices: Prices) -> Decimal:
    """What the provider bills for ``usage``."""
    total = Decimal(0)
    for tokens, price in (
        (usage.uncached_input_tokens, prices.input_usd_per_mtok),
        (usage.cache_read_tokens, prices.cache_read_usd_per_mtok),
        (usage.cache_write_5m_tokens, prices.cache_write_5m_usd_per_mtok),
        (usage.cache_write_1h_tokens, prices.cache_write_1h_usd_per_mtok),
        (usage.output_tokens, prices.output_usd_per_mtok),
    ):
        if tokens:
            total = _EXACT.fma(tokens, price, total)
    return _EXACT.scaleb(total, -6)


def total_usage(usages: Iterable[Usage]) -> Usage:
    """All buckets added up: pricing the total costs less time than adding prices, and gives the same."""
    uncached = read = write_5m = write_1h = output = 0
    for usage in usages:
        uncached += usage.uncached_input_tokens
        read += usage.cache_read_tokens
        write_5m += usage.cache_write_5m_tokens
        write_1h += usage.cache_write_1h_tokens
        output += usage.output_tokens
    return Usage(
        uncached_input_tokens=uncached,
        cache_read_tokens=read,
        cache_write_5m_tokens=write_5m,
        cache_write_1h_tokens=write_1h,
        output_tokens=output,
    )

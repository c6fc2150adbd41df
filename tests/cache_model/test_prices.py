"""Exact bills."""

from __future__ import annotations

from decimal import Decimal, localcontext

import pytest

from litellm_prompt_router.cache_model import Prices, cost_usd, total_usage
from litellm_prompt_router.cache_model.usage import Usage

# platform.claude.com/docs/en/build-with-claude/prompt-caching, "Pricing", Claude Sonnet 4.5; checked 2026-11.
SONNET = Prices(
    input_usd_per_mtok=Decimal("3"),
    cache_read_usd_per_mtok=Decimal("0.30"),
    cache_write_5m_usd_per_mtok=Decimal("3.75"),
    cache_write_1h_usd_per_mtok=Decimal("6"),
    output_usd_per_mtok=Decimal("15"),
)
NOTHING = Usage(
    uncached_input_tokens=0, cache_read_tokens=0, cache_write_5m_tokens=0, cache_write_1h_tokens=0, output_tokens=0
)
ALL = Usage(
    uncached_input_tokens=1,
    cache_read_tokens=20,
    cache_write_5m_tokens=300,
    cache_write_1h_tokens=4_000,
    output_tokens=50_000,
)


def test_every_bucket_has_its_price() -> None:
    """1 x 3 + 20 x 0.30 + 300 x 3.75 + 4,000 x 6 + 50,000 x 15, over a million."""
    assert cost_usd(ALL, SONNET) == Decimal("0.775134")
    assert cost_usd(NOTHING, SONNET) == 0


def test_exact_whatever_the_caller_rounds_to() -> None:
    """The caller's decimal context changes nothing."""
    with localcontext(prec=3):
        cost = cost_usd(ALL, SONNET)
    assert cost == Decimal("0.775134")


def test_pricing_the_total_is_adding_the_prices() -> None:
    """No cent is lost on the way."""
    usages = [ALL, NOTHING, ALL, ALL]
    assert cost_usd(total_usage(usages), SONNET) == sum(cost_usd(usage, SONNET) for usage in usages)
    assert total_usage([]) == NOTHING


@pytest.mark.parametrize("price", [Decimal("-1"), Decimal("NaN"), Decimal("Infinity"), 0.3])
def test_invalid_prices(price: Decimal) -> None:
    """A price is a finite Decimal of 0 or more."""
    with pytest.raises(ValueError, match="cache_read_usd_per_mtok: expected a Decimal of 0 or more, got "):
        Prices(
            input_usd_per_mtok=Decimal(1),
            cache_read_usd_per_mtok=price,
            cache_write_5m_usd_per_mtok=Decimal(1),
            cache_write_1h_usd_per_mtok=Decimal(1),
            output_usd_per_mtok=Decimal(1),
        )

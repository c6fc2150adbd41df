"""LiteLLM's bill by our own arithmetic: tokens at their rates, with the fees, discounts and margins that it states."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from litellm_prompt_router.accounting.rates import MapEntry, cost_usd, rates_of
from litellm_prompt_router.cache_model.usage import NO_KINDS, Kinds, Usage

GLOBAL_GEOS = frozenset({"global", "not_available"})
SAME_USD = Decimal("0.000001")
"""Our bill and LiteLLM's, which adds floats in another order, may differ by this much."""


@dataclass(frozen=True, kw_only=True, slots=True)
class BillTerms:
    """``(tokens x multiplier + extra) x (1 - discount) x (1 + margin) + fixed``, as LiteLLM's ``completion_cost``."""

    service_tier: str | None = None
    multiplier: Decimal = Decimal(1)
    """Regions that cost more, and Anthropic's fast speed."""
    extra_usd: Decimal = Decimal(0)
    """The provider's own tools and routing fees."""
    discount: Decimal = Decimal(0)
    margin: Decimal = Decimal(0)
    fixed_usd: Decimal = Decimal(0)
    is_stated: bool = False
    """True where the provider stated the cost itself, which LiteLLM then takes."""


def bill_terms(breakdown: Mapping[str, Any] | None, usage: object, info: MapEntry) -> BillTerms:
    """From LiteLLM's ``cost_breakdown`` (litellm/types/utils.py, 1.106), the raw usage and the deployment's entry."""
    stated = breakdown or {}
    fees = stated.get("additional_costs")
    return BillTerms(
        service_tier=tier if isinstance(tier := stated.get("service_tier"), str) else None,
        multiplier=_multiplier(stated, usage, info),
        extra_usd=_decimal(stated.get("tool_usage_cost"))
        + sum((_decimal(fee) for fee in (fees.values() if isinstance(fees, Mapping) else ())), Decimal(0)),
        discount=_decimal(stated.get("discount_percent")),
        margin=_decimal(stated.get("margin_percent")),
        fixed_usd=_decimal(stated.get("margin_fixed_amount")),
        is_stated=not stated or isinstance(getattr(usage, "cost", None), (int, float)),
    )


def priced(
    usage: Usage, info: MapEntry, terms: BillTerms, provider: str | None, kinds: Kinds = NO_KINDS
) -> Decimal | None:
    """What a call with this usage is charged; None where there is no price."""
    rates = rates_of(info, usage.input_tokens, service_tier=terms.service_tier, provider=provider)
    if rates is None:
        return None
    tokens = cost_usd(usage, rates, kinds) * terms.multiplier + terms.extra_usd
    return (tokens * (1 - terms.discount) * (1 + terms.margin) + terms.fixed_usd).normalize()


def billed_entry(
    billed: Decimal | None, usage: Usage, info: MapEntry, terms: BillTerms, provider: str | None, kinds: Kinds
) -> MapEntry:
    """The entry with the prices that the bill goes by: at off-peak hours those of ``off_peak_pricing``."""
    off_peak = info.get("off_peak_pricing")
    if billed is None or not isinstance(off_peak, Mapping):
        return info
    reduced = {**info, **{name: price for name, price in off_peak.items() if name in info}}
    prices = [priced(usage, entry, terms, provider, kinds) for entry in (info, reduced)]
    standard, low = (abs(price - billed) if price is not None else None for price in prices)
    return reduced if low is not None and low <= SAME_USD and (standard is None or low < standard) else info


def explain_difference(billed: Decimal, ours: Decimal, terms: BillTerms, info: MapEntry) -> str | None:
    """Why LiteLLM's bill isn't ours; None when they agree."""
    if abs(billed - ours) <= SAME_USD:
        return None
    if terms.is_stated:
        return "differs from the bill: LiteLLM took the cost that the provider stated"
    if info.get("off_peak_pricing") is not None:
        return "differs from the bill: the model has off-peak prices, which are not ours to tell"
    return "differs from the bill: LiteLLM priced it by another rule or entry"


def _multiplier(stated: Mapping[str, Any], usage: object, info: MapEntry) -> Decimal:
    """Region and speed, by LiteLLM's fields for them (``get_regional_uplift_multiplier`` and those beside it)."""
    factor = Decimal(1)
    residency, location = stated.get("data_residency"), stated.get("vertex_location")
    if isinstance(residency, str):
        factor *= _decimal(info.get(f"regional_processing_uplift_multiplier_{residency.lower()}"), 1)
    if isinstance(location, str) and location.lower() != "global":
        factor *= _decimal(info.get("regional_endpoint_uplift_multiplier"), 1)
    entry = info.get("provider_specific_entry")
    geo = getattr(usage, "inference_geo", None)
    if isinstance(entry, Mapping):
        if isinstance(geo, str) and geo.lower() not in GLOBAL_GEOS:
            factor *= _decimal(entry.get(geo.lower()), 1)
        if getattr(usage, "speed", None) == "fast":
            factor *= _decimal(entry.get("fast"), 1)
    return factor


def _decimal(value: object, default: int = 0) -> Decimal:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return Decimal(str(value)) if is_number else Decimal(default)

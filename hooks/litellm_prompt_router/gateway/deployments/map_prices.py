"""What LiteLLM's model map says of a model: its entry, and its prices in the forms that others ask for."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import litellm

from litellm_prompt_router.cache_model import DeployedModel, Prices
from litellm_prompt_router.gateway import proxy_server
from litellm_prompt_router.gateway.deployments.describe import describe

_WRITE_5M, _WRITE_1H = Decimal("1.25"), Decimal(2)
"""Anthropic's multiples of the input price (platform.claude.com, "Prompt caching", checked 2026-11)."""

Entry = Mapping[str, Any]


def map_entry(model: DeployedModel, deployment_id: str | None = None, router: Any = None) -> Entry:
    """The entry that LiteLLM prices a model by, a deployment's configured prices included; {} for unknown models.

    LiteLLM fills a missing price with 0, which reads like a price of 0: where no raw entry has one it is None.
    """
    entry = _named_entry(model.name, None)
    if router is not None and deployment_id is not None:
        entry = router.get_deployment_model_info(deployment_id, model.name) or {}
    own = litellm.model_cost.get(deployment_id) or {}
    if model.base_model is not None:
        # LiteLLM's router looks for it in the model_info alone; its bill goes by litellm_params, too.
        base = _named_entry(model.base_model, model.provider) or _named_entry(model.base_model, None)
        entry = {**entry, **base, **own}
    stated = [own, *(_raw_entry(name) for name in (entry.get("key"), model.base_model, model.name))]
    if not entry or any("input_cost_per_token" in raw or "output_cost_per_token" in raw for raw in stated):
        return entry
    return {**entry, "input_cost_per_token": None, "output_cost_per_token": None}


def _named_entry(name: str, provider: str | None) -> Entry:
    try:
        entry: Entry = litellm.get_model_info(name, custom_llm_provider=provider)
    except Exception:  # LiteLLM raises a bare Exception for names that its map lacks
        return {}
    return entry


def _raw_entry(name: object) -> Entry:
    entry = litellm.model_cost.get(name) if isinstance(name, str) else None
    return entry if isinstance(entry, Mapping) else {}


def input_price(deployment_id: str | None, model: str | None, provider: str | None) -> Decimal | None:
    """What LiteLLM's Cost Optimization page multiplies tokens by: the deployment's flat input price, or the map's.

    As ``proxy/spend_tracking/savings.py`` looks it up (1.106).
    """
    router = proxy_server.llm_router()
    try:
        own = None
        if router is not None and deployment_id is not None:
            own = router.get_deployment_model_info(deployment_id, model or "")
        return price_in(own or litellm.get_model_info(model=model or "", custom_llm_provider=provider))
    except Exception:  # LiteLLM raises a bare Exception for names that its map lacks
        return None


def price_in(entry: Entry) -> Decimal | None:
    """Of one input token; None where the map has none."""
    price = entry.get("input_cost_per_token")
    return Decimal(str(price)) if price else None


def read_share(entry: Entry) -> float | None:
    """What a cached token costs, as a share of the input price; 1 where the map says nothing of them."""
    price, own = entry.get("input_cost_per_token"), entry.get("cache_read_input_token_cost")
    if not price:
        return None
    return 1.0 if own is None else float(own / price)


def write_share(entry: Entry, name: str) -> float | None:
    """What a written token costs, likewise. The map's 0 (DeepSeek) means no more than any other, not nothing."""
    price = entry.get("input_cost_per_token")
    return max(1.0, float((entry.get(name) or 0) / price)) if price else None


def prices_of_model(name: str) -> Prices | None:
    """What LiteLLM's map charges for a model by its name; None when it doesn't know it or has no input price.

    Where the map has no price for cached tokens they cost what others do, except that Claude's are known.
    """
    entry = _named_entry(name, None)
    base = _usd_per_mtok(entry.get("input_cost_per_token"))
    if not base:
        return None
    is_claude = describe(name).family == "claude"
    write_5m = _usd_per_mtok(entry.get("cache_creation_input_token_cost"))
    write_1h = _usd_per_mtok(entry.get("cache_creation_input_token_cost_above_1hr"))
    read = _usd_per_mtok(entry.get("cache_read_input_token_cost"))
    if not write_5m:  # DeepSeek's 0: written tokens cost no more than others, not nothing
        write_5m = base * _WRITE_5M if is_claude else base
    if not write_1h:
        write_1h = base * _WRITE_1H if is_claude else write_5m
    return Prices(
        input_usd_per_mtok=base,
        cache_read_usd_per_mtok=base if read is None else read,
        cache_write_5m_usd_per_mtok=write_5m,
        cache_write_1h_usd_per_mtok=write_1h,
        output_usd_per_mtok=_usd_per_mtok(entry.get("output_cost_per_token")) or Decimal(0),
    )


def _usd_per_mtok(price: object) -> Decimal | None:
    if not isinstance(price, (int, float)) or isinstance(price, bool):
        return None
    return (Decimal(str(price)).scaleb(6)).normalize() + 0

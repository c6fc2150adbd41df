"""What LiteLLM's model map says of a deployment's prices."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import litellm

from litellm_prompt_router.gateway import proxy_server


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


def price_in(info: Mapping[str, Any]) -> Decimal | None:
    """Of one input token; None where the map has none."""
    price = info.get("input_cost_per_token")
    return Decimal(str(price)) if price else None


def read_share(info: Mapping[str, Any]) -> float | None:
    """What a cached token costs, as a share of the input price; 1 where the map says nothing of them."""
    price, own = info.get("input_cost_per_token"), info.get("cache_read_input_token_cost")
    if not price:
        return None
    return 1.0 if own is None else float(own / price)


def write_share(info: Mapping[str, Any], name: str) -> float | None:
    """What a written token costs, likewise. The map's 0 (DeepSeek) means no more than any other, not nothing."""
    price = info.get("input_cost_per_token")
    return max(1.0, float((info.get(name) or 0) / price)) if price else None

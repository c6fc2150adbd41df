"""What LiteLLM knows of a chat model by its name, without a proxy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import litellm

from litellm_prompt_router.gateway.deployments.capabilities import target_of_model

PRICE = "input_cost_per_token"


def is_known(name: str) -> bool:
    """True where LiteLLM can tell the provider that has the model."""
    try:
        litellm.get_llm_provider(model=name)
    except Exception:  # LiteLLM raises several types for names that it can't place
        return False
    return True


def price_is_known(name: str, document: Mapping[str, Any]) -> bool:
    """True where the model, or every deployment of the group of this name, states a price or is in LiteLLM's map."""
    entries = document.get("model_list")
    listed = [each for each in entries if isinstance(each, dict)] if isinstance(entries, list) else []
    members = [each for each in listed if each.get("model_name") == name]
    return all(map(_states_price, members)) if members else _is_in_map(name)


def _states_price(deployment: Mapping[str, Any]) -> bool:
    params, info = deployment.get("litellm_params") or {}, deployment.get("model_info") or {}
    return PRICE in params or PRICE in info or _is_in_map(str(info.get("base_model") or params.get("model")))


def _is_in_map(name: str) -> bool:
    return target_of_model(name).input_usd_per_token is not None

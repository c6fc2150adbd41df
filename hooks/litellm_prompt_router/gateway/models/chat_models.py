"""What LiteLLM knows of a chat model by its name, without a proxy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import litellm

from litellm_prompt_router.gateway.deployments.capabilities import target_of_model
from litellm_prompt_router.gateway.deployments.groups import targets_of_config


def is_known(name: str) -> bool:
    """True where LiteLLM can tell the provider that has the model."""
    try:
        litellm.get_llm_provider(model=name)
    except Exception:  # LiteLLM raises several types for names that it can't place
        return False
    return True


def price_is_known(name: str, document: Mapping[str, Any]) -> bool:
    """True where the model, or every deployment of the group of this name, has one price in LiteLLM's map."""
    groups, _ = targets_of_config(document)
    target = groups.get(name) or target_of_model(name)
    return target.input_usd_per_token is not None

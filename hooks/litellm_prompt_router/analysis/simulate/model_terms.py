"""What a model's calls are accounted by: prices, cache rules, and what its deployments take."""

from __future__ import annotations

from dataclasses import dataclass

from litellm_prompt_router.cache_model import Prices, Rules
from litellm_prompt_router.request.types import Target


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelTerms:
    """``model`` is LiteLLM's name for it."""

    model: str
    prices: Prices
    target: Target
    rules: Rules

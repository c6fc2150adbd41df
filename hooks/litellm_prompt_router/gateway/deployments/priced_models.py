"""What a model's calls are accounted by, from LiteLLM's name for it: its map's prices, our rules of its host."""

from __future__ import annotations

from dataclasses import replace

from litellm_prompt_router.analysis.simulate.model_terms import ModelTerms
from litellm_prompt_router.cache_model import Prices, openai_rules, rules_of
from litellm_prompt_router.gateway.deployments.capabilities import target_of_model
from litellm_prompt_router.gateway.deployments.describe import describe
from litellm_prompt_router.gateway.deployments.map_prices import prices_of_model
from litellm_prompt_router.request.types import CHAT


def terms_of_model(model: str, endpoint: str = CHAT) -> ModelTerms | None:
    """By LiteLLM's map; None where that has no price for the model. ``endpoint`` is the one that calls come to."""
    prices = prices_of_model(model)
    return None if prices is None or not prices.input_usd_per_mtok else terms_by_prices(model, prices, endpoint)


def terms_by_prices(model: str, prices: Prices, endpoint: str = CHAT) -> ModelTerms:
    """By stated prices in place of the map's, of which the input price is more than 0."""
    input_usd = prices.input_usd_per_mtok
    return ModelTerms(
        model=model,
        prices=prices,
        target=replace(
            target_of_model(model, endpoint),
            cache_read_share=float(prices.cache_read_usd_per_mtok / input_usd),
            cache_write_share=float(prices.cache_write_5m_usd_per_mtok / input_usd),
            cache_write_1h_share=float(prices.cache_write_1h_usd_per_mtok / input_usd),
        ),
        rules=rules_of(describe(model)) or openai_rules(model),  # whose cache isn't modelled is taken for OpenAI's
    )

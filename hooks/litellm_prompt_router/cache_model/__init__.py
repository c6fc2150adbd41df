"""How providers cache prompt prefixes and what that costs. Pure: no I/O, no clock, no LiteLLM.

``deployed_model`` tells whose model answers, ``prompt_blocks`` turns a body on the wire into what the provider reads
(``equivalent_bodies`` those of other endpoints),
``rules`` holds each provider's documented rules, ``prefix_cache`` accounts one call after the other, and ``prices``
turns the buckets into USD. Accounting, simulator and the emulated providers of the tests share it.
"""

from __future__ import annotations

from litellm_prompt_router.cache_model.deployed_model import DeployedModel, deployed_model
from litellm_prompt_router.cache_model.equivalent_bodies import chat_of_responses, messages_of_converse
from litellm_prompt_router.cache_model.prefix_cache import CacheEntry, PrefixCache
from litellm_prompt_router.cache_model.prices import Prices, cost_usd, total_usage
from litellm_prompt_router.cache_model.prompt_blocks import Block, BlockReader
from litellm_prompt_router.cache_model.rules import (
    AutomaticPrefixes,
    BreakpointPrefixes,
    MarkedPrefixes,
    Rules,
    anthropic_rules,
    openai_rules,
    rules_of,
    takes_breakpoints,
    takes_mid_system,
)

__all__ = [
    "AutomaticPrefixes",
    "Block",
    "BlockReader",
    "BreakpointPrefixes",
    "CacheEntry",
    "DeployedModel",
    "MarkedPrefixes",
    "PrefixCache",
    "Prices",
    "Rules",
    "anthropic_rules",
    "chat_of_responses",
    "cost_usd",
    "deployed_model",
    "messages_of_converse",
    "openai_rules",
    "rules_of",
    "takes_breakpoints",
    "takes_mid_system",
    "total_usage",
]

"""How providers cache prompt prefixes and what that costs. Pure: no I/O, no clock, no LiteLLM.

``deployed_model`` tells whose model answers, ``prompt_blocks`` turns a body on the wire into what the provider reads
(``equivalent_bodies`` those of other endpoints),
``rules`` holds what kinds of caches there are and Claude's and OpenAI's numbers, ``host_caches`` whose rules hold at
which host and where they are written, ``prefix_cache`` accounts one call after the other (``prefix_places``: where
it looks and writes; ``stored_prefixes``: DeepSeek's disk), and ``prices`` turns the buckets into USD.
"""

from __future__ import annotations

from litellm_prompt_router.cache_model.deployed_model import DeployedModel, deployed_model
from litellm_prompt_router.cache_model.equivalent_bodies import (
    chat_of_responses,
    messages_of_converse,
    messages_of_marked_chat,
)
from litellm_prompt_router.cache_model.host_caches import Basis, HostCache, cache_of, rules_of
from litellm_prompt_router.cache_model.prefix_cache import CacheEntry, PrefixCache
from litellm_prompt_router.cache_model.prices import Prices, cost_usd, total_usage
from litellm_prompt_router.cache_model.prompt_blocks import Block, BlockReader, KnownHistory, ReadPrompt
from litellm_prompt_router.cache_model.rules import (
    AutomaticPrefixes,
    BreakpointPrefixes,
    MarkedPrefixes,
    Rules,
    StoredPrefixes,
    anthropic_rules,
    longest_lifetime_seconds,
    openai_rules,
    takes_breakpoints,
)

__all__ = [
    "AutomaticPrefixes",
    "Basis",
    "Block",
    "BlockReader",
    "BreakpointPrefixes",
    "CacheEntry",
    "DeployedModel",
    "HostCache",
    "KnownHistory",
    "MarkedPrefixes",
    "PrefixCache",
    "Prices",
    "ReadPrompt",
    "Rules",
    "StoredPrefixes",
    "anthropic_rules",
    "cache_of",
    "chat_of_responses",
    "cost_usd",
    "deployed_model",
    "longest_lifetime_seconds",
    "messages_of_converse",
    "messages_of_marked_chat",
    "openai_rules",
    "rules_of",
    "takes_breakpoints",
    "total_usage",
]

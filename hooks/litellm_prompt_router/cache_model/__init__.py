"""How providers cache prompt prefixes and what that costs. Pure: no I/O, no clock, no LiteLLM.

``blocks`` turns a body on the wire into what the provider reads, ``rules`` holds each provider's documented
rules, ``model`` accounts one call after the other, ``prices`` turns the buckets into USD, ``refusals`` tells what
the provider would answer with 400. The simulator and the emulated providers share it, so that they can't
disagree.
"""

from __future__ import annotations

from litellm_prompt_router.cache_model.converse_as_messages import messages_of_converse
from litellm_prompt_router.cache_model.prefix_cache import CacheEntry, PrefixCache
from litellm_prompt_router.cache_model.prices import Prices, cost_usd, total_usage
from litellm_prompt_router.cache_model.prompt_blocks import Block, BlockReader, anthropic_blocks, openai_blocks
from litellm_prompt_router.cache_model.refusals import refuse_anthropic, refuse_openai
from litellm_prompt_router.cache_model.responses_as_chat import chat_of_responses
from litellm_prompt_router.cache_model.rules import (
    AutomaticPrefixes,
    BreakpointPrefixes,
    MarkedPrefixes,
    Rules,
    anthropic_rules,
    openai_rules,
    takes_breakpoints,
    takes_mid_system,
)

__all__ = [
    "AutomaticPrefixes",
    "Block",
    "BlockReader",
    "BreakpointPrefixes",
    "CacheEntry",
    "MarkedPrefixes",
    "PrefixCache",
    "Prices",
    "Rules",
    "anthropic_blocks",
    "anthropic_rules",
    "chat_of_responses",
    "cost_usd",
    "messages_of_converse",
    "openai_blocks",
    "openai_rules",
    "refuse_anthropic",
    "refuse_openai",
    "takes_breakpoints",
    "takes_mid_system",
    "total_usage",
]

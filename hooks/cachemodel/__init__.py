"""How providers cache prompt prefixes and what that costs. Pure: no I/O, no clock, no LiteLLM.

``blocks`` turns a body on the wire into what the provider reads, ``rules`` holds each provider's documented
rules, ``model`` accounts one call after the other, ``prices`` turns the buckets into USD, ``refusals`` tells what
the provider would answer with 400. The simulator and the emulated providers share it, so that they can't
disagree.
"""

from __future__ import annotations

from hooks.cachemodel.blocks import Block, BlockReader, anthropic_blocks, openai_blocks
from hooks.cachemodel.converse import messages_of_converse
from hooks.cachemodel.model import Entry, PrefixCache
from hooks.cachemodel.prices import Prices, cost_usd, total_usage
from hooks.cachemodel.refusals import refuse_anthropic, refuse_openai
from hooks.cachemodel.responses import chat_of_responses
from hooks.cachemodel.rules import (
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
    "Entry",
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

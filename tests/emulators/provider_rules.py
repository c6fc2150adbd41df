"""How each provider caches, from its own pages and from what people measured there. Nothing here is the product's.

Sources, checked 2026-11:

- CLAUDE: platform.claude.com/docs/en/build-with-claude/prompt-caching: minimums by model, four breakpoints, a lookback
  of 20 positions, five minutes or an hour from each use; a run of tool uses or results is one position "on the Claude
  API"
- CLAUDE-SYSTEM: platform.claude.com/docs/en/build-with-claude/mid-conversation-system-messages
- SDK-1194: github.com/anthropics/anthropic-sdk-python/issues/1194: Sonnet 4.6 caches from 2,048 tokens, not 1,024
- BEDROCK: docs.aws.amazon.com/bedrock/latest/userguide/prompt-caching: the same marks as ``cachePoint``; "approximately
  20 content blocks" of lookback, with no word on runs of tool uses
- OPENAI: developers.openai.com/api/docs/guides/prompt-caching; OPENAI-201: .../cookbook/examples/prompt_caching_201
- AZURE: learn.microsoft.com/azure/foundry/openai/how-to/prompt-caching: as OpenAI, 5 to 10 minutes of inactivity
- GEMINI: ai.google.dev/gemini-api/docs/caching (2026-10-13): 2,048 tokens for 2.5, 4,096 for later ones; "in a short
  amount of time"; github.com/googleapis/python-genai/issues/2064: gone after some 15 minutes
- DEEPSEEK: api-docs.deepseek.com/guides/kv_cache: whole prefix units at the end of a request's input and of its
  answer, and where the system saw that requests share a beginning; "a few hours to a few days"
- XAI: docs.x.ai/developers/advanced-api-usage/prompt-caching: an exact prefix, no lifetime promised; 128 tokens were
  measured (docs.apiyi.com/en/api-capabilities/grok/prompt-caching, 2026-08-19, 124 calls)
- MISTRAL: docs.mistral.ai/studio-api/conversations/advanced/prompt-caching: a compatible prefix, no figure
- KIMI: raw.githubusercontent.com/Leechael/pi-provider-kimi-code/main/docs/caching.md, measured at Moonshot: pieces of
  256 tokens, an identical request whole, gone between 5 and 30 minutes; the provider itself says 5
  (forum.moonshot.ai/t/613), and no step
- GLM: docs.z.ai/guides/capabilities/cache: automatic, no figure
- QWEN: www.alibabacloud.com/help/en/model-studio/context-cache (2026-10-11): marks as Claude's: 1,024 tokens, four, 20
  content blocks, five minutes from each use; without marks implicitly, from 1,024 tokens (256 until March 2026)

Where a provider publishes no lifetime or step, an emulated one still has to have some: five minutes and 128 tokens, or
by ``lasting`` two hours and single tokens. No estimate can be right for both.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

MINUTE = 60
HOUR = 60 * MINUTE


@dataclass(frozen=True, kw_only=True, slots=True)
class Marked:
    """Caches what the request marks."""

    least_tokens: int
    lookback: int = 20
    runs_are_one: bool = False
    """A run of tool uses, or of tool results, is one position of the lookback."""
    lifetimes: tuple[tuple[str, int], ...] = (("5m", 5 * MINUTE), ("1h", HOUR))


@dataclass(frozen=True, kw_only=True, slots=True)
class Longest:
    """Finds the longest beginning that recent requests share, token by token."""

    least_tokens: int
    step_tokens: int
    lifetime: int
    whole_repeats: bool = False
    """The same request again is read whole, the rest behind the last step included."""
    is_lifetime_published: bool = True
    is_step_published: bool = True


@dataclass(frozen=True, kw_only=True, slots=True)
class Endings:
    """OpenAI from GPT-5.6: the ends of certain messages, and the request's own breakpoints."""

    least_tokens: int = 1_024
    lifetime: int = 30 * MINUTE


@dataclass(frozen=True, kw_only=True, slots=True)
class Units:
    """DeepSeek: whole requests, and beginnings that two requests turned out to share."""

    least_tokens: int = 64
    step_tokens: int = 64
    """The page's earlier form (apidog's copy of 2025): "64 tokens as a storage unit"."""
    lifetime: int = 24 * HOUR


CacheRules = Marked | Longest | Endings | Units


def lasting(rules: CacheRules) -> CacheRules:
    """The rules of a provider that publishes little, at the other end of what it may do: two hours, single tokens."""
    if not isinstance(rules, Longest):
        return rules
    return replace(
        rules,
        step_tokens=rules.step_tokens if rules.is_step_published else 1,
        lifetime=rules.lifetime if rules.is_lifetime_published else 2 * HOUR,
    )


CLAUDE_LEAST = {
    512: r"opus-5|sonnet-5-5|haiku-5-5|fable-5|mythos-5",
    2_048: r"opus-4-7|mythos-preview|3-5-haiku|3-haiku|sonnet-4-6",  # SDK-1194 for the last
    4_096: r"opus-4-[56]|haiku-4-5",
}
CLAUDE_MID_SYSTEM = re.compile(r"opus-4-8|opus-5|sonnet-5-5|haiku-5-5|fable-5|mythos-5")
"""CLAUDE-SYSTEM; Haiku 5.5 by LiteLLM's map alone."""

GPT = re.compile(r"gpt-(\d+)(?:\.(\d+))?")


UNPUBLISHED = {"is_lifetime_published": False, "is_step_published": False}


def takes_mid_system(model: str) -> bool:
    """True for a Claude that takes ``system`` messages inside ``messages``."""
    return CLAUDE_MID_SYSTEM.search(model) is not None


def takes_breakpoints(model: str) -> bool:
    """True from GPT-5.6 on: breakpoints in requests, writes in usage and on the bill (OPENAI)."""
    return _gpt(model) >= (5, 6)


def claude_rules(model: str, *, is_own_api: bool = True) -> Marked:
    """``is_own_api``: Anthropic's, not a cloud's."""
    name = model.replace(".", "-")
    least = next((tokens for tokens, names in CLAUDE_LEAST.items() if re.search(names, name)), 1_024)
    if not is_own_api and "opus-4-7" in name:
        least = 4_096  # BEDROCK's model card
    return Marked(least_tokens=least, runs_are_one=is_own_api)


def openai_rules(model: str) -> CacheRules:
    """GPT-5.5 places its breakpoints every 2,048 tokens and keeps them for half an hour (OPENAI); before it 128."""
    if takes_breakpoints(model):
        return Endings()
    if _gpt(model) == (5, 5):
        return Longest(least_tokens=1_024, step_tokens=2_048, lifetime=30 * MINUTE)
    return Longest(least_tokens=1_024, step_tokens=128, lifetime=5 * MINUTE)


def gemini_rules(model: str) -> CacheRules:
    least = 2_048 if "gemini-2" in model else 4_096
    return Longest(least_tokens=least, step_tokens=128, lifetime=5 * MINUTE, **UNPUBLISHED)


def chat_host_rules(host: str, model: str, *, is_marked: bool) -> CacheRules:
    """Of hosts that take OpenAI's Chat bodies; ``is_marked``: the request has ``cache_control`` in it."""
    match host:
        case "deepseek":
            return Units()
        case "moonshot":
            return Longest(
                least_tokens=256, step_tokens=256, lifetime=5 * MINUTE, whole_repeats=True, is_step_published=False
            )
        case "dashscope" if is_marked:
            return Marked(least_tokens=1_024, lifetimes=(("5m", 5 * MINUTE),))
        case "dashscope":
            return Longest(least_tokens=1_024, step_tokens=128, lifetime=5 * MINUTE, **UNPUBLISHED)
        case "xai" | "mistral" | "zai":
            return Longest(least_tokens=128, step_tokens=128, lifetime=5 * MINUTE, **UNPUBLISHED)
        case _:
            return openai_rules(model)


def _gpt(model: str) -> tuple[int, int]:
    found = GPT.search(model)
    return (int(found[1]), int(found[2] or 0)) if found else (0, 0)

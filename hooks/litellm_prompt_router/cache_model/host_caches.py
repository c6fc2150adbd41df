"""Which rules hold at a model's host, where they are written, and what is taken where nothing is.

Two kinds (``basis``). *Documented*: the provider publishes what its cache matches by and how long an entry lives; where
it gives a range, ours is stated below. *Assumed*: it caches, or may, but doesn't publish that much.

What is cautious in a net saving depends on who was sent. A rewritten request has a measured bill, and only the full
prompt's is a model's: the less that costs, the smaller our saving, so its cache is taken to match to the token and to
keep what it has for long (``rules``). In shadow it is the other way round: the full prompt's bill is measured, and the
rewritten one's cache is taken to be coarse and short (``unsent_rules``). No single automaton is cautious for both, so
assumed hosts have two. Documented hosts have one.

A simulation has both bills from a model, and there no lifetime is the cautious one: made single questions, 20 an hour,
came to -16% with entries that live 5 minutes, +20% with half an hour and -3% with two hours, and at 200 an hour to +8%,
-10% and -10%. It tries these and shows the worst (``possible_rules``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal

from litellm_prompt_router.cache_model.deployed_model import ANTHROPIC, QWEN_HOSTS, DeployedModel
from litellm_prompt_router.cache_model.rules import (
    OPENAI_IN_MEMORY_SECONDS,
    QWEN_MIN_TOKENS,
    AutomaticPrefixes,
    MarkedPrefixes,
    Rules,
    StoredPrefixes,
    anthropic_rules,
    openai_rules,
)

Basis = Literal["documented", "assumed"]

LONG_SECONDS = 7_200
"""The longest that any host with a cache in memory states (Groq)."""
SHORT_SECONDS = 300
"""The shortest that any host states (Anthropic, OpenAI's short end, Moonshot)."""
POSSIBLE_SECONDS = (SHORT_SECONDS, 1_800, LONG_SECONDS)
FINE_TOKENS = 64
"""The smallest prefix that any host states that it caches (DeepSeek)."""
COARSE_MIN_TOKENS = 1_024
"""The most common minimum (OpenAI, Alibaba, most of Anthropic's)."""
COARSE_STEP_TOKENS = 256
"""The coarsest step seen in reported tokens (Moonshot, in public measurements)."""
DAY_SECONDS = 86_400
LONGEST_LIFETIME_SECONDS = DAY_SECONDS
"""Of any entry at any host here."""


@dataclass(frozen=True, kw_only=True, slots=True)
class HostCache:
    """How one host caches. ``host`` and ``says`` are for people."""

    host: str
    basis: Basis
    source: str
    """The page, with the date of its last change where it has one."""
    says: str
    """What it says, and what is taken where it doesn't."""
    rules: Rules
    unsent_rules: Rules
    """Of a rewritten prompt that wasn't sent."""
    lifetime_seconds: float | None
    """How long an entry that nobody reads lives; None where that isn't published."""

    @property
    def possible_rules(self) -> tuple[Rules, ...]:
        """What may hold, one for each lifetime that the host may have: a simulation shows the worst of them."""
        rules = self.rules
        if self.basis == "documented" or not isinstance(rules, AutomaticPrefixes):
            return (rules,)
        return tuple(replace(rules, retention_seconds=seconds) for seconds in POSSIBLE_SECONDS)


def cache_of(model: DeployedModel, *, is_marked: bool = True) -> HostCache:
    """How the model's host caches: documented rules, or the cautious ones of a host that publishes none.

    ``is_marked``: the call has marks; where both exist, Qwen's explicit cache is taken for those calls alone.
    """
    if model.takes_marks:
        return _claude(model.known_name, model.provider)
    if model.takes_block_marks and is_marked:
        return QWEN_EXPLICIT_CACHE
    if model.is_openai:
        return _openai(model)
    if "gemini" in model.known_name and model.provider in _GEMINI:
        return _gemini(model)
    return HOSTS.get(model.provider or "", UNKNOWN_HOST)


def rules_of(model: DeployedModel) -> Rules:
    """The rules of ``cache_of``."""
    return cache_of(model).rules


def _documented(host: str, source: str, says: str, rules: Rules, lifetime_seconds: float) -> HostCache:
    return HostCache(
        host=host,
        basis="documented",
        source=source,
        says=says,
        rules=rules,
        unsent_rules=rules,
        lifetime_seconds=lifetime_seconds,
    )


def _assumed(host: str, source: str, says: str, min_tokens: int | None = None) -> HostCache:
    """A host that caches by itself and doesn't publish for how long."""
    return HostCache(
        host=host,
        basis="assumed",
        source=source,
        says=says,
        rules=AutomaticPrefixes(
            min_tokens=min_tokens or FINE_TOKENS,
            interval_tokens=1,
            reported_step_tokens=1,
            retention_seconds=LONG_SECONDS,
        ),
        unsent_rules=AutomaticPrefixes(
            min_tokens=min_tokens or COARSE_MIN_TOKENS,
            interval_tokens=COARSE_STEP_TOKENS,
            reported_step_tokens=COARSE_STEP_TOKENS,
            retention_seconds=SHORT_SECONDS,
        ),
        lifetime_seconds=None,
    )


# Claude and OpenAI: the numbers are in ``rules``


@lru_cache(1_024)
def _claude(known_name: str, provider: str | None) -> HostCache:
    is_bedrock = provider in _BEDROCK
    rules = replace(anthropic_rules(known_name, is_bedrock=is_bedrock), joins_tool_runs=provider == ANTHROPIC)
    return _documented(
        "Claude on Bedrock" if is_bedrock else "Claude" if provider == ANTHROPIC else "Claude on other hosts",
        _CLAUDE_BEDROCK if is_bedrock else _CLAUDE,
        f"entries at up to 4 marks, from {rules.min_tokens:,} tokens, found from 20 positions behind; 5 minutes or an "
        "hour from the last use",
        rules,
        300,
    )


def _openai(model: DeployedModel) -> HostCache:
    rules = openai_rules(model.known_name)
    is_azure = model.provider == "azure"
    if isinstance(rules, AutomaticPrefixes):
        is_in_memory = rules.retention_seconds == OPENAI_IN_MEMORY_SECONDS
        lives = "5 to 10 minutes without use, of which 5 are taken" if is_in_memory else "around 30 minutes without use"
        return _documented(
            "Azure OpenAI" if is_azure else "OpenAI",
            _AZURE if is_azure else _OPENAI,
            f"the longest shared prefix from {rules.min_tokens:,} tokens on, in steps of {rules.interval_tokens:,}; "
            f"{lives}",
            rules,
            rules.retention_seconds,
        )
    return _documented(
        "Azure OpenAI, GPT-5.6 and later" if is_azure else "OpenAI, GPT-5.6 and later",
        _AZURE if is_azure else _OPENAI,
        "entries at the latest message's end and at explicit breakpoints; at least 30 minutes from the last use",
        rules,
        1_800,
    )


_BEDROCK = frozenset({"bedrock", "bedrock_converse"})
_CLAUDE = "platform.claude.com/docs/en/build-with-claude/prompt-caching (2026-11)"
_CLAUDE_BEDROCK = f"{_CLAUDE}; docs.aws.amazon.com/bedrock/latest/userguide, prompt-caching and model cards (2026-11)"
_OPENAI = "developers.openai.com/api/docs/guides/prompt-caching (2026-11)"
_AZURE = "learn.microsoft.com/azure/foundry/openai/how-to/prompt-caching (2026-11)"


# Gemini

_GEMINI = frozenset({"gemini", "vertex_ai"})
_GEMINI_PAGE = "ai.google.dev/gemini-api/docs/caching (2026-10-23)"
_VERTEX_PAGE = (
    "docs.cloud.google.com/gemini-enterprise-agent-platform/models/context-cache/context-cache-overview (2026-11)"
)
GEMINI_MIN_TOKENS = 4_096
"""``_GEMINI_PAGE``: Gemini 3.1 and later, 4 Argon. Of 3 Flash it said 1,024 in May, and nothing now."""
GEMINI_2_5_MIN_TOKENS = 2_048
"""``_GEMINI_PAGE``: Gemini 2.5 Flash and Pro; Vertex said the same of all models when its page still had a number."""


def _gemini(model: DeployedModel) -> HostCache:
    """Implicit caching. What marks make of it, explicit caches, is another thing and isn't modelled."""
    least = GEMINI_2_5_MIN_TOKENS if "gemini-2.5" in model.known_name else GEMINI_MIN_TOKENS
    if model.provider == "gemini":
        says = f"shared prefixes from {least:,} tokens on, sent “in a short amount of time”; no lifetime and no step"
        return _assumed("Gemini API, implicit", _GEMINI_PAGE, says, least)
    says = (
        f"shared prefixes from {least:,} tokens on (Gemini API's number); gone within 24 hours, most sooner, when "
        "memory is needed; no step"
    )
    return _assumed("Vertex AI, Gemini implicit", _VERTEX_PAGE, says, least)


# Qwen

_QWEN = "alibabacloud.com/help/en/model-studio/context-cache (2026-10-11)"
QWEN_EXPLICIT_CACHE = _documented(
    "Alibaba Model Studio, Qwen explicit",
    _QWEN,
    f"entries at up to 4 marks on blocks of messages, from {QWEN_MIN_TOKENS:,} tokens, found from 20 blocks behind; 5 "
    "minutes from the last use. A request with marks gets nothing from the implicit cache",
    MarkedPrefixes(min_tokens=QWEN_MIN_TOKENS, joins_tool_runs=False),
    300,
)
_QWEN_IMPLICIT = _assumed(
    "Alibaba Model Studio, implicit",
    _QWEN,
    "shared prefixes, from 1,024 tokens on (256 until the spring of 2026, which is taken); cleared when long unused; "
    "no step",
    256,
)

# Hosts that cache by themselves

DEEPSEEK = _documented(
    "DeepSeek",
    "api-docs.deepseek.com/guides/kv_cache (2026-11)",
    "on disk: whole prefixes, up to the ends of requests and of answers, and what two requests shared; units of 64 "
    "tokens (the page's earlier form); cleared “within a few hours to a few days” without use, of which a day is "
    "taken. What it stores at intervals inside long prompts isn't: it doesn't say where",
    StoredPrefixes(min_tokens=64, reported_step_tokens=64, retention_seconds=DAY_SECONDS),
    DAY_SECONDS,
)

_GROQ = AutomaticPrefixes(min_tokens=128, interval_tokens=1, reported_step_tokens=1, retention_seconds=LONG_SECONDS)
_MOONSHOT = AutomaticPrefixes(
    min_tokens=FINE_TOKENS, interval_tokens=1, reported_step_tokens=1, retention_seconds=SHORT_SECONDS
)

_BEDROCK_OTHERS = _assumed(
    "Bedrock, other models",
    "docs.aws.amazon.com/bedrock/latest/userguide/prompt-caching (2026-11)",
    "implicit caching of shared prefixes for some models; no lifetime, no minimum, no step. Nova's cache points get no "
    "marks of ours, and those of clients are accounted like implicit caching",
)

UNKNOWN_HOST = _assumed(
    "any other host", "none", "nothing: automatic prefixes, which inference servers have by default, are taken"
)

HOSTS: Mapping[str, HostCache] = {
    "deepseek": DEEPSEEK,
    **dict.fromkeys(sorted(QWEN_HOSTS), _QWEN_IMPLICIT),
    **dict.fromkeys(sorted(_BEDROCK), _BEDROCK_OTHERS),
    "groq": _documented(
        "Groq",
        "console.groq.com/docs/prompt-caching (2026-11)",
        "shared prefixes, from 128 to 1,024 tokens on by model, of which 128 is taken; gone after 2 hours without "
        "use; no step",
        _GROQ,
        LONG_SECONDS,
    ),
    "moonshot": _documented(
        "Moonshot",
        "forum.moonshot.ai/t/613, platform.kimi.ai (2026-11)",
        "shared prefixes, written by themselves for 5 minutes unless the request asks for an hour; no minimum, no step",
        _MOONSHOT,
        SHORT_SECONDS,
    ),
    "xai": _assumed(
        "xAI",
        "docs.x.ai/developers/advanced-api-usage/prompt-caching/best-practices (2026-11)",
        "shared prefixes, for each server; can be evicted at any time; no minimum, no step",
    ),
    "mistral": _assumed(
        "Mistral",
        "docs.mistral.ai/inference/conversations/advanced/prompt-caching (2026-11)",
        "shared prefixes from 64 tokens on; prompt_cache_key makes a hit likelier; no lifetime, no step",
        64,
    ),
    "zai": _assumed(
        "Z.AI (GLM)",
        "docs.z.ai/guides/capabilities/cache (2026-11)",
        "implicit, can't be switched off; no lifetime, no minimum, no step",
    ),
    "minimax": _assumed(
        "MiniMax, passive",
        "platform.minimax.io/docs/api-reference/text-prompt-caching (2026-11)",
        "shared prefixes from 512 tokens on; how long depends on the system's load; no step",
        512,
    ),
    "fireworks_ai": _assumed(
        "Fireworks",
        "docs.fireworks.ai/guides/prompt-caching (2026-11)",
        "shared prefixes, for each replica; usually at least several minutes; no minimum, no step",
    ),
    "openrouter": _assumed(
        "OpenRouter, but for marked Claude",
        "openrouter.ai/docs/guides/best-practices/prompt-caching (2026-11)",
        "what the host behind it does, which may change from call to call",
    ),
    "together_ai": _assumed(
        "Together",
        "docs.together.ai/docs/inference/chat/prompt-caching (2026-11)",
        "the longest shared prefix, for each server; best effort and short-lived; no minimum, no step",
    ),
}
"""By LiteLLM's name of the provider. For those that it doesn't have: ``UNKNOWN_HOST``."""

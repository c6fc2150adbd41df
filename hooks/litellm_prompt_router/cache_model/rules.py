"""The providers' documented caching rules, as data. Each number says where it comes from.

Sources, all checked 2026-11:

- CLAUDE: platform.claude.com/docs/en/build-with-claude/prompt-caching
- CLAUDE-SYSTEM: platform.claude.com/docs/en/build-with-claude/mid-conversation-system-messages
- OPENAI: developers.openai.com/api/docs/guides/prompt-caching
- OPENAI-201: developers.openai.com/cookbook/examples/prompt_caching_201
- BEDROCK: the models' cards in docs.aws.amazon.com/bedrock/latest/userguide, "Min tokens per cache checkpoint"
- MEASURED: github.com/anthropics/anthropic-sdk-python/issues/1194
- LITELLM: the model map that ships with LiteLLM 1.106 (``prompt_cache_min_tokens``,
  ``supports_mid_conversation_system``), where the provider's pages say nothing
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from litellm_prompt_router.cache_model.prompt_blocks import Lifetime

LIFETIME_SECONDS: dict[Lifetime, int] = {
    "5m": 300,  # CLAUDE: the default, from the start of the request that writes or reads the entry
    "30m": 1_800,  # OPENAI: the only ``prompt_cache_options.ttl``; a minimum, refreshed by reuse
    "1h": 3_600,  # CLAUDE
}

CLAUDE_MAX_MARKS = 4
"""CLAUDE: breakpoints in a request, the client's own included; a fifth is refused."""

CLAUDE_LOOKBACK_POSITIONS = 20
"""CLAUDE: at most 20 positions a breakpoint, the breakpoint itself being the first."""

CLAUDE_MIN_TOKENS = 1_024
"""CLAUDE: Opus 4.8, Sonnet 5, 4.5, and the Claude 4 models before them."""

CLAUDE_MIN_TOKENS_BY_NAME = (
    ("claude-opus-4-5", 4_096),  # CLAUDE
    ("claude-opus-4-6", 4_096),  # CLAUDE
    ("claude-haiku-4-5", 4_096),  # CLAUDE
    ("claude-opus-4-7", 2_048),  # CLAUDE; on Bedrock see below
    # MEASURED: no entry below 2,048, which CLAUDE said at first; since the spring of 2026 it says 1,024. For marks the
    # larger is cautious: none is spent where nothing may be written. For accounts either is: whole prompts are longer.
    ("claude-sonnet-4-6", 2_048),
    ("claude-mythos-preview", 2_048),  # CLAUDE; LITELLM has 512
    ("claude-3-5-haiku", 2_048),  # CLAUDE
    ("claude-3-haiku", 2_048),  # CLAUDE, before the model retired
    ("claude-opus-5", 512),  # CLAUDE; Opus 5.5 by LITELLM
    ("claude-sonnet-5-5", 512),  # LITELLM
    ("claude-haiku-5-5", 512),  # LITELLM
    ("claude-fable-5", 512),  # CLAUDE, 5.1 too
    ("claude-mythos-5", 512),  # CLAUDE, 5.1 too
)

BEDROCK_MIN_TOKENS_BY_NAME = (
    ("claude-opus-4-7", 4_096),  # BEDROCK
)
"""Where Bedrock's cards say more than CLAUDE; those of Opus 4.7, Fable 5.1 and Sonnet 4.5 were checked."""

CLAUDE_MID_SYSTEM = (
    "claude-opus-4-8",  # CLAUDE-SYSTEM
    "claude-opus-5",  # CLAUDE-SYSTEM, 5.5 too
    "claude-sonnet-5-5",  # CLAUDE-SYSTEM
    "claude-haiku-5-5",  # LITELLM
    "claude-fable-5",  # CLAUDE-SYSTEM, 5.1 too
    "claude-mythos-5",  # CLAUDE-SYSTEM, 5.1 too
)
"""Not Sonnet 5: CLAUDE and CLAUDE-SYSTEM say so in as many words. LITELLM flags it all the same."""

QWEN_MIN_TOKENS = 1_024
"""alibabacloud.com/help/en/model-studio/context-cache (2026-10-11): of explicit entries, and now of implicit ones."""

OPENAI_MIN_TOKENS = 1_024
"""OPENAI for GPT-5.6 and later; OPENAI-201 for those before, of which OPENAI says that it varies by settings."""

OPENAI_STEP_TOKENS = 128
"""OPENAI-201: matches in blocks of 128; OPENAI: reports of models before GPT-5.6 are rounded down to 128."""

GPT_5_5_INTERVAL_TOKENS = 2_048
"""OPENAI: where GPT-5.5 places its implicit breakpoints. Other earlier models: "model-dependent", unpublished."""

OPENAI_IN_MEMORY_SECONDS = 300
"""OPENAI: "around 5 to 10 minutes of inactivity, up to one hour": the short end."""

OPENAI_EXTENDED_SECONDS = 1_800
"""OPENAI: retention ``24h`` keeps entries "around 30 minutes", at most 24 hours."""


@dataclass(frozen=True, kw_only=True, slots=True)
class MarkedPrefixes:
    """Anthropic: an entry for each mark, read back at a mark or in the lookback before it."""

    min_tokens: int = CLAUDE_MIN_TOKENS
    lookback_positions: int = CLAUDE_LOOKBACK_POSITIONS
    joins_tool_runs: bool = True
    """CLAUDE: on the Claude API a run of ``tool_use`` blocks is one position, and so is one of ``tool_result``. Of
    other hosts nothing is said; the dearer reading is that there each block is one."""


@dataclass(frozen=True, kw_only=True, slots=True)
class AutomaticPrefixes:
    """OpenAI before GPT-5.6: the longest shared prefix, at fixed intervals; writing costs nothing extra."""

    min_tokens: int = OPENAI_MIN_TOKENS
    interval_tokens: int = OPENAI_STEP_TOKENS
    reported_step_tokens: int = OPENAI_STEP_TOKENS
    retention_seconds: int = OPENAI_IN_MEMORY_SECONDS


@dataclass(frozen=True, kw_only=True, slots=True)
class BreakpointPrefixes:
    """OpenAI from GPT-5.6: entries at the latest eligible message's end and at explicit breakpoints, exact."""

    min_tokens: int = OPENAI_MIN_TOKENS
    max_writes: int = 4
    """OPENAI: the implicit breakpoint takes one of them; of the explicit ones the latest are written."""
    first_explicit: int = 2
    """OPENAI: looked up, with the latest 50. The API reference says 80 in all; the guide is the more precise."""
    latest_explicit: int = 50
    earlier_endings: int = 20
    """OPENAI: ends of earlier eligible messages looked up in implicit mode."""


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredPrefixes:
    """DeepSeek: whole prefixes, kept on disk.

    A request stores the prefix up to its end and, with the answer, the one up to that answer's end; two requests that
    begin alike store what they share, for the third. A prefix is read whole or not at all (``host_caches``).
    """

    min_tokens: int
    reported_step_tokens: int
    retention_seconds: int


Rules = MarkedPrefixes | AutomaticPrefixes | BreakpointPrefixes | StoredPrefixes


def longest_lifetime_seconds(rules: Rules, marks: Iterable[Lifetime | None]) -> float:
    """How long an entry of a call lives that nobody reads, whatever stands at its marks."""
    match rules:
        case AutomaticPrefixes() | StoredPrefixes():
            return rules.retention_seconds
        case BreakpointPrefixes():
            return LIFETIME_SECONDS["30m"]
        case MarkedPrefixes():
            return max((LIFETIME_SECONDS[mark] for mark in marks if mark), default=0)


def anthropic_rules(model: str, *, is_bedrock: bool = False) -> MarkedPrefixes:
    """The rules of a Claude model by its name, with or without a provider and a date, in either spelling (``4.5``)."""
    dashed = model.replace(".", "-")
    table = (*CLAUDE_MIN_TOKENS_BY_NAME, *(BEDROCK_MIN_TOKENS_BY_NAME if is_bedrock else ()))
    fitting = [(len(name), tokens) for name, tokens in table if name in dashed]
    return MarkedPrefixes(
        min_tokens=max(fitting)[1] if fitting else CLAUDE_MIN_TOKENS,
        joins_tool_runs=model.startswith(("claude", "anthropic/")),
    )


def takes_mid_system(model: str) -> bool:
    """True where a Claude model takes ``system`` messages inside ``messages``."""
    return any(name in model for name in CLAUDE_MID_SYSTEM)


def openai_rules(model: str) -> AutomaticPrefixes | BreakpointPrefixes:
    """The rules of an OpenAI model by its name."""
    version = _gpt_version(model)
    if version >= (5, 6):
        return BreakpointPrefixes()
    if version == (5, 5):
        return AutomaticPrefixes(interval_tokens=GPT_5_5_INTERVAL_TOKENS, retention_seconds=OPENAI_EXTENDED_SECONDS)
    return AutomaticPrefixes()


def takes_breakpoints(model: str) -> bool:
    """True for GPT-5.6 and later: explicit breakpoints, and writes that are priced and reported (OPENAI)."""
    return _gpt_version(model) >= (5, 6)


def _gpt_version(model: str) -> tuple[int, int]:
    found = re.search(r"gpt-(\d+)(?:\.(\d+))?", model)
    return (int(found[1]), int(found[2] or 0)) if found else (0, 0)

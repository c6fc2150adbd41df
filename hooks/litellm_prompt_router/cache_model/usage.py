"""Token usage as LiteLLM or a provider reports it -> disjoint buckets.

LiteLLM's success event brings chat-shaped usage for every endpoint; the shapes of the providers themselves come in
answers of pass-through and captured traffic. What counts the cache how (all checked 2026-11):

- LiteLLM and OpenAI Chat: ``prompt_tokens`` holds all input; ``prompt_tokens_details`` tells of it what was read and
  written. GPT-5.6's priced writes are ``cache_write_tokens``, LiteLLM's name for others is ``cache_creation_tokens``
  (litellm_core_utils/llm_cost_calc/utils.py, ``parse_prompt_tokens_details``, 1.106).
- DeepSeek: ``prompt_tokens`` is the sum of ``prompt_cache_hit_tokens`` and ``prompt_cache_miss_tokens``.
- Anthropic and Bedrock Converse: input, reads and writes are disjoint already.
- OpenAI Responses: ``input_tokens`` holds all input, and its details say so.
- Gemini: ``promptTokenCount`` holds all input; thoughts come beside the candidates' tokens.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

MAX_TOKENS = 10**12
"""Of one call. A count beyond is no count of tokens."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Usage:
    """Tokens of one call in disjoint buckets; None where the provider reported nothing."""

    uncached_input_tokens: int
    cache_read_tokens: int
    cache_write_5m_tokens: int
    cache_write_1h_tokens: int
    output_tokens: int

    @property
    def cache_write_tokens(self) -> int:
        return self.cache_write_5m_tokens + self.cache_write_1h_tokens

    @property
    def input_tokens(self) -> int:
        return self.uncached_input_tokens + self.cache_read_tokens + self.cache_write_tokens


@dataclass(frozen=True, kw_only=True, slots=True)
class Kinds:
    """Tokens that may have prices of their own. Each count is part of one of the usage's buckets, not added to it."""

    audio_input_tokens: int = 0
    image_input_tokens: int = 0
    video_input_tokens: int = 0
    cached_audio_tokens: int = 0
    reasoning_tokens: int = 0
    audio_output_tokens: int = 0
    image_output_tokens: int = 0
    video_output_tokens: int = 0


NO_KINDS = Kinds()


def read_usage(raw: object) -> Usage | None:
    """Buckets from usage in any of the shapes above; None for other shapes and where totals are missing."""
    if raw is None:
        return None
    if _count(raw, "prompt_tokens") is not None:
        return _chat(raw)
    if _count(raw, "promptTokenCount") is not None:
        return _gemini(raw)
    if _count(raw, "inputTokens") is not None:
        return _converse(raw)
    if _get(raw, "input_tokens_details") is not None:
        return _responses(raw)
    return _anthropic(raw)


def read_kinds(raw: object, usage: Usage | None = None) -> Kinds:
    """Tokens of chat-shaped usage that aren't text, never more than the bucket that they are part of.

    ``usage``: what ``read_usage`` made of the same, where that is known.
    """
    usage = usage or read_usage(raw)
    if usage is None:
        return NO_KINDS
    prompt, completion = _get(raw, "prompt_tokens_details"), _get(raw, "completion_tokens_details")
    cached = _get(prompt, "cached_tokens_details")
    cached_audio = min(_count_or_0(cached, "audio_tokens"), usage.cache_read_tokens)
    cached_image = min(_count_or_0(cached, "image_tokens"), usage.cache_read_tokens - cached_audio)
    audio, image, video = _clipped(
        usage.uncached_input_tokens,
        _count_or_0(prompt, "audio_tokens") - cached_audio,
        _count_or_0(prompt, "image_tokens") - cached_image,
        _count_or_0(prompt, "video_tokens"),
    )
    reasoning, audio_out, image_out, video_out = _clipped(
        usage.output_tokens,
        *(
            _count_or_0(completion, name)
            for name in ("reasoning_tokens", "audio_tokens", "image_tokens", "video_tokens")
        ),
    )
    return Kinds(
        audio_input_tokens=audio,
        image_input_tokens=image,
        video_input_tokens=video,
        cached_audio_tokens=cached_audio,
        reasoning_tokens=reasoning,
        audio_output_tokens=audio_out,
        image_output_tokens=image_out,
        video_output_tokens=video_out,
    )


def _clipped(budget: int, *counts: int) -> list[int]:
    """The counts, each cut down to what the ones before it leave of the budget."""
    kept = []
    for count in counts:
        kept.append(min(max(0, count), budget))
        budget -= kept[-1]
    return kept


# The shapes


def _chat(raw: object) -> Usage | None:
    prompt, output = _count(raw, "prompt_tokens"), _count(raw, "completion_tokens")
    if prompt is None or output is None:
        return None
    details = _get(raw, "prompt_tokens_details")
    read = (
        _count(raw, "cache_read_input_tokens")
        or _count(details, "cached_tokens")
        or _count(raw, "prompt_cache_hit_tokens")
        or 0
    )
    write = (
        _count(raw, "cache_creation_input_tokens")
        or _count(details, "cache_write_tokens")
        or _count(details, "cache_creation_tokens")
        or 0
    )
    hour = _count_or_0(_get(details, "cache_creation_token_details"), "ephemeral_1h_input_tokens")
    return _usage(prompt - read - write, read, write, hour, output)


def _responses(raw: object) -> Usage | None:
    prompt, output = _count(raw, "input_tokens"), _count(raw, "output_tokens")
    if prompt is None or output is None:
        return None
    details = _get(raw, "input_tokens_details")
    read, write = _count_or_0(details, "cached_tokens"), _count_or_0(details, "cache_write_tokens")
    return _usage(prompt - read - write, read, write, 0, output)


def _anthropic(raw: object) -> Usage | None:
    uncached, output = _count(raw, "input_tokens"), _count(raw, "output_tokens")
    if uncached is None or output is None:
        return None
    by_ttl = _get(raw, "cache_creation")
    hour = _count_or_0(by_ttl, "ephemeral_1h_input_tokens")
    write = _count(raw, "cache_creation_input_tokens") or _count_or_0(by_ttl, "ephemeral_5m_input_tokens") + hour
    return _usage(uncached, _count_or_0(raw, "cache_read_input_tokens"), write, hour, output)


def _converse(raw: object) -> Usage | None:
    uncached, output = _count(raw, "inputTokens"), _count(raw, "outputTokens")
    if uncached is None or output is None:
        return None
    details = _get(raw, "cacheDetails")
    hour = sum(
        _count_or_0(part, "inputTokens")
        for part in (details if isinstance(details, list) else ())
        if _get(part, "ttl") == "1h"
    )
    return _usage(
        uncached, _count_or_0(raw, "cacheReadInputTokens"), _count_or_0(raw, "cacheWriteInputTokens"), hour, output
    )


def _gemini(raw: object) -> Usage:
    read = _count_or_0(raw, "cachedContentTokenCount")
    prompt = _count_or_0(raw, "promptTokenCount") + _count_or_0(raw, "toolUsePromptTokenCount")
    output = _count_or_0(raw, "candidatesTokenCount") + _count_or_0(raw, "thoughtsTokenCount")
    return _usage(prompt - read, read, 0, 0, output)


def _usage(uncached: int, read: int, write: int, hour: int, output: int) -> Usage:
    hour = min(write, hour)
    return Usage(
        uncached_input_tokens=max(0, uncached),
        cache_read_tokens=read,
        cache_write_5m_tokens=write - hour,
        cache_write_1h_tokens=hour,
        output_tokens=output,
    )


def _get(holder: object, name: str) -> Any:
    return holder.get(name) if isinstance(holder, dict) else getattr(holder, name, None)


def _count(holder: object, name: str) -> int | None:
    value = _get(holder, name)
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_TOKENS else None


def _count_or_0(holder: object, name: str) -> int:
    """A count; 0 where there is none."""
    return _count(holder, name) or 0

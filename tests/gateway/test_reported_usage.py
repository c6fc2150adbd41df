"""Usage in every provider's shape, read into buckets that share no token."""

from __future__ import annotations

from dataclasses import astuple
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from litellm_prompt_router.cache_model.usage import read_kinds, read_usage

SHAPES: dict[str, tuple[dict[str, Any], tuple[int, ...]]] = {
    "openai": (
        {
            "prompt_tokens": 2_000,
            "completion_tokens": 300,
            "prompt_tokens_details": {"cached_tokens": 1_024, "audio_tokens": 100},
            "completion_tokens_details": {"reasoning_tokens": 200, "audio_tokens": 0},
        },
        (976, 1_024, 0, 0, 300),
    ),
    "openai with priced writes": (
        {
            "prompt_tokens": 5_000,
            "completion_tokens": 10,
            "prompt_tokens_details": {"cached_tokens": 1_000, "cache_write_tokens": 3_500},
        },
        (500, 1_000, 3_500, 0, 10),
    ),
    "anthropic through litellm": (
        {
            "prompt_tokens": 9_000,
            "completion_tokens": 50,
            "cache_read_input_tokens": 4_000,
            "cache_creation_input_tokens": 3_000,
            "prompt_tokens_details": {
                "cached_tokens": 4_000,
                "cache_creation_tokens": 3_000,
                "cache_creation_token_details": {
                    "ephemeral_5m_input_tokens": 1_000,
                    "ephemeral_1h_input_tokens": 2_000,
                },
            },
        },
        (2_000, 4_000, 1_000, 2_000, 50),
    ),
    "anthropic": (
        {
            "input_tokens": 2_000,
            "output_tokens": 50,
            "cache_read_input_tokens": 4_000,
            "cache_creation_input_tokens": 3_000,
            "cache_creation": {"ephemeral_5m_input_tokens": 1_000, "ephemeral_1h_input_tokens": 2_000},
        },
        (2_000, 4_000, 1_000, 2_000, 50),
    ),
    "bedrock": (
        {
            "inputTokens": 20,
            "outputTokens": 5,
            "totalTokens": 125,
            "cacheReadInputTokens": 60,
            "cacheWriteInputTokens": 40,
            "cacheDetails": [{"ttl": "1h", "inputTokens": 30}, {"ttl": "5m", "inputTokens": 10}],
        },
        (20, 60, 10, 30, 5),
    ),
    "gemini": (
        {
            "promptTokenCount": 1_000,
            "cachedContentTokenCount": 800,
            "candidatesTokenCount": 30,
            "thoughtsTokenCount": 70,
        },
        (200, 800, 0, 0, 100),
    ),
    "deepseek": (
        {
            "prompt_tokens": 700,
            "completion_tokens": 9,
            "prompt_cache_hit_tokens": 640,
            "prompt_cache_miss_tokens": 60,
        },
        (60, 640, 0, 0, 9),
    ),
    "openai responses": (
        {
            "input_tokens": 700,
            "output_tokens": 9,
            "input_tokens_details": {"cached_tokens": 640},
            "output_tokens_details": {"reasoning_tokens": 8},
        },
        (60, 640, 0, 0, 9),
    ),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_buckets_of_every_shape(shape: str) -> None:
    raw, buckets = SHAPES[shape]
    usage = read_usage(raw)
    assert usage is not None
    assert astuple(usage) == buckets


@pytest.mark.parametrize("raw", [None, {}, {"prompt_tokens": 1}, {"input_tokens": True, "output_tokens": 1}, "7", 7])
def test_what_tells_no_totals_is_no_usage(raw: object) -> None:
    assert read_usage(raw) is None


def test_kinds_are_part_of_their_buckets() -> None:
    kinds = read_kinds(SHAPES["openai"][0])
    assert (kinds.audio_input_tokens, kinds.reasoning_tokens) == (100, 200)


COUNTS = st.integers(0, 10_000)


@given(COUNTS, COUNTS, COUNTS, COUNTS, COUNTS, COUNTS, COUNTS)
def test_no_token_is_counted_twice(
    prompt: int, cached: int, audio: int, image: int, cached_audio: int, output: int, reasoning: int
) -> None:
    """Whatever overlaps a provider reports, kinds fit into what they are part of, and buckets into the total."""
    raw = {
        "prompt_tokens": prompt,
        "completion_tokens": output,
        "prompt_tokens_details": {
            "cached_tokens": min(cached, prompt),
            "audio_tokens": audio,
            "image_tokens": image,
            "cached_tokens_details": {"audio_tokens": cached_audio},
        },
        "completion_tokens_details": {"reasoning_tokens": reasoning, "audio_tokens": audio},
    }
    usage, kinds = read_usage(raw), read_kinds(raw)
    assert usage is not None
    assert usage.input_tokens == prompt
    assert kinds.audio_input_tokens + kinds.image_input_tokens <= usage.uncached_input_tokens
    assert kinds.cached_audio_tokens <= usage.cache_read_tokens
    assert kinds.reasoning_tokens + kinds.audio_output_tokens <= usage.output_tokens

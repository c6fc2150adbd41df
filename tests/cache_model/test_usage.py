"""Usage in disjoint buckets, from the shapes that LiteLLM reports."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from litellm_prompt_router.cache_model.usage import Usage, read_usage


def buckets(uncached: int, read: int, write_5m: int, write_1h: int, output: int) -> Usage:
    return Usage(
        uncached_input_tokens=uncached,
        cache_read_tokens=read,
        cache_write_5m_tokens=write_5m,
        cache_write_1h_tokens=write_1h,
        output_tokens=output,
    )


KNOWN: dict[str, tuple[dict[str, Any], Usage]] = {
    "no cache": ({"prompt_tokens": 100, "completion_tokens": 7}, buckets(100, 0, 0, 0, 7)),
    "OpenAI": (
        {"prompt_tokens": 100, "completion_tokens": 7, "prompt_tokens_details": {"cached_tokens": 64}},
        buckets(36, 64, 0, 0, 7),
    ),
    "Anthropic": (
        {
            "prompt_tokens": 1000,
            "completion_tokens": 7,
            "cache_read_input_tokens": 600,
            "cache_creation_input_tokens": 300,
            "prompt_tokens_details": {"cached_tokens": 600, "cache_creation_tokens": 300},
        },
        buckets(100, 600, 300, 0, 7),
    ),
    "writes of both lifetimes": (
        {
            "prompt_tokens": 1000,
            "completion_tokens": 7,
            "cache_creation_input_tokens": 300,
            "prompt_tokens_details": {
                "cache_creation_token_details": {"ephemeral_5m_input_tokens": 100, "ephemeral_1h_input_tokens": 200}
            },
        },
        buckets(700, 0, 100, 200, 7),
    ),
    "writes in the details only": (
        {"prompt_tokens": 50, "completion_tokens": 0, "prompt_tokens_details": {"cache_creation_tokens": 20}},
        buckets(30, 0, 20, 0, 0),
    ),
    "zeros": ({"prompt_tokens": 0, "completion_tokens": 0}, buckets(0, 0, 0, 0, 0)),
    "nulls beside": (
        {"prompt_tokens": 9, "completion_tokens": 1, "cache_read_input_tokens": None, "prompt_tokens_details": None},
        buckets(9, 0, 0, 0, 1),
    ),
}


def as_object(value: Any) -> Any:
    return SimpleNamespace(**{k: as_object(v) for k, v in value.items()}) if isinstance(value, dict) else value


@pytest.mark.parametrize("form", [dict, as_object], ids=["dict", "object"])
@pytest.mark.parametrize(("raw", "expected"), KNOWN.values(), ids=KNOWN.keys())
def test_buckets_are_disjoint_and_sum_to_what_was_reported(raw: dict[str, Any], expected: Usage, form: Any) -> None:
    usage = read_usage(form(raw))
    assert usage == expected
    assert usage is not None
    assert usage.input_tokens == raw["prompt_tokens"]


@pytest.mark.parametrize(
    "raw",
    [
        None,
        {},
        {"prompt_tokens": 5},
        {"completion_tokens": 5},
        {"prompt_tokens": None, "completion_tokens": 5},
        {"prompt_tokens": "5", "completion_tokens": 5},
        {"prompt_tokens": True, "completion_tokens": 5},
        {"prompt_tokens": -1, "completion_tokens": 5},
        "usage",
        7,
    ],
)
def test_unknown_usage_is_none_and_not_zero(raw: object) -> None:
    assert read_usage(raw) is None

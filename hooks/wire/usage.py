"""Token usage as LiteLLM reports it -> disjoint buckets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True, slots=True)
class Usage:
    """Tokens of one call in disjoint buckets; None where the provider reported nothing."""

    uncached_input_tokens: int
    cache_read_tokens: int
    cache_write_5m_tokens: int
    cache_write_1h_tokens: int
    output_tokens: int

    @property
    def input_tokens(self) -> int:
        return (
            self.uncached_input_tokens
            + self.cache_read_tokens
            + self.cache_write_5m_tokens
            + self.cache_write_1h_tokens
        )


def read_usage(raw: object) -> Usage | None:
    """Buckets from LiteLLM's chat-shaped usage, where ``prompt_tokens`` includes all cached tokens."""
    if raw is None:
        return None
    prompt = _count(raw, "prompt_tokens")
    output = _count(raw, "completion_tokens")
    if prompt is None or output is None:
        return None
    details = _get(raw, "prompt_tokens_details")
    read = _count(raw, "cache_read_input_tokens") or _count(details, "cached_tokens") or 0
    write = _count(raw, "cache_creation_input_tokens") or _count(details, "cache_creation_tokens") or 0
    by_ttl = _get(details, "cache_creation_token_details")
    hour = min(write, _count(by_ttl, "ephemeral_1h_input_tokens") or 0)
    return Usage(
        uncached_input_tokens=max(0, prompt - read - write),
        cache_read_tokens=read,
        cache_write_5m_tokens=write - hour,
        cache_write_1h_tokens=hour,
        output_tokens=output,
    )


def _get(holder: object, name: str) -> Any:
    return holder.get(name) if isinstance(holder, dict) else getattr(holder, name, None)


def _count(holder: object, name: str) -> int | None:
    value = _get(holder, name)
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None

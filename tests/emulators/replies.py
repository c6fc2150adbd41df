"""What a provider is scripted to say, in no provider's shape."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, kw_only=True, slots=True)
class Usage:
    """Disjoint token buckets that a provider reports."""

    uncached_input_tokens: int = 100
    cache_read_tokens: int = 0
    cache_write_5m_tokens: int = 0
    cache_write_1h_tokens: int = 0
    output_tokens: int = 7
    searches: int | None = None
    """Searches that the provider made itself; None: its usage says nothing of such."""

    @property
    def cache_write_tokens(self) -> int:
        return self.cache_write_5m_tokens + self.cache_write_1h_tokens

    @property
    def input_tokens(self) -> int:
        """The whole prompt, cached or not."""
        return self.uncached_input_tokens + self.cache_read_tokens + self.cache_write_tokens


@dataclass(frozen=True, kw_only=True, slots=True)
class Text:
    """An assistant message. ``usage`` overrides the emulator's own for this reply."""

    text: str
    delay_seconds: float = 0.0
    usage: Usage | None = None
    tells_usage: bool = True
    """False of a stream that ends without usage though it was asked for."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ToolCall:
    """An assistant message that is one tool call and no text."""

    name: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    id: str = "toolu_01emulated"
    delay_seconds: float = 0.0
    usage: Usage | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class HttpError:
    """An HTTP error in the provider's own shape."""

    status: int
    message: str = "scripted error"
    headers: Mapping[str, str] = field(default_factory=dict)
    delay_seconds: float = 0.0


Reply = Text | ToolCall | HttpError


def split_pieces(text: str) -> tuple[str, ...]:
    """``text`` in the pieces that a stream sends; joined they are ``text``."""
    return tuple(re.findall(r"\s*\S+\s*$|\s*\S+|\s+", text)) or ("",)

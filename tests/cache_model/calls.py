"""Short ways to write down calls and what they are billed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from litellm_prompt_router.cache_model import Block, BlockReader, PrefixCache, Rules
from litellm_prompt_router.cache_model.prompt_blocks import Lifetime, Run, Section
from litellm_prompt_router.cache_model.usage import Usage


def block(
    name: str,
    tokens: int,
    mark: Lifetime | None = None,
    *,
    run: Run | None = None,
    section: Section = "messages",
    is_ending: bool = False,
) -> Block:
    """A block whose content is ``name``."""
    return Block(int.from_bytes(name.encode()), tokens, mark, section, run, is_ending)


def filler(count: int, *, start: int = 0, tokens: int = 100, run: Run | None = None) -> list[Block]:
    """``count`` blocks of a history, numbered from ``start``."""
    return [block(f"h{number}", tokens, run=run) for number in range(start, start + count)]


def marked_at(blocks: list[Block], *positions: int, mark: Lifetime = "5m") -> list[Block]:
    """``blocks`` with marks at these 1-based positions."""
    return [b._replace(mark=mark) if n in positions else b for n, b in enumerate(blocks, 1)]


class Call(NamedTuple):
    """A call and the buckets it has to be billed: uncached, read, 5-minute (or only) write, 1-hour write."""

    at_seconds: float
    blocks: list[Block]
    billed: tuple[int, int, int, int]
    scope: str = ""
    first_token_seconds: float = 0.0


def buckets(usage: Usage) -> tuple[int, int, int, int]:
    return (
        usage.uncached_input_tokens,
        usage.cache_read_tokens,
        usage.cache_write_5m_tokens,
        usage.cache_write_1h_tokens,
    )


def replay(rules: Rules, calls: list[Call]) -> list[tuple[int, int, int, int]]:
    """What each call is billed, one after the other."""
    cache = PrefixCache(rules)
    return [
        buckets(
            cache.account(call.blocks, call.at_seconds, scope=call.scope, first_token_seconds=call.first_token_seconds)
        )
        for call in calls
    ]


def count_words(text: str) -> int:
    """A token counter for tests: one word, one token."""
    return len(text.split())


def words(count: int, word: str = "word") -> str:
    return " ".join(f"{word}{number}" for number in range(count))


def text(content: str, mark: dict[str, str] | None = None) -> dict[str, Any]:
    return {"type": "text", "text": content} | ({"cache_control": mark} if mark else {})


def anthropic_blocks(body: Mapping[str, Any], count_tokens: Callable[[str], int]) -> tuple[Block, ...]:
    """The blocks of an Anthropic Messages body."""
    return BlockReader(count_tokens).anthropic(body)


def openai_blocks(body: Mapping[str, Any], count_tokens: Callable[[str], int]) -> tuple[Block, ...]:
    """The blocks of an OpenAI Chat body."""
    return BlockReader(count_tokens).openai(body)

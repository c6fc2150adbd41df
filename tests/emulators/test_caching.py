"""Anthropic's rules over HTTP, one row each; cache_model/rules.py says where each is documented."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.cache_model.calls import count_words, text, words
from tests.emulators.caching import TIME_HEADER, EmulatedCache
from tests.emulators.upstream import Upstream

FIVE = {"type": "ephemeral"}
HOUR = {"type": "ephemeral", "ttl": "1h"}
CLAUDE, HAIKU = "claude-sonnet-4-5", "claude-haiku-4-5"
FRAMING = 4
LONG = 2_000
HEAD = LONG + FRAMING
PROMPT = words(LONG)

Body = dict[str, Any]
Billed = tuple[int, int, int, int]
"""Uncached, read, written for 5 minutes, written for an hour: the usage fields of the answer."""


@pytest.fixture
def provider() -> Iterator[Upstream]:
    with Upstream(caching=EmulatedCache(count_tokens=count_words)) as upstream:
        yield upstream


def asked(provider: Upstream, body: Body, *, at_seconds: float = 0.0, key: str = "k") -> Billed:
    headers = {"x-api-key": key, TIME_HEADER: str(at_seconds)}
    with httpx.Client(base_url=provider.url, trust_env=False) as client:
        usage = client.post("/v1/messages", json={"model": CLAUDE, "max_tokens": 16, **body}, headers=headers).json()[
            "usage"
        ]
    by_lifetime = usage["cache_creation"]
    written = (by_lifetime["ephemeral_5m_input_tokens"], by_lifetime["ephemeral_1h_input_tokens"])
    assert usage["cache_creation_input_tokens"] == sum(written)
    return (usage["input_tokens"], usage["cache_read_input_tokens"], *written)


def said(*content: Any, role: str = "user") -> Body:
    return {"role": role, "content": list(content)}


def history(blocks: int, mark: Any = FIVE) -> list[Body]:
    """Messages of one one-word block each, the last one marked."""
    roles = ("user", "assistant")
    messages = [said(text(f"w{n}"), role=roles[n % 2]) for n in range(blocks)]
    messages[-1] = said(text(f"w{blocks - 1}", mark), role=messages[-1]["role"])
    return messages


TOOL = {"name": "look", "description": "Finds.", "input_schema": {"type": "object"}}
TOOL_TOKENS = 3 + FRAMING  # name, description, schema: one word each
SYSTEM = [text(PROMPT, FIVE)]
ASK = [said(text("a"))]
WORD = 1 + FRAMING

ROWS = [
    pytest.param(
        {"tools": [TOOL], "system": SYSTEM, "messages": ASK},
        {"tools": [TOOL | {"description": "Seeks."}], "system": SYSTEM, "messages": ASK},
        (WORD, 0, HEAD + TOOL_TOKENS, 0),
        id="a-changed-tool-comes-before-everything",
    ),
    pytest.param(
        {"tools": [TOOL], "system": SYSTEM, "messages": ASK},
        {"tools": [TOOL], "system": SYSTEM, "messages": [said(text("b"))]},
        (WORD, HEAD + TOOL_TOKENS, 0, 0),
        id="a-changed-message-comes-last",
    ),
    pytest.param(
        {"system": [text("x", FIVE), text(PROMPT, FIVE)], "messages": ASK},
        {"system": [text("y", FIVE), text(PROMPT, FIVE)], "messages": ASK},
        (WORD, 0, HEAD + WORD, 0),
        id="a-changed-block-changes-the-prefix",
    ),
    pytest.param(
        {"system": [text(PROMPT)], "messages": ASK},
        {"system": [text(PROMPT)], "messages": ASK},
        (HEAD + WORD, 0, 0, 0),
        id="nothing-is-cached-unmarked",
    ),
    pytest.param(
        {"model": HAIKU, "system": SYSTEM, "messages": ASK},
        {"model": HAIKU, "system": SYSTEM, "messages": ASK},
        (HEAD + WORD, 0, 0, 0),
        id="haiku-wants-4096-tokens",
    ),
    pytest.param(
        {"system": [text(PROMPT)], "messages": history(1)},
        {"system": [text(PROMPT)], "messages": history(20)},
        (0, HEAD + WORD, 19 * WORD, 0),
        id="the-20th-block-is-looked-at",
    ),
    pytest.param(
        {"system": [text(PROMPT)], "messages": history(1)},
        {"system": [text(PROMPT)], "messages": history(21)},
        (0, 0, HEAD + 21 * WORD, 0),
        id="the-21st-is-not",
    ),
    pytest.param(
        {"system": [text(PROMPT, HOUR)], "messages": history(1)},
        {"system": [text(PROMPT, HOUR)], "messages": history(3)},
        (0, HEAD + WORD, 2 * WORD, 0),
        id="an-hour-and-five-minutes",
    ),
    pytest.param(
        {"system": [text(PROMPT)], "messages": ASK, "cache_control": HOUR},
        {"system": [text(PROMPT)], "messages": [*ASK, said(text("b"), role="assistant")], "cache_control": HOUR},
        (0, HEAD + WORD, 0, WORD),
        id="the-automatic-mark-moves",
    ),
]


@pytest.mark.parametrize(("first", "second", "billed"), ROWS)
def test_second_call(provider: Upstream, first: Body, second: Body, billed: Billed) -> None:
    """What the second of two calls is billed."""
    asked(provider, first)
    assert asked(provider, second, at_seconds=1) == billed


@pytest.mark.parametrize(("mark", "lifetime"), [(FIVE, 300), (HOUR, 3_600)])
def test_lifetime_runs_from_the_latest_use(provider: Upstream, mark: Any, lifetime: float) -> None:
    """Each read starts it anew; at its end the entry is gone."""
    body = {"system": [text(PROMPT, mark)], "messages": ASK}
    times = [0.0, lifetime - 1, 2 * lifetime - 2, 3 * lifetime - 2]
    read = [asked(provider, body, at_seconds=at)[1] for at in times]
    assert read == [0, HEAD, HEAD, 0]


def test_each_key_has_its_own_time(provider: Upstream) -> None:
    """Requests of one key neither see another's entries nor push its clock."""
    body = {"system": SYSTEM, "messages": ASK}
    read = [
        asked(provider, body, at_seconds=at, key=key)[1]
        for key, at in (("a", 1_000), ("b", 0), ("a", 1_299), ("b", 299), ("b", 599))
    ]
    assert read == [0, 0, HEAD, HEAD, 0]

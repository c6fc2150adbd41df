"""The emulated providers' caches, through real SDK clients, and through the real proxy."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import anthropic
import httpx
import openai
import pytest
from openai.types.chat import ChatCompletion

from litellm_prompt_router.cache_model import (
    PrefixCache,
    anthropic_rules,
    openai_rules,
)
from litellm_prompt_router.cache_model.usage import read_usage
from tests.cache_model.calls import anthropic_blocks, buckets, count_words, openai_blocks, text, words
from tests.emulators.caching import TIME_HEADER, EmulatedCache, VirtualClock
from tests.emulators.two_keys import TwoKeyProxy, anthropic_client, openai_client
from tests.emulators.upstream import HttpError, Text, Upstream, Usage

FIVE = {"type": "ephemeral"}
HOUR = {"type": "ephemeral", "ttl": "1h"}
LONG = words(5_000)
CLAUDE = "claude-opus-5"
OLD_CLAUDE = "claude-sonnet-4-6"
FRAMING = 4


@pytest.fixture
def caching() -> EmulatedCache:
    return EmulatedCache(count_tokens=count_words)


@pytest.fixture
def provider(caching: EmulatedCache) -> Iterator[Upstream]:
    with Upstream(caching=caching) as upstream:
        yield upstream


def ask_claude(client: anthropic.Anthropic, *messages: Any, system: Any = None, **more: Any) -> dict[str, Any]:
    """The usage of a whole reply."""
    body: dict[str, Any] = {"model": CLAUDE, "max_tokens": 16, "messages": list(messages)} | more
    message: anthropic.types.Message = client.messages.create(system=system or [text(LONG, FIVE)], **body)
    return message.usage.model_dump(exclude_none=True)


def ask_gpt(client: openai.OpenAI, model: str, *messages: Any, **more: Any) -> dict[str, Any]:
    completion: ChatCompletion = client.chat.completions.create(model=model, messages=list(messages), **more)
    assert completion.usage is not None
    return completion.usage.model_dump(exclude_none=True)


def user(content: Any) -> dict[str, Any]:
    return {"role": "user", "content": content}


def system(content: Any) -> dict[str, Any]:
    return {"role": "system", "content": content}


def claude_usage(uncached: int, read: int, write_5m: int, write_1h: int = 0) -> dict[str, Any]:
    return {
        "input_tokens": uncached,
        "cache_read_input_tokens": read,
        "cache_creation_input_tokens": write_5m + write_1h,
        "cache_creation": {"ephemeral_5m_input_tokens": write_5m, "ephemeral_1h_input_tokens": write_1h},
        "output_tokens": 7,
    }


def test_anthropic_usage_over_time(provider: Upstream, caching: EmulatedCache) -> None:
    """Written, read, refreshed, gone: the usage fields that Anthropic's SDK reads."""
    with anthropic_client(provider.url, "k") as client:
        seen = []
        for seconds in (0, 200, 200, 300):
            caching.clock.advance(seconds)
            seen.append(ask_claude(client, user("one two three")))
    prefix = 5_000 + FRAMING
    written, read = claude_usage(3 + FRAMING, 0, prefix), claude_usage(3 + FRAMING, prefix, 0)
    assert seen == [written, read, read, written]
    assert [entry.at_seconds for entry in caching.accounted] == [0, 200, 400, 700]


def test_anthropic_lifetimes_and_stream(provider: Upstream, caching: EmulatedCache) -> None:
    """Five minutes and an hour apart, in a stream's first event."""
    with anthropic_client(provider.url, "k") as client:
        for expected in (
            claude_usage(0, 0, 2 + FRAMING, 5_000 + FRAMING),
            claude_usage(0, 5_000 + FRAMING, 2 + FRAMING),
        ):
            with client.messages.stream(
                model=CLAUDE,
                max_tokens=16,
                system=[{"type": "text", "text": LONG, "cache_control": {"type": "ephemeral", "ttl": "1h"}}],
                messages=[
                    {
                        "role": "user",
                        "content": [{"type": "text", "text": "a b", "cache_control": {"type": "ephemeral"}}],
                    }
                ],
            ) as stream:
                assert stream.get_final_message().usage.model_dump(exclude_none=True) == expected
            caching.clock.advance(400)


def test_openai_usage(provider: Upstream) -> None:
    """Before GPT-5.6 reads are rounded to 128 and writes unreported; from then on both are exact."""
    first, second = [system(LONG), user("a b")], [system(LONG), user("a b"), user("c d")]
    with openai_client(provider.url, "k") as client:
        old = [ask_gpt(client, "gpt-4.1", *messages) for messages in (first, second)]
        new = [ask_gpt(client, "gpt-5.6", *messages) for messages in (first, second)]
    total = 5_000 + 2 + 2 * FRAMING
    assert [usage["prompt_tokens"] for usage in old] == [total, total + 2 + FRAMING]
    assert [usage["prompt_tokens_details"] for usage in old] == [
        {"cached_tokens": 0, "audio_tokens": 0},
        {"cached_tokens": total - total % 128, "audio_tokens": 0},
    ]
    assert [usage["prompt_tokens_details"] for usage in new] == [
        {"cached_tokens": 0, "audio_tokens": 0, "cache_write_tokens": total},
        {"cached_tokens": total, "audio_tokens": 0, "cache_write_tokens": 2 + FRAMING},
    ]


def test_keys_and_models_share_nothing(provider: Upstream) -> None:
    """A cache belongs to a model, an API key, and with OpenAI a ``prompt_cache_key``."""
    reads = []
    for key in ("k1", "k2", "k1"):
        with anthropic_client(provider.url, key) as client:
            reads.append(ask_claude(client, user("a"))["cache_read_input_tokens"] > 0)
            reads.append(ask_claude(client, user("a"), model=OLD_CLAUDE)["cache_read_input_tokens"] > 0)
    assert reads == [False, False, False, False, True, True]
    with openai_client(provider.url, "k") as gpt:
        cached = [
            ask_gpt(gpt, "gpt-4.1", system(LONG), **more)["prompt_tokens_details"]["cached_tokens"] > 0
            for more in ({}, {"prompt_cache_key": "a"}, {"prompt_cache_key": "a"}, {})
        ]
    assert cached == [False, False, True, True]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        pytest.param(
            {"model": OLD_CLAUDE, "messages": [user("a"), system("b")]},
            "role 'system' is not supported on this model",
            id="mid-conversation-system",
        ),
        pytest.param(
            {"system": [text(LONG, FIVE), text("b", HOUR)]},
            "system.1.cache_control.ttl: a ttl='1h' cache_control block must not come after",
            id="lifetimes-out-of-order",
        ),
        pytest.param({"system": [text(LONG, FIVE)] * 5}, "A maximum of 4 blocks with cache_control", id="a-fifth-mark"),
        pytest.param({"system": [text("", FIVE)]}, "cache_control cannot be set for empty text", id="empty"),
    ],
)
def test_a_refusal_caches_nothing(
    provider: Upstream, caching: EmulatedCache, change: dict[str, Any], message: str
) -> None:
    """A refused request is recorded, takes no reply from the script, and leaves no entry."""
    provider.script("Accepted.")
    body: dict[str, Any] = {"model": CLAUDE, "max_tokens": 16, "system": [text(LONG, FIVE)], "messages": [user("a")]}
    with anthropic_client(provider.url, "k") as client:
        with pytest.raises(anthropic.BadRequestError) as error:
            client.messages.create(**(body | change))
        assert message in error.value.message
        reply = client.messages.create(**body)
    assert reply.content[0].type == "text"
    assert reply.content[0].text == "Accepted."
    assert reply.usage.cache_read_input_tokens == 0
    assert len(provider.requests) == 2
    assert len(caching.accounted) == 1


def test_mid_conversation_system_where_it_is_taken(provider: Upstream, caching: EmulatedCache) -> None:
    """A supporting model takes it, and which models do can be set."""
    messages = [user("a"), system("b")]
    caching.takes_mid_system = lambda model: model in (CLAUDE, OLD_CLAUDE)
    with anthropic_client(provider.url, "k") as client:
        for model in (CLAUDE, OLD_CLAUDE):
            assert ask_claude(client, *messages, model=model)["cache_creation_input_tokens"] > 5_000


def test_breakpoints_before_gpt_5_6(provider: Upstream) -> None:
    """OpenAI's refusal has OpenAI's shape."""
    with (
        openai_client(provider.url, "k") as client,
        pytest.raises(openai.BadRequestError, match="prompt_cache_options"),
    ):
        ask_gpt(client, "gpt-4.1", user("a"), extra_body={"prompt_cache_options": {"mode": "explicit"}})


def test_an_error_caches_nothing(provider: Upstream, caching: EmulatedCache) -> None:
    """A reply that failed wrote no entry; one that was scripted with its own usage did."""
    scripted = Usage(uncached_input_tokens=1, output_tokens=2)
    provider.script(HttpError(status=529, message="busy"), Text(text="ok", usage=scripted))
    with anthropic_client(provider.url, "k") as client:
        with pytest.raises(anthropic.APIStatusError):
            ask_claude(client, user("a"))
        assert caching.accounted == []
        assert ask_claude(client, user("a"))["input_tokens"] == 1
        assert ask_claude(client, user("a"))["cache_read_input_tokens"] == 5_000 + FRAMING


def test_time_in_a_header(provider: Upstream, caching: EmulatedCache) -> None:
    """A request's own time goes before the clock's."""
    with anthropic_client(provider.url, "k") as client:
        written = [
            ask_claude(client, user("a"), extra_headers={TIME_HEADER: at})["cache_creation_input_tokens"] > 0
            for at in ("1000", "1299.5", "1599.5")
        ]
    assert written == [True, False, True]
    assert caching.clock.now_seconds == 0


def test_parallel_requests(provider: Upstream, caching: EmulatedCache) -> None:
    """With a time to the first token, two requests at once both write."""
    caching.first_token_seconds = 2.0
    with anthropic_client(provider.url, "k") as client:
        written = [
            ask_claude(client, user("a"), extra_headers={TIME_HEADER: at})["cache_creation_input_tokens"] > 0
            for at in ("0", "1", "2")
        ]
    assert written == [True, True, False]


def test_time_runs_forward() -> None:
    """The clock takes no step back."""
    clock = VirtualClock()
    clock.advance(1.5)
    with pytest.raises(ValueError, match="time runs forward, got -1"):
        clock.advance(-1)
    assert clock.now_seconds == 1.5


def test_caching_is_off_until_asked_for(upstream: Upstream, caching: EmulatedCache) -> None:
    """Without it an upstream reports what it is told; ``clear`` takes it off again and latest_only it."""
    with anthropic_client(upstream.url, "k") as client:
        assert ask_claude(client, user("a"))["input_tokens"] == 100
        upstream.caching = caching
        assert ask_claude(client, user("a"))["cache_creation_input_tokens"] == 5_000 + FRAMING
        upstream.clear()
        assert ask_claude(client, user("a"))["input_tokens"] == 100
    with Upstream(caching=caching) as own, httpx.Client(base_url=own.url, trust_env=False) as http:
        body = {"model": CLAUDE, "system": [text(LONG, FIVE)], "messages": [user("a")]}
        for _ in range(2):
            own.clear()
            usage = http.post("/v1/messages", json=body).json()["usage"]
            assert usage["cache_creation_input_tokens"] == 5_000 + FRAMING
    assert own.caching is caching


def conversation(seed: int) -> Iterator[tuple[float, list[dict[str, Any]]]]:
    """Calls of a tool loop with pauses, some past five minutes, as OpenAI chat messages with Anthropic marks."""
    pick = random.Random(seed)
    now = 0.0
    messages: list[dict[str, Any]] = [system([text(words(3_000), FIVE)])]
    for turn in range(4):
        now += pick.choice([5.0, 90.0, 400.0])
        messages.append(user(words(pick.randint(5, 400), f"user{seed}x{turn}w")))
        for step in range(pick.randint(0, 3)):
            yield now, [*messages[:-1], with_mark(messages[-1])]
            call = {"id": f"c{turn}{step}", "type": "function", "function": {"name": "search", "arguments": "{}"}}
            messages.append({"role": "assistant", "content": None, "tool_calls": [call]})
            messages.append({"role": "tool", "tool_call_id": call["id"], "content": words(pick.randint(5, 900))})
            now += 10.0
        yield now, [*messages[:-1], with_mark(messages[-1])]
        messages.append({"role": "assistant", "content": words(20, "said")})


def with_mark(message: dict[str, Any]) -> dict[str, Any]:
    """The message with a mark at its end, where LiteLLM keeps it."""
    return message | {"cache_control": FIVE}


TOOLS: Any = [
    {
        "type": "function",
        "function": {"name": "search", "description": "Finds.", "parameters": {"type": "object", "properties": {}}},
    }
]


@pytest.mark.proxy
@pytest.mark.parametrize("model", ["claude", "gpt"])
def test_the_proxy_reports_what_the_model_predicts(two_key_proxy: TwoKeyProxy, model: str) -> None:
    """Usage as LiteLLM gives it to the client is the model's account of the recorded bodies, token for token."""
    upstream = two_key_proxy.upstream
    upstream.caching = EmulatedCache(count_tokens=count_words)
    calls = sorted(((at, messages) for seed in range(3) for at, messages in conversation(seed)), key=lambda c: c[0])
    reported = []
    with two_key_proxy.openai("master") as client:
        for at, messages in calls:
            completion = client.chat.completions.create(
                model=model,
                messages=messages,  # type: ignore[arg-type]
                tools=TOOLS,
                extra_body={"extra_headers": {TIME_HEADER: str(at)}},
            )
            usage = read_usage(completion.usage)
            assert usage is not None
            reported.append(buckets(usage))
    predicted, caches = [], dict[str, PrefixCache]()
    for (at, _), request in zip(calls, upstream.requests, strict=True):
        name = request.json["model"]
        if model == "claude":
            cache = caches.setdefault(name, PrefixCache(anthropic_rules(name)))
            blocks = anthropic_blocks(request.json, count_words)
        else:
            cache = caches.setdefault(name, PrefixCache(openai_rules(name)))
            blocks = openai_blocks(request.json, count_words)
        predicted.append(buckets(cache.account(blocks, at)))
    assert reported == predicted
    assert sum(read for _, read, _, _ in reported) > 3_000 * len(calls) // 2

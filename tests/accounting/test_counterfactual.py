"""The provider's caches as they would stand: what is known of them, how much is kept, and what replicas share."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest
import redis
from hypothesis import given, settings
from hypothesis import strategies as st
from litellm.caching.redis_cache import RedisCache

from litellm_prompt_router.accounting.counterfactual import CounterfactualCaches, ObservedCall, scope_in
from litellm_prompt_router.accounting.in_flight import MAX_AGE_SECONDS, MAX_REQUESTS, InFlightRequests
from litellm_prompt_router.accounting.shared_entries import PREFIX, RedisEntries
from litellm_prompt_router.cache_model import (
    Block,
    CacheEntry,
    MarkedPrefixes,
    PrefixCache,
    Rules,
    anthropic_rules,
    openai_rules,
)
from litellm_prompt_router.cache_model.host_caches import DEEPSEEK
from litellm_prompt_router.cache_model.prefix_cache import prefix_hashes
from tests.emulators.proxy import free_port

CLAUDE, OPENAI = anthropic_rules("claude-sonnet-4-5"), openai_rules("gpt-4.1")
SCOPE = scope_in("anthropic", "key")
REDIS_SECONDS = 10.0


def conversation(turns: int, first: int = 1_000) -> list[Block]:
    """A marked prompt, then turns; the last one is marked."""
    blocks = [Block(1, 5_000, "5m", section="system")]
    blocks += [Block(first + number, 300) for number in range(turns)]
    return [*blocks[:-1], blocks[-1]._replace(mark="5m")] if turns else blocks


def call(at: float, turns: int = 1, *, first: int = 1_000, rules: Rules = CLAUDE, **more: Any) -> ObservedCall:
    return ObservedCall(
        scope=SCOPE, rules=rules, blocks=conversation(turns, first), started_seconds=at, continues=turns > 1, **more
    )


# What is known


@pytest.mark.parametrize(
    ("calls", "known"),
    [
        pytest.param([call(10.0)], [False], id="the first call may have found the prompt"),
        pytest.param([call(400.0)], [True], id="not when it would be gone by now"),
        pytest.param([call(10.0), call(20.0)], [False, True], id="the second is known"),
        pytest.param([call(10.0), call(20.0, 5, first=9_000)], [False, False], id="but not a history from before"),
        pytest.param(
            [call(10.0), call(20.0, 2), call(30.0, 3)], [False, True, True], id="a history seen from its start"
        ),
    ],
)
def test_of_before_the_start(calls: Sequence[ObservedCall], known: Sequence[bool]) -> None:
    baseline = CounterfactualCaches(0.0)
    assert [baseline.account(one).is_known for one in calls] == known


def test_after_a_gap_nothing_is_known_until_what_was_cached_in_it_is_gone() -> None:
    """While everything is stopped calls pass unseen: another conversation's may have warmed what is asked for next."""
    caches = CounterfactualCaches(0.0)
    assert caches.account(call(400.0)).is_known
    caches.observe_anew(1_000.0)
    assert not caches.account(call(1_100.0, 5, first=9_000)).is_known
    assert caches.account(call(1_301.0, 5, first=7_000)).is_known


def test_of_one_call_alone_others_that_begin_alike_may_have_passed_unseen() -> None:
    caches = CounterfactualCaches(0.0)
    one, other = call(1_100.0, 5, first=9_000), call(1_100.0, 5, first=7_000)
    assert not caches.account(replace(one, unobserved_until=1_000.0)).is_known
    assert caches.account(other).is_known
    assert caches.account(replace(one, started_seconds=1_301.0, unobserved_until=1_000.0)).is_known


def test_nor_of_a_conversation_that_was_seen_before_the_gap() -> None:
    """Its calls in the gap were cached too."""
    caches = CounterfactualCaches(0.0)
    assert caches.account(call(1_000.0, 3)).is_known
    assert caches.account(call(1_060.0, 4)).is_known
    caches.observe_anew(1_190.0)
    assert not caches.account(call(1_200.0, 9)).is_known
    assert caches.account(call(1_490.0, 10)).is_known


def test_calls_may_end_in_another_order_than_they_began() -> None:
    """An early call that comes late takes nothing from what a later one wrote, and shortens no life."""
    baseline = CounterfactualCaches(-10_000.0)
    assert baseline.account(call(100.0)).usage.cache_read_tokens == 0
    late = baseline.account(call(0.0)).usage
    assert late.cache_read_tokens == 0
    assert baseline.account(call(399.0)).usage.cache_read_tokens == 5_300


def test_the_scale_makes_the_providers_tokens() -> None:
    baseline = CounterfactualCaches(-10_000.0)
    usage = baseline.account(call(0.0, 3, scale=1.1)).usage
    assert usage.input_tokens == usage.cache_write_5m_tokens == round(1.1 * 5_900)


# How much is kept


def test_entries_are_bounded() -> None:
    """The ones that expire first go."""
    baseline = CounterfactualCaches(-10_000.0, max_entries=1_000)
    for number in range(3_000):
        blocks = [Block(number, 5_000, "5m", section="system")]
        baseline.account(ObservedCall(scope=SCOPE, rules=CLAUDE, blocks=blocks, started_seconds=number / 100))
        assert len(baseline) <= 1_000
    assert baseline.account(
        ObservedCall(scope=SCOPE, rules=CLAUDE, blocks=[Block(2_999, 5_000, "5m")], started_seconds=40.0)
    ).usage.cache_read_tokens


def test_requests_without_an_answer_are_dropped() -> None:
    kept = InFlightRequests()
    for number in range(MAX_REQUESTS + 10):
        kept.put(str(number), "acompletion", {"messages": []}, {"messages": []}, 0.0, is_sent=True)
    assert len(kept) == MAX_REQUESTS
    assert kept.take("0") is None
    assert kept.take("10") is not None
    kept.put("new", "acompletion", {}, {}, MAX_AGE_SECONDS + 1, is_sent=True)
    assert len(kept) == 1


class Odd(dict[str, Any]):
    """A type that JSON doesn't have."""


@pytest.mark.parametrize("kind", [dict, Odd])
def test_a_prompt_is_kept_as_it_was(kind: type[dict[str, Any]]) -> None:
    """LiteLLM changes lists and dicts later, those that two bodies share in both."""
    user = kind(role="user", content=[{"type": "text", "text": "ask", "cache_control": {"type": "x"}}])
    body: dict[str, Any] = {
        "messages": [{"role": "system", "content": "all of it"}, user],
        "tools": [{"type": "function", "function": {"name": "f", "parameters": {}}}],
        "temperature": 1,
    }
    other = {**body, "messages": [{"role": "system", "content": "a part"}, user]}
    requests = InFlightRequests()
    requests.put("1", "acompletion", body, other, 0.0, is_sent=True)
    requests.put("2", "acompletion", body, body, 0.0, is_sent=True)
    user["content"][0].pop("cache_control")
    body["messages"].append({})
    body["tools"][0]["function"]["name"] = "g"
    packed, same = requests.take("1"), requests.take("2")
    assert packed is not None
    assert same is not None
    kept = packed.unpacked()
    assert kept.rewritten is not None
    for prompt, text in ((kept.original, "all of it"), (kept.rewritten, "a part")):
        assert prompt == {
            "messages": [
                {"role": "system", "content": text},
                {"role": "user", "content": [{"type": "text", "text": "ask", "cache_control": {"type": "x"}}]},
            ],
            "tools": [{"type": "function", "function": {"name": "f", "parameters": {}}}],
        }
    assert same.unpacked().rewritten is None


@pytest.mark.parametrize("tools", [None, [], [{"name": "f"}], {"name": "f"}, "f", ...])
@pytest.mark.parametrize("others", [None, [], [{"name": "g"}], ...])
def test_tools_are_kept_as_they_were(tools: Any, others: Any) -> None:
    """None, empty, malformed or missing ones too, in each body; a list that both share is one list."""
    messages = [{"role": "user", "content": "ask"}]
    body, other = ({"messages": messages, **({} if given is ... else {"tools": given})} for given in (tools, others))
    requests = InFlightRequests()
    requests.put("1", "acompletion", body, other, 0.0, is_sent=True)
    requests.put("2", "acompletion", body, {**body, "messages": []}, 0.0, is_sent=True)
    different, shared = requests.take("1"), requests.take("2")
    assert different is not None
    assert shared is not None
    kept = different.unpacked()
    assert (kept.original, kept.rewritten) == (body, other)
    twice = shared.unpacked()
    assert (twice.original, twice.rewritten) == (body, {**body, "messages": []})
    assert twice.rewritten is not None
    if isinstance(tools, list) and tools:
        assert twice.rewritten["tools"] is twice.original["tools"]
        assert shared.size_bytes < different.size_bytes + len(str(tools))


def test_long_requests_count_by_their_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("litellm_prompt_router.accounting.in_flight.MAX_BYTES", 12_000)
    kept = InFlightRequests()
    for number in range(10):
        kept.put(str(number), "acompletion", {"instructions": "x" * 3_000}, {}, 0.0, is_sent=True)
    assert len(kept) == 3
    assert kept.dropped == 7
    assert 9_000 < kept.size_bytes <= 12_000
    assert kept.take("9") is not None
    kept.put("new", "acompletion", {"instructions": "x" * 3_000}, {}, 0.0, is_sent=True)
    assert len(kept) == 3


def test_sizes_beside_the_blocks_count_as_the_blocks_own() -> None:
    """In every figure, and for what is cached by it."""
    blocks = [Block(1, 3_000, "5m", section="system"), Block(2, 2_000), Block(3, 900, "5m")]
    sizes = [1_024_400, 7_000_499, 333_501]
    sized = [block._replace(tokens=size) for block, size in zip(blocks, sizes, strict=True)]
    beside, own = CounterfactualCaches(0.0), CounterfactualCaches(0.0)
    for now in (10_000.0, 10_001.0):
        one = ObservedCall(scope=SCOPE, rules=CLAUDE, blocks=blocks, sizes=sizes, started_seconds=now, scale=0.001)
        assert beside.account(one) == own.account(replace(one, blocks=sized, sizes=None))
    assert beside._entries == own._entries


# Fingerprints


def test_fingerprints_are_the_same_in_every_process() -> None:
    """Python's own hashes of text aren't."""
    code = (
        "from litellm_prompt_router.accounting.counterfactual import scope_in;"
        "from litellm_prompt_router.cache_model import Block;"
        "from litellm_prompt_router.cache_model.prefix_cache import prefix_hashes;"
        "print(prefix_hashes([Block(1, 2), Block(3, 4)], scope_in('anthropic', 'key')))"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", code], env={"PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True
        ).stdout
        for seed in ("1", "2")
    }
    assert outputs == {f"{prefix_hashes([Block(1, 2), Block(3, 4)], SCOPE)}\n"}


BLOCKS = st.lists(
    st.builds(
        Block,
        st.integers(1, 6),
        st.sampled_from((300, 900, 2_000)),
        st.sampled_from((None, None, "5m", "1h")),
        is_ending=st.booleans(),
    ),
    min_size=1,
    max_size=12,
)


@settings(max_examples=50)
@given(st.lists(st.tuples(st.floats(0, 400), BLOCKS), max_size=8), st.sampled_from((CLAUDE, OPENAI, DEEPSEEK.rules)))
def test_one_replica_that_sees_all_accounts_as_the_cache_model_does(
    calls: list[tuple[float, list[Block]]], rules: Rules
) -> None:
    baseline, cache, now = CounterfactualCaches(-10_000.0), PrefixCache(rules), 0.0
    for gap, blocks in calls:
        now += gap
        one = ObservedCall(scope=SCOPE, rules=rules, blocks=blocks, started_seconds=now)
        assert baseline.account(one).usage == cache.account(blocks, now, scope=SCOPE)


@settings(max_examples=50)
@given(st.lists(st.tuples(st.floats(0, 400), BLOCKS), max_size=8))
def test_replicas_that_share_account_as_one(calls: list[tuple[float, list[Block]]]) -> None:
    """Marked prefixes; of OpenAI's many, replicas share a sample."""
    store: dict[int, CacheEntry] = {}

    class Memory:
        def fetch(self, scope: int, hashes: Sequence[int]) -> tuple[Mapping[int, CacheEntry], float | None]:
            return {digest: store[digest] for digest in hashes if digest in store}, None

        def keep(self, scope: int, entries: Mapping[int, CacheEntry], now_seconds: float, since_seconds: float) -> None:
            store.update(entries)

    replicas = (CounterfactualCaches(-10_000.0), CounterfactualCaches(-10_000.0))
    cache, now = PrefixCache(CLAUDE), 0.0
    for number, (gap, blocks) in enumerate(calls):
        now += gap
        one = ObservedCall(scope=SCOPE, rules=CLAUDE, blocks=blocks, started_seconds=now)
        assert replicas[number % 2].account(one, Memory()).usage == cache.account(blocks, now, scope=SCOPE)


# A real Redis


@pytest.fixture(scope="module")
def redis_port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    server = shutil.which("redis-server")
    if server is None:
        pytest.skip("redis-server isn't installed")
    port, folder = free_port(), tmp_path_factory.mktemp("redis")
    with subprocess.Popen(
        [server, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)],
        stdout=subprocess.DEVNULL,
    ) as process:
        try:
            _wait_for(port)
            yield port
        finally:
            process.terminate()


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + REDIS_SECONDS
    with redis.Redis(port=port) as client:
        while True:
            try:
                client.ping()
                return
            except redis.ConnectionError:
                assert time.monotonic() < deadline, "redis-server didn't start"
                time.sleep(0.05)


def replica(port: int, reports: list[str]) -> RedisEntries:
    cache = RedisCache(host="127.0.0.1", port=port, namespace="ours", socket_timeout=1.0)
    return RedisEntries(cache, reports.append)


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning")
@pytest.mark.parametrize("rules", [CLAUDE, OPENAI], ids=["claude", "openai"])
def test_replicas_share_through_litellms_redis(redis_port: int, rules: Rules) -> None:
    """What one replica saw, another finds; a replica that starts later knows how long the others have watched."""
    with redis.Redis(port=redis_port) as client:
        client.flushall()
        reports: list[str] = []
        one, other = CounterfactualCaches(0.0), CounterfactualCaches(990.0)
        blocks = [Block(number, 600, section="system", is_ending=number == 9) for number in range(10)]
        if isinstance(rules, MarkedPrefixes):
            blocks[-1] = blocks[-1]._replace(mark="5m")
        first = ObservedCall(scope=SCOPE, rules=rules, blocks=blocks, started_seconds=995.0)
        again = ObservedCall(scope=SCOPE, rules=rules, blocks=[*blocks, Block(99, 100)], started_seconds=1_000.0)
        assert one.account(first, replica(redis_port, reports)).is_known
        found = other.account(again, replica(redis_port, reports))
        assert found.is_known
        assert found.usage.cache_read_tokens in (6_000, 5_888)  # OpenAI's in steps of 128
        keys = client.keys("*")
        assert keys
        assert all(key.startswith(f"ours:{PREFIX}:".encode()) for key in keys)
        assert all(0 < client.ttl(key) <= 86_400 for key in keys)
        assert not reports


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning")
def test_a_redis_out_of_reach_is_told_once_and_left_alone(redis_port: int) -> None:
    """The call is accounted by what this process saw."""
    reports: list[str] = []
    shared = replica(redis_port, reports)
    shared._cache.redis_client.close()
    shared._cache.redis_client = redis.Redis(port=free_port())
    baseline = CounterfactualCaches(-10_000.0)
    baseline.account(call(0.0), shared)
    assert baseline.account(call(10.0), shared).usage.cache_read_tokens == 5_300
    assert len(reports) == 1
    assert reports == ["ConnectionError: replicas don't see each other's calls for 30 s"]

"""Laws of the accounting, over random traffic and every rule set."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from litellm_prompt_router.cache_model import (
    AutomaticPrefixes,
    Block,
    BreakpointPrefixes,
    MarkedPrefixes,
    PrefixCache,
    Rules,
    StoredPrefixes,
)
from litellm_prompt_router.cache_model.prefix_cache import SWEEP_ENTRIES
from tests.cache_model.calls import block, buckets

RULE_SETS = [
    pytest.param(MarkedPrefixes(min_tokens=512), id="marked"),
    pytest.param(AutomaticPrefixes(), id="automatic"),
    pytest.param(StoredPrefixes(min_tokens=64, reported_step_tokens=64, retention_seconds=300), id="stored"),
    pytest.param(BreakpointPrefixes(), id="breakpoints"),
]
every_rule_set = pytest.mark.parametrize("rules", RULE_SETS)


@st.composite
def prompts(draw: st.DrawFn, names: str = "abc", max_blocks: int = 30) -> list[Block]:
    """Blocks of a small alphabet, so that prefixes coincide; 1-hour marks ahead of 5-minute ones, at most four."""
    blocks = [
        block(name, draw(st.sampled_from([5, 130, 700])), is_ending=draw(st.booleans()))
        for name in draw(st.lists(st.sampled_from(names), min_size=1, max_size=max_blocks))
    ]
    places = sorted(draw(st.sets(st.integers(0, len(blocks) - 1), max_size=4)))
    hours = draw(st.integers(0, len(places)))
    for number, place in enumerate(places):
        blocks[place] = blocks[place]._replace(mark="1h" if number < hours else "5m")
    return blocks


GAPS = st.sampled_from([0.0, 1.0, 200.0, 301.0, 4_000.0])
TRAFFIC = st.lists(st.tuples(GAPS, prompts()), min_size=1, max_size=15)


@every_rule_set
@given(traffic=TRAFFIC)
def test_buckets_sum_to_the_prompt(rules: Rules, traffic: list[tuple[float, list[Block]]]) -> None:
    """Every token is in one bucket, and none is negative."""
    cache, now = PrefixCache(rules), 0.0
    for gap, blocks in traffic:
        now += gap
        usage = cache.account(blocks, now)
        assert usage.input_tokens == sum(b.tokens for b in blocks)
        assert min(buckets(usage)) >= 0


@every_rule_set
@given(traffic=TRAFFIC)
def test_again_at_once_reads_all_that_was_written(rules: Rules, traffic: list[tuple[float, list[Block]]]) -> None:
    """The same call at the same time reads what the first read or wrote, and writes nothing."""
    cache, now = PrefixCache(rules), 0.0
    for gap, blocks in traffic:
        now += gap
        uncached, read, write_5m, write_1h = buckets(cache.account(blocks, now))
        again = buckets(cache.account(blocks, now))
        if isinstance(rules, AutomaticPrefixes):
            total = uncached + read
            readable = total - total % 128 if total >= 1_024 else 0
            assert again == (total - readable, readable, 0, 0)
        elif isinstance(rules, StoredPrefixes):
            total = uncached + read
            assert again == (total % 64, total - total % 64, 0, 0)
        else:
            assert again == (uncached, read + write_5m + write_1h, 0, 0)


@every_rule_set
@given(
    before=prompts(),
    tail=prompts(max_blocks=10),
    shared=st.integers(0, 30),
    more=st.integers(0, 30),
)
def test_a_longer_shared_prefix_never_reads_less(
    rules: Rules, before: list[Block], tail: list[Block], shared: int, more: int
) -> None:
    """Of two calls with the same marks, the one that shares more with what was sent before reads as much or more."""

    def read_with(length: int) -> int:
        cache = PrefixCache(rules)
        cache.account(before, 0)
        call = [b if n < length else b._replace(key=-b.key) for n, b in enumerate(before)]
        return cache.account([*call, *tail], 1).cache_read_tokens

    assert read_with(shared + more) >= read_with(shared)


@every_rule_set
@given(data=st.data())
def test_independent_conversations_in_any_order(rules: Rules, data: Any) -> None:
    """Conversations that share no first block are billed the same alone as interleaved."""
    own = [data.draw(st.lists(prompts(), min_size=1, max_size=4)) for _ in range(3)]
    conversations = [[[block(f"head{number}", 10), *call] for call in calls] for number, calls in enumerate(own)]
    alone = []
    for calls in conversations:
        cache = PrefixCache(rules)
        alone.append([buckets(cache.account(call, 0)) for call in calls])
    order = data.draw(st.permutations([n for n, calls in enumerate(conversations) for _ in calls]))
    cache, together = PrefixCache(rules), [list[tuple[int, int, int, int]]() for _ in conversations]
    for number in order:
        call = conversations[number][len(together[number])]
        together[number].append(buckets(cache.account(call, 0)))
    assert together == alone


@every_rule_set
@given(calls=st.lists(prompts(), min_size=1, max_size=8))
def test_scopes_are_as_separate_as_caches(rules: Rules, calls: list[list[Block]]) -> None:
    """A scope sees nothing of another."""
    both, one = PrefixCache(rules), PrefixCache(rules)
    for call in calls:
        both.account(call, 0, scope=("model", "other"))
        assert both.account(call, 0, scope=("model", "this")) == one.account(call, 0)


@every_rule_set
def test_the_past_is_forgotten(rules: Rules) -> None:
    """Entries go when they have expired, so that a day of traffic fits in memory."""
    cache = PrefixCache(rules)
    for number in range(4 * SWEEP_ENTRIES):
        cache.account([block(f"{number}", 2_000, "5m", is_ending=True)], number * 10.0)
    assert len(cache) <= SWEEP_ENTRIES


@given(gaps=st.lists(st.floats(0, 10_000), max_size=20))
def test_a_marked_entry_lives_while_it_is_used(gaps: list[float]) -> None:
    """A call reads exactly if it starts within the lifetime after the one before."""
    cache, now = PrefixCache(MarkedPrefixes()), 0.0
    call = [block("s", 2_000, "5m")]
    cache.account(call, now)
    for gap in gaps:
        before, now = now, now + gap
        usage = cache.account(call, now)
        assert (usage.cache_read_tokens > 0) == (now < before + 300)

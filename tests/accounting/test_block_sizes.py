"""The provider's tokens in blocks: what a usage tells is exact, and remembered; the rest is near it."""

from __future__ import annotations

import random
from collections.abc import Sequence
from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from litellm_prompt_router.accounting import block_sizes
from litellm_prompt_router.accounting.block_sizes import UNITS, BlockSizes, _nearest_place
from litellm_prompt_router.cache_model import AutomaticPrefixes, Block, MarkedPrefixes
from litellm_prompt_router.cache_model.usage import Usage

NAME = (("account", "model"), "profile")
TOOLS = Block(1, 900, section="tools")
CORE = Block(2, 3_000, "5m", section="system")
MODULE = Block(3, 2_000, "5m", section="system")
WHOLE = Block(4, 15_000, section="system")
HISTORY = [Block(10 + number, 40 + 13 * number) for number in range(30)]
RATIOS = {"tools": 1.7, "system": 1.1, "messages": 0.9}


def theirs(blocks: Sequence[Block]) -> int:
    return round(sum(block.tokens * RATIOS[block.section] for block in blocks))


def usage(uncached: int, read: int = 0, written: int = 0) -> Usage:
    return Usage(
        uncached_input_tokens=uncached,
        cache_read_tokens=read,
        cache_write_5m_tokens=written,
        cache_write_1h_tokens=0,
        output_tokens=0,
    )


def total(blocks: Sequence[Block] | None) -> float:
    assert blocks is not None
    return sum(block.tokens for block in blocks) / UNITS


def test_what_was_sent_comes_to_what_was_billed() -> None:
    known = BlockSizes()
    sent = [TOOLS, CORE, MODULE, HISTORY[0]]
    sized, unsent = known.sized(NAME, sent, None, MarkedPrefixes(), usage(31, read=4_830, written=2_200))
    assert unsent is None
    assert total(sized) == pytest.approx(7_061, abs=0.01)
    assert total(sized[:2]) == pytest.approx(4_830, abs=0.01), "the prefix that was read ends with the core"
    assert total(sized[:3]) == pytest.approx(7_030, abs=0.01), "what was written ends at the last mark"


@given(st.lists(st.integers(0, 6).map(float), min_size=1, max_size=6), st.integers(0, 30))
def test_the_nearest_end_is_the_first_of_the_nearest(sizes: list[float], value: int) -> None:
    """As a plain look at all of them finds."""
    until = list(accumulate(sizes))
    assert _nearest_place(until, value) == min(range(len(until)), key=lambda number: abs(until[number] - value))


def test_the_next_call_measures_what_is_new_in_it() -> None:
    """Without any mark: a message weighs the same in the request that wasn't sent."""
    known = BlockSizes()
    rules = AutomaticPrefixes()
    first = [TOOLS, CORE, HISTORY[0]]
    known.sized(NAME, first, [TOOLS, WHOLE, HISTORY[0]], rules, usage(5_000))
    sent, unsent = known.sized(NAME, [*first, HISTORY[9]], [TOOLS, WHOLE, HISTORY[0], HISTORY[9]], rules, usage(5_177))
    assert total(sent[-1:]) == pytest.approx(177, abs=0.01)
    assert total((unsent or [])[-1:]) == pytest.approx(177, abs=0.01)


def test_a_prompt_that_was_once_sent_as_it_came_is_known() -> None:
    """A call in the control group, or of a key that is off, tells what the others' prompts would have come to."""
    known = BlockSizes()
    rules = AutomaticPrefixes()
    original = [TOOLS, WHOLE, HISTORY[0]]
    known.sized(NAME, original, None, rules, usage(20_123))
    _, unsent = known.sized(NAME, [TOOLS, CORE, HISTORY[0]], original, rules, usage(5_000))
    assert total(unsent) == pytest.approx(20_123, abs=0.02)


def test_kinds_of_text_are_told_apart() -> None:
    """Schemas, prompts and chats, each by a ratio of its own: the unsent prompt is near the truth."""
    known = BlockSizes()
    rng = random.Random(3)
    unsent: Sequence[Block] | None = None
    original: list[Block] = []
    for call in range(12):
        tools = TOOLS._replace(tokens=rng.randint(500, 2_500), key=call + 100)
        module = MODULE._replace(tokens=rng.randint(500, 4_000), key=call + 200)
        sent, original = [tools, CORE, module, *HISTORY[call:]], [tools, WHOLE, *HISTORY[call:]]
        _, unsent = known.sized(NAME, sent, original, AutomaticPrefixes(), usage(theirs(sent)))
    assert total(unsent) == pytest.approx(theirs(original), rel=0.005)


def test_a_count_that_can_be_none_of_the_text_teaches_nothing() -> None:
    """A host that answers 12 tokens to whatever it is asked, and then counts."""
    known = BlockSizes()
    rules = AutomaticPrefixes()
    for call in range(9):
        known.sized(NAME, [TOOLS, CORE, HISTORY[call]], [TOOLS, WHOLE, HISTORY[call]], rules, usage(12))
    sent, original = [TOOLS, CORE, MODULE, HISTORY[20]], [TOOLS, WHOLE, HISTORY[20]]
    _, unsent = known.sized(NAME, sent, original, rules, usage(theirs(sent)))
    assert total(unsent) == pytest.approx(theirs(original), rel=0.1)


def test_the_same_text_cut_elsewhere_is_as_long() -> None:
    """Unless the provider counts as we do: then a token is a token."""
    pieces = [Block(50 + number, 100, section="system", is_framed=not number) for number in range(100)]
    cut = [block._replace(key=block.key + 500) for block in pieces]
    cut[-1] = cut[-1]._replace(tokens=98)
    _, unsent = BlockSizes().sized(NAME, cut, pieces, AutomaticPrefixes(), usage(11_000))
    assert total(unsent) == pytest.approx(11_000, abs=0.1)
    _, unsent = BlockSizes().sized(NAME, cut, pieces, AutomaticPrefixes(), usage(9_998))
    assert total(unsent) == pytest.approx(10_000, abs=0.1)


def test_what_contradicts_itself_is_forgotten() -> None:
    """A prefix that is larger than all of the call, and one that is next to nothing of it."""
    known = BlockSizes()
    rules = AutomaticPrefixes()
    known.sized(NAME, [TOOLS, CORE], None, rules, usage(9_000))
    for _ in range(2):
        sized, _ = known.sized(NAME, [TOOLS, CORE, MODULE], None, rules, usage(6_000))
        assert total(sized) == pytest.approx(6_000, abs=0.01)
        assert all(block.tokens > 0 for block in sized)


def test_repeated_messages_keep_their_own_sizes() -> None:
    """The same block twice, in stretches that were measured apart."""
    known = BlockSizes()
    rules = AutomaticPrefixes()
    start, again = [TOOLS, CORE, HISTORY[0]], HISTORY[0]
    known.sized(NAME, start, [TOOLS, WHOLE, HISTORY[0]], rules, usage(5_000))
    _, unsent = known.sized(NAME, [*start, again], [TOOLS, WHOLE, HISTORY[0], again, again], rules, usage(5_044))
    assert unsent is not None
    assert unsent[3].tokens == 44 * UNITS
    assert unsent[4].tokens > 0


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(block_sizes, "MAX_PREFIXES", 8)
    monkeypatch.setattr(block_sizes, "MAX_PROMPTS", 4)
    known = BlockSizes()
    for call in range(40):
        sent = [TOOLS, CORE, Block(1_000 + call, 50)]
        known.sized(NAME, sent, [TOOLS, WHOLE._replace(key=call + 2_000), sent[-1]], AutomaticPrefixes(), usage(5_000))
    assert len(known._prefixes) == 8
    assert len(known._prompts) == 4

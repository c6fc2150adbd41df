"""Lists of tools that live on are told by identity, and say what any other list with the same content says."""

from __future__ import annotations

import copy
import marshal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from litellm_prompt_router.cache_model import BlockReader, known_tools
from litellm_prompt_router.cache_model.known_tools import KnownTools
from litellm_prompt_router.documents.equal_bytes import equal_bytes
from tests.cache_model.calls import count_words

VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(0, 2), st.just(1.0), st.sampled_from(["", "a", "1"])),
    lambda inner: st.one_of(st.lists(inner, max_size=2), st.dictionaries(st.sampled_from("ab"), inner, max_size=2)),
    max_leaves=6,
)


def tools(name: str, chars: int = 0) -> list[dict[str, Any]]:
    return [{"type": "function", "function": {"name": name, "description": "x" * chars}}]


@given(st.lists(VALUES, max_size=3), st.lists(VALUES, max_size=3))
def test_names_are_equal_where_values_are(one: list[Any], other: list[Any]) -> None:
    """Whether a list is known or not."""
    known = KnownTools()
    loaded = known.load(equal_bytes(one))
    assert loaded == one
    assert known.name_of(loaded) == known.name_of(copy.deepcopy(one))
    is_equal = equal_bytes(one) == equal_bytes(other)
    assert (known.name_of(loaded) == known.name_of(other)) == is_equal
    assert (known.load(equal_bytes(other)) is loaded) == is_equal


def test_a_list_is_the_same_one_however_it_was_written() -> None:
    """What ``marshal`` writes depends on who else holds parts of it; so many ways are remembered."""
    known = KnownTools()
    value = tools("a" * 300)
    ways = [marshal.dumps(value, version) for version in (0, 1, 2, 3, 4)]
    holder = value[0]["function"]["name"]
    ways.append(marshal.dumps(value))
    assert holder
    assert len(set(ways)) > known_tools.MAX_WRITTEN
    assert len({id(known.load(written)) for written in [*ways, *ways]}) == 1
    assert len(known) == 1
    assert len(known._loaded) == known_tools.MAX_WRITTEN


def test_what_is_found_of_a_known_list_is_found_once() -> None:
    """Of one that isn't known nothing is kept; another list at its place in memory is another one."""
    known, found = KnownTools(), list[str]()
    kept = known.load(equal_bytes(tools("a")))

    def find() -> bool:
        found.append("found")
        return False

    assert [known.fact(kept, "x", find) for _ in range(3)] == [False] * 3
    assert found == ["found"]
    assert known.fact(tools("a"), "x", find) is None
    assert known.fact(None, "x", find) is None
    assert found == ["found"]
    own = tools("b")
    known.keep(own)
    assert known.fact(own, "x", find) is False
    known.keep([object()])
    assert len(known) == 2


def test_it_is_bounded_in_number_and_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(known_tools, "MAX_BYTES", 10_000)
    monkeypatch.setattr(known_tools, "MAX_LISTS", 5)
    known = KnownTools()
    first = known.load(equal_bytes(tools("first")))
    for number in range(9):
        known.name_of(first)
        known.load(equal_bytes(tools(str(number))))
        assert len(known) <= 5
    assert known.load(equal_bytes(tools("first"))) is first, "what is used stays"
    assert len(known._loaded) == 5
    for number in range(9):
        known.load(marshal.dumps(tools(str(number), 3_000)))
        assert known._bytes <= 10_000
    assert len(known) == len(known._loaded) == 3
    long = equal_bytes(tools("long", 11_000))
    assert known.load(long) == known.load(long) == tools("long", 11_000)
    assert len(known) == 3


def test_facts_of_a_list_are_bounded() -> None:
    known = KnownTools()
    kept = known.load(equal_bytes(tools("a")))
    for number in range(1_000):
        known.fact(kept, number, lambda: True)
    assert len(known._known[id(kept)].facts) <= known_tools.MAX_FACTS


@given(
    tools=st.lists(st.fixed_dictionaries({"name": st.sampled_from("abc"), "cache_control": st.none()}), max_size=3),
    settings=st.sampled_from([{}, {"parallel_tool_calls": True}, {"parallel_tool_calls": 1}, {"verbosity": "low"}]),
    reads=st.lists(st.sampled_from(["anthropic", "openai"]), min_size=1, max_size=3),
)
def test_blocks_of_a_known_list_are_those_of_any(
    tools: list[dict[str, Any]], settings: dict[str, Any], reads: list[str]
) -> None:
    """By each reader, in whatever order they read it, with the settings that are part of the first block."""
    known = KnownTools()
    loaded = known.load(equal_bytes(tools))
    reader = BlockReader(count_words, known)
    for name in reads:
        for fields in (settings, {}):
            body = {**fields, "system": "You look.", "messages": [{"role": "user", "content": "Look."}]}
            plain = getattr(BlockReader(count_words), name)({**body, "tools": copy.deepcopy(tools)})
            assert getattr(reader, name)({**body, "tools": loaded}) == plain

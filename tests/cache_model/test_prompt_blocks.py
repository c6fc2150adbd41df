"""Bodies on the wire as the blocks that the provider reads."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from litellm_prompt_router.cache_model import (
    Block,
    BlockReader,
    PrefixCache,
    openai_rules,
    prompt_blocks,
)
from litellm_prompt_router.cache_model.block_content import IMAGE_TOKENS, json_bytes, key_of
from litellm_prompt_router.cache_model.prompt_blocks import FRAMING_TOKENS, MEMO_ENTRIES
from tests.cache_model.calls import anthropic_blocks, buckets, count_words, openai_blocks, text, words

FIVE = {"type": "ephemeral"}
HOUR = {"type": "ephemeral", "ttl": "1h"}
TOOL: dict[str, Any] = {
    "name": "search",
    "description": "Finds pages by words.",
    "input_schema": {"type": "object", "properties": {"q": {"type": "string"}}},
}
CALL = {"type": "tool_use", "id": "t1", "name": "search", "input": {"q": "two words"}}
RESULT = {"type": "tool_result", "tool_use_id": "t1", "content": [text("three words here")]}
IMAGE = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}}


def claude(**changes: Any) -> dict[str, Any]:
    body: dict[str, Any] = {
        "tools": [TOOL],
        "system": [text("You are a test."), text("Be brief.", FIVE)],
        "messages": [
            {"role": "user", "content": "Hi there?"},
            {"role": "assistant", "content": [text("Let me look."), CALL]},
            {"role": "user", "content": [RESULT]},
        ],
    }
    return body | changes


def keys(blocks: tuple[Block, ...]) -> list[int]:
    return [block.key for block in blocks]


def test_anthropic_order_sizes_and_marks() -> None:
    """Tools, system, messages, each block with the size of its content and its framing."""
    blocks = anthropic_blocks(claude(), count_words)
    assert [block.section for block in blocks] == ["tools", "system", "system", *["messages"] * 4]
    assert [block.tokens - FRAMING_TOKENS for block in blocks] == [6, 4, 2, 2, 3, 3, 3]
    assert [block.mark for block in blocks] == [None, None, "5m", None, None, None, None]
    assert [block.run for block in blocks] == [None, None, None, None, None, "tool_use", "tool_result"]
    assert len({block.key for block in blocks}) == len(blocks)


def test_marks_do_not_change_keys() -> None:
    """A moving mark leaves the prefix what it was."""
    bare = claude(system=[text("You are a test."), text("Be brief.")])
    moved = claude(system=[text("You are a test.", HOUR), text("Be brief.")], tools=[TOOL | {"cache_control": HOUR}])
    assert keys(anthropic_blocks(claude(), count_words)) == keys(anthropic_blocks(bare, count_words))
    blocks = anthropic_blocks(moved, count_words)
    assert keys(blocks) == keys(anthropic_blocks(bare, count_words))
    assert [block.mark for block in blocks][:3] == ["1h", "1h", None]


def test_a_string_is_a_text_block() -> None:
    """Both shapes of system and content are one prompt."""
    string = {"system": "Be brief.", "messages": [{"role": "user", "content": "Hi?"}]}
    blocks = {"system": [text("Be brief.")], "messages": [{"role": "user", "content": [text("Hi?")]}]}
    assert anthropic_blocks(string, count_words) == anthropic_blocks(blocks, count_words)


@pytest.mark.parametrize(
    ("content", "position"),
    [
        pytest.param([text("a"), text("b")], 1, id="last"),
        pytest.param([text("a"), text("b"), {"type": "thinking", "thinking": "hm"}], 1, id="not-on-thinking"),
        pytest.param([text("a"), text("")], 0, id="not-on-empty-text"),
        pytest.param([text("a"), text("b", FIVE)], 1, id="already-there"),
    ],
)
def test_automatic_mark(content: list[dict[str, Any]], position: int) -> None:
    """A top-level mark stands on the last block that can carry one (platform.claude.com, "Edge cases")."""
    body = {"cache_control": FIVE, "messages": [{"role": "user", "content": content}]}
    marks = [block.mark for block in anthropic_blocks(body, count_words)]
    assert [number for number, mark in enumerate(marks) if mark] == [position]


def test_a_nested_mark_is_no_breakpoint() -> None:
    """Sub-content can't be cached by itself (platform.claude.com, "What cannot be cached")."""
    nested = {"type": "tool_result", "tool_use_id": "t1", "content": [text("three words here", FIVE)]}
    body = claude(system="s", messages=[{"role": "user", "content": [nested]}])
    plain = claude(system="s", messages=[{"role": "user", "content": [RESULT]}])
    assert anthropic_blocks(body, count_words) == anthropic_blocks(plain, count_words)


CHANGES = [
    # platform.claude.com, "What invalidates the cache": the first block whose prefix changes
    pytest.param({"tools": [TOOL | {"description": "Other."}]}, 0, id="tool-definitions"),
    pytest.param({"tools": [dict(reversed(TOOL.items()))]}, 0, id="key-order"),
    pytest.param({"speed": "fast"}, 1, id="speed"),
    pytest.param({"system": [text("You are a text."), text("Be brief.", FIVE)]}, 1, id="system"),
    pytest.param({"tool_choice": {"type": "any"}}, 3, id="tool-choice"),
    pytest.param({"thinking": {"type": "enabled", "budget_tokens": 1024}}, 3, id="thinking"),
    pytest.param({"output_config": {"effort": "low"}}, 3, id="effort"),
    pytest.param(
        {"messages": [*claude()["messages"], {"role": "user", "content": [IMAGE]}]}, 3, id="an-image-anywhere"
    ),
    pytest.param({"max_tokens": 5, "temperature": 0.5, "stream": True}, None, id="neither-prompt-nor-cache"),
]


@pytest.mark.parametrize(("change", "first"), CHANGES)
def test_what_a_change_reaches(change: dict[str, Any], first: int | None) -> None:
    """Everything ahead of the change keeps its key; the chain breaks at the documented place."""
    before = keys(anthropic_blocks(claude(), count_words))
    after = keys(anthropic_blocks(claude(**change), count_words))
    differing = [number for number, (a, b) in enumerate(zip(before, after, strict=False)) if a != b]
    assert (differing[0] if differing else None) == first


def test_sizes_ignore_key_order() -> None:
    """Canonical JSON: the same schema is the same size however it was written."""
    turned = TOOL | {"input_schema": dict(reversed(TOOL["input_schema"].items()))}
    (a,), (b,) = (anthropic_blocks({"tools": [tool]}, len) for tool in (TOOL, turned))
    assert (a.tokens == b.tokens, a.key == b.key) == (True, False)


def test_message_seams_are_content() -> None:
    """Two blocks of one message are not two messages."""
    one = {"messages": [{"role": "user", "content": [text("a"), text("b")]}]}
    two = {"messages": [{"role": "user", "content": "a"}, {"role": "user", "content": "b"}]}
    assert keys(anthropic_blocks(one, count_words))[0] == keys(anthropic_blocks(two, count_words))[0]
    assert keys(anthropic_blocks(one, count_words))[1] != keys(anthropic_blocks(two, count_words))[1]


@pytest.mark.parametrize(
    ("content", "tokens"),
    [
        (IMAGE, IMAGE_TOKENS),
        ({"type": "document", "source": {"type": "text", "data": "two words"}}, 2),
        ({"type": "document", "source": {"type": "base64", "data": "AAAA"}}, IMAGE_TOKENS),
        ({"type": "thinking", "thinking": "hm hm", "signature": "abc"}, 2),
        ({"type": "tool_result", "tool_use_id": "t", "content": "one"}, 1),
        ({"type": "tool_result", "tool_use_id": "t", "content": [IMAGE]}, IMAGE_TOKENS),
        ({"type": "tool_result", "tool_use_id": "t"}, 0),
        ({"type": "something_new", "a": 1}, 1),
        (text("lone surrogate \ud800"), 3),
    ],
)
def test_sizes_of_content(content: dict[str, Any], tokens: int) -> None:
    """What can be read is counted, the rest has a fixed size."""
    (block,) = anthropic_blocks({"messages": [{"role": "user", "content": [content]}]}, count_words)
    assert block.tokens == tokens + FRAMING_TOKENS


def gpt(**changes: Any) -> dict[str, Any]:
    call = {"id": "c1", "type": "function", "function": {"name": "search", "arguments": '{"q": "x"}'}}
    body: dict[str, Any] = {
        "model": "gpt-5.6",
        "tools": [{"type": "function", "function": {"name": "search", "parameters": {"type": "object"}}}],
        "messages": [
            {"role": "system", "content": "You are a test."},
            {"role": "user", "content": "Hi?"},
            {"role": "assistant", "content": None, "tool_calls": [call, call | {"id": "c2"}]},
            {"role": "tool", "tool_call_id": "c1", "content": "one"},
            {"role": "tool", "tool_call_id": "c2", "content": "two"},
            {"role": "assistant", "content": "Done."},
        ],
    }
    return body | changes


def test_openai_order_and_endings() -> None:
    """Tools first; endings are users, the last of a run of tool messages and the last initial developer message."""
    blocks = openai_blocks(gpt(), count_words)
    assert [block.section for block in blocks] == ["tools", "system", *["messages"] * 6]
    assert [block.is_ending for block in blocks] == [False, True, True, False, False, False, True, False]
    explicit = openai_blocks(gpt(prompt_cache_options={"mode": "explicit"}), count_words)
    assert [block.is_ending for block in explicit] == [False] * 8


def test_openai_breakpoint() -> None:
    """``prompt_cache_breakpoint`` marks the end of its part, however long the part; ``cache_control`` is nothing."""
    part = {"type": "text", "text": words(500), "prompt_cache_breakpoint": {"mode": "explicit"}}
    more = {"type": "text", "text": "more", "cache_control": FIVE}
    blocks = openai_blocks({"messages": [{"role": "system", "content": [part, more]}]}, count_words)
    assert len(blocks) > 4
    assert [block.mark for block in blocks] == [*[None] * (len(blocks) - 2), "30m", None]


def test_openai_breakpoints_do_not_change_keys() -> None:
    """A breakpoint that moves leaves the prefix what it was, on an image too; an image has a fixed size."""
    image = {"type": "image_url", "image_url": {"url": "data:,"}}
    point = {"prompt_cache_breakpoint": {"mode": "explicit"}}
    bare, marked = (
        openai_blocks({"messages": [{"role": "user", "content": [part]}]}, count_words)
        for part in (image, image | point)
    )
    assert keys(bare) == keys(marked)
    assert [block.mark for block in (*bare, *marked)] == [None, "30m"]
    assert bare[0].tokens == IMAGE_TOKENS + FRAMING_TOKENS


@pytest.mark.parametrize("size", [0, 1, 70, 71, 500, 5_000])
def test_pieces_keep_every_token(size: int) -> None:
    """A text cut into pieces at white space is as long as it was."""
    blocks = openai_blocks({"messages": [{"role": "user", "content": words(size)}]}, count_words)
    assert sum(block.tokens for block in blocks) == size + FRAMING_TOKENS


def test_two_prompts_share_their_common_head() -> None:
    """OpenAI's cache works inside a message: what two system prompts share at the head is read."""
    cache = PrefixCache(openai_rules("gpt-4.1"))
    first = {"messages": [{"role": "system", "content": words(2_000) + " " + words(800, "tail")}]}
    second = {"messages": [{"role": "system", "content": words(2_000) + " " + words(900, "other")}]}
    cache.account(openai_blocks(first, count_words), 0)
    uncached, read, _, _ = buckets(cache.account(openai_blocks(second, count_words), 1))
    assert 1_792 <= read <= 2_000
    assert uncached + read == 2_904


@pytest.mark.parametrize(
    "change",
    [{"response_format": {"type": "json_object"}}, {"reasoning_effort": "low"}, {"parallel_tool_calls": False}],
)
def test_openai_settings_change_everything(change: dict[str, Any]) -> None:
    """Settings that OpenAI renders into the prompt change its first block."""
    before, after = openai_blocks(gpt(), count_words), openai_blocks(gpt(**change), count_words)
    assert before[0].key != after[0].key
    assert before[1:] == after[1:]


def test_sizes_are_counted_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same block in a thousand bodies is one count; the memory is bounded."""
    seen: list[str] = []

    def count(content: str) -> int:
        seen.append(content)
        return len(content)

    assert MEMO_ENTRIES >= 10_000
    monkeypatch.setattr("litellm_prompt_router.cache_model.prompt_blocks.MEMO_ENTRIES", 2)
    monkeypatch.setattr("litellm_prompt_router.cache_model.remembered_blocks.MAX_PROMPT_BLOCKS", 2)
    reader = BlockReader(count)
    for _ in range(1_000):
        reader.anthropic({"system": words(10_000)})
    assert len(seen) == 1
    for number in range(3):
        reader.anthropic({"system": f"{number}"})
    reader.anthropic({"system": words(10_000)})
    assert len(seen) == 5


def test_bodies_are_left_alone() -> None:
    """Reading changes nothing."""
    for read, body in ((anthropic_blocks, claude()), (openai_blocks, gpt())):
        before = json.dumps(body)
        read(body, count_words)
        assert json.dumps(body) == before


LONG = st.builds(
    lambda texts, filler: "".join(texts) + filler * 5_000,
    st.lists(st.text(st.characters(exclude_categories=()), max_size=20), max_size=4),
    st.sampled_from(["a", "é", "世", "\n", '"', "\\", "\t", "\x7f", "\u2028", "\ud800"]),
)


@given(
    st.lists(st.one_of(st.none(), st.booleans(), st.text(max_size=5), LONG), max_size=3),
    st.one_of(
        LONG,
        st.dictionaries(st.text(max_size=5), st.one_of(LONG, st.text(max_size=5), st.lists(LONG, max_size=1))),
        st.builds(lambda text: {1: text, "text": text}, LONG),
    ),
)
@settings(max_examples=100, deadline=None)
def test_long_texts_are_written_as_json_writes_them(ahead: list[Any], last: Any) -> None:
    """Keys of blocks are the same in every process and version."""
    plain = json.dumps([*ahead, last], ensure_ascii=False, separators=(",", ":"))
    assert json_bytes([*ahead, last]) == plain.encode("utf-8", "surrogatepass")


def test_a_message_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """By content: another mark, role or place in the history is another message; types are told apart."""
    keys: list[Any] = []

    def counted(parts: list[Any]) -> int:
        keys.append(parts)
        return key_of(parts)

    monkeypatch.setattr(prompt_blocks, "key_of", counted)
    reader = BlockReader(count_words)

    def read(*messages: Any) -> tuple[Any, ...]:
        return reader.anthropic({"messages": [{"role": "user", "content": "first"}, *map(dict, messages)]})

    def call(number: object) -> dict[str, Any]:
        use = {"type": "tool_use", "id": "t", "name": "run", "input": {"n": number}}
        return {"role": "assistant", "content": [use]}

    once = read(call(1))
    assert len(keys) == 2
    assert read(call(1)) == once
    assert len(keys) == 2
    assert len({read(call(number))[1].key for number in (1, 1.0, True, "1")}) == 4
    assert len(keys) == 5
    marked = {"role": "assistant", "content": [{**call(1)["content"][0], "cache_control": {"type": "ephemeral"}}]}
    assert [block.mark for block in read(marked)] == [None, "5m"]
    assert [block.is_answer for block in read({**call(1), "role": "user"})] == [False, False]

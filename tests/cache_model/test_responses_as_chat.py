"""Responses bodies are accounted as OpenAI reads them: tools, instructions, then the items in their order."""

from __future__ import annotations

from typing import Any

from litellm_prompt_router.cache_model import BlockReader, PrefixCache, chat_of_responses, openai_rules
from tests.end_to_end.workbench import RESPONSES_TOOLS, as_items, conversation

LONG = "word " * 1_500
ITEMS = as_items(conversation()[1:])


def count_tokens(text: str) -> int:
    return len(text.split())


def body(**more: Any) -> dict[str, Any]:
    return {"model": "gpt-4.1", "instructions": LONG, "input": ITEMS, "tools": RESPONSES_TOOLS, **more}


def test_the_order_is_tools_instructions_input() -> None:
    reader = BlockReader(count_tokens)
    sections = [block.section for block in reader.openai(body())]
    assert sections == sorted(sections, key=["tools", "system", "messages"].index)
    roles = [message["role"] for message in chat_of_responses(body())["messages"]]
    assert roles == ["system", "user", "assistant", "tool", "assistant", "user"]


def test_a_longer_conversation_begins_with_the_blocks_of_the_shorter() -> None:
    reader = BlockReader(count_tokens)
    shorter = reader.openai(body(input=ITEMS[:-1]))
    assert reader.openai(body())[: len(shorter)] == shorter
    assert reader.openai(body(instructions=f"x {LONG}"))[3:] != reader.openai(body())[3:]


def test_a_string_is_one_user_message() -> None:
    reader = BlockReader(count_tokens)
    assert reader.openai(body(input="hi")) == reader.openai(body(input=[{"role": "user", "content": "hi"}]))


def test_the_second_call_reads_what_the_first_left() -> None:
    reader, cache = BlockReader(count_tokens), PrefixCache(openai_rules("gpt-4.1"))
    first = cache.account(reader.openai(body(input=ITEMS[:1])), 0.0)
    second = cache.account(reader.openai(body()), 10.0)
    assert first.cache_read_tokens == 0
    assert second.cache_read_tokens >= 1_408
    changed = cache.account(reader.openai(body(instructions=f"x {LONG}")), 20.0)
    assert changed.cache_read_tokens == 0

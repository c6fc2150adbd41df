"""Chat bodies with marks on their blocks, as Alibaba's Qwen reads them."""

from __future__ import annotations

from typing import Any

from litellm_prompt_router.cache_model import Block, BlockReader, cache_of, deployed_model, messages_of_marked_chat
from tests.cache_model.calls import Call, count_words, replay, text, words

MARK = {"type": "ephemeral"}
QWEN = deployed_model("qwen3.7-max", "dashscope")
CALL = {"id": "1", "function": {"name": "f", "arguments": '{"a": 1}'}}
TOOL: dict[str, Any] = {"type": "function", "function": {"name": "f", "description": words(40)}, "cache_control": MARK}


def blocks(*messages: dict[str, Any]) -> list[Block]:
    body = {"tools": [TOOL], "messages": list(messages)}
    return list(BlockReader(count_words).anthropic(messages_of_marked_chat(body)))


SYSTEM: dict[str, Any] = {"role": "system", "content": [text(words(1_500), MARK)]}
ASKED: list[dict[str, Any]] = [SYSTEM, {"role": "user", "content": [text("go", MARK)]}]
LOOPED: list[dict[str, Any]] = [
    SYSTEM,
    {"role": "user", "content": "go"},
    {"role": "assistant", "content": None, "tool_calls": [CALL]},
    {"role": "tool", "tool_call_id": "1", "content": [text(words(300), MARK)]},
]


def test_marks_on_tools_do_not_count_and_those_in_results_do() -> None:
    found = blocks(*LOOPED)
    assert [block.mark for block in found] == [None, "5m", None, None, "5m"]
    assert [block.section for block in found] == ["tools", "system", "messages", "messages", "messages"]


def test_a_loop_reads_what_the_call_before_it_marked() -> None:
    """For five minutes from the last use."""
    rules = cache_of(QWEN).rules
    sizes = [sum(block.tokens for block in blocks(*messages)) for messages in (ASKED, LOOPED)]
    calls = [
        Call(0, blocks(*ASKED), (0, 0, sizes[0], 0)),
        Call(299, blocks(*LOOPED), (0, sizes[0], sizes[1] - sizes[0], 0)),
        Call(598, blocks(*LOOPED), (0, sizes[1], 0, 0)),
        Call(898, blocks(*LOOPED), (0, 0, sizes[1], 0)),
    ]
    assert replay(rules, calls) == [call.billed for call in calls]


def test_without_marks_the_implicit_cache_holds() -> None:
    found = cache_of(QWEN, is_marked=False)
    assert (found.host, found.basis, found.rules.min_tokens) == ("Alibaba Model Studio, implicit", "assumed", 256)

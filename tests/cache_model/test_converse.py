"""Bedrock's Converse and Vertex: LiteLLM's own translation is accounted as Anthropic's is, block for block."""

from __future__ import annotations

from typing import Any

import pytest

from litellm_prompt_router.cache_model import BlockReader, anthropic_rules, messages_of_converse
from litellm_prompt_router.gateway.deployments.translation import ClaudeWire

HOSTS = (
    "vertex_ai/claude-sonnet-4-5",
    "azure_ai/claude-sonnet-4-5",
    "bedrock/invoke/us.anthropic.claude-sonnet-4-5-20250929-v1:0",
    "bedrock/converse/us.anthropic.claude-sonnet-4-5-20250929-v1:0",
)
M5, H1 = {"type": "ephemeral"}, {"type": "ephemeral", "ttl": "1h"}
TOOLS: list[dict[str, Any]] = [
    {
        "type": "function",
        "function": {"name": name, "description": "Reads.", "parameters": {"type": "object", "properties": {}}},
    }
    for name in ("wind_log", "rain_log")
]
TOOLS[-1]["cache_control"] = H1
CALLS = [
    {"id": f"call_{n}", "type": "function", "function": {"name": "wind_log", "arguments": f'{{"n": {n}}}'}}
    for n in range(2)
]
CHAT: dict[str, Any] = {
    "messages": [
        {
            "role": "system",
            "content": [
                {"type": "text", "text": "core " * 50, "cache_control": H1},
                {"type": "text", "text": "routed " * 20, "cache_control": H1},
                {"type": "text", "text": "varying"},
            ],
        },
        {"role": "user", "content": "How is the wind?"},
        {"role": "assistant", "content": "One moment.", "tool_calls": CALLS},
        {"role": "tool", "tool_call_id": "call_0", "content": "calm"},
        {"role": "tool", "tool_call_id": "call_1", "content": "calm"},
        {"role": "system", "content": [{"type": "text", "text": "late " * 30}]},
        {"role": "assistant", "content": "Calm."},
        {"role": "user", "content": "And the rain?"},
    ],
    "tools": TOOLS,
    "cache_control_injection_points": [{"location": "message", "index": -1}],
}
WORDS = BlockReader(lambda text: len(text.split()))


def shape(model: str) -> list[tuple[str, int, str | None, str | None]]:
    """``(section, tokens, mark, run)`` of each block that the provider reads."""
    blocks = WORDS.anthropic(ClaudeWire(model).body({"model": model, **CHAT}))
    return [(block.section, block.tokens, block.mark, block.run) for block in blocks]


@pytest.mark.parametrize("host", HOSTS)
def test_blocks_and_marks_are_anthropics_own(host: str) -> None:
    """The same blocks in the same order, of the same size, marked for the same time."""
    expected = shape("anthropic/claude-sonnet-4-5")
    assert [mark for _, _, mark, _ in expected if mark] == ["1h", "1h", "1h", "5m"]
    found = shape(host)
    if "converse" in host:
        # Bedrock wants a `required` in each schema, so LiteLLM adds one.
        assert [entry[0::2] for entry in found] == [entry[0::2] for entry in expected]
        assert [entry for entry in found if entry[0] != "tools"] == [entry for entry in expected if entry[0] != "tools"]
    else:
        assert found == expected


def test_a_flagged_model_differs_on_converse_by_a_note() -> None:
    """There the late message is a user's text behind a note, as it is everywhere for models without the role."""
    plain, noted = (shape(model) for model in ("anthropic/claude-opus-4-8", "bedrock/us.anthropic.claude-opus-4-8"))
    assert len(noted) == len(plain) + 1
    assert shape("anthropic/claude-sonnet-4-5")[2:] == noted[2:]


def test_cache_points_are_marks_on_what_stands_before_them() -> None:
    """Nested results, reasoning and images keep their kinds; a point with nothing ahead of it marks nothing."""
    body = {
        "system": [
            {"cachePoint": {"type": "default"}},
            {"text": "a"},
            {"cachePoint": {"type": "default", "ttl": "1h"}},
        ],
        "messages": [
            {
                "role": "user",
                "content": [
                    {"toolResult": {"toolUseId": "1", "content": [{"text": "b"}], "status": "success"}},
                    {"cachePoint": {"type": "default"}},
                    {"image": {"format": "png", "source": {"bytes": "AA=="}}},
                    {"reasoningContent": {"reasoningText": {"text": "c"}}},
                ],
            }
        ],
    }
    assert messages_of_converse(body) == {
        "tools": [],
        "system": [{"type": "text", "text": "a", "cache_control": H1}],
        "messages": [
            {
                "role": "user",
                "content": [
                    {
                        "type": "tool_result",
                        "tool_use_id": "1",
                        "content": [{"type": "text", "text": "b"}],
                        "cache_control": M5,
                    },
                    {"type": "image", "source": {"format": "png", "source": {"bytes": "AA=="}}},
                    {"type": "thinking", "thinking": "c"},
                ],
            }
        ],
    }


@pytest.mark.parametrize(
    ("model", "joins"),
    [("claude-opus-4-8", True), ("anthropic/claude-opus-4-8", True), *((host, False) for host in HOSTS)],
)
def test_runs_of_tool_calls_are_one_position_on_anthropics_own_api(model: str, joins: bool) -> None:
    """Documented for the Claude API; elsewhere each call counts, which is the dearer reading."""
    assert anthropic_rules(model).joins_tool_runs is joins

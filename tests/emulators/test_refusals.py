"""What providers answer with 400; sources in tests/emulators/refusals.py."""

from __future__ import annotations

from typing import Any

import pytest

from tests.cache_model.calls import text
from tests.emulators.provider_rules import takes_mid_system
from tests.emulators.refusals import refuse_anthropic, refuse_openai

FIVE = {"type": "ephemeral"}
FIVE_SAID = {"type": "ephemeral", "ttl": "5m"}
HOUR = {"type": "ephemeral", "ttl": "1h"}
ORDER = (
    "a ttl='1h' cache_control block must not come after a ttl='5m' cache_control block. "
    "Note that blocks are processed in the following order: `tools`, `system`, `messages`."
)
ANYWHERE = "the directive-only form (content: [] with output_config) is accepted at any position"
FOLLOW = (
    "role 'system' must follow a 'user' message or an 'assistant' message ending in a server tool result; " + ANYWHERE
)
PRECEDE = "role 'system' must precede an 'assistant' message or end the array; " + ANYWHERE


def said(*roles: str) -> dict[str, Any]:
    """A body with a message of each role."""
    return {"messages": [{"role": role, "content": [text(role)]} for role in roles]}


MARKS = [
    pytest.param({"system": [text("a", FIVE)] * 4}, None, id="four-marks"),
    pytest.param(
        {"system": [text("a", FIVE)] * 4, "tools": [{"name": "t", "cache_control": FIVE}]},
        "A maximum of 4 blocks with cache_control may be provided. Found 5.",
        id="five-marks",
    ),
    pytest.param(
        {"system": [text("a", FIVE)] * 4, "cache_control": FIVE},
        "A maximum of 4 blocks with cache_control may be provided. Found 5.",
        id="four-and-the-automatic-one",
    ),
    pytest.param(
        {"system": [text("a"), text("", FIVE)]},
        "system.1.text: cache_control cannot be set for empty text blocks",
        id="empty-marked-block",
    ),
    pytest.param({"system": [text("a", HOUR), text("b", FIVE)]}, None, id="1h-before-5m"),
    pytest.param(
        {"system": [text("a", FIVE), text("b", HOUR)]}, f"system.1.cache_control.ttl: {ORDER}", id="5m-before-1h"
    ),
    pytest.param(
        {"tools": [{"name": "t", "cache_control": FIVE_SAID}], "system": [text("b", HOUR)]},
        f"system.0.cache_control.ttl: {ORDER}",
        id="5m-tool-before-1h-system",
    ),
    pytest.param(
        {"system": [text("a", FIVE)], "messages": [{"role": "user", "content": [text("b"), text("c", HOUR)]}]},
        f"messages.0.content.1.cache_control.ttl: {ORDER}",
        id="5m-system-before-1h-message",
    ),
    pytest.param(
        {"system": [text("a", FIVE)], "cache_control": HOUR},
        "cache_control: the last block has a cache_control with another ttl",
        id="automatic-mark-disagrees-with-the-last-block",
    ),
    pytest.param(
        {"system": [text("a", FIVE), text("b")], "cache_control": HOUR},
        f"cache_control.ttl: {ORDER}",
        id="automatic-1h-behind-5m",
    ),
    pytest.param({"system": [text("a", HOUR), text("b")], "cache_control": FIVE}, None, id="automatic-5m-behind-1h"),
    pytest.param(
        {"system": [text("a", {"type": "ephemeral", "ttl": "24h"})]},
        "system.0.cache_control.ttl: Input should be '5m' or '1h'",
        id="a-ttl-that-does-not-exist",
    ),
    pytest.param(
        {
            "messages": [
                {"role": "assistant", "content": [{"type": "thinking", "thinking": "hm", "cache_control": FIVE}]}
            ]
        },
        "messages.0.content.0.thinking.cache_control: Extra inputs are not permitted",
        id="thinking",
    ),
    pytest.param(
        {"system": [{"type": "text", "text": "a", "cache_control": "ephemeral"}]},
        "system.0.cache_control: Input should be an object",
        id="a-mark-that-is-none",
    ),
    pytest.param(
        {"system": [text("a", {"type": "persistent"})]},
        "system.0.cache_control.type: Input should be 'ephemeral'",
        id="a-type-that-does-not-exist",
    ),
    pytest.param(
        {"messages": [{"role": "user", "content": "a", "cache_control": FIVE}]},
        "messages.0.cache_control: Extra inputs are not permitted",
        id="on-a-message",
    ),
]

SERVER_RESULT = {"role": "assistant", "content": [{"type": "web_search_tool_result", "content": []}]}
SYSTEM = {"role": "system", "content": "s"}

PLACEMENT = [
    pytest.param(said("user", "system"), None, id="at-the-end"),
    pytest.param(said("user", "system", "assistant", "user"), None, id="ahead-of-the-assistant"),
    pytest.param(
        said("user", "system", "system", "assistant"),
        f"messages.2: role 'system' must not follow another 'system' message; {ANYWHERE}",
        id="in-a-row",
    ),
    pytest.param(
        said("system", "user"),
        "messages.0: use the top-level 'system' parameter for the initial system prompt; " + ANYWHERE,
        id="first",
    ),
    pytest.param(said("user", "assistant", "system"), f"messages.2: {FOLLOW}", id="behind-the-assistant"),
    pytest.param(said("user", "system", "user"), f"messages.1: {PRECEDE}", id="ahead-of-a-user"),
    pytest.param(
        {"messages": [{"role": "user", "content": "u"}, SERVER_RESULT, SYSTEM]}, None, id="behind-a-server-tool-result"
    ),
    pytest.param(
        {"messages": [{"role": "system", "content": [], "output_config": {"effort": "low"}}]},
        None,
        id="directive-only",
    ),
]


@pytest.mark.parametrize(("body", "message"), [*MARKS, *PLACEMENT])
def test_anthropic(body: dict[str, Any], message: str | None) -> None:
    """Each rule with the words that the provider answers."""
    assert refuse_anthropic(body, takes_mid_system=True) == message


@pytest.mark.parametrize("body", [said("user", "system"), said("user", "assistant", "system", "user")])
def test_models_without_mid_conversation_system(body: dict[str, Any]) -> None:
    """github.com/anthropics/claude-code/issues/61412."""
    assert refuse_anthropic(body, takes_mid_system=False) == "role 'system' is not supported on this model"


POINT = {"type": "text", "text": "a", "prompt_cache_breakpoint": {"mode": "explicit"}}


@pytest.mark.parametrize(
    ("body", "message"),
    [
        pytest.param({"model": "gpt-5.6", "prompt_cache_options": {"mode": "explicit"}}, None, id="options"),
        pytest.param({"model": "gpt-5.6", "messages": [{"role": "user", "content": [POINT]}]}, None, id="breakpoint"),
        pytest.param({"model": "gpt-5.5", "prompt_cache_key": "k"} | said("system", "user", "system"), None, id="key"),
        pytest.param(
            {"model": "gpt-5.5", "prompt_cache_options": {"mode": "implicit"}},
            "prompt_cache_options is not supported with gpt-5.5",
            id="options-before-5.6",
        ),
        pytest.param(
            {"model": "gpt-4.1", "messages": [{"role": "user", "content": [{"type": "text", "text": "b"}, POINT]}]},
            "messages[0].content[1].prompt_cache_breakpoint is not supported with gpt-4.1",
            id="breakpoint-before-5.6",
        ),
    ],
)
def test_openai(body: dict[str, Any], message: str | None) -> None:
    """Breakpoints are refused ahead of GPT-5.6; ``system`` messages and cache keys are taken anywhere."""
    assert refuse_openai(body) == message


@pytest.mark.parametrize(
    ("model", "takes"),
    [
        ("claude-opus-4-8", True),
        ("claude-opus-5-5", True),
        ("claude-sonnet-5-5", True),
        ("claude-fable-5-1", True),
        ("claude-mythos-5", True),
        ("claude-sonnet-5", False),
        ("claude-sonnet-4-5", False),
        ("claude-opus-4-7", False),
        ("claude-mythos-preview", False),
    ],
)
def test_mid_conversation_system_by_model(model: str, takes: bool) -> None:
    """platform.claude.com/docs/en/build-with-claude/mid-conversation-system-messages."""
    assert takes_mid_system(model) is takes

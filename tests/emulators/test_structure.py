"""What providers refuse in the order of messages; sources in tests/emulators/structure.py."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.emulators.bound_thinking import refuse_changed_prefix, thinking_block
from tests.emulators.structure import refuse_gemini_structure
from tests.emulators.upstream import Upstream


def use(*ids: str) -> dict[str, Any]:
    return {"role": "assistant", "content": [{"type": "tool_use", "id": id, "name": "t", "input": {}} for id in ids]}


def results(*ids: str) -> dict[str, Any]:
    return {"role": "user", "content": [{"type": "tool_result", "tool_use_id": id, "content": "r"} for id in ids]}


def said(role: str, text: str = "words") -> dict[str, Any]:
    return {"role": role, "content": [{"type": "text", "text": text}]}


ASK, LATE = said("user"), said("system")
WITHOUT_RESULT = (
    "messages.1: `tool_use` ids were found without `tool_result` blocks immediately after: {}. Each `tool_use` block "
    "must have a corresponding `tool_result` block in the next message."
)
ANTHROPIC = [
    pytest.param([ASK, use("a", "b"), results("a", "b"), ASK, said("assistant"), ASK], None, id="in-order"),
    pytest.param([ASK, use("a", "b"), results("a"), results("b"), ASK], None, id="neighbours-are-one-turn"),
    pytest.param([ASK, use("a"), LATE, results("a")], WITHOUT_RESULT.format("a"), id="late-module-before-the-result"),
    pytest.param([ASK, use("a", "b"), results("b")], WITHOUT_RESULT.format("a"), id="one-result-of-two"),
    pytest.param([ASK, use("a")], WITHOUT_RESULT.format("a"), id="no-result"),
    pytest.param(
        [results("a")],
        "messages.0.content.0: unexpected `tool_use_id` found in `tool_result` blocks: a. Each `tool_result` block "
        "must have a corresponding `tool_use` block in the previous message.",
        id="a-truncated-history",
    ),
    pytest.param([said("user", "")], "messages: text content blocks must be non-empty", id="empty-text"),
    pytest.param([said("user", " \n")], "messages: text content blocks must contain non-whitespace text", id="blank"),
    pytest.param(
        [{"role": "user", "content": ""}, said("assistant")],
        "messages.0: all messages must have non-empty content except for the optional final assistant message",
        id="empty-message",
    ),
    pytest.param([ASK, {"role": "assistant", "content": ""}], None, id="empty-last-answer"),
]


def call(*ids: str) -> dict[str, Any]:
    calls = [{"id": id, "type": "function", "function": {"name": "t", "arguments": "{}"}} for id in ids]
    return {"role": "assistant", "content": None, "tool_calls": calls}


def result(id: str) -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": id, "content": "r"}


MISSING = (
    "An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'. The "
    "following tool_call_ids did not have response messages: {}"
)
STRAY = (
    "Invalid parameter: messages with role 'tool' must be a response to a preceeding message with 'tool_calls'. "
    "(messages.[{}].role)"
)
LAST = "Expected last role User or Tool (or Assistant with prefix True) for serving but got system"
FIRST = {"role": "system", "content": "You read the wind."}
ROLES = "Only user and assistant roles are supported, with the exception of an initial optional system message!"
TURNS = "After the optional system message, conversation roles must alternate user/assistant/user/assistant/..."
CHAT = [
    pytest.param("/v1", [ASK, call("a", "b"), result("b"), result("a"), LATE, ASK], None, id="in-order"),
    pytest.param("/v1", [ASK, call("a", "b"), result("a"), LATE, result("b")], MISSING.format("b"), id="late-module"),
    pytest.param("/v1", [ASK, call("a")], MISSING.format("a"), id="no-result"),
    pytest.param("/v1", [ASK, result("a")], STRAY.format(1), id="no-call"),
    pytest.param("/v1", [ASK, LATE], None, id="system-last"),
    pytest.param("/mistral/v1", [ASK, LATE], LAST, id="system-last-at-mistral"),
    pytest.param("/mistral/v1", [ASK, LATE, ASK], None, id="user-last-at-mistral"),
    pytest.param(
        "/mistral/v1",
        [ASK, call("a"), result("a"), ASK],
        "Unexpected role 'user' after role 'tool'",
        id="no-answer-at-mistral",
    ),
    pytest.param("/local/v1", [FIRST, ASK, call("a"), result("a"), said("assistant"), ASK], None, id="in-turns"),
    pytest.param("/local/v1", [FIRST, ASK, LATE], ROLES, id="system-behind-the-first"),
    pytest.param("/local/v1", [FIRST, ASK, call("a"), result("a"), ASK], TURNS, id="not-in-turns"),
]


def refused(upstream: Upstream, path: str, messages: list[dict[str, Any]], **more: Any) -> str | None:
    with httpx.Client(base_url=upstream.url, trust_env=False) as client:
        response = client.post(path, json={"model": "m", "messages": messages, **more})
    if response.status_code == httpx.codes.OK:
        return None
    assert response.status_code == httpx.codes.BAD_REQUEST
    message: str = response.json()["error"]["message"]
    return message


@pytest.mark.parametrize(("messages", "message"), ANTHROPIC)
def test_anthropic(upstream: Upstream, messages: list[dict[str, Any]], message: str | None) -> None:
    """Calls and results stay together, and nothing is empty."""
    assert refused(upstream, "/v1/messages", messages) == message


RESULT_PART = {"function_response": {"name": "f", "response": {}}}


@pytest.mark.parametrize(
    ("parts", "is_refused"),
    [([RESULT_PART], False), ([RESULT_PART, {"text": "note"}], True), ([{"text": "note"}], True)],
    ids=["as many as calls", "something beside it", "none"],
)
def test_gemini(parts: list[dict[str, Any]], is_refused: bool) -> None:
    """Results stand alone, one for each call; behind them anything may."""
    calls = {"role": "model", "parts": [{"text": "so"}, {"function_call": {"name": "f", "args": {}}}]}
    behind = {"role": "user", "parts": [{"text": "note"}]}
    body = {"contents": [behind, calls, {"role": "user", "parts": parts}, behind]}
    assert (refuse_gemini_structure(body) is not None) == is_refused


def test_thinking_is_bound_to_what_stands_ahead() -> None:
    """A mark or another shape changes nothing; a text, a tool or a block does, for models that check."""
    body: dict[str, Any] = {"model": "claude-fable-5-1", "system": "You read.", "messages": [said("user")]}
    answer = {"role": "assistant", "content": [thinking_block(body), {"type": "text", "text": "so"}]}
    body["messages"] = [said("user"), answer, said("user")]
    marked = {"type": "text", "text": "You read.", "cache_control": {"type": "ephemeral"}}
    assert refuse_changed_prefix(body) is None
    assert refuse_changed_prefix({**body, "system": [marked]}) is None
    assert refuse_changed_prefix({**body, "messages": [*body["messages"], said("user")]}) is None
    for changed in (
        {"system": "You read it."},
        {"tools": [{"name": "f"}]},
        {"messages": [said("user"), *body["messages"]]},
    ):
        refused = refuse_changed_prefix({**body, **changed})
        assert str(refused).endswith("The block is bound to a different conversation.")
        assert refuse_changed_prefix({**body, **changed, "model": "claude-opus-5"}) is None


def test_anthropic_empty_system(upstream: Upstream) -> None:
    """A system block without text, marked or not."""
    blocks = [{"type": "text", "text": "a"}, {"type": "text", "text": ""}]
    assert refused(upstream, "/v1/messages", [ASK], system=blocks) == "system: text content blocks must be non-empty"


@pytest.mark.parametrize(("host", "messages", "message"), CHAT)
def test_chat(upstream: Upstream, host: str, messages: list[dict[str, Any]], message: str | None) -> None:
    """OpenAI's order, and Mistral's stricter one."""
    assert refused(upstream, f"{host}/chat/completions", messages) == message

"""What providers refuse in the order of messages; sources in tests/emulators/structure.py."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

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
    pytest.param([ASK, use("a", "b"), results("a", "b"), LATE, said("assistant"), ASK], None, id="in-order"),
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


def test_anthropic_empty_system(upstream: Upstream) -> None:
    """A system block without text, marked or not."""
    blocks = [{"type": "text", "text": "a"}, {"type": "text", "text": ""}]
    assert refused(upstream, "/v1/messages", [ASK], system=blocks) == "system: text content blocks must be non-empty"


@pytest.mark.parametrize(("host", "messages", "message"), CHAT)
def test_chat(upstream: Upstream, host: str, messages: list[dict[str, Any]], message: str | None) -> None:
    """OpenAI's order, and Mistral's stricter one."""
    assert refused(upstream, f"{host}/chat/completions", messages) == message

"""A call's messages are known again in the call that follows it, on every endpoint."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from litellm_prompt_router.record.history_state import HistoryState, history_state_of
from litellm_prompt_router.request.types import CHAT, GEMINI, MESSAGES, NOTHING_DECLARED, RESPONSES, Turn
from litellm_prompt_router.request.wire import SHAPES
from tests.end_to_end.workbench import as_items

CALL = {"id": "t1", "type": "function", "function": {"name": "read_file", "arguments": '{"path": "in/a"}'}}
SYSTEM, ASK = {"role": "system", "content": "You help."}, {"role": "user", "content": "sum it up"}
CALLED = {"role": "assistant", "content": "I look.", "tool_calls": [CALL]}
RESULT = {"role": "tool", "tool_call_id": "t1", "content": "a,b"}
CHAT_CALLS: tuple[list[dict[str, Any]], ...] = (
    [SYSTEM, ASK],
    [SYSTEM, ASK, CALLED, RESULT],
    [SYSTEM, ASK, CALLED, RESULT, {"role": "assistant", "content": "12"}, {"role": "user", "content": "and b?"}],
)


def _messages(body: list[dict[str, Any]]) -> Mapping[str, Any]:
    blocks: list[dict[str, Any]] = []
    for message in body[1:]:
        if message["role"] == "tool":
            content = [{"type": "tool_result", "tool_use_id": "t1", "content": message["content"]}]
            blocks.append({"role": "user", "content": content})
        elif message.get("tool_calls"):
            use = {"type": "tool_use", "id": "t1", "name": "read_file", "input": {"path": "in/a"}}
            blocks.append({"role": "assistant", "content": [{"type": "text", "text": "I look."}, use]})
        else:
            blocks.append(message)
    return {"system": "You help.", "messages": blocks}


def _gemini(body: list[dict[str, Any]]) -> Mapping[str, Any]:
    contents: list[dict[str, Any]] = []
    for message in body[1:]:
        if message["role"] == "tool":
            part: dict[str, Any] = {"functionResponse": {"name": "read_file", "response": {"result": "a,b"}}}
            contents.append({"role": "user", "parts": [part]})
        elif message.get("tool_calls"):
            part = {"functionCall": {"name": "read_file", "args": {"path": "in/a"}}}
            contents.append({"role": "model", "parts": [{"text": "I look."}, part]})
        else:
            role = "model" if message["role"] == "assistant" else "user"
            contents.append({"role": role, "parts": [{"text": message["content"]}]})
    return {"systemInstruction": {"parts": [{"text": "You help."}]}, "contents": contents}


SHAPED = {
    CHAT: lambda body: {"messages": body},
    MESSAGES: _messages,
    RESPONSES: lambda body: {"instructions": "You help.", "input": as_items(body[1:])},
    GEMINI: _gemini,
}


@pytest.mark.parametrize("endpoint", SHAPED)
def test_each_call_knows_the_one_before(endpoint: str) -> None:
    first, second, third = (
        history_state_of(SHAPES[endpoint].read(SHAPED[endpoint](body)).turns, "alpha") for body in CHAT_CALLS
    )
    assert first.previous_history_states == ()
    assert second.previous_history_states == (first.history_state,)
    assert third.previous_history_states[0] == second.history_state
    assert first.history_state in third.previous_history_states
    assert third.previous_recent_state == second.recent_state


TURNS = st.lists(
    st.builds(
        Turn,
        role=st.sampled_from(["user", "assistant", "tool", "system", "reasoning"]),
        text=st.text(max_size=8),
        attachments=st.lists(st.sampled_from(["image", "ls"]), max_size=2).map(tuple),
        blocks=st.just(1),
        parts=st.just(()),
        declared=st.just(NOTHING_DECLARED),
        tool_calls=st.lists(st.sampled_from(["ls", "cat"]), max_size=2).map(tuple),
        arguments=st.lists(st.text(max_size=3), max_size=2).map(tuple),
    ),
    max_size=8,
)


@given(TURNS, TURNS, st.sampled_from(["alpha", "beta"]))
def test_states_differ_where_messages_do(one: list[Turn], other: list[Turn], scope: str) -> None:
    """Turns without anything in them, such as hidden reasoning, may come and go."""

    def told(turns: list[Turn]) -> list[Turn]:
        return [t for t in turns if t.role != "reasoning" or t.text or t.tool_calls or t.attachments]

    def plain(turns: list[Turn]) -> list[Turn]:
        return [t for t in told(turns) if t.role != "assistant" or t.text or t.tool_calls or t.attachments]

    mine, theirs = history_state_of(one, scope), history_state_of(other, scope)
    assert (mine.history_state == theirs.history_state) == (plain(one) == plain(other))
    assert history_state_of(one, scope + "x").history_state != mine.history_state


def test_what_is_attached_is_not_what_is_called() -> None:
    """Of equal words, each in its own field."""
    turns = [Turn("assistant", "", attachments=("ls",)), Turn("assistant", "", tool_calls=("ls",))]
    assert len({history_state_of([turn], "alpha").history_state for turn in turns}) == 2


@given(TURNS)
def test_no_state_holds_text(turns: list[Turn]) -> None:
    found = history_state_of([*turns, Turn("user", "my secret")], "alpha")
    assert isinstance(found, HistoryState)
    states = [found.history_state, found.recent_state, *found.previous_history_states]
    assert all(state is None or (len(state) == 16 and int(state, 16) >= 0) for state in states)
    assert "secret" not in json.dumps(states)

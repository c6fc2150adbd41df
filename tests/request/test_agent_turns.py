"""Routing among an agent's own messages: wrappers, results, instructions to compact, and histories that were edited."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from litellm_prompt_router.profile.agents import AGENTS
from litellm_prompt_router.request.route import Router
from litellm_prompt_router.request.types import RoutingDecision, Turn
from litellm_prompt_router.request.wire import chat
from tests.made_profiles import module, profile
from tests.request.test_own_words import COMPACT, REMINDER

OFFICE = profile(
    module("core", "Core.\n", always=True, tools=["ask"]),
    module("files", "Files.\n", triggers=["file*"], tools=["read_file", "write_file"], optional=True),
    module("git", "Git.\n", triggers=["branch"], tools=["git"], optional=True),
    module("charts", "Charts.\n", triggers=["chart*"], tools=["plot"], optional=True),
    name="office",
)
ROUTER = Router(replace(OFFICE, ignore=AGENTS["claude-code"]))
EVERYTHING = {module.id for module in OFFICE.modules}
SUMMARY = "This session is being continued from a previous conversation. It was about a branch."


def decided(*messages: Mapping[str, Any], router: Router = ROUTER) -> RoutingDecision:
    """The decision on a chat conversation behind a system prompt."""
    request = chat.read({"messages": [{"role": "system", "content": "x"}, *messages]})
    return router.decide(request.turns)


def user(*blocks: str) -> dict[str, Any]:
    if len(blocks) == 1:
        return {"role": "user", "content": blocks[0]}
    return {"role": "user", "content": [{"type": "text", "text": block} for block in blocks]}


def assistant(text: str) -> dict[str, Any]:
    return {"role": "assistant", "content": text}


def call(tool: str, arguments: str = "{}", **extra: Any) -> list[dict[str, Any]]:
    """A tool call and its result."""
    calling = {"id": "c1", "type": "function", "function": {"name": tool, "arguments": arguments}, **extra}
    return [
        {"role": "assistant", "content": None, "tool_calls": [calling]},
        {"role": "tool", "tool_call_id": "c1", "content": "a chart"},
    ]


def first(decision: RoutingDecision) -> set[str]:
    """The modules of the first turn, beside the core."""
    return {e.module for e in decision.selected if not e.late} - {"core"}


def late(decision: RoutingDecision) -> dict[int, tuple[int, ...]]:
    return dict(decision.arrivals)


def test_wrappers_dont_route() -> None:
    """A reminder about charts brings no charts; the words beside it bring what they name."""
    decision = decided(user(REMINDER, "Make a branch"))
    assert (first(decision), decision.message_kind, decision.query_chars) == ({"git"}, "task", len("Make a branch"))


def test_a_message_without_words_is_no_message() -> None:
    """The conversation begins with the first one that has some, so that its prompt doesn't wait for nothing."""
    decision = decided(user(REMINDER), user("Make a branch"))
    assert first(decision) == {"git"}
    assert not decision.is_fallback
    assert late(decision) == {}


def test_nobody_said_anything_yet() -> None:
    """With wrappers alone every module is sent."""
    decision = decided(user(REMINDER))
    assert set(decision.modules) == EVERYTHING
    assert decision.fallback_reason == "no user message"


RESULTS = {
    "a reminder": user(REMINDER),
    "an observation": user("Observation:\nthe chart is done"),
    "output": user("Code output: a chart"),
    "instructions to compact": user(COMPACT + " Name every chart."),
    "instructions to compact behind reminders": user(REMINDER, COMPACT + " Name every chart."),
}


@pytest.mark.parametrize("message", RESULTS.values(), ids=RESULTS.keys())
def test_what_is_no_users_word_doesnt_reroute(message: dict[str, Any]) -> None:
    """The decision is the one before it: selection, evidence and places."""
    before = [user("Make a branch"), *call("git"), assistant("Done.")]
    assert decided(*before, message) == decided(*before)


def test_a_compaction_call_keeps_the_prefix() -> None:
    """Late modules too stay where they were."""
    before = [user("Make a branch"), *call("git"), assistant("Done."), user("Draw a chart"), *call("plot")]
    decision = decided(*before, user(COMPACT))
    assert late(decision) == late(decided(*before)) == {4: (3,)}


SHORTENED = {
    "a summary of the user's": ([user(SUMMARY), user("Go on")], 0),
    "a summary beside reminders": ([user(REMINDER, SUMMARY), assistant("Fine."), user("Draw a chart")], 0),
    "a summary of the model's": ([user("Make a branch"), assistant("[NOTE] Some previous conversation history")], 1),
    "a summary of the system's": (
        [user("Make a branch"), {"role": "system", "content": "Summary of the conversation so far: charts"}],
        1,
    ),
    "a summary behind old messages": ([user("Make a branch"), user("Another language model started")], 1),
    "a result without its call": ([{"role": "tool", "tool_call_id": "c1", "content": "x"}, user("Make a branch")], 0),
    "a call without its message": ([*call("plot"), user("Make a branch")], 0),
}


@pytest.mark.parametrize(("messages", "turn"), SHORTENED.values(), ids=SHORTENED.keys())
def test_behind_a_shortened_history_everything_is_sent(messages: list[dict[str, Any]], turn: int) -> None:
    """From the place that tells of it; calls that go on from there keep it that way."""
    decision = decided(*messages)
    assert set(decision.modules) == EVERYTHING
    assert decision.fallback_reason == "the history was shortened"
    assert set(late(decision)) == ({turn} if turn else set())
    longer = decided(*messages, assistant("Done."), user("Draw a chart"))
    assert late(longer) == late(decision)
    assert first(longer) == first(decision)


def test_a_greeting_is_no_shortened_history() -> None:
    """An agent may speak first, and a model may sum up what its user wants summed up."""
    assert first(decided(assistant("Hello, what can I do?"), user("Make a branch"))) == {"git"}
    asked = [user("Make a branch"), user("Shorter"), assistant("Here is a summary of our conversation: branches.")]
    assert set(decided(*asked, user("Go on")).modules) == {"core", "git"}


def test_state_of_one_request_is_nobody_elses() -> None:
    """A router that saw other conversations decides as one that saw none."""
    messages = [user("Make a branch"), assistant("[NOTE] Some previous conversation history"), user("Go on")]
    for length in range(len(messages), 0, -1):
        decided(*messages[:length])
    decided(user("Make a branch"), assistant("[NOTE] Some"), user("Go on"))
    assert decided(*messages) == decided(*messages, router=Router(replace(OFFICE, ignore=AGENTS["claude-code"])))


MARK = {"cache_control": {"type": "ephemeral"}}
CALLS: dict[str, list[dict[str, Any]]] = {
    "arguments with other spaces": call("plot", '{"kind": "bar"}'),
    "thoughts dropped": call("plot", '{"kind":"bar"}', provider_specific_fields={"thought_signature": "abc"}),
    "marks": call("plot", '{"kind":"bar"}', **MARK),
}


@pytest.mark.parametrize("edited", CALLS.values(), ids=CALLS.keys())
def test_edits_that_say_nothing_change_nothing(edited: list[dict[str, Any]]) -> None:
    """Signatures that vanish, arguments written anew and marks that move leave the selection and its places."""
    before = [user("Make a branch"), *call("plot", '{"kind":"bar"}'), user("Go on")]
    after = [user("Make a branch"), *edited, user("Go on")]
    assert decided(*before) == decided(*after)


def test_blocks_count_not_only_text() -> None:
    """One text in one block and in two aren't the same message to an agent that uses them."""
    one, two = user("a branch\na chart"), user("a branch", "a chart")
    assert first(decided(one)) == {"git", "charts"}
    assert first(decided(two)) == {"charts"}
    assert first(decided(two, user("Go on"))) == {"charts"}
    assert first(decided(one, user("Go on"))) == {"git", "charts"}


def test_turns_without_parts_are_one_block() -> None:
    """Shapes that don't say where blocks end are read as they are."""
    assert first(ROUTER.decide([Turn(role="user", text=f"{REMINDER}\nMake a branch")])) == {"git"}

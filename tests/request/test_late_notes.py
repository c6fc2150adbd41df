"""Notes: where a late module stands in each endpoint's conversation, and what of the client's stays as it was."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from litellm_prompt_router.request.late_places import NOTE_INTRODUCTION, with_late_places
from litellm_prompt_router.request.pipeline import Pipeline
from litellm_prompt_router.request.types import Composition, LateMessage, Target, Turn
from litellm_prompt_router.request.wire.gemini import NOTE_VALUE
from tests.made_profiles import count_words, module, profile
from tests.request.notes import is_note

CORE = "# Weather mast\n\nYou read the instruments of a weather mast on a hill.\n\n"
WIND = "## Wind\n\nUse `wind_log` and give the mean of the last ten minutes in knots.\n\n"
RAIN = "## Rain\n\nUse `rain_log` and say when the gauge was emptied the last time.\n\n"
SNOW = "## Snow\n\nUse `snow_log` only between the first and the last day of frost.\n"
MAST = profile(
    module("core", CORE, always=True),
    module("wind", WIND, triggers=["wind"], optional=True),
    module("rain", RAIN, triggers=["rain"], tools=["rain_log"], optional=True),
    module("snow", SNOW, triggers=["snow"], optional=True),
    name="mast",
)
BEHIND = Target(takes_marks=False, min_cache_tokens=0, input_usd_per_token=None, takes_user_behind_result=True)
INSIDE = replace(BEHIND, takes_user_behind_result=False)
AS_MESSAGE = replace(BEHIND, late_form="message")
RAIN_NOTE = f"{NOTE_INTRODUCTION}{RAIN}"
MARK = {"type": "ephemeral"}


def walk(call_type: str, body: dict[str, Any], target: Target) -> dict[str, Any]:
    pipeline = Pipeline([MAST], count_words, coverage_floor=0.0)
    before = json.dumps(body)
    out = dict(pipeline.walk(body, call_type, lambda: target).body)
    assert json.dumps(body) == before
    return out


def text(of: str) -> dict[str, Any]:
    return {"type": "text", "text": of}


# Chat

WIND_ASKED: list[dict[str, Any]] = [
    {"role": "user", "content": "How is the wind?"},
    {"role": "assistant", "content": "Calm."},
]
CALLS = [{"id": n, "type": "function", "function": {"name": "rain_log", "arguments": "{}"}} for n in ("a", "b")]
RAIN_LOGGED: list[dict[str, Any]] = [
    {"role": "assistant", "content": None, "tool_calls": CALLS},
    {"role": "tool", "tool_call_id": "a", "content": "3 mm"},
    {"role": "tool", "tool_call_id": "b", "content": "4 mm"},
]


def chat(messages: list[dict[str, Any]], target: Target) -> list[dict[str, Any]]:
    prompt = {"role": "system", "content": MAST.text}
    out: list[dict[str, Any]] = walk("acompletion", {"messages": [prompt, *messages]}, target)["messages"]
    assert RAIN.strip() not in str(out[0])
    return out[1:]


@pytest.mark.parametrize("target", [BEHIND, INSIDE], ids=["behind", "inside"])
@pytest.mark.parametrize(
    ("message", "noted"),
    [
        pytest.param(
            {"content": "And the rain?"}, {"content": [text("And the rain?"), text(RAIN_NOTE)]}, id="a string"
        ),
        pytest.param(
            {"content": "And the rain?", "cache_control": MARK},
            {"content": [{**text("And the rain?"), "cache_control": MARK}, text(RAIN_NOTE)]},
            id="a marked string",
        ),
        pytest.param(
            {"content": [{**text("And the rain?"), "cache_control": MARK}], "name": "mast"},
            {"content": [{**text("And the rain?"), "cache_control": MARK}, text(RAIN_NOTE)], "name": "mast"},
            id="blocks",
        ),
    ],
)
def test_a_users_message_in_chat(target: Target, message: dict[str, Any], noted: dict[str, Any]) -> None:
    """The note is a block of its own behind the user's; a mark stays on what it marked."""
    out = chat([*WIND_ASKED, {"role": "user", **message}], target)
    assert out == [*WIND_ASKED, {"role": "user", **noted}]
    later = [{"role": "user", "content": "really?"}, {"role": "system", "content": "Be brief."}]
    assert chat([*WIND_ASKED, {"role": "user", **message}, *later], target) == [*out, *later]


def test_a_result_in_chat() -> None:
    """Behind the last of the results, or inside it where nothing but an answer may stand there."""
    messages = [*WIND_ASKED, {"role": "user", "content": "hm"}, *RAIN_LOGGED]
    assert chat(messages, BEHIND) == [*messages, {"role": "user", "content": RAIN_NOTE}]
    *before, last = messages
    assert chat(messages, INSIDE) == [*before, {**last, "content": [text("4 mm"), text(RAIN_NOTE)]}]
    assert chat(messages, AS_MESSAGE) == [*messages, {"role": "system", "content": RAIN}]


@pytest.mark.parametrize("target", [BEHIND, INSIDE], ids=["behind", "inside"])
def test_modules_of_several_messages_are_notes_in_each(target: Target) -> None:
    """Also where a question follows a question, and a reminder of the client's follows that."""
    users = [{"role": "user", "content": "And the rain?"}, {"role": "user", "content": "And the snow?"}]
    reminder = {"role": "system", "content": "Stay on the hill."}
    out = chat([*WIND_ASKED, *users, reminder], target)
    assert [message["role"] for message in out] == ["user", "assistant", "user", "user", "system"]
    assert [is_note(block) for message in out[2:4] for block in message["content"]] == [False, True] * 2
    assert out[-1] == reminder


# Anthropic Messages


def messages_of(result: dict[str, Any], target: Target) -> list[dict[str, Any]]:
    call = {"type": "tool_use", "id": "t", "name": "rain_log", "input": {}}
    messages = [*WIND_ASKED, {"role": "user", "content": "hm"}, {"role": "assistant", "content": [call]}]
    body = {"system": MAST.text, "messages": [*messages, {"role": "user", "content": [result]}]}
    out: list[dict[str, Any]] = walk("anthropic_messages", body, target)["messages"]
    assert out[:-1] == messages
    return out[-1]["content"]  # type: ignore[no-any-return]


def test_a_result_in_messages() -> None:
    """Results come first, then the note; a result in a message that may hold nothing else takes the note itself."""
    result = {"type": "tool_result", "tool_use_id": "t", "content": "3 mm", "cache_control": MARK}
    assert messages_of(result, BEHIND) == [result, text(RAIN_NOTE)]
    assert messages_of(result, INSIDE) == [{**result, "content": [text("3 mm"), text(RAIN_NOTE)]}]


@pytest.mark.parametrize("content", ["And the rain?", [text("And the rain?")]], ids=["string", "blocks"])
def test_a_users_message_in_messages(content: Any) -> None:
    """No system message stands beside the client's own."""
    reminder = {"role": "system", "content": "Stay on the hill."}
    body = {"system": MAST.text, "messages": [*WIND_ASKED, {"role": "user", "content": content}, reminder]}
    out = walk("anthropic_messages", body, BEHIND)["messages"]
    noted = {"role": "user", "content": [text("And the rain?"), text(RAIN_NOTE)]}
    assert out == [*WIND_ASKED, noted, reminder]


# Responses


def responses(items: list[dict[str, Any]], target: Target) -> list[dict[str, Any]]:
    body = {"instructions": MAST.text, "input": [*WIND_ASKED, *items]}
    out: list[dict[str, Any]] = walk("aresponses", body, target)["input"]
    assert out[:2] == WIND_ASKED
    return out[2:]


def test_responses() -> None:
    """Blocks are ``input_text``; what calls wait for comes first."""
    part = {"type": "input_text", "text": RAIN_NOTE}
    asked = {"role": "user", "content": "And the rain?"}
    noted = {"role": "user", "content": [{"type": "input_text", "text": "And the rain?"}, part]}
    assert responses([asked], BEHIND) == [noted]
    calls = [{"type": "function_call", "call_id": n, "name": "rain_log", "arguments": "{}"} for n in ("a", "b")]
    outputs = [{"type": "function_call_output", "call_id": n, "output": n} for n in ("a", "b")]
    items = [{"role": "user", "content": "hm"}, *calls, *outputs]
    assert responses(items, BEHIND) == [*items, {"role": "user", "content": [part]}]
    inside = {**outputs[-1], "output": [{"type": "input_text", "text": "b"}, part]}
    assert responses(items, INSIDE) == [*items[:-1], inside]
    assert responses(items, AS_MESSAGE) == [*items, {"role": "system", "content": RAIN}]


# Gemini


def test_gemini() -> None:
    """A part behind the user's; behind results a content of its own, or a value beside theirs."""
    wind = [{"role": "user", "parts": [{"text": "How is the wind?"}]}, {"role": "model", "parts": [{"text": "Calm."}]}]
    call = {"role": "model", "parts": [{"functionCall": {"name": "rain_log", "args": {}}}]}
    result = {"role": "user", "parts": [{"functionResponse": {"name": "rain_log", "response": {"mm": 3}}}]}

    def contents(last: list[dict[str, Any]], target: Target) -> list[dict[str, Any]]:
        body = {"systemInstruction": {"parts": [{"text": MAST.text}]}, "contents": [*wind, *last]}
        out: list[dict[str, Any]] = walk("agenerate_content", body, target)["contents"]
        assert out[:2] == wind
        return out[2:]

    asked = {"role": "user", "parts": [{"text": "And the rain?"}]}
    assert contents([asked], BEHIND) == [{"role": "user", "parts": [{"text": "And the rain?"}, {"text": RAIN_NOTE}]}]
    hm = {"role": "user", "parts": [{"text": "hm"}]}
    called = [hm, call, result]
    assert contents(called, BEHIND) == [*called, {"role": "user", "parts": [{"text": RAIN_NOTE}]}]
    given = {"mm": 3, NOTE_VALUE: RAIN_NOTE.strip()}
    inside = {"role": "user", "parts": [{"functionResponse": {"name": "rain_log", "response": given}}]}
    assert contents(called, INSIDE) == [hm, call, inside]


# Places

COMPOSED = Composition(
    core=(),
    routed=(),
    varying=(),
    late=(),
    late_tokens=5,
    core_tokens=0,
    routed_tokens=0,
    varying_tokens=0,
    original_tokens=0,
    residue_chars=0,
)


@pytest.mark.parametrize(
    ("roles", "turn", "behind", "inside"),
    [
        ("user", 0, (0, True), (0, True)),
        ("user assistant tool tool", 3, (3, False), (3, True)),
        # A client's own system message takes none: the user's ahead of it does, or what follows an answer.
        ("user assistant user system", 3, (2, True), (2, True)),
        ("user assistant tool system user", 3, (2, False), (2, True)),
        ("user assistant system user", 2, (3, True), (3, True)),
        ("user assistant assistant user", 1, (1, False), (1, False)),
        ("user assistant", 1, (1, False), (1, False)),
    ],
)
def test_places(roles: str, turn: int, behind: tuple[int, bool], inside: tuple[int, bool]) -> None:
    """By what stands at or before a place; what was sent before an answer is never touched for what came behind it."""
    turns = [Turn(role, "") for role in roles.split()]
    composition = replace(COMPOSED, late=(LateMessage(turn, ()),))
    for target, place in ((BEHIND, behind), (INSIDE, inside)):
        placed = with_late_places(composition, turns, target, count_words)
        (late,) = placed.late
        assert (late.turn, late.is_inside) == place
        assert placed.late_tokens == 5 + count_words(NOTE_INTRODUCTION)
        assert placed.chars == len(NOTE_INTRODUCTION)
    assert with_late_places(composition, turns, AS_MESSAGE, count_words) == composition

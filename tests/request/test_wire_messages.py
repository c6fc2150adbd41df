"""Anthropic Messages bodies in our types, and back."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from litellm_prompt_router.request.pipeline import Pipeline
from litellm_prompt_router.request.types import (
    Passthrough,
    Rewritten,
    SystemBlock,
    Target,
    Turn,
    UnreadableRequestError,
)
from litellm_prompt_router.request.walk_steps import WalkResult
from litellm_prompt_router.request.wire.messages import TOP, read
from tests.made_profiles import count_words, module, profile
from tests.request.notes import is_note

CORE = "# Weather mast\n\nYou read the instruments of a weather mast on a hill.\n\n"
WIND = "## Wind\n\nUse `wind_log` and give the mean of the last ten minutes in knots.\n\n"
RAIN = "## Rain\n\nUse `rain_log` and say when the gauge was emptied the last time.\n\n"
MAST = profile(
    module("core", CORE, always=True),
    module("wind", WIND, triggers=["wind"], optional=True),
    module("rain", RAIN, triggers=["rain"], optional=True),
    name="mast",
)
PLAIN = Target(takes_marks=False, min_cache_tokens=0, input_usd_per_token=None)
CLAUDE = replace(PLAIN, takes_marks=True)
M5, H1 = {"type": "ephemeral"}, {"type": "ephemeral", "ttl": "1h"}
ASK = {"role": "user", "content": "How is the wind?"}
CALL = {"type": "tool_use", "id": "t1", "name": "wind_log", "input": {}}
RESULT = {"type": "tool_result", "tool_use_id": "t1", "content": "17"}
PICTURE = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": ""}}


def text(value: str, mark: Any = None) -> dict[str, Any]:
    return {"type": "text", "text": value, **({"cache_control": mark} if mark else {})}


def walk(body: dict[str, Any], target: Target = PLAIN, **options: Any) -> WalkResult:
    pipeline = Pipeline([MAST], count_words, coverage_floor=0.0, **options)
    return pipeline.walk(body, "anthropic_messages", lambda: target)


@pytest.mark.parametrize(
    ("body", "blocks"),
    [
        pytest.param({"system": "a"}, [(TOP, None, "a", None)], id="a string"),
        pytest.param({"system": [text("a"), text("b", M5)]}, [(TOP, 0, "a", None), (TOP, 1, "b", M5)], id="blocks"),
        pytest.param(
            {
                "system": "a",
                "messages": [{"role": "system", "content": "b"}, {"role": "system", "content": [text("c")]}],
            },
            [(TOP, None, "a", None), (0, None, "b", None), (1, 0, "c", None)],
            id="leading messages too",
        ),
        pytest.param({"messages": [ASK, {"role": "system", "content": "b"}]}, [], id="a later one is a turn"),
        pytest.param({"system": ""}, [], id="empty"),
        pytest.param({"system": None}, [], id="null"),
        pytest.param({}, [], id="none"),
    ],
)
def test_where_the_system_prompt_is(body: dict[str, Any], blocks: list[tuple[Any, ...]]) -> None:
    request = read({"messages": [], **body})
    assert request.system == tuple(
        SystemBlock(message=message, block=block, text=text, mark=mark) for message, block, text, mark in blocks
    )


TURNS = [
    pytest.param({"role": "user", "content": "hi"}, Turn("user", "hi"), id="a string"),
    pytest.param(
        {"role": "user", "content": [text("a"), text("b")]},
        Turn("user", "a\nb", blocks=2, parts=("a", "b")),
        id="blocks",
    ),
    pytest.param(
        {"role": "user", "content": [RESULT, RESULT]}, Turn("tool", "17\n17", blocks=2), id="results are no words"
    ),
    pytest.param({"role": "user", "content": [RESULT, text("go on")]}, Turn("user", "go on", blocks=2), id="both"),
    pytest.param(
        {"role": "user", "content": [{**RESULT, "content": [text("17"), PICTURE]}]},
        Turn("tool", "17"),
        id="what is inside a result is the tool's",
    ),
    pytest.param(
        {"role": "user", "content": [PICTURE, {"type": "document", "source": {}}, {"type": "new"}]},
        Turn("user", "", ("image", "file", "other"), blocks=3),
        id="attachments",
    ),
    pytest.param(
        {"role": "assistant", "content": [{"type": "thinking", "thinking": "hm"}, text("Look."), CALL, CALL]},
        Turn("assistant", "Look.", (), ("wind_log", "wind_log"), blocks=2, arguments=("", "")),
        id="calls",
    ),
    pytest.param({"role": "user", "content": None}, Turn("user", ""), id="nothing"),
]


@pytest.mark.parametrize(("message", "turn"), TURNS)
def test_turns(message: dict[str, Any], turn: Turn) -> None:
    assert read({"messages": [message]}).turns == (turn,)


def test_marks_are_counted_wherever_they_stand() -> None:
    """Tools ahead of the prompt; messages, inside tool results, the automatic one and LiteLLM's points behind it."""
    request = read(
        {
            "system": [text("a", M5)],
            "messages": [
                {"role": "user", "content": [text("b", H1)]},
                {"role": "user", "content": [{**RESULT, "content": [text("17", M5)], "cache_control": H1}]},
            ],
            "tools": [{"name": "x", "cache_control": H1}, {"name": "y"}],
            "cache_control": M5,
            "cache_control_injection_points": [{"location": "message", "index": 0}],
        }
    )
    assert request.marks_before == (H1,)
    assert request.marks_after == (H1, H1, M5, M5, M5)
    assert (request.client_marks, request.states_points) == (7, True)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({"messages": "hi"}, "unreadable"),
        ({"messages": ["hi"]}, "unreadable"),
        ({"system": 7, "messages": []}, "unreadable"),
        ({"system": [{"type": "image"}], "messages": []}, "unsupported_system_content"),
        ({"messages": [{"role": "system"}]}, "unreadable"),
    ],
)
def test_what_cannot_be_read_says_why(body: dict[str, Any], reason: str) -> None:
    with pytest.raises(UnreadableRequestError) as error:
        read(body)
    assert error.value.reason == reason
    outcome = walk(body).outcome
    assert isinstance(outcome, Passthrough)
    assert outcome.reason == reason


def test_a_string_stays_a_string_until_it_is_marked() -> None:
    body = {"system": MAST.text, "messages": [ASK]}
    assert walk(body).body == {**body, "system": f"{CORE}{WIND}"}
    assert walk(body, CLAUDE).body == {**body, "system": [text(CORE, M5), text(WIND, M5)]}


def test_strangers_blocks_keep_their_place_marks_and_fields() -> None:
    """What is rewritten is the block with the prompt; a block whose text is gone is gone."""
    stranger = {**text("x-billing: 1;", H1), "extra": True}
    body = {"system": [stranger, text(f"{CORE}{WIND}"), text(RAIN)], "messages": [ASK]}
    assert walk(body).body["system"] == [stranger, text(f"{CORE}{WIND}")]


def test_what_is_left_blank_joins_its_neighbour() -> None:
    """Anthropic refuses blank blocks."""
    body = {"system": [text(f"{CORE}{WIND}"), text(f"{RAIN}\n\n\n")], "messages": [ASK]}
    system = walk(body).body["system"]
    assert all(block["text"].strip() for block in system)


def test_the_historys_end_is_marked_in_place() -> None:
    """On the last block that may bear a mark; a thinking block may not, and other messages stay as they are."""
    body = {
        "system": MAST.text,
        "messages": [ASK, {"role": "assistant", "content": [CALL]}, {"role": "user", "content": [RESULT]}],
    }
    walked = walk(body, CLAUDE, adds_marks=True)
    assert walked.body["messages"] == [
        *body["messages"][:2],
        {"role": "user", "content": [{**RESULT, "cache_control": M5}]},
    ]
    assert "cache_control_injection_points" not in walked.body
    assert isinstance(walked.outcome, Rewritten)
    assert (walked.outcome.breakpoints.added, walked.outcome.breakpoints.total) == (3, 3)


def test_a_long_round_of_calls_is_marked_at_its_beginning_too() -> None:
    """Twenty results in one message are twenty blocks: the cache entry ahead of them would be out of reach."""
    results = {"role": "user", "content": [RESULT] * 20}
    messages = [ASK, {"role": "assistant", "content": [CALL] * 20}, results]
    out = walk({"system": MAST.text, "messages": messages}, CLAUDE, adds_marks=True).body["messages"]
    assert out[0] == {"role": "user", "content": [text("How is the wind?", M5)]}
    assert out[1] is messages[1]
    assert ["cache_control" in block for block in out[2]["content"]] == [False] * 19 + [True]


def test_points_of_the_client_are_settled_among_late_messages() -> None:
    """An index means the same message as before, and a point for the system prompt is for the field."""
    points = [{"location": "message", "role": "system"}, {"location": "message", "index": 2}]
    body = {
        "system": MAST.text,
        "messages": [ASK, {"role": "assistant", "content": "Calm."}, {"role": "user", "content": "And the rain?"}],
        "cache_control_injection_points": points,
    }
    out = walk(body, CLAUDE, placement="append").body
    assert [message["role"] for message in out["messages"]] == ["user", "assistant", "user"]
    assert "And the rain?" in out["messages"][2]["content"][0]["text"]
    assert is_note(out["messages"][2]["content"][1])
    assert out.get("cache_control_injection_points") == points

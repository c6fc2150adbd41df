"""Chat completions: what is read from a body, and what a rewritten body looks like."""

from __future__ import annotations

import copy
import json
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
from litellm_prompt_router.request.wire import SHAPES, chat
from tests.made_profiles import (
    BERTHS,
    FEES,
    HARBOUR,
    IDENTITY,
    LETTERS,
    NO_MARKS,
    PROMPT,
    TAKES_MARKS,
    TIDES,
    count_words,
    module,
    profile,
    slot,
)

MARK = {"type": "ephemeral"}
PIPELINE = Pipeline([HARBOUR], count_words, coverage_floor=0.6)


def rewritten(data: dict[str, Any], target: Target = NO_MARKS) -> list[dict[str, Any]]:
    """The messages as they leave; the body that came in must stay as it was."""
    before = copy.deepcopy(data)
    walked = PIPELINE.walk(data, "acompletion", lambda: target)
    assert isinstance(walked.outcome, Rewritten), walked.outcome
    assert data == before
    messages: list[dict[str, Any]] = walked.body["messages"]
    return messages


def asked(*system: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"model": "m", "messages": [*system, {"role": "user", "content": "Which berth is free?"}], **more}


def part(text: str, **more: Any) -> dict[str, Any]:
    return {"type": "text", "text": text, **more}


# Reading


@pytest.mark.parametrize(
    ("messages", "expected"),
    [
        ([{"role": "system", "content": "a"}], [(0, None, "a")]),
        ([{"role": "developer", "content": "a"}], [(0, None, "a")]),
        ([{"role": "system", "content": [part("a"), part("b")]}], [(0, 0, "a"), (0, 1, "b")]),
        (
            [{"role": "system", "content": "a"}, {"role": "developer", "content": [part("b")]}],
            [(0, None, "a"), (1, 0, "b")],
        ),
        ([{"role": "user", "content": "a"}, {"role": "system", "content": "b"}], []),
        (
            [
                {"role": "system", "content": "a"},
                {"role": "user", "content": "b"},
                {"role": "system", "content": "c"},
            ],
            [(0, None, "a")],
        ),
        ([], []),
    ],
    ids=["string", "developer", "blocks", "run of two", "late", "leading and late", "no messages"],
)
def test_system_prompt_is_the_leading_run(messages: list[Any], expected: list[tuple[int, int | None, str]]) -> None:
    request = chat.read({"messages": messages})
    assert [(block.message, block.block, block.text) for block in request.system] == expected
    assert request.system_text == "".join(text for _, _, text in expected)


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ({"role": "user", "content": "hi"}, Turn(role="user", text="hi")),
        ({"role": "user", "content": None}, Turn(role="user", text="")),
        ({"role": "user"}, Turn(role="user", text="")),
        ({"role": "user", "content": [part("a"), part("b")]}, Turn(role="user", text="a\nb", parts=("a", "b"))),
        ({"role": "user", "content": ["a", part("b")]}, Turn(role="user", text="a\nb", parts=("a", "b"))),
        (
            {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:..."}}]},
            Turn(role="user", text="", attachments=("image",)),
        ),
        (
            {
                "role": "user",
                "content": [part("look"), {"type": "file", "file": {}}, {"type": "input_audio"}, {"type": "hologram"}],
            },
            Turn(role="user", text="look", attachments=("file", "audio", "other")),
        ),
        ({"role": "user", "content": [None, 3, {}, {"type": "text"}]}, Turn(role="user", text="")),
        (
            {"role": "assistant", "tool_calls": [{"function": {"name": "a"}}, {"function": {"name": "b"}}]},
            Turn(role="assistant", text="", tool_calls=("a", "b"), arguments=("", "")),
        ),
        (
            {"role": "assistant", "content": "x", "function_call": {"name": "old"}},
            Turn(role="assistant", text="x", tool_calls=("old",), arguments=("",)),
        ),
        (
            {"role": "assistant", "tool_calls": [None, 1, {}, {"function": None}, {"function": {"name": 3}}]},
            Turn(role="assistant", text=""),
        ),
        ({"role": "assistant", "tool_calls": "x", "function_call": "y"}, Turn(role="assistant", text="")),
        ({"role": "tool", "tool_call_id": "1", "content": [part("out")]}, Turn(role="tool", text="out")),
        ({"content": "no role"}, Turn(role="None", text="no role")),
    ],
    ids=lambda value: "" if isinstance(value, Turn) else json.dumps(value)[:60],
)
def test_turns(message: dict[str, Any], expected: Turn) -> None:
    """What routing looks at, from whatever a client sends."""
    assert chat.read({"messages": [{"role": "user", "content": "first"}, message]}).turns[1] == expected


@pytest.mark.parametrize(
    ("messages", "reason"),
    [
        (None, "unreadable"),
        ("hello", "unreadable"),
        ({"role": "system"}, "unreadable"),
        ([None], "unreadable"),
        (["hello"], "unreadable"),
        ([{"role": "system", "content": "a"}, 7], "unreadable"),
        ([{"role": "system"}], "unreadable"),
        ([{"role": "system", "content": None}], "unreadable"),
        ([{"role": "system", "content": []}], "unreadable"),
        ([{"role": "system", "content": {"text": "a"}}], "unreadable"),
        ([{"role": "system", "content": ["a"]}], "unsupported_system_content"),
        ([{"role": "system", "content": [part("a"), {"type": "image_url"}]}], "unsupported_system_content"),
        ([{"role": "system", "content": [{"type": "text"}]}], "unsupported_system_content"),
        ([{"role": "system", "content": [{"type": "text", "text": 3}]}], "unsupported_system_content"),
        ([{"role": "system", "content": [{"type": ["text"], "text": "a"}]}], "unsupported_system_content"),
    ],
    ids=lambda value: value if isinstance(value, str) else json.dumps(value)[:60],
)
def test_malformed_bodies_pass_through_with_a_reason(messages: Any, reason: str) -> None:
    data = {"messages": messages}
    with pytest.raises(UnreadableRequestError, match=f"^{reason}$"):
        chat.read(data)
    walked = PIPELINE.walk(data, "acompletion", lambda: NO_MARKS)
    assert isinstance(walked.outcome, Passthrough)
    assert walked.outcome.reason == reason
    assert walked.body is data


@pytest.mark.parametrize(
    ("data", "call_type", "reason"),
    [
        ({}, "acompletion", "unreadable"),
        ({"messages": []}, "acompletion", "no_system_prompt"),
        ({"messages": [{"role": "user", "content": "hi"}]}, "acompletion", "no_system_prompt"),
        ({"messages": [{"role": ["system"], "content": "hi"}]}, "acompletion", "no_system_prompt"),
        ({"messages": [{"role": {}, "content": "hi"}]}, "acompletion", "no_system_prompt"),
        (asked({"role": "system", "content": ""}), "acompletion", "unrecognised"),
        (asked({"role": "system", "content": "Another agent."}), "acompletion", "unrecognised"),
        (asked({"role": "system", "content": PROMPT}), "aembedding", "unsupported_endpoint"),
        (asked({"role": "system", "content": PROMPT}), "completion", "unsupported_endpoint"),
        (asked({"role": "system", "content": PROMPT}), "pass_through_endpoint", "unsupported_endpoint"),
    ],
    ids=[
        "no messages",
        "empty",
        "no system",
        "list as role",
        "dict as role",
        "empty system",
        "foreign",
        "embedding",
        "documented name",
        "pass-through",
    ],
)
def test_passthrough_reasons(data: dict[str, Any], call_type: str, reason: str) -> None:
    walked = PIPELINE.walk(data, call_type, lambda: NO_MARKS)
    assert isinstance(walked.outcome, Passthrough)
    assert walked.outcome.reason == reason
    assert walked.body is data


def test_close_prompts_are_reported_as_drift() -> None:
    """Below the floor, with the profile that came near."""
    outcome = PIPELINE.walk(
        asked({"role": "system", "content": IDENTITY + BERTHS + "word " * 200}), "acompletion", lambda: NO_MARKS
    ).outcome
    assert isinstance(outcome, Passthrough)
    assert outcome.reason == "unrecognised"
    assert outcome.near is not None
    assert outcome.near.profile is HARBOUR
    assert 0.2 < outcome.near.coverage < 0.6


# Writing


def test_string_stays_a_string() -> None:
    message = rewritten(asked({"role": "system", "content": PROMPT}))[0]
    assert message == {"role": "system", "content": IDENTITY + BERTHS}


def test_string_becomes_blocks_where_a_mark_has_to_stand() -> None:
    """Only block-level marks reach every provider."""
    assert rewritten(asked({"role": "system", "content": PROMPT}), TAKES_MARKS)[0] == {
        "role": "system",
        "content": [part(IDENTITY, cache_control=MARK), part(BERTHS, cache_control=MARK)],
    }


def test_blocks_stay_blocks() -> None:
    assert rewritten(asked({"role": "system", "content": [part(PROMPT)]}))[0] == {
        "role": "system",
        "content": [part(IDENTITY + BERTHS)],
    }


@pytest.mark.parametrize("role", ["system", "developer"])
def test_role_and_other_keys_of_the_message_stay(role: str) -> None:
    message = {"role": role, "name": "office", "x-own": {"a": [1]}, "content": PROMPT}
    assert rewritten(asked(message))[0] == {**message, "content": IDENTITY + BERTHS}


def test_other_keys_of_a_block_stay() -> None:
    system = {"role": "system", "content": [part(PROMPT, citations={"enabled": True})]}
    (block,) = rewritten(asked(system))[0]["content"]
    assert block == part(IDENTITY + BERTHS, citations={"enabled": True})


def test_everything_else_is_passed_on_as_it_is() -> None:
    """Later messages, tools and parameters are the same objects, in their order."""
    later = [
        {"role": "user", "content": [part("Which berth is free?", cache_control=MARK)]},
        {"role": "assistant", "content": None, "tool_calls": [{"id": "1", "function": {"name": "berth_plan"}}]},
        {"role": "tool", "tool_call_id": "1", "content": "quay 4"},
        {"role": "system", "content": PROMPT},
        {"role": "user", "content": None},
    ]
    data = {"model": "m", "messages": [{"role": "system", "content": PROMPT}, *later], "tools": [{}], "seed": 7}
    walked = PIPELINE.walk(data, "acompletion", lambda: NO_MARKS)
    assert list(walked.body) == list(data)
    assert all(a is b for a, b in zip(walked.body["messages"][1:], later, strict=True))
    assert walked.body["tools"] is data["tools"]


SPLITS: dict[str, tuple[list[dict[str, Any]], list[dict[str, Any]]]] = {
    "messages at module ends": (
        [{"role": "system", "content": m.text} for m in HARBOUR.modules],
        [{"role": "system", "content": IDENTITY}, {"role": "system", "content": BERTHS}],
    ),
    "messages of two roles": (
        [{"role": "system", "content": IDENTITY + BERTHS}, {"role": "developer", "content": TIDES + FEES + LETTERS}],
        [{"role": "system", "content": IDENTITY + BERTHS}],
    ),
    "stripped messages": (
        [{"role": "system", "content": m.text.strip()} for m in HARBOUR.modules],
        [{"role": "system", "content": IDENTITY.strip()}, {"role": "system", "content": BERTHS.strip()}],
    ),
    "blocks inside a module": (
        [{"role": "system", "content": [part(IDENTITY + BERTHS[:40]), part(BERTHS[40:] + TIDES + FEES + LETTERS)]}],
        [{"role": "system", "content": [part(IDENTITY + BERTHS[:40]), part(BERTHS[40:])]}],
    ),
    "a foreign message between": (
        [
            {"role": "system", "content": IDENTITY},
            {"role": "developer", "name": "ops", "content": "Crane two is broken.\n\n"},
            {"role": "system", "content": BERTHS + TIDES + FEES + LETTERS},
        ],
        [
            {"role": "system", "content": IDENTITY},
            {"role": "developer", "name": "ops", "content": "Crane two is broken.\n\n"},
            {"role": "system", "content": BERTHS},
        ],
    ),
    "foreign messages around": (
        [
            {"role": "system", "content": "Frame."},
            {"role": "system", "content": PROMPT},
            {"role": "system", "content": "Today it rains."},
        ],
        [
            {"role": "system", "content": "Frame."},
            {"role": "system", "content": IDENTITY + BERTHS},
            {"role": "system", "content": "Today it rains."},
        ],
    ),
    "an empty message": (
        [
            {"role": "system", "content": IDENTITY},
            {"role": "system", "content": ""},
            {"role": "system", "content": BERTHS + TIDES + FEES + LETTERS},
        ],
        [{"role": "system", "content": IDENTITY}, {"role": "system", "content": BERTHS}],
    ),
}


def without_edges(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The same with white space at text ends off: breaks may be added where pieces part."""
    stripped = copy.deepcopy(messages)
    for message in stripped:
        if isinstance(message["content"], str):
            message["content"] = message["content"].strip()
        else:
            for block in message["content"]:
                block["text"] = block["text"].strip()
    return stripped


@pytest.mark.parametrize(("system", "expected"), SPLITS.values(), ids=SPLITS.keys())
def test_seams_of_the_client_stay(system: list[dict[str, Any]], expected: list[dict[str, Any]]) -> None:
    """Kept text stays in its own message and block; those that lose all their text go."""
    assert without_edges(rewritten(asked(*system))[:-1]) == without_edges(expected)


def test_modules_torn_by_a_seam_with_lost_white_space_are_kept_whole() -> None:
    cut = BERTHS.index("A ship")
    messages = rewritten(
        asked(
            {"role": "system", "content": IDENTITY + BERTHS[:cut].strip()},
            {"role": "system", "content": BERTHS[cut:] + TIDES + FEES + LETTERS},
        )
    )
    assert [m["content"].strip() for m in messages[:2]] == [(IDENTITY + BERTHS[:cut]).strip(), BERTHS[cut:].strip()]


def test_message_level_mark_moves_into_a_block() -> None:
    """LiteLLM drops message-level marks on block content, so there is only one kind in what leaves."""
    message = rewritten(asked({"role": "system", "content": PROMPT, "cache_control": MARK}))[0]
    assert message == {"role": "system", "content": [part(IDENTITY + BERTHS, cache_control=MARK)]}


def test_marks_are_copies() -> None:
    """Changing what leaves doesn't change what came or what leaves later."""
    first, second = (rewritten(asked({"role": "system", "content": PROMPT}), TAKES_MARKS) for _ in range(2))
    first[0]["content"][0]["cache_control"]["ttl"] = "1h"
    assert second[0]["content"][0]["cache_control"] == MARK
    assert rewritten(asked({"role": "system", "content": PROMPT}), TAKES_MARKS) == second


@pytest.mark.parametrize("target", [NO_MARKS, TAKES_MARKS], ids=["no marks", "marks"])
@pytest.mark.parametrize("system", [system for system, _ in SPLITS.values()], ids=SPLITS.keys())
def test_rewriting_twice_is_rewriting_once(system: list[dict[str, Any]], target: Target) -> None:
    once = rewritten(asked(*system), target)
    assert rewritten({"model": "m", "messages": once}, target) == once


def test_read_keeps_marks_of_blocks_and_of_messages() -> None:
    """A message's own mark stands for its last block, unless that has one."""
    hour = {"type": "ephemeral", "ttl": "1h"}
    request = chat.read(
        {
            "messages": [
                {"role": "system", "content": "a", "cache_control": MARK},
                {"role": "system", "content": [part("b"), part("c")], "cache_control": MARK},
                {"role": "system", "content": [part("d", cache_control=hour)], "cache_control": MARK},
                {"role": "system", "content": "e", "cache_control": "nonsense"},
            ]
        }
    )
    assert request.system == (
        SystemBlock(message=0, block=None, text="a", mark=MARK),
        SystemBlock(message=1, block=0, text="b", mark=None),
        SystemBlock(message=1, block=1, text="c", mark=MARK),
        SystemBlock(message=2, block=0, text="d", mark=hour),
        SystemBlock(message=3, block=None, text="e", mark=None),
    )


@pytest.mark.parametrize("mark", [None, MARK], ids=["no client mark", "client mark"])
@pytest.mark.parametrize("text", ["Which berth is free?", "hello"])
def test_empty_slot_leaves_no_empty_block(text: str, mark: dict[str, str] | None) -> None:
    """Providers refuse empty text, or drop it with the mark on it."""
    note = slot("note", r"[^\n]*", "a note", volatile=True)
    sample = profile(
        module("identity", IDENTITY, "Note: ", note, "\nThe note is the harbour master's own.\n\n", always=True),
        module("berths", BERTHS, triggers=["berth*"]),
        module("letters", LETTERS),
        name="noted",
    )
    content = [part(sample.text.replace("a note", ""), **({"cache_control": mark} if mark else {}))]
    data = {"messages": [{"role": "system", "content": content}, {"role": "user", "content": text}]}
    walked = Pipeline([sample], count_words, coverage_floor=0.6).walk(data, "acompletion", lambda: TAKES_MARKS)
    assert isinstance(walked.outcome, Rewritten)
    assert all(block["text"] for block in walked.body["messages"][0]["content"])


# The rest of the wire


def test_chat_is_the_shape_of_the_proxys_chat_call() -> None:
    assert (SHAPES["acompletion"].outline, SHAPES["acompletion"].write) == (chat.outline, chat.write)

"""Responses bodies: what is read as the prompt, what is written back, and what stays."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from litellm_prompt_router.request.pipeline import Pipeline
from litellm_prompt_router.request.types import Rewritten, Target, Turn, UnreadableRequestError
from litellm_prompt_router.request.walk_steps import WalkResult
from litellm_prompt_router.request.wire import SHAPES, responses
from litellm_prompt_router.request.wire.captured_body import answer_of
from litellm_prompt_router.request.wire.marking import apply_instructions
from tests.end_to_end.workbench import PROFILE, PROMPT, RESPONSES_TOOLS, TASK, as_items, conversation

PLAIN = Target(takes_marks=False, min_cache_tokens=0, input_usd_per_token=None, late_form="message")
CLAUDE = replace(PLAIN, takes_marks=True)
ITEMS = as_items(conversation()[1:])
COMMIT = {"role": "user", "content": "Now commit it on a new branch"}
ADDED_TOOLS = {"type": "additional_tools", "role": "developer", "tools": [RESPONSES_TOOLS[0]]}
GIT = PROFILE.modules[PROFILE.order["tools/git"]].text.strip()


def walked(body: dict[str, Any], target: Target = PLAIN) -> WalkResult:
    pipeline = Pipeline([PROFILE], lambda text: len(text) // 4, coverage_floor=0.5, adds_marks=True)
    before = copy.deepcopy(body)
    found = pipeline.walk(body, "aresponses", lambda: target)
    assert body == before
    assert isinstance(found.outcome, Rewritten)
    return found


def call(name: str, call_id: str) -> dict[str, Any]:
    return {"type": "function_call", "call_id": call_id, "name": name, "arguments": "{}"}


def output(call_id: str) -> dict[str, Any]:
    return {"type": "function_call_output", "call_id": call_id, "output": "17"}


@pytest.mark.parametrize(
    ("body", "system", "turns"),
    [
        pytest.param({"instructions": "A", "input": "hi"}, ["A"], [Turn("user", "hi")], id="strings"),
        pytest.param({"input": "hi"}, [], [Turn("user", "hi")], id="no prompt"),
        pytest.param({"instructions": None, "input": []}, [], [], id="nothing"),
        pytest.param(
            {"instructions": "A", "input": [{"role": "system", "content": "B"}, {"role": "user", "content": "hi"}]},
            ["A", "B"],
            [Turn("user", "hi")],
            id="instructions and an item",
        ),
        pytest.param(
            {
                "input": [
                    {"type": "message", "role": "developer", "content": [{"type": "input_text", "text": "A"}]},
                    ADDED_TOOLS,
                    {"role": "developer", "content": "B"},
                    {"role": "user", "content": [{"type": "input_text", "text": "hi"}, {"type": "input_image"}]},
                    {"role": "system", "content": "a reminder"},
                ]
            },
            ["A", "B"],
            [Turn("user", "hi", ("image",)), Turn("system", "a reminder")],
            id="added tools are no text, later system items no prompt",
        ),
        pytest.param(
            {
                "input": [
                    {"type": "reasoning", "id": "rs_1", "summary": [{"text": "secret"}]},
                    call("read_file", "a"),
                    output("a"),
                    {"type": "custom_tool_call", "call_id": "b", "name": "apply_patch", "input": "x"},
                    {"type": "custom_tool_call_output", "call_id": "b", "output": "y"},
                    {"type": "web_search_call", "id": "ws_1"},
                    {"type": "item_reference", "id": "msg_1"},
                    {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "ok"}]},
                ]
            },
            [],
            [
                Turn("reasoning", ""),
                Turn("assistant", "", (), ("read_file",), arguments=("{}",)),
                Turn("tool", "17"),
                Turn("assistant", "", (), ("apply_patch",), arguments=("x",)),
                Turn("tool", "y"),
                Turn("assistant", "", (), ("web_search",), arguments=("",)),
                Turn("item_reference", ""),
                Turn("assistant", "ok"),
            ],
            id="calls, outputs and what is neither",
        ),
    ],
)
def test_what_is_read(body: dict[str, Any], system: list[str], turns: list[Turn]) -> None:
    request = responses.read(body)
    assert [block.text for block in request.system] == system
    assert list(request.turns) == turns


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({"instructions": [{"text": "A"}], "input": "hi"}, "unsupported_system_content"),
        ({"input": 17}, "unreadable"),
        ({"input": ["hi"]}, "unreadable"),
        ({"input": [{"role": "system", "content": []}]}, "unreadable"),
        ({"input": [{"role": "system", "content": [{"type": "input_image"}]}]}, "unsupported_system_content"),
    ],
)
def test_what_cannot_be_read(body: dict[str, Any], reason: str) -> None:
    with pytest.raises(UnreadableRequestError, match=reason):
        responses.read(body)


@pytest.mark.parametrize("key", ["previous_response_id", "conversation"])
def test_an_unseen_history(key: str) -> None:
    """Everything goes, nothing of it late."""
    outcome = walked({"instructions": PROMPT, "input": [COMMIT], key: "resp_1"}).outcome
    assert isinstance(outcome, Rewritten)
    assert len(outcome.decision.modules) == len(PROFILE.modules)
    assert outcome.decision.fallback_reason == responses.UNSEEN_HISTORY
    assert outcome.decision.arrivals == ()


def test_a_late_module_takes_the_role_and_type_of_the_clients_items() -> None:
    for form in ({"role": "developer"}, {"type": "message", "role": "system"}):
        prompt = {**form, "content": [{"type": "input_text", "text": PROMPT}]}
        body = walked({"input": [prompt, *ITEMS, COMMIT]}).body
        assert body["input"][1:-1] == [*ITEMS, COMMIT]
        late = body["input"][-1]
        assert {key: value for key, value in late.items() if key != "content"} == form
        assert late["content"].strip() == GIT


@pytest.mark.parametrize(
    ("items", "turn", "place"),
    [
        ([call("a", "1"), call("b", "2"), output("1"), output("2"), COMMIT], 0, 3),
        ([call("a", "1"), call("b", "2"), output("2"), output("1"), COMMIT], 1, 3),
        ([call("a", "1"), output("1"), call("b", "2"), output("2")], 0, 1),
        ([call("a", "1"), COMMIT, output("1")], 1, 2),
        ([call("a", "1"), COMMIT], 1, 1),
        ([COMMIT, {"type": "web_search_call", "id": "ws"}], 1, 1),
    ],
)
def test_calls_stay_with_their_outputs(items: list[dict[str, Any]], turn: int, place: int) -> None:
    assert responses.settled_at({"input": items}, turn) == place


def test_a_string_stays_one_and_everything_else_is_shared() -> None:
    body = {"instructions": PROMPT, "input": ITEMS, "tools": RESPONSES_TOOLS, "metadata": {"mine": "1"}}
    out = walked(body).body
    assert isinstance(out["instructions"], str)
    assert out["tools"] is body["tools"]
    assert out["metadata"] is body["metadata"]
    assert all(one is other for one, other in zip(out["input"], ITEMS, strict=True))


def test_a_string_input_is_made_a_list_only_for_a_late_module() -> None:
    assert walked({"instructions": PROMPT, "input": TASK}).body["input"] == TASK


def test_the_chat_request_that_claude_gets_is_cut_where_the_prompt_was_planned_to_be() -> None:
    """The body bears no mark; what LiteLLM makes of it is cut into core, routed part and what varies."""
    found = walked({"instructions": PROMPT, "input": ITEMS}, CLAUDE)
    assert "cache_control" not in json.dumps(found.body)
    assert found.marking is not None
    (plan,) = found.marking.plans
    assert plan.endpoint == "acompletion"
    chat = {"messages": [{"role": "system", "content": found.body["instructions"]}, {"role": "user", "content": "x"}]}
    changed = apply_instructions(plan.instructions, chat)
    assert changed is not None
    blocks = changed["messages"][0]["content"]
    assert "".join(block["text"] for block in blocks) == found.body["instructions"]
    assert ["cache_control" in block for block in blocks] == [True, True, False]
    assert changed["cache_control_injection_points"] == [{"location": "message", "index": -1}]
    assert (plan.added, plan.total) == (3, 3)


def test_leading_items_become_messages_behind_the_instructions() -> None:
    half = PROMPT.index("\n# ", len(PROMPT) // 2)
    items = [ADDED_TOOLS, {"role": "developer", "content": [{"type": "input_text", "text": PROMPT[half:]}]}, *ITEMS]
    found = walked({"instructions": PROMPT[:half], "input": items}, CLAUDE)
    assert found.body["input"][0] == ADDED_TOOLS
    assert found.marking is not None
    (plan,) = found.marking.plans
    item = found.body["input"][1]["content"]
    chat = {
        "messages": [
            {"role": "system", "content": found.body["instructions"]},
            {"role": "developer", "content": [{"type": "text", "text": block["text"]} for block in item]},
        ]
    }
    changed = apply_instructions(plan.instructions, chat)
    assert changed is not None
    assert "cache_control" in json.dumps(changed["messages"])


def test_the_shape_of_the_proxys_calls() -> None:
    assert SHAPES["aresponses"].outline is responses.outline
    assert "acompact_responses" not in SHAPES


def test_an_answer_is_captured_as_a_chat_message() -> None:
    said = {"type": "message", "content": [{"type": "output_text", "text": "Let me look."}]}
    answer = SimpleNamespace(output=[said, call("read_file", "a")], usage=None)
    function = {"name": "read_file", "arguments": "{}"}
    assert answer_of(answer) == {
        "message": {
            "role": "assistant",
            "content": "Let me look.",
            "tool_calls": [{"id": "a", "type": "function", "function": function}],
        }
    }

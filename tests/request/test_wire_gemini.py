"""Gemini bodies: what is read as the prompt, what is written back, and what stays."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import pytest

from litellm_prompt_router.request.pipeline import Pipeline
from litellm_prompt_router.request.types import Rewritten, Target, Turn, UnreadableRequestError
from litellm_prompt_router.request.walk_steps import WalkResult
from litellm_prompt_router.request.wire import SHAPES, gemini
from litellm_prompt_router.request.wire.marking import apply_instructions
from tests.end_to_end.workbench import GEMINI_TOOLS, PROFILE, PROMPT, as_contents, conversation
from tests.request.notes import is_note

GEMINI = Target(takes_marks=False, min_cache_tokens=0, input_usd_per_token=None, takes_user_behind_result=True)
BRIDGED = replace(GEMINI, takes_marks=True, reads_first_part=True)
CONTENTS = [*as_contents(conversation()[1:-1]), {"role": "user", "parts": [{"text": "Now commit it on a new branch"}]}]
HALF = PROMPT.index("\n# ", len(PROMPT) // 2)


def walked(body: dict[str, Any], target: Target = GEMINI) -> WalkResult:
    pipeline = Pipeline([PROFILE], lambda text: len(text) // 4, coverage_floor=0.5, adds_marks=True)
    before = copy.deepcopy(body)
    found = pipeline.walk(body, "agenerate_content", lambda: target)
    assert body == before
    assert isinstance(found.outcome, Rewritten)
    return found


@pytest.mark.parametrize(
    ("contents", "turns"),
    [
        pytest.param("hi", [Turn("user", "hi")], id="a string"),
        pytest.param({"parts": [{"text": "hi"}]}, [Turn("user", "hi")], id="one content"),
        pytest.param(
            [{"role": "user", "parts": [{"text": "a"}, {"text": "b"}, {"inlineData": {"mimeType": "image/png"}}]}],
            [Turn("user", "a\nb", ("image",), parts=("a", "b"))],
            id="texts and an image",
        ),
        pytest.param([{"role": "user", "parts": {"text": "hi"}}], [Turn("user", "hi")], id="one part"),
        pytest.param(
            [{"parts": [{"file_data": {"mime_type": "application/pdf"}}]}], [Turn("user", "", ("file",))], id="a file"
        ),
        pytest.param(
            [
                {"role": "model", "parts": [{"text": "Let me look."}, {"functionCall": {"name": "read_file"}}]},
                {"role": "user", "parts": [{"functionResponse": {"name": "read_file", "response": {}}}]},
            ],
            [Turn("assistant", "Let me look.", (), ("read_file",), arguments=("",)), Turn("tool", "")],
            id="a call and its result",
        ),
        pytest.param(
            [{"role": "user", "parts": [{"functionResponse": {"name": "x"}}, {"text": "and now plot it"}]}],
            [Turn("user", "and now plot it")],
            id="a result and a word",
        ),
    ],
)
def test_what_is_read(contents: Any, turns: list[Turn]) -> None:
    assert list(gemini.read({"contents": contents}).turns) == turns


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({"systemInstruction": {"parts": [{"inlineData": {}}]}, "contents": []}, "unsupported_system_content"),
        ({"systemInstruction": [{"text": "A"}], "contents": []}, "unreadable"),
        ({"contents": [17]}, "unreadable"),
    ],
)
def test_what_cannot_be_read(body: dict[str, Any], reason: str) -> None:
    with pytest.raises(UnreadableRequestError, match=reason):
        gemini.read(body)


@pytest.mark.parametrize("key", ["systemInstruction", "system_instruction"])
@pytest.mark.parametrize(
    "instruction",
    [
        PROMPT,
        {"parts": {"text": PROMPT}},
        {"role": "user", "parts": [{"text": PROMPT}]},
        {"parts": [{"text": PROMPT[:HALF]}, {"text": PROMPT[HALF:]}]},
    ],
    ids=["string", "a part", "parts", "two parts"],
)
def test_the_instruction_keeps_its_form_and_the_conversation_is_shared(key: str, instruction: Any) -> None:
    """A late module is a part behind the user's own."""
    body = {key: instruction, "contents": CONTENTS, "tools": GEMINI_TOOLS, "generationConfig": {"temperature": 0}}
    out = walked(body).body
    assert {name: value for name, value in out.items() if name not in (key, "contents")} == {
        name: value for name, value in body.items() if name not in (key, "contents")
    }
    *before, last = CONTENTS
    own, note = out["contents"][-1]["parts"]
    assert out["contents"][:-1] == before
    assert ([own], is_note(note)) == (last["parts"], True)
    assert PROFILE.modules[PROFILE.order["tools/git"]].text.strip() in note["text"]
    request = gemini.read(out)
    assert len(request.system_text) < 0.6 * len(PROMPT)
    assert type(out[key]) is type(instruction)
    if isinstance(instruction, dict):
        assert type(out[key]["parts"]) is type(instruction["parts"])
        assert out[key].get("role") == instruction.get("role")


def test_where_the_first_part_is_all_that_arrives_it_holds_everything() -> None:
    body = {"systemInstruction": {"parts": [{"text": PROMPT[:HALF]}, {"text": PROMPT[HALF:]}]}, "contents": CONTENTS}
    found = walked(body, BRIDGED)
    (part,) = found.body["systemInstruction"]["parts"]
    assert found.marking is not None
    (plan,) = found.marking.plans
    changed = apply_instructions(plan.instructions, {"messages": [{"role": "system", "content": part["text"]}]})
    assert changed is not None
    blocks = changed["messages"][0]["content"]
    assert "".join(block["text"] for block in blocks) == part["text"]
    assert sum("cache_control" in block for block in blocks) == 2


def test_both_calls_have_the_shape() -> None:
    assert SHAPES["agenerate_content"] is SHAPES["agenerate_content_stream"]
    assert SHAPES["agenerate_content"].outline is gemini.outline

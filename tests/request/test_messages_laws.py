"""Laws of the walk on Anthropic's endpoint, over the profiles, prompts and conversations of the chat laws."""

from __future__ import annotations

import copy
import json
import re
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from litellm_prompt_router.profile.profile import Placement, Profile
from litellm_prompt_router.request.pipeline import Pipeline
from litellm_prompt_router.request.types import Passthrough, Rewritten, Target
from litellm_prompt_router.request.walk_steps import WalkResult
from litellm_prompt_router.request.wire import SHAPES
from tests.emulators.refusals import refuse_anthropic
from tests.emulators.structure import refuse_anthropic_structure
from tests.end_to_end.workbench import as_messages
from tests.law_examples import examples
from tests.request.test_laws import MARK, MARKS, NO_MARKS, conversations, count_tokens, profiles, prompts
from tests.request.test_prefix import calls_of, without_marks

CALL_TYPE = "anthropic_messages"
BILLING = {"type": "text", "text": "x-anthropic-billing-header: cc_version=9; cch=0f3a1;"}
walks = settings(
    max_examples=examples(60), deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much]
)
Sample = tuple[Profile, dict[str, Any]]


def walk(profile: Profile, body: dict[str, Any], target: Target, **options: Any) -> WalkResult:
    return Pipeline([profile], count_tokens, coverage_floor=0.0, **options).walk(body, CALL_TYPE, lambda: target)


@st.composite
def systems(draw: st.DrawFn, text: str, in_one_place: bool) -> dict[str, Any]:
    """``system`` as a string or in blocks, some of them in leading messages; with or without marks."""
    if draw(st.booleans()):
        return {"system": text, "messages": []}
    cuts = sorted(draw(st.lists(st.integers(1, max(1, len(text) - 1)), max_size=2, unique=True)))
    pieces = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    blocks: list[dict[str, Any]] = [{"type": "text", "text": piece} for piece in pieces]
    if draw(st.booleans()):
        blocks.insert(0, dict(BILLING))
    for block in blocks:
        if draw(st.integers(0, 3)) == 0:
            block["cache_control"] = draw(MARK)
    top = draw(st.sampled_from([len(blocks), 0] if in_one_place else [len(blocks), len(blocks), 1, 0]))
    leading = [{"role": "system", "content": [block]} for block in blocks[top:]]
    return {"system": blocks[:top], "messages": leading} if top else {"messages": leading}


@st.composite
def requests(draw: st.DrawFn, *, in_one_place: bool = False) -> Sample:
    """A body with everything that may carry a mark carrying one now and then."""
    profile = draw(profiles())
    body = draw(systems(draw(prompts(profile)), in_one_place))
    chat = draw(conversations(profile))
    for message in chat:
        message.pop("cache_control", None)
    messages = as_messages(chat)
    for message in messages:
        if message["content"] == "":
            message["content"] = "hm"
        if isinstance(message["content"], list) and draw(st.integers(0, 3)) == 0:
            block = message["content"][-1]
            if block["type"] == "tool_result" and draw(st.booleans()):
                block["content"] = [{"type": "text", "text": "result", "cache_control": draw(MARK)}]
            else:
                block["cache_control"] = draw(MARK)
    tools = [{"name": f"tool_{n}", "input_schema": {"type": "object"}} for n in range(draw(st.integers(0, 3)))]
    for tool in tools:
        if draw(st.integers(0, 4)) == 0:
            tool["cache_control"] = draw(MARK)
    top = {"cache_control": draw(MARK)} if draw(st.integers(0, 5)) == 0 else {}
    rest = {"model": "m", "max_tokens": 5, "metadata": {"user_id": "u"}, "tools": tools, **top}
    return profile, {**rest, **body, "messages": [*body["messages"], *messages]}


def leading(body: dict[str, Any]) -> int:
    return next((n for n, message in enumerate(body["messages"]) if message["role"] != "system"), len(body["messages"]))


def rest_of(body: dict[str, Any]) -> dict[str, Any]:
    rest = {name: value for name, value in body.items() if name != "system"}
    return {**rest, "messages": body["messages"][leading(body) :]}


def system_text(body: dict[str, Any]) -> str:
    contents = [body.get("system", ""), *(message["content"] for message in body["messages"][: leading(body)])]
    return "".join(c if isinstance(c, str) else "".join(block["text"] for block in c) for c in contents)


def blocks_of_system(body: dict[str, Any]) -> int:
    contents = [body.get("system", []), *(message["content"] for message in body["messages"][: leading(body)])]
    return sum(1 if isinstance(content, str) else len(content) for content in contents)


def marks(body: dict[str, Any]) -> int:
    return json.dumps(body).count('"cache_control"')


def refusal(body: dict[str, Any]) -> str | None:
    """What Anthropic says of a body whose leading messages, as Bedrock and Vertex get it, are in ``system``."""
    given = body.get("system") or []
    top = [{"type": "text", "text": given}] if isinstance(given, str) else given
    for message in body["messages"][: leading(body)]:
        content = message["content"]
        top = [*top, *([{"type": "text", "text": content}] if isinstance(content, str) else content)]
    hoisted = {**body, "system": top, "messages": body["messages"][leading(body) :]}
    return refuse_anthropic(hoisted, takes_mid_system=True) or refuse_anthropic_structure(hoisted)


@pytest.mark.parametrize("target", [MARKS, NO_MARKS], ids=["marks", "no marks"])
@walks
@given(requests())
def test_only_system_text_changes_and_input_never(target: Target, sample: Sample) -> None:
    """Messages, tools, metadata and parameters go through byte for byte; the body that came in stays as it was."""
    profile, body = sample
    before = copy.deepcopy(body)
    walked = walk(profile, body, target, placement="grow")
    assert body == before
    assert json.dumps(rest_of(dict(walked.body))) == json.dumps(rest_of(before))


@walks
@given(requests())
def test_hints_change_no_text(sample: Sample) -> None:
    """Without its marks, a body with the history's end marked is the one without hints, a string being a block."""
    profile, body = sample
    plain, hinted = (
        dict(walk(profile, body, MARKS, placement="grow", adds_marks=hints).body) for hints in (False, True)
    )
    for one in (plain, hinted):
        one["messages"] = [
            {
                **m,
                "content": [{"type": "text", "text": m["content"]}] if isinstance(m["content"], str) else m["content"],
            }
            for m in one["messages"]
        ]
    assert without_marks(rest_of(hinted)) == without_marks(rest_of(plain))


@pytest.mark.parametrize("target", [MARKS, NO_MARKS], ids=["marks", "no marks"])
@walks
@given(requests(in_one_place=True))
def test_rewriting_twice_equals_once(target: Target, sample: Sample) -> None:
    """A rewritten request passes through the walk unchanged, if its prompt came in one block.

    Of one that was cut inside a module the pieces find together the first time. Five minutes are what a mark without
    a lifetime has.
    """
    profile, body = sample
    assume(blocks_of_system(body) == 1)
    once = dict(walk(profile, body, target, placement="grow").body)
    twice = dict(walk(profile, once, target, placement="grow").body)
    said = [json.dumps(one, ensure_ascii=False).replace(', "ttl": "5m"', "") for one in (twice, once)]
    assert said[0] == said[1]


@walks
@given(requests(), st.sampled_from(["append", "grow"]))
def test_what_the_provider_takes_of_the_client_it_takes_of_us(sample: Sample, placement: Placement) -> None:
    """No fifth mark, no hour behind five minutes, no blank block, no system message where none may stand."""
    profile, body = sample
    out = dict(walk(profile, body, MARKS, placement=placement, adds_marks=True).body)
    assert marks(out) <= max(4, marks(body))
    if refusal(body) is None:
        assert refusal(out) is None


@walks
@given(requests())
def test_no_marks_of_ours_where_they_are_not_taken(sample: Sample) -> None:
    """A string stays a string, and nothing is marked."""
    profile, body = sample
    out = dict(walk(profile, body, NO_MARKS, adds_marks=True).body)
    assert marks(out) <= marks(body)
    if isinstance(body.get("system"), str):
        assert isinstance(out["system"], str)


@walks
@given(requests())
def test_what_is_not_ours_is_kept(sample: Sample) -> None:
    """Unknown text goes through verbatim; the billing block stays the very block that it was, in its place."""
    profile, body = sample
    walked = walk(profile, body, MARKS)
    if isinstance(walked.outcome, Passthrough):
        assert walked.body is body
        return
    out = dict(walked.body)
    for noise in re.findall(r"UNKNOWN [^\r\n]+", system_text(body)):
        assert noise.strip() in system_text(out)
    first = body["system"][0] if isinstance(body.get("system"), list) else None
    if first is not None and first["text"] == BILLING["text"]:
        assert out["system"][0]["text"].startswith(first["text"])


@pytest.mark.parametrize("target", [MARKS, NO_MARKS], ids=["marks", "no marks"])
@walks
@given(st.data())
def test_appended_calls_are_prefixes_of_the_next(target: Target, data: st.DataObject) -> None:
    """Call n is, message for message, how call n+1 begins, though questions that follow a question are asked again."""
    profile = data.draw(profiles())
    prompt = data.draw(prompts(profile))
    chat = data.draw(conversations(profile))
    before: list[Any] = []
    for end in calls_of(chat):
        body = {"system": prompt, "messages": as_messages(chat[:end]), "tools": []}
        walked = walk(profile, body, target, placement="append")
        assert isinstance(walked.outcome, Rewritten)
        now = [without_marks(walked.body["system"]), *map(without_marks, walked.body["messages"])]
        assert json.dumps(now[: len(before)]) == json.dumps(before)
        before = now


@walks
@given(requests())
def test_what_is_not_worth_it_is_marked_as_the_provider_takes_it(sample: Sample) -> None:
    """No text changes, and no body that was taken is refused."""
    profile, body = sample
    shape = SHAPES[CALL_TYPE]
    before = copy.deepcopy(body)
    out, added = shape.marked(body, shape.read(body), MARKS, profile.cache_ttl)
    assert body == before
    assert marks(dict(out)) == marks(body) + added
    assert system_text(dict(out)) == system_text(body)
    if refusal(body) is None:
        assert refusal(dict(out)) is None

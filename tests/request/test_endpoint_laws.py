"""Laws of the walk on Responses and Gemini bodies, over the profiles, prompts and conversations of the chat laws."""

from __future__ import annotations

import copy
import json
import re
from dataclasses import replace
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from litellm_prompt_router.profile.profile import Placement, Profile
from litellm_prompt_router.request.pipeline import Pipeline
from litellm_prompt_router.request.types import LateForm, Rewritten
from litellm_prompt_router.request.walk_steps import WalkResult
from litellm_prompt_router.request.wire import SHAPES
from litellm_prompt_router.request.wire.marking import apply_instructions
from tests.emulators.structure import refuse_gemini_structure, refuse_responses_structure
from tests.end_to_end.workbench import as_contents, as_items
from tests.law_examples import examples
from tests.request.test_laws import MARKS, NO_MARKS, conversations, count_tokens, profiles, prompts
from tests.request.test_prefix import calls_of

ADDED_TOOLS = {"type": "additional_tools", "role": "developer", "tools": []}
walks = settings(max_examples=examples(20), deadline=None, suppress_health_check=[HealthCheck.too_slow])
doors = pytest.mark.parametrize("call_type", ["aresponses", "agenerate_content"])


class Sample(NamedTuple):
    """``system`` is the part of a body that holds the prompt."""

    profile: Profile
    system: dict[str, Any]
    chat: list[dict[str, Any]]


def body_of(call_type: str, sample: Sample, end: int | None = None) -> dict[str, Any]:
    """A body of the conversation's first ``end`` messages."""
    if call_type == "agenerate_content":
        return {**sample.system[call_type], "contents": as_contents(sample.chat[:end]), "toolConfig": {"a": 1}}
    system = sample.system[call_type]
    return {**system, "input": [*system["input"], *as_items(sample.chat[:end])], "metadata": {"mine": "1"}}


@st.composite
def samples(draw: st.DrawFn, *, in_one_piece: bool = False) -> Sample:
    profile = draw(profiles())
    text = draw(prompts(profile))
    most = 0 if in_one_piece else 2
    cuts = sorted(draw(st.lists(st.integers(1, max(1, len(text) - 1)), max_size=most, unique=True)))
    pieces = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    top = draw(st.integers(0, 1))
    form = draw(st.sampled_from([{"role": "developer"}, {"type": "message", "role": "system"}]))
    blocks = [{"type": "input_text", "text": piece} for piece in pieces[top:]]
    items: list[dict[str, Any]] = []
    if blocks:
        as_blocks = [{**form, "content": blocks}]
        items = as_blocks if draw(st.booleans()) else [{**form, "content": block["text"]} for block in blocks]
    if draw(st.booleans()):
        items.insert(draw(st.integers(0, len(items))), ADDED_TOOLS)
    chat = [{key: value for key, value in m.items() if key != "cache_control"} for m in draw(conversations(profile))]
    for message in chat:
        message["content"] = "hm" if message["content"] == "" else message["content"]
    system = {
        "aresponses": {**({"instructions": pieces[0]} if top else {}), "input": items},
        "agenerate_content": {"systemInstruction": {"parts": [{"text": piece} for piece in pieces]}},
    }
    return Sample(profile, system, chat)


def walk(call_type: str, sample: Sample, end: int | None = None, **options: Any) -> WalkResult:
    target = options.pop("target", NO_MARKS)
    pipeline = Pipeline([sample.profile], count_tokens, coverage_floor=0.0, **options)
    return pipeline.walk(body_of(call_type, sample, end), call_type, lambda: target)


def text_of(call_type: str, body: Any) -> str:
    return SHAPES[call_type].read(body).system_text


def flat(call_type: str, body: Any) -> list[str]:
    """What the provider reads behind the top-level prompt, in order."""
    items = body["input"] if call_type == "aresponses" else body["contents"]
    return [json.dumps(item) for item in items]


@doors
@walks
@given(sample=samples())
def test_only_system_text_changes_and_input_never(call_type: str, sample: Sample) -> None:
    """The conversation, tools, metadata and parameters go through byte for byte; the body that came in stays."""
    given_body = body_of(call_type, sample)
    before = copy.deepcopy(given_body)
    pipeline = Pipeline([sample.profile], count_tokens, coverage_floor=0.0, placement="grow", adds_marks=True)
    out = dict(pipeline.walk(given_body, call_type, lambda: MARKS).body)
    assert given_body == before
    assert "cache_control" not in json.dumps(out)
    for key in ("instructions", "systemInstruction"):
        out.pop(key, None)
        before.pop(key, None)
    held, wanted = flat(call_type, out | {"input": out.get("input")}), flat(call_type, before)
    count = len(wanted) - len(sample.system[call_type].get("input", ()))
    assert held[len(held) - count :] == wanted[len(wanted) - count :]
    assert {key: out[key] for key in out if key not in ("input", "contents")} == {
        key: before[key] for key in before if key not in ("input", "contents")
    }


@doors
@walks
@given(sample=samples(in_one_piece=True))
def test_rewriting_twice_equals_once(call_type: str, sample: Sample) -> None:
    """A rewritten request passes through the walk with the same prompt."""
    once = dict(walk(call_type, sample, placement="grow").body)
    pipeline = Pipeline([sample.profile], count_tokens, coverage_floor=0.0, placement="grow")
    twice = pipeline.walk(once, call_type, lambda: NO_MARKS).body
    assert re.sub(r"\s", "", text_of(call_type, twice)) == re.sub(r"\s", "", text_of(call_type, once))


@doors
@pytest.mark.parametrize("behind", [True, False], ids=["behind results", "inside results"])
@pytest.mark.parametrize("form", ["message", "note"])
@walks
@given(sample=samples())
def test_appended_calls_are_prefixes_of_the_next(call_type: str, form: LateForm, behind: bool, sample: Sample) -> None:
    """Call n is, item for item, how call n+1 begins; nobody refuses any of them."""
    form = form if call_type == "aresponses" else "note"
    target = replace(NO_MARKS, late_form=form, takes_user_behind_result=behind)
    before: list[str] = []
    prompts = set()
    for end in calls_of(sample.chat):
        body = walk(call_type, sample, end, placement="append", target=target).body
        assert refuse_responses_structure(body) is None
        assert refuse_gemini_structure(body) is None
        now = flat(call_type, body)
        assert now[: len(before)] == before
        before = now
        prompts.add(text_of(call_type, body) if call_type != "aresponses" else body.get("instructions"))
    assert len(prompts) == 1


@doors
@walks
@given(sample=samples())
def test_grown_prompts_are_prefixes_of_the_next(call_type: str, sample: Sample) -> None:
    """Up to what varies, the system prompt of call n is how that of call n+1 begins."""
    before = ""
    for end in calls_of(sample.chat):
        walked = walk(call_type, sample, end, placement="grow")
        assert isinstance(walked.outcome, Rewritten)
        text = text_of(call_type, walked.body)
        varying = walked.outcome.composition.varying
        stable = text[: len(text) - sum(piece.end - piece.start + 2 * piece.seam for piece in varying)]
        assert stable.rstrip().startswith(before.rstrip())
        before = stable


@doors
@walks
@given(sample=samples(), placement=st.sampled_from(["append", "grow"]))
def test_every_needed_module_is_sent(call_type: str, sample: Sample, placement: Placement) -> None:
    """Wherever it stands, each selected module's text is there, and so is what no module covers."""
    walked = walk(call_type, sample, placement=placement)
    assert isinstance(walked.outcome, Rewritten)
    prompt = text_of(call_type, body_of(call_type, sample))
    sent = text_of(call_type, walked.body)
    sent += json.dumps(walked.body["input" if call_type == "aresponses" else "contents"], ensure_ascii=False)
    for span in walked.outcome.recognition.spans:
        kept = span.kind != "module" or sample.profile.modules[span.module].id in walked.outcome.decision.modules
        if kept:
            for word in prompt[span.start : span.end].split():
                assert word in sent


@doors
@walks
@given(sample=samples())
def test_what_claude_gets_is_cut_and_never_changed(call_type: str, sample: Sample) -> None:
    """The chat request that LiteLLM makes has the same texts, in blocks, and no more than four marks."""
    walked = walk(call_type, sample, placement="grow", adds_marks=True, target=MARKS)
    assert walked.marking is not None
    (plan,) = walked.marking.plans
    assert plan.total <= 4
    assert isinstance(walked.outcome, Rewritten)
    texts = [text_of(call_type, walked.body)]
    if call_type == "aresponses":
        body = walked.body
        runs = [body["instructions"]] if body.get("instructions") else []
        leading = [i for i in body["input"] if i.get("role") in ("system", "developer") and "content" in i]
        contents = [i["content"] for i in leading]
        texts = [*runs, *(c if isinstance(c, str) else "".join(b["text"] for b in c) for c in contents)]
    changed = apply_instructions(
        plan.instructions, {"messages": [{"role": "system", "content": text} for text in texts]}
    )
    assert changed is not None
    cut = [message["content"] for message in changed.get("messages", [])]
    joined = [c if isinstance(c, str) else "".join(block["text"] for block in c) for c in cut]
    assert joined == (texts if cut else [])
    assert json.dumps(cut).count("cache_control") + len(walked.outcome.breakpoints.history) == plan.total

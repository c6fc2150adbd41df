"""Placement: what a provider has cached of one call is there again in the next."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from litellm_prompt_router.profile.profile import Economics, Placement, Profile
from litellm_prompt_router.request.pipeline import Pipeline
from litellm_prompt_router.request.route import Router
from litellm_prompt_router.request.types import Passthrough, Rewritten, Target, Turn
from litellm_prompt_router.request.wire import chat
from tests.request.notes import in_blocks, without_notes
from tests.request.test_laws import MARKS, NO_MARKS, conversations, count_tokens, profiles, prompts, walks


def calls_of(messages: list[dict[str, Any]]) -> list[int]:
    """Where an agent calls: behind each user message, and behind the last result of a run of tool calls."""
    ends = []
    for number, message in enumerate(messages, 1):
        following = messages[number]["role"] if number < len(messages) else None
        if message["role"] == "user" or (message["role"] == "tool" and following != "tool"):
            ends.append(number)
    return ends


def turns_of(messages: list[dict[str, Any]]) -> tuple[Turn, ...]:
    return tuple(chat.read({"messages": messages}).turns)


def rewritten(
    profile: Profile, prompt: str, messages: list[dict[str, Any]], placement: Placement, target: Target
) -> tuple[list[dict[str, Any]], Rewritten]:
    pipeline = Pipeline([profile], count_tokens, coverage_floor=0.0, placement=placement)
    body = {"messages": [{"role": "system", "content": prompt}, *messages]}
    walked = pipeline.walk(body, "acompletion", lambda: target)
    assert isinstance(walked.outcome, Rewritten)
    return list(walked.body["messages"]), walked.outcome


def system_text(messages: list[dict[str, Any]]) -> str:
    content = messages[0]["content"]
    return content if isinstance(content, str) else "".join(block["text"] for block in content)


def without_marks(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: without_marks(item) for key, item in value.items() if key != "cache_control"}
    return [without_marks(item) for item in value] if isinstance(value, list) else value


@st.composite
def samples(draw: st.DrawFn) -> tuple[Profile, str, list[dict[str, Any]]]:
    profile = draw(profiles())
    messages = draw(conversations(profile))
    return profile, draw(prompts(profile)), messages


@pytest.mark.parametrize("target", [MARKS, NO_MARKS], ids=["marks", "no marks"])
@walks
@given(samples())
def test_appended_calls_are_prefixes_of_the_next(
    target: Target, sample: tuple[Profile, str, list[dict[str, Any]]]
) -> None:
    """Call n is, message for message, how call n+1 begins; marks move and are no part of what is cached."""
    profile, prompt, messages = sample
    before: list[dict[str, Any]] = []
    for end in calls_of(messages):
        now, _ = rewritten(profile, prompt, messages[:end], "append", target)
        now = [without_marks(message) for message in now]
        assert json.dumps(now[: len(before)]) == json.dumps(before)
        before = now


@walks
@given(samples())
def test_grown_prompts_are_prefixes_of_the_next(sample: tuple[Profile, str, list[dict[str, Any]]]) -> None:
    """Up to what varies, the system prompt of call n is how that of call n+1 begins."""
    profile, prompt, messages = sample
    before = ""
    for end in calls_of(messages):
        now, outcome = rewritten(profile, prompt, messages[:end], "grow", NO_MARKS)
        text = system_text(now)
        varying = sum(piece.end - piece.start + 2 * piece.seam for piece in outcome.composition.varying)
        stable = text[: len(text) - varying]
        assert stable.rstrip().startswith(before.rstrip())
        before = stable


@walks
@given(samples(), st.sampled_from(["append", "grow"]))
def test_every_needed_module_is_sent_once(
    sample: tuple[Profile, str, list[dict[str, Any]]], placement: Placement
) -> None:
    """Wherever it stands, each selected module's text is there; the client's own messages keep their order."""
    profile, prompt, messages = sample
    end = calls_of(messages)[-1]
    out, outcome = rewritten(profile, prompt, messages[:end], placement, NO_MARKS)
    everything = json.dumps([message["content"] for message in out], ensure_ascii=False)
    for span in outcome.recognition.spans:
        if span.kind == "module" and profile.modules[span.module].id in outcome.decision.modules:
            assert json.dumps(prompt[span.start : span.end].strip(), ensure_ascii=False)[1:-1] in everything
    assert without_notes(out[1:]) == in_blocks(messages[:end])


@walks
@given(samples())
def test_results_stay_with_their_calls(sample: tuple[Profile, str, list[dict[str, Any]]]) -> None:
    """No late module comes between tool calls and their results."""
    profile, prompt, messages = sample
    out, _ = rewritten(profile, prompt, messages[: calls_of(messages)[-1]], "append", MARKS)
    for message, following in itertools.pairwise(out):
        if message.get("tool_calls"):
            assert following["role"] == "tool"


@walks
@given(samples())
def test_latest_sends_what_the_latest_task_needs(sample: tuple[Profile, str, list[dict[str, Any]]]) -> None:
    """Single-shot placement never sends more than a conversation that remembers, and nothing late."""
    profile, prompt, messages = sample
    cut = messages[: calls_of(messages)[-1]]
    _, latest = rewritten(profile, prompt, cut, "latest", NO_MARKS)
    _, grown = rewritten(profile, prompt, cut, "grow", NO_MARKS)
    assert latest.composition.late == ()
    if not latest.decision.is_fallback:
        assert set(latest.decision.modules) <= set(grown.decision.modules)


@st.composite
def economics(draw: st.DrawFn, profile: Profile) -> Economics | None:
    """Untuned, or tuned in any way."""
    modules = [number for number, module in enumerate(profile.modules) if not module.always]
    bundle = st.frozensets(st.sampled_from(modules)) if modules else st.just(frozenset())
    return draw(
        st.one_of(
            st.none(),
            st.builds(Economics, rewrites=st.booleans(), min_dropped=st.sampled_from([0.0, 0.5, 2.0, 10.0])),
            st.builds(Economics, bundles=st.lists(bundle, max_size=3).map(tuple)),
        )
    )


@walks
@given(samples().flatmap(lambda sample: st.tuples(st.just(sample), economics(sample[0]))), st.booleans())
def test_a_conversation_never_flips(
    sample: tuple[tuple[Profile, str, list[dict[str, Any]]], Economics | None], takes_marks: bool
) -> None:
    """Behind the cost gate a conversation is rewritten on every call or on none, and the prefix law holds."""
    (profile, prompt, messages), tuned = sample
    target = replace(MARKS, takes_marks=takes_marks, cache_read_share=0.1, cache_write_share=1.25)
    pipeline = Pipeline(
        [replace(profile, economics=tuned)], count_tokens, coverage_floor=0.0, adds_marks=True, gates_cost=True
    )
    before: list[dict[str, Any]] = []
    outcomes = set()
    for end in calls_of(messages):
        body = {"messages": [{"role": "system", "content": prompt}, *messages[:end]]}
        walked = pipeline.walk(body, "acompletion", lambda: target)
        outcomes.add(type(walked.outcome))
        now = [without_marks(message) for message in walked.body["messages"]]
        assert json.dumps(now[: len(before)]) == json.dumps(before)
        if isinstance(walked.outcome, Passthrough):
            assert walked.outcome.reason == "not_worth_it"
            assert system_text(list(walked.body["messages"])) == prompt
            assert json.dumps(without_marks(walked.body["messages"][1:])) == json.dumps(without_marks(messages[:end]))
        before = now
    assert len(outcomes) <= 1


@walks
@given(samples(), st.data())
def test_without_a_fit_a_conversation_never_flips(
    sample: tuple[Profile, str, list[dict[str, Any]]], data: st.DataObject
) -> None:
    """What isn't marked optional is always there; where that is everything the text goes as it came, at every call."""
    profile, prompt, messages = sample
    marks = data.draw(st.lists(st.booleans(), min_size=len(profile.modules), max_size=len(profile.modules)))
    modules = tuple(replace(each, optional=mark) for each, mark in zip(profile.modules, marks, strict=True))
    target = replace(MARKS, cache_read_share=0.1, cache_write_share=1.25)
    marked = replace(profile, modules=modules)
    pipeline = Pipeline([marked], count_tokens, coverage_floor=0.0, adds_marks=True, gates_cost=True)
    before: list[dict[str, Any]] = []
    outcomes = set()
    for end in calls_of(messages):
        walked = pipeline.walk(
            {"messages": [{"role": "system", "content": prompt}, *messages[:end]]}, "acompletion", lambda: target
        )
        outcomes.add(type(walked.outcome))
        now = [without_marks(message) for message in walked.body["messages"]]
        assert json.dumps(now[: len(before)]) == json.dumps(before)
        before = now
    assert len(outcomes) <= 1
    if not any(marks) and not marked.is_calibrated:
        assert outcomes <= {Passthrough}


@walks
@given(samples(), st.data())
def test_what_was_seen_before_changes_nothing(
    sample: tuple[Profile, str, list[dict[str, Any]]], data: st.DataObject
) -> None:
    """A router that remembers other calls, in any order, decides as one that has seen none."""
    profile, _, messages = sample
    others = data.draw(conversations(profile))
    warm = Router(profile)
    calls = [turns_of(seen[:end]) for seen in (messages, others, messages) for end in calls_of(seen)]
    for turns in data.draw(st.permutations(calls)):
        assert warm.decide(turns) == Router(profile).decide(turns)

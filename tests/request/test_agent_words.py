"""The agent's own words: read on every wire, evidence from the next call on, and the same prefix whatever it says."""

from __future__ import annotations

import dataclasses
import json
from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from litellm_prompt_router.profile.fitted import AgentWords
from litellm_prompt_router.profile.profile import Ignore, Placement, Profile
from litellm_prompt_router.request.pipeline import Pipeline
from litellm_prompt_router.request.route import Router, RoutingAnswer
from litellm_prompt_router.request.types import Evidence, LateModules, Rewritten, Turn
from litellm_prompt_router.request.wire import SHAPES
from litellm_prompt_router.request.wire.tool_arguments import MAX_ARGUMENT_CHARS, argument_text
from tests.authoring.test_fitted_routing import fitted
from tests.end_to_end.workbench import as_contents, as_items, as_messages
from tests.made_profiles import module, profile
from tests.request.test_laws import NO_MARKS, count_tokens, walks
from tests.request.test_prefix import calls_of
from tests.request.test_routing_question import asking

TOOLS = profile(
    module("core", "You help.\n", always=True, tools=["ask_user"]),
    module("web", "## Web\nSearch well.\n", triggers=["search the web"], tools=["web_search"], optional=True),
    module("slides", "## Slides\nSlides are short.\n", tools=["make_slides", "render"], optional=True),
    module("sheets", "## Sheets\nSheets add up.\n", tools=["readSheet"], requires=["slides"], optional=True),
)


def user(text: str) -> Turn:
    return Turn("user", text)


def says(text: str, *arguments: str, tool: str = "other") -> Turn:
    return Turn("assistant", text, tool_calls=(tool,), arguments=arguments or ("",))


ASKED = user("Book a table")
RESULT = Turn("tool", "web_search make_slides readSheet: what a stranger wrote")


def late(sample: Profile, *turns: Turn) -> tuple[dict[str, tuple[str, str | None]], tuple[LateModules, ...]]:
    """By module, the evidence that the agent's words are, and what arrived where."""
    decision = Router(sample).decide(turns)
    found: dict[str, Evidence] = {item.module: item for item in decision.selected if item.late}
    return {id: (item.kind, item.detail) for id, item in found.items()}, decision.arrivals


# Reading

CHAT = [
    {"role": "user", "content": "go"},
    {
        "role": "assistant",
        "content": [
            {"type": "thinking", "thinking": "secret", "text": "secret"},
            {"type": "text", "text": "Let me look."},
        ],
        "tool_calls": [{"id": "1", "function": {"name": "find", "arguments": '{"q": "tides"}'}}],
    },
    {"role": "tool", "tool_call_id": "1", "content": "stranger"},
]
MESSAGES = [
    {"role": "user", "content": "go"},
    {
        "role": "assistant",
        "content": [
            {"type": "thinking", "thinking": "secret", "signature": "x"},
            {"type": "redacted_thinking", "data": "secret"},
            {"type": "text", "text": "Let me look."},
            {"type": "server_tool_use", "id": "0", "name": "find", "input": {"q": "tides"}},
            {"type": "web_search_tool_result", "tool_use_id": "0", "content": [{"text": "stranger"}]},
        ],
    },
    {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "1", "content": "stranger"}]},
]
RESPONSES = [
    {"role": "user", "content": "go"},
    {"type": "reasoning", "summary": [{"type": "summary_text", "text": "secret"}]},
    {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Let me look."}]},
    {"type": "function_call", "call_id": "1", "name": "find", "arguments": '{"q": "tides"}'},
    {"type": "function_call_output", "call_id": "1", "output": "stranger"},
    {
        "type": "web_search_call",
        "action": {"type": "search", "query": "tides", "sources": [{"url": "stranger"}]},
        "results": "stranger",
    },
    {"type": "custom_tool_call", "call_id": "2", "name": "apply", "input": "tides"},
]
GEMINI = [
    {"role": "user", "parts": [{"text": "go"}]},
    {
        "role": "model",
        "parts": [
            {"text": "secret", "thought": True},
            {"text": "Let me look."},
            {"functionCall": {"name": "find", "args": {"q": ["tides", 3, True, None]}}},
        ],
    },
    {"role": "user", "parts": [{"functionResponse": {"name": "find", "response": {"output": "stranger"}}}]},
]


@pytest.mark.parametrize(
    ("call_type", "body"),
    [
        ("acompletion", {"messages": [{"role": "system", "content": "s"}, *CHAT]}),
        ("anthropic_messages", {"system": "s", "messages": MESSAGES}),
        ("aresponses", {"instructions": "s", "input": RESPONSES}),
        ("agenerate_content", {"systemInstruction": "s", "contents": GEMINI}),
    ],
)
def test_what_the_agent_says_is_read_on_every_wire(call_type: str, body: dict[str, Any]) -> None:
    """Its text and what it passes to tools; neither what it thinks nor what tools answer."""
    said = [turn for turn in SHAPES[call_type].read(body).turns if turn.role == "assistant"]
    assert [turn.text for turn in said if turn.text] == ["Let me look."]
    assert all(len(turn.arguments) == len(turn.tool_calls) for turn in said)
    arguments = [argument for turn in said for argument in turn.arguments]
    assert arguments
    assert all("tides" in argument for argument in arguments)
    assert "secret" not in str(said)
    assert "stranger" not in str(said)


def test_arguments_are_read_from_their_beginning_whatever_their_form() -> None:
    assert argument_text('{"q": "tides"}') == '{"q": "tides"}'
    assert argument_text({"q": {"deep": ["tides", 4]}, "on": True}) == "q deep tides 4 on"
    assert argument_text(None) == ""
    for large in ("x" * 10**6, {"text": "x" * 10**6}, {"rows": ["word"] * 10**6}):
        assert len(argument_text(large)) <= MAX_ARGUMENT_CHARS


# Tools that it names


def test_a_named_tool_brings_its_module_behind_the_results() -> None:
    """Also one that is named in the arguments, with what it requires; the first words stand where they stood."""
    turns = [ASKED, says("I'll use make_slides next."), RESULT]
    assert late(TOOLS, *turns) == ({"slides": ("assistant", "make_slides")}, (LateModules(2, (2,)),))
    turns = [ASKED, says("", '{\\n"then":\\n"readSheet"}'), RESULT, RESULT]
    assert late(TOOLS, *turns) == (
        {"sheets": ("assistant", "readSheet"), "slides": ("requires", "sheets")},
        (LateModules(3, (2, 3)),),
    )
    assert late(TOOLS, *turns, says("make_slides"), RESULT)[1] == (LateModules(3, (2, 3)),)


@pytest.mark.parametrize(
    "turns",
    [
        pytest.param([ASKED, says("I'll search the web and render it."), RESULT], id="triggers and plain words"),
        pytest.param([ASKED, says("fine"), RESULT], id="results of tools"),
        pytest.param([ASKED, Turn("assistant", "make_slides?"), user("no, thanks")], id="the end of a task"),
        pytest.param([ASKED, Turn("assistant", "make_slides")], id="the end of the history"),
        pytest.param([ASKED, says("remake_slides, make_slides2"), RESULT], id="other names"),
        pytest.param([ASKED, says("x " * 400 + "make_slides" + " x" * 4000), RESULT], id="the middle of a text"),
    ],
)
def test_what_says_nothing_of_a_module(turns: list[Turn]) -> None:
    assert late(TOOLS, *turns) == ({}, ())


def test_the_end_of_a_long_text_is_read() -> None:
    assert late(TOOLS, ASKED, says("x " * 10_000 + "Now make_slides."), RESULT)[0] == {
        "slides": ("assistant", "make_slides")
    }


def test_its_own_tool_call_counts_where_it_comes_first() -> None:
    """A later call is a late one's evidence no more, and a miss counts once."""
    turns = [ASKED, says("", tool="make_slides"), RESULT, says("make_slides again"), RESULT]
    assert late(TOOLS, *turns) == ({"slides": ("tool_call", "make_slides")}, (LateModules(2, (2,)),))


def test_one_answer_in_several_turns() -> None:
    """Of Responses: its text is a turn of its own, and the module waits for the outputs of its calls."""
    turns = [
        ASKED,
        Turn("reasoning", ""),
        Turn("assistant", "make_slides now"),
        says(""),
        says(""),
        RESULT,
        RESULT,
    ]
    assert late(TOOLS, *turns)[1] == (LateModules(6, (2,)),)


def test_a_tool_brings_back_what_a_routing_model_left_out() -> None:
    """Where its answer counts, a module may be missing that nobody marked optional."""
    sections = [dataclasses.replace(each, optional=False) for each in TOOLS.modules]
    sample = asking(dataclasses.replace(TOOLS, modules=tuple(sections)))
    turns = [ASKED, says("I'll use make_slides for that."), RESULT]
    decision = Router(sample).decide(turns, answers=lambda _model, _question: RoutingAnswer((), ()))
    assert {each.module: each.kind for each in decision.selected} == {"core": "always", "slides": "assistant"}
    assert decision.arrivals == (LateModules(2, (2,)),)


def test_agents_that_call_tools_in_their_text() -> None:
    """The results come in a message of the user's that no user wrote."""
    sample = dataclasses.replace(TOOLS, ignore=Ignore(tags=("result",)))
    turns = [ASKED, Turn("assistant", "<make_slides/>"), user("<result>done</result>")]
    assert late(sample, *turns) == ({"slides": ("assistant", "make_slides")}, (LateModules(2, (2,)),))
    assert late(sample, *turns[:2], user("<result>done</result> and now?"))[0] == {}


def test_other_words_are_another_conversation() -> None:
    """A walk that was remembered ahead of a user message is not that of an agent which said something else."""
    router = Router(TOOLS)
    one, other = ([ASKED, says(text), RESULT, user("Book another")] for text in ("make_slides", "web_search"))
    assert [router.decide(turns).modules for turns in (one, other, one)] == [
        ("core", "slides"),
        ("core", "web"),
        ("core", "slides"),
    ]


# Its words, with a fit


@cache
def attentive() -> Profile:
    """The harbour office, sent what its words score: weights by hand, so that the share alone counts."""
    found = fitted().fitted
    columns = len(found.table.columns)
    words = AgentWords(weights=np.array([0.0, 1.0, 0.0, 0.0]), bias=0.0, thresholds=np.full(columns, -0.4), texts=99)
    return dataclasses.replace(fitted().profile, fitted=dataclasses.replace(found, agent_words=words))


def test_words_that_score_bring_a_module() -> None:
    """With the score for a detail; without what a fit learned of the agent nothing is scored."""
    turns = [user("please check the tide and the gauge for me"), says("I need the captain next to the mate"), RESULT]
    found, arrivals = late(attentive(), *turns)
    assert found["crew"][0] == "assistant"
    assert float(found["crew"][1] or "") >= 0
    assert [arrival.turn for arrival in arrivals] == [2]
    assert late(fitted().profile, *turns) == ({}, ())


def test_arguments_score_too() -> None:
    turns = [user("please check the tide and the gauge for me"), says("", '{"who":\\n"captain\\u0020mate"}'), RESULT]
    assert "crew" in late(attentive(), *turns)[0]


TEXTS = ("I need the captain next to the mate", "an invoice for the account", "use_ships now", "ok", "")


@st.composite
def chats(draw: st.DrawFn) -> list[dict[str, Any]]:
    messages: list[dict[str, Any]] = []
    for number in range(draw(st.integers(1, 3))):
        asked = draw(st.sampled_from(["please check the tide and the gauge for me", "yes, go ahead", "hello"]))
        messages.append({"role": "user", "content": asked})
        for step in range(draw(st.integers(0, 3))):
            arguments = json.dumps({"note": draw(st.sampled_from(TEXTS))})
            function = {"name": draw(st.sampled_from(["other", "use_letters"])), "arguments": arguments}
            call = {"id": f"c{number}-{step}", "type": "function", "function": function}
            messages.append({"role": "assistant", "content": draw(st.sampled_from(TEXTS)), "tool_calls": [call]})
            messages.append({"role": "tool", "tool_call_id": call["id"], "content": "captain"})
        messages.append({"role": "assistant", "content": draw(st.sampled_from(TEXTS[:4]))})
    return messages


def body_of(call_type: str, messages: list[dict[str, Any]]) -> dict[str, Any]:
    text = attentive().text
    if call_type == "acompletion":
        return {"messages": [{"role": "system", "content": text}, *messages]}
    if call_type == "anthropic_messages":
        return {"system": text, "messages": as_messages(messages)}
    if call_type == "aresponses":
        return {"instructions": text, "input": as_items(messages)}
    return {"systemInstruction": {"parts": [{"text": text}]}, "contents": as_contents(messages)}


@pytest.mark.parametrize("call_type", ["acompletion", "anthropic_messages", "aresponses", "agenerate_content"])
@walks
@given(chat=chats())
def test_a_call_is_how_the_next_one_begins(call_type: str, chat: list[dict[str, Any]]) -> None:
    """Whatever the agent says: message for message where late modules are appended, in the prompt where it grows."""
    placement: Placement = "grow" if call_type == "agenerate_content" else "append"
    pipeline = Pipeline([attentive()], count_tokens, coverage_floor=0.0, placement=placement)
    before: list[str] = []
    prompt = ""
    selected: set[str] = set()
    for end in calls_of(chat):
        walked = pipeline.walk(body_of(call_type, chat[:end]), call_type, lambda: NO_MARKS)
        assert isinstance(walked.outcome, Rewritten)
        assert selected <= set(walked.outcome.decision.modules)
        selected = set(walked.outcome.decision.modules)
        if placement == "grow":
            text = SHAPES[call_type].read(walked.body).system_text
            assert text.rstrip().startswith(prompt.rstrip())
            prompt = text
            continue
        listed = walked.body.get("messages") or walked.body["input"]
        now = [json.dumps(message) for message in (walked.body.get("system"), walked.body.get("instructions"), *listed)]
        assert now[: len(before)] == before
        before = now

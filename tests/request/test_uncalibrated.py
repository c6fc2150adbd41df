"""Without a calibrated fit: what is left out, and the laws of it."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from litellm_prompt_router.profile.profile import Profile
from litellm_prompt_router.request.pipeline import Pipeline
from litellm_prompt_router.request.route import Router
from litellm_prompt_router.request.types import RoutingDecision, Target, Turn
from tests.made_profiles import NO_MARKS, count_words, module, profile
from tests.request.test_laws import conversations, profiles
from tests.request.test_prefix import turns_of

SHOP = profile(
    module("core", "You keep a shop.\n", always=True, tools=["ask"]),
    module("rules", "Never give credit.\n", triggers=["credit"]),
    module("stock", "Count with `count`.\n", tools=["count", "recount"], triggers=["count*"]),
    module("prices", "See `price`.\n", tools=["price"], requires=["money"]),
    module("money", "Use `convert`.\n", tools=["convert"]),
    module("songs", "Sing.\n", triggers=["song*"], optional=True),
    module("dances", "Dance with `dance`.\n", tools=["dance"], requires=["songs"], optional=True),
    name="shop",
)
BASE = {"core", "rules", "stock", "prices", "money"}
EVERYTHING = {each.id for each in SHOP.modules}
ROUTER = Router(SHOP)


def user(text: str, *attachments: str) -> Turn:
    return Turn(role="user", text=text, attachments=attachments)


def called(*tools: str) -> Turn:
    return Turn(role="assistant", text="", tool_calls=tools)


def decided(*turns: Turn | str, tools: list[str] | None = None, latest_only: bool = False) -> RoutingDecision:
    return ROUTER.decide(
        [user(turn) if isinstance(turn, str) else turn for turn in turns],
        declared=None if tools is None else frozenset(tools),
        latest_only=latest_only,
    )


def test_a_message_gets_all_that_nobody_marked() -> None:
    """Whatever it says: no word has been measured."""
    for text in ("Give me credit", "count the apples", "fix it", "hello", "Wie spät ist es?", "a pie chart"):
        decision = decided(text)
        assert set(decision.modules) == BASE
        assert (decision.is_fallback, decision.fallback_reason) == (True, "not calibrated")


def test_evidence_tells_what_was_asked_for_from_what_wasnt() -> None:
    why = {each.module: (each.kind, each.detail) for each in decided("count the songs").selected}
    assert why == {
        "core": ("always", None),
        "rules": ("fallback", "not calibrated"),
        "stock": ("trigger", "count*"),
        "prices": ("fallback", "not calibrated"),
        "money": ("fallback", "not calibrated"),
        "songs": ("trigger", "song*"),
    }


def test_an_optional_module_comes_by_trigger_call_or_requirement() -> None:
    assert set(decided("a song").modules) == BASE | {"songs"}
    decision = decided("fix it", called("dance"))
    assert set(decision.modules) == EVERYTHING
    assert {each.module for each in decision.selected if each.late} == {"songs", "dances"}


UNREADABLE = {
    "an attachment alone": ([user("", "image")], "attachment without text"),
    "words of another script": ([user("посчитай яблоки")], "nothing known in the message"),
    "nothing to follow up on": ([user("go on")], "nothing to follow up on"),
    "a shortened history": ([called("count"), user("and now?")], "the history was shortened"),
    "nobody's words": ([called()], "no user message"),
}


@pytest.mark.parametrize(("turns", "reason"), UNREADABLE.values(), ids=UNREADABLE.keys())
def test_what_cant_be_read_gets_everything(turns: list[Turn], reason: str) -> None:
    """Optional modules and those without their tools, too."""
    decision = decided(*turns, tools=["price"])
    assert (set(decision.modules), decision.fallback_reason) == (EVERYTHING, reason)


@pytest.mark.parametrize(
    ("tools", "absent"),
    [
        (None, set()),
        ([], set()),
        (["strangers_tool"], set()),
        (["count"], {"prices", "money"}),
        (["recount", "price", "convert"], set()),
        (["price"], {"stock"}),
        (["convert", "mcp__shop__count"], {"prices"}),
        (["convert", "COUNT"], {"prices"}),
        (["ask"], {"stock", "prices", "money"}),
    ],
    ids=lambda value: ",".join(value) if isinstance(value, list) else None,
)
def test_a_module_whose_tools_are_missing_is_left_out(tools: list[str] | None, absent: set[str]) -> None:
    """Where the request declares a tool of this agent's. What a kept module requires is kept."""
    assert set(decided("fix it", tools=tools).modules) == BASE - absent


def test_a_call_of_a_tool_brings_its_module_though_nobody_declares_it() -> None:
    first = decided("fix it", tools=["count"])
    later = decided("fix it", called("price"), "and now?", tools=["count"])
    assert set(first.modules) == {"core", "rules", "stock"}
    assert {each.module for each in later.selected if each.late} == {"prices", "money"}
    again = decided("fix it", called("price"), "and now?", tools=["count"], latest_only=True)
    assert set(again.modules) == BASE


def test_a_trigger_brings_a_module_without_its_tools() -> None:
    assert set(decided("count it", tools=["price"]).modules) == BASE


def test_conversations_with_other_tools_are_other_conversations() -> None:
    """What is remembered of one doesn't answer for the other."""
    router = Router(SHOP)
    turns = [user("fix it"), Turn(role="assistant", text="Done."), user("and this")]
    for tools in (frozenset({"count"}), frozenset({"price"}), None, frozenset({"count"})):
        assert router.decide(turns, declared=tools) == Router(SHOP).decide(turns, declared=tools)


BODIES: dict[str, tuple[str, dict[str, Any]]] = {
    "chat": ("acompletion", {"tools": [{"type": "function", "function": {"name": "count"}}]}),
    "messages": ("anthropic_messages", {"tools": [{"name": "count", "input_schema": {}}]}),
    "responses": ("aresponses", {"tools": [{"type": "function", "name": "count"}]}),
    "Gemini": ("agenerate_content", {"tools": [{"functionDeclarations": [{"name": "count"}]}]}),
}
SYSTEM: dict[str, dict[str, Any]] = {
    "acompletion": {"messages": [{"role": "system", "content": SHOP.text}, {"role": "user", "content": "fix it"}]},
    "anthropic_messages": {"system": SHOP.text, "messages": [{"role": "user", "content": "fix it"}]},
    "aresponses": {"instructions": SHOP.text, "input": "fix it"},
    "agenerate_content": {
        "systemInstruction": {"parts": [{"text": SHOP.text}]},
        "contents": [{"role": "user", "parts": [{"text": "fix it"}]}],
    },
}


FREE = replace(NO_MARKS, takes_changed_prompt=True)


def routed(call_type: str, target: Target = FREE, **body: Any) -> set[str]:
    pipeline = Pipeline([SHOP], count_words, coverage_floor=0.0)
    decision = pipeline.walk({**SYSTEM[call_type], **body}, call_type, lambda: target).outcome.decision
    assert decision is not None
    return set(decision.modules)


@pytest.mark.parametrize(("call_type", "tools"), BODIES.values(), ids=BODIES.keys())
def test_each_endpoint_says_which_tools_there_are(call_type: str, tools: dict[str, Any]) -> None:
    assert routed(call_type, **tools) == {"core", "rules", "stock"}
    assert routed(call_type) == BASE


@pytest.mark.parametrize(("call_type", "tools"), BODIES.values(), ids=BODIES.keys())
def test_a_model_that_may_check_the_prompt_gets_every_tool_module(call_type: str, tools: dict[str, Any]) -> None:
    """By the deployments alone: a request that asks to think, or no longer does, gets the prompt of the one before."""
    asked: list[dict[str, Any]] = [{}, {"thinking": {"type": "enabled"}}, {"reasoning_effort": "high"}]
    for parameters in asked:
        assert routed(call_type, NO_MARKS, **tools, **parameters) == BASE
        assert routed(call_type, **tools, **parameters) == {"core", "rules", "stock"}


LATER: dict[str, tuple[list[dict[str, Any]], set[str]]] = {
    "an owned tool": ([{"type": "function", "name": "price"}], {"prices", "money"}),
    "one that is required by none": ([{"type": "function", "name": "convert"}], {"money"}),
    "a stranger's": ([{"type": "function", "name": "strangers_tool"}], set()),
    "a server's": ([{"type": "mcp", "server_label": "s"}], {"prices", "money"}),
}


@pytest.mark.parametrize(("tools", "late"), LATER.values(), ids=LATER.keys())
def test_a_tool_that_comes_in_later_brings_its_module_there(tools: list[dict[str, Any]], late: set[str]) -> None:
    """What stands ahead of it stays as it was."""
    pipeline = Pipeline([SHOP], count_words, coverage_floor=0.0, placement="append")
    begin = [{"role": "user", "content": "fix it"}, {"role": "assistant", "content": "Done."}]
    more = [{"type": "additional_tools", "tools": tools}, {"role": "user", "content": "and this"}]
    sent = []
    for items in (begin[:1], begin, [*begin, more[0]], [*begin, *more]):
        body = {"instructions": SHOP.text, "input": items, "tools": [{"type": "function", "name": "count"}]}
        walked = pipeline.walk(body, "aresponses", lambda: replace(FREE, late_form="message"))
        sent.append((walked.body["instructions"], walked.body["input"]))
    assert walked.outcome.decision is not None
    assert {each.module for each in walked.outcome.decision.selected if each.late} == late
    assert {each.kind for each in walked.outcome.decision.selected if each.late} <= {"tool_call", "requires"}
    for (instructions, items), (later_instructions, later_items) in pairwise(sent):
        assert later_instructions == instructions
        assert json.dumps(later_items).startswith(json.dumps(items)[:-1])
    assert "Count with" in sent[0][0]
    assert "See `price`" not in sent[0][0]


def test_a_tool_that_comes_in_ahead_of_the_first_words_is_there_from_the_start() -> None:
    turns = (Turn("assistant", "Hello."), Turn("additional_tools", "", declared=frozenset({"price"})), user("fix it"))
    decision = Router(SHOP).decide(turns, declared=frozenset({"count"}))
    assert (set(decision.modules), decision.arrivals) == (BASE, ())


def test_latest_sends_what_a_called_tool_brings() -> None:
    """The record and the wire agree, wherever the call stands."""
    pipeline = Pipeline([SHOP], count_words, coverage_floor=0.0, placement="latest")
    call = {"id": "1", "type": "function", "function": {"name": "price", "arguments": "{}"}}
    messages = [
        {"role": "system", "content": SHOP.text},
        {"role": "user", "content": "fix it"},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "1", "content": "7"},
    ]
    body = {"messages": messages, "tools": [{"type": "function", "function": {"name": "count"}}]}
    walked = pipeline.walk(body, "acompletion", lambda: FREE)
    assert walked.outcome.decision is not None
    assert "prices" in walked.outcome.decision.modules
    assert "See `price`" in walked.body["messages"][0]["content"]


# Laws


def base_of(sample: Profile) -> set[str]:
    return {each.id for each in sample.modules if not each.optional}


@st.composite
def samples(draw: st.DrawFn) -> tuple[Profile, tuple[Turn, ...], frozenset[str] | None]:
    sample = draw(profiles())
    tools = st.sets(st.sampled_from([each.tools[0] for each in sample.modules] + ["a_strangers"]))
    declared = draw(st.one_of(st.none(), tools))
    return sample, turns_of(draw(conversations(sample))), None if declared is None else frozenset(declared)


@given(sample=samples(), latest_only=st.booleans())
def test_all_is_there_but_what_is_marked_or_lacks_its_tools(
    sample: tuple[Profile, tuple[Turn, ...], frozenset[str] | None], latest_only: bool
) -> None:
    """At every turn, whatever was said."""
    made, turns, declared = sample
    router = Router(made)
    for end in range(1, len(turns) + 1):
        decision = router.decide(turns[:end], declared=declared, latest_only=latest_only)
        missing = base_of(made) - set(decision.modules)
        for id in missing:
            tools = made.modules[made.order[id]].tools
            assert declared is not None
            assert not declared.intersection(tools)
            assert declared.intersection(tool for each in made.modules for tool in each.tools)
            assert not any(set(turn.tool_calls).intersection(tools) for turn in turns[:end])


@given(sample=samples(), word=st.sampled_from(["tool", "file", "chart", "größe", "данные", "表格", "topic1", "ok"]))
def test_a_trigger_more_takes_nothing_away(
    sample: tuple[Profile, tuple[Turn, ...], frozenset[str] | None], word: str
) -> None:
    """Whichever module gets it, and whatever else the message says."""
    made, turns, declared = sample
    before = set(Router(made).decide(turns, declared=declared).modules)
    for number, each in enumerate(made.modules):
        more = replace(each, triggers=(*each.triggers, word))
        richer = replace(made, modules=(*made.modules[:number], more, *made.modules[number + 1 :]))
        assert before <= set(Router(richer).decide(turns, declared=declared).modules)


@given(sample=samples())
def test_no_trigger_at_all_leaves_the_base(sample: tuple[Profile, tuple[Turn, ...], frozenset[str] | None]) -> None:
    """What triggers do is add: without any the same is there, less what they brought."""
    made, turns, declared = sample
    silent = replace(made, modules=tuple(replace(each, triggers=()) for each in made.modules))
    assert set(Router(silent).decide(turns, declared=declared).modules) <= set(
        Router(made).decide(turns, declared=declared).modules
    )


@given(sample=samples())
def test_a_conversation_keeps_what_it_had_and_where(
    sample: tuple[Profile, tuple[Turn, ...], frozenset[str] | None],
) -> None:
    """With the same tools each call extends the one before it; a router with a memory decides as one without."""
    made, turns, declared = sample
    router = Router(made)
    known: dict[str, bool] = {}
    for end in range(1, len(turns) + 1):
        if turns[end - 1].role != "user" and not known:
            continue
        decision = router.decide(turns[:end], declared=declared)
        assert decision == Router(made).decide(turns[:end], declared=declared)
        now = {each.module: each.late for each in decision.selected}
        if decision.message_kind != "none":
            assert {id: now.get(id) for id in known} == known
            known = now

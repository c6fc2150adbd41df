"""What is remembered of a conversation changes nothing but the work: every call comes out as if it were the first."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from litellm_prompt_router.files import bundled_profiles, load_profile
from litellm_prompt_router.profile.profile import Profile
from litellm_prompt_router.profile.tokens import token_counter
from litellm_prompt_router.request import history
from litellm_prompt_router.request.history import History, HistoryMemory, totals_of
from litellm_prompt_router.request.message_chain import STRIDE, MessageChain, without_marks
from litellm_prompt_router.request.pipeline import Pipeline
from litellm_prompt_router.request.remembered_plans import RememberedPlans
from litellm_prompt_router.request.route import Router, walk
from litellm_prompt_router.request.slices import MAX_UNSLICED_TURNS, SLICE_TURNS, at_once
from litellm_prompt_router.request.types import Rewritten, Target, Turn
from litellm_prompt_router.request.walk_steps import OpenedRequest, RecognisedRequest, WalkResult
from litellm_prompt_router.request.wire import SHAPES, chat
from tests.end_to_end.workbench import as_contents, as_items, as_messages
from tests.law_examples import examples
from tests.made_profiles import NO_MARKS, TAKES_MARKS, module, profile

COUNT = token_counter()
WORKBENCH = load_profile(bundled_profiles() / "workbench", COUNT)
QUAY = profile(
    module("core", "You look after the quay of a small harbour.\n\n", always=True),
    module("cranes", "Cranes lift what the list says, one crate after the other.\n\n", triggers=["crane*"]),
    module(
        "ferries", "Ferries leave when the tide is in, never before.\n\n", tools=["ferry_times"], triggers=["ferr*"]
    ),
    module("ledger", "Write each crate into the ledger.\n\n", tools=["write_ledger"], triggers=["crate*"]),
    name="quay",
)
PROFILES = (WORKBENCH, QUAY)
TARGETS = (
    NO_MARKS,
    TAKES_MARKS,
    replace(TAKES_MARKS, late_form="message"),
    replace(TAKES_MARKS, holds_to_prefix=True, injection_points=({"location": "message", "role": "user"},)),
    replace(TAKES_MARKS, takes_changed_prompt=True, marks_blocks=True),
)
CALL_TYPES = ("acompletion", "anthropic_messages", "aresponses", "agenerate_content")
MARK = {"type": "ephemeral"}

ASKED = (
    "Sum up orders.csv by month",
    "now lift the crate with the big crane",
    "when does the ferry leave?",
    "yes, go ahead",
    "thanks!",
    "make it shorter",
    "commit that and open a pull request",
    "<system-reminder>nothing of the user's</system-reminder>",
    "This session is being continued from a previous conversation that ran out of context.",
    "cache_control is a word of mine",
)
CALLED = ("load_table", "git_commit", "ferry_times", "write_ledger", "unknown_tool")


def asked(text: str) -> list[dict[str, Any]]:
    return [{"role": "user", "content": text}]


def answered(text: str) -> list[dict[str, Any]]:
    return [{"role": "assistant", "content": text}]


def called(tools: list[str], said: str | None, number: int) -> list[dict[str, Any]]:
    """An answer with calls, and their results behind it."""
    calls = [
        {"id": f"t{number}-{n}", "type": "function", "function": {"name": tool, "arguments": json.dumps({"n": number})}}
        for n, tool in enumerate(tools)
    ]
    results = [{"role": "tool", "tool_call_id": call["id"], "content": f"row {number}"} for call in calls]
    return [{"role": "assistant", "content": said, "tool_calls": calls}, *results]


def steps() -> st.SearchStrategy[list[dict[str, Any]]]:
    return st.one_of(
        st.sampled_from(ASKED).map(asked),
        st.sampled_from(ASKED).map(asked),
        st.sampled_from(("Done.", "I am going to use ferry_times next.", "")).map(answered),
        st.builds(called, st.lists(st.sampled_from(CALLED), min_size=1, max_size=4), st.sampled_from((None, "I look.")),
                  st.integers(0, 9)),
    )  # fmt: skip


def grown(chosen: list[list[dict[str, Any]]]) -> list[dict[str, Any]]:
    return [message for step in chosen for message in step]


class Call(NamedTuple):
    """One request of a conversation, in chat's form without the prompt."""

    messages: list[dict[str, Any]]
    profile: Profile
    target: Target
    tools: list[dict[str, Any]] | None
    marks: int
    """Messages at the end that the client marks, each in a block of its own."""


@st.composite
def conversations(draw: st.DrawFn) -> list[Call]:
    """Calls one after the other: grown, cut at some place and gone on otherwise, with an old message edited."""
    messages = grown(draw(st.lists(steps(), min_size=1, max_size=24)))
    names = [[name] for name in CALLED]
    calls: list[Call] = []
    for _ in range(draw(st.integers(2, 6))):
        change = draw(st.sampled_from(("grow", "grow", "grow", "branch", "edit")))
        if change == "branch":
            messages = messages[: draw(st.integers(0, len(messages)))]
        elif change == "edit" and messages:
            at = draw(st.integers(0, len(messages) - 1))
            messages = [*messages]
            messages[at] = {**messages[at], "content": draw(st.sampled_from(ASKED))}
        messages = [*messages, *grown(draw(st.lists(steps(), min_size=1, max_size=5)))]
        declared = draw(st.sampled_from((None, [], names, names[:2])))
        tools = None if declared is None else [{"type": "function", "function": {"name": n}} for (n,) in declared]
        calls.append(
            Call(
                messages,
                draw(st.sampled_from(PROFILES)),
                draw(st.sampled_from(TARGETS)),
                tools,
                draw(st.integers(0, 2)),
            )
        )
    return calls


def body_of(call: Call, call_type: str) -> dict[str, Any]:
    """A body that shares no object with another one, as if it had come over the wire."""
    messages = [{**each} for each in call.messages]
    extra = {} if call.tools is None else {"tools": call.tools}
    body: dict[str, Any]
    if call_type == "aresponses":
        body = {"instructions": call.profile.text, "input": as_items(messages)}
    elif call_type == "agenerate_content":
        body = {"systemInstruction": {"parts": [{"text": call.profile.text}]}, "contents": as_contents(messages)}
    else:
        messages = as_messages(messages) if call_type == "anthropic_messages" else messages
        for message in messages[len(messages) - call.marks :] if call.marks else ():
            if isinstance(message["content"], str) and message["content"]:
                message["content"] = [{"type": "text", "text": message["content"], "cache_control": MARK}]
            elif isinstance(message["content"], list):
                message["content"] = [*message["content"][:-1], {**message["content"][-1], "cache_control": MARK}]
        prompt = {"role": "system", "content": call.profile.text}
        body = {"messages": [prompt, *messages]} if call_type == "acompletion" else {
            "system": call.profile.text, "messages": messages}  # fmt: skip
    copied: dict[str, Any] = json.loads(json.dumps({**body, **extra}))
    return copied


def told(result: WalkResult) -> tuple[object, ...]:
    """All of a result that a record or a provider sees."""
    outcome, request = result.outcome, result.request
    assert request is not None
    read = (request.client_marks, totals_of(tuple(request.turns)), totals_of(request.turns), tuple(request.turns))
    if isinstance(outcome, Rewritten):
        decided = (outcome.composition, outcome.breakpoints, outcome.placement, outcome.cache_key)
        return (result.body, outcome.decision, decided, result.marking, read)
    return (result.body, outcome.reason, outcome.decision, outcome.added_marks, result.marking, read)


def pipeline(*, adds_marks: bool = True) -> Pipeline:
    return Pipeline(PROFILES, COUNT, coverage_floor=0.6, adds_marks=adds_marks, gates_cost=True)


FORGETFUL = pipeline()


def forget(one: Pipeline) -> None:
    """The oracle: whatever it is asked next, it reads from the start."""
    one._histories = HistoryMemory()
    one._plans = RememberedPlans(COUNT, adds_marks=True)
    for each in one._routers.values():
        each._walks = walk.RememberedWalks()


@pytest.mark.parametrize("call_type", CALL_TYPES)
@settings(max_examples=examples(24), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(calls=conversations())
def test_every_call_comes_out_as_if_it_were_the_first(call_type: str, calls: list[Call]) -> None:
    """Whatever was remembered of the calls before it, of its own conversation or another one."""
    remembering = pipeline()
    for call in calls:
        body = body_of(call, call_type)
        before = copy.deepcopy(body)
        forget(FORGETFUL)
        target = call.target

        def of_call(target: Target = target) -> Target:
            return target

        assert told(remembering.walk(body, call_type, of_call)) == told(FORGETFUL.walk(before, call_type, of_call))
        assert body == before


SHORT_TURNS = (
    Turn("user", "lift the crate"),
    Turn("assistant", "ferry_times is next"),
    Turn("assistant", "", tool_calls=("ferry_times",), arguments=("write_ledger",)),
    Turn("tool", "row"),
    Turn("system", "be brief"),
    Turn("user", "write it down", declared=frozenset({"ferry_times"})),
)


@pytest.mark.parametrize("declared", [None, frozenset(), frozenset({"ferry_times"})], ids=["unknown", "none", "one"])
def test_every_short_conversation_comes_out_as_if_no_other_had_been(declared: frozenset[str] | None) -> None:
    """All of five turns, so that each shares its beginning with some that go on otherwise; tools change in between."""
    remembering, forgetful = Router(QUAY), Router(QUAY)
    for turns in product(SHORT_TURNS, repeat=5):
        for known in (declared, frozenset({"write_ledger"})):
            forgetful._walks = walk.RememberedWalks()
            assert remembering.decide(turns, declared=known) == forgetful.decide(turns, declared=known), turns


@settings(max_examples=examples(100), deadline=None)
@given(chosen=st.lists(steps(), min_size=1, max_size=12), marked=st.sets(st.integers(0, 40)))
def test_marks_are_no_part_of_what_was_said(chosen: list[list[dict[str, Any]]], marked: set[int]) -> None:
    """A message without its marks makes the same turn, and the same digest as one that never had any."""
    plain = [
        message if isinstance(message["content"], str) else {**message, "content": ""} for message in grown(chosen)
    ]
    plain = [{**message, "content": [{"type": "text", "text": message["content"]}]} for message in plain]
    with_marks = [
        {**message, "content": [{**message["content"][0], "cache_control": MARK}], "cache_control": MARK}
        if number in marked
        else message
        for number, message in enumerate(plain)
    ]
    assert [without_marks(message) for message in with_marks] == plain
    one, other = MessageChain(plain, "chat").read(), MessageChain(with_marks, "chat").read()
    assert one.digests == other.digests
    assert [one.digest(end) for end in range(len(plain) + 1)] == [other.digest(end) for end in range(len(plain) + 1)]
    assert set(other.suspects) >= {number for number in marked if number < len(plain)}
    assert tuple(chat.read({"messages": plain}).turns) == tuple(chat.read({"messages": with_marks}).turns)


NESTED: dict[str, Any] = {
    "role": "assistant",
    "content": [{"type": "tool_result", "content": [{"type": "text", "text": "x", "cache_control": MARK}]}],
    "tool_calls": [{"id": "1", "function": {"name": "f", "arguments": "{}"}, "cache_control": MARK}],
}


def test_marks_inside_results_and_on_calls_are_none_either() -> None:
    assert "cache_control" not in json.dumps(without_marks(NESTED))
    assert "cache_control" in json.dumps(NESTED)


@pytest.mark.parametrize(
    "other",
    [
        {"role": "user", "content": "b"},
        {"role": "tool", "content": "a"},
        {"role": "user", "content": ["a"]},
        {"role": "user", "content": "a", "name": "n"},
        {"role": "user", "content": 1},
        {"role": "user", "content": True},
        {"role": "user", "content": 1.0},
    ],
    ids=["words", "role", "form", "field", "number", "truth", "fraction"],
)
@pytest.mark.parametrize("at", range(2 * STRIDE))
def test_a_digest_is_of_all_that_was_said_ahead(at: int, other: dict[str, Any]) -> None:
    """And of nothing behind it."""
    messages: list[Any] = [{"role": "user", "content": "a"} for _ in range(2 * STRIDE)]
    changed = [*messages[:at], other, *messages[at + 1 :]]
    one, two = MessageChain(messages, "chat").read(), MessageChain(changed, "chat").read()
    alike = [one.digest(end) == two.digest(end) for end in range(len(messages) + 1)]
    assert alike == [end <= at for end in range(len(messages) + 1)]
    assert one.digest(0) != MessageChain(messages, "messages").read().digest(0)


def test_a_message_that_json_cannot_say_ends_the_chain() -> None:
    """Nothing behind it is remembered, and all of it may bear marks."""
    messages: list[Any] = [{"role": "user", "content": "a"} for _ in range(3 * STRIDE)]
    messages[STRIDE + 2] = {"role": "user", "content": object()}
    chain = MessageChain(messages, "chat").read()
    assert len(chain.digests) == 2
    assert chain.suspects == list(range(STRIDE, 3 * STRIDE))
    assert chain.digest(STRIDE + 2) is not None
    assert chain.digest(STRIDE + 3) is None
    assert chain.digest(2 * STRIDE) is None


def long_body(messages: int) -> dict[str, Any]:
    said = [{"role": ("user", "assistant")[n % 2], "content": f"{ASKED[n % 3]}, number {n}"} for n in range(messages)]
    return {"messages": [{"role": "system", "content": WORKBENCH.text}, *said]}


@pytest.fixture
def made_turns(monkeypatch: pytest.MonkeyPatch) -> list[Turn]:
    """The turns that were made of messages."""
    made: list[Turn] = []
    plain = chat._turn

    def noting(message: dict[str, Any]) -> Turn:
        made.append(plain(message))
        return made[-1]

    monkeypatch.setattr(chat, "_turn", noting)
    return made


def test_a_following_call_makes_turns_of_what_is_new(made_turns: list[Turn]) -> None:
    """And of the few messages around it, however long the conversation is."""
    remembering = pipeline()
    for messages in (39, 399, 1_999):
        remembering.walk(long_body(messages), "acompletion", lambda: TAKES_MARKS)
        made_turns.clear()
        remembering.walk(long_body(messages + 2), "acompletion", lambda: TAKES_MARKS)
        assert 0 < len(made_turns) <= 3 * STRIDE


def test_a_client_whose_marks_move_is_remembered(made_turns: list[Turn]) -> None:
    """It marks a string by making it a block, and sends the string again once its mark has moved on."""
    remembering = pipeline()

    def marked(messages: int) -> dict[str, Any]:
        body = long_body(messages)
        for message in body["messages"][-2:]:
            message["content"] = [{"type": "text", "text": message["content"], "cache_control": MARK}]
        return body

    remembering.walk(marked(399), "acompletion", lambda: TAKES_MARKS)
    for messages in range(401, 421, 2):
        made_turns.clear()
        remembering.walk(marked(messages), "acompletion", lambda: TAKES_MARKS)
        assert 0 < len(made_turns) <= 3 * STRIDE


def test_a_branch_goes_on_from_what_both_share(made_turns: list[Turn]) -> None:
    """Also where it turns off far ahead of the end."""
    remembering = pipeline()
    remembering.walk(long_body(201), "acompletion", lambda: TAKES_MARKS)
    remembering.walk(long_body(401), "acompletion", lambda: TAKES_MARKS)
    branch = long_body(401)
    branch["messages"][260]["content"] = "another answer"
    made_turns.clear()
    remembering.walk(branch, "acompletion", lambda: TAKES_MARKS)
    assert 401 - 260 <= len(made_turns) <= 401 - 201 + 2 * STRIDE


def slices_of(one: Pipeline, body: dict[str, Any], made: list[Turn]) -> tuple[list[int], WalkResult]:
    """How many turns were made in each slice of an opening and a decision, and the result."""
    counts: list[int] = []

    def drive(slices: Any) -> Any:
        while True:
            made.clear()
            try:
                next(slices)
            except StopIteration as done:
                counts.append(len(made))
                return done.value
            counts.append(len(made))

    opened = drive(one.opening(body, "acompletion"))
    assert isinstance(opened, OpenedRequest)
    recognised = one.recognise(opened)
    assert isinstance(recognised, RecognisedRequest)
    return counts, drive(one.deciding(recognised, lambda: TAKES_MARKS))


def test_a_long_first_sight_is_decided_in_slices(made_turns: list[Turn]) -> None:
    """Of so many messages each, with the result of a decision in one piece."""
    sliced, whole = pipeline(), pipeline()
    counts, result = slices_of(sliced, long_body(2_001), made_turns)
    assert max(counts) <= history.READ_TURNS
    assert len(counts) > 2_001 / SLICE_TURNS
    assert told(result) == told(whole.walk(long_body(2_001), "acompletion", lambda: TAKES_MARKS))


def test_a_short_first_sight_is_decided_at_once(made_turns: list[Turn]) -> None:
    counts, _ = slices_of(pipeline(), long_body(MAX_UNSLICED_TURNS), made_turns)
    assert len(counts) == 2


def test_slices_of_conversations_may_alternate() -> None:
    """What one of them remembers in between makes no difference to the other."""
    one = pipeline()
    bodies = [long_body(601), long_body(605), long_body(601), {**long_body(603), "tools": []}]
    opened = [one.open(body, "acompletion") for body in bodies]
    walks: list[Iterator[None]] = []
    for each in opened:
        assert isinstance(each, OpenedRequest)
        recognised = one.recognise(each)
        assert isinstance(recognised, RecognisedRequest)
        walks.append(one.deciding(recognised, lambda: TAKES_MARKS))
    results: dict[int, WalkResult] = {}
    while len(results) < len(walks):
        for number, each_walk in enumerate(walks):
            if number not in results:
                try:
                    next(each_walk)
                except StopIteration as done:
                    results[number] = done.value
    for number, body in enumerate(bodies):
        assert told(results[number]) == told(pipeline().walk(body, "acompletion", lambda: TAKES_MARKS))


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "MAX_TOTALS", 5)
    monkeypatch.setattr(walk, "MAX_WALKS", 7)
    remembering = pipeline()
    for number in range(20):
        body = long_body(33)
        body["messages"][1]["content"] = f"Sum up orders.csv of {number}"
        remembering.walk(body, "acompletion", lambda: TAKES_MARKS)
    assert len(remembering._histories) == 5
    assert sum(len(router._walks) for router in remembering._routers.values()) == 7


def test_turns_behave_as_the_tuple_they_stand_for() -> None:
    turns = (Turn("user", "a"), Turn("assistant", "b"), Turn("user", "c"))
    made = History.of(turns)
    assert (tuple(made), list(made), made[-1], list(made[1:]), list(reversed(made))) == (
        turns, list(turns), turns[-1], list(turns[1:]), list(reversed(turns)))  # fmt: skip
    assert History.of(made) is made
    assert hash(made) == hash(turns)
    at_once(made.adding_up(HistoryMemory()))
    assert made.totals == totals_of(turns)


def test_every_shape_reads_its_conversation_once(made_turns: list[Turn]) -> None:
    """A turn is made no more than once of a message."""
    request = SHAPES["acompletion"].read(long_body(31))
    assert not made_turns
    assert len(list(request.turns)) == 31
    assert totals_of(request.turns).chars == sum(len(turn.text) for turn in request.turns)
    assert len(made_turns) == 31

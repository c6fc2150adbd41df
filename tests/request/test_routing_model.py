"""Routing by a routing model's answers: what they bring, what is sent without them, and the laws of both."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from litellm_prompt_router.profile.fitted import ModelLists
from litellm_prompt_router.profile.profile import Profile
from litellm_prompt_router.request.pipeline import Pipeline
from litellm_prompt_router.request.route import (
    AnswerLookup,
    Router,
    RoutingAnswer,
    RoutingQuestion,
    with_model_choosing,
)
from litellm_prompt_router.request.types import CHAT, Evidence, Rewritten, RoutingDecision, Turn
from tests.made_embeddings import embedded_profile
from tests.made_profiles import HARBOUR, NO_MARKS, count_words, module, profile
from tests.request.test_routing_question import asking, user

OFFICE = asking(
    profile(
        module("core", "You run an office.\n", always=True, tools=["ask"]),
        module("mail", "Send mail.\n", triggers=["mail*"], tools=["send"]),
        module("files", "Keep files.\n", tools=["store"], requires=["names"]),
        module("names", "Name files.\n"),
        module("songs", "Sing.\n", optional=True),
        module("charts", "Draw.\n", tools=["draw"]),
    )
)
EVERYTHING = {each.id for each in OFFICE.modules}
BASE = EVERYTHING - {"songs"}
ROUTER = Router(OFFICE)


def says(answers: Mapping[str, RoutingAnswer | None]) -> AnswerLookup:
    """Answers by the message asked about; the model knows no other."""

    def lookup(model: str, question: RoutingQuestion) -> RoutingAnswer | None:
        assert model == "small"
        return next((a for text, a in answers.items() if f'"message": "{text}"' in question.conversation), None)

    return lookup


def answer(*needed: str, perhaps: Sequence[str] = ()) -> RoutingAnswer:
    return RoutingAnswer(needed, tuple(perhaps))


def decided(*turns: Turn | str, tools: list[str] | None = None, **answers: RoutingAnswer | None) -> RoutingDecision:
    """``answers``: by a message's one word."""
    return ROUTER.decide(
        [user(turn) if isinstance(turn, str) else turn for turn in turns],
        answers=says(answers),
        declared=None if tools is None else frozenset(tools),
    )


def evidence(decision: RoutingDecision) -> dict[str, tuple[str, str | None]]:
    return {each.module: (each.kind, each.detail) for each in decision.selected}


def test_both_lists_bring_modules_and_nothing_else_does() -> None:
    assert evidence(decided("report", report=answer("files", perhaps=["charts"]))) == {
        "core": ("always", None),
        "files": ("model", "needed"),
        "names": ("requires", "files"),
        "charts": ("model", "perhaps"),
    }


@pytest.mark.parametrize(("lists", "brought"), [("needed", set()), ("both", {"charts"}), (None, {"charts"})])
def test_a_profile_may_say_which_lists_bring_modules(lists: ModelLists | None, brought: set[str]) -> None:
    """Where it doesn't, both do as long as no fit chose."""
    stated = OFFICE.routing_model
    assert stated is not None
    router = Router(replace(OFFICE, routing_model=replace(stated, lists=lists)))
    told = says({"report": answer(perhaps=["charts"])})
    assert set(router.decide([user("report")], answers=told).modules) == {"core", *brought}


def test_an_empty_answer_leaves_the_core_and_what_triggers_say() -> None:
    assert evidence(decided("report", report=answer())) == {"core": ("always", None)}
    assert evidence(decided("mailing", mailing=answer())) == {"core": ("always", None), "mail": ("trigger", "mail*")}


def test_no_fallback_is_told_where_there_was_an_answer() -> None:
    decision = decided("report", report=answer())
    assert (decision.is_fallback, decision.fallback_reason, decision.message_kind) == (False, None, "task")


def test_without_an_answer_the_base_is_sent() -> None:
    """As without a routing model: not asked, failed or late."""
    decision = decided("report")
    assert set(decision.modules) == BASE
    assert decision == Router(replace(OFFICE, routing_model=None)).decide([user("report")])


def test_switched_off_everything_is_as_if_there_were_no_model() -> None:
    for text in ("report", "hi", "yes", "mailing"):
        assert ROUTER.decide([user(text)]) == Router(replace(OFFICE, routing_model=None)).decide([user(text)])


def test_small_talk_gets_the_core() -> None:
    """The lists know that it needs nothing, and the model will be asked about what follows."""
    assert set(decided("hello").modules) == {"core"}
    assert set(decided("hello", "report", report=answer("mail")).modules) == {"core", "mail"}


def test_a_follow_up_brings_nothing() -> None:
    assert set(decided("report", "yes", report=answer("mail")).modules) == {"core", "mail"}
    assert set(decided("report", "yes", report=answer()).modules) == {"core"}


def test_what_the_model_named_once_stays() -> None:
    decision = decided("report", "plot", report=answer("files"), plot=answer("charts"))
    assert evidence(decision) == {
        "core": ("always", None),
        "files": ("inherited", "needed"),
        "names": ("requires", "files"),
        "charts": ("model", "needed"),
    }
    assert [arrival.turn for arrival in decision.arrivals] == [1]


def test_a_later_message_without_an_answer_brings_the_base_there() -> None:
    decision = decided("report", "plot", "mailing", report=answer("files"), mailing=answer())
    assert set(decision.modules) == BASE
    assert [(arrival.turn, arrival.modules) for arrival in decision.arrivals] == [(1, (1, 5))]


def test_a_tool_call_brings_its_module_whatever_the_answer() -> None:
    called = Turn("assistant", "", tool_calls=("draw",))
    decision = decided("report", called, Turn("tool", ""), report=answer("mail"))
    assert set(decision.modules) == {"core", "mail", "charts"}


def test_an_attachment_without_words_gets_everything() -> None:
    assert set(decided(user("", "image")).modules) == EVERYTHING


def test_an_optional_module_comes_when_it_is_named() -> None:
    assert set(decided("report", report=answer("songs")).modules) == {"core", "songs"}


def test_a_tool_that_comes_in_later_brings_no_module_that_nobody_asked_for() -> None:
    """In the base it does; where the model answered, the module waits for being named or called."""
    later = Turn("system", "", declared=frozenset({"draw"}))
    tools = ["ask", "send", "store"]
    assert set(decided("report", later, tools=tools, report=answer("mail")).modules) == {"core", "mail"}
    assert "charts" in decided("report", later, tools=tools).modules


def test_all_pieces_of_a_named_topic_come() -> None:
    pieces = asking(
        profile(
            module("core", "Core.", always=True),
            module("one", "One.", requires=["two"]),
            module("two", "Two.", requires=["one"]),
        )
    )
    router = Router(pieces)
    assert router.section_ids == ("one",)
    decision = router.decide([user("go there")], answers=lambda _model, _question: answer("one"))
    assert set(decision.modules) == {"core", "one", "two"}


# What is in the core for want of evidence


DRAFT = asking(
    replace(
        profile(
            module("safety", "Never lie.\n", always=True),
            replace(module("mail", "Send mail.\n", always=True), until_labelled=True),
            replace(module("files", "Keep files.\n", always=True), until_labelled=True),
        ),
        reviewed=True,
    )
)


def test_a_draft_is_chosen_from_by_the_model() -> None:
    """What no label has shown yet leaves the core where the model names it in neither list; the rest never does."""
    router = Router(with_model_choosing(DRAFT))
    assert router.section_ids == ("mail", "files")
    named = router.decide([user("report")], answers=lambda _model, _question: answer("files", "safety"))
    assert set(named.modules) == {"safety", "files"}
    assert set(router.decide([user("report")], answers=lambda _model, _question: None).modules) == {
        "safety",
        "mail",
        "files",
    }


def test_naming_a_model_takes_nothing_out_of_the_core_for_whom_it_does_not_answer() -> None:
    """A missing tool leaves out modules that aren't core; what is core for want of evidence waits for an answer."""
    office = profile(
        module("office", "You run an office.\n", always=True),
        replace(module("deleting", "Ask before you delete.\n", always=True, tools=["delete"]), until_labelled=True),
        module("mail", "Send mail.\n", tools=["send"]),
        module("songs", "Sing.\n", tools=["sing"]),
    )
    declared = frozenset({"send"})
    turns = [user("report")]
    as_before = Router(office).decide(turns, declared=declared)
    assert set(as_before.modules) == {"office", "deleting", "mail"}
    router = Router(with_model_choosing(asking(office)))
    assert set(router.decide(turns, declared=declared).modules) == set(as_before.modules)
    unanswered = router.decide(turns, declared=declared, answers=lambda _model, _question: None)
    assert set(unanswered.modules) == set(as_before.modules)
    answered = router.decide(turns, declared=declared, answers=lambda _model, _question: answer("mail"))
    assert set(answered.modules) == {"office", "mail"}


def test_without_a_routing_model_a_draft_keeps_its_core() -> None:
    plain = replace(DRAFT, routing_model=None)
    assert with_model_choosing(plain) is plain


# Through the walk


def test_a_request_leaves_with_what_the_model_named() -> None:
    harbour = asking(HARBOUR)
    pipeline = Pipeline([harbour], count_words, coverage_floor=0.6)
    data = {
        "model": "m",
        "messages": [{"role": "system", "content": harbour.text}, {"role": "user", "content": "Has she paid?"}],
    }
    opened = pipeline.open(data, CHAT)
    recognised = pipeline.recognise(opened)  # type: ignore[arg-type]
    wanted = pipeline.questions_wanted(recognised)  # type: ignore[arg-type]
    assert wanted is not None
    assert wanted.settings.model == "small"
    assert wanted.section_ids == ("berths", "tides", "fees", "letters")
    assert [*wanted.by_turn] == [0]
    outcome = pipeline.decide(
        recognised,  # type: ignore[arg-type]
        lambda: NO_MARKS,
        answers=lambda _model, _question: answer("fees"),
        questions=wanted,
    ).outcome
    assert isinstance(outcome, Rewritten)
    assert outcome.decision.selected[1:] == (
        Evidence("fees", "model", "needed"),
        Evidence("letters", "requires", "fees"),
    )


# Laws


@pytest.fixture(scope="module")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> Profile:
    return asking(embedded_profile(tmp_path_factory.mktemp("profiles"), "m", 1.0))


TEXTS = ["a berth on Monday", "the tide and an invoice", "yes, go on", "hi", "qwxz vbnk", "潮汐", ""]
TURNS = st.lists(
    st.one_of(
        st.builds(Turn, role=st.just("user"), text=st.sampled_from(TEXTS)),
        st.builds(
            Turn,
            role=st.just("assistant"),
            text=st.sampled_from(["", "Done."]),
            tool_calls=st.sampled_from([(), ("fee_quote",), ("tide_table",)]),
        ),
    ),
    max_size=7,
)
SEEDS = st.integers(0, 200)


def scattered(seed: int, *, ids: Sequence[str]) -> AnswerLookup:
    """Answers by content alone, for some of the questions."""

    def lookup(_model: str, question: RoutingQuestion) -> RoutingAnswer | None:
        drawn = random.Random(f"{seed} {question.conversation}")
        if drawn.random() < 0.3:
            return None
        named = [*ids, "no/such"]
        return RoutingAnswer(tuple(drawn.sample(named, drawn.randint(0, 2))), tuple(drawn.sample(named, 1)))

    return lookup


@pytest.mark.parametrize("is_fitted", [False, True], ids=["unfitted", "fitted"])
@given(turns=TURNS, seed=SEEDS)
@settings(max_examples=60, deadline=None)
def test_a_decision_is_a_function_of_turns_and_answers(
    fitted: Profile, is_fitted: bool, turns: list[Turn], seed: int
) -> None:
    """The same from a router that has seen other answers; and nothing that was there goes or moves."""
    of = fitted if is_fitted else asking(HARBOUR)
    worn = Router(of)
    answers = scattered(seed, ids=worn.section_ids)
    worn.decide(turns)
    worn.decide(turns, answers=scattered(seed + 1, ids=worn.section_ids))
    seen: RoutingDecision | None = None
    for end in range(1, len(turns) + 1):
        decision = worn.decide(turns[:end], answers=answers)
        assert decision == Router(of).decide(turns[:end], answers=answers)
        if seen is not None:
            assert set(seen.modules) <= set(decision.modules)
            assert decision.arrivals[: len(seen.arrivals)] == seen.arrivals
            assert _first(seen) == _first(decision)
        seen = decision if any(turn.role == "user" and turn.text for turn in turns[:end]) else None


def _first(decision: RoutingDecision) -> set[str]:
    return {each.module for each in decision.selected if not each.late}


@given(turns=TURNS, seed=SEEDS)
@settings(max_examples=60, deadline=None)
def test_an_answer_only_adds_to_what_state_requires(fitted: Profile, turns: list[Turn], seed: int) -> None:
    """The core, triggers, tool calls and what those require are there, whatever the model says."""
    for of in (asking(HARBOUR), fitted):
        router = Router(of)
        nothing = router.decide(turns, answers=lambda _model, _question: RoutingAnswer((), ()))
        drawn = random.Random(seed)
        some = RoutingAnswer(tuple(m.id for m in of.modules if drawn.random() < 0.4), ())
        something = router.decide(turns, answers=lambda _model, _question, some=some: some)  # type: ignore[misc]
        assert set(nothing.modules) <= set(something.modules)
        firm = {e.module for e in router.decide(turns).selected if e.kind in ("always", "trigger", "tool_call")}
        assert firm <= set(nothing.modules)


@given(turns=TURNS, seed=SEEDS)
@settings(max_examples=40, deadline=None)
def test_order_and_unknown_ids_change_nothing(turns: list[Turn], seed: int) -> None:
    router = Router(asking(HARBOUR))
    answers = scattered(seed, ids=router.section_ids)

    def otherwise(model: str, question: RoutingQuestion) -> RoutingAnswer | None:
        found = answers(model, question)
        return found and RoutingAnswer(("core", *found.needed[::-1], "what/ever"), found.perhaps[::-1])

    one, other = router.decide(turns, answers=answers), router.decide(turns, answers=otherwise)
    assert one.modules == other.modules
    assert one.arrivals == other.arrivals

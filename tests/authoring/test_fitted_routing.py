"""Routing with a fitted table: what it selects, when it sends everything, and that nothing makes it raise."""

from __future__ import annotations

import dataclasses
import random
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from litellm_prompt_router.authoring.fit import Fit, FitOptions, fit, label_doubts
from litellm_prompt_router.documents.errors import ConfigurationError
from litellm_prompt_router.files.fit_files import FIT_FILE, TABLE_FILE, digest_of, read_fitted
from litellm_prompt_router.files.labelled_messages import Case, Conversations, Numbered
from litellm_prompt_router.profile.profile import Profile
from litellm_prompt_router.request.route import Router, weigh
from litellm_prompt_router.request.types import Turn
from tests.made_profiles import module, profile
from tests.written_fit import write_fitted

TOPICS = {
    "ships": "ship berth quay harbour anchor mooring pilot tug draught bow",
    "tides": "tide ebb flood moon water level current gauge depth bar",
    "fees": "fee invoice price payment bill receipt amount discount euro account",
    "letters": "letter subject signature envelope stamp reply draft greeting mail paper",
    "crew": "crew sailor captain cook watch shift cabin passport wage mate",
}
FRAMES = (
    "please check the {} and the {} for me",
    "what about the {} of our {} today",
    "can you show me every {} with a {}",
    "I need the {} next to the {}",
    "the {} is wrong, look at its {} again",
)


def harbour() -> Profile:
    rooms = [module("core", "You run the office.\n", always=True, tools=["ask"])]
    for name, words in TOPICS.items():
        text = f"## {name}\n" + f"Rules about {words} and more of them. " * 4 + "\n"
        triggers = ["zeppelin"] if name == "crew" else []
        requires = ["letters"] if name == "fees" else []
        rooms.append(module(name, text, tools=[f"use_{name}"], triggers=triggers, requires=requires))
    made = profile(*rooms, name="harbour")
    chance = random.Random(3)
    with_examples = [
        dataclasses.replace(m, examples=tuple(message(chance, m.id) for _ in range(12))) if m.id in TOPICS else m
        for m in made.modules
    ]
    return dataclasses.replace(made, modules=tuple(with_examples))


def message(chance: random.Random, topic: str) -> str:
    return chance.choice(FRAMES).format(*chance.sample(TOPICS[topic].split(), 2))


def labelled(count: int, seed: int = 5) -> list[Numbered]:
    """Conversations of one or two messages; the tool of the first topic was called for the first."""
    chance = random.Random(seed)
    cases: list[Case] = []
    while len(cases) < count:
        one, other = chance.sample(sorted(TOPICS), 2)
        first = f"{message(chance, one)} {len(cases)}"
        cases.append(Case(text=first, needs=(one,)))
        if chance.random() < 0.5:
            cases.append(
                Case(text=message(chance, other), history=(first,), tool_calls=(f"use_{one}",), needs=(other,))
            )
    return list(enumerate(cases[:count], 1))


def silent(*_: object) -> None:
    pass


@cache
def fitted() -> Fit:
    return fit(harbour(), labelled(420), FitOptions(target=0.99), silent)


def user(text: str, *attachments: str) -> Turn:
    return Turn(role="user", text=text, attachments=attachments)


def extra(*turns: Turn) -> set[str]:
    return set(Router(fitted().profile).decide(turns).modules) - {"core"}


def reason(*turns: Turn) -> str | None:
    return Router(fitted().profile).decide(turns).fallback_reason


def test_words_select_what_they_speak_for() -> None:
    """With a promise, and far less than everything."""
    assert fitted().fitted.calibration.promise == "guaranteed"
    decision = Router(fitted().profile).decide([user("please check the tide and the gauge for me")])
    evidence = {e.module: e for e in decision.selected}
    assert evidence["tides"].kind == "score"
    assert float(evidence["tides"].detail or "") >= fitted().fitted.calibration.threshold
    assert decision.message_kind == "task"
    assert not decision.is_fallback
    assert len(decision.modules) < len(harbour().modules)


def test_requirements_come_with_scores() -> None:
    decision = Router(fitted().profile).decide([user("please check the invoice and the discount for me")])
    assert {"fees", "letters"} <= set(decision.modules)


def test_held_out_messages_are_covered() -> None:
    """Fresh messages of the same kind, by far fewer tokens than everything."""
    cases = labelled(400, seed=99)
    conversations = Conversations(case for _, case in cases)
    router, sample = Router(fitted().profile), fitted().profile
    missed = kept = 0
    for _, case in cases:
        modules = router.decide(conversations.turns_of(case)).modules
        missed += not set(case.needs) <= set(modules)
        kept += len(modules)
    assert missed <= 4
    assert kept / len(cases) / len(sample.modules) < 0.75


def test_later_turns_add_and_are_late() -> None:
    first, second = user("please check the tide and the gauge for me"), user("I need the sailor next to the passport")
    both = Router(fitted().profile).decide([first, second])
    assert extra(first) < extra(first, second)
    evidence = {e.module: e for e in both.selected}
    assert evidence["tides"].kind == "inherited"
    assert (evidence["crew"].kind, evidence["crew"].late) == ("score", True)
    assert [arrival.turn for arrival in both.arrivals] == [1]


@pytest.mark.parametrize(
    ("turns", "why"),
    [
        pytest.param((user("qwxz vbnk"),), "nothing known in the message", id="no word known"),
        pytest.param(
            (user("bitte prüfe sofort den Wasserstand am Pegel"),), "nothing known in the message", id="German"
        ),
        pytest.param((user("请检查今天的潮汐和水位"),), "nothing known in the message", id="Chinese"),
        pytest.param((user("ตรวจสอบระดับน้ำวันนี้"),), "nothing known in the message", id="Thai"),
        pytest.param((user("перевірте рівень води"),), "nothing known in the message", id="Ukrainian"),
        pytest.param((user("hi, 部署失败了，请检查"),), "nothing known in the message", id="greeting and Chinese"),
        pytest.param((user("", "image"),), "attachment without a matching trigger", id="attachment"),
        pytest.param((user("yes, go ahead"),), "nothing to follow up on", id="follow-up on nothing"),
        pytest.param((), "no user message", id="nothing"),
    ],
)
def test_everything_is_sent_where_the_promise_does_not_reach(turns: tuple[Turn, ...], why: str) -> None:
    assert reason(*turns) == why
    assert extra(*turns) == set(TOPICS)


@pytest.mark.parametrize("text", ["hi", "thank you so much!", "what is the capital of France?", "guten Morgen", "你好"])
def test_small_talk_gets_the_core_alone(text: str) -> None:
    assert extra(user(text)) == set()
    assert reason(user(text)) is None


@pytest.mark.parametrize(
    "text", ["hi, the deploy failed again", "thanks, now restart it", "hello, fix my kubernetes pod"]
)
def test_small_talk_never_swallows_a_task(text: str) -> None:
    """Something beyond the core is always there, be it everything."""
    assert extra(user(text))


def test_triggers_only_add() -> None:
    sample = fitted().profile
    silenced = dataclasses.replace(sample, modules=tuple(dataclasses.replace(m, triggers=()) for m in sample.modules))
    for text in ("please check the tide and the gauge for me zeppelin", "zeppelin", "the zeppelin next to the tug"):
        without = Router(silenced).decide([user(text)])
        assert extra(user(text)) >= ({"crew"} if without.is_fallback else {"crew", *without.modules} - {"core"})


def test_a_tool_call_brings_its_module_and_is_state() -> None:
    first = user("please check the tide and the gauge for me")
    assert "crew" in extra(first, Turn(role="assistant", text="", tool_calls=("use_crew",)))


def test_nearly_everything_becomes_everything() -> None:
    stored = fitted().fitted
    low = dataclasses.replace(stored.calibration, threshold=-1000.0)
    sample = dataclasses.replace(fitted().profile, fitted=dataclasses.replace(stored, calibration=low))
    decision = Router(sample).decide([user("please check the tide and the gauge for me")])
    assert decision.fallback_reason == "nearly everything was selected"
    assert set(decision.modules) == set(sample.order)


def test_without_a_promise_every_task_gets_everything() -> None:
    few = fit(harbour(), labelled(60), FitOptions(target=0.99), silent)
    assert few.fitted.calibration.promise == "none"
    decision = Router(few.profile).decide([user("please check the tide and the gauge for me")])
    assert decision.fallback_reason == "no calibrated threshold"
    assert set(decision.modules) == set(few.profile.order)


def test_weighing_agrees_with_deciding() -> None:
    """What calibration measures is what runs, short of the fallbacks that only add."""
    sample = fitted().profile
    router, threshold = Router(sample), fitted().fitted.calibration.threshold
    conversations = Conversations(case for _, case in labelled(120, seed=8))
    for _, case in labelled(120, seed=8):
        seen = weigh(router, sample, conversations.turns_of(case))
        weighed = {m.id for m, is_in in zip(sample.modules, seen.selected(threshold), strict=True) if is_in}
        assert weighed == set(seen.decision.modules) or (
            seen.decision.is_fallback and weighed <= set(seen.decision.modules)
        )


def test_same_input_same_fit() -> None:
    again = fit(harbour(), labelled(420), FitOptions(target=0.99), silent)
    assert again.fitted.calibration == fitted().fitted.calibration
    assert np.array_equal(again.fitted.table.token_scores, fitted().fitted.table.token_scores)


def test_every_message_teaches_and_calibrates() -> None:
    """Its own fold's router didn't learn from its conversation; a promise counts every message with a first need."""
    done, cases = fitted(), labelled(420)
    assert done.cases == tuple(cases)
    counted = int(done.by_words.counted.sum())
    assert done.fitted.calibration.messages == counted > 400
    own = [item for item in done.observed if not item.is_example]
    assert sorted(id(item.case) for item in own) == sorted(id(case) for _, case in done.cases)
    fold_of: dict[tuple[str, ...], set[int]] = {}
    for item in done.observed:
        fold_of.setdefault(done.conversations.name_of(item.case), set()).add(item.fold)
    assert all(len(folds) == 1 for folds in fold_of.values())


def test_a_lower_threshold_never_selects_less() -> None:
    selections = fitted().by_words
    thresholds = sorted({-np.inf, *selections.lowest.tolist(), np.inf})
    kept = [selections.kept(threshold) for threshold in thresholds]
    covered = [selections.coverage(threshold) or 0.0 for threshold in thresholds]
    assert kept == sorted(kept, reverse=True)
    assert covered == sorted(covered, reverse=True)
    assert (kept[0], covered[0]) == (1.0, 1.0)


def test_another_target_learns_nothing_anew() -> None:
    lower = fitted().at_target(FitOptions(target=0.9))
    anew = fit(harbour(), labelled(420), FitOptions(target=0.9), silent)
    assert lower.fitted.calibration == anew.fitted.calibration
    assert np.array_equal(lower.fitted.gate.offsets, anew.fitted.gate.offsets)
    assert lower.fitted.calibration.threshold >= fitted().fitted.calibration.threshold


UNKNOWN_FOLLOW_UPS = [
    "qwxz vbnk (ref 512)",
    "dawaj dalej 🙂",
    "haz eso, porfa",
    "好，就这样做吧",
    "हाँ, आगे बढ़ो",
    "jo, kör på 4711",
]


@pytest.mark.parametrize("text", UNKNOWN_FOLLOW_UPS)
def test_unknown_words_bring_nothing_into_a_running_conversation(text: str) -> None:
    first = user("please check the tide and the gauge for me")
    assert reason(first, user(text)) is None
    assert extra(first, user(text)) == extra(first)


@pytest.mark.parametrize("text", ["qwxz vbnk " * 12, "请检查今天的潮汐和水位" * 4])
def test_a_long_message_of_unknown_words_is_in_doubt(text: str) -> None:
    first = user("please check the tide and the gauge for me")
    assert reason(first, user(text)) == "nothing known in the message"


# Labels


def test_a_wrong_label_is_found() -> None:
    cases = labelled(200)
    line, wrong = cases[20]
    other = next(topic for topic in TOPICS if topic not in wrong.needs and topic not in ("fees", "letters"))
    cases[20] = (line, wrong.model_copy(update={"needs": (*wrong.needs, other)}))
    done = fit(harbour(), cases, FitOptions(), silent)
    found = label_doubts(harbour(), done)
    assert (line, other) in {(doubt.line, doubt.module) for doubt in found if doubt.kind == "needless"}


def test_conflicting_labels_are_found() -> None:
    cases = labelled(120)
    clash = cases[0][1].model_copy(update={"needs": ("tides", "crew")})
    cases.append((121, clash))
    done = fit(harbour(), cases, FitOptions(), silent)
    conflicts = [d for d in label_doubts(harbour(), done) if d.kind == "conflict"]
    assert {(doubt.line, doubt.other_line) for doubt in conflicts} == {(121, 1)}


# Files


def test_stored_and_read_again(tmp_path: Path) -> None:
    sample, stored = harbour(), fitted().fitted
    write_fitted(tmp_path, stored, sample.modules)
    before = (tmp_path / TABLE_FILE).read_bytes()
    read = read_fitted(tmp_path, "profiles/harbour", sample.modules)
    assert read is not None
    assert read.calibration == stored.calibration
    assert read.table.tokens == stored.table.tokens
    write_fitted(tmp_path, read, sample.modules)
    assert (tmp_path / TABLE_FILE).read_bytes() == before
    router, original = Router(dataclasses.replace(sample, fitted=read)), Router(fitted().profile)
    for _, case in labelled(60, seed=31):
        assert router.decide([user(case.text)]) == original.decide([user(case.text)])


AGAIN = "run `prompt-router fit` again, or delete router.json to route by triggers alone"


def test_a_stale_or_damaged_fit_is_a_configuration_problem(tmp_path: Path) -> None:
    """The proxy must not start with a promise that is void."""
    sample = harbour()
    assert read_fitted(tmp_path, "w", sample.modules) is None
    write_fitted(tmp_path, fitted().fitted, sample.modules)
    changed = [dataclasses.replace(m, parts=("Other text.",)) if m.id == "crew" else m for m in sample.modules]
    assert digest_of(changed) != digest_of(sample.modules)
    problems = {}
    with pytest.raises(ConfigurationError) as stale:
        read_fitted(tmp_path, "w", changed)
    problems["stale"] = stale.value.problems
    (tmp_path / TABLE_FILE).write_bytes(b"PK")
    with pytest.raises(ConfigurationError) as other:
        read_fitted(tmp_path, "w", sample.modules)
    problems["other table"] = other.value.problems
    (tmp_path / FIT_FILE).write_text('{"format": 1}')
    with pytest.raises(ConfigurationError) as format:
        read_fitted(tmp_path, "w", sample.modules)
    assert problems == {
        "stale": (f"w/router.json: made for other module texts, triggers or tools than the profile's; {AGAIN}",),
        "other table": (f"w/router.npz: not the table that router.json was made with; {AGAIN}",),
    }
    assert all(line.startswith("w/router.json: ") and line.endswith(AGAIN) for line in format.value.problems)


def test_examples_and_titles_are_free_to_change() -> None:
    sample = harbour()
    assert digest_of([dataclasses.replace(m, examples=(), title="x") for m in sample.modules]) == digest_of(
        sample.modules
    )


# Never raises

SCRIPTS = [
    "tide ",
    "größe ",
    "данные ",
    "数据",
    "データ",
    "ข้อมูล",
    "데이터 ",
    "مرحبا ",
    "שלום ",
    "नमस्ते ",
    "😀",
    "\u202e",
    "\x00",
    "\ud800",
]
TEXTS = st.one_of(
    st.text(max_size=300),
    st.lists(st.sampled_from(SCRIPTS), max_size=80).map("".join),
    st.builds(lambda unit, times: unit * times, st.sampled_from(SCRIPTS), st.integers(0, 20_000)),
    st.integers(1, 100_000).map(lambda count: " ".join(f"w{number}" for number in range(count))),
)
TURNS = st.lists(
    st.builds(
        Turn,
        role=st.sampled_from(["user", "user", "assistant", "tool"]),
        text=TEXTS,
        attachments=st.sampled_from([(), (), ("image",)]),
        tool_calls=st.sampled_from([(), ("use_tides",), ("unknown",)]),
    ),
    min_size=1,
    max_size=4,
)


@given(turns=TURNS)
@settings(max_examples=40, deadline=None)
def test_any_conversation_gets_a_decision_that_grows(turns: list[Turn]) -> None:
    """Whatever the text: a decision, the core in it, never smaller than before, the same when asked again."""
    router = Router(fitted().profile)
    seen: set[str] = set()
    for end in range(1, len(turns) + 1):
        decision = router.decide(turns[:end])
        assert "core" in decision.modules
        if any(turn.role == "user" for turn in turns[: end - 1]):
            assert seen <= set(decision.modules)
        seen = set(decision.modules)
        assert Router(fitted().profile).decide(turns[:end]) == decision


@pytest.mark.parametrize(
    "unit", ["tide gauge ", "x", "数据", "\x00", "w\u0301"], ids=["words", "one", "Han", "control", "marks"]
)
def test_a_megabyte_is_read_in_part(unit: str) -> None:
    text = unit * (1_000_000 // len(unit))
    assert Router(fitted().profile).decide([user(text)]).query_chars == len(text)

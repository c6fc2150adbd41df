"""Which needs are met by the second call of a task, whatever order the agent calls its tools in."""

from __future__ import annotations

import dataclasses
import random
from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from litellm_prompt_router.authoring.evaluate import compare
from litellm_prompt_router.authoring.fit import Fit, FitOptions, fit, target_table
from litellm_prompt_router.authoring.second_call import SecondCalls, Served, served
from litellm_prompt_router.files.labelled_messages import Case, Conversations, Numbered
from litellm_prompt_router.profile.fitted import Flags, Promise
from litellm_prompt_router.profile.profile import Profile
from litellm_prompt_router.request.route import Router
from tests.authoring.test_agent_training import heard
from tests.authoring.test_fitted_routing import TOPICS, harbour, labelled, silent

SERVED = FitOptions(target=0.9, at_most="served")


def flags(*ids: str) -> Flags:
    found: Flags = np.zeros(len(harbour().modules), dtype=np.bool_)
    found[[harbour().order[id] for id in ids]] = True
    return found


def ids_of(found: Flags) -> set[str]:
    return {harbour().modules[number].id for number in np.flatnonzero(found)}


FIRST = Case(text="a", needs=("tides", "crew"))
LATER = Case(text="c", history=("a",), tool_calls=("use_crew",), needs=("crew", "letters"))
KNOWN = {
    "traffic tells": ([FIRST.model_copy(update={"first_calls": ("use_crew", "ask")})], [("use_crew", "ask")]),
    "traffic tells of no call": ([FIRST.model_copy(update={"first_calls": ()})], []),
    "the next message tells": (
        [FIRST, Case(text="b", history=("a",), tool_calls=("use_crew", "other"), needs=())],
        [("use_crew",), ("other",)],
    ),
    "nothing tells, so its own needs do": ([FIRST], [("use_tides",), ("use_crew",)]),
    "a tool in use may be called again": (
        [LATER, Case(text="d", history=("a", "c"), tool_calls=("use_crew", "use_letters"), needs=())],
        [("use_letters",), ("use_crew",)],
    ),
}


@pytest.mark.parametrize(("cases", "expected"), KNOWN.values(), ids=KNOWN.keys())
def test_what_the_agent_may_have_called_first(cases: list[Case], expected: list[tuple[str, ...]]) -> None:
    assert [*SecondCalls(Conversations(cases), harbour()).first_calls(cases[0])] == expected


@pytest.mark.parametrize(
    ("missing", "brought", "expected"),
    [
        ((), (), Served(for_certain=True, at_best=True)),
        (("tides",), (("tides",),), Served(for_certain=True, at_best=True)),
        (("tides",), (), Served(for_certain=False, at_best=False)),
        (("tides",), (("tides",), ("crew",)), Served(for_certain=False, at_best=True)),
        (("tides", "crew"), (("tides",), ("crew",)), Served(for_certain=False, at_best=False)),
        (("tides", "crew"), (("tides", "crew"),), Served(for_certain=True, at_best=True)),
    ],
    ids=["none missing", "its tool", "no call", "another may come first", "two of them", "two called at once"],
)
def test_a_need_is_served_by_the_first_tool(
    missing: tuple[str, ...], brought: tuple[tuple[str, ...], ...], expected: Served
) -> None:
    needed = flags("letters", *missing)
    assert served(needed, flags("letters"), tuple(flags(*each) for each in brought)) == expected


def test_a_tool_brings_what_its_module_requires() -> None:
    case = Case(text="a", needs=("fees",))
    conversations = Conversations([case])
    second = SecondCalls(conversations, harbour())
    (found,) = second.brought(case, conversations.turns_of(case), Router(harbour()).decide)
    assert ids_of(found) == {"fees", "letters"}


def test_what_the_agent_says_with_its_first_call_counts() -> None:
    """Where a fit has learned from its words; in the second answer they come too late."""
    profile = fitted_to_words()
    other = "use_letters"
    spoken, late, silent_one = (
        Case(text="please check the tide and the gauge for me", said=said, first_calls=(other,), needs=("crew",))
        for said in (("I need the captain next to the mate",), ("{}", "I need the captain next to the mate"), ())
    )
    for case, expected in ((spoken, True), (late, False), (silent_one, False)):
        conversations = Conversations([case])
        second = SecondCalls(conversations, profile)
        (found,) = second.brought(case, conversations.turns_of(case), Router(profile).decide)
        assert ("crew" in ids_of(found)) is expected


def fitted_to_words() -> Profile:
    found = heard(said=True).fitted
    strict = dataclasses.replace(found.calibration, threshold=0.0)
    return replace(harbour(), fitted=dataclasses.replace(found, calibration=strict))


def doubtful(count: int, seed: int = 5) -> list[Numbered]:
    """Labelled messages many of which need something else than they speak of, some of them that as well."""
    chance = random.Random(seed)
    made = []
    for line, case in labelled(count, seed):
        hidden = chance.choice(sorted(TOPICS.keys() - {"fees"}))
        needs = (hidden,) if line % 5 else (*case.needs, hidden)
        made.append((line, case.model_copy(update={"needs": needs}) if line % 3 == 0 else case))
    return made


@cache
def promised(at_most: Promise) -> Fit:
    return fit(harbour(), doubtful(300), replace(SERVED, at_most=at_most), silent)


@pytest.mark.full
def test_the_promise_is_of_the_second_call_and_the_first_stands_beside() -> None:
    calibration = promised("served").fitted.calibration
    assert calibration.promise == "served"
    assert calibration.unserved is not None
    assert calibration.unserved_at_best is not None
    assert calibration.unserved_at_best <= calibration.unserved <= calibration.misses
    assert calibration.unserved <= 0.1 * (calibration.messages + 1) - 1
    first = promised("expected").fitted.calibration
    assert first.unserved is not None
    assert first.misses <= 0.1 * (first.messages + 1) - 1
    assert calibration.misses > first.misses
    assert calibration.threshold > first.threshold == calibration.expected_threshold


def test_of_the_thresholds_that_serve_enough_the_cheapest_is_taken() -> None:
    done = promised("served")
    selections, taken = done.by_words, done.fitted.calibration.threshold
    enough = selections.served(taken)
    assert enough is not None
    for value in np.unique(selections.lowest[np.isfinite(selections.lowest)]):
        reached = selections.served(value)
        if reached is not None and reached[0] >= enough[0] and value <= taken:
            assert selections.cost(taken) <= selections.cost(value) + 0.01  # not every value is tried


def test_each_target_says_both_figures() -> None:
    """What is served is never less than what is there in the first call, and less in the order that helps least."""
    rows = target_table({"words": promised("expected").by_words}, replace(SERVED, at_most="expected"))
    for row in rows:
        found = row.reached["words"]
        assert found.coverage is not None
        assert found.served is not None
        assert found.served_at_best is not None
        assert found.coverage <= found.served <= found.served_at_best


def test_evaluating_tells_what_is_served() -> None:
    """By the router as it is, and by the others."""
    found = compare(promised("served").profile, doubtful(120, seed=7))
    standings = {each.router: each for each in found.standings}
    assert standings["all modules"].served_coverage == standings["oracle"].served_coverage == 1
    own = standings["lexical"]
    assert own.first_need_coverage is not None
    assert own.served_coverage is not None
    assert own.served_at_best is not None
    assert own.first_need_coverage < own.served_coverage <= own.served_at_best

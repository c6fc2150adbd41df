"""A topic in several pieces of the prompt is fitted, labelled and routed as one module of all their text is."""

from __future__ import annotations

import dataclasses
import json
from functools import cache

import pytest

from litellm_prompt_router.authoring.evaluate.compare import compare
from litellm_prompt_router.authoring.fit import Fit, FitOptions, columns_of, fit
from litellm_prompt_router.authoring.fit.gate_training import tokens_of_topics
from litellm_prompt_router.authoring.fit.traffic_labels import cases_of
from litellm_prompt_router.files.labelled_messages import Numbered, parse_cases
from litellm_prompt_router.profile.profile import Module, Profile
from litellm_prompt_router.request.cost_gate import with_modules
from litellm_prompt_router.request.route import Router
from litellm_prompt_router.request.types import Turn
from tests.authoring.test_fitted_routing import harbour, labelled, silent

PIECES = ("tides", "crew")


@cache
def in_pieces() -> Profile:
    """The harbour office, two of whose topics stand in three places; the tool belongs to the last."""
    modules: list[Module] = []
    rest: list[Module] = []
    for module in harbour().modules:
        if module.id not in PIECES:
            modules.append(module)
            continue
        (text,) = (part for part in module.parts if isinstance(part, str))
        ids = [module.id, f"{module.id}/2", f"{module.id}/3"]
        cuts = [text[: len(text) // 3], text[len(text) // 3 : len(text) // 2], text[len(text) // 2 :]]
        first, *others = (
            dataclasses.replace(
                module,
                id=id,
                parts=(cut,),
                tokens=len(cut.split()),
                requires=tuple(other for other in ids if other != id),
                triggers=module.triggers if number == 0 else (),
                examples=module.examples if number == 0 else (),
                tools=module.tools if number == 2 else (),
            )
            for number, (id, cut) in enumerate(zip(ids, cuts, strict=True))
        )
        modules.append(first)
        rest += others
    every = (*modules, *rest)
    return dataclasses.replace(harbour(), modules=every, order={module.id: n for n, module in enumerate(every)})


@cache
def both() -> tuple[Fit, Fit]:
    """Fitted in pieces, and in one."""
    cases = labelled(420)
    return fit(in_pieces(), cases, FitOptions(), silent), fit(harbour(), cases, FitOptions(), silent)


def parsed(*needs: str) -> tuple[str, ...]:
    return parse_cases(json.dumps({"text": "hm", "needs": needs}), "labels", in_pieces())[0][1].needs


def test_one_column_and_the_tokens_of_all_pieces() -> None:
    profile = in_pieces()
    columns = columns_of(profile)
    assert [profile.modules[n].id for n in columns] == [m.id for m in harbour().modules if not m.always]
    assert tokens_of_topics(profile).sum() == sum(module.tokens for module in profile.modules)
    assert tokens_of_topics(profile)[profile.order["tides/2"]] == 0


def test_labels_may_name_any_piece() -> None:
    assert parsed("tides/3", "ships", "tides", "crew/2") == ("tides", "ships", "crew")


def test_calls_of_any_pieces_tool_label_the_topic() -> None:
    turns = [Turn("user", "hm"), Turn("assistant", "I'll look", tool_calls=("use_tides",), arguments=("{}",))]
    (case,) = cases_of(turns, in_pieces())
    assert (case.needs, case.said) == (("tides",), ("I'll look\n{}",))


@pytest.mark.full
def test_it_routes_as_one_module_does() -> None:
    """The same selections at the same thresholds, on messages that neither fit saw."""
    pieces, one = both()
    assert pieces.fitted.calibration.promise == one.fitted.calibration.promise == "guaranteed"
    held_out: list[Numbered] = labelled(200, seed=99)
    found, wanted = (compare(done.profile, held_out) for done in (pieces, one))
    of = {standing.router: standing for standing in found.standings}["lexical"]
    as_ = {standing.router: standing for standing in wanted.standings}["lexical"]
    assert of.coverage == pytest.approx(as_.coverage, abs=0.01)
    assert of.kept_tokens == pytest.approx(as_.kept_tokens, abs=0.03)


@pytest.mark.full
def test_the_first_piece_has_the_score_and_the_others_come_with_it() -> None:
    profile = both()[0].profile
    decision = Router(profile).decide([Turn("user", "please check the tide and the gauge for me")])
    kinds = {item.module: (item.kind, item.detail) for item in decision.selected if item.module.startswith("tides")}
    assert kinds.pop("tides")[0] == "score"
    assert kinds == {"tides/2": ("requires", "tides"), "tides/3": ("requires", "tides")}


def test_a_tool_call_of_a_late_piece_brings_all() -> None:
    """And what the cost gate adds or leaves is counted with all of them."""
    profile = both()[0].profile
    turns = [Turn("user", "hello"), Turn("assistant", "", tool_calls=("use_crew",)), Turn("tool", "ok")]
    decision = Router(profile).decide(turns)
    kinds = {item.module: item.kind for item in decision.selected}
    assert (kinds["crew/3"], kinds["crew"], kinds["crew/2"]) == ("tool_call", "requires", "requires")
    assert [arrival.turn for arrival in decision.arrivals] == [2]
    everything = with_modules(decision, profile, frozenset(range(len(profile.modules))))
    assert len(everything.modules) == len(profile.modules)

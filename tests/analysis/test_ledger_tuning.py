"""Tuning from a ledger finds what tuning on the traffic itself finds, and says what it lacks."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from litellm_prompt_router.analysis.simulate import Workload, arrivals
from litellm_prompt_router.analysis.simulate.layouts import modules_of
from litellm_prompt_router.analysis.simulate.ledger_tuning import LedgerTuning, tune_from_ledger
from litellm_prompt_router.analysis.simulate.model_terms import ModelTerms
from litellm_prompt_router.analysis.simulate.synthetic import SyntheticTrial, halves
from litellm_prompt_router.analysis.simulate.tune import FULL, tune
from litellm_prompt_router.analysis.simulate.workload import SyntheticCall
from litellm_prompt_router.cache_model import MarkedPrefixes
from litellm_prompt_router.profile.profile import Economics, Module, Profile
from tests.analysis.ledger_traffic import line_of, user
from tests.analysis.test_replay import PRICES
from tests.analysis.test_tune import TARGET
from tests.made_profiles import module, profile

NAME = "anthropic/claude-sonnet-4-5"
TERMS = ModelTerms(model=NAME, prices=PRICES, target=TARGET, rules=MarkedPrefixes())
SPARSE = Workload(conversations_per_hour=20, conversations=80, turns=2, calls_per_turn=3, growth=0.3)


CALIBRATED: Any = SimpleNamespace(calibration=SimpleNamespace(promise="average"), later_chances=None)
"""As far as the cost gate looks."""


def terms_of(name: str) -> ModelTerms | None:
    return replace(TERMS, model=name) if name.startswith("anthropic/") else None


def sized(of: Module, tokens: int) -> Module:
    return replace(of, tokens=tokens)


def profile_of(workload: Workload) -> Profile:
    """The workload's modules as a profile's."""
    parts = [sized(module(f"m{n}", f"{n} "), tokens) for n, tokens in enumerate(workload.module_tokens())]
    made = profile(*parts, sized(module("core", "core", always=True), workload.core_tokens))
    return replace(made, routing="r1", router="f1", fitted=CALIBRATED)


def ledger_of(workload: Workload, calls: Sequence[SyntheticCall], of: Profile, **more: Any) -> list[Mapping[str, Any]]:
    """The records that these calls would have left, in no order."""
    lines: list[Mapping[str, Any]] = []
    sent: dict[int, tuple[int, int, int]] = {}
    for number, call in enumerate(calls):
        first, seen, tokens = sent.get(call.conversation, (call.selection, call.selection, 0))
        seen, tokens = seen | call.selection, tokens + sum(call.added)
        sent[call.conversation] = first, seen, tokens
        lines.append(
            line_of(
                [user("the same words")],
                of,
                at=call.at_seconds,
                number=number,
                key=f"key {call.key}",
                wanted=[f"m{n}" for n in modules_of(first)],
                late=[f"m{n}" for n in modules_of(seen & ~first)],
                history_state=f"{call.conversation}-{call.number}",
                previous_history_states=[f"{call.conversation}-{call.number - 1}"] if call.number else [],
                recent_state=None,
                history_tokens=tokens,
                is_new_message=call.opens_turn,
                original_tokens=workload.prompt_tokens,
                tools_tokens=workload.tools_tokens,
                tools_state="t",
                output_tokens=call.added[0] if call.number else 0,
                **more,
            )
        )
    random.Random(1).shuffle(lines)
    return lines


def tuned(workload: Workload, **more: Any) -> LedgerTuning:
    of = profile_of(workload)
    return tune_from_ledger(ledger_of(workload, arrivals(workload), of, **more), of, terms_of)


@pytest.mark.parametrize(
    "workload",
    [
        pytest.param(SPARSE, id="sparse, fine"),
        pytest.param(replace(SPARSE, keys=3, tools_tokens=4_000), id="three keys, tools"),
        pytest.param(
            Workload(
                conversations_per_hour=1_000,
                conversations=200,
                turns=1,
                calls_per_turn=2,
                modules=6,
                core_share=0.58,
                fallback=0,
            ),
            id="dense, coarse",
        ),
        pytest.param(Workload(conversations_per_hour=30, conversations=80, turns=8, calls_per_turn=1), id="talk"),
    ],
)
def test_the_ledger_tunes_as_the_traffic_does(workload: Workload) -> None:
    """The same ways with the same figures: nothing that costs money is missing in the ledger.

    Not of the untuned rule, which knows more from a ledger.
    """
    found = tuned(workload).tuning
    first, second = (
        SyntheticTrial(workload=workload, calls=half, rules=MarkedPrefixes(), prices=PRICES, target=TARGET)
        for half in halves(arrivals(workload))
    )
    wanted = tune(first, second)
    assert found is not None
    assert found.choice == wanted.choice
    assert replace(found.economics, use=None) == wanted.economics
    for ours, theirs in zip(found.candidates[:-1], wanted.candidates[:-1], strict=True):
        assert ours.economics == theirs.economics
        assert ours.versus_full_cached == pytest.approx(theirs.versus_full_cached, abs=0.005)
    assert found.versus_full_cached == pytest.approx(wanted.versus_full_cached, abs=0.005)


def test_what_is_put_in_force() -> None:
    """It holds for these prices and as long as modules are selected so; beside it stands how the profile is used."""
    found = tuned(SPARSE)
    assert found.tuning is not None
    assert (found.why_not, found.conversations, found.calls) == (None, 80, len(arrivals(SPARSE)))
    economics, section = found.economics, found.section
    assert economics is not None
    assert section is not None
    assert economics.bundles == found.tuning.economics.bundles
    assert (economics.profile_version, economics.router, economics.routing) == ("1", "f1", "r1")
    assert (economics.read_share, economics.write_share, economics.conversations) == (0.1, 1.25, 80)
    assert economics.use == found.use
    assert section["choice"] == found.tuning.choice
    assert section["use"]["calls_per_message"] == pytest.approx(3, rel=0.3)
    assert section["tuned_on"]["model"] == NAME


def test_use_is_what_was_seen() -> None:
    """Of conversations that begin without a module, the share that needed it later; of few, nothing."""
    calls = arrivals(SPARSE)
    found = tuned(SPARSE).use
    assert found is not None
    assert found.later_chances is not None
    first: dict[int, int] = {}
    seen: dict[int, int] = {}
    for call in calls:
        first.setdefault(call.conversation, call.selection)
        seen[call.conversation] = seen.get(call.conversation, 0) | call.selection
    without = [n for n, bits in first.items() if not bits & 1]
    later = sum(bool(seen[n] & 1) for n in without)
    assert found.later_chances["m0"] == pytest.approx(later / len(without), abs=1e-4)
    assert "core" not in found.later_chances
    messages = sum(call.opens_turn for call in calls)
    assert found.calls_per_message == pytest.approx(len(calls) / messages, abs=0.01)
    few = tuned(replace(SPARSE, conversations=10)).use
    assert few is not None
    assert few.later_chances is None


def test_too_few_conversations_tell_of_use_alone() -> None:
    """The untuned rule goes by it."""
    found = tuned(replace(SPARSE, conversations=39))
    assert found.tuning is None
    assert found.why_not == "tuning takes 40 conversations of profile 'sample'; there are 39"
    assert found.economics == Economics(is_tuned=False, use=found.use)
    assert found.section is not None
    assert found.section["choice"] == "untuned"


def test_an_earlier_tuning_is_not_replaced_by_less() -> None:
    workload = replace(SPARSE, conversations=10)
    of = replace(profile_of(workload), economics=FULL)
    found = tune_from_ledger(ledger_of(workload, arrivals(workload), of), of, terms_of)
    assert (found.economics, found.section) == (None, None)


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        pytest.param({"history_state": None}, "80 written by an earlier version or without accounting", id="old"),
        pytest.param({"profile_router": "f0"}, "80 routed by another version, fit or set of modules", id="another fit"),
        pytest.param({"profile_version": "0"}, "80 routed by another version, fit or set of modules", id="version"),
        pytest.param({"wanted_modules": None}, "80 not routed", id="held out"),
        pytest.param({"status": "failure"}, "80 failed", id="failed"),
        pytest.param({"started_seconds": None}, "80 damaged", id="no time"),
        pytest.param({"previous_history_states": 7}, "80 damaged", id="no list"),
        pytest.param({"previous_history_states": [[]]}, "80 damaged", id="a list of lists"),
        pytest.param({"history_tokens": "many"}, "80 damaged", id="tokens in words"),
        pytest.param({"original_tokens": -1}, "80 damaged", id="fewer than no tokens"),
        pytest.param({"tools_tokens": float("inf")}, "80 damaged", id="endless tokens"),
        pytest.param({"model": ["claude"]}, "80 damaged", id="a list for a name"),
        pytest.param({"conversation": {}}, "80 damaged", id="an object for an id"),
    ],
)
def test_what_can_not_be_used_is_said(more: Mapping[str, Any], reason: str) -> None:
    workload = replace(SPARSE, turns=1, calls_per_turn=1)
    of = profile_of(workload)
    records = [{**line, **more} for line in ledger_of(workload, arrivals(workload), of)]
    found = tune_from_ledger(records, of, terms_of)
    assert (
        found.why_not == f"tuning takes 40 conversations of profile 'sample'; there are none in 80 records ({reason})"
    )
    assert (found.tuning, found.economics, found.section, found.use) == (None, None, None, None)


def test_the_most_frequent_model_is_accounted_for() -> None:
    """Or the one that is named; of one without prices it is said."""
    of = profile_of(SPARSE)
    records = ledger_of(SPARSE, arrivals(SPARSE), of)
    mixed = [{**line, "model": "other", "provider": "nobody"} if n % 3 == 0 else line for n, line in enumerate(records)]
    found = tune_from_ledger(mixed, of, terms_of)
    assert list(found.models) == [NAME, "nobody/other"]
    assert sum(found.models.values()) == found.calls
    assert found.terms is not None
    assert found.terms.model == NAME
    unknown = tune_from_ledger(mixed, of, terms_of, model="nobody/other")
    assert unknown.why_not == "nothing is known of the prices of 'nobody/other'"
    assert unknown.use == found.use


def test_records_in_two_files_count_once() -> None:
    of = profile_of(SPARSE)
    records = ledger_of(SPARSE, arrivals(SPARSE), of)
    once, twice = (tune_from_ledger(each, of, terms_of) for each in (records, [*records, *records[:50]]))
    assert replace(twice, tally=once.tally) == once


def test_what_varies_in_the_prompt_is_not_shared() -> None:
    """With a value of its own for every conversation the full prompt is always cold, and the core isn't."""
    workload = replace(SPARSE, conversations_per_hour=600)
    of = profile_of(workload)
    alike = ledger_of(workload, arrivals(workload), of)
    varying = [
        {**line, "varying_state": line["history_state"].partition("-")[0], "varying_chars": 40, "varying_at_chars": 4,
         "original_chars": line["original_chars"] + 40, "original_tokens": line["original_tokens"] + 10}
        for line in alike
    ]  # fmt: skip
    cheaper, far_cheaper = (tune_from_ledger(each, of, terms_of).tuning for each in (alike, varying))
    assert cheaper is not None
    assert far_cheaper is not None
    assert far_cheaper.candidates[0].versus_full_cached < cheaper.candidates[0].versus_full_cached - 0.1


def test_answers_from_the_response_cache_cost_nothing() -> None:
    of = profile_of(SPARSE)
    records = ledger_of(SPARSE, arrivals(SPARSE), of)
    some = [{**line, "response_cached": n % 4 == 0} for n, line in enumerate(records)]
    assert tune_from_ledger(some, of, terms_of).calls == sum(not line["response_cached"] for line in some)

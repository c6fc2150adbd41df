"""Tuning: what it tries, when it is content, and that it never ends up dearer than the full prompt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from litellm_prompt_router.analysis.simulate import Workload, arrivals
from litellm_prompt_router.analysis.simulate.bundles import COUNTS, Demand, bundlings
from litellm_prompt_router.analysis.simulate.synthetic import SyntheticTrial, halves
from litellm_prompt_router.analysis.simulate.tune import FULL, UNTUNED, WITHOUT, Tuning, tune
from litellm_prompt_router.cache_model import MarkedPrefixes
from litellm_prompt_router.profile.profile import Economics, ObservedUse
from litellm_prompt_router.request.types import Target
from tests.analysis.test_replay import PRICES

TARGET = Target(
    takes_marks=True,
    min_cache_tokens=1_024,
    input_usd_per_token=None,
    cache_read_share=float(PRICES.cache_read_usd_per_mtok / PRICES.input_usd_per_mtok),
    cache_write_share=float(PRICES.cache_write_5m_usd_per_mtok / PRICES.input_usd_per_mtok),
)
COARSE: dict[str, Any] = {"modules": 6, "core_share": 0.58}


def tuned(workload: Workload) -> Tuning:
    first, second = (
        SyntheticTrial(workload=workload, calls=half, rules=MarkedPrefixes(), prices=PRICES, target=TARGET)
        for half in halves(arrivals(workload))
    )
    return tune(first, second)


@pytest.mark.parametrize(
    ("workload", "choices"),
    [
        pytest.param(Workload(conversations_per_hour=2, conversations=80), {"exact"}, id="sparse, fine"),
        pytest.param(
            Workload(conversations_per_hour=1_000, conversations=400, turns=1, calls_per_turn=1, **COARSE),
            {"bundles"},
            id="dense, coarse, single calls",
        ),
        pytest.param(
            Workload(conversations_per_hour=30, conversations=120, turns=10, calls_per_turn=1, **COARSE),
            {"full"},
            id="talk about everything",
        ),
        pytest.param(Workload(conversations=80, turns=2, core_share=1.0, modules=1), {"full"}, id="nothing to drop"),
    ],
)
def test_the_choice_fits_the_traffic(workload: Workload, choices: set[str]) -> None:
    tuning = tuned(workload)
    assert tuning.choice in choices
    assert tuning.usd <= tuning.full_cached_usd
    assert (tuning.economics == FULL) == (tuning.choice == "full")
    assert tuning == tuned(workload)


@settings(max_examples=6, deadline=None)
@given(
    st.builds(
        Workload,
        conversations=st.just(40),
        conversations_per_hour=st.sampled_from([1.0, 30.0, 1_000.0, 10_000.0]),
        turns=st.sampled_from([1.0, 3.0]),
        calls_per_turn=st.sampled_from([1.0, 3.0]),
        modules=st.sampled_from([1, 6, 20]),
        core_share=st.sampled_from([0.2, 0.6]),
        prompt_tokens=st.sampled_from([2_000, 26_000]),
        seed=st.integers(0, 9),
    )
)
def test_never_dearer(workload: Workload) -> None:
    """On the half that had no say."""
    tuning = tuned(workload)
    assert tuning.usd <= tuning.full_cached_usd


@dataclass(frozen=True, kw_only=True, slots=True)
class Stated:
    """A trial whose bills are known."""

    full: Sequence[int]
    ours: Sequence[int]

    def demand(self) -> Demand:
        return Demand(
            selections=[frozenset({0})],
            tokens=(10, 20),
            calls_per_conversation=3.0,
            conversations_per_second=1.0,
            warm_seconds=300.0,
            read_share=0.1,
            write_share=1.25,
        )

    def full_cached_usd(self) -> Sequence[Decimal]:
        return [Decimal(usd) for usd in self.full]

    def usd(self, economics: Economics) -> Sequence[Decimal]:
        return [Decimal(usd) for usd in (self.ours if economics.rewrites else self.full)]


SAVES = Stated(full=[100] * 30, ours=[80] * 30)


@pytest.mark.parametrize(
    ("first", "second", "choice"),
    [
        pytest.param(SAVES, SAVES, "exact", id="both halves save"),
        pytest.param(SAVES, Stated(full=[100] * 30, ours=[101] * 30), "full", id="the second half costs more"),
        pytest.param(SAVES, Stated(full=[100] * 30, ours=[100] * 30), "exact", id="the second half costs the same"),
        pytest.param(Stated(full=[1000] * 30, ours=[991] * 30), SAVES, "full", id="less than a hundredth"),
        pytest.param(Stated(full=[100] * 30, ours=[10, 190] * 14 + [10, 10]), SAVES, "full", id="perhaps by chance"),
    ],
)
def test_when_it_is_content(first: Stated, second: Stated, choice: str) -> None:
    tuning = tune(first, second)
    assert tuning.choice == choice
    assert tuning.full_cached_usd == sum(second.full_cached_usd())
    assert tuning.candidates[0].versus_full_cached == pytest.approx(sum(first.ours) / sum(first.full) - 1)


@given(
    st.lists(st.frozensets(st.integers(0, 7)), min_size=1, max_size=60),
    st.sampled_from([0.0001, 0.1, 10.0]),
)
def test_bundles_hold_what_was_selected(selections: list[frozenset[int]], rate: float) -> None:
    """Fewer and fewer sets; each selection that isn't everything has one that holds it, as long as all took part."""
    demand = replace(
        SAVES.demand(), selections=selections, tokens=(5, 10, 20, 40, 80, 160, 320, 640), conversations_per_second=rate
    )
    every = frozenset(range(8))
    candidates = list(bundlings(demand))
    counts = [len(bundles) for bundles in candidates]
    assert counts == sorted(counts, reverse=True)
    assert all(count <= COUNTS[0] for count in counts)
    for bundles in candidates:
        for selected in selections:
            assert selected == every or any(bundle >= selected for bundle in bundles)
    assert candidates == list(bundlings(replace(demand, selections=selections[::-1])))


@dataclass(frozen=True, kw_only=True, slots=True)
class ByWay(Stated):
    """Bundles have a bill of their own."""

    bundled: Sequence[int]

    def usd(self, economics: Economics) -> Sequence[Decimal]:
        if economics.bundles:
            return [Decimal(usd) for usd in self.bundled]
        return [Decimal(usd) for usd in (self.full if economics.bundles == () else self.ours)]


@pytest.mark.parametrize(
    ("bundled_later", "choice"),
    [
        pytest.param(85, "exact", id="made of selections that didn't come again"),
        pytest.param(75, "bundles", id="good for later ones, too"),
    ],
)
def test_bundles_have_to_hold_for_conversations_that_they_were_not_made_of(bundled_later: int, choice: str) -> None:
    first = ByWay(full=[100] * 30, ours=[80] * 30, bundled=[70] * 30)
    second = ByWay(full=[100] * 30, ours=[80] * 30, bundled=[bundled_later] * 30)
    tuning = tune(first, second)
    assert tuning.choice == choice
    assert tuning.usd == 30 * min(80, bundled_later)


@dataclass(frozen=True, kw_only=True, slots=True)
class WithoutTuning(Stated):
    """What the untuned rule costs is known, too."""

    untuned: Sequence[int]

    def usd(self, economics: Economics) -> Sequence[Decimal]:
        if not economics.is_tuned:
            return [Decimal(usd) for usd in self.untuned]
        return [Decimal(usd) for usd in (self.ours if economics.rewrites else self.full)]


def test_what_holds_without_a_tuning_is_shown_and_never_chosen() -> None:
    use = ObservedUse(calls_per_message=4.0)
    trial = WithoutTuning(full=[100] * 30, ours=[80] * 30, untuned=[70] * 30)
    tuning = tune(trial, trial, use)
    assert (tuning.choice, tuning.economics) == ("exact", Economics())
    shown = tuning.candidates[-1]
    assert (shown.name, shown.economics) == (WITHOUT, replace(UNTUNED, use=use))
    assert shown.versus_full_cached == pytest.approx(-0.3)

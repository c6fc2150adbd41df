"""Intervals cover what they say, on made conversations with heavy tails."""

from __future__ import annotations

import numpy as np
import pytest

from litellm_prompt_router.analysis.report.control_group import CostSample, Stratum, compare, interval_of_sum

RUNS = 100
LEAST_COVERED = 90
KEYS = (("reports", "claude", 0.3, 0.35), ("support", "claude", 0.05, 0.2), ("support", "gpt", 0.02, -0.1))
"""Key, model, median cost of a conversation and the true share that rewriting saves."""


def drawn(seed: int, conversations: int = 6_000, holdout: float = 0.06) -> tuple[list[Stratum], float]:
    """``(strata, true saving of the treated)``: log-normal costs per call.

    Each conversation has both costs, and shows the one of its arm.
    """
    rng = np.random.default_rng(seed)
    strata, truth = [], 0.0
    for key, model, median, share in KEYS:
        count = conversations // len(KEYS)
        calls = 1 + rng.geometric(0.15, count).astype(np.float64)
        full = median / 7 * calls * rng.lognormal(0, 1.1, count)
        routed = full * (1 - share) * rng.lognormal(0, 0.2, count) / np.exp(0.02)
        is_held = rng.random(count) < holdout
        truth += float((full - routed)[~is_held].sum())
        strata.append(
            Stratum(
                key=key,
                model=model,
                treatment=CostSample(cost=routed[~is_held], size=calls[~is_held]),
                holdout=CostSample(cost=full[is_held], size=calls[is_held]),
            )
        )
    return strata, truth


@pytest.mark.parametrize(
    "by_call",
    [
        pytest.param(False, id="per conversation", marks=pytest.mark.full),
        pytest.param(True, id="per call", marks=pytest.mark.full),
    ],
)
def test_the_interval_covers_the_true_saving(by_call: bool) -> None:
    """In at least 90 of 100 seeded runs, and not by being endless: it tells savings from none in most of them."""
    covered = told = 0
    for seed in range(RUNS):
        strata, truth = drawn(seed)
        saving = compare(strata, by_call=by_call)
        assert saving is not None
        covered += saving.interval.low <= truth <= saving.interval.high
        told += saving.interval.low > 0
    assert covered >= LEAST_COVERED
    assert told > RUNS // 2


def test_a_loss_is_a_negative_saving() -> None:
    rng = np.random.default_rng(1)
    cost = rng.lognormal(0, 0.5, 4_000)
    ones = np.ones(4_000)
    stratum = Stratum(
        key="k",
        model="m",
        treatment=CostSample(cost=cost * 1.3, size=ones),
        holdout=CostSample(cost=cost[:500], size=ones[:500]),
    )
    saving = compare([stratum], by_call=False)
    assert saving is not None
    assert saving.interval.high < 0
    assert saving.share is not None
    assert saving.share < 0


def test_a_different_mix_is_no_saving() -> None:
    """The holdout has mostly the dear key, the treatment the cheap one: raw means differ, strata don't."""
    rng = np.random.default_rng(2)

    def sample(count: int, scale: float) -> CostSample:
        return CostSample(cost=scale * rng.lognormal(0, 0.3, count), size=np.ones(count))

    strata = [
        Stratum(key="cheap", model="m", treatment=sample(5_000, 1), holdout=sample(100, 1)),
        Stratum(key="dear", model="m", treatment=sample(200, 50), holdout=sample(900, 50)),
    ]
    saving = compare(strata, by_call=False)
    assert saving is not None
    assert saving.interval.low < 0 < saving.interval.high


def test_the_sum_of_few_or_many_has_an_interval() -> None:
    """Grouping many units changes how it is computed and not what comes out; a handful of values has none."""
    assert interval_of_sum(np.full(9, 1.0)) is None
    rng = np.random.default_rng(3)
    values = rng.normal(1, 2, 50_000)
    found = interval_of_sum(values)
    assert found is not None
    half = 1.96 * 2 * np.sqrt(50_000)
    assert (found.high - found.low) / 2 == pytest.approx(half, rel=0.1)
    assert found.low < values.sum() < found.high


@pytest.mark.parametrize(
    "values",
    [
        pytest.param([0.0] * 9 + [1.0], id="one of ten"),
        pytest.param([0.01] * 30 + [2.0], id="one of many"),
        pytest.param([0.1 + 0.2] * 12 + [0.3, 5.0], id="alike but for rounding"),
    ],
)
def test_a_sum_that_hangs_on_one_value_has_no_interval(values: list[float]) -> None:
    """Nothing can be said of it: what was computed from resamples without that value reached into the millions."""
    assert interval_of_sum(np.array(values)) is None

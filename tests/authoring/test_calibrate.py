"""Thresholds and their promises: exact counts, and the coverage that they stand for."""

from __future__ import annotations

import random
from math import inf

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from litellm_prompt_router.authoring.fit.calibrate import calibrated, misses_expected, misses_guaranteed
from litellm_prompt_router.authoring.share_intervals import binomial_cdf, share_interval
from litellm_prompt_router.profile.fitted import Calibration


@pytest.mark.parametrize(
    ("messages", "expected", "guaranteed"),
    [(98, -1, -1), (99, 0, -1), (198, 0, -1), (199, 1, -1), (229, 1, -1), (230, 1, 0), (387, 2, 0), (388, 2, 1)],
)
def test_how_many_misses_99_percent_allows(messages: int, expected: int, guaranteed: int) -> None:
    """99 messages for the promise in expectation, 230 for 90% confidence."""
    assert misses_expected(messages, 0.99) == expected
    assert misses_guaranteed(messages, 0.99, 0.9) == guaranteed


def made(values: list[float], **changes: object) -> Calibration:
    options = {"target": 0.99, "confidence": 0.9, "over": "first_needs", "conversations": len(values), **changes}
    return calibrated(values, **options)  # type: ignore[arg-type]


def test_the_threshold_is_the_lowest_value_that_may_not_be_missed() -> None:
    values = [float(number) for number in range(400)]
    result = made(values)
    assert (result.promise, result.threshold, result.misses) == ("guaranteed", 1.0, 1)
    assert result.expected_threshold == 3.0
    weaker = made(values, at_most="expected")
    assert (weaker.promise, weaker.threshold, weaker.misses) == ("expected", 3.0, 3)


def test_what_no_threshold_covers_leaves_no_promise() -> None:
    """Messages whose needs nothing selects can't be bought by a lower threshold."""
    assert made([-inf] * 10 + [1.0] * 290).promise == "none"
    assert made([-inf] * 2 + [1.0] * 298).promise == "expected"
    assert made([1.0] * 98).threshold == -inf


@given(st.lists(st.floats(-10, 10), min_size=230, max_size=300))
@settings(deadline=None, max_examples=30)
def test_a_promise_misses_no_more_than_it_may(values: list[float]) -> None:
    result = made(values)
    assert result.promise == "guaranteed"
    assert result.misses <= misses_guaranteed(len(values), 0.99, 0.9)
    assert result.guaranteed_threshold <= result.expected_threshold


def test_the_guarantee_holds_in_nine_of_ten_draws() -> None:
    """Values uniform in 0..1, so that a threshold misses exactly its own share."""
    chance = random.Random(1)
    held = expected = 0.0
    for _ in range(1000):
        result = made([chance.random() for _ in range(300)])
        held += result.guaranteed_threshold <= 0.01
        expected += result.expected_threshold
    assert held >= 900
    assert expected / 1000 <= 0.0105


@pytest.mark.parametrize(
    ("hits", "trials", "low", "high"),
    [
        (0, 10, 0.0, 0.3085),
        (10, 10, 0.6915, 1.0),
        (5, 10, 0.1871, 0.8129),
        (198, 200, 0.9643, 0.9988),
        (0, 0, 0.0, 1.0),
    ],
)
def test_clopper_pearson(hits: int, trials: int, low: float, high: float) -> None:
    """Against published values."""
    assert share_interval(hits, trials) == pytest.approx((low, high), abs=1e-4)


def test_binomial_sums() -> None:
    assert binomial_cdf(0, 230, 0.01) == pytest.approx(0.99**230)
    assert binomial_cdf(3, 3, 0.5) == 1
    assert binomial_cdf(1, 2, 0.5) == pytest.approx(0.75)

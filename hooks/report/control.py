"""Means of samples with confidence intervals, and the comparison of the control group's two arms. Pure.

Costs of conversations have heavy tails, and the control group is small: intervals are studentised bootstraps
(bootstrap-t; Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, section 12.5), which for skewed data
cover better than percentiles of resampled means.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 1_000
CONFIDENCE = 0.95
MAX_UNITS = 1_024
"""More are first put at random into so many groups of like size: their sums vary as the units' do."""
DRAWS_AT_ONCE = 4_000_000
MIN_CONVERSATIONS = 200
"""In each arm; below, no figure is shown."""
MIN_STRATUM = 10
"""Conversations of each arm that a key and model must have to be compared."""
SEED = 20_261_101
Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, slots=True)
class Interval:
    """A 95% confidence interval."""

    low: float
    high: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Sample:
    """``cost`` of units of like kind, and their ``size``: 1 for each conversation, or its calls."""

    cost: Floats
    size: Floats

    @property
    def rate(self) -> float:
        return float(self.cost.sum() / self.size.sum())


@dataclass(frozen=True, kw_only=True, slots=True)
class Stratum:
    """Conversations of one key and model in both arms."""

    key: str
    model: str
    treatment: Sample
    holdout: Sample


@dataclass(frozen=True, kw_only=True, slots=True)
class Saving:
    """What the treated conversations would have cost at the holdout's rates, less what they did cost."""

    saved_usd: float
    interval: Interval
    treated_usd: float

    @property
    def share(self) -> float | None:
        """Of what they would have cost."""
        would = self.treated_usd + self.saved_usd
        return self.saved_usd / would if would > 0 else None


def interval_of_sum(values: Floats, seed: int = SEED) -> Interval | None:
    """How far the sum of such values varies from one draw of as many to another. None for fewer than two."""
    if len(values) < 2:
        return None
    rng = np.random.default_rng(seed)
    ones = np.ones_like(values)
    drawn = _resampled(Sample(cost=values, size=ones), rng)
    units = len(values)
    return _studentised(
        float(values.sum()), units * drawn.deviation, units**2 * drawn.drawn_variance, units**2 * drawn.variance
    )


def compare(strata: Sequence[Stratum], *, by_call: bool, seed: int = SEED) -> Saving | None:
    """The saving over all strata, each weighed with its treated conversations (or calls). None without strata."""
    if not strata:
        return None
    rng = np.random.default_rng(seed)
    saved = treated = variance = 0.0
    deviation: Floats = np.zeros(RESAMPLES)
    drawn_variance: Floats = np.zeros(RESAMPLES)
    for stratum in strata:
        arms = [stratum.holdout, stratum.treatment]
        if not by_call:
            arms = [Sample(cost=arm.cost, size=np.ones_like(arm.cost)) for arm in arms]
        weight = float(arms[1].size.sum())
        saved += weight * (arms[0].rate - arms[1].rate)
        treated += float(arms[1].cost.sum())
        for sign, arm in zip((1, -1), arms, strict=True):
            drawn = _resampled(arm, rng)
            deviation += sign * weight * drawn.deviation
            drawn_variance += weight**2 * drawn.drawn_variance
            variance += weight**2 * drawn.variance
    interval = _studentised(saved, deviation, drawn_variance, variance)
    return Saving(saved_usd=saved, interval=interval, treated_usd=treated)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Drawn:
    """Of a sample's rate: its variance, and the deviation and variance of each resample's."""

    variance: float
    deviation: Floats
    drawn_variance: Floats


def _resampled(sample: Sample, rng: np.random.Generator) -> _Drawn:
    cost, size = _grouped(sample.cost, sample.size, rng)
    units = len(cost)
    rate = cost.sum() / size.sum()
    variance = _variance_of_rate(cost[None, :], size[None, :])[0]
    deviations, variances = [], []
    at_once = max(1, DRAWS_AT_ONCE // units)
    for start in range(0, RESAMPLES, at_once):
        draw = rng.integers(0, units, size=(min(at_once, RESAMPLES - start), units), dtype=np.int32)
        costs, sizes = cost[draw], size[draw]
        deviations.append(costs.sum(axis=1) / sizes.sum(axis=1) - rate)
        variances.append(_variance_of_rate(costs, sizes))
    return _Drawn(
        variance=float(variance), deviation=np.concatenate(deviations), drawn_variance=np.concatenate(variances)
    )


def _grouped(cost: Floats, size: Floats, rng: np.random.Generator) -> tuple[Floats, Floats]:
    if len(cost) <= MAX_UNITS:
        return cost, size
    group = rng.permutation(len(cost)) % MAX_UNITS
    return np.bincount(group, cost, MAX_UNITS), np.bincount(group, size, MAX_UNITS)


def _variance_of_rate(costs: Floats, sizes: Floats) -> Floats:
    """Of a ratio of sums, by linearisation; a row is a sample."""
    units = costs.shape[1]
    total = sizes.sum(axis=1)
    residual = costs - (costs.sum(axis=1) / total)[:, None] * sizes
    variance: Floats = (residual**2).sum(axis=1) * units / max(1, units - 1) / total**2
    return variance


def _studentised(estimate: float, deviation: Floats, drawn_variance: Floats, variance: float) -> Interval:
    error = float(np.sqrt(variance))
    is_usable = drawn_variance > 0
    if error == 0 or not is_usable.any():
        return Interval(low=estimate, high=estimate)
    pivots = deviation[is_usable] / np.sqrt(drawn_variance[is_usable])
    below, above = np.quantile(pivots, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return Interval(low=estimate - float(above) * error, high=estimate - float(below) * error)

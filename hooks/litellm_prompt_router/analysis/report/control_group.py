"""Means of samples with confidence intervals, and the comparison of the control group's two arms. Pure.

Costs of conversations have heavy tails, and the control group is small: intervals are studentised bootstraps
(bootstrap-t; Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, section 12.5), which for skewed data
cover better than percentiles of resampled means.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 1_000
CONFIDENCE = 0.95
MAX_UNITS = 1_024
"""More are first put at random into so many groups of like size: their sums vary as the units' do."""
DRAWS_AT_ONCE = 1_000_000
MIN_CONVERSATIONS = 200
"""In each arm; below, no figure is shown."""
MIN_STRATUM = 10
"""Conversations of each arm that a key and model must have to be compared."""
MIN_UNITS = 10
"""Conversations that an interval needs: resamples of fewer are too often alike."""
NO_VARIANCE = 1e-9
"""Of the sample's: no more than rounding may leave where all that was drawn is alike."""
SEED = 20_261_101
Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, slots=True)
class Interval:
    """A 95% confidence interval."""

    low: float
    high: float


@dataclass(frozen=True, kw_only=True, slots=True)
class CostSample:
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
    treatment: CostSample
    holdout: CostSample


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
    """How far the sum of such values varies from one draw of as many to another.

    None for fewer than MIN_UNITS, and where a few values make up the spread: resamples without them tell nothing.
    """
    if len(values) < MIN_UNITS:
        return None
    rng = np.random.default_rng(seed)
    ones = np.ones_like(values)
    (drawn,) = _resampled([CostSample(cost=values, size=ones)], rng)
    units = len(values)
    if drawn.variance > 0 and np.mean(~_varies(drawn.drawn_variance, drawn.variance)) > (1 - CONFIDENCE) / 2:
        return None
    return _studentised(
        float(values.sum()), units * drawn.deviation, units**2 * drawn.drawn_variance, units**2 * drawn.variance
    )


def compare(strata: Sequence[Stratum], *, by_call: bool, seed: int = SEED) -> Saving | None:
    """The saving over all strata, each weighed with its treated conversations (or calls). None without strata."""
    return compare_both(strata, seed=seed)[by_call]


def compare_both(strata: Sequence[Stratum], *, seed: int = SEED) -> tuple[Saving | None, Saving | None]:
    """``(per conversation, per call)``, from the same resamples."""
    if not strata:
        return None, None
    rng = np.random.default_rng(seed)
    ways = (_Compared(), _Compared())
    for stratum in strata:
        arms = [_both_sizes(arm) for arm in (stratum.holdout, stratum.treatment)]
        for way, holdout, treatment in zip(ways, *arms, strict=True):
            way.weight = float(treatment.size.sum())
            way.saved += way.weight * (holdout.rate - treatment.rate)
            way.treated += float(treatment.cost.sum())
        for sign, arm in zip((1, -1), arms, strict=True):
            for way, drawn in zip(ways, _resampled(arm, rng), strict=True):
                way.deviation += sign * way.weight * drawn.deviation
                way.drawn_variance += way.weight**2 * drawn.drawn_variance
                way.variance += way.weight**2 * drawn.variance
    per_conversation, per_call = (way.saving() for way in ways)
    return per_conversation, per_call


def _both_sizes(arm: CostSample) -> tuple[CostSample, CostSample]:
    """Each conversation as one, and by its calls."""
    return CostSample(cost=arm.cost, size=np.ones_like(arm.cost)), arm


@dataclass(kw_only=True, slots=True)
class _Compared:
    """What the strata so far add up to."""

    weight: float = 0.0
    saved: float = 0.0
    treated: float = 0.0
    variance: float = 0.0
    deviation: Floats = field(default_factory=lambda: np.zeros(RESAMPLES))
    drawn_variance: Floats = field(default_factory=lambda: np.zeros(RESAMPLES))

    def saving(self) -> Saving:
        interval = _studentised(self.saved, self.deviation, self.drawn_variance, self.variance)
        return Saving(saved_usd=self.saved, interval=interval, treated_usd=self.treated)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Drawn:
    """Of a sample's rate: its variance, and the deviation and variance of each resample's."""

    variance: float
    deviation: Floats
    drawn_variance: Floats


def _resampled(samples: Sequence[CostSample], rng: np.random.Generator) -> list[_Drawn]:
    """For each of ``samples``, which are of the same units and measure their size each in its way."""
    units = len(samples[0].cost)
    group = rng.permutation(units) % MAX_UNITS if units > MAX_UNITS else None
    products = [_products(*_grouped(sample, group)) for sample in samples]
    units = len(products[0])
    rows = max(1, DRAWS_AT_ONCE // units)
    parts: list[list[Floats]] = [[] for _ in samples]
    for start in range(0, RESAMPLES, rows):
        times = _times_drawn(units, min(rows, RESAMPLES - start), rng)
        for part, of_sample in zip(parts, products, strict=True):
            part.append(times @ of_sample)
    return [_drawn(part, of_sample) for part, of_sample in zip(parts, products, strict=True)]


def _products(cost: Floats, size: Floats) -> Floats:
    centred = cost - cost.sum() / size.sum() * size  # so that a resample's rate is its deviation
    found: Floats = np.stack([centred, size, centred**2, centred * size, size**2], axis=1)
    return found


def _drawn(sums: Sequence[Floats], products: Floats) -> _Drawn:
    deviation, drawn_variance = _rate_of(np.concatenate(sums), len(products))
    _, variance = _rate_of(products.sum(axis=0)[None, :], len(products))
    return _Drawn(variance=float(variance[0]), deviation=deviation, drawn_variance=drawn_variance)


def _times_drawn(units: int, resamples: int, rng: np.random.Generator) -> Floats:
    """A row for each resample: how often each unit was drawn, with replacement."""
    drawn = rng.integers(0, units, size=(resamples, units))
    drawn += units * np.arange(resamples)[:, None]
    times = np.bincount(drawn.ravel(), minlength=resamples * units).reshape(resamples, units)
    return times.astype(np.float64)


def _rate_of(sums: Floats, units: int) -> tuple[Floats, Floats]:
    """Of the sums' ratio: its value, and its variance by linearisation."""
    cost, size, cost_squared, cross, size_squared = sums.T
    rate = cost / size
    residuals = np.maximum(cost_squared - 2 * rate * cross + rate**2 * size_squared, 0.0)
    return rate, residuals * units / max(1, units - 1) / size**2


def _grouped(sample: CostSample, group: NDArray[np.int64] | None) -> tuple[Floats, Floats]:
    """``(cost, size)`` of each unit, or of each group of units."""
    if group is None:
        return sample.cost, sample.size
    costs: Floats = np.bincount(group, sample.cost, MAX_UNITS).astype(np.float64)
    sizes: Floats = np.bincount(group, sample.size, MAX_UNITS).astype(np.float64)
    return costs, sizes


def _varies(drawn_variance: Floats, variance: float) -> NDArray[np.bool_]:
    """True for resamples whose variance is more than what rounding leaves of none."""
    return drawn_variance > NO_VARIANCE * variance


def _studentised(estimate: float, deviation: Floats, drawn_variance: Floats, variance: float) -> Interval:
    error = float(np.sqrt(variance))
    is_usable = _varies(drawn_variance, variance)
    if error == 0 or not is_usable.any():
        return Interval(low=estimate, high=estimate)
    pivots = deviation[is_usable] / np.sqrt(drawn_variance[is_usable])
    below, above = np.quantile(pivots, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return Interval(low=estimate - float(above) * error, high=estimate - float(below) * error)

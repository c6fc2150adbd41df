"""Exact binomial arithmetic: the distribution of misses, and confidence intervals of shares."""

from __future__ import annotations

from collections.abc import Callable
from math import exp, lgamma, log, log1p


def binomial_cdf(most: int, trials: int, chance: float) -> float:
    """P(Binomial(trials, chance) <= most), for a chance strictly between 0 and 1."""
    if most >= trials:
        return 1.0
    terms = (
        lgamma(trials + 1) - lgamma(k + 1) - lgamma(trials - k + 1) + k * log(chance) + (trials - k) * log1p(-chance)
        for k in range(most + 1)
    )
    return min(1.0, sum(exp(term) for term in terms))


def share_interval(hits: int, trials: int, confidence: float = 0.95) -> tuple[float, float]:
    """The two-sided Clopper-Pearson interval of a share."""
    if trials == 0:
        return 0.0, 1.0
    tail = (1 - confidence) / 2
    low = 0.0 if hits == 0 else _largest(lambda p: 1 - binomial_cdf(hits - 1, trials, p) <= tail)
    high = 1.0 if hits == trials else _largest(lambda p: binomial_cdf(hits, trials, p) > tail)
    return low, high


def _largest(holds: Callable[[float], bool]) -> float:
    """The largest chance for which something holds that holds for small ones."""
    low, high = 1e-12, 1 - 1e-12
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if holds(middle) else (low, middle)
    return low

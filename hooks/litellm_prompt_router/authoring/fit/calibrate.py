"""Thresholds with a promise: conformal risk control, and a binomial bound where there are messages enough.

Each calibration message has a value: the threshold up to which all its needs are selected. A threshold misses
the messages with lower values. For misses of at most a share ``a`` of messages like these,

- in expectation: (misses + 1) / (n + 1) <= a (Angelopoulos et al., arXiv 2208.02814);
- with confidence ``c``: P(Binomial(n, a) <= misses) <= 1 - c (a quantile's distribution-free bound; learn-then-test,
  arXiv 2110.01052).

Both hold for messages drawn like the calibration messages, and for messages that had no part in the fit.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from math import floor, inf

from litellm_prompt_router.authoring.share_intervals import binomial_cdf
from litellm_prompt_router.profile.fitted import Calibration, CoverageOver, Promise

ROUNDING = 1e-9


def calibrated(
    values: Sequence[float],
    *,
    target: float,
    confidence: float,
    over: CoverageOver,
    conversations: int,
    at_most: Promise = "guaranteed",
) -> Calibration:
    """The threshold for the strongest promise that so many messages allow, ``at_most`` that one."""
    ordered = sorted(values)
    expected = _threshold(ordered, misses_expected(len(ordered), target))
    guaranteed = _threshold(ordered, misses_guaranteed(len(ordered), target, confidence))
    promise: Promise = "none"
    threshold = -inf
    if at_most != "none" and expected > -inf:
        promise, threshold = "expected", expected
    if at_most == "guaranteed" and guaranteed > -inf:
        promise, threshold = "guaranteed", guaranteed
    return Calibration(
        promise=promise,
        target_coverage=target,
        over=over,
        threshold=threshold,
        confidence=confidence,
        messages=len(ordered),
        misses=sum(value < threshold for value in ordered),
        conversations=conversations,
        expected_threshold=expected,
        guaranteed_threshold=guaranteed,
    )


def misses_expected(messages: int, target: float) -> int:
    """How many messages may be missed when coverage is to hold in expectation; -1: there are too few messages."""
    return floor((1 - target) * (messages + 1) + ROUNDING) - 1


def misses_guaranteed(messages: int, target: float, confidence: float) -> int:
    """How many may be missed when coverage is to hold with that confidence; -1: there are too few messages."""
    misses = -1
    while misses < messages and binomial_cdf(misses + 1, messages, 1 - target) <= 1 - confidence:
        misses += 1
    return misses


def least_expected(target: float) -> int:
    """The fewest calibration messages with which coverage can hold in expectation."""
    return next(messages for messages in count(1) if misses_expected(messages, target) >= 0)


def least_guaranteed(target: float, confidence: float) -> int:
    """The fewest calibration messages with which coverage can hold with that confidence."""
    return next(messages for messages in count(1) if misses_guaranteed(messages, target, confidence) >= 0)


def _threshold(ordered: Sequence[float], misses: int) -> float:
    return -inf if misses < 0 or misses >= len(ordered) else ordered[misses]

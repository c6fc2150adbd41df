"""A fit's promise in words."""

from __future__ import annotations

from litellm_prompt_router.authoring.fit.calibrate import least_expected, least_guaranteed
from litellm_prompt_router.cli.output import percent
from litellm_prompt_router.profile.fitted import Calibration

COUNTED = {"first_needs": "messages with a first need", "messages": "messages"}


def promise_of(calibration: Calibration) -> str:
    """The promise in words."""
    target, over = percent(calibration.target_coverage), COUNTED[calibration.over]
    if calibration.promise == "guaranteed":
        return f"guaranteed at {calibration.confidence:.0%} confidence: coverage of at least {target} of {over}"
    if calibration.promise == "expected":
        return f"expected: coverage of {target} of {over} on average; no guarantee for this one fit"
    if calibration.promise == "served":
        return f"served: {target} of {over} have all they need by the second call of their task, on average"
    expected = least_expected(calibration.target_coverage)
    if calibration.messages >= expected:
        few = f"too many of {calibration.messages:,} calibration {over} can't be covered"
        return f"none: {few}; every module is sent"
    guaranteed = least_guaranteed(calibration.target_coverage, calibration.confidence)
    takes = f"an expected promise takes {expected:,}, a guaranteed one {guaranteed:,}"
    return f"none: {calibration.messages:,} calibration {over}; {takes}; every module is sent until then"

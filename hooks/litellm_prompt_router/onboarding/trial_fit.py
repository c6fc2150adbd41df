"""Labels that captured tool use gives, and what a fit from them would do. Nothing is stored."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from litellm_prompt_router.authoring.fit import FitOptions, Inferred, fit_freeing, freed_modules, infer_cases
from litellm_prompt_router.authoring.fit.calibrate import least_expected, least_guaranteed
from litellm_prompt_router.authoring.fit.fitting import Advance
from litellm_prompt_router.documents.errors import ConfigurationError
from litellm_prompt_router.files.traffic import RecordedCall
from litellm_prompt_router.onboarding.findings import LabelCounts, TrialFit
from litellm_prompt_router.onboarding.left_out import left_out_of
from litellm_prompt_router.onboarding.replayed_costs import Tariff, costs_under
from litellm_prompt_router.profile.profile import Profile

_OPTIONS = FitOptions()
FOR_EXPECTED = least_expected(_OPTIONS.target)
FOR_GUARANTEED = least_guaranteed(_OPTIONS.target, _OPTIONS.confidence)
"""Messages with a first need that `fit`'s usual promise takes at least: 95% of them."""
TO_LABEL = max(40, FOR_EXPECTED)
"""Labelled messages to begin with: each teaches and calibrates, and some need nothing new."""
MAX_CASES = 2_000
"""More would take minutes; `fit` itself takes all."""


def labels_of(text: str, where: str, profile: Profile) -> tuple[LabelCounts, Inferred | None]:
    """What captured tool use says of the messages in ``text``, which is traffic."""
    try:
        inferred = infer_cases(text, where, profile)
    except ConfigurationError as error:
        return _counts(0, 0, 0, problem=error.problems[0].removeprefix(f"{where}: ")), None
    needing = sum(bool(case.needs) for _, case in inferred.cases)
    return _counts(len(inferred.cases), needing, calibrating_of(needing)), inferred


def calibrating_of(needing: int) -> int:
    """Of so many messages that need a module, how many `fit` would set the threshold by."""
    return needing


def _counts(messages: int, needing: int, calibrating: int, problem: str | None = None) -> LabelCounts:
    return LabelCounts(
        messages=messages,
        needing=needing,
        calibrating=calibrating,
        for_expected=FOR_EXPECTED,
        for_guaranteed=FOR_GUARANTEED,
        problem=problem,
    )


def is_enough(labels: LabelCounts, profile: Profile) -> bool:
    """True when a fit, of which there is none, could promise something and there is something to leave out."""
    may_go = any(module.until_labelled or not module.always for module in profile.modules)
    return profile.fitted is None and labels.calibrating >= labels.for_expected and may_go


def try_fit(
    calls: Sequence[RecordedCall],
    profile: Profile,
    inferred: Inferred,
    tariff: Tariff,
    advance: Advance,
    watch: Callable[[Sequence[RecordedCall]], Iterable[RecordedCall]],
) -> TrialFit | None:
    """None where a fit isn't possible: its libraries are missing, or the messages don't do."""
    cases = inferred.cases[:MAX_CASES]
    options = FitOptions(unseen_modules=inferred.untraceable)
    try:
        done = fit_freeing(profile, freed_modules(profile, cases), cases, options, advance).fit
    except ConfigurationError:
        return None
    fitted = replace(done.profile, reviewed=True, economics=None)  # a fit ends every tuning
    return TrialFit(
        promise=done.fitted.calibration.promise,
        usd=costs_under(calls, fitted, tariff, watch),
        left_out=left_out_of(calls, fitted, tariff, watch),
    )

"""Fits a profile with the modules that its labels take out of the core, where the fit then promises something.

A module that left the core is missed where the router doesn't know better. So without a promise none leaves it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from litellm_prompt_router.authoring.fit.calibrate import least_expected, least_guaranteed
from litellm_prompt_router.authoring.fit.fitting import Advance, Fit, columns_of, fit
from litellm_prompt_router.authoring.fit.freed_modules import MIN_MESSAGES, FreedModule, with_freed
from litellm_prompt_router.authoring.fit.gate_training import FitOptions
from litellm_prompt_router.authoring.fit.vector_training import Embedded
from litellm_prompt_router.documents.errors import ConfigurationError
from litellm_prompt_router.files.labelled_messages import Numbered
from litellm_prompt_router.profile.profile import Profile


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class FreeingFit:
    """``fit``: of ``profile``. ``freed``: what left its core for it; ``kept``: what would have with a promise.

    Without ``is_storable`` the fit is of modules that stay in the core, so that there is nothing to keep of it.
    """

    fit: Fit
    profile: Profile
    freed: tuple[FreedModule, ...]
    kept: tuple[FreedModule, ...]
    is_storable: bool


def fit_freeing(
    profile: Profile,
    freed: Sequence[FreedModule],
    cases: Sequence[Numbered],
    options: FitOptions,
    advance: Advance,
    embedded: Embedded | None = None,
) -> FreeingFit:
    """The profile fitted without these modules in its core; with them, where that promises nothing.

    ``embedded``: of all that the profile without them needs vectors of. Raises ConfigurationError where every module is
    in the core and stays there.
    """
    tried = with_freed(profile, freed)
    if not columns_of(tried) and any(module.until_labelled for module in profile.modules):
        raise ConfigurationError([f"{profile.name}: {_nothing_freed(len(cases), options)}"])
    done = fit(tried, cases, options, advance, embedded)
    if not freed or done.fitted.calibration.promise != "none":
        return FreeingFit(fit=done, profile=tried, freed=tuple(freed), kept=(), is_storable=True)
    if not columns_of(profile):
        return FreeingFit(fit=done, profile=tried, freed=(), kept=tuple(freed), is_storable=False)
    done = fit(profile, cases, options, advance, embedded)
    return FreeingFit(fit=done, profile=profile, freed=(), kept=tuple(freed), is_storable=True)


def _nothing_freed(messages: int, options: FitOptions) -> str:
    labelled = f"{messages} labelled {'message takes' if messages == 1 else 'messages take'}"
    return (
        f"every module is in the core, and {labelled} none out of it, so that there is nothing to route; a module "
        f"leaves it where at least {MIN_MESSAGES} messages need it, {MIN_MESSAGES} don't, and there are enough for a "
        f"promise: {least_expected(options.target)} for an expected one, "
        f"{least_guaranteed(options.target, options.confidence)} for a guaranteed one. Every module is sent until then"
    )

"""Our own settings, profiles and policy file, as a proxy with this configuration would load them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from litellm_prompt_router.documents.errors import ConfigurationError
from litellm_prompt_router.operations.doctor.finding import Finding, fail, ok, warn
from litellm_prompt_router.policy.active import ActiveConfiguration
from litellm_prompt_router.policy.litellm_config import resolved
from litellm_prompt_router.policy.loader import Loader
from litellm_prompt_router.profile.profile import Profile


def load(
    path: Path, section: Any, environ: Mapping[str, str]
) -> tuple[ActiveConfiguration | None, tuple[Finding, ...]]:
    """What would be in force at start, or everything that keeps the proxy from starting."""
    try:
        return Loader(resolved(section, environ, str(path)), environ, path.absolute()).load_at_start(), ()
    except ConfigurationError as error:
        todo = "correct it; the proxy doesn't start like this"
        return None, tuple(fail("settings, profiles, policy", problem, todo) for problem in error.problems)


def examine_inside(configuration: ActiveConfiguration) -> Iterable[Finding]:
    """Mode, switches, policy and profiles."""
    settings, policy = configuration.settings, configuration.policy
    yield ok("settings", f"valid; mode {settings.mode}, placement {settings.placement}")
    if configuration.stopped_by is not None:
        yield warn("kill switch", f"on ({configuration.stopped_by}): nothing is rewritten", "`prompt-router start`")
    if policy.digest is not None:
        yield ok("policy", f"{configuration.policy_path}: valid, {len(policy.rules)} rules")
    else:
        where = configuration.policy_path or "its place"
        yield ok("policy", f"no file at {where}; key metadata and settings decide")
    for profile in configuration.pipeline.profiles.values():
        yield _profile(profile)


def _profile(profile: Profile) -> Finding:
    name = f"profile {profile.name}"
    text = f"{profile.version}, {len(profile.modules)} modules, digest {profile.digest[:12]}"
    if profile.fitted is None:
        return warn(
            name, f"{text}, not fitted: triggers and words decide", "`prompt-router fit` with labelled messages"
        )
    calibration = profile.fitted.calibration
    if calibration.promise == "none":
        return warn(name, f"{text}, fitted on too few messages: every module is sent", "`prompt-router fit` with more")
    return ok(
        name, f"{text}, {calibration.promise} {calibration.target_coverage:.0%} over {calibration.messages} messages"
    )

"""Examines a deployment from its configuration and this machine: a finding for each thing looked at."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from litellm_prompt_router.documents.errors import ConfigurationError
from litellm_prompt_router.files import review_sheet_in
from litellm_prompt_router.operations.doctor.config_file import examine_document, examine_groups, mapping_in
from litellm_prompt_router.operations.doctor.finding import Finding, fail, ok, warn
from litellm_prompt_router.operations.doctor.local_models import examine_local_models
from litellm_prompt_router.operations.doctor.machine import (
    examine_folders,
    examine_glitchtip,
    examine_litellm,
    examine_redis,
    examine_variables,
)
from litellm_prompt_router.operations.doctor.routing_models import examine_routing_models
from litellm_prompt_router.operations.workers import WorkerStatus, read_workers
from litellm_prompt_router.policy.active import ActiveConfiguration
from litellm_prompt_router.policy.litellm_config import has_checkout_callback, resolved
from litellm_prompt_router.policy.loader import Loader
from litellm_prompt_router.profile.profile import Profile, how_to_review


def examine(
    path: Path, document: Mapping[str, Any], environ: Mapping[str, str], now_seconds: float
) -> Iterable[Finding]:
    """Findings in the order of a request's way. ``document``: LiteLLM's configuration as parsed from ``path``.

    ``now_seconds``: Unix time.
    """
    yield examine_litellm()
    yield from examine_document(document, environ, has_checkout_callback=has_checkout_callback(path))
    configuration, problems = _load(path, mapping_in(document, "callback_settings").get("prompt_router"), environ)
    yield from problems
    placement = "auto"
    if configuration is not None:
        yield from _examine_own(configuration)
        yield from examine_local_models(configuration.profiles, configuration.settings.embedding_threads)
        placement = configuration.settings.placement
    yield from examine_groups(document, placement)
    if configuration is not None:
        yield from examine_routing_models(document, configuration)
    live: tuple[WorkerStatus, ...] = ()
    if configuration is not None:
        live = _live_workers(configuration.settings.status_folder, now_seconds)
        yield from examine_folders(configuration.settings, live)
        yield from examine_glitchtip(configuration.settings)
    yield from examine_redis(mapping_in(document, "litellm_settings"), environ)
    yield from examine_variables(environ, live)


def _live_workers(folder: Path | None, now_seconds: float) -> tuple[WorkerStatus, ...]:
    workers = read_workers(folder, now_seconds)[0] if folder is not None else ()
    return tuple(worker.status for worker in workers if not worker.is_stale)


def _load(
    path: Path, section: Any, environ: Mapping[str, str]
) -> tuple[ActiveConfiguration | None, tuple[Finding, ...]]:
    """What would be in force at start, or everything that keeps the proxy from starting."""
    try:
        return Loader(resolved(section, environ, str(path)), environ, path.absolute()).load_at_start(), ()
    except ConfigurationError as error:
        todo = "correct it; the proxy doesn't start like this"
        return None, tuple(fail("settings, profiles, policy", problem, todo) for problem in error.problems)


def _examine_own(configuration: ActiveConfiguration) -> Iterable[Finding]:
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
    yield ok("profiles", f"read from {configuration.profiles_path}")
    for profile in configuration.pipeline.profiles.values():
        yield _profile(profile)
        if not profile.reviewed:
            sheet = review_sheet_in(configuration.profiles_path / profile.name) if configuration.profiles_path else None
            yield warn(
                f"profile {profile.name}, review",
                "nobody reviewed it: in shadow at most, whatever the policy says",
                how_to_review(profile.name, sheet),
            )
        yield from _economics(profile)


def _economics(profile: Profile) -> Iterable[Finding]:
    """Where a tuning keeps the profile from doing anything, or doesn't hold any more."""
    name = f"economics {profile.name}"
    if profile.outdated_tuning is not None:
        yield warn(
            name,
            f"{profile.outdated_tuning}, so it doesn't hold",
            "run `prompt-router simulate --tune` again",
        )
    elif profile.left_alone is not None:
        yield warn(name, profile.left_alone, "nothing, or `prompt-router simulate --tune` on newer traffic")


def _profile(profile: Profile) -> Finding:
    name = f"profile {profile.name}"
    text = f"{profile.version}, {len(profile.modules)} modules, digest {profile.digest[:12]}"
    if profile.fitted is None and profile.routing_model is not None:
        return ok(
            name,
            f"{text}, not fitted: {profile.routing_model.model} chooses for keys with router_model, others get every"
            " module but those whose tools are missing and those marked optional",
        )
    if profile.fitted is None:
        return warn(
            name,
            f"{text}, not fitted: every module is sent but those whose tools are missing and those marked optional",
            "`prompt-router fit` with labelled messages",
        )
    calibration = profile.fitted.calibration
    if calibration.promise == "none":
        return warn(name, f"{text}, fitted on too few messages: every module is sent", "`prompt-router fit` with more")
    return ok(
        name, f"{text}, {calibration.promise} {calibration.target_coverage:.0%} over {calibration.messages} messages"
    )

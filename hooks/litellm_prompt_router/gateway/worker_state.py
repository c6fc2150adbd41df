"""What decides on requests in this worker now, as its status file tells it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from litellm_prompt_router.gateway.handle import RequestHandler
from litellm_prompt_router.gateway.tuning.worker_tuning import tuning_rows
from litellm_prompt_router.policy.active import ActiveConfiguration
from litellm_prompt_router.profile.profile import Profile
from litellm_prompt_router.telemetry.status_file import InForce, ServedProfile


def in_force_of(
    handler: RequestHandler,
    *,
    problems: tuple[str, ...],
    local_models: tuple[Mapping[str, Any], ...],
    is_tuning: bool,
    unaccounted: int,
    now_seconds: float,
) -> InForce:
    """May be called in any thread. ``problems``: what is broken on disk; ``is_tuning``: this worker tunes now;
    ``unaccounted``: answered requests without a saving in their records, since accounting was full.
    """
    configuration = handler.configuration
    open_breakers = handler.breaker.open_for(time.monotonic())
    return InForce(
        default_mode=configuration.default_mode,
        profiles=tuple(_served(profile, configuration, now_seconds) for profile in configuration.profiles),
        configuration=configuration.number,
        stopped_by=configuration.stopped_by,
        passed_while_stopped=handler.passed_while_stopped,
        off_unrecorded=handler.off_unrecorded,
        went_on_as_begun=handler.beginnings.kept_going,
        unaccounted=unaccounted,
        policy_path=str(configuration.policy_path) if configuration.policy.digest is not None else None,
        policy_digest=configuration.policy.digest,
        policy_rules=len(configuration.policy.rules),
        problems=problems,
        is_breaker_open=None in open_breakers,
        breaker_keys=sum(key is not None for key in open_breakers),
        tuning=tuning_rows(configuration, is_running=is_tuning),
        local_models=local_models,
    )


def _served(profile: Profile, configuration: ActiveConfiguration, now_seconds: float) -> ServedProfile:
    """As conversations have it that begin now."""
    tunings = configuration.tunings.get(profile.name)
    now = profile if tunings is None else tunings.newest(now_seconds).profile
    return ServedProfile(
        name=profile.name,
        version=profile.version,
        digest=profile.digest,
        reviewed=profile.reviewed,
        left_alone=now.left_alone,
    )

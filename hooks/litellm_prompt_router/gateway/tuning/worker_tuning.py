"""A worker's part in tuning, made of its settings, and how the worker's status file tells of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from litellm_prompt_router.gateway import proxy_server
from litellm_prompt_router.gateway.tuning.self_tuning import SelfTuning
from litellm_prompt_router.gateway.tuning.state_place import RedisState, StatePlace
from litellm_prompt_router.gateway.tuning.tuning_comparison import choice_of
from litellm_prompt_router.gateway.tuning.tuning_process import TuningProcess
from litellm_prompt_router.policy.active import ActiveConfiguration
from litellm_prompt_router.policy.settings import Settings
from litellm_prompt_router.policy.tuning_state import NOT_TUNED
from litellm_prompt_router.telemetry.dispatch import Dispatcher

NOTICE = "tuning"
NOT_TUNED_BY_ITSELF = "Tuning can't go on by itself"


def self_tuning_of(
    settings: Settings,
    in_force: Callable[[], ActiveConfiguration],
    requests: Callable[[], int],
    dispatcher: Dispatcher,
    clock: Callable[[], float],
) -> SelfTuning | None:
    """What tunes in this worker; None where settings say nothing of it, and where they leave it without a ledger or a
    folder, which is told.
    """
    folder = settings.status_folder
    if settings.tuning.every is None:
        return None
    if folder is None or settings.ledger.path is None:
        missing = [name for name, of in (("ledger.path", settings.ledger.path), ("status_dir", folder)) if of is None]
        lines = (f"tuning.every is set, without {' and '.join(missing)}; set that, or tuning.every: off",)
        dispatcher.submit_problem(NOT_TUNED_BY_ITSELF, lines, once=lines[0])
        return None

    def tell_change(title: str, context: Mapping[str, Any]) -> None:
        dispatcher.submit_notice(NOTICE, title, context)

    def tell_problem(title: str, lines: Sequence[str], once: str) -> None:
        dispatcher.submit_problem(title, lines, once=once)

    return SelfTuning(
        settings,
        StatePlace(folder, _shared),
        in_force,
        requests,
        TuningProcess,
        tell_change,
        tell_problem,
        dispatcher.submit_error,
        clock,
    )


def tuning_rows(configuration: ActiveConfiguration, *, is_running: bool) -> tuple[Mapping[str, Any], ...]:
    """Of each profile that may be tuned by itself: what holds, since when and why, and what comes next."""
    every = configuration.settings.tuning.every
    if every is None:
        return ()
    rows = []
    for profile in configuration.profiles:
        known = configuration.tuning_state.profiles.get(profile.name, NOT_TUNED)
        latest = known.tunings[-1] if known.tunings else None
        tried = known.last_try
        rows.append(
            {
                "profile": profile.name,
                "policy": configuration.policy.tuning_of(profile.name),
                "choice": choice_of(profile, known.tunings),
                "tuning": None if latest is None else latest.id,
                "tuned_seconds": None if latest is None else latest.tuned_seconds,
                "holds_from_seconds": None if latest is None else latest.holds_from_seconds,
                "why": None if latest is None else latest.why,
                "last_try_seconds": None if tried is None else tried.at_seconds,
                "last_try": None if tried is None else tried.said,
                "has_failed": tried is not None and tried.has_failed,
                "next_seconds": None if tried is None else tried.at_seconds + every,
                "is_running": is_running,
            }
        )
    return tuple(rows)


def _shared() -> RedisState | None:
    found = proxy_server.redis()
    return None if found is None else RedisState(found)

"""The configuration in force: settings, policy file and profiles as one immutable object."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from litellm_prompt_router.policy import EMPTY_POLICY, DefaultPolicy, FilePolicy
from litellm_prompt_router.policy.breaker import BreakerThresholds
from litellm_prompt_router.policy.settings import DISABLED, LedgerSettings, Settings
from litellm_prompt_router.policy.tuning_state import EMPTY_STATE, TuningState
from litellm_prompt_router.policy.tunings import ProfileTunings
from litellm_prompt_router.profile.profile import Profile
from litellm_prompt_router.request.pipeline import Pipeline
from litellm_prompt_router.request.types import Mode

KILL_SWITCH = "kill switch"


@dataclass(frozen=True, kw_only=True, slots=True)
class ActiveConfiguration:
    """Everything that a request is decided by. Requests keep the one they started with."""

    settings: Settings
    policy: FilePolicy
    pipeline: Pipeline
    default_policy: DefaultPolicy
    default_mode: Mode
    """The mode of requests for which neither a rule nor key and team metadata set one."""
    thresholds: BreakerThresholds
    profile_names: frozenset[str]
    stopped_by: str | None
    """The kill switch or the environment; None while nothing is stopped."""
    policy_path: Path | None = None
    """Where the policy file is or would be."""
    profiles_path: Path | None = None
    """The folder that the profiles were read from."""
    tuning_state: TuningState = EMPTY_STATE
    tunings: Mapping[str, ProfileTunings] = field(default_factory=dict)
    """By profile name; empty where no tuning goes on by itself."""
    number: int = 0
    """1 for the configuration at start, and one more for each that took its place."""

    @property
    def profiles(self) -> tuple[Profile, ...]:
        return tuple(self.pipeline.profiles.values())


def pipeline_of(settings: Settings, profiles: Sequence[Profile], count_tokens: Callable[[str], int]) -> Pipeline:
    """The walk as the proxy does it under these settings."""
    return Pipeline(
        profiles,
        count_tokens,
        coverage_floor=settings.coverage_floor,
        placement=None if settings.placement == "auto" else settings.placement,
        adds_marks=settings.cache_hints,
        gates_cost=settings.cost_gate,
    )


def active_configuration(
    settings: Settings, pipeline: Pipeline, policy: FilePolicy = EMPTY_POLICY
) -> ActiveConfiguration:
    """The configuration that these valid parts make."""
    breaker = settings.breaker
    return ActiveConfiguration(
        settings=settings,
        policy=policy,
        pipeline=pipeline,
        default_policy=DefaultPolicy(
            mode=settings.mode,
            profile=settings.profile,
            percent=settings.percent,
            holdout=settings.holdout,
            router_model=settings.router_model,
        ),
        default_mode=policy.defaults.mode or settings.mode,
        thresholds=BreakerThresholds(
            key_faults=breaker.key_faults,
            all_faults=breaker.all_faults,
            window_seconds=breaker.window_seconds,
            pause_seconds=breaker.pause_seconds,
        ),
        profile_names=frozenset(pipeline.profiles),
        stopped_by=KILL_SWITCH if policy.stop else None,
    )


def switched_off() -> ActiveConfiguration:
    """The configuration in force where the environment switches off one that isn't valid."""
    settings = Settings(ledger=LedgerSettings(path=None))
    made = active_configuration(settings, pipeline_of(settings, (), len))
    return replace(made, stopped_by=DISABLED)

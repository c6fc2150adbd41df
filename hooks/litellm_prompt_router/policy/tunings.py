"""The tunings in force: by which economics the conversations of a profile go, each by those that it began with.

A profile's steps are in the order of their moments; the first is what profile.yaml says. A conversation that is known
keeps its step. One that begins takes the newest; one that nobody knows, and that has a history, began before anybody
took note, so the oldest step is its own.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from litellm_prompt_router.files.load import economics_as_stated
from litellm_prompt_router.policy.tuning_state import KEPT_SECONDS, NOT_TUNED, AcceptedTuning, TuningState
from litellm_prompt_router.profile.profile import Profile

OWN = "own"
"""The id of the step that profile.yaml itself is."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TuningStep:
    """The profile, with the economics of one tuning in place of its own."""

    id: str
    from_seconds: float
    profile: Profile


@dataclass(frozen=True, kw_only=True, slots=True)
class ProfileTunings:
    """The steps of one profile, at least its own."""

    steps: tuple[TuningStep, ...]

    def alive(self, now_seconds: float) -> tuple[TuningStep, ...]:
        """Those that a conversation may go by or will, oldest first."""
        ends = [step.from_seconds for step in self.steps[1:]]
        return (
            *(step for step, end in zip(self.steps[:-1], ends, strict=True) if now_seconds - end < KEPT_SECONDS),
            self.steps[-1],
        )

    def newest(self, now_seconds: float) -> TuningStep:
        """That of conversations which begin now."""
        return next(step for step in reversed(self.steps) if step.from_seconds <= now_seconds)


def tunings_of(state: TuningState, profiles: Iterable[Profile]) -> Mapping[str, ProfileTunings]:
    """By profile name. A tuning that doesn't fit the profile's modules any more counts for nothing: its step is what
    profile.yaml says.
    """
    return {
        profile.name: ProfileTunings(
            steps=(
                TuningStep(id=OWN, from_seconds=-math.inf, profile=profile),
                *(_step(tuning, profile) for tuning in state.profiles.get(profile.name, NOT_TUNED).tunings),
            )
        )
        for profile in profiles
    }


def tuned_profile(profile: Profile, tuning: AcceptedTuning) -> Profile:
    """The profile with the tuning's economics, as long as they hold for it; else as it is."""
    if tuning.economics is None:
        return profile
    try:
        tuned = replace(profile, economics=economics_as_stated(tuning.economics, profile.order))
    except KeyError:
        return profile
    return tuned if tuned.outdated_tuning is None else profile


def _step(tuning: AcceptedTuning, profile: Profile) -> TuningStep:
    return TuningStep(id=tuning.id, from_seconds=tuning.holds_from_seconds, profile=tuned_profile(profile, tuning))

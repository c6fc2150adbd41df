"""What each target would keep, by each router, before anything is stored; and which target to take.

All figures are out of fold: of messages that the router which is measured didn't learn from.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf

from litellm_prompt_router.authoring.fit.gate_training import FitOptions
from litellm_prompt_router.authoring.fit.held_out import HeldOutSelections
from litellm_prompt_router.profile.fitted import Promise

TARGETS = (0.8, 0.9, 0.95, 0.98, 0.99)
LEAST_RECOMMENDED = 0.9
"""No lower target is recommended, whatever it would save."""
SAVES_NOTHING = 0.95
"""A router that keeps this share of the tokens or more saves next to nothing."""
STEPS = 200
LOWEST_TARGET = 0.5


@dataclass(frozen=True, kw_only=True, slots=True)
class TargetReach:
    """One router at one target. ``kept``: the mean share of the prompt's tokens; 1 where nothing is promised."""

    promise: Promise
    threshold: float
    kept: float
    coverage: float | None
    """Of the messages that the promise counts, in the first call of their task; None without one."""
    served: float | None
    """The share of them that has all it needs by the second call, whichever tool the agent calls first."""
    served_at_best: float | None
    """The same, where it calls first what helps most."""
    cost: float
    """In whole prompts per message: what is kept, and PROMPTS_PER_MISS for each message with a missed need."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TargetRow:
    """One target, and by the routers' names what they reach."""

    target: float
    reached: Mapping[str, TargetReach]


def target_table(
    routers: Mapping[str, HeldOutSelections], options: FitOptions, targets: Sequence[float] = TARGETS
) -> tuple[TargetRow, ...]:
    """A row for each target; the options' own among them where ``targets`` lacks it."""
    every = sorted({*targets, options.target})
    return tuple(
        TargetRow(target=target, reached={name: reach(seen, options, target) for name, seen in routers.items()})
        for target in every
    )


def reach(selections: HeldOutSelections, options: FitOptions, target: float) -> TargetReach:
    calibration = selections.calibrated(options, target)
    threshold = calibration.threshold if calibration.promise != "none" else -inf
    served, at_best = selections.served(threshold) or (None, None)
    return TargetReach(
        promise=calibration.promise,
        threshold=threshold,
        kept=selections.kept(threshold),
        coverage=selections.coverage(threshold),
        served=served,
        served_at_best=at_best,
        cost=selections.cost(threshold),
    )


def recommended(rows: Sequence[TargetRow], router: str) -> float | None:
    """The target of LEAST_RECOMMENDED or more that costs least by this router; None where none saves anything."""
    found = [row for row in rows if row.target >= LEAST_RECOMMENDED and _saves(row.reached[router])]
    return min(found, key=lambda row: (row.reached[router].cost, -row.target)).target if found else None


def _saves(found: TargetReach) -> bool:
    return found.promise != "none" and found.kept < SAVES_NOTHING


def least_kept(selections: HeldOutSelections, options: FitOptions) -> float:
    """The smallest share of the tokens that any target of LOWEST_TARGET or more keeps."""
    return reach(selections, options, LOWEST_TARGET).kept


def target_within(selections: HeldOutSelections, options: FitOptions, max_kept: float) -> float | None:
    """The highest target that keeps at most that share of the tokens; None where no promise keeps so few."""
    for step in range(STEPS - 1, int(STEPS * LOWEST_TARGET) - 1, -1):
        found = reach(selections, options, step / STEPS)
        if found.promise != "none" and found.kept <= max_kept:
            return step / STEPS
    return None

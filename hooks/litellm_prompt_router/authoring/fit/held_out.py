"""Every labelled message as a router that didn't learn from its conversation sees it: what any threshold would do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from litellm_prompt_router.authoring.fit.calibrate import calibrated
from litellm_prompt_router.authoring.fit.gate_training import (
    FitOptions,
    HeldOutCase,
    is_counted,
    lowest_needed,
    served_until,
    values_of,
)
from litellm_prompt_router.profile.fitted import Calibration, Flags, Floats, Gate, Promise
from litellm_prompt_router.profile.profile import Profile
from litellm_prompt_router.request.route import MOST_TOKENS_SHARE

PROMPTS_PER_MISS = 1.0
"""What a missed need costs: one more call, with the whole prompt, in which the missing module comes back."""
MAX_TRIED = 40


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class HeldOutSelections:
    """The labelled messages under one router, out of fold. Rows are messages, columns modules."""

    firm: Flags
    values: Floats
    lowest: Floats
    """By message: the highest threshold at which every needed module is selected."""
    lowest_served: Floats
    """By message: the highest threshold at which it is served (authoring/second_call.py), for certain."""
    lowest_at_best: Floats
    """The same, where the agent calls first what helps most."""
    counted: Flags
    """Messages that the promise counts."""
    token_shares: Floats
    conversations: int

    def calibrated(self, options: FitOptions, target: float | None = None) -> Calibration:
        """The threshold for ``target``, the options' own where it is None, and what it promises."""
        target = options.target if target is None else target
        is_served = options.at_most == "served"
        found = self._calibrated(self.lowest, options, target, "expected" if is_served else options.at_most)
        if is_served:
            by_second = self._calibrated(self.lowest_served, options, target, "expected")
            if by_second.promise != "none":
                found = replace(found, promise="served", threshold=self._cheapest(by_second.threshold))
        at = found.threshold
        return replace(
            found,
            misses=self._below(self.lowest, at),
            unserved=self._below(self.lowest_served, at),
            unserved_at_best=self._below(self.lowest_at_best, at),
        )

    def _calibrated(self, values: Floats, options: FitOptions, target: float, at_most: Promise) -> Calibration:
        return calibrated(
            values[self.counted].tolist(),
            target=target,
            confidence=options.confidence,
            over=options.over,
            conversations=self.conversations,
            at_most=at_most,
        )

    def cost(self, threshold: float) -> float:
        """In whole prompts a message: what is kept, and PROMPTS_PER_MISS for each whose first call lacks a module."""
        missed = self._below(self.lowest, threshold) / max(1, len(self.counted))
        return self.kept(threshold) + PROMPTS_PER_MISS * missed

    def served(self, threshold: float) -> tuple[float, float] | None:
        """The share of the counted messages that are served, for certain and at best."""
        counted = int(self.counted.sum())
        if not counted:
            return None
        for_certain, at_best = (self._below(values, threshold) for values in (self.lowest_served, self.lowest_at_best))
        return 1 - for_certain / counted, 1 - at_best / counted

    def _below(self, values: Floats, threshold: float) -> int:
        """How many of the counted messages have a lower value."""
        return int((values[self.counted] < threshold).sum())

    def _cheapest(self, highest: float) -> float:
        """The threshold up to ``highest`` that costs least. A lower one serves no fewer messages."""
        values = np.unique(self.lowest[self.counted & np.isfinite(self.lowest) & (self.lowest <= highest)])
        if not len(values):
            return highest
        if len(values) > MAX_TRIED:
            values = values[np.round(np.linspace(0, len(values) - 1, MAX_TRIED)).astype(int)]
        return float(min(reversed(values.tolist()), key=self.cost))

    def kept(self, threshold: float) -> float:
        """The mean share of the modules' tokens that this threshold keeps, as `evaluate` counts it."""
        if not len(self.values):
            return 1.0
        kept = (self.firm | (self.values >= threshold)) @ self.token_shares
        return float(np.where(kept > MOST_TOKENS_SHARE, 1.0, kept).mean())

    def selected(self, threshold: float) -> Flags:
        """What this threshold selects for each message; everything where that is nearly everything."""
        chosen = self.firm | (self.values >= threshold)
        return np.asarray(chosen | ((chosen @ self.token_shares) > MOST_TOKENS_SHARE)[:, None], dtype=np.bool_)

    def coverage(self, threshold: float) -> float | None:
        """The share of the counted messages whose needs are all selected."""
        counted = self.lowest[self.counted]
        return float((counted >= threshold).mean()) if len(counted) else None


def held_out_selections(
    profile: Profile,
    columns: Sequence[int],
    gates: Sequence[Gate],
    observed: Sequence[HeldOutCase],
    options: FitOptions,
    conversations: int,
) -> HeldOutSelections:
    """``gates``: by fold, learned from the other folds alone. Examples teach and calibrate nothing."""
    real = [item for item in observed if not item.is_example]
    values = [values_of(profile, columns, gates[item.fold], item) for item in real]
    size = len(profile.modules)
    pairs = [*zip(real, values, strict=True)]
    served = np.array([served_until(item, value) for item, value in pairs], dtype=float).reshape(-1, 2)
    tokens = np.array([module.tokens for module in profile.modules], dtype=float)
    return HeldOutSelections(
        firm=np.array([item.weighted.firm for item in real], dtype=np.bool_).reshape(-1, size),
        values=np.array(values, dtype=float).reshape(-1, size),
        lowest=np.array([lowest_needed(item, value) for item, value in pairs], dtype=float),
        lowest_served=served[:, 0],
        lowest_at_best=served[:, 1],
        counted=np.array([is_counted(i.case, i.weighted, profile, options.over) for i in real], dtype=np.bool_),
        token_shares=tokens / (tokens.sum() or 1.0),
        conversations=conversations,
    )

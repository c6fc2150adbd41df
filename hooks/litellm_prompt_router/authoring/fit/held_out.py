"""Every labelled message as a router that didn't learn from its conversation sees it: what any threshold would do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from litellm_prompt_router.authoring.fit.calibrate import calibrated
from litellm_prompt_router.authoring.fit.gate_training import (
    FitOptions,
    HeldOutCase,
    is_counted,
    lowest_needed,
    values_of,
)
from litellm_prompt_router.profile.fitted import Calibration, Flags, Floats, Gate
from litellm_prompt_router.profile.profile import Profile
from litellm_prompt_router.request.route import MOST_TOKENS_SHARE


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class HeldOutSelections:
    """The labelled messages under one router, out of fold. Rows are messages, columns modules."""

    firm: Flags
    values: Floats
    lowest: Floats
    """By message: the highest threshold at which every needed module is selected."""
    counted: Flags
    """Messages that the promise counts."""
    token_shares: Floats
    conversations: int

    def calibrated(self, options: FitOptions, target: float | None = None) -> Calibration:
        """The threshold for ``target``, the options' own where it is None, and what it promises."""
        return calibrated(
            self.lowest[self.counted].tolist(),
            target=options.target if target is None else target,
            confidence=options.confidence,
            over=options.over,
            conversations=self.conversations,
            at_most=options.at_most,
        )

    def kept(self, threshold: float) -> float:
        """The mean share of the modules' tokens that this threshold keeps, as `evaluate` counts it."""
        if not len(self.values):
            return 1.0
        kept = (self.firm | (self.values >= threshold)) @ self.token_shares
        return float(np.where(kept > MOST_TOKENS_SHARE, 1.0, kept).mean())

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
    tokens = np.array([module.tokens for module in profile.modules], dtype=float)
    return HeldOutSelections(
        firm=np.array([item.weighted.firm for item in real], dtype=np.bool_).reshape(-1, size),
        values=np.array(values, dtype=float).reshape(-1, size),
        lowest=np.array([lowest_needed(item, value) for item, value in zip(real, values, strict=True)], dtype=float),
        counted=np.array([is_counted(i.case, i.weighted, profile, options.over) for i in real], dtype=np.bool_),
        token_shares=tokens / (tokens.sum() or 1.0),
        conversations=conversations,
    )

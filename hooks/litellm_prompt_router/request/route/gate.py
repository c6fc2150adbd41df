"""The gate: whether a module is needed now, given the message, the conversation before it and what is in use.

Inputs per module, in order: the message's raw score and share; and behind the first turn once more both, the
highest raw score and share of earlier messages, 1, the message's top score, the highest raw score and share
among modules in use, the logarithm of its length, and the number of modules in use. On the first turn the
last ten are zero.

A fused gate reads four more: the message's semantic score and its share, and behind the first turn once more both.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import log1p
from typing import NamedTuple

import numpy as np

from litellm_prompt_router.profile.fitted import GATE_INPUTS, SEMANTIC_INPUTS, Floats, Gate
from litellm_prompt_router.request.route.embeddings import SemanticScores
from litellm_prompt_router.request.route.scores import Scores

NOTHING = -8.0
"""Stands for the score of what isn't there."""
DECIMALS = 4
"""Gate values are compared rounded, so that replicas with different processors agree."""


class GateState:
    """What the gate knows of the conversation so far; lives as long as one decision."""

    def __init__(self, columns: int) -> None:
        self._columns = columns
        self._raw: Floats | None = None
        self._share: Floats | None = None
        self.is_later = False

    def copy(self) -> GateState:
        """The same, to go on from twice; the arrays in it are never changed."""
        twin = GateState(self._columns)
        twin._raw, twin._share, twin.is_later = self._raw, self._share, self.is_later
        return twin

    def inputs(self, scores: Scores, in_use: Iterable[int], semantic: SemanticScores | None = None) -> Floats:
        """One row of GATE_INPUTS for each column, and of SEMANTIC_INPUTS behind them with ``semantic``.

        ``in_use``: columns whose tools were called.
        """
        inputs = np.zeros((self._columns, GATE_INPUTS + (0 if semantic is None else SEMANTIC_INPUTS)))
        inputs[:, 0] = scores.raw
        inputs[:, 1] = scores.share
        if self.is_later:
            used = list(in_use)
            inputs[:, 2] = scores.raw
            inputs[:, 3] = scores.share
            inputs[:, 4] = NOTHING if self._raw is None else self._raw
            inputs[:, 5] = NOTHING if self._share is None else self._share
            inputs[:, 6:GATE_INPUTS] = (
                1.0,
                scores.raw.max(),
                scores.raw[used].max() if used else NOTHING,
                scores.share[used].max() if used else NOTHING,
                log1p(scores.words),
                len(used),
            )
        if semantic is not None:
            inputs[:, 12], inputs[:, 13] = semantic.raw, semantic.share
            if self.is_later:
                inputs[:, 14], inputs[:, 15] = semantic.raw, semantic.share
        return inputs

    def remember(self, scores: Scores) -> None:
        """Makes the message one of the earlier ones."""
        self._raw = scores.raw if self._raw is None else np.maximum(self._raw, scores.raw)
        self._share = scores.share if self._share is None else np.maximum(self._share, scores.share)


def values(gate: Gate, inputs: Floats) -> Floats:
    """How much speaks for each column, in log-odds less the cost of sending it."""
    out: Floats = inputs @ gate.weights + (gate.bias + gate.offsets)
    if inputs[0, 6]:
        out -= gate.later_shift
    return np.round(out, DECIMALS, out=out)


class WeighedMessage(NamedTuple):
    """One message as the gate saw it: its turn, the gate's inputs, and a value for each scored module.

    ``is_fused``: by its meaning too, so that the fused threshold decides.
    """

    turn: int
    inputs: Floats
    values: Floats
    is_fused: bool = False


class Trace:
    """Filled by ``Router.decide``."""

    def __init__(self) -> None:
        self.weighed: list[WeighedMessage] = []
        self.triggered: set[int] = set()
        self.fallbacks: list[str] = []
        """Reasons that no threshold can change."""

"""What the provider counts for one of our tokens, told apart by the kind of text: tools, system, messages.

The calls of one deployment and profile say how much stretches of them came to. Schemas, prompts and chat vary among
these, and least squares tell them apart. What the calls don't tell apart stays at the common ratio, which the first
call has.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Sequence

import numpy as np

KINDS = ("tools", "system", "messages")
PRIOR_TOKENS = 300.0
"""How much a kind must vary to be told apart from the others. Ours."""
PRIOR_BLOCKS = 10.0
"""As much of the number of blocks, which may each cost more or less than we have them cost."""
FURTHEST = 2.0
"""A kind further from the common ratio than this factor isn't believed."""
STRANGEST = 5.0
"""No tokenizer counts so many times what another does: a usage further off says nothing about texts. Ours."""
SLACK_TOKENS = 16
"""Beside that factor, for stretches of a few words."""
MAX_FITS = 1_024
_PRIOR = np.diag([PRIOR_TOKENS**2] * 3 + [PRIOR_BLOCKS**2])


def is_near(theirs: float, ours: float, factor: float) -> bool:
    """True for two counts that are no further apart than the factor, and a few words."""
    return ours / factor - SLACK_TOKENS < theirs < ours * factor + SLACK_TOKENS


class TokenWeights:
    """One fit for each name, those unused for longest go first. Used by one thread."""

    def __init__(self) -> None:
        self._fits: OrderedDict[Hashable, _Fit] = OrderedDict()

    def observe(self, name: Hashable, ours: Sequence[int], theirs: int) -> None:
        """Takes in what the provider counted for so many of our tokens of each kind, if it may be a count of them."""
        counted = sum(ours[:3])
        if counted <= 0 or theirs <= 0 or not is_near(theirs, counted, STRANGEST):
            return
        fit = self._fits.get(name)
        if fit is None:
            while len(self._fits) >= MAX_FITS:
                self._fits.popitem(last=False)
            fit = self._fits[name] = _Fit()
        self._fits.move_to_end(name)
        fit.add(ours, theirs)

    def of(self, name: Hashable) -> Sequence[float] | None:
        """The provider's tokens for one of ours of each kind; None before the first call."""
        fit = self._fits.get(name)
        return None if fit is None else fit.weights()


class _Fit:
    """Sums of squares, from which the weights follow."""

    def __init__(self) -> None:
        self._products = np.zeros((4, 4))
        self._answers = np.zeros(4)
        self._ours = 0.0
        self._theirs = 0.0

    def add(self, ours: Sequence[int], theirs: int) -> None:
        row = np.array(ours, dtype=float)
        self._products += np.outer(row, row)
        self._answers += row * theirs
        self._ours += sum(ours[:3])
        self._theirs += theirs

    def weights(self) -> list[float]:
        common = self._theirs / self._ours
        start = np.array([common] * 3 + [0.0])
        rest = self._answers - self._products @ start
        weights = start + np.linalg.solve(self._products + _PRIOR, rest)
        is_likely = all(common / FURTHEST < weight < common * FURTHEST for weight in weights[:3])
        return [float(weight) for weight in (weights if is_likely else start)]

"""How many of the provider's tokens make one of ours, by the kind of text: tools, system, messages.

Fitted by least squares over measured stretches of calls of one deployment and profile, which have schemas, prompts and
chat in varying shares. Kinds whose shares don't vary keep the common ratio, which the first call gives.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Sequence

import numpy as np

from litellm_prompt_router.process_memory.bounded import register_memory

KINDS = ("tools", "system", "messages")
PRIOR_TOKENS = 300.0
"""By how much a kind's tokens must vary among stretches to get a weight of its own. Ours."""
PRIOR_BLOCKS = 10.0
"""The same for the number of blocks, whose framing may cost more or less than we assume."""
MAX_KIND_FACTOR = 2.0
"""A weight further from the common ratio than this factor is discarded. Ours."""
MAX_COUNT_FACTOR = 5.0
"""A usage further from our count than this factor is no count of the texts, and is ignored. Ours."""
SLACK_TOKENS = 16
"""Added to those factors, for stretches of a few words."""
MAX_FITS = 1_024
_PRIOR = np.diag([PRIOR_TOKENS**2] * 3 + [PRIOR_BLOCKS**2])


def is_near(theirs: float, ours: float, factor: float) -> bool:
    """True where two counts differ by no more than the factor and ``SLACK_TOKENS``."""
    return ours / factor - SLACK_TOKENS < theirs < ours * factor + SLACK_TOKENS


class TokenWeights:
    """One fit for each key; the longest unused go first. Used by one thread."""

    def __init__(self) -> None:
        self._fits: OrderedDict[Hashable, _Fit] = OrderedDict()
        register_memory(self, "token weights", MAX_FITS, lambda it: len(it._fits))

    def observe(self, key: Hashable, ours: Sequence[int], theirs: int) -> None:
        """Adds a measured stretch: our tokens of each kind and its number of blocks, and the provider's tokens."""
        counted = sum(ours[:3])
        if counted <= 0 or theirs <= 0 or not is_near(theirs, counted, MAX_COUNT_FACTOR):
            return
        fit = self._fits.get(key)
        if fit is None:
            while len(self._fits) >= MAX_FITS:
                self._fits.popitem(last=False)
            fit = self._fits[key] = _Fit()
        self._fits.move_to_end(key)
        fit.add(ours, theirs)

    def of(self, key: Hashable) -> Sequence[float] | None:
        """The provider's tokens for one of ours of each kind; None before the first call."""
        fit = self._fits.get(key)
        return None if fit is None else fit.weights()


class _Fit:
    """Sums of squares, from which the weights follow."""

    def __init__(self) -> None:
        self._products = [[0.0] * 4 for _ in range(4)]
        self._answers = [0.0] * 4
        self._ours = 0.0
        self._theirs = 0.0
        self._weights: Sequence[float] | None = None

    def add(self, ours: Sequence[int], theirs: int) -> None:
        self._weights = None
        row = [float(amount) for amount in ours]
        for number, amount in enumerate(row):
            products = self._products[number]
            products[:] = [known + amount * other for known, other in zip(products, row, strict=True)]
            self._answers[number] += amount * theirs
        self._ours += sum(ours[:3])
        self._theirs += theirs

    def weights(self) -> Sequence[float]:
        if self._weights is None:
            self._weights = self._solved()
        return self._weights

    def _solved(self) -> Sequence[float]:
        common = self._theirs / self._ours
        start = np.array([common] * 3 + [0.0])
        products = np.array(self._products)
        rest = np.array(self._answers) - products @ start
        weights = start + np.linalg.solve(products + _PRIOR, rest)
        is_likely = all(common / MAX_KIND_FACTOR < weight < common * MAX_KIND_FACTOR for weight in weights[:3])
        found: list[float] = (weights if is_likely else start).tolist()
        return found

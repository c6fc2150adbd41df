"""What the provider counts for one of our tokens, told apart by where the text stands: tools, system, messages.

Each answered call says how much its three parts came to together. Over the calls of one deployment and profile the
parts vary, and least squares tell them apart: schemas, prompts and chat are different kinds of text, and a prompt
that was cut is of one kind. What the calls don't tell apart stays at the common ratio, which the first call has.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Sequence

import numpy as np

from hooks.cachemodel import Block

SECTIONS = ("tools", "system", "messages")
UNITS = 1_000
"""Weighted blocks are counted in thousandths, so that many small ones don't round away."""
PRIOR_TOKENS = 300.0
"""How much a part must vary to be told apart from the others. Ours."""
FURTHEST = 2.0
"""A part further from the common ratio than this factor isn't believed."""
MAX_FITS = 1_024


class TokenWeights:
    """One fit for each name, those unused for longest go first. Used by one thread."""

    def __init__(self) -> None:
        self._fits: OrderedDict[Hashable, _Fit] = OrderedDict()

    def observe(self, name: Hashable, blocks: Sequence[Block], provider_tokens: int) -> None:
        """Takes in what the provider counted for the blocks that were sent."""
        fit = self._fits.get(name)
        if fit is None:
            while len(self._fits) >= MAX_FITS:
                self._fits.popitem(last=False)
            fit = self._fits[name] = _Fit()
        self._fits.move_to_end(name)
        fit.add(_sizes(blocks), provider_tokens)

    def weighed(self, name: Hashable, blocks: Sequence[Block]) -> Sequence[Block]:
        """The blocks with the provider's tokens, in thousandths and up to a factor that is the same for all."""
        weights = self._fits[name].weights()
        units = {section: UNITS * weight for section, weight in zip(SECTIONS, weights, strict=True)}
        return [block._replace(tokens=round(block.tokens * units[block.section])) for block in blocks]


class _Fit:
    """Sums of squares, from which the weights follow."""

    def __init__(self) -> None:
        self._products = np.zeros((3, 3))
        self._answers = np.zeros(3)
        self._ours = 0.0
        self._theirs = 0.0

    def add(self, sizes: Sequence[int], provider_tokens: int) -> None:
        row = np.array(sizes, dtype=float)
        self._products += np.outer(row, row)
        self._answers += row * provider_tokens
        self._ours += sum(sizes)
        self._theirs += provider_tokens

    def weights(self) -> list[float]:
        common = self._theirs / self._ours
        prior = np.eye(3) * PRIOR_TOKENS**2
        rest = self._answers - self._products @ np.full(3, common)
        weights = [common + float(step) for step in np.linalg.solve(self._products + prior, rest)]
        is_likely = all(common / FURTHEST < weight < common * FURTHEST for weight in weights)
        return weights if is_likely else [common] * 3


def _sizes(blocks: Sequence[Block]) -> list[int]:
    sizes = dict.fromkeys(SECTIONS, 0)
    for block in blocks:
        sizes[block.section] += block.tokens
    return list(sizes.values())

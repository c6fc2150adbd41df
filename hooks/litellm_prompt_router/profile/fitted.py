"""What `prompt-router fit` learned of one profile: scores for the words of messages, and a calibrated threshold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
SmallFloats = NDArray[np.float32]
Ints = NDArray[np.intp]
Flags = NDArray[np.bool_]
Promise = Literal["guaranteed", "expected", "none"]
CoverageOver = Literal["first_needs", "messages"]

GATE_INPUTS = 12
SEMANTIC_INPUTS = 4
"""Behind those, of a gate that reads the meaning of a message too."""


class TokenRows(dict[str, int]):
    """Names to their rows; -1 for a name that has none, so that many are looked up without a step in between."""

    def __missing__(self, name: str) -> int:
        return -1


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class ScoreTable:
    """Scores of each known token for each routable module.

    A message's score for a module is the sum of its distinct tokens' scores, divided by the root of the sum of
    their weights, plus the module's bias. An unseen word scores by the pieces of it that are known.
    """

    columns: tuple[int, ...]
    """The modules that are scored, as indexes into the profile."""
    tokens: TokenRows
    """Token to row."""
    token_scores: SmallFloats
    token_weights: SmallFloats
    is_chat_token: Flags
    """Tokens that small talk is made of."""
    pieces: Mapping[str, int]
    piece_scores: SmallFloats
    unseen_weight: float
    bias: Floats


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Gate:
    """A linear reading of (score of this message, scores of earlier ones, modules in use, first turn or not)."""

    weights: Floats
    """One for each of GATE_INPUTS, which request/route/scores.py lists, and for SEMANTIC_INPUTS where it is fused."""
    bias: float
    later_shift: float
    """Subtracted behind the first turn, so that a long conversation doesn't gather modules by and by."""
    offsets: Floats
    """Added per column: the saving that leaving it out brings. Infinite for what no message can tell about."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Calibration:
    """The promise that a threshold was set for, and what it was set on. Holds for traffic like that."""

    promise: Promise
    target_coverage: float
    over: CoverageOver
    threshold: float
    """Modules whose gate value is at least this are selected; minus infinity where nothing is promised."""
    confidence: float
    messages: int
    """Calibration messages that the promise is over."""
    misses: int
    """Those of them whose needs the threshold doesn't select."""
    conversations: int
    expected_threshold: float
    guaranteed_threshold: float


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Semantics:
    """What an embedding model adds: a vector for each scored module, and the fused gate with its own calibration.

    The semantic score of a message is the product of its vector, of length one, with the module's, plus a bias.
    """

    model: str
    """The name that `router.embedding_model` has in the profile."""
    vectors: SmallFloats
    """A row for each scored module."""
    bias: Floats
    gate: Gate
    calibration: Calibration


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Fitted:
    """Table, gate and calibration, tied to the module texts they were made for."""

    digest: str
    table: ScoreTable
    gate: Gate
    calibration: Calibration
    trusts_lists: bool = True
    """False when labelled messages that the lists of small talk and follow-ups dismiss do have needs here."""
    semantics: Semantics | None = None
    """None: the profile names no embedding model, or nothing was promised with it."""

"""What `prompt-router fit` learned for one profile: scores of message words, and a calibrated threshold."""

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
Promise = Literal["guaranteed", "expected", "served", "none"]
"""Coverage of first calls, with confidence or on average; ``served``: by the second call of the task, on average."""
CoverageOver = Literal["first_needs", "messages"]
ModelLists = Literal["needed", "both"]

GATE_INPUTS = 12
SEMANTIC_INPUTS = 4
"""Further inputs of a gate that weighs a message's embedding too."""
AGENT_INPUTS = 4
"""What the agent's own words are weighed by; request/route/agent_words.py lists them."""


class TokenRows(dict[str, int]):
    """Names -> rows, -1 for an unknown name: ``map(rows.__getitem__, names)`` then needs no Python step per name."""

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
    """True for tokens that occur in small talk."""
    pieces: Mapping[str, int]
    piece_scores: SmallFloats
    unseen_weight: float
    bias: Floats


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Gate:
    """A linear function of the scores of this and earlier messages, the modules in use, and first or later turn."""

    weights: Floats
    """One for each of GATE_INPUTS, which request/route/scores.py lists, and for SEMANTIC_INPUTS where it is fused."""
    bias: float
    later_shift: float
    """Subtracted after the first turn, so that long conversations don't collect modules needlessly."""
    offsets: Floats
    """Added per column: lower for modules that few messages need, and for large ones, which save more; infinite for
    modules sent with every task."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Calibration:
    """A threshold, the coverage it promises, and the messages it was set on; it holds for messages like those."""

    promise: Promise
    target_coverage: float
    over: CoverageOver
    threshold: float
    """Modules whose gate value is at least this are selected; minus infinity where nothing is promised."""
    confidence: float
    messages: int
    """Calibration messages that the promise covers."""
    misses: int
    """Those of them whose needs the threshold doesn't select: they lack a module in the first call of their task."""
    conversations: int
    expected_threshold: float
    guaranteed_threshold: float
    unserved: int | None = None
    """Those that lack one in the second call, too, where the agent calls its tools in the order that helps least."""
    unserved_at_best: int | None = None
    """The same, where it calls them in the order that helps most."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Semantics:
    """Routing by embeddings: a vector for each scored module, and a gate over words and vectors, calibrated by itself.

    The semantic score of a message is the product of its vector, of length one, with the module's, plus a bias.
    """

    model: str
    """The name that `router.embedding_model` has in the profile."""
    vectors: SmallFloats
    """A row for each scored module."""
    bias: Floats
    gate: Gate
    calibration: Calibration


@dataclass(frozen=True, kw_only=True, slots=True)
class AskingBand:
    """Gate values that leave a module open: from ``low`` to below ``high``."""

    low: float
    high: float
    """At least this selects, whatever the routing model says."""

    def is_sure(self, values: Floats) -> bool:
        """True where something is selected and nothing is left open, so that nobody needs to be asked."""
        selected = values >= self.high
        return bool(selected.any()) and not bool(((values >= self.low) & ~selected).any())


@dataclass(frozen=True, kw_only=True, slots=True)
class Cascade:
    """When the routing model is asked at all, and which of its lists select. Holds for one model."""

    model: str
    """The name that `router.model` has in the profile."""
    lists: ModelLists
    words: AskingBand
    fused: AskingBand | None
    """For messages whose meaning is known; None: those are asked about always."""
    promise: Promise
    target_coverage: float
    messages: int
    """Calibration messages that the promise covers; ``misses`` of them lack a module, ``asked`` were asked about."""
    misses: int
    asked: int
    unserved: int | None = None
    """Those of them that lack a module in the second call of their task, too, by the order that helps least."""

    def band(self, *, is_fused: bool) -> AskingBand | None:
        return self.fused if is_fused else self.words


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class AgentWords:
    """When the agent's own words bring a module: a linear function, in log-odds, of their score and the user's."""

    weights: Floats
    """One for each of AGENT_INPUTS."""
    bias: float
    thresholds: Floats
    """By scored module: where bringing it costs no more than the miss that it may spare. Infinite: never."""
    texts: int
    """What it was learned from."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Fitted:
    """Table, gate and calibration. ``digest`` is that of the module texts they were made for."""

    digest: str
    table: ScoreTable
    gate: Gate
    calibration: Calibration
    trusts_lists: bool = True
    """False when the lists of small talk and follow-ups would dismiss labelled messages that need modules."""
    semantics: Semantics | None = None
    """None: the profile names no embedding model, or no coverage could be promised with it."""
    cascade: Cascade | None = None
    """None: a routing model is asked about every task, and both of its lists select."""
    agent_words: AgentWords | None = None
    """None: there was too little to learn from, and what the agent says is scored nowhere."""
    later_chances: Mapping[str, float] | None = None
    """By module id: the chance that a conversation which begins without it needs it later. None: labels don't tell."""

"""What speaks for each module: the scores of one message, and the gate that reads them with the conversation so far.

Scores are table look-ups and a few additions, in time bounded by the reading limit. They are learned for words, and
for pieces of words that nobody wrote an example with. Scripts written without spaces are cut into single characters
and pairs of neighbours. The same text gives the same tokens, in its own order.

The gate's inputs per module, in order: the message's raw score and share; and behind the first turn once more both,
the highest raw score and share of earlier messages, 1, the message's top score, the highest raw score and share among
modules in use, the logarithm of its length, and the number of modules in use. On the first turn the last ten are
zero. A fused gate reads four more: the message's semantic score and its share, and behind the first turn once more
both.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from math import log, log1p, sqrt
from typing import NamedTuple

import numpy as np

from litellm_prompt_router.profile.fitted import GATE_INPUTS, SEMANTIC_INPUTS, Floats, Gate, ScoreTable
from litellm_prompt_router.request.route.embeddings import SemanticScores
from litellm_prompt_router.request.route.triggers import is_unspaced, unspaced_runs, words_of

MAX_TOKEN_CHARS = 24
"""Of a longer word the first characters are read."""
PIECE_CHARS = (3, 4, 5)
SHORT_PIECE_CHARS = (2, 3)
"""Scripts other than ASCII say more in a character."""
NUMBER = "0"
"""Stands for every run of digits."""


def tokens_of(folded_text: str, words: list[str] | None = None) -> list[str]:
    """Words, and for scripts without spaces single characters and pairs of them. ``words``: when they are known."""
    words = words_of(folded_text) if words is None else words
    if folded_text.isascii() or not is_unspaced(folded_text):
        return words
    runs = unspaced_runs(folded_text)
    pairs = ["".join(pair) for run in runs for pair in pairwise(run)]
    return [*words, *(character for run in runs for character in run), *pairs]


def form_of(token: str) -> str:
    """The token as the table knows it: numbers are all alike."""
    return NUMBER if token.isdigit() else token[:MAX_TOKEN_CHARS]


def pieces_of(form: str) -> list[str]:
    """The word's runs of a few characters, its edges marked; none for a single character or a number."""
    if len(form) < 2 or form == NUMBER:
        return []
    edged = f"<{form}>"
    sizes = PIECE_CHARS if form.isascii() else SHORT_PIECE_CHARS
    return [edged[at : at + size] for size in sizes for at in range(len(edged) - size + 1)]


MAX_UNSEEN_WORDS = 48
"""So many unseen words are scored by their pieces; a message with more of them says nothing by those."""
PIECES_SHARE = 1.0
"""Weight of a word's pieces beside the word itself."""
MIN_KNOWN_SHARE = 0.4
"""Of a message's distinct words; below it the message is in a language or about things the table knows nothing of."""
FEW_WORDS = 3


class Scores(NamedTuple):
    """One value per scored module: ``raw``, and ``share``, the logarithm of its share among all."""

    raw: Floats
    share: Floats
    words: int
    is_known: bool
    """False when the table has no evidence for words like these."""
    is_chat: bool
    """True when every word is one that small talk is made of."""


def score(table: ScoreTable, folded_text: str, words: list[str] | None = None) -> Scores:
    """The message's scores. ``folded_text`` is capped and folded; ``words`` are its words, when they are known."""
    tokens = dict.fromkeys(tokens_of(folded_text, words))
    rows = list(map(table.tokens.__getitem__, tokens))
    unseen: list[str] = []
    if rows and min(rows) < 0:
        missing = [token for token, row in zip(tokens, rows, strict=True) if row < 0]
        rows = [row for row in rows if row >= 0]
        unseen, more = _unseen(table, missing, rows)
        rows += more
    # The ufuncs by name: the arrays' own methods come to the same through a function in Python.
    at = np.array(rows, dtype=np.intp)
    weight = float(np.add.reduce(table.token_weights[at])) + table.unseen_weight * len(unseen)
    total = np.add.reduce(table.token_scores.take(at, axis=0), axis=0).astype(np.float64)
    if unseen:
        total += _of_pieces(table, unseen[:MAX_UNSEEN_WORDS])
    raw = total / sqrt(weight or 1.0) + table.bias
    top = np.maximum.reduce(raw)
    return Scores(
        raw=raw,
        share=raw - (top + log(np.add.reduce(np.exp(raw - top)))),
        words=len(tokens),
        is_known=_is_known(len(rows), len(rows) + len(unseen)),
        is_chat=not unseen and bool(np.logical_and.reduce(table.is_chat_token[at])),
    )


def _is_known(known: int, words: int) -> bool:
    return known > 0 and (words < FEW_WORDS or known >= MIN_KNOWN_SHARE * words)


def _unseen(table: ScoreTable, tokens: list[str], known: list[int]) -> tuple[list[str], list[int]]:
    """The forms of tokens whose form isn't known either, and the rows of those that are, where not among ``known``."""
    left: list[str] = []
    more: list[int] = []
    for token in tokens:
        form = form_of(token)
        row = table.tokens.get(form) if form != token else None
        if row is None:
            left.append(form)
        elif row not in more and row not in known:
            more.append(row)
    return left, more


def _of_pieces(table: ScoreTable, words: list[str]) -> Floats:
    found: list[int] = []
    shares: list[float] = []
    known = table.pieces
    unit = PIECES_SHARE * sqrt(table.unseen_weight / (1 + PIECES_SHARE**2))
    for word in words:
        pieces = pieces_of(word)
        here = [row for piece in pieces if (row := known.get(piece)) is not None]
        found.extend(here)
        shares.extend([unit / sqrt(len(pieces))] * len(here) if here else ())
    if not found:
        return np.zeros(len(table.bias))
    scores: Floats = np.asarray(shares) @ table.piece_scores[found]
    return scores


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

    def highest(self) -> Floats:
        """The highest raw score and share of the messages so far: a row of two for each column."""
        if self._raw is None or self._share is None:
            return np.full((self._columns, 2), NOTHING)
        return np.column_stack((self._raw, self._share))

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

"""Scores of one message: table look-ups and a few additions, in time bounded by the reading limit."""

from __future__ import annotations

from math import log, sqrt
from typing import NamedTuple

import numpy as np

from litellm_prompt_router.profile.fitted import Floats, Ints, ScoreTable
from litellm_prompt_router.request.route.features import form_of, pieces_of, tokens_of

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
    at = np.array(list(map(table.tokens.__getitem__, tokens)), dtype=np.intp)
    unseen: list[str] = []
    missing = np.flatnonzero(at < 0)
    if len(missing):
        names = list(tokens)
        at = at[at >= 0]
        unseen, more = _unseen(table, [names[number] for number in missing.tolist()], at)
        at = np.concatenate((at, np.array(more, dtype=np.intp)))
    weight = float(table.token_weights[at].sum()) + table.unseen_weight * len(unseen)
    total = table.token_scores.take(at, axis=0).sum(axis=0).astype(np.float64)
    if unseen:
        total += _of_pieces(table, unseen[:MAX_UNSEEN_WORDS])
    raw = total / sqrt(weight or 1.0) + table.bias
    top = raw.max()
    return Scores(
        raw=raw,
        share=raw - (top + log(np.exp(raw - top).sum())),
        words=len(tokens),
        is_known=_is_known(len(at), len(at) + len(unseen)),
        is_chat=not unseen and bool(table.is_chat_token[at].all()),
    )


def _is_known(known: int, words: int) -> bool:
    return known > 0 and (words < FEW_WORDS or known >= MIN_KNOWN_SHARE * words)


def _unseen(table: ScoreTable, tokens: list[str], known: Ints) -> tuple[list[str], list[int]]:
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

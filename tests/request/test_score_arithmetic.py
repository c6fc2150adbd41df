"""Scores to the last bit, beside the plain way of computing them."""

from __future__ import annotations

from math import log, sqrt

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from litellm_prompt_router.files import bundled_profiles, load_profile
from litellm_prompt_router.profile.fitted import ScoreTable
from litellm_prompt_router.profile.tokens import token_counter
from litellm_prompt_router.request.route.scores import (
    FEW_WORDS,
    MAX_UNSEEN_WORDS,
    MIN_KNOWN_SHARE,
    Scores,
    _of_pieces,
    form_of,
    score,
    tokens_of,
)
from litellm_prompt_router.request.route.triggers import folded
from tests.law_examples import examples

WORKBENCH = load_profile(bundled_profiles() / "workbench", token_counter())
WORDS = (
    "plot", "the", "revenue", "of", "orders", "csv", "12", "2025", "hello", "thanks", "qwxzy", "frobnicates", "größer",
    "表", "グラフ", "commit", "a", "x", "unfathomably-long-and-never-seen-before", "é",
)  # fmt: skip


def plain_score(table: ScoreTable, folded_text: str) -> Scores:
    """Token by token, and with the arrays' own methods."""
    rows: list[int] = []
    unseen: list[str] = []
    later: list[str] = []
    tokens = list(dict.fromkeys(tokens_of(folded_text)))
    for token in tokens:
        if table.tokens[token] < 0:
            later.append(token)
        else:
            rows.append(table.tokens[token])
    for token in later:
        row = table.tokens.get(form_of(token)) if form_of(token) != token else None
        if row is None:
            unseen.append(form_of(token))
        elif row not in rows:
            rows.append(row)
    at = np.array(rows, dtype=np.intp)
    weight = float(table.token_weights[at].sum()) + table.unseen_weight * len(unseen)
    total = table.token_scores.take(at, axis=0).sum(axis=0).astype(np.float64)
    if unseen:
        total += _of_pieces(table, unseen[:MAX_UNSEEN_WORDS])
    raw = total / sqrt(weight or 1.0) + table.bias
    words = len(rows) + len(unseen)
    return Scores(
        raw=raw,
        share=raw - (raw.max() + log(np.exp(raw - raw.max()).sum())),
        words=len(tokens),
        is_known=len(rows) > 0 and (words < FEW_WORDS or len(rows) >= MIN_KNOWN_SHARE * words),
        is_chat=not unseen and bool(table.is_chat_token[at].all()),
    )


@settings(max_examples=examples(200), deadline=None)
@given(said=st.lists(st.one_of(st.sampled_from(WORDS), st.text(max_size=8)), max_size=60))
def test_scores_are_those_of_the_plain_sum(said: list[str]) -> None:
    assert WORKBENCH.fitted is not None
    text = folded(" ".join(said))
    found, wanted = score(WORKBENCH.fitted.table, text), plain_score(WORKBENCH.fitted.table, text)
    assert found.raw.tobytes() == wanted.raw.tobytes()
    assert found.share.tobytes() == wanted.share.tobytes()
    assert found[2:] == wanted[2:]
    assert [type(each) for each in found] == [type(each) for each in wanted]

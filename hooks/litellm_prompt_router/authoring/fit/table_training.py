"""The score table: one-vs-rest logistic regression, class centroids and BM25, folded into one row per token.

A message is the set of its tokens. A token contributes itself and its pieces, both weighted by how rare it is,
and the message's vector has length one, so that all three scorers are sums over tokens and their weighted sum
is one as well. Weights were set on public intent sets: logistic regression alone needs a sixth more prompt
at twenty examples a module than with BM25; the centroid matters where a module has a handful.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from math import log, log1p, sqrt
from typing import Any

import numpy as np

from litellm_prompt_router.authoring.fit.training_documents import Document, columns_pieces, module_documents
from litellm_prompt_router.documents.bundled import install_command
from litellm_prompt_router.documents.errors import ConfigurationError
from litellm_prompt_router.profile.fitted import Flags, Floats, ScoreTable, TokenRows
from litellm_prompt_router.profile.profile import Profile
from litellm_prompt_router.request.route.scores import PIECES_SHARE, form_of, pieces_of, tokens_of
from litellm_prompt_router.request.route.triggers import capped, folded

REGULARISATION = 10.0
CENTROID_SHARE = 3.0
BM25_SHARE = 3.5
BM25_K1, BM25_B = 1.2, 0.75
NEVER_NEEDED = -8.0
"""Bias of a module without a single example."""


def forms_of(text: str) -> list[str]:
    """Distinct tokens of a message in the table's normal form, in order."""
    return list(dict.fromkeys(form_of(token) for token in tokens_of(folded(capped(text)))))


def train_table(
    profile: Profile, columns: Sequence[int], documents: Sequence[Document], chat: Sequence[Document]
) -> ScoreTable:
    """A table from documents (with their columns) and ``chat`` (with none)."""
    linear_model, sparse = libraries()
    every = [*documents, *chat]
    forms = [forms_of(document.text) for document in every]
    bodies = [
        forms_of_body("".join(profile.modules[piece].text for piece in pieces))
        for pieces in columns_pieces(profile, columns)
    ]
    found = Counter(form for text in forms for form in text)
    found.update({form: 0 for body in bodies for form in body})
    tokens = {form: row for row, form in enumerate(sorted(found))}
    rarity = np.array([log(1 + len(every) / max(1, found[form])) for form in tokens])
    pieces_of_token = [pieces_of(form) for form in tokens]
    seen = [form for form in tokens if found[form]]
    pieces = {piece: row for row, piece in enumerate(sorted({p for form in seen for p in pieces_of(form)}))}
    spread = _spread(sparse, tokens, rarity, pieces_of_token, pieces)
    weights = rarity**2 * np.array([1 + PIECES_SHARE**2 * bool(parts) for parts in pieces_of_token])
    vectors = _vectors(sparse, forms, tokens, weights, spread)
    wanted = np.zeros((len(every), len(columns)), dtype=np.bool_)
    for number, document in enumerate(every):
        wanted[number, sorted(document.columns)] = True
    coefficients, bias = _one_vs_rest(linear_model, vectors, wanted)
    coefficients += CENTROID_SHARE * _centroids(vectors, wanted)
    folded_rows = np.asarray(spread @ coefficients.T)
    folded_rows += BM25_SHARE * bm25(forms, bodies, wanted, tokens)
    is_chat = np.zeros(len(tokens), dtype=np.bool_)
    is_chat[[tokens[form] for text in forms[len(documents) :] for form in text]] = True
    rarest = log1p(len(every))
    return ScoreTable(
        columns=tuple(columns),
        tokens=TokenRows(tokens),
        token_scores=_stored(folded_rows),
        token_weights=weights.astype(np.float32),
        is_chat_token=is_chat,
        pieces=pieces,
        piece_scores=_stored(coefficients[:, len(tokens) :].T),
        unseen_weight=rarest**2 * (1 + PIECES_SHARE**2),
        bias=np.round(bias, 6),
    )


def table_of_texts(profile: Profile, columns: Sequence[int]) -> ScoreTable:
    """A score table without fitting or scikit-learn: BM25 over titles, descriptions, bodies and examples.

    Nothing is calibrated on it, so it explains decisions and selects nothing: without triggers every module is sent.
    """
    documents = [(document.text, document.columns) for document in module_documents(profile, columns)]
    examples = [
        (text, frozenset({column}))
        for column, pieces in enumerate(columns_pieces(profile, columns))
        for piece in pieces
        for text in profile.modules[piece].examples
    ]
    every = [*documents, *examples]
    forms = [forms_of(text) for text, _ in every]
    bodies = [
        forms_of_body("".join(profile.modules[piece].text for piece in pieces))
        for pieces in columns_pieces(profile, columns)
    ]
    found = Counter(form for text in forms for form in text)
    found.update({form: 0 for body in bodies for form in body})
    tokens = {form: row for row, form in enumerate(sorted(found))}
    wanted = np.zeros((len(every), len(columns)), dtype=np.bool_)
    for number, (_, needed) in enumerate(every):
        wanted[number, sorted(needed)] = True
    rarest = log1p(len(every))
    return ScoreTable(
        columns=tuple(columns),
        tokens=TokenRows(tokens),
        token_scores=bm25(forms, bodies, wanted, tokens).astype(np.float32),
        token_weights=np.ones(len(tokens), dtype=np.float32),
        is_chat_token=np.zeros(len(tokens), dtype=np.bool_),
        pieces={},
        piece_scores=np.zeros((0, len(columns)), dtype=np.float32),
        unseen_weight=rarest,
        bias=np.zeros(len(columns)),
    )


def forms_of_body(text: str) -> list[str]:
    """All tokens of a module's whole text, repetitions included."""
    return [form_of(token) for token in tokens_of(folded(text))]


def libraries() -> tuple[Any, Any]:
    """scikit-learn's linear models and SciPy's sparse matrices. Raises ConfigurationError where they are missing."""
    try:
        from scipy import sparse
        from sklearn import linear_model
    except ImportError:
        raise ConfigurationError([f"fit: needs scikit-learn; install the extra: {install_command('fit')}"]) from None
    return linear_model, sparse


def _spread(
    sparse: Any, tokens: dict[str, int], rarity: Floats, pieces_of_token: Sequence[list[str]], pieces: dict[str, int]
) -> Any:
    """Token by feature: what one token adds to a message, the token itself and its pieces."""
    rows, columns, shares = list(range(len(tokens))), list(range(len(tokens))), rarity.tolist()
    for row, parts in enumerate(pieces_of_token):
        known = [pieces[part] for part in parts if part in pieces]
        rows += [row] * len(known)
        columns += [len(tokens) + piece for piece in known]
        shares += [PIECES_SHARE * rarity[row] / sqrt(len(parts))] * len(known) if known else []
    return sparse.csr_matrix((shares, (rows, columns)), shape=(len(tokens), len(tokens) + len(pieces)))


def _vectors(sparse: Any, forms: Sequence[list[str]], tokens: dict[str, int], weights: Floats, spread: Any) -> Any:
    """Document by feature."""
    rows = [number for number, text in enumerate(forms) for _ in text]
    columns = [tokens[form] for text in forms for form in text]
    length = np.array([sqrt(sum(weights[tokens[form]] for form in text)) or 1.0 for text in forms])
    shares = [1 / length[row] for row in rows]
    return sparse.csr_matrix((shares, (rows, columns)), shape=(len(forms), len(tokens))) @ spread


def _one_vs_rest(linear_model: Any, vectors: Any, wanted: Flags) -> tuple[Floats, Floats]:
    coefficients = np.zeros((wanted.shape[1], vectors.shape[1]))
    bias = np.full(wanted.shape[1], NEVER_NEEDED)
    for column in range(wanted.shape[1]):
        if 0 < wanted[:, column].sum() < len(wanted):
            model = linear_model.LogisticRegression(
                C=REGULARISATION, solver="liblinear", random_state=0, class_weight="balanced"
            )
            model.fit(vectors, wanted[:, column])
            coefficients[column], bias[column] = model.coef_[0], model.intercept_[0]
    return coefficients, bias


def _centroids(vectors: Any, wanted: Flags) -> Floats:
    centres = np.zeros((wanted.shape[1], vectors.shape[1]))
    for column in range(wanted.shape[1]):
        if wanted[:, column].any():
            centre = np.asarray(vectors[wanted[:, column]].mean(axis=0))[0]
            centres[column] = centre / (np.linalg.norm(centre) or 1.0)
    return centres


def bm25(forms: Sequence[list[str]], bodies: Sequence[list[str]], wanted: Flags, tokens: dict[str, int]) -> Floats:
    """Token by column: each module's text, title, description and examples as one document."""
    counts = np.zeros((len(tokens), wanted.shape[1]))
    for column, body in enumerate(bodies):
        for form, times in Counter(body).items():
            counts[tokens[form], column] += times
    for number, text in enumerate(forms):
        for column in np.flatnonzero(wanted[number]).tolist():
            counts[[tokens[form] for form in text], column] += 1
    sizes = counts.sum(axis=0)
    usual = BM25_K1 * (1 - BM25_B + BM25_B * sizes / (sizes.mean() or 1.0))
    holders = (counts > 0).sum(axis=1)
    rarity = np.log1p((wanted.shape[1] - holders + 0.5) / (holders + 0.5))
    scores: Floats = counts * (BM25_K1 + 1) / (counts + usual) * rarity[:, None]
    return scores


def _stored(scores: Floats) -> Any:
    """Scores in the precision that the file keeps, so that calibration and proxy use the same values."""
    return scores.astype(np.float16).astype(np.float32)

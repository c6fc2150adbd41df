"""Module vectors: one-vs-rest logistic regression over an embedding model's vectors of messages in their context.

Models differ in how far apart their vectors lie (some keep every cosine above 0.8), so the vectors are centred and
scaled to a mean square length of one, for which one regularisation does. Classes are balanced: how often a module is
needed is the gate's to weigh.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from litellm_prompt_router.authoring.fit.table_training import NEVER_NEEDED, libraries
from litellm_prompt_router.authoring.fit.training_documents import (
    SMALL_TALK,
    Document,
    descriptions,
    messages_in_context,
)
from litellm_prompt_router.files.labelled_messages import Conversations, Numbered
from litellm_prompt_router.profile.fitted import Flags, Floats, SmallFloats
from litellm_prompt_router.profile.profile import Profile
from litellm_prompt_router.request.route.embeddings import MessageEmbedding, embedded_part

REGULARISATION = 1.0


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Embedded:
    """Vectors of every text that a fit reads, keyed by the part of the text that was embedded."""

    model: str
    known: Mapping[str, MessageEmbedding]

    def lookup(self, _model: str, texts: Sequence[str]) -> Mapping[str, MessageEmbedding]:
        """A Lookup over these texts alone, without calls to the model."""
        return {text: self.known[text] for text in texts if text in self.known}


def texts_to_embed(profile: Profile, columns: Sequence[int], cases: Sequence[Numbered]) -> tuple[str, ...]:
    """Every text that a fit needs a vector of, each once."""
    conversations = Conversations(case for _, case in cases)
    texts = [embedded_part(document.text) for document in descriptions(profile, columns)]
    texts += [embedded_part(text) for module in profile.modules for text in module.examples]
    texts += SMALL_TALK
    texts += [text for _, case in cases for text in messages_in_context(profile, conversations.turns_of(case))]
    return tuple(dict.fromkeys(text for text in texts if text.strip()))


def train_vectors(
    columns: Sequence[int], about: Sequence[Document], messages: Sequence[Document], embedded: Embedded
) -> tuple[SmallFloats, Floats]:
    """``(vectors, bias)``: a vector and a bias for each column.

    ``about``: what the modules' descriptions say; centred by themselves, since they aren't worded as
    messages are.
    """
    linear_model, _ = libraries()
    points, wanted = _points(messages, len(columns), embedded)
    described, columns_described = _points(about, len(columns), embedded)
    middle = _middle(messages, points, embedded)
    points = points - middle
    length = float(np.sqrt((points**2).sum(axis=1).mean())) if len(points) else 0.0
    if len(described):
        points = np.concatenate([points, described - described.mean(axis=0)])
        wanted = np.concatenate([wanted, columns_described])
    points = points / (length or 1.0)
    vectors = np.zeros((len(columns), points.shape[1]))
    bias = np.full(len(columns), NEVER_NEEDED)
    for column in range(len(columns)):
        here = wanted[:, column]
        if 0 < here.sum() < len(here):
            model = linear_model.LogisticRegression(C=REGULARISATION, max_iter=1000, class_weight="balanced")
            model.fit(points, here)
            vectors[column], bias[column] = model.coef_[0] / (length or 1.0), model.intercept_[0]
    stored = vectors.astype(np.float16).astype(np.float32)
    return stored, np.round(bias - stored @ middle, 6)


def _middle(messages: Sequence[Document], points: Floats, embedded: Embedded) -> Floats:
    """The middle of the messages other than ready-made small talk, where there are such."""
    ready_made = frozenset(SMALL_TALK)
    known = [document for document in messages if embedded_part(document.text) in embedded.known]
    own = np.array([document.text not in ready_made for document in known], dtype=np.bool_)
    if not len(points):
        return np.zeros(points.shape[1])
    return np.asarray(points[own].mean(axis=0) if own.any() else points.mean(axis=0), dtype=np.float64)


def _points(documents: Sequence[Document], columns: int, embedded: Embedded) -> tuple[Floats, Flags]:
    """The vectors of those that have one, and by column whether they need it."""
    taught = [(document, m) for document in documents if (m := embedded.known.get(embedded_part(document.text)))]
    size = len(next(iter(embedded.known.values())).vector) if embedded.known else 0
    points = np.array([meaning.vector for _, meaning in taught], dtype=np.float64).reshape(-1, size)
    wanted: Flags = np.zeros((len(taught), columns), dtype=np.bool_)
    for number, (document, _) in enumerate(taught):
        wanted[number, sorted(document.columns)] = True
    return points, wanted

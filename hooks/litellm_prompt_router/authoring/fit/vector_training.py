"""Module vectors: one-vs-rest logistic regression and centroids over an embedding model's vectors.

They learn from the same documents as the table, and from pieces of the modules' own texts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from litellm_prompt_router.authoring.fit.table_training import NEVER_NEEDED, libraries
from litellm_prompt_router.authoring.fit.training_documents import (
    SMALL_TALK,
    Document,
    body_documents,
    module_documents,
)
from litellm_prompt_router.files.labelled_messages import Numbered
from litellm_prompt_router.profile.fitted import Flags, Floats, SmallFloats
from litellm_prompt_router.profile.profile import Profile
from litellm_prompt_router.request.route.embeddings import MessageEmbedding, embedded_part

REGULARISATION = 10.0
CENTROID_SHARE = 3.0


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
    texts = [document.text for document in module_documents(profile, columns)]
    texts += [piece.text for piece in body_documents(profile, columns)]
    texts += [example for module in profile.modules for example in module.examples]
    texts += SMALL_TALK
    texts += [text for _, case in cases for text in (*case.history, case.text)]
    return tuple(dict.fromkeys(part for text in texts if (part := embedded_part(text)).strip()))


def train_vectors(
    columns: Sequence[int], documents: Sequence[Document], embedded: Embedded
) -> tuple[SmallFloats, Floats]:
    """``(vectors, bias)``: a vector and a bias for each column."""
    linear_model, _ = libraries()
    taught = [(document, m) for document in documents if (m := embedded.known.get(embedded_part(document.text)))]
    points = np.array([meaning.vector for _, meaning in taught], dtype=np.float64)
    wanted: Flags = np.zeros((len(taught), len(columns)), dtype=np.bool_)
    for number, (document, _) in enumerate(taught):
        wanted[number, sorted(document.columns)] = True
    middle = points.mean(axis=0)
    points -= middle
    vectors = np.zeros((len(columns), points.shape[1]))
    bias = np.full(len(columns), NEVER_NEEDED)
    for column in range(len(columns)):
        here = wanted[:, column]
        if 0 < here.sum() < len(here):
            model = linear_model.LogisticRegression(C=REGULARISATION, max_iter=1000)
            model.fit(points, here)
            centre = points[here].mean(axis=0)
            vectors[column] = model.coef_[0] + CENTROID_SHARE * centre / (np.linalg.norm(centre) or 1.0)
            bias[column] = model.intercept_[0]
    stored = vectors.astype(np.float16).astype(np.float32)
    return stored, np.round(bias - stored @ middle, 6)

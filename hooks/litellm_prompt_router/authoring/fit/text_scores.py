"""What modules' own texts say of a message before anything was fitted: BM25 over title, description, body, examples.

Nothing is calibrated on it, so it explains and selects nothing: without triggers every module is sent.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from math import log1p

import numpy as np

from litellm_prompt_router.authoring.fit.table_training import bm25, forms_of, forms_of_body, module_documents
from litellm_prompt_router.profile.fitted import ScoreTable, TokenRows
from litellm_prompt_router.profile.profile import Profile


def table_of_texts(profile: Profile, columns: Sequence[int]) -> ScoreTable:
    """A score table of the profile's texts alone; needs no scikit-learn."""
    documents = [(document.text, document.columns) for document in module_documents(profile, columns)]
    examples = [(text, frozenset({column})) for column, n in enumerate(columns) for text in profile.modules[n].examples]
    every = [*documents, *examples]
    forms = [forms_of(text) for text, _ in every]
    bodies = [forms_of_body(profile.modules[number].text) for number in columns]
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

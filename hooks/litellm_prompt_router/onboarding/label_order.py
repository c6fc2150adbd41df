"""In which order messages are worth a person's time, and which modules each may need, before anything is learned.

Words and meaning of the modules' own texts are compared with the messages'. That is far from safe enough to leave a
module out, and nothing does so for it: it only says what to ask first, and which answers to offer first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from litellm_prompt_router.authoring.fit import table_of_texts
from litellm_prompt_router.authoring.fit.training_documents import body_documents, module_documents
from litellm_prompt_router.files.labelled_messages import Case
from litellm_prompt_router.profile.fitted import Flags, Floats
from litellm_prompt_router.profile.profile import Profile
from litellm_prompt_router.request.route import MessageEmbedding, Router
from litellm_prompt_router.request.route.embeddings import embedded_part
from litellm_prompt_router.request.route.scores import score
from litellm_prompt_router.request.route.triggers import capped, folded
from litellm_prompt_router.request.types import Turn

BODY_SHARE, WORDS_SHARE = 1.0, 0.7
"""Of the modules' whole texts, and of words, beside titles and descriptions by meaning."""
DISMISSED = ("small_talk", "follow_up")

Vectors = Mapping[str, MessageEmbedding]
"""What is known of texts by their meaning, by ``embedded_part`` of each."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CaseToLabel:
    """A message, and how much speaks for each module in question. What is said of one message compares with others'."""

    case: Case
    scores: tuple[float, ...]
    doubt: float
    """From 0, one module stands out, to 1, two are alike; below 0 for small talk and follow-ups."""

    def best_first(self) -> tuple[int, ...]:
        """The places of the modules in question, in order of score."""
        return tuple(sorted(range(len(self.scores)), key=lambda place: -self.scores[place]))


def cases_with_scores(
    profile: Profile, asked: Sequence[int], cases: Sequence[Case], vectors: Vectors | None = None
) -> tuple[CaseToLabel, ...]:
    """The messages in the same order. ``vectors``: by meaning, too, where the model that gave them knows all texts."""
    if not cases or not asked:
        return tuple(CaseToLabel(case=case, scores=(0.0,) * len(asked), doubt=1.0) for case in cases)
    table = table_of_texts(profile, asked)
    scores = _compared([score(table, folded(capped(case.text))).raw for case in cases])
    if vectors:
        scores = scores * WORDS_SHARE + _by_meaning(profile, asked, cases, vectors)
    chances = np.exp(scores - scores.max(axis=1, keepdims=True))
    chances /= chances.sum(axis=1, keepdims=True)
    router = Router(profile)
    return tuple(
        CaseToLabel(
            case=case,
            scores=tuple(np.round(scores[number], 4).tolist()),
            doubt=-1.0 if _is_dismissed(case, router) else _doubt(chances[number]),
        )
        for number, case in enumerate(cases)
    )


def most_uncertain_first(cases: Sequence[CaseToLabel]) -> tuple[CaseToLabel, ...]:
    """For each module that messages seem to need, the most doubtful of them in turn, so that none waits for the end."""
    queues: dict[int, list[CaseToLabel]] = {}
    for case in sorted(cases, key=lambda case: -case.doubt):
        top = case.best_first()[0] if case.scores and case.doubt >= 0 else -1
        queues.setdefault(top, []).append(case)
    dismissed = queues.pop(-1, [])
    turns = [(nth, case) for queue in queues.values() for nth, case in enumerate(queue)]
    turns.sort(key=lambda turn: (turn[0], -turn[1].doubt))
    return (*(case for _, case in turns), *dismissed)


def texts_to_compare(profile: Profile, asked: Sequence[int], cases: Sequence[Case]) -> tuple[str, ...]:
    """Every text whose meaning is compared, each once, as it goes to an embedding model."""
    documents = (*module_documents(profile, asked), *body_documents(profile, asked))
    texts = [*(document.text for document in documents), *(case.text for case in cases)]
    return tuple(dict.fromkeys(part for text in texts if (part := embedded_part(text)).strip()))


def _by_meaning(profile: Profile, asked: Sequence[int], cases: Sequence[Case], vectors: Vectors) -> Floats:
    messages = [vectors.get(embedded_part(case.text)) for case in cases]
    known: Flags = np.array([message is not None for message in messages], dtype=np.bool_)
    total = np.zeros((len(cases), len(asked)))
    if not known.any():
        return total
    there = np.array([message.vector for message in messages if message is not None], dtype=np.float64)
    for share, documents in (
        (1.0, module_documents(profile, asked)),
        (BODY_SHARE, body_documents(profile, asked)),
    ):
        found = [(next(iter(d.columns)), v.vector) for d in documents if (v := vectors.get(embedded_part(d.text)))]
        nearest = np.zeros((len(there), len(asked)))
        for column in range(len(asked)):
            own = [vector for at, vector in found if at == column]
            if own:
                nearest[:, column] = (there @ np.array(own, dtype=np.float64).T).max(axis=1)
        total[known] += share * _compared(list(nearest))
    return total


def _compared(scores: Sequence[Floats]) -> Floats:
    """Each module's scores against those it has for the other messages: some modules' texts resemble everything."""
    every: Floats = np.array(scores, dtype=np.float64)
    spread = every.std(axis=0)
    if len(every) < 3:  # too few to compare with
        every = every - every.mean(axis=1, keepdims=True)
        return every / (every.std() or 1.0)
    compared: Floats = (every - every.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
    return compared


def _is_dismissed(case: Case, router: Router) -> bool:
    turns = [Turn(role="user", text=text) for text in (*case.history, case.text)]
    return router.decide(turns).message_kind in DISMISSED


def _doubt(chances: Floats) -> float:
    """How close the two likeliest modules are."""
    if len(chances) < 2:
        return 1.0
    second, best = np.sort(chances)[-2:].tolist()
    return float(round(1.0 - (best - second), 6))

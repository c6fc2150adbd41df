"""Meaning: vectors that an embedding model gave for messages, and what they say for each module.

No vector is fetched here. They are passed in, and a message without one is scored by its words alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import log
from typing import NamedTuple

import numpy as np

from litellm_prompt_router.profile.fitted import Fitted, Floats, Semantics, SmallFloats
from litellm_prompt_router.request.route.triggers import capped
from litellm_prompt_router.request.types import Turn

EMBEDDED_CHARS = 2_000
"""So much of a message, its head and its tail, goes to the embedding model: about the 512 tokens that small models read
(sbert.net, "Pretrained Models", checked 2026-11)."""
TAIL_SHARE = 0.4
CONTEXT_CHARS, MESSAGE_CHARS = 400, 1_100
"""So much of the user's message before and of what the agent said last goes with a message, and of that itself."""
ROUNDING = 0.01


@dataclass(frozen=True, slots=True, eq=False)
class MessageEmbedding:
    """A message's vector, of length one. ``digest`` is that of its bytes: the same vector, the same decision."""

    vector: SmallFloats
    digest: int

    @classmethod
    def of(cls, values: object) -> MessageEmbedding | None:
        """The direction of what a model answered; None for anything but a list of finite numbers, not all zero."""
        try:
            vector = np.asarray(values, dtype=np.float64)
        except (TypeError, ValueError, OverflowError):
            return None
        if vector.ndim != 1 or not len(vector):
            return None
        largest = float(np.abs(vector).max())
        if not np.isfinite(largest) or largest == 0.0:
            return None
        vector = vector / largest  # so that no square overflows
        return cls._rounded(vector / np.linalg.norm(vector))

    @classmethod
    def unpacked(cls, raw: bytes) -> MessageEmbedding | None:
        """What ``packed`` made; None for anything else."""
        if not raw or len(raw) % 2:
            return None
        vector = np.frombuffer(raw, dtype="<f2").astype(np.float32)
        length = float(np.linalg.norm(vector))
        return cls._rounded(vector) if abs(length - 1) < ROUNDING else None

    def packed(self) -> bytes:
        return self.vector.astype("<f2").tobytes()

    @classmethod
    def _rounded(cls, vector: Floats | SmallFloats) -> MessageEmbedding:
        """In the precision that replicas share, so that one that asked and one that was told agree."""
        small = vector.astype(np.float16)
        return cls(small.astype(np.float32), hash(small.tobytes()))


Lookup = Callable[[str, Sequence[str]], Mapping[str, MessageEmbedding]]
"""``(model, texts)`` to the vectors that are known; a text without one is to be scored by its words alone."""


def no_embeddings(_model: str, _texts: Sequence[str]) -> Mapping[str, MessageEmbedding]:
    """For those who have no embedding model at hand."""
    return {}


class SemanticScores(NamedTuple):
    """One value per scored module, as in Scores."""

    raw: Floats
    share: Floats


def in_context(turns: Sequence[Turn], own: Callable[[Turn], str | None]) -> dict[int, str]:
    """What goes to the embedding model of each user message that has words of the user's, by turn."""
    return dict(each_in_context(turns, own))


def each_in_context(turns: Sequence[Turn], own: Callable[[Turn], str | None]) -> Iterator[tuple[int, str]]:
    """The same, one after the other.

    The user's message before, what the agent had said last, and this message, each where it is there and capped. A
    pure function of the turns up to the message. ``own``: the user's own words in a turn.
    """
    before = said = ""
    for at, turn in enumerate(turns):
        if turn.role == "assistant":
            said = turn.text if turn.text.strip() else said
        elif turn.role == "user" and (text := own(turn)) is not None:
            context = [embedded_part(part, CONTEXT_CHARS) for part in (before, said) if part.strip()]
            yield at, "\n".join((*context, embedded_part(text, MESSAGE_CHARS if context else EMBEDDED_CHARS)))
            before, said = (text if text.strip() else before), ""


def embedded_part(text: str, most_chars: int = EMBEDDED_CHARS) -> str:
    """The head and the tail of a text, as the embedding model is given it."""
    text = capped(text)
    if len(text) > most_chars:
        tail = int(most_chars * TAIL_SHARE)
        text = f"{text[: most_chars - tail - 1]}\n{text[-tail:]}"
    return text if text.isascii() else text.encode("utf-8", "replace").decode()  # a lone surrogate is no JSON


def semantic_scores(semantics: Semantics, embedding: MessageEmbedding) -> SemanticScores:
    """What the message's meaning says for each module. The vector is as long as the modules' are."""
    raw = (semantics.vectors @ embedding.vector).astype(np.float64) + semantics.bias
    top = float(raw.max())
    return SemanticScores(raw, raw - (top + log(float(np.exp(raw - top).sum()))))


def promised(fitted: Fitted | None) -> Semantics | None:
    """The semantic part, where something is promised with it and without it."""
    if fitted is None or fitted.semantics is None:
        return None
    is_promised = "none" not in (fitted.calibration.promise, fitted.semantics.calibration.promise)
    return fitted.semantics if is_promised else None

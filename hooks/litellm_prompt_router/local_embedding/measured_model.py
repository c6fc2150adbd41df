"""How long a model takes for a message on this machine, by one thread."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from litellm_prompt_router.local_embedding.sentence_encoder import SentenceEncoder
from litellm_prompt_router.local_embedding.server_probe import SHORT_MESSAGE

LONG_MESSAGE = " ".join([SHORT_MESSAGE] * 40)
"""More tokens than are read."""
TIMES = {SHORT_MESSAGE: 50, LONG_MESSAGE: 10}


@dataclass(frozen=True, kw_only=True, slots=True)
class MessageTime:
    tokens: int
    median_ms: float
    p95_ms: float


@dataclass(frozen=True, kw_only=True, slots=True)
class MeasuredModel:
    """``size``: numbers in a vector; ``bytes``: of the folder's files."""

    size: int
    bytes: int
    spans: tuple[MessageTime, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types."""
        return asdict(self)


def measure(folder: Path) -> MeasuredModel:
    """Raises ConfigurationError for a folder that holds no model."""
    encoder = SentenceEncoder(folder)
    size = len(encoder.packed(SHORT_MESSAGE)) // 2
    spans = tuple(_span(encoder, text, times) for text, times in TIMES.items())
    return MeasuredModel(size=size, bytes=sum(file.stat().st_size for file in folder.iterdir()), spans=spans)


def _span(encoder: SentenceEncoder, text: str, times: int) -> MessageTime:
    taken: list[float] = []
    for _ in range(times):
        started = time.perf_counter()
        encoder.packed(text)
        taken.append((time.perf_counter() - started) * 1_000)
    taken.sort()
    return MessageTime(
        tokens=len(encoder.tokens(text)),
        median_ms=round(taken[len(taken) // 2], 2),
        p95_ms=round(taken[min(len(taken) - 1, int(len(taken) * 0.95))], 2),
    )

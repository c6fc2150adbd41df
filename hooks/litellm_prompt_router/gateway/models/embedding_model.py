"""Any embedding model that LiteLLM reaches, or a model group of the proxy this runs in: what requests ask.

The adapter to LiteLLM's embedding calls.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import litellm

from litellm_prompt_router.gateway import proxy_server
from litellm_prompt_router.request.route import MessageEmbedding

YIELD_EVERY = 8
"""Vectors read before other requests get their turn."""


class NotVectorsError(Exception):
    """The answer holds no vector for each text."""


async def ask_embedding_model(model: str, texts: Sequence[str], timeout_seconds: float) -> list[MessageEmbedding]:
    """A vector for each text, in one call. Raises whatever LiteLLM raises, and NotVectorsError."""
    router = proxy_server.llm_router()
    is_group = router is not None and bool(router.get_model_list(model_name=model))
    call = router.aembedding if router is not None and is_group else litellm.aembedding
    # An OpenAI client tries three times all the same: LiteLLM 1.106 takes no retries for the usual number of them.
    answer = await call(model=model, input=list(texts), timeout=timeout_seconds, num_retries=0)
    embeddings: list[MessageEmbedding] = []
    for number, row in enumerate(_rows(answer, len(texts))):
        if number % YIELD_EVERY == YIELD_EVERY - 1:
            await asyncio.sleep(0)
        embeddings.append(_embedding(row))
    return embeddings


def vectors_in(answer: Any, wanted: int) -> list[MessageEmbedding]:
    """The vectors in an answer to so many texts. Raises NotVectorsError."""
    return [_embedding(row) for row in _rows(answer, wanted)]


def _rows(answer: Any, wanted: int) -> list[Any]:
    """What the answer holds for each text, in the order of the texts."""
    data = getattr(answer, "data", None)
    if not isinstance(data, list) or len(data) != wanted:
        raise NotVectorsError("an answer without a vector for each text")
    rows: list[Any] = [None] * wanted
    for place, item in enumerate(data):
        number = _field(item, "index")
        rows[number if isinstance(number, int) and 0 <= number < wanted else place] = _field(item, "embedding")
    return rows


def _field(item: Any, name: str) -> Any:
    return item.get(name) if isinstance(item, dict) else getattr(item, name, None)


def _embedding(row: Any) -> MessageEmbedding:
    embedding = MessageEmbedding.of(row) if isinstance(row, list) else None
    if embedding is None:
        raise NotVectorsError("an answer that is no list of numbers")
    return embedding

"""The models that requests of this process wait for: what they said, what asking cost, and where that is kept."""

from __future__ import annotations

import atexit
from collections.abc import Callable, Mapping
from typing import Any

from litellm_prompt_router.gateway.models.answer_cache import AnswerCache
from litellm_prompt_router.gateway.models.answer_stores import FileAnswers, RedisAnswers
from litellm_prompt_router.gateway.models.embedding_cache import EmbeddingCache, TextsToEmbed
from litellm_prompt_router.gateway.models.embedding_model import ask_embedding_model
from litellm_prompt_router.gateway.models.local_embeddings import LocalEmbeddings, ask_of
from litellm_prompt_router.gateway.models.routing_bills import RoutingBills
from litellm_prompt_router.gateway.models.routing_calls import Asking, RoutingCalls, Tell
from litellm_prompt_router.gateway.models.routing_model import ask_routing_model
from litellm_prompt_router.policy.settings import Settings
from litellm_prompt_router.record.record import Record, RoutingOutcome
from litellm_prompt_router.request.route import RoutingQuestion


class AskedModels:
    """``submit``: takes finished records, each with what its request's questions cost. ``tell``: told of problems.

    Where LiteLLM has no Redis, answers of routing models are kept in the settings' status folder; without one in this
    process alone.
    """

    def __init__(self, settings: Settings, submit: Callable[[Record], None], tell: Tell) -> None:
        folder = settings.status_folder
        self.local = LocalEmbeddings(tell, threads=settings.embedding_threads)
        self.embeddings = EmbeddingCache(ask_of(self.local, ask_embedding_model), tell)
        self.bills = RoutingBills(submit)
        self.answers = AnswerCache(RoutingCalls(ask_routing_model, self.bills, tell), tell)
        self._file = FileAnswers(folder) if folder is not None else None
        atexit.register(self.close)

    async def answer(self, wanted: TextsToEmbed | Asking, redis: Any) -> Mapping[RoutingQuestion, RoutingOutcome]:
        """Waits for the models, no longer than the profile says; what became of each question that was asked."""
        if isinstance(wanted, TextsToEmbed):
            await self.embeddings.fetch(wanted.model, wanted.texts, wanted.timeout_seconds, redis)
            return {}
        store = RedisAnswers(redis) if redis is not None else self._file
        return await self.answers.fetch(wanted, store)

    def close(self) -> None:
        """Hands over the records that still wait for a bill; also called at the process's end."""
        atexit.unregister(self.close)
        self.local.close()
        self.bills.close()
        if self._file is not None:
            self._file.close()

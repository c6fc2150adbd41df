"""Any model that LiteLLM reaches, for commands that need one. Keys come from the environment, as usual there.

The adapter to LiteLLM's completion and embedding calls.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any

import litellm

from litellm_prompt_router.authoring.examples import ModelAnswer, ModelFailedError
from litellm_prompt_router.cache_model.usage import Usage, read_usage
from litellm_prompt_router.documents.errors import ConfigurationError
from litellm_prompt_router.gateway.deployments.capabilities import target_of_model
from litellm_prompt_router.gateway.models.embedding_model import vectors_in
from litellm_prompt_router.request.route import MessageEmbedding

TIMEOUT_SECONDS = 180.0
EMBEDDING_SECONDS = 60.0
BATCH = 64
"""Texts in one call."""
FINAL_STATUSES = frozenset({400, 401, 403, 404, 422})
"""Answers that stay the same however often one asks."""
FIRST_WAIT_SECONDS = 1.0
"""Before the second try; each further wait is twice as long."""
MAX_PROBLEM_CHARS = 300

_SECRET = re.compile(r"(?=[\w-]*\d)[\w*-]{20,}")
_PREFIX = re.compile(r"^(?:(?:litellm\.)?\w+(?:Error|Timeout): )+")


class LanguageModel:
    """A model by LiteLLM's name for it, at its usual address or at ``api_base``. ``params`` go with every question."""

    def __init__(
        self, name: str, api_base: str | None, *, retries: int = 0, params: Mapping[str, Any] | None = None
    ) -> None:
        self._name = name
        self._params = params or {}
        self._retries = retries
        self._api_base = api_base
        self._takes_marks = target_of_model(name).takes_marks

    def __call__(self, *, system: str, user: str) -> ModelAnswer:
        """Raises ModelFailedError, whatever went wrong."""
        for attempt in range(self._retries):
            try:
                return self._answer(system, user)
            except ModelFailedError as error:
                if error.is_final:
                    raise
                time.sleep(FIRST_WAIT_SECONDS * 2**attempt)
        return self._answer(system, user)

    def _answer(self, system: str, user: str) -> ModelAnswer:
        litellm.suppress_debug_info = True  # it prints an advertisement on stdout otherwise
        try:
            response: Any = litellm.completion(
                model=self._name,
                api_base=self._api_base,
                messages=[
                    {"role": "system", "content": self._marked(system)},
                    {"role": "user", "content": user},
                ],
                timeout=TIMEOUT_SECONDS,
                max_retries=0,  # and LiteLLM's own need a package that doesn't come with it
                drop_params=True,
                **self._params,
            )
            text = response.choices[0].message.content or ""
            usage = response.usage
            return ModelAnswer(
                text=text,
                input_tokens=usage.prompt_tokens,
                output_tokens=usage.completion_tokens,
                usd=_usd(response),
            )
        except Exception as error:
            is_final = getattr(error, "status_code", None) in FINAL_STATUSES
            raise ModelFailedError(_problem(error), is_final=is_final) from None

    def _marked(self, system: str) -> str | list[dict[str, Any]]:
        """With a cache mark where the provider wants one: every question has the same system prompt."""
        if not self._takes_marks:
            return system
        return [{"type": "text", "text": system, "cache_control": {"type": "ephemeral"}}]


class EmbeddingModel:
    """An embedding model by LiteLLM's name for it, at its usual address or at ``api_base``."""

    def __init__(self, name: str, api_base: str | None) -> None:
        self._name = name
        self._api_base = api_base

    def __call__(self, texts: Sequence[str], advance: Callable[[int], None]) -> dict[str, MessageEmbedding]:
        """A vector for each text; ``advance`` is told of how many. Raises ConfigurationError, whatever went wrong."""
        litellm.suppress_debug_info = True
        found: dict[str, MessageEmbedding] = {}
        for at in range(0, len(texts), BATCH):
            batch = list(texts[at : at + BATCH])
            try:
                answer: Any = litellm.embedding(
                    model=self._name, input=batch, api_base=self._api_base, timeout=EMBEDDING_SECONDS, num_retries=1
                )
                found.update(zip(batch, vectors_in(answer, len(batch)), strict=True))
            except Exception as error:
                problem = f"embedding model {self._name!r}: {_problem(error)}; check its name, key and address"
                raise ConfigurationError([f"{problem} (--embedding-model, --api-base)"]) from None
            advance(len(found))
        if len({len(embedding.vector) for embedding in found.values()}) > 1:
            raise ConfigurationError([f"embedding model {self._name!r}: its vectors differ in length; use another"])
        return found


class ReportedUsage:
    """What a provider reports of chat bodies, by LiteLLM's name of the model, at its usual address or ``api_base``."""

    def __init__(self, name: str, api_base: str | None) -> None:
        self._name = name
        self._api_base = api_base

    def __call__(self, body: Mapping[str, Any]) -> Usage:
        """The usage of the answer. Raises ConfigurationError, whatever went wrong."""
        litellm.suppress_debug_info = True
        try:
            answer: Any = litellm.completion(
                model=self._name,
                api_base=self._api_base,
                timeout=TIMEOUT_SECONDS,
                max_retries=0,
                drop_params=True,
                **body,
            )
            usage = read_usage(answer.usage)
        except Exception as error:
            problem = f"model {self._name!r}: {_problem(error)}; check its name, key and address (--api-base)"
            raise ConfigurationError([problem]) from None
        if usage is None:
            raise ConfigurationError([f"model {self._name!r}: its provider reports no usage; nothing to check by"])
        return usage


def price_of(model: str, input_tokens: int, output_tokens: int) -> Decimal | None:
    """What so many tokens cost at LiteLLM's prices, uncached; None where it has none for the model."""
    try:
        usd = litellm.cost_per_token(model=model, prompt_tokens=input_tokens, completion_tokens=output_tokens)
    except Exception:  # LiteLLM raises a bare Exception for models that it has no price for
        return None
    return sum((Decimal(str(part)) for part in usd), Decimal(0)) or None


def _usd(response: Any) -> Decimal | None:
    try:
        return Decimal(str(litellm.completion_cost(completion_response=response)))
    except Exception:  # LiteLLM raises a bare Exception for models that it has no price for
        return None


def _problem(error: Exception) -> str:
    """What kind of error, with its text on one line and anything like a key masked."""
    text = " ".join(_PREFIX.sub("", str(error)).split())
    return f"{type(error).__name__}: {_SECRET.sub('...', text)[:MAX_PROBLEM_CHARS]}"

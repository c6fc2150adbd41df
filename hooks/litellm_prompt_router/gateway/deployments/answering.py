"""The deployment that answered, from LiteLLM's router: what its model is, and the entry that LiteLLM prices it by."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Generic, TypeVar

import litellm

from litellm_prompt_router.accounting.accountant import AnsweredAttempt, AnsweringDeployment
from litellm_prompt_router.gateway import proxy_server
from litellm_prompt_router.gateway.deployments.capabilities import target_of_deployment
from litellm_prompt_router.gateway.deployments.describe import describe
from litellm_prompt_router.gateway.deployments.groups import REFRESH_SECONDS
from litellm_prompt_router.gateway.deployments.map_prices import input_price, map_entry
from litellm_prompt_router.process_memory.bounded import register_memory
from litellm_prompt_router.request.types import Target

MAX_DEPLOYMENTS = 4_096
Found = TypeVar("Found")


class AnsweringDeployments:
    """Looks deployments up and remembers the answer for a few seconds."""

    def __init__(self) -> None:
        self._known = _Lookups[AnsweringDeployment]("answering deployments")

    def __call__(self, answer: AnsweredAttempt) -> AnsweringDeployment:
        key = (answer.deployment_id, answer.provider, answer.model)
        return self._known.of(key, lambda: _look_up(answer))


class InputPrices:
    """``input_price``, remembered for a few seconds: LiteLLM copies whole entries of its map to tell one."""

    def __init__(self) -> None:
        self._known = _Lookups[Decimal | None]("input prices")

    def __call__(self, deployment_id: str | None, model: str | None, provider: str | None) -> Decimal | None:
        return self._known.of((deployment_id, model, provider), lambda: input_price(deployment_id, model, provider))


class _Lookups(Generic[Found]):
    """What was looked up in the last seconds. Bounded."""

    def __init__(self, name: str) -> None:
        self._known: dict[tuple[str | None, ...], tuple[float, Found]] = {}
        register_memory(self, name, MAX_DEPLOYMENTS, lambda it: len(it._known))

    def of(self, key: tuple[str | None, ...], look_up: Callable[[], Found]) -> Found:
        now = time.monotonic()
        found = self._known.get(key)
        if found is None or found[0] < now:
            if len(self._known) >= MAX_DEPLOYMENTS:
                self._known.clear()
            found = self._known[key] = (now + REFRESH_SECONDS, look_up())
        return found[1]


def chosen_target(kwargs: Mapping[str, Any], endpoint: str) -> Target:
    """What holds for the deployment that LiteLLM chose for an attempt, by the attempt's own parameters."""
    router = proxy_server.llm_router()
    info = kwargs.get("model_info")
    info = info if isinstance(info, dict) else {}
    own_id = info.get("id")
    found = router.get_deployment(model_id=own_id) if router is not None and isinstance(own_id, str) else None
    entry = {} if found is None else found.to_json(exclude_none=True)
    stated = {name: kwargs[name] for name in ("model", "api_base", "custom_llm_provider") if kwargs.get(name)}
    deployment = {
        "litellm_params": {**(entry.get("litellm_params") or {}), **stated},
        "model_info": entry.get("model_info") or info,
    }
    is_auto_cached = kwargs.get("enable_prompt_caching") is True or (
        getattr(litellm, "enable_anthropic_prompt_caching", None) is True
    )
    return target_of_deployment(deployment, router, is_auto_cached, endpoint)


def _look_up(answer: AnsweredAttempt) -> AnsweringDeployment:
    router = proxy_server.llm_router()
    found = None
    if router is not None and answer.deployment_id is not None:
        found = router.get_deployment(model_id=answer.deployment_id)
    deployment = None if found is None else found.to_json(exclude_none=True)
    # By the event's name: that of a wildcard deployment says nothing.
    model = describe(answer.model or "", provider=answer.provider, deployment=deployment)
    return AnsweringDeployment(model, map_entry(model, answer.deployment_id, router))

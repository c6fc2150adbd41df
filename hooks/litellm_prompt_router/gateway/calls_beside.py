"""Calls that one request makes side by side: for a list of models LiteLLM makes one for each.

They share its logging object, so that LiteLLM logs one of them alone, with the model that was chosen last. What each
call was is known from the deployment hooks: from its own parameters and its own response.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple, Self

import litellm
from litellm.litellm_core_utils.litellm_logging import use_custom_pricing_for_model

from litellm_prompt_router.gateway.caller import mapping_of

_BRIDGE_PREFIX = "responses/"
"""Begins the name of a model that LiteLLM asks through the Responses API."""


class CallBeside(NamedTuple):
    """One call: what LiteLLM's own event would say of it."""

    params: Mapping[str, Any]
    began: datetime

    @classmethod
    def of(cls, kwargs: Mapping[str, Any]) -> Self:
        """The call that goes out with these parameters."""
        return cls({name: value for name, value in kwargs.items() if name not in _TEXTS}, datetime.now())

    def event(self, response: Any) -> dict[str, Any]:
        """What LiteLLM's success event would say, as far as it is read."""
        model, provider = self.model_and_provider()
        return {
            "model": model,
            "custom_llm_provider": provider,
            "response_cost": _cost(self.params, response, model, provider),
            "litellm_params": self.params,
            "optional_params": {},
            "api_call_start_time": self.began,
            "completion_start_time": datetime.now(),
        }

    def model_and_provider(self) -> tuple[str, str | None]:
        """As LiteLLM's events name them."""
        stated = str(self.params.get("model"))
        try:
            model, provider, _, _ = litellm.get_llm_provider(
                model=stated,
                custom_llm_provider=self.params.get("custom_llm_provider"),
                api_base=self.params.get("api_base"),
            )
        except Exception:  # LiteLLM raises several types for names that it can't place
            return stated, None
        return model.removeprefix(_BRIDGE_PREFIX), provider


_TEXTS = frozenset({"messages", "tools", "input", "litellm_logging_obj", "proxy_server_request", "metadata"})


def _cost(params: Mapping[str, Any], response: Any, model: str, provider: str | None) -> float | None:
    """What LiteLLM bills the response at; None where it can't."""
    info = mapping_of(params.get("model_info"))
    base_model = info.get("base_model") or params.get("base_model")
    priced_by = {**params, "metadata": {"model_info": info}}
    if params.get("stream") is True:  # what LiteLLM hides in it is the other calls', too
        tier = getattr(response, "service_tier", None)
        response = litellm.ModelResponse(model=model, usage=getattr(response, "usage", None), service_tier=tier)
    try:
        cost: float = litellm.completion_cost(
            completion_response=response,
            model=model,
            custom_llm_provider=provider,
            call_type="acompletion",
            base_model=base_model if isinstance(base_model, str) else None,
            custom_pricing=use_custom_pricing_for_model(priced_by),
            router_model_id=info.get("id"),
            optional_params={"service_tier": params.get("service_tier")},
        )
    except Exception:  # LiteLLM raises a bare Exception for models without a price
        return None
    return cost

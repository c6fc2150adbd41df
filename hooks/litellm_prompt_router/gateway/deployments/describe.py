"""LiteLLM's names and configuration of a deployment -> ``DeployedModel``."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlparse

import litellm
from litellm.llms.bedrock.common_utils import BedrockModelInfo

from litellm_prompt_router.cache_model import DeployedModel, deployed_model

_OPENAI_HOST = "api.openai.com"
_OPENAI_BASES = ("OPENAI_BASE_URL", "OPENAI_API_BASE")


def describe(model: str, *, provider: str | None = None, deployment: Mapping[str, Any] | None = None) -> DeployedModel:
    """A model by LiteLLM's name for it, at the provider's own host, or as an entry of LiteLLM's router configures it.

    ``provider``: LiteLLM's, where it is known already.
    """
    entry = deployment or {}
    params: Mapping[str, Any] = entry.get("litellm_params") or {}
    stated: Mapping[str, Any] = entry.get("model_info") or {}
    provider = provider or _provider(model, params.get("api_base"), params.get("custom_llm_provider"))
    base_model = stated.get("base_model") or params.get("base_model")
    points = params.get("cache_control_injection_points") or ()
    is_openai_com = deployment is None or _is_openai_com(params.get("api_base") or params.get("base_url"))
    return deployed_model(
        model,
        provider,
        base_model=base_model if isinstance(base_model, str) else None,
        is_converse=_is_converse(model.removeprefix(f"{provider}/"), provider),
        takes_breakpoint_fields=is_openai_com or stated.get("supports_prompt_cache_breakpoint") is True,
        forwards_messages="/v1/messages" in (stated.get("supported_endpoints") or ()),
        injection_points=tuple(point for point in points if isinstance(point, dict)),
    )


def _provider(model: str, api_base: str | None, provider: str | None) -> str | None:
    try:
        placed: str = litellm.get_llm_provider(model=model, api_base=api_base, custom_llm_provider=provider)[1]
    except Exception:  # LiteLLM raises several types for names that it can't place
        return None
    return placed


def _is_converse(name: str, provider: str | None) -> bool:
    """True where LiteLLM sends a model on Bedrock through Converse; ``name`` is without the provider."""
    route: object = BedrockModelInfo.get_bedrock_route(name) if provider == "bedrock" else None
    return provider == "bedrock_converse" or route in ("converse", "converse_like")


def _is_openai_com(api_base: object) -> bool:
    """True where LiteLLM sends to OpenAI itself; it reads these places in this order (1.106)."""
    stated = next((base for base in (api_base, litellm.api_base, *map(os.getenv, _OPENAI_BASES)) if base), None)
    host = urlparse(stated).hostname if isinstance(stated, str) else _OPENAI_HOST
    return host is not None and (host == _OPENAI_HOST or host.endswith(f".{_OPENAI_HOST}"))

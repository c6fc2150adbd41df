"""Chat bodies as the provider gets them, and the provider's prices: by LiteLLM's own code and model map.

The adapter that the simulator's token counts and money come from. Claude's wire is what LiteLLM makes for its host:
Anthropic's Messages on Anthropic, Vertex, Azure and Bedrock's invoke; Bedrock's Converse, whose cache points are read
as marks. OpenRouter and Databricks take chat bodies and are accounted as Anthropic's Messages; what they make of
them is theirs. Every other provider is accounted by the chat body itself.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import litellm
from litellm.integrations.anthropic_cache_control_hook import AnthropicCacheControlHook
from litellm.llms.bedrock.common_utils import BedrockModelInfo
from litellm.responses.litellm_completion_transformation.transformation import LiteLLMCompletionResponsesConfig
from litellm.types.utils import LlmProviders
from litellm.utils import (
    ProviderConfigManager,
    get_non_default_completion_params,
    get_optional_params,
    validate_and_fix_openai_messages,
    validate_and_fix_openai_tools,
)

from litellm_prompt_router.cache_model import Prices, messages_of_converse
from litellm_prompt_router.request.wire.marks import INJECTION_POINTS

_NOT_PROMPT = frozenset(
    {"model", "messages", "tools", "stream", "stream_options", "metadata", "user", "timeout", "n", INJECTION_POINTS}
    | {"extra_headers", "extra_body", "extra_query", "enable_prompt_caching"}
)
"""Fields that are handled apart or don't reach the prompt."""
_OF_BRIDGE = frozenset({"custom_llm_provider", "reasoning_summary", "context_management"})
"""What LiteLLM hands itself beside the chat body."""
_OWN_WIRES = frozenset({"bedrock", "bedrock_converse", "vertex_ai", "azure_ai"})
_WRITE_5M, _WRITE_1H = Decimal("1.25"), Decimal(2)
"""Anthropic's multiples of the input price (platform.claude.com, "Prompt caching", checked 2026-11)."""


class ClaudeWire:
    """Chat bodies -> Anthropic Messages bodies, for one model by LiteLLM's name."""

    def __init__(self, model: str) -> None:
        name, provider, _, _ = litellm.get_llm_provider(model=model)
        self._name = name
        self._model = name.rsplit("/", 1)[-1]
        self._provider = provider if provider in _OWN_WIRES else "anthropic"
        self._is_converse = is_converse(name, provider)
        self._config: Any = litellm.AnthropicConfig()
        if provider in _OWN_WIRES:
            self._config = ProviderConfigManager.get_provider_chat_config(model=name, provider=LlmProviders(provider))
        else:
            self._name = self._model
        self._points = AnthropicCacheControlHook()

    def body(self, chat: Mapping[str, Any]) -> dict[str, Any]:
        """The body on the wire, injection points placed. Raises ValueError for a body that LiteLLM can't send."""
        try:
            return self._translated(chat)
        except Exception as error:  # LiteLLM raises dozens of types for a body it can't translate
            raise ValueError(f"LiteLLM can't send it to the provider ({type(error).__name__})") from error

    def _translated(self, chat: Mapping[str, Any]) -> dict[str, Any]:
        given = copy.deepcopy(dict(chat))
        messages = validate_and_fix_openai_messages(messages=given["messages"])
        tools = validate_and_fix_openai_tools(tools=given.get("tools"))
        named = {k: v for k, v in given.items() if k in litellm.OPENAI_CHAT_COMPLETION_PARAMS and k not in _NOT_PROMPT}
        others = get_non_default_completion_params(kwargs={k: v for k, v in given.items() if k not in _NOT_PROMPT})
        if given.get(INJECTION_POINTS):
            others[INJECTION_POINTS] = given[INJECTION_POINTS]
        # The order of litellm.completion: points counted and placed, roles, parameters, the provider's shape.
        AnthropicCacheControlHook.maybe_seed_default_injection_points(
            non_default_params=others,
            messages=messages,
            model=self._model,
            custom_llm_provider=self._provider,
            tools=tools,
            enable_prompt_caching=given.get("enable_prompt_caching"),
        )
        if others.get(INJECTION_POINTS):
            _, messages, others = self._points.get_chat_completion_prompt(
                model=self._model,
                messages=messages,
                non_default_params=others,
                prompt_id=None,
                prompt_variables=None,
                dynamic_callback_params={},
            )
        messages = self._config.translate_developer_role_to_system_role(messages=messages)
        parameters = get_optional_params(
            model=self._name,
            custom_llm_provider=self._provider,
            messages=messages,
            tools=tools,
            drop_params=True,
            **named,
            **others,
        )
        body: dict[str, Any] = self._config.transform_request(
            model=self._model, messages=messages, optional_params=parameters, litellm_params={}, headers={}
        )
        return messages_of_converse(body) if self._is_converse else body


def bridged_chat(body: Mapping[str, Any], model: str, provider: str) -> dict[str, Any]:
    """The Chat body that LiteLLM makes of a Responses body where the provider has no such endpoint.

    Raises ValueError for a body that LiteLLM can't send.
    """
    given = copy.deepcopy(dict(body))
    try:
        chat: dict[str, Any] = (
            LiteLLMCompletionResponsesConfig.transform_responses_api_request_to_chat_completion_request(
                model=model, input=given.pop("input"), responses_api_request=given, custom_llm_provider=provider
            )
        )
    except Exception as error:  # LiteLLM raises dozens of types for a body it can't translate
        raise ValueError(f"LiteLLM can't send it to the provider ({type(error).__name__})") from error
    kept = {name: given[name] for name in (INJECTION_POINTS, "enable_prompt_caching") if name in given}
    return {**{name: value for name, value in chat.items() if name not in _OF_BRIDGE}, **kept}


def is_converse(name: str, provider: str | None) -> bool:
    """True where LiteLLM sends a model on Bedrock through Converse; ``name`` is without the provider."""
    route: object = BedrockModelInfo.get_bedrock_route(name) if provider == "bedrock" else None
    return provider == "bedrock_converse" or route in ("converse", "converse_like")


def prices_of_model(model: str) -> Prices | None:
    """What LiteLLM's map charges for ``model``; None when it doesn't know it or has no input price.

    Where the map has no price for cached tokens they cost what others do, except that Claude's are known.
    """
    try:
        info: Mapping[str, Any] = litellm.get_model_info(model)
    except Exception:  # noqa: BLE001  # LiteLLM raises a bare Exception for names that its map lacks
        return None
    base = _usd_per_mtok(info.get("input_cost_per_token"))
    if not base:
        return None
    is_claude = "claude" in model.lower()
    write_5m = _usd_per_mtok(info.get("cache_creation_input_token_cost"))
    write_1h = _usd_per_mtok(info.get("cache_creation_input_token_cost_above_1hr"))
    read = _usd_per_mtok(info.get("cache_read_input_token_cost"))
    if not write_5m:  # DeepSeek's 0: written tokens cost no more than others, not nothing
        write_5m = base * _WRITE_5M if is_claude else base
    if not write_1h:
        write_1h = base * _WRITE_1H if is_claude else write_5m
    return Prices(
        input_usd_per_mtok=base,
        cache_read_usd_per_mtok=base if read is None else read,
        cache_write_5m_usd_per_mtok=write_5m,
        cache_write_1h_usd_per_mtok=write_1h,
        output_usd_per_mtok=_usd_per_mtok(info.get("output_cost_per_token")) or Decimal(0),
    )


def _usd_per_mtok(price: object) -> Decimal | None:
    if not isinstance(price, (int, float)) or isinstance(price, bool):
        return None
    return (Decimal(str(price)).scaleb(6)).normalize() + 0

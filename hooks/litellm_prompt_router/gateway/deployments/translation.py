"""Bodies as the provider gets them, made by LiteLLM's own code. Token counts of accounting and simulator come from it.

A Claude gets Anthropic's Messages on Anthropic, Vertex, Azure and Bedrock's invoke, and Bedrock's Converse, whose cache
points are read as marks. OpenRouter and Databricks take chat bodies; what they make of these isn't known, and they are
accounted as Messages. Every other provider is accounted by the chat body itself.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import litellm
from litellm.integrations.anthropic_cache_control_hook import AnthropicCacheControlHook
from litellm.responses.litellm_completion_transformation.transformation import LiteLLMCompletionResponsesConfig
from litellm.types.utils import LlmProviders
from litellm.utils import (
    ProviderConfigManager,
    get_non_default_completion_params,
    get_optional_params,
    validate_and_fix_openai_messages,
    validate_and_fix_openai_tools,
)

from litellm_prompt_router.cache_model import DeployedModel, messages_of_converse
from litellm_prompt_router.gateway.deployments.describe import describe
from litellm_prompt_router.request.wire.marks import INJECTION_POINTS

_NOT_PROMPT = frozenset(
    {"model", "messages", "tools", "stream", "stream_options", "metadata", "user", "timeout", "n", INJECTION_POINTS}
    | {"extra_headers", "extra_body", "extra_query", "enable_prompt_caching"}
)
"""Fields that are handled apart or don't reach the prompt."""
_NOT_CHAT = frozenset({"custom_llm_provider", "reasoning_summary", "context_management"})
"""What LiteLLM's translation of a Responses body has beside the chat body."""
MAX_WIRES = 256


class ClaudeWire:
    """Chat bodies -> Anthropic Messages bodies, for one model by LiteLLM's name.

    A base model has no say here: LiteLLM goes by the name that it sends.
    """

    def __init__(self, model: str) -> None:
        described = describe(model)
        name = described.own_name
        self._is_converse = described.wire == "converse"
        self._provider = "anthropic"
        self._model = self._name = name[name.index("arn:") :] if "arn:" in name else name.rsplit("/", 1)[-1]
        self._config: Any = litellm.AnthropicConfig()
        if described.wire != "chat" and described.provider is not None:
            self._name, self._provider = name, described.provider
            self._config = ProviderConfigManager.get_provider_chat_config(
                model=name, provider=LlmProviders(described.provider)
            )
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


class LiteLLMTranslator:
    """Accounting's ``Translator`` by LiteLLM's own code. ``ClaudeWire`` objects are kept by model."""

    def __init__(self) -> None:
        self._wire = lru_cache(MAX_WIRES)(ClaudeWire)

    def messages_of_chat(self, body: Mapping[str, Any], model: DeployedModel) -> Mapping[str, Any]:
        return self._wire(model.name).body(body)

    def chat_of_responses(self, body: Mapping[str, Any], model: DeployedModel) -> dict[str, Any]:
        given = copy.deepcopy(dict(body))
        try:
            chat: dict[str, Any] = (
                LiteLLMCompletionResponsesConfig.transform_responses_api_request_to_chat_completion_request(
                    model=model.own_name,
                    input=given.pop("input"),
                    responses_api_request=given,
                    custom_llm_provider=model.provider,
                )
            )
        except Exception as error:  # LiteLLM raises dozens of types for a body it can't translate
            raise ValueError(f"LiteLLM can't send it to the provider ({type(error).__name__})") from error
        kept = {name: given[name] for name in (INJECTION_POINTS, "enable_prompt_caching") if name in given}
        return {**{name: value for name, value in chat.items() if name not in _NOT_CHAT}, **kept}

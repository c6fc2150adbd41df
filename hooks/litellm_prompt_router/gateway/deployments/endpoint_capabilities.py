"""What LiteLLM makes of other endpoints' bodies on their way to a provider, where that differs from chat's.

Checked on the wire of LiteLLM 1.106, 2026-11 (tests/gateway/test_messages_translation.py).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import litellm

from litellm_prompt_router.cache_model import DeployedModel, takes_mid_system
from litellm_prompt_router.profile.profile import Placement
from litellm_prompt_router.request.types import GEMINI, GEMINI_STREAM, MESSAGES, RESPONSES, Target

Bridge = Callable[[Target, DeployedModel], Target]

_FORWARDED = frozenset({"deepseek", "minimax", "tencent", "github_copilot", "edenai"})
"""Hosts with a Messages API of their own, which get the body as it is; what they make of marks and of system
messages behind the first is not known (utils.py, ``get_provider_anthropic_messages_config``)."""
_READS_NOTES = frozenset({"gemini", "vertex_ai", "xai", "azure", "databricks", "openrouter"})
"""Hosts behind chat that take the operator's note, a user message, wherever it stands. Not Mistral, which refuses a
user's message behind a tool's; templates of others want the roles in turns."""
_TAKES_ANY_ORDER = ("claude", "gemini", "grok", "gpt-")
"""Besides OpenAI's own: models whose chat templates don't want user and assistant in turns."""


def _messages(target: Target, model: DeployedModel) -> Target:
    """Anthropic's own host gets a Messages body untouched, even a role that the model refuses.

    OpenAI gets it as a Responses body: marks are gone, explicit breakpoints stay, a system message is an input item
    in its place. Everybody else gets chat, in which system messages behind the first are user messages, an operator's
    note, unless LiteLLM thinks that the model takes the role.
    """
    # Marks at the history's end are written into the body, not injected.
    target = replace(target, places_points=True)
    if model.provider == "anthropic":
        takes_late = takes_mid_system(model.known_name)
        return replace(target, placement="append" if takes_late else "grow", refuses_late_system=not takes_late)
    if model.provider in _FORWARDED or model.forwards_messages:
        return replace(
            target,
            takes_marks=False,
            takes_breakpoints=False,
            takes_cache_key=False,
            placement="grow",
            refuses_late_system=True,
        )
    if model.takes_marks and model.wire != "chat":
        return target  # LiteLLM settles system messages as it does those of a chat body
    if model.provider == "openai" or model.provider not in _READS_NOTES:
        return target
    if litellm.utils.supports_mid_conversation_system(model.name, model.provider):
        takes_late = model.provider == "databricks" and takes_mid_system(model.known_name)
        placement: Placement = "append" if takes_late else "grow"
        return replace(target, placement=placement, refuses_late_system=model.family == "claude" and not takes_late)
    is_known = model.is_openai or any(family in model.known_name for family in _TAKES_ANY_ORDER)
    return replace(target, placement="append" if is_known else "grow", refuses_late_system=False)


_OWN_RESPONSES = frozenset(
    {"xai", "sail", "github_copilot", "chatgpt", "litellm_proxy", "volcengine", "manus", "perplexity", "openrouter"}
    | {"hosted_vllm", "openai", "azure"}
)
"""Besides Azure AI's and Databricks' GPT (``get_provider_responses_api_config``); all others are sent chat."""
_OWN_GEMINI = frozenset({"gemini", "vertex_ai"})


def _responses(target: Target, model: DeployedModel) -> Target:
    """OpenAI keeps system items anywhere and takes no ``cache_control``; of other hosts' own API nothing is known.

    Where LiteLLM makes a chat request of it, chat's rules hold. It makes no explicit breakpoints of marks here.
    """
    is_gpt_host = model.provider in ("azure_ai", "databricks") and "gpt" in model.known_name
    if model.provider not in _OWN_RESPONSES and not is_gpt_host:
        return replace(target, takes_breakpoints=False)
    return replace(
        target,
        takes_marks=False,
        takes_breakpoints=False,
        auto_points=(),
        placement="append" if model.is_openai else "grow",
        refuses_late_system=not model.is_openai,
    )


def _gemini(target: Target, model: DeployedModel) -> Target:
    """A Gemini conversation has no system role, whoever answers; only Claude gets marks, in LiteLLM's chat request.

    LiteLLM's own chat request holds the first part of the system instruction and no ``prompt_cache_key``
    (litellm/google_genai/adapters/transformation.py); for Bedrock it comes without the request's metadata, so that
    we can't tell what to mark.
    """
    is_own = model.provider in _OWN_GEMINI and model.family != "claude"
    return replace(
        target,
        takes_marks=target.takes_marks and model.provider not in ("bedrock", "bedrock_converse"),
        takes_breakpoints=False,
        takes_cache_key=False,
        placement="grow",
        refuses_late_system=True,
        reads_first_part=not is_own,
    )


BRIDGES: Mapping[str, Bridge] = {
    MESSAGES: _messages,
    RESPONSES: _responses,
    GEMINI: _gemini,
    GEMINI_STREAM: _gemini,
}
"""By call type: what holds of a deployment on that endpoint, from what holds of it on chat."""

"""What LiteLLM makes of other endpoints' bodies on their way to a provider, where that differs from chat's.

Checked on the wire of LiteLLM 1.106, 2026-11 (tests/gateway/test_messages_translation.py).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from litellm_prompt_router.cache_model import DeployedModel
from litellm_prompt_router.request.types import GEMINI, GEMINI_STREAM, MESSAGES, RESPONSES, Target

Bridge = Callable[[Target, DeployedModel], Target]

_FORWARDED = frozenset({"deepseek", "minimax", "tencent", "github_copilot", "edenai"})
"""Hosts with a Messages API of their own, which get the body as it is; what they make of marks is not known, and
DeepSeek's refuses the role (utils.py, ``get_provider_anthropic_messages_config``;
github.com/deepseek-ai/awesome-deepseek-integration issue 639)."""


def _messages(target: Target, model: DeployedModel) -> Target:
    """Late modules are notes, blocks of a user message, for everybody but OpenAI's own host.

    That one gets a Messages body as a Responses body: marks are gone, explicit breakpoints stay, a system message is an
    input item in its place. Anthropic and a few others get the body as it is, everybody else gets chat.
    """
    # Marks at the history's end are written into the body, not injected.
    target = replace(target, places_points=True)
    if model.provider in _FORWARDED or model.forwards_messages:
        return replace(
            target,
            takes_marks=False,
            takes_breakpoints=False,
            takes_cache_key=False,
            late_form="note",
            takes_user_behind_result=True,  # in Anthropic's bodies it is a block behind the results
        )
    return replace(target, late_form=target.late_form if model.provider == "openai" else "note")


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
        late_form="message" if model.is_openai else "note",
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
        late_form="note",
        reads_first_part=not is_own,
    )


BRIDGES: Mapping[str, Bridge] = {
    MESSAGES: _messages,
    RESPONSES: _responses,
    GEMINI: _gemini,
    GEMINI_STREAM: _gemini,
}
"""By call type: what holds of a deployment on that endpoint, from what holds of it on chat."""

"""What LiteLLM makes of other endpoints' bodies on their way to a provider, where that differs from chat's.

Checked on the wire of LiteLLM 1.106, 2026-11 (tests/gateway/test_messages_translation.py).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import litellm

from litellm_prompt_router.cache_model import takes_mid_system
from litellm_prompt_router.profile.profile import Placement
from litellm_prompt_router.request.types import Target


@dataclass(frozen=True, kw_only=True, slots=True)
class Route:
    """Where a deployment's requests go. ``name``: the model's, lower case, with the provider and a stated base.

    ``forwards_messages``: the deployment says that its host takes Anthropic's bodies as they are.
    """

    name: str
    provider: str | None
    is_openai: bool
    forwards_messages: bool = False


Bridge = Callable[[Target, Route], Target]

_CLAUDE_CONFIGS = frozenset({"bedrock", "bedrock_converse", "vertex_ai", "azure_ai"})
"""Hosts for which LiteLLM settles system messages of a Messages body as it does those of a chat body."""
_FORWARDED = frozenset({"deepseek", "minimax", "tencent", "github_copilot", "edenai"})
"""Hosts with a Messages API of their own, which get the body as it is; what they make of marks and of system
messages behind the first is not known (utils.py, ``get_provider_anthropic_messages_config``)."""
_READS_NOTES = frozenset({"gemini", "vertex_ai", "xai", "azure", "databricks", "openrouter"})
"""Hosts behind chat that take the operator's note, a user message, wherever it stands. Not Mistral, which refuses a
user's message behind a tool's; templates of others want the roles in turns."""


def _messages(target: Target, route: Route) -> Target:
    """Anthropic's own host gets a Messages body untouched, even a role that the model refuses.

    OpenAI gets it as a Responses body: marks are gone, explicit breakpoints stay, a system message is an input item
    in its place. Everybody else gets chat, in which system messages behind the first are user messages, an operator's
    note, unless LiteLLM thinks that the model takes the role.
    """
    # Marks at the history's end are written into the body, not injected.
    target = replace(target, places_points=True)
    if route.provider == "anthropic":
        takes_late = takes_mid_system(route.name)
        return replace(target, placement="append" if takes_late else "grow", refuses_late_system=not takes_late)
    if route.provider in _FORWARDED or route.forwards_messages:
        return replace(
            target,
            takes_marks=False,
            takes_breakpoints=False,
            takes_cache_key=False,
            placement="grow",
            refuses_late_system=True,
        )
    if route.provider in _CLAUDE_CONFIGS and "claude" in route.name:
        return target
    if route.provider == "openai" or route.provider not in _READS_NOTES:
        return target
    if litellm.utils.supports_mid_conversation_system(route.name, route.provider):
        takes_late = route.provider == "databricks" and takes_mid_system(route.name)
        placement: Placement = "append" if takes_late else "grow"
        return replace(target, placement=placement, refuses_late_system="claude" in route.name and not takes_late)
    is_known = route.is_openai or _is_known(route.name)
    return replace(target, placement="append" if is_known else "grow", refuses_late_system=False)


def _is_known(name: str) -> bool:
    """False for models whose chat templates may want user and assistant in turns."""
    return any(family in name for family in ("claude", "gemini", "grok", "gpt-"))


_OWN_RESPONSES = frozenset(
    {"xai", "sail", "github_copilot", "chatgpt", "litellm_proxy", "volcengine", "manus", "perplexity", "openrouter"}
    | {"hosted_vllm", "openai", "azure"}
)
"""Besides Azure AI's and Databricks' GPT (``get_provider_responses_api_config``); all others are sent chat."""
_OWN_GEMINI = frozenset({"gemini", "vertex_ai"})


def _responses(target: Target, route: Route) -> Target:
    """OpenAI keeps system items anywhere and takes no ``cache_control``; of other hosts' own API nothing is known.

    Where LiteLLM makes a chat request of it, chat's rules hold. It makes no explicit breakpoints of marks here.
    """
    is_gpt_host = route.provider in ("azure_ai", "databricks") and "gpt" in route.name
    if route.provider not in _OWN_RESPONSES and not is_gpt_host:
        return replace(target, takes_breakpoints=False)
    return replace(
        target,
        takes_marks=False,
        takes_breakpoints=False,
        auto_points=(),
        placement="append" if route.is_openai else "grow",
        refuses_late_system=not route.is_openai,
    )


def _gemini(target: Target, route: Route) -> Target:
    """A Gemini conversation has no system role, whoever answers; only Claude gets marks, in LiteLLM's chat request.

    LiteLLM's own chat request holds the first part of the system instruction and no ``prompt_cache_key``
    (litellm/google_genai/adapters/transformation.py); for Bedrock it comes without the request's metadata, so that
    we can't tell what to mark.
    """
    is_own = route.provider in _OWN_GEMINI and "claude" not in route.name
    return replace(
        target,
        takes_marks=target.takes_marks and route.provider not in ("bedrock", "bedrock_converse"),
        takes_breakpoints=False,
        takes_cache_key=False,
        placement="grow",
        refuses_late_system=True,
        reads_first_part=not is_own,
    )


BRIDGES: Mapping[str, Bridge] = {
    "anthropic_messages": _messages,
    "aresponses": _responses,
    "agenerate_content": _gemini,
    "agenerate_content_stream": _gemini,
}
"""By call type: what holds of a deployment on that endpoint, from what holds of it on chat."""

"""What LiteLLM makes of other endpoints' bodies on their way to a provider, where that differs from chat's.

Checked on the wire of LiteLLM 1.106, 2026-11.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from hooks.data import Target


@dataclass(frozen=True, kw_only=True, slots=True)
class Route:
    """Where a deployment's requests go. ``name``: the model's, lower case, with the provider and a stated base."""

    name: str
    provider: str | None
    is_openai: bool


Bridge = Callable[[Target, Route], Target]

_OWN_RESPONSES = frozenset(
    {"xai", "sail", "github_copilot", "chatgpt", "litellm_proxy", "volcengine", "manus", "perplexity", "openrouter"}
    | {"hosted_vllm", "openai", "azure"}
)
"""Besides Azure AI's and Databricks' GPT (``get_provider_responses_api_config``); all others are sent chat."""
_OWN_GEMINI = frozenset({"gemini", "vertex_ai"})


def responses(target: Target, route: Route) -> Target:
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


def gemini(target: Target, route: Route) -> Target:
    """A Gemini conversation has no system role, whoever answers; only Claude gets marks, in LiteLLM's chat request.

    LiteLLM's own chat request holds the first part of the system instruction and no ``prompt_cache_key``
    (litellm/google_genai/adapters/transformation.py).
    """
    is_own = route.provider in _OWN_GEMINI and "claude" not in route.name
    return replace(
        target,
        takes_breakpoints=False,
        takes_cache_key=False,
        placement="grow",
        refuses_late_system=True,
        reads_first_part=not is_own,
    )


BRIDGES: Mapping[str, Bridge] = {
    "aresponses": responses,
    "agenerate_content": gemini,
    "agenerate_content_stream": gemini,
}
"""By call type: what holds of a deployment on that endpoint, from what holds of it on chat."""

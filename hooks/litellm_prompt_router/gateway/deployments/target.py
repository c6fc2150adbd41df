"""What holds for one deployment or model: marks, minimum lengths, prices, and where later modules go.

The adapter to LiteLLM's model map.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any
from urllib.parse import urlparse

import litellm
from litellm.utils import get_prompt_cache_min_tokens

from litellm_prompt_router.cache_model import takes_breakpoints, takes_mid_system
from litellm_prompt_router.gateway.deployments.bridges import BRIDGES, Route
from litellm_prompt_router.gateway.deployments.map_prices import price_in, read_share, write_share
from litellm_prompt_router.gateway.deployments.translation import is_converse
from litellm_prompt_router.profile.profile import Placement
from litellm_prompt_router.request.types import CHAT, Target

# Where LiteLLM 1.106 keeps cache_control on the way to a provider that accepts it, by the wire. Everything
# else either strips marks (pointless) or forwards them to an API that may reject them; Gemini's would make
# explicit caches, with two calls more for each request.
_CLAUDE_HOSTS = frozenset({"bedrock", "bedrock_converse", "vertex_ai", "azure_ai", "databricks", "openrouter"})
_AUTO_HOSTS = frozenset({"anthropic", "bedrock", "bedrock_converse", "vertex_ai", "azure_ai"})
"""Where ``enable_anthropic_prompt_caching`` injects (litellm/llms/anthropic/common_utils.py, 1.106)."""
_KEEPS_LATER_SYSTEM = frozenset({"xai", "deepseek"})

_OPENAI_NAMES = re.compile(r"(?:^|[/-])(?:gpt-\d|chatgpt|codex)|(?:^|/)o\d|^azure/.*-o\d")
"""OpenAI's own; not gpt-oss and others alike, whose hosts have chat templates of their own."""
# Came with the same release as points beside marks (seen with 1.100 and 1.106).
_KEEPS_MID_SYSTEM = find_spec("litellm.litellm_core_utils.prompt_templates.mid_conversation_system") is not None
_OPENAI_HOST = "api.openai.com"
_OPENAI_BASES = ("OPENAI_BASE_URL", "OPENAI_API_BASE")


def target_of_deployment(deployment: Mapping[str, Any], router: Any, is_auto_cached: bool, endpoint: str) -> Target:
    """What holds for one entry of LiteLLM's router."""
    params, own = deployment["litellm_params"], deployment.get("model_info") or {}
    info = router.get_deployment_model_info(own.get("id"), params["model"]) or {}
    provider = _provider(params["model"], params.get("api_base"), params.get("custom_llm_provider"))
    points = params.get("cache_control_injection_points") or ()
    base = own.get("base_model") or params.get("base_model")
    is_openai_com = _is_openai_com(params.get("api_base") or params.get("base_url"))
    return _target(
        params["model"],
        provider,
        info,
        endpoint,
        base=base if isinstance(base, str) else None,
        points=tuple(point for point in points if isinstance(point, dict)),
        is_auto_cached=is_auto_cached,
        hosts_breakpoints=is_openai_com or own.get("supports_prompt_cache_breakpoint") is True,
        forwards_messages="/v1/messages" in (own.get("supported_endpoints") or ()),
    )


def target_of_model(model: str, endpoint: str = CHAT) -> Target:
    """What holds for a model by LiteLLM's name for it alone, without a proxy, at the provider's own host."""
    try:
        info: Mapping[str, Any] = litellm.get_model_info(model)
    except Exception:  # LiteLLM raises a bare Exception for names that its map lacks
        info = {}
    return _target(model, _provider(model, None, None), info, endpoint)


def _target(
    model: str,
    provider: str | None,
    info: Mapping[str, Any],
    endpoint: str,
    *,
    base: str | None = None,
    points: tuple[Mapping[str, Any], ...] = (),
    is_auto_cached: bool = False,
    hosts_breakpoints: bool = True,
    forwards_messages: bool = False,
) -> Target:
    """``base`` is the model behind an alias, a deployment's name or an inference profile, where it is stated."""
    name = f"{model}/{base}".lower() if base else model.lower()
    is_openai = provider in ("openai", "azure") and _OPENAI_NAMES.search(name) is not None
    takes_marks = provider == "anthropic" or (provider in _CLAUDE_HOSTS and "claude" in name)
    flag = info.get("supports_prompt_cache_breakpoint")
    target = Target(
        takes_marks=takes_marks,
        takes_breakpoints=(
            provider == "openai"
            and is_openai
            and hosts_breakpoints
            and (takes_breakpoints(name) if flag is None else flag is True)
        ),
        min_cache_tokens=get_prompt_cache_min_tokens(base or model),
        input_usd_per_token=price_in(info),
        cache_read_share=read_share(info),
        cache_write_share=write_share(info, "cache_creation_input_token_cost"),
        cache_write_1h_share=write_share(info, "cache_creation_input_token_cost_above_1hr"),
        placement=_placement(name, provider, is_openai=is_openai),
        refuses_late_system=_refuses_late_system(name, provider),
        places_points=_KEEPS_MID_SYSTEM,
        takes_cache_key=is_openai,
        injection_points=points,
        auto_points=_auto_points() if is_auto_cached and takes_marks and provider in _AUTO_HOSTS else (),
    )
    adapt = BRIDGES.get(endpoint)
    if adapt is None:
        return target
    route = Route(name=name, provider=provider, is_openai=is_openai, forwards_messages=forwards_messages)
    return adapt(target, route)


def _auto_points() -> tuple[Mapping[str, Any], ...]:
    """What LiteLLM injects by itself (``get_default_injection_points``, 1.106)."""
    ttl = getattr(litellm, "anthropic_prompt_caching_ttl", None)
    control = {"type": "ephemeral", "ttl": ttl} if ttl in ("5m", "1h") else {"type": "ephemeral"}
    return (
        {"location": "message", "role": "system", "index": None, "control": control},
        {"location": "message", "role": None, "index": -1, "control": control},
    )


def _is_openai_com(api_base: object) -> bool:
    """True where LiteLLM sends to OpenAI itself; it reads these places in this order (1.106)."""
    stated = next((base for base in (api_base, litellm.api_base, *map(os.getenv, _OPENAI_BASES)) if base), None)
    host = urlparse(stated).hostname if isinstance(stated, str) else _OPENAI_HOST
    return host is not None and (host == _OPENAI_HOST or host.endswith(f".{_OPENAI_HOST}"))


def _placement(name: str, provider: str | None, *, is_openai: bool) -> Placement:
    """``append`` where a system message in the middle stays in the middle and is accepted, else ``grow``.

    By the wire of LiteLLM 1.106: for Claude it stays, or becomes a user text in place where LiteLLM knows that the
    model doesn't take the role (on Converse always); older ones hoist it. Databricks gets it as it is. What LiteLLM
    thinks takes the role must take it by Anthropic's word too: Sonnet 5 doesn't. OpenAI, xAI ("in any sequence",
    docs.x.ai) and DeepSeek keep it. Gemini hoists it; Mistral wants a user or tool message last; OpenRouter may hoist
    what it hands on, except to OpenAI; other compatible hosts have chat templates that refuse it. Checked 2026-11.
    """
    is_openai = is_openai or (
        provider == "openrouter" and "/openai/" in name and _OPENAI_NAMES.search(name) is not None
    )
    if is_openai or provider in _KEEPS_LATER_SYSTEM:
        return "append"
    is_claude = provider == "anthropic" or (provider in _CLAUDE_HOSTS - {"openrouter"} and "claude" in name)
    if not is_claude or not _KEEPS_MID_SYSTEM:
        return "grow"
    if provider is not None and is_converse(name.removeprefix("bedrock/"), provider):
        return "append"
    stays = provider == "databricks" or litellm.utils.supports_mid_conversation_system(name, provider)
    return "append" if not stays or takes_mid_system(name) else "grow"


def _refuses_late_system(name: str, provider: str | None) -> bool:
    """Mistral wants a user or tool message last; Sonnet 5 refuses the role where LiteLLM lets it through."""
    if provider == "mistral":
        return True
    is_sent_as_it_is = provider in _CLAUDE_HOSTS | {"anthropic"} and _KEEPS_MID_SYSTEM and provider != "openrouter"
    return is_sent_as_it_is and "claude" in name and _placement(name, provider, is_openai=False) == "grow"


def _provider(model: str, api_base: str | None, provider: str | None) -> str | None:
    try:
        placed: str = litellm.get_llm_provider(model=model, api_base=api_base, custom_llm_provider=provider)[1]
    except Exception:  # LiteLLM raises several types for names that it can't place
        return None
    return placed

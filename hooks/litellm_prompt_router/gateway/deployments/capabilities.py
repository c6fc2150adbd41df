"""What holds for one deployment or model: marks, minimum lengths, prices, and where later modules go."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any

import litellm
from litellm.utils import get_prompt_cache_min_tokens

from litellm_prompt_router.cache_model import DeployedModel, cache_of, takes_breakpoints, takes_mid_system
from litellm_prompt_router.cache_model.deployed_model import CLAUDE_HOSTS
from litellm_prompt_router.gateway.deployments.describe import describe
from litellm_prompt_router.gateway.deployments.endpoint_capabilities import BRIDGES
from litellm_prompt_router.gateway.deployments.map_prices import map_entry, price_in, read_share, write_share
from litellm_prompt_router.profile.profile import Placement
from litellm_prompt_router.request.types import CHAT, Target

_MAY_BE_CLAUDE = CLAUDE_HOSTS | {"anthropic", "litellm_proxy"}
"""Hosts that have Claude under names that don't say so: inference profiles, other proxies' groups."""
_KEEPS_LATER_SYSTEM = frozenset({"xai", "deepseek"})
# Came with the same release as points beside marks (seen with 1.100 and 1.106).
_KEEPS_MID_SYSTEM = find_spec("litellm.litellm_core_utils.prompt_templates.mid_conversation_system") is not None


def target_of_deployment(deployment: Mapping[str, Any], router: Any, is_auto_cached: bool, endpoint: str) -> Target:
    """What holds for one entry of LiteLLM's router."""
    model = describe(deployment["litellm_params"]["model"], deployment=deployment)
    entry = map_entry(model, (deployment.get("model_info") or {}).get("id"), router)
    return _target(model, entry, endpoint, is_auto_cached=is_auto_cached)


def target_of_model(name: str, endpoint: str = CHAT) -> Target:
    """What holds for a model by LiteLLM's name for it alone, without a proxy, at the provider's own host."""
    model = describe(name)
    return _target(model, map_entry(model), endpoint)


def _target(model: DeployedModel, entry: Mapping[str, Any], endpoint: str, *, is_auto_cached: bool = False) -> Target:
    flag = entry.get("supports_prompt_cache_breakpoint")
    is_new_openai = takes_breakpoints(model.known_name) if flag is None else flag is True
    is_marked_qwen = model.takes_block_marks and endpoint == CHAT and _knows_write_price(entry)
    target = Target(
        takes_marks=model.takes_marks or is_marked_qwen,
        marks_blocks=is_marked_qwen,
        takes_breakpoints=(
            model.provider == "openai" and model.is_openai and model.takes_breakpoint_fields and is_new_openai
        ),
        min_cache_tokens=_min_cache_tokens(model),
        cache_lifetime_seconds=cache_of(model, is_marked=is_marked_qwen).lifetime_seconds,
        input_usd_per_token=price_in(entry),
        cache_read_share=read_share(entry),
        cache_write_share=write_share(entry, "cache_creation_input_token_cost"),
        cache_write_1h_share=write_share(entry, "cache_creation_input_token_cost_above_1hr"),
        placement=_placement(model),
        refuses_late_system=_refuses_late_system(model),
        places_points=_KEEPS_MID_SYSTEM,
        takes_cache_key=model.is_openai,
        takes_changed_prompt=_takes_changed_prompt(model, entry),
        injection_points=model.injection_points,
        auto_points=_auto_points() if is_auto_cached and model.takes_marks and model.wire != "chat" else (),
    )
    adapt = BRIDGES.get(endpoint)
    return target if adapt is None else adapt(target, model)


def _knows_write_price(entry: Mapping[str, Any]) -> bool:
    """True where LiteLLM bills written tokens at their own price.

    Qwen's cost 1.25 times as much as others. Where LiteLLM bills them like others no figure would say so, and such a
    deployment gets no marks.
    """
    return bool(entry.get("cache_creation_input_token_cost"))


def _min_cache_tokens(model: DeployedModel) -> int:
    """The same minimum that accounting goes by; where the host publishes no rules, no less than LiteLLM's."""
    cache = cache_of(model)
    if cache.basis == "documented":
        return cache.rules.min_tokens
    known: int = get_prompt_cache_min_tokens(model.base_model or model.name)
    return max(cache.rules.min_tokens, known)


def _auto_points() -> tuple[Mapping[str, Any], ...]:
    """What LiteLLM injects by itself (``get_default_injection_points``, 1.106)."""
    ttl = getattr(litellm, "anthropic_prompt_caching_ttl", None)
    control = {"type": "ephemeral", "ttl": ttl} if ttl in ("5m", "1h") else {"type": "ephemeral"}
    return (
        {"location": "message", "role": "system", "index": None, "control": control},
        {"location": "message", "role": None, "index": -1, "control": control},
    )


def _placement(model: DeployedModel) -> Placement:
    """``append`` where a system message in the middle stays in the middle and is accepted, else ``grow``.

    By the wire of LiteLLM 1.106: for Claude it stays, or becomes a user text in place where LiteLLM knows that the
    model doesn't take the role (on Converse always); older ones hoist it. Databricks gets it as it is. What LiteLLM
    thinks takes the role must take it by Anthropic's word too: Sonnet 5 doesn't. OpenAI, xAI ("in any sequence",
    docs.x.ai) and DeepSeek keep it. Gemini hoists it; Mistral wants a user or tool message last; OpenRouter may hoist
    what it hands on, except to OpenAI; other compatible hosts have chat templates that refuse it. Checked 2026-11.
    """
    is_openai = model.is_openai or (
        model.family == "openai" and model.provider == "openrouter" and "/openai/" in model.name
    )
    if is_openai or model.provider in _KEEPS_LATER_SYSTEM:
        return "append"
    if not model.takes_marks or model.provider == "openrouter" or not _KEEPS_MID_SYSTEM:
        return "grow"
    if model.wire == "converse":
        return "append"
    stays = model.provider == "databricks" or litellm.utils.supports_mid_conversation_system(model.name, model.provider)
    return "append" if not stays or takes_mid_system(model.known_name) else "grow"


def _takes_changed_prompt(model: DeployedModel, entry: Mapping[str, Any]) -> bool:
    """False for a Claude that may think, and for what may be one.

    Anthropic may refuse a replayed thinking block whose conversation begins otherwise than it did. A model that can
    think may do so though no request asks for it, by default or by the deployment's own parameters; of one that
    LiteLLM's map lacks nothing is known.
    """
    known = map_entry(model)
    is_known = known.get("input_cost_per_token") is not None  # LiteLLM's router adds entries without prices
    if model.family == "claude":
        return is_known and not (known.get("supports_reasoning") or entry.get("supports_reasoning"))
    return is_known or model.family != "other" or not (model.provider is None or model.provider in _MAY_BE_CLAUDE)


def _refuses_late_system(model: DeployedModel) -> bool:
    """Mistral wants a user or tool message last; Sonnet 5 refuses the role where LiteLLM lets it through."""
    if model.provider == "mistral":
        return True
    is_sent_as_it_is = model.takes_marks and _KEEPS_MID_SYSTEM and model.provider != "openrouter"
    return is_sent_as_it_is and _placement(model) == "grow"

"""What the deployments behind a model group have in common: cache marks, minimum lengths, prices.

The adapter to LiteLLM's router and model map.
"""

from __future__ import annotations

import copy
import os
import re
import sys
import time
from collections.abc import Iterable, Mapping
from decimal import Decimal
from importlib.util import find_spec
from typing import Any
from urllib.parse import urlparse

import litellm
from litellm.utils import get_prompt_cache_min_tokens

from hooks.cachemodel import takes_breakpoints, takes_mid_system
from hooks.data import UNKNOWN_TARGET as UNKNOWN
from hooks.data import Target
from hooks.deployments.bridges import BRIDGES, Route
from hooks.deployments.provider_wire import is_converse
from hooks.profile import Placement

CHAT = "acompletion"
REFRESH_SECONDS = 5.0
"""How long an answer holds; deployments change at run time when they live in a database."""
MAX_GROUPS = 1024

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


class Deployments:
    """Looks groups up in LiteLLM's router and remembers the answer for a few seconds."""

    def __init__(self) -> None:
        self._known: dict[tuple[object, ...], tuple[float, Target]] = {}

    def target(
        self,
        group: object,
        team_id: str | None,
        fallbacks: object,
        is_auto_cached: bool = False,
        endpoint: str = CHAT,
    ) -> Target:
        """What holds for every deployment that may answer a request to ``group``, fallbacks included.

        ``fallbacks`` is what the request itself names; ``is_auto_cached`` whether its key asks LiteLLM to mark it;
        ``endpoint`` LiteLLM's call type.
        """
        named = _named(fallbacks)
        if not isinstance(group, str) or named is None:
            return UNKNOWN
        is_auto_cached = is_auto_cached or getattr(litellm, "enable_anthropic_prompt_caching", None) is True
        key = (group, team_id, named, is_auto_cached, endpoint)
        now = time.monotonic()
        found = self._known.get(key)
        if found is None or found[0] < now:
            if len(self._known) >= MAX_GROUPS:
                self._known.clear()
            looked_up = _look_up(group, team_id, named, is_auto_cached, endpoint)
            found = self._known[key] = (now + REFRESH_SECONDS, looked_up)
        return found[1]


def targets_of_config(document: Mapping[str, Any]) -> tuple[dict[str, Target], str | None]:
    """``(target for chat by model group, what LiteLLM says against the list)`` of a configuration, without a proxy."""
    entries = document.get("model_list")
    models = [each for each in entries if isinstance(each, dict)] if isinstance(entries, list) else []
    stated = document.get("litellm_settings")
    settings: Mapping[str, Any] = stated if isinstance(stated, dict) else {}
    routing = document.get("router_settings")
    fallbacks = settings.get("fallbacks") or (routing.get("fallbacks") if isinstance(routing, dict) else None)
    try:
        router = litellm.Router(model_list=copy.deepcopy(models), fallbacks=fallbacks or [])
        is_auto_cached = settings.get("enable_anthropic_prompt_caching") is True
        names = dict.fromkeys(name for each in models if isinstance(name := each.get("model_name"), str))
        return {name: _of_router(router, name, None, (), is_auto_cached, CHAT) for name in names}, None
    except Exception as error:  # LiteLLM raises what it likes for lists that it can't take
        return {}, type(error).__name__


def input_price(deployment_id: str | None, model: str | None, provider: str | None) -> Decimal | None:
    """What LiteLLM's Cost Optimization page multiplies tokens by: the deployment's flat input price, or the map's.

    As ``proxy/spend_tracking/savings.py`` looks it up (1.106).
    """
    llm_router = getattr(sys.modules.get("litellm.proxy.proxy_server"), "llm_router", None)
    try:
        own = None
        if llm_router is not None and deployment_id is not None:
            own = llm_router.get_deployment_model_info(deployment_id, model or "")
        return _price(own or litellm.get_model_info(model=model or "", custom_llm_provider=provider))
    except Exception:  # LiteLLM raises a bare Exception for names that its map lacks
        return None


def _named(fallbacks: object) -> tuple[str, ...] | None:
    """The groups that a request names as its fallbacks; None where it brings settings of its own."""
    if fallbacks is None:
        return ()
    if not isinstance(fallbacks, list) or not all(isinstance(name, str) for name in fallbacks):
        return None
    return tuple(fallbacks)


def _look_up(group: str, team_id: str | None, named: Iterable[str], is_auto_cached: bool, endpoint: str) -> Target:
    # Looked up, not imported: outside a proxy the import would take seconds, and there is no router to find.
    llm_router = getattr(sys.modules.get("litellm.proxy.proxy_server"), "llm_router", None)
    return UNKNOWN if llm_router is None else _of_router(llm_router, group, team_id, named, is_auto_cached, endpoint)


def _of_router(
    llm_router: Any, group: str, team_id: str | None, named: Iterable[str], is_auto_cached: bool, endpoint: str
) -> Target:
    candidates: dict[str, Target] = {}
    for name in dict.fromkeys((group, *_fallbacks(group, llm_router), *named)):
        members = llm_router.get_model_list(model_name=name, team_id=team_id) or []
        if not members:
            return UNKNOWN
        for number, deployment in enumerate(members):
            own_id = str((deployment.get("model_info") or {}).get("id") or f"{name}/{number}")
            candidates[own_id] = _deployment(deployment, llm_router, is_auto_cached, endpoint)
    return _common(tuple(candidates.items()))


def _common(candidates: tuple[tuple[str, Target], ...]) -> Target:
    """What is safe for all of them."""
    targets = [target for _, target in candidates]
    prices = {target.input_usd_per_token for target in targets}
    reads = [target.cache_read_share for target in targets if target.cache_read_share is not None]
    writes = [target.cache_write_share for target in targets if target.cache_write_share is not None]
    hour_writes = [target.cache_write_1h_share for target in targets if target.cache_write_1h_share is not None]
    kinds = {_kind(target) for target in targets}
    return Target(
        takes_marks=all(target.takes_marks for target in targets),
        takes_breakpoints=all(target.takes_breakpoints for target in targets),
        min_cache_tokens=max(target.min_cache_tokens for target in targets),
        input_usd_per_token=prices.pop() if len(prices) == 1 else None,
        cache_read_share=min(reads, default=None),
        cache_write_share=max(writes, default=None),
        cache_write_1h_share=max(hour_writes, default=None),
        placement="append" if all(target.placement == "append" for target in targets) else "grow",
        places_points=all(target.places_points for target in targets),
        refuses_late_system=any(target.refuses_late_system for target in targets),
        takes_cache_key=all(target.takes_cache_key for target in targets),
        reads_first_part=any(target.reads_first_part for target in targets),
        injection_points=targets[0].injection_points if len(kinds) == 1 else (),
        auto_points=targets[0].auto_points if len(kinds) == 1 else (),
        each=candidates if len(kinds) > 1 else (),
    )


def _kind(target: Target) -> tuple[object, ...]:
    """What decides how a body is marked, save for the minimum length: there the longest holds for all."""
    points = (*target.injection_points, *target.auto_points)
    return (target.takes_marks, target.takes_breakpoints, target.takes_cache_key, tuple(map(str, points)))


def _fallbacks(group: str, router: Any) -> Iterable[str]:
    """Groups that LiteLLM may turn to when this one fails."""
    names: list[str] = []
    for setting in ("fallbacks", "context_window_fallbacks", "content_policy_fallbacks"):
        for rule in getattr(router, setting, None) or ():
            if isinstance(rule, Mapping):
                for name in (*rule.get(group, ()), *rule.get("*", ())):
                    if isinstance(name, str) and name != group and name not in names:
                        names.append(name)
    return names


def _deployment(deployment: Mapping[str, Any], router: Any, is_auto_cached: bool, endpoint: str) -> Target:
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
        input_usd_per_token=_price(info),
        cache_read_share=_read_share(info),
        cache_write_share=_write_share(info, "cache_creation_input_token_cost"),
        cache_write_1h_share=_write_share(info, "cache_creation_input_token_cost_above_1hr"),
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


def _price(info: Mapping[str, Any]) -> Decimal | None:
    price = info.get("input_cost_per_token")
    return Decimal(str(price)) if price else None


def _read_share(info: Mapping[str, Any]) -> float | None:
    """What a cached token costs, as a share of the input price; 1 where the map says nothing of them."""
    price, own = info.get("input_cost_per_token"), info.get("cache_read_input_token_cost")
    if not price:
        return None
    return 1.0 if own is None else float(own / price)


def _write_share(info: Mapping[str, Any], name: str) -> float | None:
    """What a written token costs, likewise. The map's 0 (DeepSeek) means no more than any other, not nothing."""
    price = info.get("input_cost_per_token")
    return max(1.0, float((info.get(name) or 0) / price)) if price else None

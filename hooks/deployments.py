"""What the deployments behind a model group have in common: cache marks, minimum lengths, prices.

The adapter to LiteLLM's router and model map.
"""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from importlib.util import find_spec
from typing import Any

import litellm
from litellm.utils import get_prompt_cache_min_tokens

from hooks.data import UNKNOWN_TARGET as UNKNOWN
from hooks.data import Target
from hooks.profile import Placement

REFRESH_SECONDS = 5.0
"""How long an answer holds; deployments change at run time when they live in a database."""
MAX_GROUPS = 1024

# Where LiteLLM 1.106 keeps cache_control on the way to a provider that accepts it, by the wire. Everything
# else either strips marks (pointless) or forwards them to an API that may reject them.
_CLAUDE_HOSTS = frozenset({"bedrock", "bedrock_converse", "vertex_ai", "azure_ai", "databricks", "openrouter"})

_OPENAI_NAMES = re.compile(r"(?:^|[/-])(?:gpt-|chatgpt|codex|o\d)")
_KEEPS_MID_SYSTEM = find_spec("litellm.litellm_core_utils.prompt_templates.mid_conversation_system") is not None


class Deployments:
    """Looks groups up in LiteLLM's router and remembers the answer for a few seconds."""

    def __init__(self) -> None:
        self._known: dict[tuple[object, ...], tuple[float, Target]] = {}

    def target(self, group: object, team_id: str | None, fallbacks: object) -> Target:
        """What holds for every deployment that may answer a request to ``group``, its fallbacks included."""
        if not isinstance(group, str):
            return UNKNOWN
        if fallbacks is not None:
            # The client brings fallbacks of its own: what they take is anyone's guess.
            return UNKNOWN
        key = (group, team_id)
        now = time.monotonic()
        found = self._known.get(key)
        if found is None or found[0] < now:
            if len(self._known) >= MAX_GROUPS:
                self._known.clear()
            found = self._known[key] = (now + REFRESH_SECONDS, _look_up(group, team_id))
        return found[1]


def _look_up(group: str, team_id: str | None) -> Target:
    # Looked up, not imported: outside a proxy the import would take seconds, and there is no router to find.
    llm_router = getattr(sys.modules.get("litellm.proxy.proxy_server"), "llm_router", None)
    if llm_router is None:
        return UNKNOWN
    deployments: list[Mapping[str, Any]] = []
    for name in (group, *_fallbacks(group, llm_router)):
        members = llm_router.get_model_list(model_name=name, team_id=team_id) or []
        if not members:
            return UNKNOWN
        deployments.extend(members)
    return _common([_deployment(deployment, llm_router) for deployment in deployments])


def _common(targets: Sequence[Target]) -> Target:
    """What is safe for all of them."""
    prices = {target.input_usd_per_token for target in targets}
    reads = [target.cache_read_share for target in targets if target.cache_read_share is not None]
    writes = [target.cache_write_share for target in targets if target.cache_write_share is not None]
    points = {tuple(map(str, target.injection_points)): target.injection_points for target in targets}
    return Target(
        takes_marks=all(target.takes_marks for target in targets),
        min_cache_tokens=max(target.min_cache_tokens for target in targets),
        input_usd_per_token=prices.pop() if len(prices) == 1 else None,
        cache_read_share=min(reads, default=None),
        cache_write_share=max(writes, default=None),
        placement="append" if all(target.placement == "append" for target in targets) else "grow",
        takes_cache_key=all(target.takes_cache_key for target in targets),
        injection_points=next(iter(points.values())) if len(points) == 1 else (),
    )


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


def _deployment(deployment: Mapping[str, Any], router: Any) -> Target:
    params = deployment["litellm_params"]
    info = router.get_deployment_model_info((deployment.get("model_info") or {}).get("id"), params["model"]) or {}
    provider = _provider(params["model"], params.get("api_base"), params.get("custom_llm_provider"))
    points = params.get("cache_control_injection_points") or ()
    return _target(params["model"], provider, info, tuple(point for point in points if isinstance(point, dict)))


def target_of_model(model: str) -> Target:
    """What holds for a model by LiteLLM's name for it alone, without a proxy."""
    try:
        info: Mapping[str, Any] = litellm.get_model_info(model)
    except Exception:  # LiteLLM raises a bare Exception for names that its map lacks
        info = {}
    return _target(model, _provider(model, None, None), info, ())


def _target(model: str, provider: str | None, info: Mapping[str, Any], points: tuple[Mapping[str, Any], ...]) -> Target:
    name = model.lower()
    is_openai = provider in ("openai", "azure") and _OPENAI_NAMES.search(name) is not None
    takes_marks = provider == "anthropic" or (provider in _CLAUDE_HOSTS and "claude" in name)
    return Target(
        takes_marks=takes_marks,
        min_cache_tokens=get_prompt_cache_min_tokens(model),
        input_usd_per_token=_price(info),
        **_shares(info),
        placement=_placement(name, provider, is_openai=is_openai),
        takes_cache_key=is_openai,
        injection_points=points,
    )


def _placement(name: str, provider: str | None, *, is_openai: bool) -> Placement:
    """``append`` where a system message in the middle stays in the middle and is accepted, else ``grow``.

    By the wire of LiteLLM 1.106: for Claude it stays, or becomes a user text in place where the model doesn't
    take the role; older ones hoist it. OpenAI, xAI ("in any sequence", docs.x.ai) and DeepSeek keep it. Gemini
    hoists it; Mistral wants a user or tool message last; OpenRouter may hoist what it hands on, except to
    OpenAI; other compatible hosts have chat templates that refuse it. Checked 2026-11.
    """
    if is_openai or provider in ("xai", "deepseek") or (provider == "openrouter" and "/openai/" in name):
        return "append"
    is_claude = provider == "anthropic" or (provider in _CLAUDE_HOSTS - {"openrouter"} and "claude" in name)
    return "append" if is_claude and _KEEPS_MID_SYSTEM else "grow"


def _provider(model: str, api_base: str | None, provider: str | None) -> str | None:
    try:
        placed: str = litellm.get_llm_provider(model=model, api_base=api_base, custom_llm_provider=provider)[1]
    except Exception:  # LiteLLM raises several types for names that it can't place
        return None
    return placed


def _price(info: Mapping[str, Any]) -> Decimal | None:
    price = info.get("input_cost_per_token")
    return Decimal(str(price)) if price else None


def _shares(info: Mapping[str, Any]) -> dict[str, float | None]:
    """What the map charges for cached and for written tokens, as shares of the input price; 1 where it says nothing."""
    price = info.get("input_cost_per_token")
    if not price:
        return {"cache_read_share": None, "cache_write_share": None}
    read, write = info.get("cache_read_input_token_cost"), info.get("cache_creation_input_token_cost")
    return {
        "cache_read_share": 1.0 if read is None else read / price,
        "cache_write_share": 1.0 if write is None else max(1.0, write / price),
    }

"""What the deployments behind a model group have in common: cache marks, minimum lengths, prices.

Looked up in LiteLLM's router.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import litellm

from litellm_prompt_router.gateway import proxy_server
from litellm_prompt_router.gateway.deployments.auto_routers import routed_groups
from litellm_prompt_router.gateway.deployments.capabilities import target_of_deployment
from litellm_prompt_router.process_memory.bounded import register_memory
from litellm_prompt_router.request.types import CHAT, Target
from litellm_prompt_router.request.types import UNKNOWN_TARGET as UNKNOWN
from litellm_prompt_router.request.untuned_rule import LONG_CACHE_SECONDS

REFRESH_SECONDS = 5.0
"""How long an answer holds; deployments change at run time when they live in a database."""
MAX_GROUPS = 1024


class Deployments:
    """Looks groups up in LiteLLM's router and remembers the answer for a few seconds."""

    def __init__(self) -> None:
        self._known: dict[tuple[object, ...], tuple[float, Target]] = {}
        register_memory(self, "deployment groups", MAX_GROUPS, lambda it: len(it._known))

    def target(
        self,
        group: object,
        team_id: str | None,
        fallbacks: object,
        is_auto_cached: bool = False,
        endpoint: str = CHAT,
    ) -> Target:
        """What holds for every deployment that may answer a request to ``group``, fallbacks included.

        ``fallbacks``: the rules that the request or its key brings, in any of LiteLLM's forms; ``is_auto_cached``
        whether its key asks LiteLLM to mark it; ``endpoint`` LiteLLM's call type.
        """
        if not isinstance(group, str):
            return UNKNOWN
        groups = models_of_list(group, endpoint)
        named = _named(groups, fallbacks)
        is_auto_cached = is_auto_cached or getattr(litellm, "enable_anthropic_prompt_caching", None) is True
        key = (group, team_id, named, is_auto_cached, endpoint)
        now = time.monotonic()
        found = self._known.get(key)
        if found is None or found[0] < now:
            if len(self._known) >= MAX_GROUPS:
                self._known.clear()
            looked_up = _look_up(groups, team_id, named or (), is_auto_cached, endpoint)
            if named is None:
                looked_up = replace(UNKNOWN, holds_to_prefix=looked_up.holds_to_prefix)
            found = self._known[key] = (now + REFRESH_SECONDS, looked_up)
        return found[1]


_FALLBACK_SETTINGS = ("fallbacks", "context_window_fallbacks", "content_policy_fallbacks")
_SAYING_FALLBACKS = frozenset({*_FALLBACK_SETTINGS, "router_settings_override"})


def requested_fallbacks(data: Mapping[str, Any]) -> object:
    """The rules of fallbacks that a request brings, and its key's or team's (``router_settings_override``, 1.106)."""
    if _SAYING_FALLBACKS.isdisjoint(data):
        return None
    override = data.get("router_settings_override")
    found: list[Any] = []
    for holder in (data, override if isinstance(override, Mapping) else {}):
        for setting in _FALLBACK_SETTINGS:
            rules = holder.get(setting)
            if isinstance(rules, list):
                found += rules
            elif rules is not None:
                return rules  # in no form of LiteLLM's
    return found or None


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
        return {name: _of_router(router, (name,), None, (), is_auto_cached, CHAT) for name in names}, None
    except Exception as error:  # LiteLLM raises what it likes for lists that it can't take
        return {}, type(error).__name__


def models_of_list(model: str, endpoint: str) -> tuple[str, ...]:
    """The groups that LiteLLM calls for this name, side by side: it takes a comma for a list on chat alone."""
    if endpoint != CHAT or "," not in model:
        return (model,)
    return tuple(name.strip() for name in model.split(","))


def _named(groups: Sequence[str], fallbacks: object) -> tuple[str, ...] | None:
    """The groups that these rules name for requests to ``groups``; None where they aren't in a form of LiteLLM's.

    An entry is a group, a group's rule (``{"group": ["other"]}``), or other parameters, the model among them
    (``check_non_standard_fallback_format`` in litellm/router_utils/fallback_event_handlers.py, 1.106).
    """
    if fallbacks is None:
        return ()
    if not isinstance(fallbacks, (list, tuple)):
        return None
    names: list[str] = []
    for entry in fallbacks:
        if isinstance(entry, str):
            names.append(entry)
        elif isinstance(entry, Mapping):
            own = entry.get("model")
            names += [own] if isinstance(own, str) else _ruled(entry, groups)
        else:
            return None
    return tuple(names)


def _ruled(rule: Mapping[Any, Any], groups: Iterable[str]) -> list[str]:
    """The groups that one rule of fallbacks names for any of these."""
    found = [rule.get(group) for group in (*groups, "*")]
    return [name for names in found if isinstance(names, (list, tuple)) for name in names if isinstance(name, str)]


def _look_up(
    groups: Sequence[str], team_id: str | None, named: Iterable[str], is_auto_cached: bool, endpoint: str
) -> Target:
    router = proxy_server.llm_router()
    return UNKNOWN if router is None else _of_router(router, groups, team_id, named, is_auto_cached, endpoint)


def _of_router(
    llm_router: Any,
    groups: Sequence[str],
    team_id: str | None,
    named: Iterable[str],
    is_auto_cached: bool,
    endpoint: str,
) -> Target:
    candidates: dict[str, Target] = {}
    names = [*groups, *named]
    names += [each for name in tuple(names) for each in _fallbacks(name, llm_router)]
    seen: set[str] = set()
    is_unknown = False
    for name in names:  # grows while there are groups that only hand on to others
        if name in seen:
            continue
        seen.add(name)
        members = llm_router.get_model_list(model_name=name, team_id=team_id) or []
        if not members:
            is_unknown = True
        for number, deployment in enumerate(members):
            routed = routed_groups(deployment, llm_router)
            if routed is not None:
                is_unknown = is_unknown or not routed
                names += [each for chosen in routed for each in (chosen, *_fallbacks(chosen, llm_router))]
                continue
            own_id = str((deployment.get("model_info") or {}).get("id") or f"{name}/{number}")
            candidates[own_id] = target_of_deployment(deployment, llm_router, is_auto_cached, endpoint)
    if is_unknown or not candidates:  # what is known to answer may hold to its prefix all the same
        return replace(UNKNOWN, holds_to_prefix=any(target.holds_to_prefix for target in candidates.values()))
    return _common(tuple(candidates.items()))


def _common(candidates: tuple[tuple[str, Target], ...]) -> Target:
    """What is safe for all of them."""
    targets = [target for _, target in candidates]
    prices = {target.input_usd_per_token for target in targets}
    reads = [target.cache_read_share for target in targets if target.cache_read_share is not None]
    writes = [target.cache_write_share for target in targets if target.cache_write_share is not None]
    hour_writes = [target.cache_write_1h_share for target in targets if target.cache_write_1h_share is not None]
    lifetimes = [target.cache_lifetime_seconds for target in targets]
    kinds = {_kind(target) for target in targets}
    return Target(
        takes_marks=all(target.takes_marks for target in targets) and len({each.marks_blocks for each in targets}) == 1,
        takes_breakpoints=all(target.takes_breakpoints for target in targets),
        min_cache_tokens=max(target.min_cache_tokens for target in targets),
        input_usd_per_token=prices.pop() if len(prices) == 1 else None,
        cache_read_share=min(reads, default=None),
        cache_write_share=max(writes, default=None),
        cache_write_1h_share=max(hour_writes, default=None),
        marks_blocks=all(target.marks_blocks for target in targets),
        cache_lifetime_seconds=_longest(lifetimes),
        late_form="message" if all(target.late_form == "message" for target in targets) else "note",
        takes_user_behind_result=all(target.takes_user_behind_result for target in targets),
        holds_to_prefix=any(target.holds_to_prefix for target in targets),
        places_points=all(target.places_points for target in targets),
        takes_cache_key=all(target.takes_cache_key for target in targets),
        takes_changed_prompt=all(target.takes_changed_prompt for target in targets),
        reads_first_part=any(target.reads_first_part for target in targets),
        injection_points=targets[0].injection_points if len(kinds) == 1 else (),
        auto_points=targets[0].auto_points if len(kinds) == 1 else (),
        each=candidates if len(kinds) > 1 else (),
        deployments=frozenset(own_id for own_id, _ in candidates),
    )


def _longest(lifetimes: Sequence[float | None]) -> float | None:
    """The longest; where one isn't published, None, unless another is so long that it decides alone."""
    longest = max([seconds for seconds in lifetimes if seconds is not None], default=None)
    return None if None in lifetimes and (longest or 0.0) < LONG_CACHE_SECONDS else longest


def _kind(target: Target) -> tuple[object, ...]:
    """What decides how a body is marked, save for the minimum length: there the longest holds for all."""
    points = (*target.injection_points, *target.auto_points)
    kinds = (target.takes_marks, target.takes_breakpoints, target.takes_cache_key, target.marks_blocks)
    return (*kinds, tuple(map(str, points)))


def _fallbacks(group: str, router: Any) -> Iterable[str]:
    """Groups that LiteLLM may turn to when this one fails."""
    names: list[str] = []
    for setting in _FALLBACK_SETTINGS:
        for rule in getattr(router, setting, None) or ():
            if isinstance(rule, Mapping):
                for name in _ruled(rule, (group,)):
                    if name != group and name not in names:
                        names.append(name)
    return names

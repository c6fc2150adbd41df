"""The model groups that an auto router of LiteLLM's may hand a request to.

Such a group has no model of its own: which one answers is chosen after our pre-call hook, from the request's text
(``async_pre_routing_hook`` in litellm/router.py, 1.106; semantic, complexity, quality and adaptive routers).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

_PREFIX = "auto_router/"
_REGISTRIES = ("auto_routers", "complexity_routers", "quality_routers", "adaptive_routers")
"""LiteLLM's routers by the name of the group that they stand behind."""


def routed_groups(deployment: Mapping[str, Any], router: Any) -> tuple[str, ...] | None:
    """Every group that may answer behind this entry of the model list; None for one with a model of its own."""
    if not str(deployment["litellm_params"]["model"]).startswith(_PREFIX):
        return None
    found: dict[str, None] = {}
    for registry in _REGISTRIES:
        strategies = (getattr(router, registry, None) or {}).get(deployment["model_name"]) or ()
        for entry in strategies if isinstance(strategies, list) else (strategies,):
            found.update(dict.fromkeys(_groups_of(getattr(entry, "strategy", entry))))
    return tuple(found)


def _groups_of(strategy: Any) -> Iterator[str]:
    config = getattr(strategy, "config", None)
    for holder in (strategy, config):
        yield from _names(getattr(holder, "default_model", None))
        yield from _names(getattr(holder, "available_models", None))
    for pool in (getattr(config, "tiers", None) or {}).values():
        yield from _names(pool)
    for route in getattr(strategy, "loaded_routes", None) or ():
        yield from _names(getattr(route, "name", None))


def _names(given: object) -> Iterable[str]:
    if isinstance(given, str):
        return (given,)
    return [name for name in given if isinstance(name, str)] if isinstance(given, (list, tuple)) else ()

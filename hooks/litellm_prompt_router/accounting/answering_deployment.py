"""The deployment that answered, from LiteLLM: its entry in the model map with configured prices, and its cache points.

The adapter to LiteLLM's router.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from typing import Any, NamedTuple

import litellm

REFRESH_SECONDS = 5.0
MAX_DEPLOYMENTS = 4_096


class Deployment(NamedTuple):
    """``info``: the entry that LiteLLM prices by, token prices None where there are none. ``points``: as configured."""

    info: Mapping[str, Any]
    points: tuple[Any, ...]


class KnownDeployments:
    """Looks deployments up and remembers the answer for a few seconds."""

    def __init__(self) -> None:
        self._known: dict[tuple[str | None, str], tuple[float, Deployment]] = {}

    def get(self, deployment_id: str | None, name: str) -> Deployment:
        """The deployment by its id and LiteLLM's name of the model that it sent to."""
        now = time.monotonic()
        found = self._known.get((deployment_id, name))
        if found is None or found[0] < now:
            if len(self._known) >= MAX_DEPLOYMENTS:
                self._known.clear()
            found = self._known[deployment_id, name] = (now + REFRESH_SECONDS, _look_up(deployment_id, name))
        return found[1]


def _look_up(deployment_id: str | None, name: str) -> Deployment:
    # Looked up, not imported: outside a proxy the import would take seconds, and there is no router to find.
    router = getattr(sys.modules.get("litellm.proxy.proxy_server"), "llm_router", None)
    if router is None or deployment_id is None:
        return Deployment(_info(name), ())
    found = router.get_deployment(model_id=deployment_id)
    params = found.litellm_params if found is not None else None
    points = getattr(params, "cache_control_injection_points", None)
    info = router.get_deployment_model_info(deployment_id, name) or {}
    keys = (deployment_id, info.get("key"), info.get("base_model"), name)
    return Deployment(_without_made_up_prices(info, keys), tuple(points) if isinstance(points, list) else ())


def _info(name: str) -> Mapping[str, Any]:
    try:
        info: Mapping[str, Any] = litellm.get_model_info(name)
    except Exception:  # LiteLLM raises a bare Exception for names that its map lacks
        return {}
    return _without_made_up_prices(info, (info.get("key"), name))


def _without_made_up_prices(info: Mapping[str, Any], keys: tuple[object, ...]) -> Mapping[str, Any]:
    """LiteLLM fills a missing price with 0, which reads like a price of 0: none of the raw entries has one then."""
    entries = [litellm.model_cost.get(key) for key in keys if isinstance(key, str)]
    stated = [entry for entry in entries if isinstance(entry, Mapping)]
    if any("input_cost_per_token" in entry or "output_cost_per_token" in entry for entry in stated):
        return info
    return {**info, "input_cost_per_token": None, "output_cost_per_token": None}

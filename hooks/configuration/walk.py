"""Settings and profiles together: the walk."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from hooks.configuration.settings import Settings
from hooks.pipeline import Pipeline
from hooks.profile import Profile


def pipeline_of(settings: Settings, profiles: Sequence[Profile], count_tokens: Callable[[str], int]) -> Pipeline:
    """The walk as the proxy does it under these settings."""
    return Pipeline(
        profiles,
        count_tokens,
        coverage_floor=settings.coverage_floor,
        placement=None if settings.placement == "auto" else settings.placement,
        gives_hints=settings.cache_hints,
        gates_cost=settings.cost_gate,
    )

"""Settings and profiles together, with everything that is wrong with either told at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from hooks.errors import ConfigurationError
from hooks.library import bundled_profiles, load_profiles
from hooks.pipeline import Pipeline
from hooks.profile import Profile
from hooks.settings import WHERE, Settings, load_settings, profiles_stated
from hooks.tokens import token_counter


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


def configured(
    section: Mapping[str, Any] | None, environ: Mapping[str, str]
) -> tuple[Settings, tuple[Profile, ...], Callable[[str], int]]:
    """``(settings, profiles, token counter)``. Raises ConfigurationError with the problems of both."""
    problems: list[str] = []
    settings: Settings | None = None
    try:
        settings = load_settings(section, environ)
        root = settings.profiles
    except ConfigurationError as error:
        problems.extend(error.problems)
        root = profiles_stated(section, environ)
    count_tokens = token_counter()
    profiles: tuple[Profile, ...] = ()
    try:
        profiles = load_profiles(root or bundled_profiles(), count_tokens)
    except ConfigurationError as error:
        problems.extend(error.problems)
    names = sorted(profile.name for profile in profiles)
    if settings is not None and names and settings.profile is not None and settings.profile not in names:
        problems.append(f"{WHERE}: profile: unknown profile {settings.profile!r}; there are {', '.join(names)}")
    if problems or settings is None:
        raise ConfigurationError(problems)
    return settings, profiles, count_tokens

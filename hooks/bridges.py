"""What LiteLLM makes of other endpoints' bodies on their way to a provider, where that differs from chat's.

Checked on the wire of LiteLLM 1.106, 2026-11.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from hooks.data import Target


@dataclass(frozen=True, kw_only=True, slots=True)
class Route:
    """Where a deployment's requests go. ``name``: the model's, lower case, with the provider and a stated base."""

    name: str
    provider: str | None
    is_openai: bool


Bridge = Callable[[Target, Route], Target]

BRIDGES: Mapping[str, Bridge] = {}
"""By call type: what holds of a deployment on that endpoint, from what holds of it on chat."""

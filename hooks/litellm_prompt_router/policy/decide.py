"""What holds for one request: the strongest place that says something counts, field by field.

Strongest first: a rule of the policy file, key metadata, team metadata, the policy file's defaults, settings. The
request header can only lower the result.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError

from litellm_prompt_router.documents.problems import accept_bare_off, explain_validation_error

if TYPE_CHECKING:
    from litellm_prompt_router.request.types import (
        Mode,  # brings NumPy, which commands that only flip a switch can do without
    )

METADATA_KEY = "prompt_router"
HEADER = "x-prompt-router"
OFF_WORDS = frozenset({"off", "false", "no", "0"})
PlacementChoice = Literal["auto", "append", "grow", "latest"]

KEY_METADATA = "key metadata"
TEAM_METADATA = "team metadata"
REQUEST_HEADER = "request header"


class KeyMetadata(BaseModel):
    """``prompt_router`` in a key's or a team's metadata. ``enabled: false`` is ``mode: off``."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    enabled: bool | None = None
    mode: Annotated[Literal["rewrite", "shadow", "off"] | None, BeforeValidator(accept_bare_off)] = None
    profile: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Stated:
    """What one place says; None where it says nothing."""

    source: str
    mode: Mode | None = None
    profile: str | None = None
    percent: float | None = None
    placement: PlacementChoice | None = None
    holdout: float | None = None


FIELDS = ("mode", "profile", "percent", "placement", "holdout")


@dataclass(frozen=True, kw_only=True, slots=True)
class Base:
    """What holds where nobody says anything: settings. Their placement is weaker than a profile's own, so not here."""

    mode: Mode
    profile: str | None = None
    percent: float = 100.0
    holdout: float = 0.0
    source: str = "settings"


@dataclass(frozen=True, kw_only=True, slots=True)
class Policy:
    """What holds for one request. ``source`` is what decided the mode."""

    mode: Mode
    profile: str | None
    percent: float
    holdout: float
    placement: PlacementChoice | None
    """Stands over the profile's own; None leaves it to profile and settings."""
    source: str


def stated_in_metadata(
    below: Mode,
    known_profiles: frozenset[str],
    key_metadata: Mapping[str, Any] | None,
    team_metadata: Mapping[str, Any] | None,
) -> tuple[tuple[Stated, ...], tuple[str, ...]]:
    """``(what key and team say, strongest first; problems)``. Metadata is the proxy's own, never what the client sent.

    ``below``: the mode without them. ``enabled`` lifts what is off to it, or to ``rewrite`` if it is off too.
    """
    stated: list[Stated] = []
    problems: list[str] = []
    mode = below
    for source, metadata in ((TEAM_METADATA, team_metadata), (KEY_METADATA, key_metadata)):
        raw = metadata.get(METADATA_KEY) if metadata else None
        if raw is None:
            continue
        try:
            said = KeyMetadata.model_validate(raw)
        except ValidationError as error:
            problems.extend(explain_validation_error(error, f"{source}: {METADATA_KEY}", KeyMetadata))
            continue
        own: Mode | None = said.mode
        if own is None and said.enabled and mode == "off":
            own = below if below != "off" else "rewrite"
        if said.enabled is False:
            own = "off"
        if said.profile is not None and said.profile not in known_profiles:
            problems.append(f"{source}: {METADATA_KEY}: profile: unknown profile; `prompt-router check` lists them")
        mode = own or mode
        stated.insert(0, Stated(source=source, mode=own, profile=said.profile))
    return tuple(stated), tuple(problems)


def decide_policy(base: Base, layers: Sequence[Stated], header: str | None = None) -> Policy:
    """The policy for one request. ``layers``: strongest first."""
    mode, profile, percent, holdout, source = base.mode, base.profile, base.percent, base.holdout, base.source
    placement: PlacementChoice | None = None
    for layer in reversed(layers):
        if layer.mode is not None:
            mode, source = layer.mode, layer.source
        profile = layer.profile if layer.profile is not None else profile
        percent = layer.percent if layer.percent is not None else percent
        holdout = layer.holdout if layer.holdout is not None else holdout
        placement = layer.placement or placement
    lowered = _lowered(mode, header)
    return Policy(
        mode=lowered,
        profile=profile,
        percent=percent,
        holdout=holdout,
        placement=placement,
        source=source if lowered == mode else REQUEST_HEADER,
    )


def sources_of(base: Base, layers: Sequence[Stated]) -> dict[str, str]:
    """Which place each field comes from."""
    said = {name: layer.source for layer in reversed(layers) for name in FIELDS if getattr(layer, name) is not None}
    return {name: said.get(name, base.source) for name in FIELDS}


def _lowered(mode: Mode, header: str | None) -> Mode:
    wanted = (header or "").strip().lower()
    if wanted in OFF_WORDS:
        return "off"
    return "shadow" if wanted == "shadow" and mode == "rewrite" else mode

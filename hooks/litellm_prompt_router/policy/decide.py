"""The policy for one request, and the arm that its conversation is in.

Field by field the strongest place that sets it counts: a rule of the policy file, key metadata, team metadata, the
policy file's defaults, settings. The request header can only lower the resulting mode, and switches nothing on.

Canary (``percent``) and control group (``holdout``) are decided by hash and remembered nowhere: for each of the two
questions a conversation has a fixed number between 0 and 1, and is in while that is below the share. So raising a share
keeps everyone who was in, and replicas agree.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
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

Arm = Literal["treatment", "holdout"]
Draw = Literal["treatment", "holdout", "not_in_percent"]
CANARY = "canary"
HOLDOUT = "holdout"

KEY_METADATA = "key metadata"
TEAM_METADATA = "team metadata"
REQUEST_HEADER = "request header"


class KeyMetadata(BaseModel):
    """``prompt_router`` in a key's or a team's metadata. ``enabled: false`` is ``mode: off``."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    enabled: bool | None = None
    mode: Annotated[Literal["rewrite", "shadow", "off"] | None, BeforeValidator(accept_bare_off)] = None
    profile: str | None = None
    router_model: bool | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class PolicyLayer:
    """What one place sets; None for what it leaves to weaker ones."""

    source: str
    mode: Mode | None = None
    profile: str | None = None
    percent: float | None = None
    placement: PlacementChoice | None = None
    holdout: float | None = None
    router_model: bool | None = None


FIELDS = ("mode", "profile", "percent", "placement", "holdout", "router_model")
"""Of a layer."""


@dataclass(frozen=True, kw_only=True, slots=True)
class DefaultPolicy:
    """What settings say, for what no layer sets. Their placement is weaker than a profile's own, so it isn't here."""

    mode: Mode
    profile: str | None = None
    percent: float = 100.0
    holdout: float = 0.0
    router_model: bool = False
    source: str = "settings"


@dataclass(frozen=True, kw_only=True, slots=True)
class Policy:
    """What holds for one request. ``source`` names the place that decided the mode."""

    mode: Mode
    profile: str | None
    percent: float
    holdout: float
    placement: PlacementChoice | None
    """Stands over the profile's own; None leaves it to profile and settings."""
    router_model: bool
    """True where the routing model that a profile names is asked."""
    source: str


def metadata_layers(
    default_mode: Mode,
    known_profiles: frozenset[str],
    key_metadata: Mapping[str, Any] | None,
    team_metadata: Mapping[str, Any] | None,
) -> tuple[tuple[PolicyLayer, ...], tuple[str, ...]]:
    """``(layers of key and team, strongest first; problems)``. Metadata is the proxy's own, never what the client sent.

    ``default_mode``: the mode without them. ``enabled`` lifts what is off to it, or to ``rewrite`` if it is off too.
    """
    layers: list[PolicyLayer] = []
    problems: list[str] = []
    mode = default_mode
    for source, place in ((TEAM_METADATA, team_metadata), (KEY_METADATA, key_metadata)):
        raw = place.get(METADATA_KEY) if place else None
        if raw is None:
            continue
        try:
            metadata = KeyMetadata.model_validate(raw)
        except ValidationError as error:
            problems.extend(explain_validation_error(error, f"{source}: {METADATA_KEY}", KeyMetadata))
            continue
        own: Mode | None = metadata.mode
        if own is None and metadata.enabled and mode == "off":
            own = default_mode if default_mode != "off" else "rewrite"
        if metadata.enabled is False:
            own = "off"
        if metadata.profile is not None and metadata.profile not in known_profiles:
            problems.append(f"{source}: {METADATA_KEY}: profile: unknown profile; `prompt-router check` lists them")
        mode = own or mode
        layer = PolicyLayer(source=source, mode=own, profile=metadata.profile, router_model=metadata.router_model)
        layers.insert(0, layer)
    return tuple(layers), tuple(problems)


def decide_policy(default: DefaultPolicy, layers: Sequence[PolicyLayer], header: str | None = None) -> Policy:
    """The policy for one request. ``layers``: strongest first."""
    mode, profile, percent, holdout = default.mode, default.profile, default.percent, default.holdout
    source = default.source
    placement: PlacementChoice | None = None
    router_model = default.router_model
    for layer in reversed(layers):
        if layer.mode is not None:
            mode, source = layer.mode, layer.source
        profile = layer.profile if layer.profile is not None else profile
        percent = layer.percent if layer.percent is not None else percent
        holdout = layer.holdout if layer.holdout is not None else holdout
        placement = layer.placement or placement
        router_model = layer.router_model if layer.router_model is not None else router_model
    lowered = _lowered(mode, header)
    return Policy(
        mode=lowered,
        profile=profile,
        percent=percent,
        holdout=holdout,
        placement=placement,
        router_model=router_model,
        source=source if lowered == mode else REQUEST_HEADER,
    )


def at_most_shadow(policy: Policy, source: str) -> Policy:
    """The policy, lowered to shadow where it would rewrite: ``source`` says why. There is no experiment then."""
    return replace(policy, mode="shadow", holdout=0.0, source=source) if policy.mode == "rewrite" else policy


def sources_of(default: DefaultPolicy, layers: Sequence[PolicyLayer]) -> dict[str, str]:
    """The place that each field comes from."""
    sources = {name: layer.source for layer in reversed(layers) for name in FIELDS if getattr(layer, name) is not None}
    return {name: sources.get(name, default.source) for name in FIELDS}


def _lowered(mode: Mode, header: str | None) -> Mode:
    wanted = (header or "").strip().lower()
    if wanted in OFF_WORDS:
        return "off"
    return "shadow" if wanted == "shadow" and mode == "rewrite" else mode


def hash_fraction(salt: str, scope: str, conversation: str) -> float:
    """The fixed number of this key's conversation for the question that ``salt`` names, at least 0 and below 1."""
    text = "\0".join((salt, scope, conversation)).encode("utf-8", "backslashreplace")
    return int.from_bytes(hashlib.sha256(text).digest()[:6]) / 2**48


def draw(scope: str, conversation: str, *, percent: float, holdout: float) -> Draw:
    """The arm of a key's conversation. The control group is part of the canary: both arms come from one population."""
    if percent < 100 and hash_fraction(CANARY, scope, conversation) >= percent / 100:
        return "not_in_percent"
    return "holdout" if holdout > 0 and hash_fraction(HOLDOUT, scope, conversation) < holdout else "treatment"

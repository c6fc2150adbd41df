"""Who gets it: key metadata, then team metadata, then settings; the request header can only lower the result."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError

from hooks.data import Mode
from hooks.problems import described, unquoted_off

METADATA_KEY = "prompt_router"
HEADER = "x-prompt-router"
OFF_WORDS = frozenset({"off", "false", "no", "0"})


class KeyMetadata(BaseModel):
    """``prompt_router`` in a key's or a team's metadata. ``enabled: false`` is ``mode: off``."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    enabled: bool | None = None
    mode: Annotated[Literal["rewrite", "shadow", "off"] | None, BeforeValidator(unquoted_off)] = None
    profile: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Policy:
    """What holds for one request. With ``problems`` the request passes through, whatever ``mode`` says."""

    mode: Mode
    profile: str | None
    problems: tuple[str, ...] = ()


def decide_policy(
    default: Policy,
    known_profiles: frozenset[str],
    key_metadata: Mapping[str, Any] | None,
    team_metadata: Mapping[str, Any] | None,
    header: str | None,
) -> Policy:
    """The policy for one request. Metadata is the proxy's own, never what the client sent."""
    mode, profile = default.mode, default.profile
    problems: list[str] = []
    for source, metadata in (("team metadata", team_metadata), ("key metadata", key_metadata)):
        raw = metadata.get(METADATA_KEY) if metadata else None
        if raw is None:
            continue
        try:
            stated = KeyMetadata.model_validate(raw)
        except ValidationError as error:
            problems.extend(described(error, f"{source}: {METADATA_KEY}", KeyMetadata))
            continue
        if stated.mode is not None:
            mode = stated.mode
        elif stated.enabled and mode == "off":
            # What settings give, unless they are off themselves: then `enabled` means what it says.
            mode = default.mode if default.mode != "off" else "rewrite"
        if stated.enabled is False:
            mode = "off"
        if stated.profile is not None:
            profile = stated.profile
            if profile not in known_profiles:
                problems.append(f"{source}: {METADATA_KEY}: profile: unknown profile; `prompt-router check` lists them")
    return Policy(mode=_lowered(mode, header), profile=profile, problems=tuple(problems))


def _lowered(mode: Mode, header: str | None) -> Mode:
    wanted = (header or "").strip().lower()
    if wanted in OFF_WORDS:
        return "off"
    return "shadow" if wanted == "shadow" and mode == "rewrite" else mode

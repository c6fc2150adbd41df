"""profile.yaml as its owner states it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from litellm_prompt_router.files.ignore_rules import MAX_RULES, IgnoreFile

PROFILE_FILE = "profile.yaml"
MAX_SLOT_CHARS = 50_000
EMBEDDING_TIMEOUT_SECONDS = 0.3

_ID = r"^[\w.-]+(/[\w.-]+)*$"
_NAME = r"^[\w.-]+$"
_Text = Annotated[str, Field(min_length=1)]


class _StrictProfile(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SlotFile(_StrictProfile):
    """``slots[]`` of profile.yaml."""

    name: Annotated[str, Field(pattern=_NAME)]
    pattern: _Text
    sample: str
    description: str = ""
    volatile: bool = False
    max_chars: Annotated[int, Field(gt=0, le=1_000_000)] = MAX_SLOT_CHARS


class ModuleFile(_StrictProfile):
    """``modules[]`` of profile.yaml."""

    id: Annotated[str, Field(pattern=_ID)]
    file: _Text
    title: _Text
    description: str = ""
    always: bool = False
    requires: tuple[str, ...] = ()
    triggers: tuple[str, ...] = ()
    examples: tuple[str, ...] = ()
    tools: tuple[str, ...] = ()


class EconomicsFile(_StrictProfile):
    """``economics`` of profile.yaml, as ``simulate --tune`` writes it."""

    choice: Literal["exact", "bundles", "all", "full"]
    min_dropped: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    bundles: tuple[tuple[str, ...], ...] = ()
    cache_read_share: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    cache_write_share: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    tuned_on: dict[str, str | int | float] = {}
    """The traffic and the figures that led to it; for people."""


class RouterFile(_StrictProfile):
    """``router`` of profile.yaml. ``embedding_timeout``: seconds that a request waits for its messages' vectors."""

    embedding_model: _Text | None = None
    embedding_timeout: Annotated[float, Field(gt=0, le=10)] = EMBEDDING_TIMEOUT_SECONDS


class ProfileFile(_StrictProfile):
    """profile.yaml."""

    profile: Annotated[str, Field(pattern=_NAME)]
    version: _Text
    description: str = ""
    coverage_floor: Annotated[float, Field(ge=0, le=1)] | None = None
    cache_ttl: Literal["5m", "1h"] = "5m"
    placement: Literal["auto", "append", "grow", "latest"] = "auto"
    economics: EconomicsFile | None = None
    router: RouterFile = RouterFile()
    ignore: Annotated[tuple[IgnoreFile, ...], Field(max_length=MAX_RULES)] = ()
    slots: tuple[SlotFile, ...] = ()
    modules: Annotated[tuple[ModuleFile, ...], Field(min_length=1)]

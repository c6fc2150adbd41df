"""``cascade`` of router.json: when the routing model is asked. No number stands for an infinite one."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from litellm_prompt_router.profile.fitted import AskingBand, Cascade, ModelLists, Promise

_Finite = Annotated[float, Field(allow_inf_nan=False)]


class _StrictCascade(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class BandJson(_StrictCascade):
    low: _Finite | None
    high: _Finite | None


class CascadeJson(_StrictCascade):
    model: str
    lists: ModelLists
    words: BandJson
    fused: BandJson | None
    promise: Promise
    target_coverage: Annotated[float, Field(gt=0, lt=1)]
    messages: int
    misses: int
    asked: int
    unserved: int | None = None


def cascade_for_file(cascade: Cascade) -> dict[str, Any]:
    return {
        **asdict(cascade),
        "words": _band_for_file(cascade.words),
        "fused": None if cascade.fused is None else _band_for_file(cascade.fused),
    }


def cascade_of(stated: CascadeJson) -> Cascade:
    fused = None if stated.fused is None else _band_of(stated.fused)
    return Cascade(**{**stated.model_dump(), "words": _band_of(stated.words), "fused": fused})


def _band_for_file(band: AskingBand) -> dict[str, float | None]:
    return {name: value if np.isfinite(value) else None for name, value in asdict(band).items()}


def _band_of(stated: BandJson) -> AskingBand:
    return AskingBand(
        low=-np.inf if stated.low is None else stated.low, high=np.inf if stated.high is None else stated.high
    )

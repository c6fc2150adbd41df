"""router.json: its form, and the calibration and the gates in it. No number, or None, stands for an infinite one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from litellm_prompt_router.files.cascade_json import CascadeJson
from litellm_prompt_router.profile.fitted import (
    AGENT_INPUTS,
    GATE_INPUTS,
    SEMANTIC_INPUTS,
    AgentWords,
    Calibration,
    CoverageOver,
    Gate,
    Promise,
)

_Finite = Annotated[float, Field(allow_inf_nan=False)]


class _StrictFit(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class CalibrationJson(_StrictFit):
    promise: Promise
    target_coverage: Annotated[float, Field(gt=0, lt=1)]
    over: CoverageOver
    threshold: _Finite | None
    confidence: Annotated[float, Field(gt=0, lt=1)]
    messages: int
    misses: int
    conversations: int
    expected_threshold: _Finite | None
    guaranteed_threshold: _Finite | None
    unserved: int | None = None
    unserved_at_best: int | None = None


class GateJson(_StrictFit):
    weights: Annotated[tuple[_Finite, ...], Field(min_length=GATE_INPUTS, max_length=GATE_INPUTS)]
    bias: _Finite
    later_shift: _Finite
    offsets: dict[str, _Finite | None]


class FusedGateJson(GateJson):
    weights: Annotated[
        tuple[_Finite, ...], Field(min_length=GATE_INPUTS + SEMANTIC_INPUTS, max_length=GATE_INPUTS + SEMANTIC_INPUTS)
    ]


class SemanticsJson(_StrictFit):
    embedding_model: str
    calibration: CalibrationJson
    gate: FusedGateJson


class AgentWordsJson(_StrictFit):
    weights: Annotated[tuple[_Finite, ...], Field(min_length=AGENT_INPUTS, max_length=AGENT_INPUTS)]
    bias: _Finite
    thresholds: dict[str, _Finite | None]
    texts: int


class FitJson(_StrictFit):
    """router.json."""

    format: Literal[2]
    profile_digest: str
    table_sha256: str
    calibration: CalibrationJson
    gate: GateJson
    unseen_weight: _Finite
    trusts_lists: bool
    semantics: SemanticsJson | None = None
    cascade: CascadeJson | None = None
    agent_words: AgentWordsJson | None = None
    later: dict[str, Annotated[float, Field(ge=0, le=1)]] | None = None


def calibration_for_file(calibration: Calibration) -> dict[str, Any]:
    thresholds = ("threshold", "expected_threshold", "guaranteed_threshold")
    return {name: _finite(value) if name in thresholds else value for name, value in asdict(calibration).items()}


def gate_for_file(gate: Gate, ids: Sequence[str]) -> dict[str, Any]:
    return {
        "weights": gate.weights.tolist(),
        "bias": gate.bias,
        "later_shift": gate.later_shift,
        "offsets": {id: _finite(offset) for id, offset in zip(ids, gate.offsets.tolist(), strict=True)},
    }


def agent_words_for_file(words: AgentWords, ids: Sequence[str]) -> dict[str, Any]:
    return {
        "weights": words.weights.tolist(),
        "bias": words.bias,
        "thresholds": {id: _finite(value) for id, value in zip(ids, words.thresholds.tolist(), strict=True)},
        "texts": words.texts,
    }


def agent_words_of(stated: AgentWordsJson, ids: Sequence[str]) -> AgentWords:
    """Raises KeyError and ValueError where it isn't for these modules."""
    if set(stated.thresholds) != set(ids):
        raise ValueError("agent_words: thresholds of other modules")
    found = [stated.thresholds[id] for id in ids]
    thresholds = [np.inf if value is None else value for value in found]
    return AgentWords(
        weights=np.array(stated.weights), bias=stated.bias, thresholds=np.array(thresholds), texts=stated.texts
    )


def gate_of(stated: GateJson) -> Gate:
    offsets = [np.inf if offset is None else offset for offset in stated.offsets.values()]
    return Gate(
        weights=np.array(stated.weights), bias=stated.bias, later_shift=stated.later_shift, offsets=np.array(offsets)
    )


def calibration_of(stated: CalibrationJson) -> Calibration:
    values = stated.model_dump()
    for name in ("threshold", "expected_threshold", "guaranteed_threshold"):
        if values[name] is None:
            values[name] = -np.inf
    return Calibration(**values)


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None

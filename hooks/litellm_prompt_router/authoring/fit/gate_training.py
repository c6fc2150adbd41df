"""The gate: weights learned from messages that the table didn't learn from, then tuned to keep few tokens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from litellm_prompt_router.authoring.fit.table_training import libraries
from litellm_prompt_router.authoring.fit.training_documents import EXAMPLE_CATEGORY
from litellm_prompt_router.files.labelled_messages import Case
from litellm_prompt_router.profile.fitted import (
    GATE_INPUTS,
    SEMANTIC_INPUTS,
    CoverageOver,
    Flags,
    Floats,
    Gate,
    Promise,
)
from litellm_prompt_router.profile.profile import Profile
from litellm_prompt_router.request.route import WeightedConversation, gate_values

ENOUGH_TO_TUNE = 60
SIZE_POWERS = (0.0, 0.5, 1.0)
LATER_SHIFTS = (0.0, 1.0, 2.0, 3.0, 4.0)
GATE_REGULARISATION = 1.0
FIRST_TURN, LATER = (0, 1, 12, 13), 6
"""Indexes of gate inputs: those that a first turn has, and the one that marks a later turn."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FitOptions:
    target: float = 0.99
    confidence: float = 0.9
    over: CoverageOver = "first_needs"
    at_most: Promise = "guaranteed"
    seed: int = 0
    unseen_modules: tuple[int, ...] = ()
    """Indexes of modules whose need the labels can't show: sent with every task."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class HeldOutCase:
    """One labelled message, weighed turn by turn with scores from a table that didn't learn from it."""

    case: Case
    weighted: WeightedConversation
    needed: Flags
    is_scored: bool
    """True when the case's own message was scored, and not dismissed or beyond the table's reach."""


def is_counted(case: Case, seen: WeightedConversation, profile: Profile, over: CoverageOver) -> bool:
    """True for a message that the promise covers: any, or only one that needs a module not yet in use."""
    return over == "messages" or any(not seen.used[profile.order[module]] for module in case.needs)


def highest_threshold(case: Case, seen: WeightedConversation, profile: Profile) -> float:
    """The highest threshold at which every needed module is selected."""
    left = [n for module in case.needs if not seen.firm[n := profile.order[module]]]
    return min((float(seen.values[n]) for n in left), default=np.inf)


def needed_of(case: Case, profile: Profile) -> Flags:
    needed: Flags = np.zeros(len(profile.modules), dtype=np.bool_)
    needed[[profile.order[module] for module in case.needs]] = True
    return needed


def learn_gate(profile: Profile, columns: Sequence[int], observed: Sequence[HeldOutCase], options: FitOptions) -> Gate:
    """The gate's weights from the held-out messages' inputs, then its offsets by module size and its later-turn shift.

    It also weighs semantic inputs where the messages were weighed by their meaning.
    """
    linear_model, _ = libraries()
    is_fused = any(item.weighted.is_fused for item in observed)
    width = GATE_INPUTS + SEMANTIC_INPUTS * is_fused
    real = [item for item in observed if item.case.category != EXAMPLE_CATEGORY and item.is_scored]
    pool = real if len(real) >= 2 * ENOUGH_TO_TUNE else [item for item in observed if item.is_scored]
    if sum(item.weighted.seen[-1].inputs[0, LATER] for item in pool) < ENOUGH_TO_TUNE:
        blind: Floats = np.isin(np.arange(width), FIRST_TURN).astype(float)  # too few later turns to learn from
    else:
        blind = np.ones(width)
    inputs: list[Floats] = []
    wanted: list[Flags] = []
    for item in pool:
        free = ~item.weighted.used[list(columns)]
        inputs.append(item.weighted.seen[-1].inputs[free] * blind)
        wanted.append(item.needed[list(columns)][free])
    design, labels = (np.concatenate(inputs), np.concatenate(wanted)) if inputs else (np.zeros((0, width)), None)
    weights, bias = np.zeros(width), 0.0
    weights[:2] = 0.3, 0.7
    if labels is not None and 0 < labels.sum() < len(labels):
        spread = design.std(axis=0)
        used = spread > 1e-9
        middle = design.mean(axis=0)
        model = linear_model.LogisticRegression(C=GATE_REGULARISATION, max_iter=1000)
        model.fit((design[:, used] - middle[used]) / spread[used], labels)
        weights = np.zeros(width)
        weights[used] = model.coef_[0] / spread[used]
        bias = float(model.intercept_[0] - weights @ np.where(used, middle, 0.0))
    plain = Gate(weights=np.round(weights, 6), bias=round(bias, 6), later_shift=0.0, offsets=np.zeros(len(columns)))
    return _tuned(profile, columns, plain, real, options)


def _tuned(
    profile: Profile, columns: Sequence[int], gate: Gate, observed: Sequence[HeldOutCase], options: FitOptions
) -> Gate:
    """The gate that keeps the fewest tokens on the teaching messages at the target coverage.

    Calibration comes afterwards, so that no choice here affects the promise.
    """
    sizes = np.array([max(1, profile.modules[n].tokens) for n in columns], dtype=float)
    offsets = {power: np.round(-power * np.log(sizes / sizes.mean()), 4) for power in SIZE_POWERS}
    fixed = np.isin(columns, options.unseen_modules)

    def made(power: float, shift: float) -> Gate:
        return replace(gate, later_shift=shift, offsets=np.where(fixed, np.inf, offsets[power]))

    counted = [item for item in observed if is_counted(item.case, item.weighted, profile, options.over)]
    if len(counted) < ENOUGH_TO_TUNE:
        return made(0.5, 0.0)
    has_later = any(len(item.case.history) for item in observed)
    options_of = [made(power, shift) for power in SIZE_POWERS for shift in (LATER_SHIFTS if has_later else (0.0,))]
    return min(options_of, key=lambda option: _kept_at_target(profile, columns, option, observed, counted, options))


def _kept_at_target(
    profile: Profile,
    columns: Sequence[int],
    gate: Gate,
    observed: Sequence[HeldOutCase],
    counted: Sequence[HeldOutCase],
    options: FitOptions,
) -> float:
    tokens = np.array([module.tokens for module in profile.modules], dtype=float)
    values = {id(item): _values(profile, columns, gate, item) for item in observed}
    scores = sorted(_lowest(item, values[id(item)]) for item in counted)
    threshold = scores[int((1 - options.target) * len(scores))]
    kept = [tokens[item.weighted.firm | (values[id(item)] >= threshold)].sum() for item in observed]
    return float(np.mean(kept))


def _values(profile: Profile, columns: Sequence[int], gate: Gate, item: HeldOutCase) -> Floats:
    out = np.full(len(profile.modules), -np.inf)
    if item.weighted.seen:
        out[list(columns)] = np.max([gate_values(gate, seen.inputs) for seen in item.weighted.seen], axis=0)
    return out


def _lowest(item: HeldOutCase, values: Floats) -> float:
    left = item.needed & ~item.weighted.firm
    return float(values[left].min()) if left.any() else np.inf

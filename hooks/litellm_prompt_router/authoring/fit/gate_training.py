"""The gate: weights learned from messages that the table didn't learn from, then tuned to keep few tokens.

How often labelled messages need a module is in the gate's offsets: words and vectors are learned with balanced
classes, so that a rare module scores as high as a frequent one where it is asked for, and the gate weighs that
against this.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from litellm_prompt_router.authoring.fit.table_training import libraries
from litellm_prompt_router.authoring.fit.training_documents import EXAMPLE_CATEGORY
from litellm_prompt_router.authoring.second_call import Brought
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
from litellm_prompt_router.profile.topic_pieces import pieces_of_topics
from litellm_prompt_router.request.route import WeightedConversation, gate_values, values_by_module

ENOUGH_TO_TUNE = 30
SIZE_POWERS = (0.5, 1.0, 1.5)
LATER_SHIFTS = (0.0, 1.0, 2.0, 3.0, 4.0)
TUNED_COVERAGES = (0.85, 0.875, 0.9, 0.925, 0.95, 0.97)
"""What the gate is tuned for: the tokens kept at these, together, so that one gate serves every target, and one message
more or less decides nothing."""
GATE_REGULARISATION = 1.0
LEAST_GAIN = 0.05
"""The inputs that say what came before are read where they make needs this much less surprising."""
LATER = 6
"""Index of the gate input that marks a later turn."""
FIRST_TURN = frozenset({0, 1, 12, 13})
PLAIN = FIRST_TURN | {LATER}
"""Indexes of gate inputs: those that a first turn has; and those that say nothing of the conversation but that."""
EVERY = frozenset(range(GATE_INPUTS + SEMANTIC_INPUTS))
DEFAULT_TARGET = 0.95


@dataclass(frozen=True, kw_only=True, slots=True)
class FitOptions:
    target: float = DEFAULT_TARGET
    confidence: float = 0.9
    over: CoverageOver = "first_needs"
    at_most: Promise = "guaranteed"
    seed: int = 0
    unseen_modules: tuple[int, ...] = ()
    """Indexes of modules whose need the labels can't show: sent with every task."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class HeldOutCase:
    """One labelled message, weighed turn by turn with scores from a table that didn't learn from its conversation."""

    case: Case
    weighted: WeightedConversation
    needed: Flags
    is_scored: bool
    """True when the case's own message was scored, and not dismissed or beyond the table's reach."""
    fold: int
    heard: tuple[Floats, ...] = ()
    """What the agent said while it worked on the message, as request/route/agent_words.py weighs it, text by text."""
    brought: Brought = ()
    """What the agent's first answer brings."""
    first_heard: tuple[Floats, ...] = ()
    """Of ``heard``, what it said in that answer; empty where that isn't known."""

    @property
    def is_example(self) -> bool:
        return self.case.category == EXAMPLE_CATEGORY


def is_counted(case: Case, seen: WeightedConversation, profile: Profile, over: CoverageOver) -> bool:
    """True for a message that the promise covers: any, or only one that needs a module not yet in use."""
    return over == "messages" or any(not seen.used[profile.order[module]] for module in case.needs)


def needed_of(case: Case, profile: Profile) -> Flags:
    needed: Flags = np.zeros(len(profile.modules), dtype=np.bool_)
    needed[[profile.order[module] for module in case.needs]] = True
    return needed


def telling_inputs(columns: Sequence[int], observed: Sequence[HeldOutCase], folds: int) -> frozenset[int]:
    """The gate inputs to learn from: those with which gates tell best what messages of other folds need.

    What came before in a conversation tells much where hundreds of labelled messages are later ones, and otherwise
    teaches the gate chance.
    """
    pool = _taught_by(observed)
    if sum(item.weighted.seen[-1].inputs[0, LATER] for item in pool) < ENOUGH_TO_TUNE:
        return FIRST_TURN
    parts = [([i for i in observed if i.fold != fold], [i for i in pool if i.fold == fold]) for fold in range(folds)]

    def surprise(reads: frozenset[int]) -> float:
        total = 0.0
        for others, here in parts:
            gate = learn_gate(columns, others, reads)
            for item in here:
                free = ~item.weighted.used[list(columns)]
                odds = gate_values(gate, item.weighted.seen[-1].inputs)[free]
                total += float(np.logaddexp(0.0, np.where(item.needed[list(columns)][free], -odds, odds)).sum())
        return total

    return EVERY if surprise(EVERY) < (1 - LEAST_GAIN) * surprise(PLAIN) else PLAIN


def learn_gate(columns: Sequence[int], observed: Sequence[HeldOutCase], reads: frozenset[int] = EVERY) -> Gate:
    """The gate's weights from the held-out messages' inputs; its offsets say how often each module is needed.

    It also weighs semantic inputs where the messages were weighed by their meaning. ``reads``: the inputs that it
    may weigh.
    """
    linear_model, _ = libraries()
    pool = _taught_by(observed)
    width = GATE_INPUTS + SEMANTIC_INPUTS * any(item.weighted.is_fused for item in observed)
    read: Floats = np.isin(np.arange(width), sorted(reads)).astype(float)
    often = _log_frequencies(columns, pool)
    inputs: list[Floats] = []
    wanted: list[Flags] = []
    for item in pool:
        free = ~item.weighted.used[list(columns)]
        inputs.append(np.column_stack([item.weighted.seen[-1].inputs * read, often])[free])
        wanted.append(item.needed[list(columns)][free])
    design, labels = (np.concatenate(inputs), np.concatenate(wanted)) if inputs else (np.zeros((0, width + 1)), None)
    weights, bias = np.zeros(width + 1), 0.0
    weights[:2] = 0.3, 0.7
    if labels is not None and 0 < labels.sum() < len(labels):
        spread = design.std(axis=0)
        used = spread > 1e-9
        middle = design.mean(axis=0)
        model = linear_model.LogisticRegression(C=GATE_REGULARISATION, max_iter=1000)
        model.fit((design[:, used] - middle[used]) / spread[used], labels)
        weights = np.zeros(width + 1)
        weights[used] = model.coef_[0] / spread[used]
        bias = float(model.intercept_[0] - weights @ np.where(used, middle, 0.0))
    return Gate(
        weights=np.round(weights[:-1], 6),
        bias=round(bias, 6),
        later_shift=0.0,
        offsets=np.round(weights[-1] * often, 4),
    )


def _taught_by(observed: Sequence[HeldOutCase]) -> list[HeldOutCase]:
    """The messages that a gate learns from: those that were scored, and no examples where there are others enough."""
    is_fused = any(item.weighted.is_fused for item in observed)
    scored = [item for item in observed if item.is_scored and item.weighted.is_fused == is_fused]
    real = [item for item in scored if not item.is_example]
    return real if len(real) >= ENOUGH_TO_TUNE else scored


def tokens_of_topics(profile: Profile) -> Floats:
    """By module, its tokens; a topic's are all at its first piece."""
    tokens = np.zeros(len(profile.modules))
    for first, pieces in pieces_of_topics(profile.modules).items():
        tokens[first] = sum(profile.modules[piece].tokens for piece in pieces)
    return tokens


def _log_frequencies(columns: Sequence[int], pool: Sequence[HeldOutCase]) -> Floats:
    """By column, the logarithm of the share of messages that newly need the module."""
    counts = np.full(len(columns), 0.5)
    for item in pool:
        counts += (item.needed & ~item.weighted.used)[list(columns)]
    return np.asarray(np.log(counts / (len(pool) + 1)), dtype=np.float64)


@dataclass(frozen=True, kw_only=True, slots=True)
class GateTuning:
    """What sending a module costs, in the gate's terms: the power of its size, and what a later turn has against it."""

    size_power: float = 1.0
    later_shift: float = 0.0

    def applied(self, gate: Gate, profile: Profile, columns: Sequence[int], unseen: Sequence[int]) -> Gate:
        sizes = np.maximum(1.0, tokens_of_topics(profile)[list(columns)])
        offsets = np.round(gate.offsets - self.size_power * np.log(sizes / sizes.mean()), 4)
        fixed = np.isin(columns, unseen)
        return replace(gate, later_shift=self.later_shift, offsets=np.where(fixed, np.inf, offsets))


def tune(
    profile: Profile,
    columns: Sequence[int],
    gates: Sequence[Gate],
    observed: Sequence[HeldOutCase],
    options: FitOptions,
) -> GateTuning:
    """The tuning that keeps the fewest tokens of the labelled messages at TUNED_COVERAGES.

    Each message by the gate of its fold (``gates``), which didn't learn from it.
    """
    real = [item for item in observed if not item.is_example]
    counted = np.array([is_counted(item.case, item.weighted, profile, options.over) for item in real], dtype=np.bool_)
    if counted.sum() < ENOUGH_TO_TUNE:
        return GateTuning()
    shifts = LATER_SHIFTS if any(item.case.history for item in real) else (0.0,)
    tokens = np.array([module.tokens for module in profile.modules], dtype=float)

    def kept(tuning: GateTuning) -> float:
        tuned = [tuning.applied(gate, profile, columns, options.unseen_modules) for gate in gates]
        values = [values_of(profile, columns, tuned[item.fold], item) for item in real]
        lowest = sorted(
            lowest_needed(item, value) for item, value, counts in zip(real, values, counted, strict=True) if counts
        )
        total = 0.0
        for coverage in TUNED_COVERAGES:
            threshold = lowest[int((1 - coverage) * len(lowest))]
            total += sum(
                float(tokens[item.weighted.firm | (value >= threshold)].sum())
                for item, value in zip(real, values, strict=True)
            )
        return total

    return min((GateTuning(size_power=power, later_shift=shift) for power in SIZE_POWERS for shift in shifts), key=kept)


def values_of(profile: Profile, columns: Sequence[int], gate: Gate, item: HeldOutCase) -> Floats:
    """By module: the highest value so far under this gate, its own or that of a module that requires it."""
    if not item.weighted.seen:
        return np.full(len(profile.modules), -np.inf)
    highest = np.max([gate_values(gate, seen.inputs) for seen in item.weighted.seen], axis=0)
    return values_by_module(highest, columns, profile)


def lowest_needed(item: HeldOutCase, values: Floats) -> float:
    """The highest threshold at which every needed module is selected."""
    return _lowest(item.needed & ~item.weighted.firm, values)


def served_until(item: HeldOutCase, values: Floats) -> tuple[float, float]:
    """The highest thresholds at which the message is served by its second call, for certain and at best."""
    left = item.needed & ~item.weighted.firm
    until = [_lowest(left & ~flags, values) for flags in item.brought] or [_lowest(left, values)]
    return min(until), max(until)


def _lowest(left: Flags, values: Floats) -> float:
    return float(values[left].min()) if left.any() else np.inf

"""From a profile and its labelled messages to what routing uses, in the order: split, table, gate, threshold.

Conversations are split: one part teaches the table and the gate, the other sets the threshold and teaches
nothing. The gate learns from scores of messages that the table which gave them hadn't seen.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from litellm_prompt_router.authoring.fit.calibrate import calibrated
from litellm_prompt_router.authoring.fit.gate_training import (
    FitOptions,
    Observed,
    counts,
    learn_gate,
    needed_of,
    value_of,
)
from litellm_prompt_router.authoring.fit.table_training import libraries, train_table
from litellm_prompt_router.authoring.fit.training_documents import (
    Document,
    chat_documents,
    described,
    documents_of,
    examples_as_cases,
)
from litellm_prompt_router.authoring.fit.vector_training import Embedded, train_vectors
from litellm_prompt_router.documents.errors import ConfigurationError
from litellm_prompt_router.files.fit_files import digest_of
from litellm_prompt_router.files.labelled_messages import Case, Conversations, Numbered
from litellm_prompt_router.profile.fitted import (
    GATE_INPUTS,
    SEMANTIC_INPUTS,
    Calibration,
    Fitted,
    Gate,
    ScoreTable,
    Semantics,
)
from litellm_prompt_router.profile.profile import Profile
from litellm_prompt_router.request.route import Lookup, Router, WeightedConversation, no_embeddings, weigh
from litellm_prompt_router.request.types import Turn

FOLDS = 5
CALIBRATION_SHARE = 0.5
ENOUGH_TO_EXPECT, ENOUGH_TO_GUARANTEE = 110, 235
"""Calibration messages that 99% needs, in expectation and with 90% confidence, and a few to spare."""
TEACHING_MIN = 0.2
"""Share of the labelled messages that teaches, however few there are."""
WRONG_SHARE = 0.002
"""Of messages that teach; where the lists of small talk and follow-ups dismiss more than that wrongly, they go."""

Advance = Callable[[str, int, int], None]
"""Told ``(what, done, of)``."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Fit:
    """A fitted profile, and how it came about."""

    profile: Profile
    """With ``fitted`` set."""
    fitted: Fitted
    teaching: tuple[Numbered, ...]
    calibration: tuple[Numbered, ...]
    conversations: Conversations


def fit(
    profile: Profile,
    cases: Sequence[Numbered],
    options: FitOptions,
    advance: Advance,
    embedded: Embedded | None = None,
) -> Fit:
    """What to store for this profile. Raises ConfigurationError when there is nothing to learn from.

    With ``embedded`` the words alone are fitted as without it, and beside them words and meaning together: each
    has a gate and a threshold of its own, learned from the same messages and set on the same.
    """
    libraries()
    columns = columns_of(profile)
    if not columns:
        raise ConfigurationError([f"{profile.name}: every module is in the core; there is nothing to route"])
    known = Conversations(case for _, case in cases)
    teaching, calibration = split(profile, cases, known, options)
    documents = documents_of(profile, columns, teaching, known)
    trusts_lists = not lists_are_wrong(profile, teaching, known)
    observed, fused = observe(
        profile, columns, teaching, known, options, advance, trusts_lists=trusts_lists, embedded=embedded
    )
    gate = learn_gate(profile, columns, observed, options)
    advance("table", 0, 1)
    table = _table(profile, columns, documents, teaching)
    advance("table", 1, 1)

    def calibrated_with(fitted: Fitted, lookup: Lookup) -> Calibration:
        raw = replace(profile, fitted=fitted)
        router = Router(raw)
        values = []
        for number, (_, case) in enumerate(calibration):
            seen = weigh(router, raw, known.turns_of(case), lookup)
            if counts(case, seen, profile, options.over):
                values.append(value_of(case, seen, profile))
            advance("calibration", number + 1, len(calibration))
        return calibrated(
            values,
            target=options.target,
            confidence=options.confidence,
            over=options.over,
            conversations=len({known.name_of(case) for _, case in calibration}),
            at_most=options.at_most,
        )

    raw = fitted_with(profile, table, gate, trusts_lists=trusts_lists)
    fitted = replace(raw, calibration=calibrated_with(raw, no_embeddings))
    if embedded is not None:
        semantics = _semantics(columns, described(profile, columns, documents, teaching), embedded)
        semantics = replace(semantics, gate=learn_gate(profile, columns, fused, options))
        result = calibrated_with(replace(raw, semantics=semantics), embedded.lookup)
        fitted = replace(fitted, semantics=replace(semantics, calibration=result))
    return Fit(
        profile=replace(profile, fitted=fitted),
        fitted=fitted,
        teaching=tuple(teaching),
        calibration=tuple(calibration),
        conversations=known,
    )


def columns_of(profile: Profile) -> list[int]:
    """The modules that are scored: all but the core."""
    return [number for number, module in enumerate(profile.modules) if not module.always]


def split(
    profile: Profile, cases: Sequence[Numbered], known: Conversations, options: FitOptions
) -> tuple[list[Numbered], list[Numbered]]:
    """``(teaching, calibration)``, whole conversations each, by the seed alone."""
    router = Router(replace(profile, fitted=None))
    counted = {
        line: counts(case, weigh(router, profile, known.turns_of(case)), profile, options.over) for line, case in cases
    }
    total = sum(counted.values())
    most = total * (1 - TEACHING_MIN)
    enough = next((count for count in (ENOUGH_TO_GUARANTEE, ENOUGH_TO_EXPECT) if count <= most), most)
    wanted = max(total * CALIBRATION_SHARE, enough)
    groups: dict[tuple[str, ...], list[Numbered]] = {}
    for line, case in cases:
        groups.setdefault(known.name_of(case), []).append((line, case))
    order = sorted(groups)
    random.Random(options.seed).shuffle(order)  # noqa: S311  # a split, not a secret
    teaching: list[Numbered] = []
    calibration: list[Numbered] = []
    got = 0
    for name in order:
        is_done = got >= wanted
        (teaching if is_done else calibration).extend(groups[name])
        got += 0 if is_done else sum(counted[line] for line, _ in groups[name])
    return teaching, calibration


def lists_are_wrong(profile: Profile, teaching: Sequence[Numbered], known: Conversations) -> bool:
    """True when messages that the lists of small talk and follow-ups dismiss have needs of their own here."""
    router = Router(replace(profile, fitted=None))
    cases = [*(case for _, case in teaching), *examples_as_cases(profile)]
    wrong = 0
    for case in cases:
        seen = weigh(router, profile, known.turns_of(case))
        is_dismissed = seen.decision.message_kind in ("small_talk", "follow_up")
        wrong += is_dismissed and bool((needed_of(case, profile) & ~seen.used).any())
    return wrong > WRONG_SHARE * len(cases)


NOT_CALIBRATED = Calibration(
    promise="expected",
    target_coverage=0.5,
    over="messages",
    threshold=np.inf,
    confidence=0.5,
    messages=0,
    misses=0,
    conversations=0,
    expected_threshold=np.inf,
    guaranteed_threshold=np.inf,
)
"""Nothing reaches this threshold: messages are only weighed."""


def fitted_with(
    profile: Profile,
    table: ScoreTable,
    gate: Gate | None = None,
    semantics: Semantics | None = None,
    *,
    trusts_lists: bool,
) -> Fitted:
    """A fitted profile's data before it is calibrated; without a gate, to see the gate's inputs."""
    return Fitted(
        digest=digest_of(profile.modules),
        table=table,
        gate=gate or _blank(GATE_INPUTS, len(table.columns)),
        calibration=NOT_CALIBRATED,
        trusts_lists=trusts_lists,
        semantics=semantics,
    )


def _blank(inputs: int, columns: int) -> Gate:
    return Gate(weights=np.zeros(inputs), bias=0.0, later_shift=0.0, offsets=np.zeros(columns))


def _semantics(columns: Sequence[int], documents: Sequence[Document], embedded: Embedded) -> Semantics:
    """Module vectors, before gate and calibration."""
    vectors, bias = train_vectors(columns, documents, embedded)
    return Semantics(
        model=embedded.model,
        vectors=vectors,
        bias=bias,
        gate=_blank(GATE_INPUTS + SEMANTIC_INPUTS, len(columns)),
        calibration=NOT_CALIBRATED,
    )


def observe(
    profile: Profile,
    columns: Sequence[int],
    cases: Sequence[Numbered],
    known: Conversations,
    options: FitOptions,
    advance: Advance,
    *,
    trusts_lists: bool,
    embedded: Embedded | None = None,
) -> tuple[list[Observed], list[Observed]]:
    """Each case, and each example as a case, weighed with a table that learned from the other conversations.

    By words alone, and with ``embedded`` once more by words and meaning.
    """
    examples = [(0, case) for case in examples_as_cases(profile)]
    every = [*cases, *examples]
    names = sorted({known.name_of(case) for _, case in every})
    random.Random(options.seed + 1).shuffle(names)  # noqa: S311
    fold_of = {name: number % FOLDS for number, name in enumerate(names)}
    observed: list[Observed] = []
    fused: list[Observed] = []
    for fold in range(FOLDS):
        advance("gate", fold, FOLDS)
        here = [case for _, case in every if fold_of[known.name_of(case)] == fold]
        if not here:
            continue
        others = [(line, case) for line, case in cases if fold_of[known.name_of(case)] != fold]
        texts = {case.text for case in here}
        documents = [d for d in documents_of(profile, columns, others, known) if d.text not in texts]
        table = _table(profile, columns, documents, others)
        semantics = None
        if embedded is not None:
            semantics = _semantics(columns, described(profile, columns, documents, others), embedded)
        held_out = replace(profile, fitted=fitted_with(profile, table, semantics=semantics, trusts_lists=trusts_lists))
        router = Router(held_out)
        for case in here:
            turns = known.turns_of(case)
            observed.append(_observed(case, weigh(router, held_out, turns), turns, profile))
            if embedded is not None:
                fused.append(_observed(case, weigh(router, held_out, turns, embedded.lookup), turns, profile))
    advance("gate", FOLDS, FOLDS)
    return observed, fused


def _observed(case: Case, seen: WeightedConversation, turns: Sequence[Turn], profile: Profile) -> Observed:
    last = max(at for at, turn in enumerate(turns) if turn.role == "user")
    is_scored = bool(seen.seen) and seen.seen[-1].turn == last and not seen.is_fallback
    return Observed(case=case, weighted=seen, needed=needed_of(case, profile), is_scored=is_scored)


def _table(
    profile: Profile, columns: Sequence[int], documents: Sequence[Document], cases: Sequence[Numbered]
) -> ScoreTable:
    return train_table(profile, columns, documents, chat_documents(cases))

"""Fits a profile to labelled messages: splits them, learns the table and the gate, then sets the threshold.

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
    HeldOutCase,
    highest_threshold,
    is_counted,
    learn_gate,
    needed_of,
)
from litellm_prompt_router.authoring.fit.table_training import libraries, train_table
from litellm_prompt_router.authoring.fit.training_documents import (
    Document,
    chat_documents,
    documents_of,
    examples_as_cases,
    vector_documents,
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
"""Calibration messages for a coverage of 99% in expectation, and with 90% confidence, with a few to spare."""
TEACHING_MIN = 0.2
"""The least share of the labelled messages that table and gate learn from, however few messages there are."""
WRONG_SHARE = 0.002
"""The lists of small talk and follow-ups aren't used where they wrongly dismiss more than this of the messages."""

Advance = Callable[[str, int, int], None]
"""Reports progress: called with ``(step, done, total)``."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Fit:
    """A fitted profile, and the messages it was fitted and calibrated on."""

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
    """The profile fitted to these cases. Raises ConfigurationError when every module is in the core.

    With ``embedded`` the words alone are fitted as without it, and beside them words and meaning together: each
    has a gate and a threshold of its own, learned from the same messages and set on the same.
    """
    libraries()
    columns = columns_of(profile)
    if not columns:
        raise ConfigurationError([f"{profile.name}: every module is in the core; there is nothing to route"])
    conversations = Conversations(case for _, case in cases)
    teaching, calibration = split_cases(profile, cases, conversations, options)
    documents = documents_of(profile, columns, teaching, conversations)
    trusts_lists = not lists_are_wrong(profile, teaching, conversations)
    observed, fused = weigh_held_out(
        profile, columns, teaching, conversations, options, advance, trusts_lists=trusts_lists, embedded=embedded
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
            seen = weigh(router, raw, conversations.turns_of(case), lookup)
            if is_counted(case, seen, profile, options.over):
                values.append(highest_threshold(case, seen, profile))
            advance("calibration", number + 1, len(calibration))
        return calibrated(
            values,
            target=options.target,
            confidence=options.confidence,
            over=options.over,
            conversations=len({conversations.name_of(case) for _, case in calibration}),
            at_most=options.at_most,
        )

    raw = fitted_with(profile, table, gate, trusts_lists=trusts_lists)
    fitted = replace(raw, calibration=calibrated_with(raw, no_embeddings))
    if embedded is not None:
        semantics = _semantics(columns, vector_documents(profile, columns, documents, teaching), embedded)
        semantics = replace(semantics, gate=learn_gate(profile, columns, fused, options))
        result = calibrated_with(replace(raw, semantics=semantics), embedded.lookup)
        fitted = replace(fitted, semantics=replace(semantics, calibration=result))
    return Fit(
        profile=replace(profile, fitted=fitted),
        fitted=fitted,
        teaching=tuple(teaching),
        calibration=tuple(calibration),
        conversations=conversations,
    )


def columns_of(profile: Profile) -> list[int]:
    """The modules that are scored: all but the core."""
    return [number for number, module in enumerate(profile.modules) if not module.always]


def calibration_messages(counted: int) -> float:
    """Of so many messages that the promise counts, how many set the threshold; the others teach."""
    most = counted * (1 - TEACHING_MIN)
    enough = next((count for count in (ENOUGH_TO_GUARANTEE, ENOUGH_TO_EXPECT) if count <= most), most)
    return max(counted * CALIBRATION_SHARE, enough)


def split_cases(
    profile: Profile, cases: Sequence[Numbered], conversations: Conversations, options: FitOptions
) -> tuple[list[Numbered], list[Numbered]]:
    """``(teaching, calibration)``: whole conversations, shuffled by the seed alone."""
    router = Router(replace(profile, fitted=None))
    counted = {
        line: is_counted(case, weigh(router, profile, conversations.turns_of(case)), profile, options.over)
        for line, case in cases
    }
    wanted = calibration_messages(sum(counted.values()))
    groups: dict[tuple[str, ...], list[Numbered]] = {}
    for line, case in cases:
        groups.setdefault(conversations.name_of(case), []).append((line, case))
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


def lists_are_wrong(profile: Profile, teaching: Sequence[Numbered], conversations: Conversations) -> bool:
    """True when messages that the lists of small talk and follow-ups dismiss have needs of their own here."""
    router = Router(replace(profile, fitted=None))
    cases = [*(case for _, case in teaching), *examples_as_cases(profile)]
    wrong = 0
    for case in cases:
        seen = weigh(router, profile, conversations.turns_of(case))
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
"""A threshold that no module reaches, for weighing messages before there is a calibrated one."""


def fitted_with(
    profile: Profile,
    table: ScoreTable,
    gate: Gate | None = None,
    semantics: Semantics | None = None,
    *,
    trusts_lists: bool,
) -> Fitted:
    """Fitted data before calibration; without a gate it serves to compute the gate's inputs."""
    return Fitted(
        digest=digest_of(profile.modules),
        table=table,
        gate=gate or _blank_gate(GATE_INPUTS, len(table.columns)),
        calibration=NOT_CALIBRATED,
        trusts_lists=trusts_lists,
        semantics=semantics,
    )


def _blank_gate(inputs: int, columns: int) -> Gate:
    return Gate(weights=np.zeros(inputs), bias=0.0, later_shift=0.0, offsets=np.zeros(columns))


def _semantics(columns: Sequence[int], documents: Sequence[Document], embedded: Embedded) -> Semantics:
    """Module vectors with a blank gate and no calibration."""
    vectors, bias = train_vectors(columns, documents, embedded)
    return Semantics(
        model=embedded.model,
        vectors=vectors,
        bias=bias,
        gate=_blank_gate(GATE_INPUTS + SEMANTIC_INPUTS, len(columns)),
        calibration=NOT_CALIBRATED,
    )


def weigh_held_out(
    profile: Profile,
    columns: Sequence[int],
    cases: Sequence[Numbered],
    conversations: Conversations,
    options: FitOptions,
    advance: Advance,
    *,
    trusts_lists: bool,
    embedded: Embedded | None = None,
) -> tuple[list[HeldOutCase], list[HeldOutCase]]:
    """Each case, and each example as a case, weighed with a table that learned from the other conversations only.

    The first list is by words alone; the second, with ``embedded``, by words and meaning.
    """
    examples = [(0, case) for case in examples_as_cases(profile)]
    every = [*cases, *examples]
    names = sorted({conversations.name_of(case) for _, case in every})
    random.Random(options.seed + 1).shuffle(names)  # noqa: S311
    fold_of = {name: number % FOLDS for number, name in enumerate(names)}
    observed: list[HeldOutCase] = []
    fused: list[HeldOutCase] = []
    for fold in range(FOLDS):
        advance("gate", fold, FOLDS)
        here = [case for _, case in every if fold_of[conversations.name_of(case)] == fold]
        if not here:
            continue
        others = [(line, case) for line, case in cases if fold_of[conversations.name_of(case)] != fold]
        texts = {case.text for case in here}
        documents = [d for d in documents_of(profile, columns, others, conversations) if d.text not in texts]
        table = _table(profile, columns, documents, others)
        semantics = None
        if embedded is not None:
            semantics = _semantics(columns, vector_documents(profile, columns, documents, others), embedded)
        held_out = replace(profile, fitted=fitted_with(profile, table, semantics=semantics, trusts_lists=trusts_lists))
        router = Router(held_out)
        for case in here:
            turns = conversations.turns_of(case)
            observed.append(_held_out_case(case, weigh(router, held_out, turns), turns, profile))
            if embedded is not None:
                fused.append(_held_out_case(case, weigh(router, held_out, turns, embedded.lookup), turns, profile))
    advance("gate", FOLDS, FOLDS)
    return observed, fused


def _held_out_case(case: Case, seen: WeightedConversation, turns: Sequence[Turn], profile: Profile) -> HeldOutCase:
    last = max(at for at, turn in enumerate(turns) if turn.role == "user")
    is_scored = bool(seen.seen) and seen.seen[-1].turn == last and not seen.is_fallback
    return HeldOutCase(case=case, weighted=seen, needed=needed_of(case, profile), is_scored=is_scored)


def _table(
    profile: Profile, columns: Sequence[int], documents: Sequence[Document], cases: Sequence[Numbered]
) -> ScoreTable:
    return train_table(profile, columns, documents, chat_documents(cases))

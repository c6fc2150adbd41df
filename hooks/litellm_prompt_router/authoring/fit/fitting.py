"""Fits a profile to labelled messages: learns the table and the gate, and sets the threshold, all of them on all.

Every message teaches and calibrates. The conversations are dealt into folds; each message is scored by a table, and
its scores are weighed by a gate, that learned from the other folds' messages alone. Those values set the threshold,
and the table and the gate that are stored learn from all messages. What is promised then is that of cross-conformal
prediction (Vovk, arXiv 1208.0806): the counts of authoring/fit/calibrate.py, for values that come from FOLDS routers
which each learned from a tenth less than the stored one.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from litellm_prompt_router.authoring.fit.agent_training import heard_in, learn_agent_words, with_heard
from litellm_prompt_router.authoring.fit.gate_training import (
    FitOptions,
    HeldOutCase,
    learn_gate,
    needed_of,
    telling_inputs,
    tune,
)
from litellm_prompt_router.authoring.fit.held_out import HeldOutSelections, held_out_selections
from litellm_prompt_router.authoring.fit.later_needs import later_needs
from litellm_prompt_router.authoring.fit.table_training import libraries, train_table
from litellm_prompt_router.authoring.fit.training_documents import (
    Document,
    chat_documents,
    descriptions,
    documents_of,
    examples_as_cases,
    said_in,
    vector_documents,
)
from litellm_prompt_router.authoring.fit.vector_training import Embedded, train_vectors
from litellm_prompt_router.authoring.second_call import SecondCalls
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
from litellm_prompt_router.profile.topic_pieces import pieces_of_topics
from litellm_prompt_router.request.route import Router, WeightedConversation, weigh
from litellm_prompt_router.request.types import Turn

FOLDS = 10
WRONG_SHARE = 0.2
"""The lists of small talk and follow-ups aren't used where the messages that they wrongly dismiss are more than this of
those that the target lets be missed."""

Advance = Callable[[str, int, int], None]
"""Reports progress: called with ``(step, done, total)``."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Fit:
    """A fitted profile, and the messages it was fitted and calibrated on, as seen out of fold."""

    profile: Profile
    """With ``fitted`` set."""
    fitted: Fitted
    cases: tuple[Numbered, ...]
    conversations: Conversations
    observed: tuple[HeldOutCase, ...]
    """By words, with examples among them."""
    gates: tuple[Gate, ...]
    """By fold, before any cost of sending: what its cases are judged by."""
    by_words: HeldOutSelections
    tuned: tuple[Gate, ...]
    """By fold, as the stored gate is: what the threshold is for."""
    by_meaning: HeldOutSelections | None = None
    """By words and meaning together."""
    observed_meaning: tuple[HeldOutCase, ...] = ()
    tuned_meaning: tuple[Gate, ...] = ()

    def at_target(self, options: FitOptions) -> Fit:
        """The same with the thresholds of another target: nothing is learned anew."""
        fitted = replace(self.fitted, calibration=self.by_words.calibrated(options))
        if fitted.semantics is not None and self.by_meaning is not None:
            semantics = replace(fitted.semantics, calibration=self.by_meaning.calibrated(options))
            fitted = replace(fitted, semantics=semantics)
        return replace(self, fitted=fitted, profile=replace(self.profile, fitted=fitted))


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
    trusts_lists = not lists_are_wrong(profile, cases, conversations, options.target)
    observed, fused = weigh_held_out(
        profile, columns, cases, conversations, options, advance, trusts_lists=trusts_lists, embedded=embedded
    )
    advance("table", 0, 1)
    table = _table(profile, columns, documents_of(profile, columns, cases, conversations), cases)
    advance("table", 1, 1)
    agent_words = learn_agent_words(profile, columns, observed)
    if agent_words is not None:
        observed = [with_heard(item, profile, columns, agent_words) for item in observed]
        fused = [with_heard(item, profile, columns, agent_words) for item in fused]
    plain, tuned, gate, by_words = _calibration_of(profile, columns, observed, conversations, options)
    calibration = by_words.calibrated(options)
    fitted = replace(
        fitted_with(profile, table, gate, trusts_lists=trusts_lists),
        calibration=calibration,
        agent_words=agent_words,
        later_chances=later_needs(profile, observed, by_words, calibration.threshold, conversations),
    )
    by_meaning, tuned_meaning = None, tuple[Gate, ...]()
    if embedded is not None:
        _, tuned_meaning, gate, by_meaning = _calibration_of(profile, columns, fused, conversations, options)
        semantics = _semantics(profile, columns, cases, conversations, embedded)
        semantics = replace(semantics, gate=gate, calibration=by_meaning.calibrated(options))
        fitted = replace(fitted, semantics=semantics)
    return Fit(
        profile=replace(profile, fitted=fitted),
        fitted=fitted,
        cases=tuple(cases),
        conversations=conversations,
        observed=tuple(observed),
        gates=plain,
        by_words=by_words,
        tuned=tuned,
        by_meaning=by_meaning,
        observed_meaning=tuple(fused),
        tuned_meaning=tuned_meaning,
    )


def _calibration_of(
    profile: Profile,
    columns: Sequence[int],
    observed: Sequence[HeldOutCase],
    conversations: Conversations,
    options: FitOptions,
) -> tuple[tuple[Gate, ...], tuple[Gate, ...], Gate, HeldOutSelections]:
    """``(plain, tuned, gate, selections)``: gates by fold, the one to store, and all messages out of fold."""
    reads = telling_inputs(columns, observed, FOLDS)
    others = [[item for item in observed if item.fold != fold] for fold in range(FOLDS)]
    plain = tuple(learn_gate(columns, items, reads) for items in others)
    tuning = tune(profile, columns, plain, observed, options)
    unseen = options.unseen_modules
    tuned = tuple(tuning.applied(gate, profile, columns, unseen) for gate in plain)
    named = {conversations.name_of(item.case) for item in observed if not item.is_example}
    selections = held_out_selections(profile, columns, tuned, observed, options, len(named))
    return plain, tuned, tuning.applied(learn_gate(columns, observed, reads), profile, columns, unseen), selections


def columns_of(profile: Profile) -> list[int]:
    """The modules that are scored: all but the core, and of a topic in several pieces the first."""
    pieces = pieces_of_topics(profile.modules)
    return [first for first, topic in pieces.items() if not any(profile.modules[piece].always for piece in topic)]


def lists_are_wrong(profile: Profile, cases: Sequence[Numbered], conversations: Conversations, target: float) -> bool:
    """True when messages that the lists of small talk and follow-ups dismiss have needs of their own here."""
    router = Router(replace(profile, fitted=None))
    every = [*(case for _, case in cases), *examples_as_cases(profile)]
    wrong = 0
    for case in every:
        seen = weigh(router, profile, conversations.turns_of(case))
        is_dismissed = seen.decision.message_kind in ("small_talk", "follow_up")
        wrong += is_dismissed and bool((needed_of(case, profile) & ~seen.used).any())
    return wrong > WRONG_SHARE * (1 - target) * len(every)


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


def _semantics(
    profile: Profile,
    columns: Sequence[int],
    cases: Sequence[Numbered],
    conversations: Conversations,
    embedded: Embedded,
    held_out: frozenset[str] = frozenset(),
) -> Semantics:
    """Module vectors with a blank gate and no calibration; nothing is learned from the texts ``held_out``."""
    messages = vector_documents(profile, columns, cases, conversations)
    messages = [document for document in messages if document.text not in held_out]
    vectors, bias = train_vectors(columns, descriptions(profile, columns), messages, embedded)
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
    said = said_in(case for _, case in cases)
    second = SecondCalls(conversations, profile)
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
            semantics = _semantics(profile, columns, others, conversations, embedded, frozenset(texts))
        held_out = replace(profile, fitted=fitted_with(profile, table, semantics=semantics, trusts_lists=trusts_lists))
        router = Router(held_out)
        for case in here:
            turns = conversations.turns_of(case)
            seen = weigh(router, held_out, turns)
            item = _held_out_case(case, seen, turns, profile, fold)
            item = replace(item, brought=second.brought(case, turns, router.decide))
            first = {(*case.history, case.text): case.said[:1]}
            heard, first_heard = (heard_in(case, each, seen, table) for each in (said, first))
            observed.append(replace(item, heard=heard, first_heard=first_heard))
            if embedded is not None:
                seen = weigh(router, held_out, turns, embedded.lookup)
                item = _held_out_case(case, seen, turns, profile, fold)
                fused.append(replace(item, brought=observed[-1].brought, first_heard=first_heard))
    advance("gate", FOLDS, FOLDS)
    return observed, fused


def _held_out_case(
    case: Case, seen: WeightedConversation, turns: Sequence[Turn], profile: Profile, fold: int
) -> HeldOutCase:
    last = max(at for at, turn in enumerate(turns) if turn.role == "user")
    is_scored = bool(seen.seen) and seen.seen[-1].turn == last and not seen.is_fallback
    return HeldOutCase(case=case, weighted=seen, needed=needed_of(case, profile), is_scored=is_scored, fold=fold)


def _table(
    profile: Profile, columns: Sequence[int], documents: Sequence[Document], cases: Sequence[Numbered]
) -> ScoreTable:
    return train_table(profile, columns, documents, chat_documents(cases))

"""From a profile and its labelled messages to what routing uses, in the order: split, table, gate, threshold.

Conversations are split: one part teaches the table and the gate, the other sets the threshold and teaches
nothing. The gate learns from scores of messages that the table which gave them hadn't seen.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from hooks.cases import Case, Conversations, Numbered
from hooks.errors import ConfigurationError
from hooks.fit.calibrate import calibrated
from hooks.fit.gate import (
    EXAMPLE_CATEGORY,
    FitOptions,
    Observed,
    counts,
    learn_gate,
    needed_of,
    value_of,
)
from hooks.fit.small_talk import SMALL_TALK
from hooks.fit.train import Document, labelled_documents, libraries, module_documents, train_table
from hooks.fitfile import digest_of
from hooks.fitted import GATE_INPUTS, Calibration, Fitted, Gate, ScoreTable
from hooks.profile import Profile
from hooks.route import Router, weigh

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


def fit(profile: Profile, cases: Sequence[Numbered], options: FitOptions, advance: Advance) -> Fit:
    """What to store for this profile. Raises ConfigurationError when there is nothing to learn from."""
    libraries()
    columns = columns_of(profile)
    if not columns:
        raise ConfigurationError([f"{profile.name}: every module is in the core; there is nothing to route"])
    known = Conversations(case for _, case in cases)
    teaching, calibration = split(profile, cases, known, options)
    documents = _documents(profile, columns, teaching, known)
    trusts_lists = not lists_are_wrong(profile, teaching, known)
    observed = observe(profile, columns, teaching, known, options, advance, trusts_lists=trusts_lists)
    gate = learn_gate(profile, columns, observed, options)
    advance("table", 0, 1)
    table = _table(profile, columns, documents, teaching)
    advance("table", 1, 1)
    raw = replace(profile, fitted=fitted_with(profile, table, gate, trusts_lists=trusts_lists))
    router = Router(raw)
    values = []
    for number, (_, case) in enumerate(calibration):
        seen = weigh(router, raw, known.turns_of(case))
        if counts(case, seen, profile, options.over):
            values.append(value_of(case, seen, profile))
        advance("calibration", number + 1, len(calibration))
    result = calibrated(
        values,
        target=options.target,
        confidence=options.confidence,
        over=options.over,
        conversations=len({known.name_of(case) for _, case in calibration}),
        at_most=options.at_most,
    )
    fitted = fitted_with(profile, table, gate, result, trusts_lists=trusts_lists)
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
    cases = [*(case for _, case in teaching), *_examples_as_cases(profile)]
    wrong = 0
    for case in cases:
        seen = weigh(router, profile, known.turns_of(case))
        is_dismissed = seen.decision.message_kind in ("small_talk", "follow_up")
        wrong += is_dismissed and bool((needed_of(case, profile) & ~seen.used).any())
    return wrong > WRONG_SHARE * len(cases)


def fitted_with(
    profile: Profile,
    table: ScoreTable,
    gate: Gate | None = None,
    result: Calibration | None = None,
    *,
    trusts_lists: bool,
) -> Fitted:
    """A fitted profile's data; without a result nothing reaches the threshold, and messages are only weighed."""
    blank = Gate(weights=np.zeros(GATE_INPUTS), bias=0.0, later_shift=0.0, offsets=np.zeros(len(table.columns)))
    nothing = Calibration(
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
    return Fitted(
        digest=digest_of(profile.modules),
        table=table,
        gate=gate or blank,
        calibration=result or nothing,
        trusts_lists=trusts_lists,
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
) -> list[Observed]:
    """Each case, and each example as a case, weighed with a table that learned from the other conversations."""
    examples = [(0, case) for case in _examples_as_cases(profile)]
    every = [*cases, *examples]
    names = sorted({known.name_of(case) for _, case in every})
    random.Random(options.seed + 1).shuffle(names)  # noqa: S311
    fold_of = {name: number % FOLDS for number, name in enumerate(names)}
    observed: list[Observed] = []
    for fold in range(FOLDS):
        advance("gate", fold, FOLDS)
        here = [case for _, case in every if fold_of[known.name_of(case)] == fold]
        if not here:
            continue
        others = [(line, case) for line, case in cases if fold_of[known.name_of(case)] != fold]
        texts = {case.text for case in here}
        documents = [d for d in _documents(profile, columns, others, known) if d.text not in texts]
        table = _table(profile, columns, documents, others)
        held_out = replace(profile, fitted=fitted_with(profile, table, trusts_lists=trusts_lists))
        router = Router(held_out)
        for case in here:
            turns = known.turns_of(case)
            seen = weigh(router, held_out, turns)
            last = max(at for at, turn in enumerate(turns) if turn.role == "user")
            is_scored = bool(seen.seen) and seen.seen[-1].turn == last and not seen.is_fallback
            observed.append(Observed(case=case, weighted=seen, needed=needed_of(case, profile), is_scored=is_scored))
    advance("gate", FOLDS, FOLDS)
    return observed


def _documents(
    profile: Profile, columns: Sequence[int], cases: Sequence[Numbered], known: Conversations
) -> list[Document]:
    """Module texts, examples, and the labelled messages for what each of them newly needs."""
    column_of = {profile.modules[n].id: column for column, n in enumerate(columns)}
    pairs = [
        (example, frozenset({column_of[module.id]}))
        for module in profile.modules
        for example in module.examples
        if module.id in column_of
    ]
    owners = {tool: module.id for module in profile.modules for tool in module.tools}
    for _, case in cases:
        used = {owners.get(tool) for tool in case.tool_calls}
        new = frozenset(column_of[id] for id in case.needs if id in column_of and (id not in used or not case.history))
        if new:
            pairs.append((case.text, new))
    return [*module_documents(profile, columns), *labelled_documents(pairs)]


def _table(
    profile: Profile, columns: Sequence[int], documents: Sequence[Document], cases: Sequence[Numbered]
) -> ScoreTable:
    nothing: frozenset[int] = frozenset()
    needless = [case.text for _, case in cases if not case.needs and not case.history]
    chat = [Document(text=text, columns=nothing) for text in dict.fromkeys((*SMALL_TALK, *needless))]
    return train_table(profile, columns, documents, chat)


def _examples_as_cases(profile: Profile) -> list[Case]:
    needs: dict[str, list[str]] = {}
    for module in profile.modules:
        for example in module.examples:
            needs.setdefault(example, []).append(module.id)
    return [Case(text=text, category=EXAMPLE_CATEGORY, needs=tuple(ids)) for text, ids in needs.items()]

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
from hooks.fit.small_talk import SMALL_TALK
from hooks.fit.train import Document, labelled_documents, libraries, module_documents, train_table
from hooks.fitfile import digest_of
from hooks.fitted import GATE_INPUTS, Calibration, CoverageOver, Fitted, Flags, Floats, Gate, Promise, ScoreTable
from hooks.profile import Profile
from hooks.route import Router, Weighted, weigh

FOLDS = 5
CALIBRATION_SHARE = 0.5
ENOUGH_TO_PROMISE = 230
"""Calibration messages that a 90% confidence in 99% needs; a smaller labelled set gives calibration its share first."""
TEACHING_MIN = 0.2
"""Share of the labelled messages that teaches, however few there are."""
ENOUGH_TO_TUNE = 60
SIZE_POWERS = (0.0, 0.5, 1.0)
LATER_SHIFTS = (0.0, 1.0, 2.0, 3.0, 4.0)
WRONG_SHARE = 0.002
"""Of messages that teach; where the lists of small talk and follow-ups dismiss more than that wrongly, they go."""
GATE_REGULARISATION = 1.0
EXAMPLE_CATEGORY = "example"

Advance = Callable[[str, int, int], None]
"""Told ``(what, done, of)``."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FitOptions:
    target: float = 0.99
    confidence: float = 0.9
    over: CoverageOver = "first_needs"
    at_most: Promise = "guaranteed"
    seed: int = 0
    unseen_modules: tuple[int, ...] = ()
    """Modules that the labels can't tell the need of: sent with every task."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Fit:
    """A fitted profile, and how it came about."""

    profile: Profile
    """With ``fitted`` set."""
    fitted: Fitted
    teaching: tuple[Numbered, ...]
    calibration: tuple[Numbered, ...]
    conversations: Conversations


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Observed:
    """One labelled message as the gate sees it, turn by turn, with scores from a table that didn't learn from it."""

    case: Case
    weighted: Weighted
    needed: Flags
    is_scored: bool
    """True when the case's own message was scored, and not dismissed or beyond the table's reach."""


def fit(profile: Profile, cases: Sequence[Numbered], options: FitOptions, advance: Advance) -> Fit:
    """What to store for this profile. Raises ConfigurationError when there is nothing to learn from."""
    libraries()
    columns = [n for n, module in enumerate(profile.modules) if not module.always]
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


def split(
    profile: Profile, cases: Sequence[Numbered], known: Conversations, options: FitOptions
) -> tuple[list[Numbered], list[Numbered]]:
    """``(teaching, calibration)``, whole conversations each, by the seed alone."""
    router = Router(replace(profile, fitted=None))
    counted = {
        line: counts(case, weigh(router, profile, known.turns_of(case)), profile, options.over) for line, case in cases
    }
    total = sum(counted.values())
    wanted = max(total * CALIBRATION_SHARE, min(ENOUGH_TO_PROMISE, total * (1 - TEACHING_MIN)))
    groups: dict[tuple[str, ...], list[Numbered]] = {}
    for line, case in cases:
        groups.setdefault(known.name_of(case), []).append((line, case))
    order = sorted(groups)
    random.Random(options.seed).shuffle(order)  # noqa: S311  # a split, not a secret
    teaching: list[Numbered] = []
    calibration: list[Numbered] = []
    got = 0
    for name in order:
        enough = got >= wanted
        (teaching if enough else calibration).extend(groups[name])
        got += 0 if enough else sum(counted[line] for line, _ in groups[name])
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


def counts(case: Case, seen: Weighted, profile: Profile, over: CoverageOver) -> bool:
    """True for a message that the promise is over: any, or one that needs what the state doesn't have yet."""
    return over == "messages" or any(not seen.used[profile.order[module]] for module in case.needs)


def value_of(case: Case, seen: Weighted, profile: Profile) -> float:
    """The highest threshold at which every needed module is selected."""
    left = [n for module in case.needs if not seen.firm[n := profile.order[module]]]
    return min((float(seen.values[n]) for n in left), default=np.inf)


def needed_of(case: Case, profile: Profile) -> Flags:
    needed: Flags = np.zeros(len(profile.modules), dtype=np.bool_)
    needed[[profile.order[module] for module in case.needs]] = True
    return needed


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


def learn_gate(profile: Profile, columns: Sequence[int], observed: Sequence[Observed], options: FitOptions) -> Gate:
    """The gate's weights from unseen messages' inputs; then how much a module's size and a later turn count."""
    linear_model, _ = libraries()
    real = [item for item in observed if item.case.category != EXAMPLE_CATEGORY and item.is_scored]
    pool = real if len(real) >= 2 * ENOUGH_TO_TUNE else [item for item in observed if item.is_scored]
    inputs: list[Floats] = []
    wanted: list[Flags] = []
    for item in pool:
        free = ~item.weighted.used[list(columns)]
        inputs.append(item.weighted.seen[-1].inputs[free])
        wanted.append(item.needed[list(columns)][free])
    design, labels = (np.concatenate(inputs), np.concatenate(wanted)) if inputs else (np.zeros((0, GATE_INPUTS)), None)
    weights, bias = np.zeros(GATE_INPUTS), 0.0
    weights[:2] = 0.3, 0.7
    if labels is not None and 0 < labels.sum() < len(labels):
        spread = design.std(axis=0)
        used = spread > 1e-9  # noqa: PLR2004
        middle = design.mean(axis=0)
        model = linear_model.LogisticRegression(C=GATE_REGULARISATION, max_iter=1000)
        model.fit((design[:, used] - middle[used]) / spread[used], labels)
        weights = np.zeros(GATE_INPUTS)
        weights[used] = model.coef_[0] / spread[used]
        bias = float(model.intercept_[0] - weights @ np.where(used, middle, 0.0))
    plain = Gate(weights=np.round(weights, 6), bias=round(bias, 6), later_shift=0.0, offsets=np.zeros(len(columns)))
    return _tuned(profile, columns, plain, real, options)


def _tuned(
    profile: Profile, columns: Sequence[int], gate: Gate, observed: Sequence[Observed], options: FitOptions
) -> Gate:
    """The gate that keeps the fewest tokens on the teaching messages at the target; any choice is valid."""
    sizes = np.array([max(1, profile.modules[n].tokens) for n in columns], dtype=float)
    offsets = {power: np.round(-power * np.log(sizes / sizes.mean()), 4) for power in SIZE_POWERS}
    fixed = np.isin(columns, options.unseen_modules)

    def made(power: float, shift: float) -> Gate:
        return replace(gate, later_shift=shift, offsets=np.where(fixed, np.inf, offsets[power]))

    counted = [item for item in observed if counts(item.case, item.weighted, profile, options.over)]
    if len(counted) < ENOUGH_TO_TUNE:
        return made(0.5, 0.0)
    has_later = any(len(item.case.history) for item in observed)
    options_of = [made(power, shift) for power in SIZE_POWERS for shift in (LATER_SHIFTS if has_later else (0.0,))]
    return min(options_of, key=lambda option: _kept_at_target(profile, columns, option, observed, counted, options))


def _kept_at_target(
    profile: Profile,
    columns: Sequence[int],
    gate: Gate,
    observed: Sequence[Observed],
    counted: Sequence[Observed],
    options: FitOptions,
) -> float:
    tokens = np.array([module.tokens for module in profile.modules], dtype=float)
    values = {id(item): _values(profile, columns, gate, item) for item in observed}
    scores = sorted(_lowest(item, values[id(item)]) for item in counted)
    threshold = scores[int((1 - options.target) * len(scores))]
    kept = [tokens[item.weighted.firm | (values[id(item)] >= threshold)].sum() for item in observed]
    return float(np.mean(kept))


def _values(profile: Profile, columns: Sequence[int], gate: Gate, item: Observed) -> Floats:
    from hooks.route.gate import values

    out = np.full(len(profile.modules), -np.inf)
    if item.weighted.seen:
        out[list(columns)] = np.max([values(gate, seen.inputs) for seen in item.weighted.seen], axis=0)
    return out


def _lowest(item: Observed, values: Floats) -> float:
    left = item.needed & ~item.weighted.firm
    return float(values[left].min()) if left.any() else np.inf


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

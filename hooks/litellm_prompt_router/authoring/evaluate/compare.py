"""The same labelled messages under several routers, and coverage and kept tokens at each threshold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from litellm_prompt_router.authoring.second_call import SecondCalls, served
from litellm_prompt_router.authoring.share_intervals import share_interval
from litellm_prompt_router.documents.bundled import install_command
from litellm_prompt_router.documents.errors import ConfigurationError
from litellm_prompt_router.files.labelled_messages import Conversations, Numbered
from litellm_prompt_router.profile.fitted import Flags, Floats
from litellm_prompt_router.profile.profile import Profile
from litellm_prompt_router.request.route import (
    MOST_TOKENS_SHARE,
    AnswerLookup,
    Lookup,
    Router,
    WeightedConversation,
    no_answers,
    no_embeddings,
    weigh,
)
from litellm_prompt_router.request.route.router import NO_MESSAGE, SHORTENED
from litellm_prompt_router.request.types import Turn

MAX_POINTS = 60
UNFITTED = "without a fit"
ROUTING_MODEL = "routing model"
PICTURE_FORMATS = (".png", ".svg")


@dataclass(frozen=True, kw_only=True, slots=True)
class RouterResult:
    """One router. Coverages are shares of cases; ``kept_tokens`` is the mean share of the modules' tokens."""

    router: str
    coverage: float
    first_need_coverage: float | None
    """Of cases that need what neither the core nor a tool call brings; None without such a case."""
    kept_tokens: float
    served_coverage: float | None
    """Of the same cases: none waits beyond its task's second call, whichever tool is called first."""
    served_at_best: float | None
    """The same, where it calls first what helps most; they differ only where the order of its calls isn't known."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Point:
    """Coverage and kept tokens at one threshold."""

    threshold: float
    coverage: float
    first_need_coverage: float | None
    kept_tokens: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Comparison:
    cases: int
    first_needs: int
    coverage_interval: tuple[float, float]
    """95%, of the router as it is; exact for messages drawn independently."""
    first_need_interval: tuple[float, float]
    standings: tuple[RouterResult, ...]
    curve: tuple[Point, ...]
    """By threshold, from low to high; empty for a profile that isn't fitted."""


def compare(
    profile: Profile, cases: Sequence[Numbered], lookup: Lookup = no_embeddings, answers: AnswerLookup = no_answers
) -> Comparison:
    """All modules, triggers alone, the router as it is and an oracle, side by side; nothing to see without cases.

    Triggers alone are what routing would be without a base: everything where no trigger is found, else what they bring.
    Without a fit that isn't what the router does. Where ``lookup`` knows their meanings, the router by words alone
    comes before the one that reads both; and before the one that asks a routing model, where ``answers`` are its own.
    """
    if not cases:
        return Comparison(
            cases=0,
            first_needs=0,
            coverage_interval=share_interval(0, 0),
            first_need_interval=share_interval(0, 0),
            standings=(),
            curve=(),
        )
    conversations = Conversations(case for _, case in cases)
    turns = [conversations.turns_of(case) for _, case in cases]
    needed = np.zeros((len(cases), len(profile.modules)), dtype=np.bool_)
    for number, (_, case) in enumerate(cases):
        needed[number, [profile.order[module] for module in case.needs]] = True
    router, plain = Router(profile), replace(profile, fitted=None)
    plain_router = Router(plain)
    seen = [weigh(router, profile, turn, lookup) for turn in turns]
    is_fused = any(item.is_fused for item in seen)
    by_triggers = np.array([_triggered(weigh(plain_router, plain, turn)) for turn in turns])
    state: Flags = np.array([item.used for item in seen], dtype=np.bool_)
    first: Flags = np.any(needed & ~state, axis=1)
    tokens = np.array([module.tokens for module in profile.modules], dtype=float)
    tokens /= tokens.sum() or 1.0
    second = SecondCalls(conversations, profile)
    decide = partial(router.decide, lookup=lookup, answers=answers)
    brought = [second.brought(case, turn, decide) for (_, case), turn in zip(cases, turns, strict=True)]

    def result_of(name: str, selected: Flags) -> RouterResult:
        covered: Flags = np.all(selected | ~needed, axis=1)
        met = [served(*each) for each in zip(needed, selected, brought, strict=True)]
        return RouterResult(
            router=name,
            coverage=float(covered.mean()),
            first_need_coverage=share_of(covered.tolist()),
            kept_tokens=float((selected @ tokens).mean()),
            served_coverage=share_of([each.for_certain for each in met]),
            served_at_best=share_of([each.at_best for each in met]),
        )

    def share_of(met: Sequence[bool]) -> float | None:
        return float(np.array(met)[first].mean()) if first.any() else None

    standings = [result_of("all modules", np.ones_like(needed)), result_of("triggers only", by_triggers)]
    current = np.array([_flags(item.decision.modules, profile) for item in seen])
    if profile.fitted is None:
        standings.append(result_of(UNFITTED, current))
    else:
        if is_fused:
            standings.append(result_of("lexical", np.array([_chosen(router, profile, turn) for turn in turns])))
        standings.append(result_of("lexical+semantic" if is_fused else "lexical", current))
    if answers is not no_answers:
        told = [router.decide(turn, lookup=lookup, answers=answers) for turn in turns]
        current = np.array([_flags(decision.modules, profile) for decision in told])
        standings.append(result_of(ROUTING_MODEL, current))
    standings.append(result_of("oracle", needed | state))
    covered: Flags = np.all(current | ~needed, axis=1)
    return Comparison(
        cases=len(cases),
        first_needs=int(first.sum()),
        coverage_interval=share_interval(int(covered.sum()), len(cases)),
        first_need_interval=share_interval(int(covered[first].sum()), int(first.sum())),
        standings=tuple(standings),
        curve=_curve(seen, needed, first, tokens) if profile.fitted is not None else (),
    )


def kept_at(curve: Sequence[Point], coverage: float, *, at_first_needs: bool) -> Point | None:
    """The point that keeps the fewest tokens at that coverage or more."""
    found = [
        point
        for point in curve
        if ((point.first_need_coverage if at_first_needs else point.coverage) or 0.0) >= coverage
    ]
    return min(found, key=lambda point: point.kept_tokens, default=None)


def plot_curve(comparison: Comparison, file: Path) -> None:
    """Draws every threshold of the curve and the other routers as points. Raises ConfigurationError, OSError."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise ConfigurationError([f"--plot: needs matplotlib; install the extra: {install_command('plot')}"]) from None
    if file.suffix.lower() not in PICTURE_FORMATS:
        raise ConfigurationError([f"{file}: unknown kind of picture; name it .png or .svg"])
    figure = Figure(figsize=(7, 5))
    axes = figure.add_subplot()
    kept = [point.kept_tokens for point in comparison.curve]
    axes.plot(kept, [point.coverage for point in comparison.curve], label="messages")
    if comparison.first_needs:
        axes.plot(kept, [point.first_need_coverage or 0.0 for point in comparison.curve], label="first needs")
    for standing in comparison.standings:
        axes.plot(standing.kept_tokens, standing.coverage, "o", label=standing.router)
    axes.set_xlabel("share of tokens kept")
    axes.set_ylabel("share of messages with all they need")
    axes.grid(visible=True, alpha=0.3)
    axes.legend()
    figure.savefig(file)


def _curve(seen: Sequence[WeightedConversation], needed: Flags, first: Flags, tokens: Floats) -> tuple[Point, ...]:
    firm, values = np.array([item.firm for item in seen]), np.array([item.values for item in seen])
    lowest = np.where(needed & ~firm, values, np.inf).min(axis=1)
    at = np.unique(lowest[np.isfinite(lowest)])
    if len(at) > MAX_POINTS:  # nearly all that matters is among the lowest
        at = at[np.unique(np.round(np.linspace(0, 1, MAX_POINTS) ** 2 * (len(at) - 1)).astype(int))]
    points: list[Point] = []
    for threshold in at.tolist():
        kept = (firm | (values >= threshold)) @ tokens
        covered = lowest >= threshold
        points.append(
            Point(
                threshold=threshold,
                coverage=float(covered.mean()),
                first_need_coverage=float(covered[first].mean()) if first.any() else None,
                kept_tokens=float(np.where(kept > MOST_TOKENS_SHARE, 1.0, kept).mean()),
            )
        )
    return tuple(points)


def _triggered(seen: WeightedConversation) -> Flags:
    """What triggers and tool calls alone select; everything where they say nothing."""
    return np.ones_like(seen.firm) if seen.decision.fallback_reason in (SHORTENED, NO_MESSAGE) else seen.firm


def _chosen(router: Router, profile: Profile, turns: Sequence[Turn]) -> Flags:
    return _flags(router.decide(turns).modules, profile)


def _flags(modules: Sequence[str], profile: Profile) -> Flags:
    flags: Flags = np.zeros(len(profile.modules), dtype=np.bool_)
    flags[[profile.order[module] for module in modules]] = True
    return flags

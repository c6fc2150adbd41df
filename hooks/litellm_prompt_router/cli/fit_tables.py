"""What `prompt-router fit` says of a fit: its promise, what each target would keep, and labels to look at again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict

from litellm_prompt_router.authoring.fit import (
    LOWEST_TARGET,
    Fit,
    FitOptions,
    HeldOutSelections,
    LabelDoubt,
    TargetReach,
    TargetRow,
    least_kept,
    target_within,
)
from litellm_prompt_router.cli.fitted_promise import COUNTED, promise_of
from litellm_prompt_router.cli.output import percent, say, shortened, show_table, span
from litellm_prompt_router.documents.errors import ConfigurationError
from litellm_prompt_router.documents.plurals import many
from litellm_prompt_router.files.labelled_messages import Numbered
from litellm_prompt_router.profile.fitted import Calibration
from litellm_prompt_router.profile.profile import Profile

PREVIEW_CHARS = 70
MAX_DOUBTS = 20
MOST_IN_CORE = 0.5
WORDS, MEANING = "words", "words and meaning"


def routers_of(done: Fit) -> dict[str, HeldOutSelections]:
    """The routers that the fit made, by the name of their column; the last is the one that routes."""
    meaning = {} if done.by_meaning is None else {MEANING: done.by_meaning}
    return {WORDS: done.by_words, **meaning}


def show_fit(profile: Profile, done: Fit) -> None:
    calibration = done.fitted.calibration
    say(f"{profile.name} {profile.version}")
    say(f"{len(done.cases)} messages of {calibration.conversations} conversations taught and calibrated")
    say(f"promise      {promise_of(calibration)}")
    say(f"based on     {calibration.messages} {COUNTED[calibration.over]}, {calibration.misses} missed")
    say(f"served       {_served(calibration)}")
    if calibration.promise != "none":
        say(f"threshold    {calibration.threshold:.2f} (for the expected promise {calibration.expected_threshold:.2f})")
    if done.fitted.semantics is not None:
        fused = done.fitted.semantics.calibration
        say(f"with {done.fitted.semantics.model}: {promise_of(fused)}")
        say(f"served       {_served(fused)}")
        if fused.promise != "none":
            say(f"threshold    {fused.threshold:.2f} for words and meaning together")
    say("holds for    traffic like these messages, as long as it stays like them\n")


def show_targets(rows: Sequence[TargetRow], chosen: float, advised: float | None) -> None:
    """Each target: the promise that so many messages allow, and the share of tokens that each router keeps."""
    names = list(rows[0].reached)
    show_table(
        ("target", "promise", *(f"#kept by {name}" for name in names), "#first call", "#served", ""),
        [
            (
                percent(row.target),
                row.reached[names[-1]].promise,
                *(_kept(row.reached[name]) for name in names),
                *_covered(row.reached[names[-1]]),
                _marks(row.target, chosen, advised),
            )
            for row in rows
        ],
    )
    if advised is not None and advised != chosen:
        say(f"to take the recommended one: --target {advised:g}")


def core_share(profile: Profile) -> float:
    """Of the prompt's tokens, those that every request gets."""
    every = sum(module.tokens for module in profile.modules)
    return sum(module.tokens for module in profile.modules if module.always) / max(every, 1)


def target_within_share(profile: Profile, selections: HeldOutSelections, options: FitOptions, max_kept: float) -> float:
    """The highest target that keeps at most that share. Raises ConfigurationError with the least that is possible."""
    found = target_within(selections, options, max_kept)
    if found is None:
        least = percent(least_kept(selections, options))
        problem = f"--max-kept {max_kept:g}: no promise keeps so few tokens; a target of {LOWEST_TARGET:.0%} keeps"
        raise ConfigurationError([f"{problem} {least}, and the core alone is {percent(core_share(profile))}"])
    return found


def show_core(profile: Profile) -> None:
    """How little there is to leave out, where that says more of the figures than the labels do."""
    share = core_share(profile)
    if share >= MOST_IN_CORE:
        say(
            f"the core alone is {percent(share)} of the tokens, whatever the target: what need not be sent with every "
            "request leaves it by hand, `always` and `until_labelled` taken out (docs/routing.md, which sections may"
            " go)"
        )


def _kept(found: TargetReach) -> str:
    return "-" if found.promise == "none" else percent(found.kept)


def _covered(found: TargetReach) -> tuple[str, str]:
    """The share of messages with all they need in the first call, and by the second, under the router that routes."""
    if found.promise == "none" or found.coverage is None:
        return "-", "-"
    return percent(found.coverage), span(found.served, found.served_at_best)


def _served(calibration: Calibration) -> str:
    """First and second call side by side."""
    if not calibration.messages or calibration.unserved is None or calibration.unserved_at_best is None:
        return "unknown"
    first, least, most = (
        1 - missed / calibration.messages
        for missed in (calibration.misses, calibration.unserved, calibration.unserved_at_best)
    )
    return f"{span(least, most)} have all they need by the second call of their task, {percent(first)} in the first"


def _marks(target: float, chosen: float, advised: float | None) -> str:
    marks = {"chosen": target == chosen, "recommended": target == advised}
    return ", ".join(mark for mark, holds in marks.items() if holds)


def targets_for_json(rows: Sequence[TargetRow]) -> list[Mapping[str, object]]:
    def finite(found: TargetReach) -> dict[str, object]:
        return {
            name: None if value in (float("inf"), float("-inf")) else value for name, value in asdict(found).items()
        }

    return [{"target": r.target, "routers": {n: finite(found) for n, found in r.reached.items()}} for r in rows]


def calibration_for_json(calibration: Calibration) -> dict[str, object]:
    stated = asdict(calibration)
    return {name: None if value in (float("inf"), float("-inf")) else value for name, value in stated.items()}


def show_doubts(found: Sequence[LabelDoubt], cases: Sequence[Numbered]) -> None:
    texts = {line: case.text for line, case in cases}
    if found:
        costs = "one wrong need in a hundred messages costs much of the saving"
        say(f"\n{many(len(found), 'label')} to look at again; {costs}")
    for doubt in found[:MAX_DOUBTS]:
        say(f"line {doubt.line}: {_said(doubt)}: {shortened(texts[doubt.line], PREVIEW_CHARS)}")
    if len(found) > MAX_DOUBTS:
        say(f"and {len(found) - MAX_DOUBTS} more (--json lists them)")


def _said(doubt: LabelDoubt) -> str:
    if doubt.kind == "conflict":
        return f"differs from line {doubt.other_line} in {doubt.module}"
    what = "needs" if doubt.kind == "needless" else "lacks"
    return f"{what} {doubt.module}, which messages like it need with a chance of {doubt.chance or 0.0:.1%}"

"""``prompt-router simulate --tune``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from litellm_prompt_router.analysis.simulate import (
    BASELINE,
    Policy,
    RecordedCall,
    Replay,
    Rewrite,
    Workload,
    economics_of,
    recorded_trial,
    replay,
    rewrites_of,
    synthetic,
    write_economics,
)
from litellm_prompt_router.analysis.simulate.economics_section import SECTION, section_of_tuning
from litellm_prompt_router.analysis.simulate.recorded_trial import RecordedTrial, first_turns_of
from litellm_prompt_router.analysis.simulate.simulated_policies import tuned_rewrite
from litellm_prompt_router.analysis.simulate.synthetic import SyntheticTrial
from litellm_prompt_router.analysis.simulate.tune import MIN_CONVERSATIONS, Tuning, tune
from litellm_prompt_router.analysis.simulate.workload import SyntheticCall
from litellm_prompt_router.cli.inputs import settings_of_environment
from litellm_prompt_router.cli.model_accounts import Account, watched
from litellm_prompt_router.cli.output import say, show_json, show_table
from litellm_prompt_router.cli.simulated_gains import review_for_json, say_unreviewed
from litellm_prompt_router.documents.errors import ConfigurationError
from litellm_prompt_router.files import PROFILE_FILE
from litellm_prompt_router.profile.profile import Economics, Profile
from litellm_prompt_router.request.pipeline import Pipeline
from litellm_prompt_router.request.route import AnswerLookup, no_answers

AUTO: Final[Policy] = "auto"


def tune_synthetic(
    workload: Workload, calls: Sequence[SyntheticCall], account: Account, what: str
) -> tuple[Tuning, list[SyntheticCall]]:
    """What the first half of the conversations says is cheapest, and the calls of the second, which it never saw."""
    if workload.conversations < 4 * MIN_CONVERSATIONS:
        raise ConfigurationError([f"--conversations: tuning takes {4 * MIN_CONVERSATIONS} or more"])
    seen, unseen = synthetic.halves(calls)
    trials = [
        SyntheticTrial(workload=workload, calls=half, rules=account.rules, prices=account.prices, target=account.target)
        for half in synthetic.halves(seen)
    ]
    return tune(trials[0], trials[1]), unseen


def tune_traffic(
    calls: Sequence[RecordedCall],
    profiles: Sequence[Profile],
    count_tokens: Callable[[str], int],
    account: Account,
    where: str,
    name: str,
    folder: Path | None,
    as_json: bool,
    answers: AnswerLookup = no_answers,
) -> None:
    """Tunes profile ``name`` on recorded calls, shows how it went and writes it into ``folder``, if there is one."""
    settings = settings_of_environment()
    floor = settings.coverage_floor
    (profile,) = (profile for profile in profiles if profile.name == name)
    if "latest" in (profile.placement, settings.placement):
        raise ConfigurationError([f"--tune: {name} is placed `latest`, which has no first turn to go by; use auto"])
    readings = first_turns_of(calls, Pipeline(profiles, count_tokens, coverage_floor=floor), name, answers)
    if len(readings) < 2 * MIN_CONVERSATIONS:
        _judge_few(calls, profiles, count_tokens, account, where, profile, len(readings), folder, as_json, answers)
        return

    def rewrite_of(economics: Economics) -> Rewrite:
        return tuned_rewrite(
            profiles,
            count_tokens,
            account.target,
            coverage_floor=floor,
            only=name,
            economics=economics,
            answers=answers,
        )

    full_cached = rewrites_of(profiles, count_tokens, account.target, coverage_floor=floor)["full-cached"]
    first, second = recorded_trial.halves(calls, readings)
    trials = [
        RecordedTrial(
            calls=half,
            readings=readings,
            rewrite_of=rewrite_of,
            full_cached=full_cached,
            blocks_of=account.blocks_of(count_tokens),
            rules=account.rules,
            prices=account.prices,
            watch=watched,
            where=where,
        )
        for half in (first, second)
    ]
    tuning = tune(trials[0], trials[1])
    section = section_of_tuning(
        tuning,
        profile,
        account.target,
        account.model,
        conversations=len(readings),
        calls=len(first) + len(second),
        calls_per_conversation=trials[0].demand().calls_per_conversation,
    )
    if folder is not None:
        write_economics(folder, section)
    if as_json:
        show_json({**account.for_json(), SECTION: section, **tuning_for_json(tuning), **review_for_json(profile)})
        return
    account.say()
    say(f"\n{name}: {len(readings):,} conversations, {len(first) + len(second):,} calls\n")
    show_table(("on the first half", "#vs full-cached", "clearly cheaper"), candidate_rows(tuning))
    say(f"\n{said(tuning)}")
    say_unreviewed([profile])
    _say_written(folder)


def _judge_few(
    calls: Sequence[RecordedCall],
    profiles: Sequence[Profile],
    count_tokens: Callable[[str], int],
    account: Account,
    where: str,
    profile: Profile,
    conversations: int,
    folder: Path | None,
    as_json: bool,
    answers: AnswerLookup,
) -> None:
    """Leaves the profile alone where so few conversations show no gain. A gain on so few is nothing to tune by."""
    name = profile.name
    need = f"{where}: tuning takes {2 * MIN_CONVERSATIONS} conversations of profile {name!r}; there are {conversations}"
    if not conversations:
        raise ConfigurationError([f"{need}; record more"])
    untuned = [replace(each, economics=None) if each is profile else each for each in profiles]
    floor = settings_of_environment().coverage_floor
    rewrites = rewrites_of(untuned, count_tokens, account.target, coverage_floor=floor, only=name, answers=answers)
    compared = Replay(
        {policy: rewrites[policy] for policy in (BASELINE, AUTO)}, account.blocks_of(count_tokens), account.rules
    )
    (gain,) = replay(watched(calls, "calls"), compared, account.prices, where).gains
    advice = economics_of(gain, replace(profile, economics=None), account.target, account.model)
    if advice.section is None:
        raise ConfigurationError([f"{need}; record more", f"{advice.sentence}; the untuned rule goes on"])
    if folder is not None:
        write_economics(folder, advice.section)
    if as_json:
        told = {SECTION: advice.section, "choice": "full", "sentence": advice.sentence}
        show_json({**account.for_json(), **told, **review_for_json(profile)})
        return
    account.say()
    say_unreviewed([profile])
    say(f"\n{advice.sentence}")
    say(f"{profile.name} is left alone: {2 * MIN_CONVERSATIONS} conversations or more might find a way that pays")
    _say_written(folder)


def _say_written(folder: Path | None) -> None:
    say("nothing written" if folder is None else f"written to {folder / PROFILE_FILE}")


def said(tuning: Tuning) -> str:
    """The choice in a line, with what the half said that could only refuse it."""
    return f"{way_of(tuning)}; on the second half {tuning.versus_full_cached:+.1%} against the cached full prompt"


def way_of(tuning: Tuning) -> str:
    """The choice in a few words."""
    count = len(tuning.economics.bundles or ())
    ways = {
        "exact": "exact module sets",
        "bundles": f"{count} bundle{'s' * (count > 1)}",
        "all": "every module",
        "full": "no rewriting",
    }
    return ways[tuning.choice]


def tuning_for_json(tuning: Tuning) -> dict[str, Any]:
    return {
        "choice": tuning.choice,
        "full_cached_usd": str(tuning.full_cached_usd),
        "usd": str(tuning.usd),
        "versus_full_cached": tuning.versus_full_cached,
        "candidates": [
            {"name": way.name, "versus_full_cached": way.versus_full_cached, "is_sure": way.is_sure}
            for way in tuning.candidates
        ],
    }


def candidate_rows(tuning: Tuning) -> list[tuple[str, ...]]:
    """Each way that was tried, for a table."""
    return [(way.name, f"{way.versus_full_cached:+.1%}", "yes" if way.is_sure else "") for way in tuning.candidates]

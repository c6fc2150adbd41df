"""``prompt-router simulate LEDGER``: a ledger replayed under the policies that it can tell."""

from __future__ import annotations

import shlex
from dataclasses import asdict
from pathlib import Path
from typing import Any

from litellm_prompt_router.analysis.conversation_links import linked
from litellm_prompt_router.analysis.ledger_calls import CallTally, calls_in
from litellm_prompt_router.analysis.simulate import BASELINE, Report
from litellm_prompt_router.analysis.simulate.ledger_trial import is_accounted, ledger_report
from litellm_prompt_router.analysis.simulate.ledger_tuning import explain_records, models_of
from litellm_prompt_router.analysis.simulate.model_terms import ModelTerms
from litellm_prompt_router.cli.ledger_command import told
from litellm_prompt_router.cli.ledger_inputs import LedgerReader, profiles_to_account, tally_for_json
from litellm_prompt_router.cli.model_accounts import account_for, say_counts, say_terms, show, watched
from litellm_prompt_router.cli.output import percent, say, show_json
from litellm_prompt_router.cli.simulated_gains import review_for_json, say_unreviewed
from litellm_prompt_router.documents.errors import ConfigurationError
from litellm_prompt_router.profile.profile import Profile

UNKNOWN = (
    "A ledger holds no text: what `latest` would send isn't in it, tokens are by our own count, and where in a history"
    " a client changed something can't be told."
)


def simulate_ledger(
    path: str, name: str | None, model: str | None, stated: str | None, root: Path | None, as_json: bool
) -> None:
    """Replays the calls of the named profile, or of every loaded one that the ledger has."""
    reader = LedgerReader([path])
    recorded, loaded, chosen = profiles_to_account(reader, root, name)
    rows: list[dict[str, Any]] = []
    problems: list[str] = []
    for profile in chosen:
        tally = CallTally()
        links = linked(calls_in(reader.records(), profile, tally))
        counted = [link for link in links if is_accounted(link)]
        if not counted:
            problems.append(f"{path}: {profile.name}: no call that can be replayed ({explain_records(tally)})")
            continue
        models = models_of(counted)
        asked = model or next(iter(models), None)
        if asked is None:
            raise ConfigurationError([f"--model: {path} names no model; say which one"])
        terms = account_for(asked, stated, counted[0].call.endpoint).terms
        report = ledger_report(links, profile, terms, watched)
        if as_json:
            rows.append(_for_json(profile, terms, report, models, tally))
        else:
            _say(path, profile, terms, report, models, tally)
    if not chosen:
        there = ", ".join(recorded) or "none"
        problems.append(f"{path}: profiles in the ledger: {there}; loaded: {', '.join(loaded)}; see --profiles")
    if problems and len(problems) >= len(chosen):
        raise ConfigurationError(problems)
    if as_json:
        show_json(rows)
        return
    say(f"\n{UNKNOWN}")
    for line in [*problems, *told(reader.tally)]:
        say(line, err=True)


def _say(
    path: str, profile: Profile, terms: ModelTerms, report: Report, models: dict[str, int], tally: CallTally
) -> None:
    say_terms(terms)
    if len(models) > 1:
        say(f"calls by model: {', '.join(f'{name} {count:,}' for name, count in models.items())}")
    calls = report[BASELINE].calls
    say_counts(f"{profile.name}: ", calls, report)
    left_out = explain_records(tally)
    if left_out:
        say(f"left out: {left_out}")
    show(report)
    passed = report["auto"].passed.get("not_worth_it", 0)
    if passed:
        say(f"\nleft as they came under auto: {percent(passed / calls)} of the calls")
    say_unreviewed([profile])
    tuning = ["prompt-router", "tune", path, "--profile", profile.name, "--write"]
    say(f"\nto have the cost gate go by it: {shlex.join(tuning)}")


def _for_json(
    profile: Profile, terms: ModelTerms, report: Report, models: dict[str, int], tally: CallTally
) -> dict[str, Any]:
    return {
        "profile": profile.name,
        "model": terms.model,
        "prices": {name: str(value) for name, value in asdict(terms.prices).items()},
        "models": models,
        "calls": report[BASELINE].calls,
        "conversations": report[BASELINE].conversations,
        **tally_for_json(tally),
        "policies": report.for_json(),
        "unknown": UNKNOWN,
        **review_for_json(profile),
    }

"""``prompt-router evaluate``."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from hooks.cli.inputs import (
    USUAL_PROFILE,
    choose_profile,
    json_option,
    profile_folders,
    profiles_option,
    profiles_root,
    read_bytes,
    read_profiles,
    settings_of_environment,
    shown,
)
from hooks.cli.output import evidence_for_json, percent, shortened, show_json, show_table
from hooks.cases import parse_cases
from hooks.errors import ConfigurationError
from hooks.evaluate import CaseResult, Evaluation, Summary, evaluate_cases
from hooks.pipeline import Pipeline

CASES_FILE = "ab_cases.jsonl"
PREVIEW_CHARS = 80


@click.command(short_help="Measure routing on labelled messages.")
@click.argument("cases", required=False, metavar="[CASES.jsonl]")
@click.option("--profile", "name", default=USUAL_PROFILE, show_default=True, metavar="NAME")
@profiles_option
@json_option
def evaluate(cases: str | None, name: str, root: Path | None, as_json: bool) -> None:
    """Walk each labelled message as a request, and report size reduction, coverage and misses.

    CASES.jsonl (- is stdin; default: ab_cases.jsonl in the profile's folder) holds one JSON object a line:
    `text`, the user message; `history`, earlier user messages (optional); `tool_calls`, names of the tools
    called so far (optional); `category`; `needs`, the ids of the modules it needs beyond the core.

    Reductions are of the system prompt's size, means over cases; they say nothing of cost, which depends on
    caches. Coverage is the share of cases with all needed modules selected; a fallback selects them all.
    """
    profiles, count_tokens = read_profiles(root)
    profile = choose_profile(profiles, name)
    path = cases or str(profile_folders(profiles_root(root))[profile.name] / CASES_FILE)
    try:
        text = read_bytes(path).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigurationError([f"{shown(path)}: not UTF-8 at byte {error.start}; convert it"]) from None
    pipeline = Pipeline(profiles, count_tokens, coverage_floor=settings_of_environment().coverage_floor)
    evaluation = evaluate_cases(pipeline, profile, parse_cases(text, shown(path), profile))
    if as_json:
        results = [{**asdict(result), "selected": evidence_for_json(result.selected)} for result in evaluation.results]
        show_json({**asdict(evaluation), "results": results})
    else:
        _show(evaluation)


def _show(evaluation: Evaluation) -> None:
    click.echo(f"{evaluation.profile} {evaluation.profile_version}\n")
    columns = ("category", "#cases", "#chars saved", "#tokens saved", "#coverage", "#fallbacks")
    show_table(columns, [_row(summary) for summary in (*evaluation.categories, evaluation.total)])
    for result in evaluation.misses:
        click.echo(f"\nmiss at line {result.line} ({result.category}): {shortened(result.text, PREVIEW_CHARS)}")
        click.echo(f"  missing   {', '.join(result.missing)}")
        click.echo(f"  evidence  {_evidence(result)}")


def _row(summary: Summary) -> tuple[str, ...]:
    return (
        summary.category,
        str(summary.cases),
        percent(summary.mean_chars_reduction),
        percent(summary.mean_tokens_reduction),
        percent(summary.coverage),
        str(summary.fallbacks),
    )


def _evidence(result: CaseResult) -> str:
    found = [e for e in result.selected if e.kind != "always"]
    return ", ".join(f"{e.module} ({e.kind} {e.detail})" if e.detail else f"{e.module} ({e.kind})" for e in found) or (
        "none beyond the core"
    )

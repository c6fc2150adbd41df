"""``prompt-router evaluate``."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from litellm_prompt_router.authoring.evaluate import (
    CaseResult,
    Comparison,
    Evaluation,
    Summary,
    compare,
    evaluate_cases,
    kept_at,
    plot_curve,
)
from litellm_prompt_router.cli.embedding_options import api_base_option, lexical_option, lookup_for, model_option
from litellm_prompt_router.cli.extras import require_extra
from litellm_prompt_router.cli.inputs import (
    choose_profile,
    json_option,
    profile_folders,
    profile_option,
    profiles_option,
    profiles_root,
    read_profiles,
    read_text_file,
    settings_of_environment,
    shown,
)
from litellm_prompt_router.cli.output import evidence_for_json, percent, say, shortened, show_json, show_table, span
from litellm_prompt_router.cli.routing_options import (
    RoutingAnswersWanted,
    answers_for,
    questions_in,
    routing_answers_option,
    routing_model_option,
    with_routing_model,
)
from litellm_prompt_router.documents.errors import ConfigurationError
from litellm_prompt_router.files.labelled_messages import Conversations, parse_cases
from litellm_prompt_router.request.pipeline import Pipeline

CASES_FILE = "ab_cases.jsonl"
PREVIEW_CHARS = 80
MAX_MISSES = 20
CURVE_TARGETS = (0.90, 0.95, 0.98, 0.99, 1.0)


@click.command()
@click.argument("cases", required=False, metavar="[CASES.jsonl]")
@profile_option
@profiles_option
@click.option(
    "--plot",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Draw coverage against tokens kept, as .png or .svg. Needs the extra `plot`.",
)
@model_option
@api_base_option
@lexical_option
@routing_model_option
@routing_answers_option
@json_option
def evaluate(
    cases: str | None,
    name: str | None,
    root: Path | None,
    plot: Path | None,
    embedding_model: str | None,
    api_base: str | None,
    lexical: bool,
    routing_model: str | None,
    routing_answers: str | None,
    as_json: bool,
) -> None:
    """Walk each labelled message as a request, and report size reduction, coverage and misses.

    CASES.jsonl (- is stdin; default: ab_cases.jsonl in the profile's folder) holds one JSON object a line:
    `text`, the user message; `history`, earlier user messages (optional); `tool_calls`, names of the tools
    called so far (optional); `assistant`, what the agent had said last (optional); `first_calls`, names of the tools in
    its first answer to the message (optional); `category` (optional); `needs`, the ids of the modules it needs beyond
    the core.

    Reductions are of the system prompt's size, means over cases; they say nothing of cost, which depends on
    caches. Coverage is the share of cases with all needed modules selected; a fallback selects them all. A first
    need is a message that needs what neither the core nor a tool call brings; it is served when all it needs is there
    by the second call of its task, where a tool that the agent calls, or its words, bring what the first call lacked.
    Served is a span where labels don't tell which tool was called first. Intervals are exact for messages
    drawn independently of each other. Tokens kept are of the modules; a selection of over 90% counts as all. On
    messages that a fit learned from the figures flatter: `fit`'s own table is of routers that hadn't seen them.

    A profile that was fitted with an embedding model has its messages sent to that model, unless --lexical.
    --routing-model asks a chat model about each message, as the proxy does for keys with `router_model: true`.
    """
    profiles, count_tokens = read_profiles(root)
    asked = RoutingAnswersWanted(routing_model, routing_answers)
    profiles = tuple(with_routing_model(each, asked) for each in profiles)
    profile = choose_profile(profiles, name)
    path = cases or str(_usual_cases(profile_folders(profiles_root(root))[profile.name]))
    parsed = parse_cases(read_text_file(path), shown(path), profile)
    pipeline = Pipeline(profiles, count_tokens, coverage_floor=settings_of_environment().coverage_floor)
    conversations = Conversations(case for _, case in parsed)
    turns = [conversations.turns_of(case) for _, case in parsed]
    lookup = lookup_for(profile, turns, model=embedding_model, api_base=api_base, is_lexical=lexical)
    answers = answers_for(profile, questions_in(profile, turns), asked)
    evaluation = evaluate_cases(pipeline, profile, parsed, lookup, answers)
    comparison = compare(profile, parsed, lookup, answers)
    if plot is not None:
        _plot(comparison, plot)
    if as_json:
        results = [{**asdict(result), "selected": evidence_for_json(result.selected)} for result in evaluation.results]
        show_json({**asdict(evaluation), "comparison": asdict(comparison), "results": results})
    else:
        _show(evaluation, comparison)


def _usual_cases(folder: Path) -> Path:
    """The profile's own labelled messages. Raises ConfigurationError that says how to make some."""
    path = folder / CASES_FILE
    if not path.exists():
        name = folder.name
        raise ConfigurationError(
            [
                f"{path}: no such file; `evaluate` measures on labelled messages. To get some:",
                f"  by hand            prompt-router label TRAFFIC.jsonl --profile {name}",
                f"  by a model         prompt-router examples --llm MODEL --profile {name}",
                "  by another way     a JSON object a line; `prompt-router evaluate --help` says what is in it",
                f"Captured tool use needs no labels: prompt-router fit TRAFFIC.jsonl --profile {name}",
            ]
        )
    return path


def _plot(comparison: Comparison, file: Path) -> None:
    if not comparison.curve:
        raise ConfigurationError(["--plot: no threshold can be varied before `prompt-router fit`; leave it out"])
    require_extra("plot", "matplotlib", by="--plot")
    try:
        plot_curve(comparison, file)
    except OSError as error:
        raise ConfigurationError([f"{file}: can't be written ({error.strerror}); check the path"]) from None


def _show(evaluation: Evaluation, comparison: Comparison) -> None:
    say(f"{evaluation.profile} {evaluation.profile_version}\n")
    columns = ("category", "#cases", "#chars saved", "#tokens saved", "#coverage", "#fallbacks")
    show_table(columns, [_row(summary) for summary in (*evaluation.categories, evaluation.total)])
    _show_comparison(comparison)
    misses = sorted(evaluation.misses, key=lambda result: -len(result.missing))
    for result in misses[:MAX_MISSES]:
        say(f"\nmiss at line {result.line} ({result.category}): {shortened(result.text, PREVIEW_CHARS)}")
        say(f"  missing   {', '.join(result.missing)}")
        say(f"  evidence  {_evidence(result)}")
    if len(misses) > MAX_MISSES:
        say(f"\nand {len(misses) - MAX_MISSES} more misses (--json lists them)")


def _show_comparison(comparison: Comparison) -> None:
    low, high = comparison.coverage_interval
    say(f"\ncoverage of {comparison.cases} messages, 95% interval: {percent(low)} to {percent(high)}")
    if comparison.first_needs:
        low, high = comparison.first_need_interval
        say(f"at {comparison.first_needs} first needs: {percent(low)} to {percent(high)}")
    say()
    show_table(
        ("router", "#coverage", "#at first needs", "#served", "#tokens kept"),
        [
            (s.router, *covered, span(s.served_coverage, s.served_at_best), kept)
            for s in comparison.standings
            for *covered, kept in [_shares(s.coverage, s.first_need_coverage, s.kept_tokens)]
        ],
    )
    if not comparison.curve:
        return
    say("\nwhat other thresholds would have given on these messages\n")
    wanted = [(target, at_first) for at_first in (False, True) for target in CURVE_TARGETS]
    points = [(kept_at(comparison.curve, target, at_first_needs=first), target, first) for target, first in wanted]
    show_table(
        ("aim", "#coverage", "#at first needs", "#tokens kept", "#threshold"),
        [
            (
                f"{target:.0%} {'of first needs' if first else 'of messages'}",
                *_shares(point.coverage, point.first_need_coverage, point.kept_tokens),
                f"{point.threshold:.2f}",
            )
            for point, target, first in points
            if point is not None
        ],
    )


def _shares(coverage: float, first_need_coverage: float | None, kept_tokens: float) -> tuple[str, str, str]:
    first = "-" if first_need_coverage is None else percent(first_need_coverage)
    return percent(coverage), first, percent(kept_tokens)


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

"""``prompt-router simulate``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, fields
from functools import partial
from pathlib import Path
from typing import Any

import click

from litellm_prompt_router.analysis.simulate import (
    BASELINE,
    RecordedCall,
    Replay,
    Report,
    Workload,
    arrivals,
    economics_of,
    parse_traffic,
    replay,
    rewrites_of,
    simulate_synthetic,
)
from litellm_prompt_router.analysis.simulate.tune import Tuning
from litellm_prompt_router.analysis.simulate.workload import SyntheticCall
from litellm_prompt_router.cache_model import Rules
from litellm_prompt_router.cli.inputs import (
    json_option,
    profile_folders,
    profiles_option,
    profiles_root,
    read_bytes,
    read_profiles,
    settings_of_environment,
    shown,
    unknown_profile,
)
from litellm_prompt_router.cli.ledger_inputs import is_ledger
from litellm_prompt_router.cli.model_accounts import Account, account_for, say_counts, say_parts, show, watched
from litellm_prompt_router.cli.output import say, show_json
from litellm_prompt_router.cli.routing_options import (
    RoutingAnswersWanted,
    routing_answers_option,
    routing_model_option,
    wavering_line,
    with_routing_model,
)
from litellm_prompt_router.cli.simulated_gains import command_of, gains_for_json, say_gains, say_unreviewed
from litellm_prompt_router.cli.simulated_ledger import simulate_ledger
from litellm_prompt_router.cli.simulated_routing import RoutingBill, ask_about_calls, routed_by_model
from litellm_prompt_router.cli.tune_option import tune_synthetic, tune_traffic, tuning_for_json, way_of
from litellm_prompt_router.documents.errors import ConfigurationError
from litellm_prompt_router.profile.profile import Profile
from litellm_prompt_router.request.route import AnswerLookup

SYNTHETIC_MODEL = "claude-sonnet-4-5"
RATE = "conversations_per_hour"
SHAPE = {
    "conversations": "Conversations to make.",
    "keys": "API keys they come with; keys share no cache.",
    "turns": "User messages a conversation, on average.",
    "calls_per_turn": "Calls that a user message leads to, tool loops included, on average.",
    "call_seconds": "From one call of a tool loop to the next, on average.",
    "think_seconds": "From an answer to the next user message, median; 1 in 20 takes 5 times as long.",
    "prompt_tokens": "The full system prompt.",
    "tools_tokens": "Tool definitions.",
    "declares_tools": "Whether requests declare tools; the cost gate goes by it.",
    "core_share": "Share of the prompt that is always sent.",
    "modules": "Modules beside the core.",
    "spread": "How unequal their sizes are; 0: all the same.",
    "zipf": "How unequal their popularity is; 0: all the same.",
    "selected": "Modules that the router selects for a user message, on average.",
    "growth": "Chance that a later user message gets a selection of its own; else it inherits.",
    "fallback": "Chance that a selection is every module.",
    "user_tokens": "A user message, on average.",
    "answer_tokens": "An answer, on average.",
    "tool_call_tokens": "A tool call, on average.",
    "tool_result_tokens": "A tool's result, on average.",
    "seed": "The same seed makes the same traffic.",
}
"""Options of made-up traffic, by the Workload's fields."""


def _shape_options(command: Callable[..., None]) -> Callable[..., None]:
    defaults = {field.name: field.default for field in fields(Workload)}
    for name, text in reversed(SHAPE.items()):
        option = click.option(
            f"--{name.replace('_', '-')}",
            type=type(defaults[name]),
            default=defaults[name],
            show_default=True,
            help=f"[synthetic] {text}",
        )
        command = option(command)
    rate = click.option(
        "--rate",
        "rates",
        type=float,
        multiple=True,
        default=(defaults[RATE],),
        show_default=True,
        help="[synthetic] Conversations an hour; may be given several times.",
    )
    return rate(command)


@click.command()
@click.argument("traffic", required=False, metavar="[TRAFFIC.jsonl|LEDGER|-]")
@click.option("--synthetic", is_flag=True, help="Make traffic instead of reading it.")
@click.option("--model", metavar="NAME", help="LiteLLM's name of the model to account for. Default: see above.")
@click.option("--prices", "stated", metavar="JSON|FILE", help="USD per million tokens in place of LiteLLM's map.")
@click.option("--profile", "name", metavar="NAME", help="The one profile that may be recognised. Default: all.")
@click.option("--tune", "tunes", is_flag=True, help="Find what is cheapest; write it into the profile's `economics:`.")
@click.option("--dry-run", is_flag=True, help="[tune] Write nothing.")
@profiles_option
@routing_model_option
@routing_answers_option
@json_option
@_shape_options
@click.pass_context
def simulate(
    ctx: click.Context,
    /,
    traffic: str | None,
    synthetic: bool,
    model: str | None,
    stated: str | None,
    name: str | None,
    tunes: bool,
    dry_run: bool,
    root: Path | None,
    routing_model: str | None,
    routing_answers: str | None,
    as_json: bool,
    rates: tuple[float, ...],
    **shape: Any,
) -> None:
    """Replay conversations under each policy and add up what the provider would bill for their prompts.

    TRAFFIC.jsonl holds one call a line: `ts` (seconds), `key`, `conversation`, `request` (the client's body),
    `endpoint` where that isn't chat, optionally `response`. Output is left out: it is the same under every policy.
    LEDGER, a ledger's file or a folder of them, is replayed by what its records say, without `latest`.

    \b
    full         the full prompt, nothing cached
    full-cached  the full prompt as it came, with cache marks placed as well as one can
    latest       modules for the latest user message only
    grow         late modules at the end of the system prompt
    append       late modules behind the message that first needed them
    auto         what placement `auto` does, behind the cost gate

    --tune tries exact module sets, bundles that many conversations share, every module and no rewriting on the
    first half of the conversations, and measures the cheapest on the second half. With --synthetic it shows what
    the tuned profile would cost there; with TRAFFIC.jsonl and --profile it writes the profile's `economics:`. On
    fewer than 40 conversations it can only leave the profile alone, and does where they show no gain.

    Without --model the one that the traffic names, in LiteLLM's terms; with --synthetic claude-sonnet-4-5.
    --prices takes input_usd_per_mtok, cache_read_usd_per_mtok, cache_write_5m_usd_per_mtok and
    cache_write_1h_usd_per_mtok. Claude is accounted on its host's wire, every other model on OpenAI's.

    With --routing-model a chat model is asked about each message, as the proxy does for keys with `router_model: true`;
    its own bill is told beside the table.
    """
    if synthetic == (traffic is not None):
        raise click.UsageError("Give either TRAFFIC.jsonl or --synthetic.")
    given = [p for p in ("rates", *shape) if ctx.get_parameter_source(p) is not click.core.ParameterSource.DEFAULT]
    if given and not synthetic:
        option = "--rate" if given[0] == "rates" else f"--{given[0].replace('_', '-')}"
        raise click.UsageError(f"{option} needs --synthetic.")
    asked = RoutingAnswersWanted(routing_model, routing_answers)
    if synthetic and (name or root or asked.is_on):
        raise click.UsageError("--profile, --profiles and routing models need TRAFFIC.jsonl.")
    if dry_run and not tunes:
        raise click.UsageError("--dry-run needs --tune.")
    if tunes and not synthetic and name is None:
        raise click.UsageError("--tune needs --profile: what it finds is written there.")
    if traffic is not None and traffic != "-" and is_ledger(traffic):
        if tunes:
            raise click.UsageError("--tune reads captured traffic; of a ledger it is `prompt-router tune LEDGER`.")
        if asked.is_on:
            raise click.UsageError("routing models can't be asked about a ledger, which holds no text.")
        simulate_ledger(traffic, name, model, stated, root, as_json)
        return
    if traffic is None:
        _simulate_synthetic(account_for(model or SYNTHETIC_MODEL, stated), rates, shape, tunes, as_json)
        return
    calls, profiles, count_tokens = _recorded(traffic, name, root)
    account = account_for(model or _model_of(calls), stated, _endpoint_of(calls))
    routed = None if not asked.is_on else routed_by_model(profiles, name)
    profiles = tuple(with_routing_model(each, asked) if each.name == routed else each for each in profiles)
    answers, bill = ask_about_calls(calls, profiles, count_tokens, routed, asked)
    if not tunes:
        again = command_of(traffic, root, model, stated)
        _simulate_traffic(calls, profiles, count_tokens, account, shown(traffic), name, as_json, again, answers, bill)
    else:
        assert name is not None
        folder = None if dry_run else profile_folders(profiles_root(root))[name]
        tune_traffic(calls, profiles, count_tokens, account, shown(traffic), name, folder, as_json, answers)


# Recorded traffic


def _recorded(
    path: str, name: str | None, root: Path | None
) -> tuple[tuple[RecordedCall, ...], tuple[Profile, ...], Callable[[str], int]]:
    try:
        text = read_bytes(path).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigurationError([f"{shown(path)}: not UTF-8 at byte {error.start}; convert it"]) from None
    calls = parse_traffic(text, shown(path))
    profiles, count_tokens = read_profiles(root)
    known = tuple(profile.name for profile in profiles)
    if name is not None and name not in known:
        raise unknown_profile(name, known)
    return calls, profiles, count_tokens


def _simulate_traffic(
    calls: tuple[RecordedCall, ...],
    profiles: tuple[Profile, ...],
    count_tokens: Callable[[str], int],
    account: Account,
    where: str,
    name: str | None,
    as_json: bool,
    again: str,
    answers: AnswerLookup,
    bill: RoutingBill | None,
) -> None:
    """``again``: the command that led here, to which options can be added. ``bill``: what the routing model costs."""
    floor = settings_of_environment().coverage_floor
    rewrites = rewrites_of(profiles, count_tokens, account.target, coverage_floor=floor, only=name, answers=answers)
    blocks_of = account.blocks_of(count_tokens)
    report = account.worst_of(
        lambda rules: replay(watched(calls, "calls"), Replay(rewrites, blocks_of, rules), account.prices, where)
    )
    by_name = {profile.name: profile for profile in profiles}
    advised = [
        (gain, economics_of(gain, by_name[gain.profile], account.target, account.model)) for gain in report.gains
    ]
    if as_json:
        counts = {"calls": len(calls), "conversations": report[BASELINE].conversations}
        parts = asdict(report.parts) if report.parts else None
        by_profile = gains_for_json(advised, by_name, again)
        policies = report.for_json()
        asked = (
            {} if bill is None else {"routing_model": bill.line, "wavering": [asdict(each) for each in bill.wavering]}
        )
        show_json(
            {**account.for_json(), **counts, **asked, "parts": parts, "policies": policies, "profiles": by_profile}
        )
        return
    account.say()
    say_counts("", len(calls), report)
    show(report)
    if bill is not None:
        say(f"\n{bill.line}")
        for each in bill.wavering:
            say(wavering_line(each))
    say_parts(report.parts)
    passed = report["auto"].passed
    if passed:
        reasons = ", ".join(f"{reason} {count:,}" for reason, count in passed.items())
        say(f"\nleft as they came under auto: {sum(passed.values()):,} of {len(calls):,} calls ({reasons})")
    say_unreviewed(by_name[gain.profile] for gain in report.gains)
    say_gains(advised, again)


def _model_of(calls: Sequence[RecordedCall]) -> str:
    names = sorted({str(call.request.get("model")) for call in calls})
    if len(names) != 1:
        raise ConfigurationError([f"--model: the traffic names several ({', '.join(names)}); say which one"])
    return names[0]


def _endpoint_of(calls: Sequence[RecordedCall]) -> str:
    """The one that most calls came to."""
    return Counter(call.endpoint for call in calls).most_common(1)[0][0]


# Made-up traffic


def _simulate_synthetic(
    account: Account, rates: Sequence[float], shape: Mapping[str, Any], tunes: bool, as_json: bool
) -> None:
    try:
        workloads = [Workload(conversations_per_hour=rate, **shape) for rate in rates]
    except ValueError as error:
        problems = [problem.replace(f"{RATE}:", "rate:") for problem in str(error).splitlines()]
        raise ConfigurationError([f"--{problem.replace('_', '-')}" for problem in problems]) from None
    runs: list[tuple[Workload, int, Report, Tuning | None]] = []
    for workload in workloads:
        calls = arrivals(workload)
        what = f"{workload.conversations_per_hour:g} conversations an hour"
        tuning = None
        if tunes:
            tuning, calls = tune_synthetic(workload, calls, account, what)
        report = account.worst_of(partial(_simulated, account, workload, calls, what, tuning))
        runs.append((workload, len(calls), report, tuning))
    if as_json:
        show_json({**account.for_json(), "runs": [_run_for_json(*run) for run in runs]})
        return
    account.say()
    for workload, count, report, tuning in runs:
        say_counts(f"{workload.conversations_per_hour:g} conversations an hour; ", count, report)
        if tuning is not None:
            say(f"auto is tuned on as many conversations before these: {way_of(tuning)}")
        show(report)


def _simulated(
    account: Account,
    workload: Workload,
    calls: Sequence[SyntheticCall],
    what: str,
    tuning: Tuning | None,
    rules: Rules,
) -> Report:
    return simulate_synthetic(
        workload,
        watched(calls, what),
        rules,
        account.prices,
        account.target,
        economics=tuning.economics if tuning else None,
    )


def _run_for_json(workload: Workload, calls: int, report: Report, tuning: Tuning | None) -> dict[str, Any]:
    tuned = {} if tuning is None else {"tuned": tuning_for_json(tuning)}
    return {**asdict(workload), "calls": calls, **tuned, "policies": report.for_json()}

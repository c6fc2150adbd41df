"""``prompt-router simulate``."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, TypeVar

import click
from rich.console import Console
from rich.progress import Progress

from hooks.cachemodel import BlockReader, Prices, Rules, anthropic_rules, openai_rules
from hooks.cli.inputs import (
    json_option,
    profiles_option,
    read_bytes,
    read_profiles,
    settings_of_environment,
    shown,
    unknown_profile,
)
from hooks.cli.output import show_json, show_table
from hooks.data import Target
from hooks.errors import ConfigurationError
from hooks.simulate import (
    BASELINE,
    Call,
    Replay,
    Report,
    Workload,
    arrivals,
    parse_prices,
    parse_traffic,
    replay,
    rewrites_of,
    simulate_synthetic,
)

SYNTHETIC_MODEL = "claude-sonnet-4-5"
RATE = "conversations_per_hour"
COLUMNS = ("policy", "#USD", "#USD/conversation", "#read", "#written", "#uncached", "#mean prompt", "#vs full-cached")
SHAPE = {
    "conversations": "Conversations to make.",
    "keys": "API keys they come with; keys share no cache.",
    "turns": "User messages a conversation, on average.",
    "calls_per_turn": "Calls that a user message leads to, tool loops included, on average.",
    "call_seconds": "From one call of a tool loop to the next, on average.",
    "think_seconds": "From an answer to the next user message, median; 1 in 20 takes 5 times as long.",
    "prompt_tokens": "The full system prompt.",
    "tools_tokens": "Tool definitions.",
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

Item = TypeVar("Item")


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


@click.command(short_help="What each policy would have cost, on recorded or made-up traffic.")
@click.argument("traffic", required=False, metavar="[TRAFFIC.jsonl|-]")
@click.option("--synthetic", is_flag=True, help="Make traffic instead of reading it.")
@click.option("--model", metavar="NAME", help="LiteLLM's name of the model to account for. Default: see above.")
@click.option("--prices", "stated", metavar="JSON|FILE", help="USD per million tokens in place of LiteLLM's map.")
@click.option("--profile", "name", metavar="NAME", help="The one profile that may be recognised. Default: all.")
@profiles_option
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
    root: Path | None,
    as_json: bool,
    rates: tuple[float, ...],
    **shape: Any,
) -> None:
    """Replay conversations under each policy and add up what the provider would bill for their prompts.

    TRAFFIC.jsonl holds one call a line: `ts` (seconds), `key`, `conversation`, `request` (the client's chat
    body), optionally `response`. Output is left out: it is the same under every policy.

    \b
    full         the full prompt, nothing cached
    full-cached  the full prompt as it came, with cache marks placed as well as one can
    latest       modules for the latest user message only
    grow         late modules at the end of the system prompt
    append       late modules behind the message that first needed them
    auto         what placement `auto` does for this model

    Without --model the one that the traffic names, in LiteLLM's terms; with --synthetic claude-sonnet-4-5.
    --prices takes input_usd_per_mtok, cache_read_usd_per_mtok, cache_write_5m_usd_per_mtok and
    cache_write_1h_usd_per_mtok. Claude is accounted on its host's wire, every other model on OpenAI's.
    """
    if synthetic == (traffic is not None):
        raise click.UsageError("Give either TRAFFIC.jsonl or --synthetic.")
    given = [p for p in ("rates", *shape) if ctx.get_parameter_source(p) is not click.core.ParameterSource.DEFAULT]
    if given and not synthetic:
        option = "--rate" if given[0] == "rates" else f"--{given[0].replace('_', '-')}"
        raise click.UsageError(f"{option} needs --synthetic.")
    if synthetic and (name or root):
        raise click.UsageError("--profile and --profiles need TRAFFIC.jsonl.")
    os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    if traffic is None:
        _simulate_synthetic(model or SYNTHETIC_MODEL, stated, rates, shape, as_json)
    else:
        _simulate_traffic(traffic, model, stated, name, root, as_json)


# Recorded traffic


def _simulate_traffic(
    path: str, model: str | None, stated: str | None, name: str | None, root: Path | None, as_json: bool
) -> None:
    try:
        text = read_bytes(path).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigurationError([f"{shown(path)}: not UTF-8 at byte {error.start}; convert it"]) from None
    calls = parse_traffic(text, shown(path))
    profiles, count_tokens = read_profiles(root)
    known = tuple(profile.name for profile in profiles)
    if name is not None and name not in known:
        raise unknown_profile(name, known)
    model = model or _model_of(calls)
    prices, target, rules = _prices(model, stated), _target(model), _rules(model)
    rewrites = rewrites_of(
        profiles, count_tokens, target, coverage_floor=settings_of_environment().coverage_floor, only=name
    )
    replayed = Replay(rewrites, _blocks_of(model, target, count_tokens), rules)
    report = replay(_watched(calls, "calls"), replayed, prices, shown(path))
    counts = {"calls": len(calls), "conversations": report[BASELINE].conversations}
    if as_json:
        show_json({**_head(model, prices), **counts, "policies": report.for_json()})
        return
    _say(model, prices)
    _say_counts("", len(calls), report)
    _show(report)
    passed = report["auto"].passed
    if passed:
        reasons = ", ".join(f"{reason} {count:,}" for reason, count in passed.items())
        click.echo(f"\nleft as they came under auto: {sum(passed.values()):,} of {len(calls):,} calls ({reasons})")


def _model_of(calls: Sequence[Call]) -> str:
    names = sorted({str(call.request.get("model")) for call in calls})
    if len(names) != 1:
        raise ConfigurationError([f"--model: the traffic names several ({', '.join(names)}); say which one"])
    return names[0]


def _blocks_of(model: str, target: Target, count_tokens: Callable[[str], int]) -> Callable[[Mapping[str, Any]], Any]:
    reader = BlockReader(count_tokens)
    if not target.takes_marks:
        return reader.openai
    from hooks.provider_wire import ClaudeWire

    wire = ClaudeWire(model)
    return lambda body: reader.anthropic(wire.body(body))


def _target(model: str) -> Target:
    from hooks.deployments import target_of_model  # imports LiteLLM, which takes seconds

    return target_of_model(model)


def _rules(model: str) -> Rules:
    return anthropic_rules(model) if _target(model).takes_marks else openai_rules(model)


# Made-up traffic


def _simulate_synthetic(
    model: str, stated: str | None, rates: Sequence[float], shape: Mapping[str, Any], as_json: bool
) -> None:
    try:
        workloads = [Workload(conversations_per_hour=rate, **shape) for rate in rates]
    except ValueError as error:
        problems = [problem.replace(f"{RATE}:", "rate:") for problem in str(error).splitlines()]
        raise ConfigurationError([f"--{problem.replace('_', '-')}" for problem in problems]) from None
    prices, placement, rules = _prices(model, stated), _target(model).placement, _rules(model)
    runs = []
    for workload in workloads:
        calls = arrivals(workload)
        watched = _watched(calls, f"{workload.conversations_per_hour:g} conversations an hour")
        report = simulate_synthetic(workload, watched, rules, prices, auto=placement)
        runs.append((workload, len(calls), report))
    if as_json:
        rows = [{**asdict(workload), "calls": calls, "policies": report.for_json()} for workload, calls, report in runs]
        show_json({**_head(model, prices), "runs": rows})
        return
    _say(model, prices)
    for workload, count, report in runs:
        _say_counts(f"{workload.conversations_per_hour:g} conversations an hour; ", count, report)
        _show(report)


# Both


def _prices(model: str, stated: str | None) -> Prices:
    if stated is None:
        from hooks.provider_wire import prices_of_model

        prices = prices_of_model(model)
        if prices is None:
            raise ConfigurationError([f"--model: LiteLLM has no prices for {model!r}; name another or give --prices"])
        return prices
    text = stated if stated.lstrip().startswith("{") else read_bytes(stated).decode("utf-8", "replace")
    return parse_prices(text, "--prices")


def _watched(items: Sequence[Item], what: str) -> Iterator[Item]:
    """The items, with a bar on stderr while somebody watches."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield from items
        return
    with Progress(console=console, transient=True) as progress:
        yield from progress.track(items, description=what)


def _head(model: str, prices: Prices) -> dict[str, Any]:
    return {"model": model, "prices": {name: str(value) for name, value in asdict(prices).items()}}


def _say(model: str, prices: Prices) -> None:
    click.echo(
        f"{model}: {prices.input_usd_per_mtok} USD per million tokens, cached {prices.cache_read_usd_per_mtok}, "
        f"written {prices.cache_write_5m_usd_per_mtok} (1h {prices.cache_write_1h_usd_per_mtok})"
    )


def _say_counts(what: str, calls: int, report: Report) -> None:
    click.echo(f"\n{what}calls: {calls:,}, conversations: {report[BASELINE].conversations:,}")


def _show(report: Report) -> None:
    show_table(COLUMNS, _rows(report))


def _rows(report: Report) -> Iterable[tuple[str, ...]]:
    for result in report.results:
        usage, versus = result.usage, report.versus_baseline(result.policy)
        yield (
            result.policy,
            f"{result.usd:,.4f}",
            f"{result.usd_per_conversation:,.4f}",
            f"{usage.cache_read_tokens:,}",
            f"{usage.cache_write_5m_tokens + usage.cache_write_1h_tokens:,}",
            f"{usage.uncached_input_tokens:,}",
            f"{result.mean_prompt_tokens:,.0f}",
            "" if versus is None or result.policy == BASELINE else f"{versus:+.1%}",
        )

"""``prompt-router report``."""

from __future__ import annotations

import re
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from litellm_prompt_router.analysis.report.reader_terms import HINDRANCES, OUTCOMES, REASONS
from litellm_prompt_router.cli.extras import require_extra
from litellm_prompt_router.cli.inputs import json_option
from litellm_prompt_router.cli.ledger_command import told
from litellm_prompt_router.cli.output import say, show_bytes, show_json, show_table
from litellm_prompt_router.documents.errors import ConfigurationError
from litellm_prompt_router.documents.plurals import many
from litellm_prompt_router.documents.shown_text import spreadsheet_text

if TYPE_CHECKING:
    from litellm_prompt_router.analysis.report.figures import ConversationCost, Figures, ModuleUse, Sums, TuningUse
    from litellm_prompt_router.analysis.report.ledger_files import LedgerTally

DIMENSIONS = ("key", "team", "model", "provider", "profile", "day", "hour")
AGO = re.compile(r"(\d+)([mhdw])")
UNIT_SECONDS = {"m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
FOOTNOTE = "* removed tokens at the plain input price: ignores caching, so it is neither a bill nor a net figure"
ASSUMED_FOOTNOTE = (
    "** these hosts don't publish how they cache, so cautious rules stand in for theirs; the rest of the estimate is "
    "modelled by rules that the provider publishes"
)


@click.command()
@click.argument("paths", nargs=-1, metavar="PATHS...")
@click.option("--spend-logs", "spend_logs", metavar="FILE", help="Read an export of LiteLLM's SpendLogs (CSV, JSON).")
@click.option("--since", metavar="TIME", help="From this time on: 2026-11-01, 2026-11-01T08:00, or 7d ago. UTC.")
@click.option("--until", metavar="TIME", help="Before this time.")
@click.option("--by", type=click.Choice(DIMENSIONS), help="Break the totals down.")
@click.option("--mode", type=click.Choice(("rewrite", "shadow", "off")), help="Only requests in this mode.")
@click.option("--csv", "as_csv", is_flag=True, help="Print the breakdown as CSV (by day without --by).")
@click.option("--html", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="Write a page.")
@json_option
def report(
    paths: tuple[str, ...],
    spend_logs: str | None,
    since: str | None,
    until: str | None,
    by: Any,
    mode: str | None,
    as_csv: bool,
    html: Path | None,
    as_json: bool,
) -> None:
    """Report spending and savings from ledger files: .jsonl, .jsonl.gz, .parquet, folders and patterns.

    Money is summed exactly. The estimated net saving is each call's bill against what it would have cost with the
    original prompt and its caching; it can be negative. What shadow mode would have saved is never added to it.
    With a control group the saving is measured as well. docs/report.md says what every figure means. Needs the extra
    `report`: pip install 'litellm-prompt-router[report]'.
    """
    if not paths and spend_logs is None:
        raise click.UsageError("say which files: PATHS... or --spend-logs FILE")
    require_extra("report", "polars", *(("jinja2", "vl_convert") if html is not None else ()), by="report")
    from litellm_prompt_router.analysis.report.selection import selected_records
    from litellm_prompt_router.analysis.report.totals import figures_of

    by = by or ("day" if as_csv else "key" if html is not None else None)
    with tempfile.TemporaryDirectory(prefix="prompt-router-") as name:
        records, tally = selected_records(
            paths,
            None if spend_logs is None else Path(spend_logs),
            Path(name),
            since_seconds=_seconds(since, "--since"),
            until_seconds=_seconds(until, "--until"),
            mode=mode,
        )
        figures = figures_of(records, by)
    if figures is None:
        for line in told(tally):
            say(line, err=True)
        raise ConfigurationError([_nothing_to_report(tally, is_narrowed=bool(since or until or mode))])
    if html is not None:
        _write_page(html, figures, tally)
    if as_json:
        from litellm_prompt_router.analysis.report.number_format import jsonable

        show_json({**jsonable(figures), "read": jsonable(tally)})
    elif as_csv:
        show_bytes(_csv(figures).encode())
    else:
        _show(figures)
    for line in told(tally):
        say(line, err=True)


def _nothing_to_report(tally: LedgerTally, *, is_narrowed: bool) -> str:
    """What to do about it: look elsewhere, or at the options that leave records out."""
    what = f"no records to report: {many(tally.lines, 'line')} in {many(tally.files, 'file')}"
    if is_narrowed and (tally.damaged < tally.lines or not tally.lines):
        return f"{what}; see --since, --until and --mode"
    return f"{what}; a proxy's ledger is logs/prompt_router.jsonl in its folder, unless ledger.path says otherwise"


def _seconds(text: str | None, option: str) -> float | None:
    if text is None:
        return None
    ago = AGO.fullmatch(text)
    if ago is not None:
        return time.time() - int(ago[1]) * UNIT_SECONDS[ago[2]]
    try:
        stated = datetime.fromisoformat(text)
    except ValueError:
        raise ConfigurationError([f"{option}: {text!r} is no time; write 2026-11-01, 2026-11-01T08:00 or 7d"]) from None
    return (stated if stated.tzinfo else stated.replace(tzinfo=UTC)).timestamp()


def _write_page(file: Path, figures: Figures, tally: LedgerTally) -> None:
    from litellm_prompt_router.analysis.report.page import page

    try:
        file.write_text(page(figures, tally, told(tally)), encoding="utf-8")
    except OSError as error:
        raise ConfigurationError([f"{file}: can't be written ({error.strerror}); check the path"]) from None
    say(f"wrote {file}", err=True)


def _csv(figures: Figures) -> str:
    """A row for each value and side; money exact, empty where unknown. No name is a formula."""
    from dataclasses import asdict

    rows = [
        {str(figures.by): spreadsheet_text(group.name), "shadow": is_shadow, **asdict(side)}
        for group in figures.groups
        for is_shadow, side in ((False, group.actual), (True, group.would))
        if side is not None
    ]
    lines = [list(rows[0]), *([_field(value) for value in row.values()] for row in rows)]
    return "".join(f"{','.join(line)}\n" for line in lines)


def _field(value: object) -> str:
    """As RFC 4180 has it; a carriage return alone ends a row for some readers, and ``csv`` leaves it bare."""
    text = "" if value is None else format(value, "f") if isinstance(value, Decimal) else str(value)
    return '"' + text.replace('"', '""') + '"' if re.search(r'[",\r\n]', text) else text


# Tables


def _show(figures: Figures) -> None:
    from litellm_prompt_router.analysis.report.number_format import at

    say(f"{at(figures.since_seconds)} to {at(figures.until_seconds)} UTC\n")
    show_table(("", "#total"), list(_totals(figures)))
    if figures.by:
        columns: tuple[str, ...] = (
            figures.by,
            "#calls",
            "#billed",
            "#est. net saved",
            "#would have saved",
            "#prompt left out",
        )
        say("")
        show_table(columns, _group_rows(figures))
    if figures.modules:
        say("")
        for words, number in figures.modules_each_time.items():
            say(f"{words}: {many(number, 'module')}")
    if figures.chosen_modules:
        say("")
        rows = [(u.module, f"{u.calls:,}", f"{u.share:.1%}", f"{u.late:,}", f"{u.missed:,}", _evidence(u))
                for u in figures.chosen_modules]  # fmt: skip
        show_table(("module", "#calls", "#share", "#late", "#missed", "evidence"), rows)
    if figures.tunings:
        say("")
        columns = ("profile", "tuning", "from", "to", "#conversations", "#calls", "#est. net saved")
        show_table(columns, [_tuning_row(each) for each in figures.tunings])
    for title, counts in (("held back, not reviewed: profile", figures.held_back),
                          ("failed with", figures.errors),
                          ("net saving unavailable because", figures.net_unavailable)):  # fmt: skip
        if counts:
            say("")
            show_table((title, "#calls"), [(name, f"{number:,}") for name, number in counts.items()])
    if figures.passthroughs:
        say("")
        show_table(
            ("passed through because", "#calls", "in words"),
            [(name, f"{number:,}", REASONS.get(name, "")) for name, number in figures.passthroughs.items()],
        )
    if figures.step is not None:
        reason, number, step = figures.step
        say(f"\nmost often {reason}, {many(number, 'call')}: {HINDRANCES[reason]}", f"to do: {step}")
    for title, listed in (("greatest losses", figures.losses), ("greatest gains", figures.gains)):
        if listed:
            say("")
            columns = (title, "key", "model", "#calls", "#billed", "#est. net saved")
            show_table(columns, [_conversation_row(c) for c in listed])
    say(f"\n{FOOTNOTE}")
    if any(side is not None and side.assumed_calls for side in (figures.actual, figures.would)):
        say(ASSUMED_FOOTNOTE)


def _evidence(use: ModuleUse) -> str:
    return ", ".join(f"{kind} {number:,}" for kind, number in use.evidence.items())


def _tuning_row(use: TuningUse) -> tuple[str, ...]:
    from litellm_prompt_router.analysis.report.number_format import at, usd

    counts = (f"{use.conversations:,}", f"{use.calls:,}", usd(use.net_saved_usd, 4))
    return (use.profile, use.tuning, at(use.since_seconds), at(use.until_seconds), *counts)


def _conversation_row(found: ConversationCost) -> tuple[str, ...]:
    from litellm_prompt_router.analysis.report.number_format import usd

    money = (usd(found.billed_usd, 4), usd(found.net_saved_usd, 4))
    return (found.conversation, found.key, found.model, f"{found.calls:,}", *money)


def _totals(figures: Figures) -> Iterator[tuple[str, str]]:
    from litellm_prompt_router.analysis.report.number_format import between, count, ratio, reduction, share, usd

    sides = [side for side in (figures.actual, figures.would) if side is not None]
    yield "calls", count(sum(side.calls for side in sides))
    for name, words in OUTCOMES.items():
        if figures.outcomes.get(name):
            yield f"  {words}", count(figures.outcomes[name])
    yield "conversations", count(figures.conversations)
    if figures.loose_calls:
        yield "calls of no known conversation", count(figures.loose_calls)
    for each in figures.missed_needs:
        by = "chosen by a routing model" if each.is_by_model else "chosen otherwise"
        yield (
            f"a left-out module's tool called, {by}",
            f"{share(each.share)} of {count(each.conversations)} conversations",
        )
    yield "failed", count(sum(side.failures for side in sides))
    yield "cost per conversation", usd(figures.cost_per_conversation_usd)
    if figures.actual is not None:
        yield from _side(figures.actual)
        yield "estimated net saved", usd(figures.actual.net_saved_usd)
        yield from _assumed(figures.actual)
        yield from _routing_model(figures.actual)
        yield "  95% interval", between(figures.net_interval)
        yield "  of calls", f"{figures.actual.net_calls:,} of {figures.actual.calls:,}"
    if figures.would is not None:
        yield "shadow: calls", count(figures.would.calls)
        yield "shadow: billed", usd(figures.would.billed_usd)
        if figures.actual is not None:
            yield "billed, shadow mode included", usd(figures.total.billed_usd)
        yield "shadow: would have saved, estimated", usd(figures.would.net_saved_usd)
        yield from _assumed(figures.would)
        yield from _routing_model(figures.would)
        yield "  95% interval", between(figures.would_interval)
    if figures.control is not None:
        control = figures.control
        if control.per_conversation is None:
            yield "measured saving (control group)", str(control.missing)
        else:
            saving = control.per_conversation
            yield "measured saving (control group)", f"{usd(saving.saved_usd)} ({share(saving.share)})"
            yield "  95% interval", between(saving.interval)
            yield "  conversations held out, treated", f"{control.compared_holdout:,}, {control.compared_treatment:,}"
    if figures.decision_p50_us is not None:
        yield "decision time p50, p99", f"{figures.decision_p50_us:,} µs, {figures.decision_p99_us:,} µs"
    if figures.actual is not None:
        actual = figures.actual
        if actual.sized_calls:
            yield "prompt left out", share(reduction(actual))
        parts = actual.part_prompt_chars + actual.part_tools_chars + actual.part_history_chars
        if parts:
            shares = (actual.part_prompt_chars, actual.part_tools_chars, actual.part_history_chars)
            yield "prompt, tools, history as sent", ", ".join(share(ratio(part, parts)) for part in shares)
        yield "read from cache", share(actual.cache_hit_share)
        if actual.without_input_tokens:
            yield (
                "  same calls, with rewriting and without",
                f"{share(ratio(actual.compared_read_tokens, actual.compared_input_tokens))}, "
                f"{share(ratio(actual.without_read_tokens, actual.without_input_tokens))}",
            )
        yield "saved at list price*", usd(actual.list_saved_usd)


def _assumed(side: Sums) -> Iterator[tuple[str, str]]:
    """What of the estimate goes by rules that no provider publishes."""
    from litellm_prompt_router.analysis.report.number_format import usd

    if side.assumed_calls:
        yield "  of which assumed**", f"{usd(side.assumed_net_usd)}, {many(side.assumed_calls, 'call')}"


def _routing_model(side: Sums) -> Iterator[tuple[str, str]]:
    """What asking routing models cost, where they were asked."""
    from litellm_prompt_router.analysis.report.number_format import count, usd

    if not side.routing_model_call_count:
        return
    beside = side.routing_beside_net_usd
    in_net = None if side.routing_model_usd is None else side.routing_model_usd - (beside or 0)
    yield "  routing model's bill, subtracted in it", usd(in_net)
    if beside:
        yield "  routing model's bill of calls without estimate", usd(beside)
    yield "  routing model's calls", count(side.routing_model_call_count)
    if side.routing_unpriced:
        yield "  calls whose routing bill is unknown", count(side.routing_unpriced)


def _side(side: Sums) -> Iterator[tuple[str, str]]:
    from litellm_prompt_router.analysis.report.number_format import count, usd

    yield "uncached input tokens", count(side.uncached_input_tokens)
    yield "cache read tokens", count(side.cache_read_tokens)
    yield "cache write tokens, 5 minutes", count(side.cache_write_5m_tokens)
    yield "cache write tokens, 1 hour", count(side.cache_write_1h_tokens)
    yield "output tokens", count(side.output_tokens)
    yield "billed", usd(side.billed_usd)
    if side.unbilled_calls:
        yield "  answered, bill unknown", count(side.unbilled_calls)


def _group_rows(figures: Figures) -> Iterator[tuple[str, ...]]:
    from litellm_prompt_router.analysis.report.number_format import digits_for, reduction, share, usd

    sides = [side for group in figures.groups for side in (group.actual, group.would) if side is not None]
    digits = digits_for(side.billed_usd for side in sides)
    for group in figures.groups:
        yield (
            group.name,
            f"{group.calls:,}",
            usd(group.billed_usd, digits),
            usd(group.actual.net_saved_usd, digits) if group.actual else "-",
            usd(group.would.net_saved_usd, digits) if group.would else "-",
            share(reduction(group.actual)),
        )

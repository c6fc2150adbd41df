"""``prompt-router status``."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import click

from litellm_prompt_router.cli.inputs import json_option
from litellm_prompt_router.cli.output import say, shortened, show_json, show_table
from litellm_prompt_router.documents.bundled import CONFIG_NAME, default_config
from litellm_prompt_router.documents.errors import ConfigurationError

if TYPE_CHECKING:
    from litellm_prompt_router.operations.workers import ProfileServed, TuningSeen, Worker, WorkerStatus

SHOWN_CHARS = 160


@click.command()
@click.option(
    "--status-dir",
    "folder",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Their status files. Default: where the configuration puts them.",
)
@click.option(
    "--config",
    "config_path",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help=f"The proxy's configuration. Default: ./{CONFIG_NAME}, else the bundled one. Relative paths in it start here.",
)
@click.option("--memories", is_flag=True, help="Show what each worker keeps in memory, beside the limit of it.")
@json_option
@click.pass_context
def status(ctx: click.Context, folder: Path | None, config_path: Path | None, memories: bool, as_json: bool) -> None:
    """Show every worker of this machine's proxies: what is in force there, counts since its start, its sinks, errors.

    Exit code 1 when something wants attention, which is then said, a line each, on stderr: no worker, one that ended
    badly, faults or lost records, a broken configuration, an open breaker, workers that don't agree.
    """
    from litellm_prompt_router.operations.workers import attention, read_workers

    now = time.time()
    place = folder or _configured(config_path)
    workers, problems = read_workers(place, now)
    lines = [*problems, *attention(workers, now)]
    if not workers and not problems:
        lines.append(
            f"{place}: no worker writes here; is the proxy running, from this folder, with this configuration?"
        )
    if as_json:
        found = [{**worker.raw, "is_stale": worker.is_stale} for worker in workers]
        show_json({"status_dir": str(place), "workers": found, "attention": lines})
    else:
        _show(workers, now)
        if memories:
            _show_memories([worker.status for worker in workers if not worker.is_stale])
    if lines:
        say(*lines, err=True)
        ctx.exit(1)


def _configured(config_path: Path | None) -> Path:
    from litellm_prompt_router.policy.litellm_config import section_in
    from litellm_prompt_router.policy.settings import load_settings

    path = config_path or default_config()
    if not path.is_file():
        raise ConfigurationError([f"{path}: no such file; name the proxy's with --config, or --status-dir"])
    settings = load_settings(section_in(path, os.environ), os.environ)
    if settings.status_folder is None:
        raise ConfigurationError(
            [f"{path}: status files are off; set callback_settings.prompt_router.status_dir to a folder, and restart"]
        )
    return settings.status_folder


def _show(workers: tuple[Worker, ...], now: float) -> None:
    if not workers:
        return
    columns = (
        "worker",
        "state",
        "version",
        "up",
        "policy",
        "#requests",
        "#rewritten",
        "#net USD",
        "#behind s",
        "#lost",
    )
    show_table(columns, [_row(worker, now) for worker in workers])
    live = [worker.status for worker in workers if not worker.is_stale]
    _show_in_force(live)
    _show_keys(live)
    errors = sorted(
        ((error.at_seconds, f"{status.host}/{status.pid}", error) for status in live for error in status.last_errors),
        key=lambda each: each[:2],
    )
    if errors:
        say()
        rows = [(_clock(at), who, error.kind, shortened(error.text, SHOWN_CHARS)) for at, who, error in errors[-10:]]
        show_table(("last errors", "worker", "kind", "what"), rows)


def _row(worker: Worker, now: float) -> tuple[str, ...]:
    status = worker.status
    state = "ended" if status.has_ended else "stale" if worker.is_stale else "stopped" if status.stopped_by else "runs"
    if status.breaker.is_open and not worker.is_stale and not status.has_ended:
        state = "breaker open"
    lost = status.queue.dropped + status.ledger.lost + status.lost_records.in_flight + status.lost_records.at_end
    lost += status.capture.lost + sum(status.glitchtip.lost.values())
    return (
        f"{status.host}/{status.pid}",
        state,
        status.version,
        _span((status.written_seconds if worker.is_stale else now) - status.started_seconds),
        (status.policy.digest or "no file")[:12],
        f"{status.counters.requests:,}",
        f"{status.counters.by_outcome.get('rewritten', 0):,}",
        _money(status.counters.estimated_net_saved_usd),
        f"{status.ledger.lag_seconds:.1f}" if status.ledger.is_on else "off",
        f"{lost:,}",
    )


def _show_memories(live: list[WorkerStatus]) -> None:
    say()
    rows = [
        (
            each.name,
            f"{status.host}/{status.pid}",
            f"{each.entries:,}",
            f"{each.limit:,}",
            "" if each.size_bytes is None else f"{each.size_bytes:,}",
            "" if each.max_bytes is None else f"{each.max_bytes:,}",
        )
        for status in live
        for each in status.memories
    ]
    show_table(("memory", "worker", "#entries", "#at most", "#bytes", "#at most"), sorted(rows))


def _left_alone(profile: ProfileServed) -> str:
    return "" if profile.left_alone is None else f"; {profile.left_alone}"


def _show_in_force(live: list[WorkerStatus]) -> None:
    """Profiles, policy files and sinks, once where workers agree."""
    from litellm_prompt_router.operations.workers import held_by_profile
    from litellm_prompt_router.profile.profile import how_to_review

    rows = {
        (f"profile {each.name}", f"{each.version}, digest {each.digest[:12]}{_left_alone(each)}")
        for status in live
        for each in status.profiles
    }
    for status in live:
        if status.policy.path is not None:
            rules = f"{status.policy.rules} rules, digest {(status.policy.digest or '')[:12]}"
            rows.add(("policy", f"{status.policy.path}: {rules}"))
        if status.stopped_by is not None:
            rows.add(("stopped by", status.stopped_by))
        rows.add(("mode where no one says", status.default_mode))
    for name, count in held_by_profile(live).items():
        rows.add((f"profile {name}, not reviewed", f"{count:,} requests held in shadow; {how_to_review(name)}"))
    rows.update(("routing model", text) for text in _routing_model(live))
    for status in live:
        for model in status.local_models:
            speed = "" if model.median_ms is None else f", {model.median_ms:g} ms at the median"
            answered = f"{model.vectors:,} of {model.asked:,} messages in time{speed}"
            rows.add((f"{model.model} ({status.pid})", f"{model.stage}, process {model.pid or '-'}; {answered}"))
        rows.update((f"tuning of {each.profile}", _tuning(each)) for each in status.tuning)
    passed = sum(status.passed_while_stopped for status in live)
    if passed:
        rows.add(("passed while stopped", f"{passed:,} requests, without a record"))
    as_begun = sum(status.went_on_as_begun for status in live)
    if as_begun:
        rows.add(("went on as begun", f"{as_begun:,} requests whose replayed thinking holds them to that"))
    if rows:
        say()
        show_table(("in force", "what"), sorted(rows))
    sent = sum(status.glitchtip.sent for status in live)
    written = sum(status.ledger.written for status in live)
    pending = sum(status.glitchtip.pending for status in live)
    if live:
        ledger = f"{written:,} records written" if any(status.ledger.is_on for status in live) else "off"
        glitchtip = f"{sent:,} sent, {pending:,} waiting" if any(status.glitchtip.is_on for status in live) else "off"
        say()
        capture = _capture(live)
        show_table(("sink", "how"), [("ledger", ledger), ("GlitchTip", glitchtip), ("capture", capture)])


def _capture(live: list[WorkerStatus]) -> str:
    """What was masked, by kind: a secret that a conversation sends at each call counts at each."""
    if not any(status.capture.is_on for status in live):
        return "off"
    masked = sum((Counter(status.capture.masked) for status in live), Counter[str]())
    told = ", ".join(f"{kind} {number:,}" for kind, number in masked.most_common())
    detectors = sorted({status.capture.detector for status in live if status.capture.detector is not None})
    more = f"; Kingfisher: {', '.join(detectors)}" if detectors else ""
    return f"on, {masked.total():,} masked{f' ({told})' if told else ''}{more}"


def _tuning(seen: TuningSeen) -> str:
    """What holds, since when and why, what the last look came to, and when the next is."""
    parts = [f"{seen.choice} (profile.yaml)" if seen.tuning is None else f"{seen.choice} ({seen.tuning})"]
    if seen.tuned_seconds is not None:
        parts.append(f"since {_clock(seen.tuned_seconds)}: {seen.why}")
    if seen.last_try is not None and seen.last_try_seconds is not None and seen.last_try != "changed":
        parts.append(f"looked at {_clock(seen.last_try_seconds)}: {seen.last_try}")
    if seen.policy != "on":
        parts.append(f"{seen.policy} by the policy file")
    elif seen.next_seconds is not None:
        parts.append(f"next {_clock(seen.next_seconds)}")
    elif seen.last_try_seconds is None:
        parts.append("not looked at yet, which takes five quiet minutes")
    return "; ".join(parts)


def _routing_model(live: list[WorkerStatus]) -> Iterator[str]:
    """How the routing model's questions stand, where a profile names one."""
    counts = [status.counters.routing_model for status in live]
    outcomes = sum((Counter(each.by_outcome) for each in counts), Counter[str]())
    if outcomes:
        told = ", ".join(f"{number:,} {name.replace('_', ' ')}" for name, number in outcomes.most_common())
        calls, usd = sum(each.calls for each in counts), sum((each.usd for each in counts), Decimal(0))
        yield f"requests: {told}; {calls:,} calls, {format(usd, 'f')} USD"


def _show_keys(live: list[WorkerStatus]) -> None:
    from litellm_prompt_router.operations.workers import totals_by_key

    rows = [
        (
            shortened(total.key_alias or "(no alias)", 60),
            ", ".join(total.modes),
            ", ".join(total.policies),
            *(f"{total.outcomes.get(outcome, 0):,}" for outcome in ("rewritten", "shadow", "passthrough")),
            _money(total.net_saved_usd),
        )
        for total in totals_by_key(live)
    ]
    if rows:
        say()
        show_table(("key", "mode", "from", "#rewritten", "#shadow", "#passthrough", "#net USD"), rows)


def _money(usd: Decimal | None) -> str:
    return "-" if usd is None else format(usd, "f")


def _span(seconds: float) -> str:
    minutes, hours = int(seconds // 60), int(seconds // 3600)
    if hours >= 48:
        return f"{hours // 24} d"
    return f"{hours} h {minutes % 60} min" if hours else f"{minutes} min" if minutes else f"{max(0, int(seconds))} s"


def _clock(at_seconds: float) -> str:
    return datetime.fromtimestamp(at_seconds, UTC).isoformat(timespec="seconds")

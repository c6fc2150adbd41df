"""``prompt-router route``."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from hooks.cli.inputs import (
    call_type_of,
    choose_profile,
    json_option,
    parse_json,
    profiles_option,
    read_bytes,
    read_profiles,
    request_body,
    shown,
)
from hooks.cli.output import evidence_for_json, show_json, show_table
from hooks.data import RoutingDecision, Turn
from hooks.errors import ConfigurationError, UnreadableRequestError
from hooks.route import Router
from hooks.wire import SHAPES


@click.command(short_help="Show which modules a message or a conversation needs, and why.")
@click.argument("text", required=False)
@click.option("--messages", "path", metavar="FILE", help="A JSON list of chat messages, or a request body; - is stdin.")
@click.option("--profile", "name", metavar="NAME", help="Default: the only profile there is, else workbench.")
@profiles_option
@json_option
def route(text: str | None, path: str | None, name: str | None, root: Path | None, as_json: bool) -> None:
    """Print the routing decision for TEXT, one user message, or for a conversation (--messages).

    Each selected module comes with its evidence: always, trigger (which one), tool_call (which tool), requires
    (by which module), inherited (from an earlier message) or fallback (nothing known, so everything is sent).
    """
    if (text is None) == (path is None):
        raise click.UsageError("give either TEXT or --messages FILE")
    turns = (Turn(role="user", text=text),) if text is not None else _turns(str(path))
    profiles, _ = read_profiles(root)
    profile = choose_profile(profiles, name)
    decision = Router(profile).decide(turns)
    if as_json:
        stated = {**asdict(decision), "selected": evidence_for_json(decision.selected)}
        del stated["arrivals"]  # positions in the body; `late` says what a reader wants to know
        show_json({"profile": profile.name, "profile_version": profile.version, **stated})
        return
    show_table(
        ("module", "evidence", "detail", "late"),
        [(e.module, e.kind, e.detail or "", "late" if e.late else "") for e in decision.selected],
    )
    click.echo(f"\n{_summary(decision, len(profile.modules))}")


def _summary(decision: RoutingDecision, total: int) -> str:
    what = f"{len(decision.selected)} of {total} modules; the last message is a {_KINDS[decision.message_kind]}"
    return f"{what}; fallback: {decision.fallback_reason}" if decision.is_fallback else what


_KINDS = {"task": "task", "follow_up": "follow-up", "small_talk": "piece of small talk", "none": "missing one"}


def _turns(path: str) -> tuple[Turn, ...]:
    document: Any = parse_json(read_bytes(path), path)
    body = {"messages": document} if isinstance(document, list) else request_body(document, path)
    shape = SHAPES.get(call_type_of(body))
    if shape is None:
        raise ConfigurationError([f"{shown(path)}: a body of an endpoint that can't be read; use chat completions"])
    try:
        return shape.read(body).turns
    except UnreadableRequestError as error:
        problem = f"{shown(path)}: {error.reason}; `messages` must be a list of chat messages"
        raise ConfigurationError([problem]) from None

"""``prompt-router route``."""

from __future__ import annotations

from dataclasses import asdict
from math import inf
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
from hooks.profile import Profile
from hooks.route import Router, Weighted, weigh
from hooks.wire import SHAPES

NEXT_SHOWN = 3


@click.command(short_help="Show which modules a message or a conversation needs, and why.")
@click.argument("text", required=False)
@click.option("--messages", "path", metavar="FILE", help="A JSON list of chat messages, or a request body; - is stdin.")
@click.option("--profile", "name", metavar="NAME", help="Default: the only profile there is, else workbench.")
@profiles_option
@json_option
def route(text: str | None, path: str | None, name: str | None, root: Path | None, as_json: bool) -> None:
    """Print the routing decision for TEXT, one user message, or for a conversation (--messages).

    Each selected module comes with its evidence: always, trigger (which one), tool_call (which tool), requires
    (by which module), score (how much speaks for it, in a fitted profile), inherited (from an earlier message) or
    fallback (nothing known, so everything is sent).
    """
    if (text is None) == (path is None):
        raise click.UsageError("give either TEXT or --messages FILE")
    turns = (Turn(role="user", text=text),) if text is not None else _turns(str(path))
    profiles, _ = read_profiles(root)
    profile = choose_profile(profiles, name)
    weighted = weigh(Router(profile), profile, turns)
    decision = weighted.decision
    if as_json:
        stated = {**asdict(decision), "selected": evidence_for_json(decision.selected)}
        del stated["arrivals"]  # positions in the body; `late` says what a reader wants to know
        scores = _scores_for_json(weighted, profile)
        show_json({"profile": profile.name, "profile_version": profile.version, **stated, **scores})
        return
    show_table(
        ("module", "evidence", "detail", "late"),
        [(e.module, e.kind, e.detail or "", "late" if e.late else "") for e in decision.selected],
    )
    click.echo(f"\n{_summary(decision, len(profile.modules))}")
    if profile.fitted is not None and weighted.seen:
        click.echo(f"a score of {profile.fitted.calibration.threshold:.2f} or more selects; {_next(weighted, profile)}")


def _by_score(weighted: Weighted, profile: Profile) -> list[tuple[str, float]]:
    """The scored modules, best first, each with the highest value it reached in the conversation."""
    found = [(module.id, float(weighted.values[number])) for number, module in enumerate(profile.modules)]
    return sorted((item for item in found if item[1] > -inf), key=lambda item: (-item[1], item[0]))


def _next(weighted: Weighted, profile: Profile) -> str:
    left = [(id, value) for id, value in _by_score(weighted, profile) if id not in weighted.decision.modules]
    if not left:
        return "nothing is left out"
    return "next would be " + ", ".join(f"{id} ({value:.2f})" for id, value in left[:NEXT_SHOWN])


def _scores_for_json(weighted: Weighted, profile: Profile) -> dict[str, object]:
    if profile.fitted is None:
        return {}
    calibration = profile.fitted.calibration
    return {
        "promise": calibration.promise,
        "threshold": calibration.threshold if calibration.threshold > -inf else None,
        "scores": [{"module": id, "score": round(value, 4)} for id, value in _by_score(weighted, profile)],
    }


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

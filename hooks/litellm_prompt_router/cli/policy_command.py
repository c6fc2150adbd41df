"""``prompt-router policy``."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import click

from litellm_prompt_router.cli.inputs import json_option
from litellm_prompt_router.cli.output import say, shortened, show_json, show_table
from litellm_prompt_router.cli.policy_location import PolicyLocation, find_policy, policy_options
from litellm_prompt_router.documents.errors import ConfigurationError
from litellm_prompt_router.documents.parsing import read_text
from litellm_prompt_router.policy import (
    EMPTY_POLICY,
    DefaultPolicy,
    FilePolicy,
    PolicyRule,
    Subject,
    decide_policy,
    parse_policy,
    sources_of,
)
from litellm_prompt_router.policy.decide import FIELDS
from litellm_prompt_router.policy.policy_file import MATCHERS, MAX_POLICY_BYTES

MAX_NAMES = 8
MAX_NAME_CHARS = 60


@click.group()
def policy() -> None:
    """Show the policy file's rules and what they come to, and switch single keys and teams.

    Changes keep the file's comments and order, and running proxies take them over within two seconds.
    """


@policy.command(short_help="The rules, or what holds for one key.")
@click.option("--key", "key_alias", metavar="ALIAS", help="What holds for the key of this alias.")
@click.option("--key-hash", metavar="SHA256", help="... of this hash.")
@click.option("--team", metavar="ID", help="... and of this team.")
@click.option("--user", metavar="ID", help="... and of this user.")
@click.option("--model", metavar="GROUP", help="... asking for this model group.")
@click.option("--profile", metavar="NAME", help="... with a prompt of this profile.")
@click.option("--tag", "tags", multiple=True, metavar="TAG", help="... with this tag of the key's; may be given again.")
@policy_options
@json_option
def show(
    key_alias: str | None,
    key_hash: str | None,
    team: str | None,
    user: str | None,
    model: str | None,
    profile: str | None,
    tags: tuple[str, ...],
    stated: Path | None,
    config_path: Path | None,
    as_json: bool,
) -> None:
    """Show all rules in order; with --key and the like, what holds there and which rule gave it.

    Knows the policy file and the settings. Key and team metadata are LiteLLM's: they count for whatever no rule sets.
    """
    found = find_policy(stated, config_path)
    subject = Subject(key_alias=key_alias, key_hash=key_hash, team_id=team, user_id=user, model_group=model, tags=tags)
    in_file = _read(found)
    if subject == Subject() and profile is None:
        _show_rules(found.path, in_file, as_json)
    else:
        _show_effective(found, in_file, subject, profile, as_json)


def _read(found: PolicyLocation) -> FilePolicy:
    if not found.path.exists():
        return EMPTY_POLICY
    text = read_text(found.path, str(found.path), MAX_POLICY_BYTES)
    return parse_policy(text, str(found.path), None)


def _show_rules(path: Path, in_file: FilePolicy, as_json: bool) -> None:
    now = time.time()
    rows = [(rule.label, _matches(rule), _sets(rule), _until(rule, now)) for rule in in_file.rules]
    defaults = {name: value for name in FIELDS if (value := getattr(in_file.defaults, name)) is not None}
    if as_json:
        rules = [
            {
                "rule": rule.label,
                **rule.entry.model_dump(mode="json", exclude_none=True, exclude={"name"}),
                "expired": rule.is_expired(now),
            }
            for rule in in_file.rules
        ]
        show_json({"path": str(path), "stop": in_file.stop, "rules": rules, "defaults": defaults})
        return
    say(f"{path}{'' if path.exists() else ' (not there)'}: {'stopped' if in_file.stop else 'not stopped'}")
    rows.append(("defaults", "everyone else", _written(defaults), ""))
    show_table(("rule", "matches", "sets", "until"), rows)


def _show_effective(
    found: PolicyLocation, in_file: FilePolicy, subject: Subject, profile: str | None, as_json: bool
) -> None:
    settings = found.settings
    base = DefaultPolicy(mode="rewrite", source="built-in default")
    if settings is not None:
        base = DefaultPolicy(
            mode=settings.mode,
            profile=settings.profile,
            percent=settings.percent,
            holdout=settings.holdout,
            router_model=settings.router_model,
        )
    candidates = in_file.candidates(subject, time.time())
    rule = next((rule for rule in candidates if rule.profiles is None or profile in rule.profiles), None)
    layers = ((rule.layer,) if rule is not None else ()) + (in_file.defaults,)
    holding, sources = decide_policy(base, layers), sources_of(base, layers)
    values: dict[str, Any] = {name: getattr(holding, name) for name in FIELDS}
    if in_file.stop:
        values["mode"], sources["mode"] = "off", "kill switch"
    waiting = [each.label for each in candidates if each.profiles is not None and profile is None]
    if as_json:
        effective = {name: {"value": values[name], "from": sources[name]} for name in FIELDS}
        show_json({"path": str(found.path), "stop": in_file.stop, "rule": rule.label if rule else None, **effective})
        return
    show_table(("what", "value", "from"), [(name, _text(values[name]), sources[name]) for name in FIELDS])
    for label in waiting:
        say(f"{label} comes first for prompts of its profiles; see it with --profile.")
    if rule is None or rule.layer.mode is None:
        say("Metadata of the key or its team stands over what is not from a rule.")


def _matches(rule: PolicyRule) -> str:
    lists = {name: getattr(rule.entry, name) for name in MATCHERS}
    return "; ".join(f"{name} {', '.join(listed)}" for name, listed in lists.items() if listed is not None)


def _sets(rule: PolicyRule) -> str:
    return _written({name: value for name in FIELDS if (value := getattr(rule.layer, name)) is not None})


def _written(values: dict[str, Any]) -> str:
    return ", ".join(f"{name} {_text(value)}" for name, value in values.items())


def _text(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)


def _until(rule: PolicyRule, now: float) -> str:
    until = rule.entry.until
    return "" if until is None else f"{until.isoformat()}{' (expired)' if rule.is_expired(now) else ''}"


# Changing it

_alias = click.argument("alias", required=False)
_team = click.option("--team", metavar="ID", help="A team in place of a key.")
_until_option = click.option(
    "--until", metavar="TIME", help="When the rule ends, with its zone: 2026-12-24T18:00:00+01:00."
)


@policy.command(short_help="Rewrite for a key or a team.")
@_alias
@_team
@click.option(
    "--percent",
    type=click.FloatRange(0, 100),
    default=100.0,
    show_default=True,
    help="Of its conversations; raising it keeps those that are in.",
)
@click.option(
    "--router-model/--no-router-model",
    default=None,
    help="Ask the routing model that a profile names, or don't. Default: as it was.",
)
@_until_option
@policy_options
def enable(
    alias: str | None,
    team: str | None,
    percent: float,
    router_model: bool | None,
    until: str | None,
    stated: Path | None,
    config_path: Path | None,
) -> None:
    """Rewrite the requests of the key ALIAS, or of --team."""
    found = find_policy(stated, config_path)
    _switch(alias, team, "rewrite", percent, until, found.path, router_model)
    _warn_of_unseen(alias, team, found)


@policy.command(short_help="Leave a key's or a team's requests as they come.")
@_alias
@_team
@_until_option
@policy_options
def disable(
    alias: str | None, team: str | None, until: str | None, stated: Path | None, config_path: Path | None
) -> None:
    """Leave the requests of the key ALIAS, or of --team, as they come."""
    found = find_policy(stated, config_path)
    _switch(alias, team, "off", 100.0, until, found.path)
    _warn_of_unseen(alias, team, found)


def _switch(
    alias: str | None,
    team: str | None,
    mode: Literal["rewrite", "off"],
    percent: float,
    until: str | None,
    path: Path,
    router_model: bool | None = None,
) -> None:
    from litellm_prompt_router.policy.policy_editor import set_rule

    if (alias is None) == (team is None):
        raise click.UsageError("name one key by its alias, or one team with --team")
    whom: Literal["keys", "teams"] = "keys" if alias is not None else "teams"
    name = alias or team or ""
    is_changed = set_rule(path, whom, name, mode=mode, percent=percent, until=_moment(until), router_model=router_model)
    what = f"{'key' if whom == 'keys' else 'team'} {name}: {mode}"
    share = f" for {percent:g}% of its conversations" if mode == "rewrite" and percent < 100 else ""
    asked = {True: ", with a routing model", False: ", without a routing model", None: ""}[router_model]
    say(f"{path}: {what}{share}{asked}{'' if is_changed else ' (as it was)'}")
    _warn_of_earlier(path, whom, name)


def _moment(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise ConfigurationError([f"--until: {text!r}: wants a moment with its zone, as in 2026-12-24T18:00:00+01:00"])
    if moment <= datetime.now(UTC):
        raise ConfigurationError([f"--until: {text}: is past"])
    return moment


def _warn_of_earlier(path: Path, whom: Literal["keys", "teams"], name: str) -> None:
    """Says which rules stand ahead of the one for this name and may decide in its place."""
    in_file = parse_policy(read_text(path, str(path), MAX_POLICY_BYTES), str(path), None)
    if in_file.stop:
        say("The kill switch is on: nothing is rewritten until `prompt-router start`.", err=True)
    attribute = "key_alias" if whom == "keys" else "team_id"
    for rule in in_file.rules:
        if getattr(rule.entry, whom) == (name,) and all(
            getattr(rule.entry, other) is None for other in MATCHERS if other != whom
        ):
            return
        own = [pattern for field, pattern in rule.patterns if field == attribute]
        if not own or own[0].match(name):
            say(f"{rule.label} stands ahead of it and decides where it matches ({_matches(rule)}).", err=True)


def _warn_of_unseen(alias: str | None, team: str | None, found: PolicyLocation) -> None:
    """Says so where requests of other keys or teams came, and none of this name: it may be mistyped."""
    from litellm_prompt_router.documents.problems import nearest
    from litellm_prompt_router.operations.seen_callers import seen_keys, seen_teams

    if found.settings is None:
        return
    name = alias or team or ""
    seen = seen_keys(found.settings, time.time()) if team is None else seen_teams(found.settings)
    if not seen or name in seen:
        return
    near = nearest(name, seen)
    meant = f"; did you mean {near!r}?" if near else ""
    listed = ", ".join(shortened(each, MAX_NAME_CHARS) for each in sorted(seen)[:MAX_NAMES])
    more = f" and {len(seen) - MAX_NAMES:,} more" if len(seen) > MAX_NAMES else ""
    what = "key" if team is None else "team"
    say(f"no request of a {what} {name!r} was seen; seen: {listed}{more}{meant}", err=True)

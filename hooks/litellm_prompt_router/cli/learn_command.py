"""``prompt-router learn``."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

import click

from litellm_prompt_router.authoring.learn import Agent, Learned
from litellm_prompt_router.cli.inputs import (
    json_option,
    profile_folders,
    profiles_option,
    profiles_root,
    profiles_target,
    setting_for,
    shown,
)
from litellm_prompt_router.cli.output import percent, say, say_text, shortened, show_json, show_table
from litellm_prompt_router.cli.prompt_samples import lines_of, show_skipped
from litellm_prompt_router.documents.errors import ConfigurationError
from litellm_prompt_router.profile.profile import Profile

MIN_CHARS = 4_000
PREVIEW_CHARS = 48
NAME = re.compile(r"[\w.-]+")


@click.command()
@click.argument("traffic", metavar="TRAFFIC.jsonl|-")
@click.option("--name", metavar="NAME", help="Name of the profile to write; further ones are NAME-2, NAME-3 ...")
@click.option("--list", "only_list", is_flag=True, help="Only tell what is there; write nothing.")
@click.option(
    "--min-chars", type=click.IntRange(1), default=MIN_CHARS, show_default=True, help="Leave shorter prompts out."
)
@click.option("--all", "takes_known", is_flag=True, help="Write profiles too for prompts that have one already.")
@click.option("--replace", is_flag=True, help="Replace profiles of these names.")
@profiles_option
@json_option
def learn(
    traffic: str,
    name: str | None,
    only_list: bool,
    min_chars: int,
    takes_known: bool,
    replace: bool,
    root: Path | None,
    as_json: bool,
) -> None:
    """Find the agents in TRAFFIC.jsonl, as `capture` writes it, and draft a profile of each.

    System prompts that are versions of one another make one agent; what varies between them becomes its
    profile's slots, and what user messages have around the users' own words its `ignore:`. The agent with the
    most tokens becomes NAME. Lines that can't be read are skipped and told on stderr.
    """
    if (name is None) != only_list:
        raise click.UsageError("say --name NAME to write profiles, or --list to see what is there")
    if name is not None and not NAME.fullmatch(name):
        raise ConfigurationError([f"--name: {name!r} is no profile's name; use letters, digits, '.', '_' and '-'"])
    learned = _learned(traffic, profiles_root(root))
    worth = [a for a in learned.agents if a.chars >= min_chars and (takes_known or a.known_as is None)]
    names = {id(agent): f"{name}-{number}" if number > 1 else name or "" for number, agent in enumerate(worth, 1)}
    written = [] if only_list else _write(worth, list(names.values()), profiles_target(root), replace)
    if as_json:
        agents = [
            {"profile": names.get(id(agent)) if written else None, **_document(agent)} for agent in learned.agents
        ]
        show_json({**asdict(learned), "agents": agents, "written": [str(folder) for folder in written]})
        return
    _show(learned, {} if only_list else names)
    for folder, agent in zip(written, worth, strict=False):
        say(f"wrote {folder}")
        if agent.masked:
            say(
                f"{folder}: {agent.masked} places of its prompt were masked by `capture`, so their modules won't match"
                " in flight; put in what the agent sends, or make each a slot",
                err=True,
            )
    if written:
        say("Read each REVIEW.md, or `prompt-router review NAME`; then `prompt-router check`.")
        say_text(setting_for(written[0].parent))
    elif not only_list:
        raise ConfigurationError(
            [f"{shown(traffic)}: no new system prompt of {min_chars:,} characters or more; see --min-chars and --all"]
        )


def _learned(traffic: str, root: Path) -> Learned:
    from litellm_prompt_router.authoring.learn import learn
    from litellm_prompt_router.files import load_profile
    from litellm_prompt_router.files.traffic import read_traffic
    from litellm_prompt_router.profile.tokens import token_counter
    from litellm_prompt_router.request.recognise import Catalogue

    count_tokens = token_counter()
    profiles: list[Profile] = []
    for folder in profile_folders(root).values():
        with suppress(ConfigurationError):  # `check` tells what is wrong with it
            profiles.append(load_profile(folder, count_tokens))
    known = Catalogue(profiles) if profiles else None
    problems: list[str] = []
    with lines_of(traffic) as lines:
        learned = learn(read_traffic(lines, shown(traffic), problems), count_tokens, known)
    if not learned.calls:
        raise ConfigurationError(problems or [f"{shown(traffic)}: holds no call; a call is a line of JSON"])
    show_skipped(problems)
    return learned


def _write(agents: Sequence[Agent], names: Sequence[str], root: Path, replace: bool) -> list[Path]:
    from litellm_prompt_router.authoring.agent_draft import draft_agent
    from litellm_prompt_router.authoring.split import write_draft
    from litellm_prompt_router.authoring.split.write_draft import check_free

    problems: list[str] = []
    for name in names:
        try:
            check_free(root, name, replace=replace)
        except ConfigurationError as error:
            problems.extend(error.problems)
    if problems:
        raise ConfigurationError(problems)
    drafts = [draft_agent(agent, name) for name, agent in zip(names, agents, strict=True)]
    return [write_draft(draft, root, replace=replace) for draft in drafts]


def _document(agent: Agent) -> dict[str, object]:
    document = asdict(agent)
    del document["samples"], document["messages"], document["message_tools"]
    document["called_in"] = {tool: len(users) for tool, users in agent.called_in.items()}
    return {**document, "chars": agent.chars, "begins": shortened(agent.samples[0], PREVIEW_CHARS)}


def _show(learned: Learned, names: dict[int, str]) -> None:
    left_out = {
        "without a system prompt": learned.without_prompt,
        "that can't be read": learned.unreadable,
        "of further agents": learned.overflow,
    }
    notes = "".join(f", {count:,} {what}" for what, count in left_out.items() if count)
    say(f"{learned.calls:,} calls{notes}\n")
    total = sum(agent.tokens for agent in learned.agents)
    columns = ("profile", "#calls", "#conversations", "#versions", "#chars", "#tokens", "#share")
    rows = []
    for agent in learned.agents:
        profile = names.get(id(agent)) or (f"({agent.known_as})" if agent.known_as else "-")
        counts = (agent.calls, agent.conversations, agent.versions, agent.chars, agent.tokens)
        share = percent(agent.tokens / total if total else 0.0)
        tools = str(len(agent.tools))
        who = (", ".join(agent.keys), ", ".join(agent.models), tools, shortened(agent.samples[0], PREVIEW_CHARS))
        rows.append((profile, *(f"{count:,}" for count in counts), share, *who))
    show_table((*columns, "keys", "models", "#tools", "begins"), rows)

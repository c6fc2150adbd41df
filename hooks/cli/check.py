"""``prompt-router check``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import click

from hooks.check import ModuleReport, ProfileReport, check_profiles
from hooks.cli.inputs import json_option, profile_folders, profiles_option, profiles_root, unknown_profile
from hooks.cli.output import percent, show_json, show_table
from hooks.errors import ConfigurationError
from hooks.library import load_profile, load_profiles
from hooks.profile import Profile


@click.command(short_help="Report every problem of every profile, and its sizes.")
@click.argument("names", nargs=-1, metavar="[NAME]...")
@profiles_option
@json_option
def check(names: tuple[str, ...], root: Path | None, as_json: bool) -> None:
    """Check the profiles NAME..., or all.

    Problems (the proxy wouldn't start) go to stderr, all at once, with exit code 1. Profiles that load are
    described on stdout, with warnings: what the proxy takes but looks forgotten. Warnings don't change the
    exit code.
    """
    profiles, problems = _load(profiles_root(root), names)
    reports = check_profiles(profiles)
    if as_json:
        show_json({"profiles": [asdict(report) for report in reports], "problems": problems})
    else:
        for number, report in enumerate(reports):
            click.echo("\n" * (number > 0), nl=False)
            _show(report)
    if problems:
        raise ConfigurationError(problems)


def _load(root: Path, names: Sequence[str]) -> tuple[list[Profile], list[str]]:
    """What loads, and everything wrong with the rest."""
    from hooks.tokens import token_counter

    count_tokens = token_counter()
    folders = profile_folders(root)
    if not folders:
        load_profiles(root, count_tokens)  # says what is wrong with the folder
    profiles: list[Profile] = []
    problems: list[str] = []
    for name in dict.fromkeys(names or folders):
        try:
            if name not in folders:
                raise unknown_profile(name, tuple(folders))
            profiles.append(load_profile(folders[name], count_tokens))
        except ConfigurationError as error:
            problems.extend(error.problems)
    return profiles, problems


def _show(report: ProfileReport) -> None:
    core = f"core {report.core_tokens:,} ({percent(report.core_token_share)})"
    click.echo(f"{report.name} {report.version} (digest {report.digest[:12]})")
    click.echo(f"{len(report.modules)} modules, {report.chars:,} characters, {report.tokens:,} tokens, {core}")
    click.echo(f"recognition covers {percent(report.coverage)} of the joined prompt\n")
    columns = ("module", "#chars", "#tokens", "#share", "always", "requires", "#triggers", "#examples", "tools")
    show_table(columns, [_row(module) for module in report.modules])
    for warning in report.warnings:
        click.echo(f"warning: {warning}")


def _row(module: ModuleReport) -> tuple[str, ...]:
    return (
        module.id,
        f"{module.chars:,}",
        f"{module.tokens:,}",
        percent(module.token_share),
        "always" if module.always else "",
        ", ".join(module.requires),
        str(module.trigger_count),
        str(module.example_count),
        ", ".join(module.tools),
    )

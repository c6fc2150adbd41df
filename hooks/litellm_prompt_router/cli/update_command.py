"""``prompt-router update``."""

from __future__ import annotations

from pathlib import Path

import click

from litellm_prompt_router.authoring.drift import apply_update
from litellm_prompt_router.cli.diff_command import planned_update, show_plan
from litellm_prompt_router.cli.inputs import json_option, profiles_option


@click.command(short_help="Bring a profile up to date with a new version of its prompt.")
@click.argument("name")
@click.argument("prompt", metavar="NEW_PROMPT.txt|-")
@click.option("--version", "version", metavar="VERSION", help="The new version. Default: the next one.")
@click.option("--dry-run", is_flag=True, help="Only show what would be done.")
@profiles_option
@json_option
def update(name: str, prompt: str, version: str | None, dry_run: bool, root: Path | None, as_json: bool) -> None:
    """Make the profile NAME one of NEW_PROMPT.txt, which it then joins to byte for byte.

    Modules that survive keep their ids, metadata and routing data; new sections are cut as `split` would and
    their metadata is drafted; what needs a look is told and appended to the profile's REVIEW.md. In profile.yaml
    everything else stays as it is, comments included. All of it is done, or nothing.
    """
    folder, plan = planned_update(name, prompt, root, version)
    if plan.is_changed and not dry_run:
        apply_update(plan, folder)
    show_plan(plan, as_json=as_json, verbose=False)
    if as_json:
        return
    if not plan.is_changed:
        click.echo("\nnothing to update")
    else:
        click.echo(f"\n{'would update' if dry_run else 'updated'} {folder}")

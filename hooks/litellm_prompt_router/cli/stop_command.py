"""``prompt-router stop``."""

from __future__ import annotations

from pathlib import Path

import click

from litellm_prompt_router.cli.policy_location import find_policy, policy_options


@click.command(short_help="Stop all rewriting, in every running proxy.")
@policy_options
def stop(stated: Path | None, config_path: Path | None) -> None:
    """Turn the kill switch on: from the next second on every request leaves as it came.

    Writes `stop: true` into the policy file, which running proxies look at all the time; makes the file if there is
    none. Works too while the rest of the file is broken.
    """
    from litellm_prompt_router.policy.policy_editor import set_stop

    path = find_policy(stated, config_path).path
    click.echo(f"{path}: {'stop: true' if set_stop(path, True) else 'was stopped already'}")

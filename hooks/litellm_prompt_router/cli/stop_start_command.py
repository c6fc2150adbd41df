"""``prompt-router stop`` and ``prompt-router start``: the kill switch."""

from __future__ import annotations

from pathlib import Path

import click

from litellm_prompt_router.cli.output import say
from litellm_prompt_router.cli.policy_location import find_policy, policy_options


@click.command()
@policy_options
def stop(stated: Path | None, config_path: Path | None) -> None:
    """Turn the kill switch on: from the next second on every request leaves as it came.

    Writes `stop: true` into the policy file, which running proxies look at all the time; makes the file if there is
    none. Works too while the rest of the file is broken.
    """
    from litellm_prompt_router.policy.policy_editor import set_stop

    path = find_policy(stated, config_path).path
    say(f"{path}: {'stop: true' if set_stop(path, True) else 'was stopped already'}")


@click.command()
@policy_options
def start(stated: Path | None, config_path: Path | None) -> None:
    """Turn the kill switch off: requests are rewritten again as the policy says.

    Writes `stop: false` into the policy file; makes the file if there is none. A proxy that was started with
    PROMPT_ROUTER_DISABLED stays off.
    """
    from litellm_prompt_router.policy.policy_editor import set_stop

    path = find_policy(stated, config_path).path
    say(f"{path}: {'stop: false' if set_stop(path, False) else 'was not stopped'}")

"""Where the commands that read or change the policy find it: as a running proxy would."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from litellm_prompt_router.cli.output import say
from litellm_prompt_router.documents.bundled import CONFIG_NAME, bundled_config, default_config
from litellm_prompt_router.documents.errors import ConfigurationError

if TYPE_CHECKING:
    from litellm_prompt_router.policy.settings import Settings

Command = TypeVar("Command", bound=Callable[..., Any])


@dataclass(frozen=True, kw_only=True, slots=True)
class PolicyLocation:
    """``settings`` None: no configuration was looked at, or it is not in order."""

    path: Path
    settings: Settings | None


def policy_options(command: Command) -> Command:
    """``--policy`` and ``--config``."""
    for option in (
        click.option(
            "--config",
            "config_path",
            type=click.Path(path_type=Path),
            metavar="FILE",
            help=f"The proxy's configuration, whose policy is meant. Default: ./{CONFIG_NAME}, else the bundled one.",
        ),
        click.option(
            "--policy",
            "stated",
            type=click.Path(path_type=Path),
            metavar="FILE",
            help="The policy file itself. Default: the one that the configuration has in force.",
        ),
    ):
        command = option(command)
    return command


def find_policy(stated: Path | None, config_path: Path | None) -> PolicyLocation:
    """The policy file, which may not be there yet. Raises ConfigurationError when nothing says where."""
    if stated is not None and config_path is None:
        return PolicyLocation(path=stated, settings=None)
    from litellm_prompt_router.policy.litellm_config import policy_path, section_in
    from litellm_prompt_router.policy.settings import load_settings

    if config_path is None:
        config_path = default_config()
        if config_path == bundled_config():
            say(_bundled_note(config_path), err=True)
    if not config_path.is_file():
        problem = f"{config_path}: no such file; name the proxy's with --config, or the policy file with --policy"
        raise ConfigurationError([problem])
    section = section_in(config_path, os.environ)
    try:
        settings = load_settings(section, os.environ)
    except ConfigurationError:
        if stated is None and (section or {}).get("policy") is None:  # its place doesn't hang on the rest
            stated = policy_path(None, config_path)
        if stated is None:
            raise
        return PolicyLocation(path=stated, settings=None)
    path = stated or policy_path(settings.policy, config_path)
    if path is None:
        raise ConfigurationError([f"{config_path}: names no policy file; name it with --policy"])
    return PolicyLocation(path=path, settings=settings)


def _bundled_note(config_path: Path) -> str:
    return (
        f"configuration: {config_path}, the bundled one, as there is no {CONFIG_NAME} in this folder;"
        " a proxy with another one isn't touched: name it with --config"
    )

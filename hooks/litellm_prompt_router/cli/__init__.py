"""``prompt-router``: commands parse, call and print; what they show is computed in the rest of the package.

Each command lives in ``NAME_command`` and is imported when it is called.
"""

from __future__ import annotations

import importlib
import tomllib
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import IO, Any

import click

from litellm_prompt_router.documents.bundled import CHECKOUT
from litellm_prompt_router.documents.errors import ConfigurationError

DISTRIBUTION = "litellm-prompt-router"
COMMANDS = (
    "serve",
    "demo",
    "rewrite",
    "route",
    "split",
    "learn",
    "diff",
    "update",
    "check",
    "join",
    "examples",
    "fit",
    "evaluate",
    "simulate",
    "report",
    "ledger",
    "policy",
    "stop",
    "start",
    "status",
    "doctor",
)


class Mistakes(click.ClickException):
    """What the user has to put right, a line each; exit code 1."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))

    def show(self, file: IO[Any] | None = None) -> None:
        click.echo(self.message, file=file, err=file is None)


class Commands(click.Group):
    """Loads commands on demand and turns ConfigurationError into exit code 1, for all of them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = getattr(importlib.import_module(f"{__name__}.{cmd_name}_command"), cmd_name)
        return command

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except ConfigurationError as error:
            raise Mistakes(error.problems) from None


def _version() -> str:
    try:
        return version(DISTRIBUTION)
    except PackageNotFoundError:  # a checkout that nobody installed
        pyproject = CHECKOUT / "pyproject.toml"
        if not pyproject.is_file():
            return "unknown"
        return str(tomllib.loads(pyproject.read_text("utf-8"))["project"]["version"])


def _show_version(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted and not ctx.resilient_parsing:
        click.echo(f"prompt-router {_version()}")
        ctx.exit()


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_show_version, help="Show the version."
)
def main() -> None:
    """Send agents' long system prompts module by module through a LiteLLM proxy.

    Start with `prompt-router demo`: it shows three conversations being rewritten and needs no account.
    Exit codes: 0 done, 1 something to put right (a line each on stderr), 2 wrong usage.
    """

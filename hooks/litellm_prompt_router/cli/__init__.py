"""``prompt-router``: the list of commands, and how their mistakes are told.

A command lives in ``NAME_command.py`` with its options, and is imported when it is called. Commands parse, call and
print; what they show is computed in the rest of the package.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import IO, Any

import click

from litellm_prompt_router.documents.bundled import CHECKOUT
from litellm_prompt_router.documents.errors import ConfigurationError

DISTRIBUTION = "litellm-prompt-router"
FOLDER_NOTE = f"{__name__}.folder_note"
"""Under this a command leaves in Click's ``meta`` which profiles it read where nobody said which."""
COMMANDS = {
    "serve": "Check the configuration and start the proxy.",
    "demo": "Send three conversations through the proxy and show what became of them.",
    "onboard": "From an agent's traffic to a verdict: what routing would save, and what it takes.",
    "rewrite": "Rewrite one request body, offline.",
    "route": "Show which modules a message or a conversation needs, and why.",
    "split": "Cut a prompt into a draft profile.",
    "learn": "Find the agents in captured traffic and draft their profiles.",
    "diff": "Show what a new version of an agent's prompt does to its profile.",
    "update": "Bring a profile up to date with a new version of its prompt.",
    "review": "Show what a draft may leave out, and accept it.",
    "check": "Report every problem of every profile, and its sizes.",
    "join": "Print a profile's whole prompt, exact bytes.",
    "semantic": "Prepare an embedding model that runs on this machine.",
    "examples": "Let a language model write messages that need each module.",
    "label": "Say of real messages what they need, in the terminal.",
    "second-opinion": "Let a language model say which labels it doesn't share.",
    "fit": "Learn routing from labelled messages, with a promise of coverage.",
    "evaluate": "Measure routing on labelled messages.",
    "simulate": "What each policy would have cost, on recorded or made-up traffic.",
    "tune": "Find what is cheapest for a profile, from the ledger alone.",
    "verify-cache": "Check our model of a provider's cache against what the provider reported.",
    "report": "What was spent and saved, from ledger files.",
    "ledger": "Look after ledger files.",
    "policy": "Show and change who gets rewritten prompts.",
    "stop": "Stop all rewriting, in every running proxy.",
    "start": "Take `stop` back.",
    "status": "How the proxy's workers are.",
    "doctor": "Check a deployment, and say what to do.",
}
"""Every command with its line in `--help`, which is printed without importing any of them."""
MODULES = {"diff": "diff_update", "update": "diff_update", "stop": "stop_start", "start": "stop_start"}
"""Commands that share a file."""


class Mistakes(click.ClickException):
    """What the user has to put right, a line each; exit code 1."""

    def __init__(self, problems: Sequence[str]) -> None:
        from litellm_prompt_router.documents.shown_text import one_line

        super().__init__("\n".join(map(one_line, problems)))

    def show(self, file: IO[Any] | None = None) -> None:
        click.echo(self.message, file=file, err=file is None)


class Commands(click.Group):
    """Loads commands on demand and turns ConfigurationError into exit code 1, for all of them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        function = cmd_name.replace("-", "_")
        module = importlib.import_module(f"{__name__}.{MODULES.get(cmd_name, function)}_command")
        command: click.Command = getattr(module, function)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As Click does it; an unknown command is told with the one that was probably meant."""
        name = args[0]
        if name not in COMMANDS and not name.startswith("-") and not ctx.resilient_parsing:
            from litellm_prompt_router.documents.problems import nearest

            near = nearest(name, COMMANDS)
            ctx.fail(f"No such command {name!r}." + (f" Did you mean {near!r}?" if near else ""))
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def invoke(self, ctx: click.Context) -> Any:
        try:
            result = super().invoke(ctx)
        except ConfigurationError as error:
            raise Mistakes(error.problems) from None
        note = ctx.meta.get(FOLDER_NOTE)
        if note is not None:
            from litellm_prompt_router.cli.output import say

            say(note, err=True)
        return result


def _version() -> str:
    import tomllib
    from importlib.metadata import PackageNotFoundError, version

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

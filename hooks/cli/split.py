"""``prompt-router split``."""

from __future__ import annotations

from pathlib import Path

import click

from hooks.cli.inputs import profiles_option, profiles_root, read_bytes, shown
from hooks.errors import ConfigurationError
from hooks.onboard import split_prompt, write_draft


@click.command(short_help="Cut a prompt into a draft profile.")
@click.argument("samples", nargs=-1, required=True, metavar="PROMPT.txt [MORE_SAMPLES]...")
@click.option("--name", required=True, help="Name of the profile.")
@click.option("--replace", is_flag=True, help="Replace the profile of that name.")
@profiles_option
def split(samples: tuple[str, ...], name: str, replace: bool, root: Path | None) -> None:
    """Write the profile NAME: the prompt in modules, with drafted metadata and a review sheet."""
    texts = [_text(path) for path in samples]
    folder = write_draft(split_prompt(texts, name=name), profiles_root(root), replace=replace)
    click.echo(f"wrote {folder}")


def _text(path: str) -> str:
    try:
        return read_bytes(path).decode("utf-8")
    except UnicodeDecodeError as error:
        raise ConfigurationError([f"{shown(path)}: not UTF-8 at byte {error.start}; convert it"]) from None

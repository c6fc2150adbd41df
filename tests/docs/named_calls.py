"""The calls of ``prompt-router`` that a page names: whole ones in shell blocks, and mentions in its sentences."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from typing import Any

import click

from litellm_prompt_router.cli import COMMANDS, main

COMMAND = "prompt-router"


def shell_lines(text: str) -> list[str]:
    """The lines of a page's shell blocks, continued ones joined."""
    blocks = re.findall(r"^ *```(?:sh|bash)\n(.*?)^ *```", text, re.DOTALL | re.MULTILINE)
    return [line.strip() for block in blocks for line in block.replace("\\\n", " ").splitlines() if line.strip()]


def call_in(line: str) -> list[str] | None:
    """Arguments of a call of ours, wherever it runs; None for another line."""
    try:
        words = shlex.split(line, comments=True)
    except ValueError:
        return None
    at = next((n for n, word in enumerate(words) if word.split("/")[-1] == COMMAND), None)
    rest = [] if at is None else words[at + 1 :]
    return rest if rest and re.match("-*[a-z]", rest[0]) else None  # an image may have the command's name


def calls_in(text: str) -> Iterator[list[str]]:
    return (call for line in shell_lines(text) if (call := call_in(line)))


def mentions_in(text: str) -> Iterator[tuple[str, str]]:
    """``(command, what stands behind it)`` of each mention in a code span."""
    spans = re.findall(rf"`{COMMAND} ([^`]+)`", text)
    return (span.partition(" ")[::2] for span in (" ".join(each.split()) for each in spans))


def parse(call: list[str]) -> None:
    """Nothing where the command's own parser takes the call; nothing runs. Raises click's errors."""
    command: Any = main
    context = click.Context(main)
    rest = call
    while isinstance(command, click.Group):
        name, rest = rest[0], rest[1:]
        if name.startswith("-"):
            return
        command = command.get_command(context, name)
        assert command is not None, f"no command {name!r} of {', '.join(COMMANDS)}"
    command.make_context(call[0], list(rest))


def options_of(command: str) -> set[str]:
    """Every option of the command; of a group, those of all its commands."""
    found = main.get_command(click.Context(main), command)
    assert found is not None, f"no command {command!r}"
    members = [found, *(found.commands.values() if isinstance(found, click.Group) else ())]
    return {"--help", *(option for each in members for param in each.params for option in param.opts)}

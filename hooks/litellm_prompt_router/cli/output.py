"""What commands print: tables that turn plain when nobody looks, and JSON."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from typing import Literal

import click
from rich import box
from rich.console import Console
from rich.table import Table

from litellm_prompt_router.documents.shown_text import MAX_NAME_CHARS, one_line, several_lines
from litellm_prompt_router.request.types import Evidence

PIPED_WIDTH = 4_000
"""Columns of a table that goes to a file: nothing is wrapped or cut there."""
MAX_CELL_CHARS = 1_000
"""A longer text is none that a table is for."""
NARROW_NAME_CHARS = 60
"""Names up to this stay whole on the narrowest terminal."""


def say(*lines: str, err: bool = False, bold: bool = False, fg: str | None = None) -> None:
    """A line each on stdout, or on stderr: line ends at a line's beginning and end are blank lines.

    Whatever names are in a line, it stays one: a line end inside it, and what would steer a terminal, shows as its
    escape. For a text of several lines there is ``say_text``.
    """
    shown = "\n".join(map(_one_line_between_blank_ones, lines))
    click.secho(shown, err=err, bold=bold or None, fg=fg)


def say_text(text: str, *, err: bool = False, bold: bool = False, fg: str | None = None) -> None:
    """A text with line ends of its own, tabs as spaces. A name from outside goes into it by ``one_line``."""
    click.secho(several_lines(text.expandtabs()), err=err, bold=bold or None, fg=fg)


def _one_line_between_blank_ones(line: str) -> str:
    inner = line.strip("\n")
    before = len(line) - len(line.lstrip("\n")) if inner else len(line)
    return "\n" * before + one_line(inner) + "\n" * (len(line) - before - len(inner))


def show_table(
    columns: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    folds_texts: bool = False,
    piped_width: int = PIPED_WIDTH,
) -> None:
    """A table on stdout, in aligned plain columns when that is no terminal. ``#name`` is a column of figures.

    Where the place is narrow all columns but the first give way; with ``folds_texts`` those that aren't figures do.
    A row is a row whatever the names in it are: control characters and the like show as their escapes.
    """
    console = Console(markup=False, highlight=False, emoji=False)
    limit_of_names = MAX_CELL_CHARS
    if not console.is_terminal:
        if piped_width == PIPED_WIDTH:
            piped_width = max(PIPED_WIDTH, 2 * MAX_CELL_CHARS * len(columns))  # some letters are two columns wide
        console = Console(markup=False, highlight=False, emoji=False, width=piped_width)
    elif not folds_texts:
        limit_of_names = min(MAX_NAME_CHARS, max(NARROW_NAME_CHARS, console.width // 2))
    table = Table(box=box.SIMPLE_HEAD if console.is_terminal else None, pad_edge=False)
    for number, column in enumerate(columns):
        side: Literal["left", "right"] = "right" if column.startswith("#") else "left"
        # Names in the first column stay whole; elsewhere a narrow terminal folds, so that nothing is cut.
        stays = column.startswith("#") if folds_texts else number == 0
        table.add_column(
            one_line(column.removeprefix("#"), MAX_NAME_CHARS), justify=side, no_wrap=stays, overflow="fold"
        )
    for row in rows:
        limits = (limit_of_names, *(MAX_CELL_CHARS,) * len(columns))
        table.add_row(*(one_line(cell, limit) for cell, limit in zip(row, limits, strict=False)))
    if console.is_terminal:
        console.print(table)
        return
    with console.capture() as capture:
        console.print(table)
    click.echo("\n".join(line.rstrip() for line in capture.get().splitlines()))


def show_json(value: object) -> None:
    """JSON on stdout, for people and pipes. A lone surrogate becomes the escape that JSON has for it."""
    text = json.dumps(value, ensure_ascii=False, indent=2)
    show_bytes(text.encode("utf-8", "backslashreplace") + b"\n")


def show_bytes(raw: bytes) -> None:
    """Exactly these bytes on stdout."""
    sys.stdout.flush()
    sys.stdout.buffer.write(raw)
    sys.stdout.buffer.flush()


def evidence_for_json(selected: Iterable[Evidence]) -> list[dict[str, object]]:
    return [{"module": e.module, "evidence": e.kind, "detail": e.detail, "late": e.late} for e in selected]


def percent(share: float) -> str:
    """``67.2%``; only all of it is ``100.0%``."""
    return f"{share if share >= 1 else min(share, 0.999):.1%}"


def span(low: float | None, high: float | None) -> str:
    """``97.8% to 100.0%``; one figure where they don't differ, ``-`` where there is none."""
    if low is None or high is None:
        return "-"
    shown = dict.fromkeys(percent(share) for share in (low, high))
    return " to ".join(shown)


def change(before: int, after: int) -> str:
    """``1,200 -> 300 (-75.0%)``."""
    difference = f" ({(after - before) / before:+.1%})" if before else ""
    return f"{before:,} -> {after:,}{difference}"


def shortened(text: str, limit: int) -> str:
    """The text on one line, at most ``limit`` characters and always printable."""
    return one_line(" ".join(text.split()), limit)

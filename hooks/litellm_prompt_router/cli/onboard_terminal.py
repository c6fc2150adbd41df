"""The page of `onboard` in a terminal."""

from __future__ import annotations

import textwrap

import click
from rich.console import Console

from litellm_prompt_router.cli.output import show_table
from litellm_prompt_router.onboarding.page_blocks import (
    AgentPart,
    Bar,
    Block,
    Chapter,
    Commands,
    Grid,
    Paragraph,
    VerdictPage,
)

BAR_COLUMNS = 60
FILLS = "█▒░▓"
COLUMNS = 100
"""Of prose, and of tables in a file."""
CELL_CHARS = 100
COLORS = {"worth": "green", "no": "red"}


def show_page(page: VerdictPage) -> None:
    click.echo(page.title)
    for fact in page.facts:
        click.echo(wrapped(fact))
    for part in page.agents:
        _show_part(part)
    for chapter in page.chapters:
        _show_chapter(chapter)


def _show_part(part: AgentPart) -> None:
    click.echo()
    click.secho(part.name, bold=True)
    click.echo(wrapped(part.subtitle))
    click.echo()
    click.secho(wrapped(part.verdict), bold=True, fg=COLORS.get(part.kind, "yellow"))
    for reason in part.reasons:
        click.echo(wrapped(reason, "  "))
    for chapter in part.chapters:
        _show_chapter(chapter)


def _show_chapter(chapter: Chapter) -> None:
    click.echo()
    click.secho(chapter.title, bold=True)
    for block in chapter.blocks:
        _show_block(block)


def _show_block(block: Block) -> None:
    match block:
        case Paragraph():
            click.echo(wrapped(block.text))
        case Bar():
            click.echo(wrapped(block.title))
            widths = [round(segment.share * BAR_COLUMNS) for segment in block.segments]
            click.echo("  " + "".join(fill * width for fill, width in zip(FILLS, widths, strict=False)))
            for fill, segment in zip(FILLS, block.segments, strict=False):
                if segment.share > 0:
                    click.echo(f"  {fill} {segment.name}: {segment.note}")
        case Grid():
            rows = [tuple(_cell(cell) for cell in row) for row in block.rows]
            show_table(block.columns, rows, folds_texts=True, piped_width=COLUMNS)
        case Commands():
            click.echo(wrapped(f"{block.title}:", "  "))
            for line in block.lines:
                click.echo(f"    {line}")


def _cell(text: str) -> str:
    return text if len(text) <= CELL_CHARS else f"{text[: CELL_CHARS - 1]}…"


def wrapped(text: str, indent: str = "") -> str:
    """Lines of at most the terminal's width, or of 100 columns in a file. Paths and long words stay whole."""
    width = min(Console().width, COLUMNS) if Console().is_terminal else COLUMNS
    return textwrap.fill(
        text, width, initial_indent=indent, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )

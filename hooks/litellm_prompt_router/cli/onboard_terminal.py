"""The page of `onboard` in a terminal."""

from __future__ import annotations

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
CELL_CHARS = 100
COLORS = {"worth": "green", "no": "red"}


def show_page(page: VerdictPage) -> None:
    click.echo(page.title)
    for fact in page.facts:
        click.echo(fact)
    for part in page.agents:
        _show_part(part)
    for chapter in page.chapters:
        _show_chapter(chapter)


def _show_part(part: AgentPart) -> None:
    click.echo()
    click.secho(part.name, bold=True)
    click.echo(part.subtitle)
    click.echo()
    click.secho(part.verdict, bold=True, fg=COLORS.get(part.kind, "yellow"))
    for reason in part.reasons:
        click.echo(f"  {reason}")
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
            Console(markup=False, highlight=False, emoji=False).print(block.text, soft_wrap=not _is_terminal())
        case Bar():
            click.echo(block.title)
            widths = [round(segment.share * BAR_COLUMNS) for segment in block.segments]
            click.echo("  " + "".join(fill * width for fill, width in zip(FILLS, widths, strict=False)))
            for fill, segment in zip(FILLS, block.segments, strict=False):
                if segment.share > 0:
                    click.echo(f"  {fill} {segment.name}: {segment.note}")
        case Grid():
            rows = [tuple(_cell(cell) for cell in row) for row in block.rows]
            if block.wide == 0:  # show_table keeps its first column whole
                order = (*range(1, len(block.columns)), 0)
                show_table([block.columns[n] for n in order], [[row[n] for n in order] for row in rows])
            else:
                show_table(block.columns, rows)
        case Commands():
            click.echo(f"  {block.title}:")
            for line in block.lines:
                click.echo(f"    {line}")


def _cell(text: str) -> str:
    return text if len(text) <= CELL_CHARS else f"{text[: CELL_CHARS - 1]}…"


def _is_terminal() -> bool:
    return Console().is_terminal

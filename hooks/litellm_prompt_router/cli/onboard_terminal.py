"""The page of `onboard` in a terminal."""

from __future__ import annotations

import textwrap

from rich.console import Console

from litellm_prompt_router.cli.output import say, say_text, show_table
from litellm_prompt_router.documents.shown_text import one_line
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
    say(page.title)
    for fact in page.facts:
        say_text(wrapped(fact))
    for part in page.agents:
        _show_part(part)
    for chapter in page.chapters:
        _show_chapter(chapter)


def _show_part(part: AgentPart) -> None:
    say()
    say(part.name, bold=True)
    say_text(wrapped(part.subtitle))
    say()
    say_text(wrapped(part.verdict), bold=True, fg=COLORS.get(part.kind, "yellow"))
    for reason in part.reasons:
        say_text(wrapped(reason, "  "))
    for chapter in part.chapters:
        _show_chapter(chapter)


def _show_chapter(chapter: Chapter) -> None:
    say()
    say(chapter.title, bold=True)
    for block in chapter.blocks:
        _show_block(block)


def _show_block(block: Block) -> None:
    match block:
        case Paragraph():
            say_text(wrapped(block.text))
        case Bar():
            say_text(wrapped(block.title))
            widths = [round(segment.share * BAR_COLUMNS) for segment in block.segments]
            say("  " + "".join(fill * width for fill, width in zip(FILLS, widths, strict=False)))
            for fill, segment in zip(FILLS, block.segments, strict=False):
                if segment.share > 0:
                    say(f"  {fill} {segment.name}: {segment.note}")
        case Grid():
            rows = [tuple(_cell(cell) for cell in row) for row in block.rows]
            show_table(block.columns, rows, folds_texts=True, piped_width=COLUMNS)
        case Commands():
            say_text(wrapped(f"{block.title}:", "  "))
            for line in block.lines:
                say(f"    {line}")


def _cell(text: str) -> str:
    return text if len(text) <= CELL_CHARS else f"{text[: CELL_CHARS - 1]}…"


def wrapped(text: str, indent: str = "") -> str:
    """Lines of at most the terminal's width, or of 100 columns in a file. Paths and long words stay whole."""
    width = min(Console().width, COLUMNS) if Console().is_terminal else COLUMNS
    return textwrap.fill(
        one_line(text),
        width,
        initial_indent=indent,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )

"""What a page is made of, whether a terminal or a browser shows it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Paragraph:
    text: str
    is_small: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Segment:
    """A part of a bar. ``note``: its figure in words."""

    name: str
    share: float
    note: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Bar:
    """Parts of a whole, side by side."""

    title: str
    segments: tuple[Segment, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Grid:
    """A table. ``#name`` is a column of figures; the first column says what a row is about."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    wide: int | None = None
    """The column that holds running text."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Commands:
    """Something to do, and the lines to type or to paste."""

    title: str
    lines: tuple[str, ...]


Block = Paragraph | Bar | Grid | Commands


@dataclass(frozen=True, kw_only=True, slots=True)
class Chapter:
    title: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class AgentPart:
    """One agent of the page, verdict first."""

    name: str
    subtitle: str
    kind: str
    """The verdict's."""
    verdict: str
    reasons: tuple[str, ...]
    chapters: tuple[Chapter, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class VerdictPage:
    """All of it: ``facts`` on what was read and how it is accounted, an agent after the other, and what was skipped."""

    title: str
    facts: tuple[str, ...]
    agents: tuple[AgentPart, ...]
    chapters: tuple[Chapter, ...]

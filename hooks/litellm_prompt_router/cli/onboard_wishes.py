"""What `onboard` is asked for, and what its steps say and share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console


@dataclass(frozen=True, kw_only=True, slots=True)
class Wishes:
    """What the command line asks for."""

    name: str
    model: str | None
    stated_prices: str | None
    page: Path
    root: Path
    min_chars: int
    is_fresh: bool
    replaces: bool
    as_json: bool


class StatusLine:
    """A line on stderr that says what is going on, while somebody watches."""

    def __init__(self, console: Console, text: str) -> None:
        self._status = console.status(text) if console.is_terminal else None

    def __enter__(self) -> Callable[[str], None]:
        if self._status is None:
            return lambda _: None
        self._status.start()
        return self._status.update

    def __exit__(self, *_: object) -> None:
        if self._status is not None:
            self._status.stop()


ORIGINS = {
    "drafted": "drafted",
    "kept": "drafted by an earlier run",
    "edited": "made or changed by a person; used as it is",
}

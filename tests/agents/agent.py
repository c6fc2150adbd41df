"""What the tests have to know of an agent."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

Dialect = Literal["chat", "messages", "responses", "generateContent"]
Registry = Literal["npm", "pip"]
ANSWER = "Done: note.txt is there."


@dataclass(frozen=True, kw_only=True, slots=True)
class Home:
    """Where one run of an agent lives, and the proxy that it talks to."""

    folder: Path
    url: str
    key: str

    @property
    def work(self) -> Path:
        """The folder that the agent works in."""
        return self.folder / "work"

    def write(self, path: str, text: str) -> None:
        """A settings file under the agent's home."""
        place = self.folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text, encoding="utf-8")


@dataclass(frozen=True, kw_only=True, slots=True)
class Agent:
    """One agent. ``settle`` writes its settings and gives its environment; ``ask`` is its command line."""

    name: str
    dialect: Dialect
    registry: Registry = "npm"
    package: str
    version: str
    binary: str
    model: str
    tool: str | None
    """None for an agent that has no tools and acts on what the model writes."""
    move: Callable[[Path], Mapping[str, Any] | str]
    """What the model says to have the line ``hello`` written into this file: the tool's arguments, or a text."""
    answer: str = ANSWER
    """What the model says once the file is there."""
    settle: Callable[[Home, str], Mapping[str, str]]
    ask: Callable[[str, str, bool], Sequence[str]]
    """``(model, task, is_later)``: a later task goes on with the conversation."""

"""What `onboard` is asked for, and what its steps say and share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from litellm_prompt_router.cli.inputs import shown
from litellm_prompt_router.documents.shown_text import one_line
from litellm_prompt_router.files import OWN_FOLDER
from litellm_prompt_router.onboarding.findings import FoundAgent
from litellm_prompt_router.onboarding.next_steps import command


@dataclass(frozen=True, kw_only=True, slots=True)
class Wishes:
    """What the command line asks for."""

    name: str
    is_named: bool
    """True where the name was asked for; else it is the file's."""
    model: str | None
    stated_prices: str | None
    router_model: str | None
    """The routing model whose cost is told; None: a small one's."""
    page: Path | None
    """None: named after the agent, in this folder."""
    root: Path
    min_chars: int
    is_fresh: bool
    replaces: bool
    as_json: bool

    def command(self, where: str, *more: str) -> str:
        """The command line that this run was started with, as far as it says what is done, and more words."""
        name = ("--name", self.name) if self.is_named else ()
        profiles = () if self.root.absolute() == Path(OWN_FOLDER).absolute() else ("--profiles", str(self.root))
        model = ("--model", self.model) if self.model else ()
        prices = ("--prices", self.stated_prices) if self.stated_prices else ()
        router = ("--router-model", self.router_model) if self.router_model else ()
        out = ("--out", str(self.page)) if self.page else ()
        source = "-" if where == shown("-") else where
        return command("onboard", source, *name, *profiles, *model, *prices, *router, *out, *more)

    def origin_of(self, agent: FoundAgent, profile: str) -> str:
        """Where its profile comes from, and that it isn't the one whose name was asked for."""
        folder, origin = self.root / profile, ORIGINS[agent.origin or "edited"]
        if agent.origin == "drafted" or profile == self.name:
            return f"{folder}: {origin}"
        instead = f", not {self.name}" if self.is_named else ""
        return f"the same prompt as {folder}, drafted earlier: using it{instead} ({origin})"


class StatusLine:
    """A line on stderr that says what is going on, while somebody watches."""

    def __init__(self, console: Console, text: str) -> None:
        self._status = console.status(one_line(text)) if console.is_terminal else None

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
    "found": "was there already; used as it is",
    "edited": "changed since it was drafted; used as it is",
}

"""What `onboard` is asked for, and what its steps say and share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console

from litellm_prompt_router.analysis.simulate import RecordedCall
from litellm_prompt_router.onboarding.findings import FoundAgent
from litellm_prompt_router.onboarding.profiles_found import ProfilePlace


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


def with_origin(agent: FoundAgent, place: ProfilePlace) -> FoundAgent:
    return agent if agent.profile is None else replace(agent, origin=place.origin(agent.profile))


def replayable_text(lines: Sequence[str], calls: Iterable[RecordedCall]) -> str:
    """The traffic with every other line emptied, so that the lines keep their numbers."""
    kept = {call.line for call in calls}
    return "\n".join(line if number in kept else "" for number, line in enumerate(lines, 1))

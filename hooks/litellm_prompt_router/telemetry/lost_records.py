"""Records that were lost, by where, and who is told of them: the log at ERROR, GlitchTip, and the status file."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from litellm_prompt_router.documents.shown_text import one_line

TELL_SECONDS = 60.0
log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class LostRecords:
    """``ledger``: could not be written, nor put into an overflow file. ``queue``: found the queue full or closed.

    ``in_flight``: of requests whose end nobody told while very many others left. ``at_end``: wait for the ledger in a
    process that has been told to end.
    """

    ledger: int = 0
    queue: int = 0
    in_flight: int = 0
    at_end: int = 0

    @property
    def total(self) -> int:
        return self.ledger + self.queue + self.in_flight + self.at_end

    def to_dict(self) -> dict[str, int]:
        """Plain JSON types."""
        return asdict(self)

    def __str__(self) -> str:
        return ", ".join(f"{place} {count}" for place, count in self.to_dict().items() if count)


class LossTeller:
    """Tells of losses as they grow, once a minute at most. ``send`` takes the context of an event."""

    def __init__(self, send: Callable[[dict[str, Any]], None]) -> None:
        self._send = send
        self._told = 0
        self._next = 0.0
        self._is_behind = False

    @property
    def due(self) -> float | None:
        """When there is something to tell, by ``time.monotonic``."""
        return self._next if self._is_behind else None

    def tell(self, lost: LostRecords, why: str | None, *, is_now: bool = False) -> None:
        """One line in the log and one event for what is new. ``is_now``: there may be no later."""
        now, total = time.monotonic(), lost.total
        self._is_behind = total > self._told
        if not self._is_behind or (now < self._next and not is_now):
            return
        self._told, self._next, self._is_behind = total, now + TELL_SECONDS, False
        log.error("prompt router: %d records were not written to the ledger (%s): %s", total, lost, one_line(str(why)))
        self._send({"summary": f"Records lost: {total}", "lost": total, **lost.to_dict(), "why": why})

"""What is known of requests that have left, for our own later hooks: in this process alone, where a request ends that
began in it.

LiteLLM copies, writes and logs its metadata several times a request, so it holds no more than a request's seal: a
number that nobody can guess, by which the facts are found here. The oldest go first; of a request whose facts went so
our later hooks know nothing.
"""

from __future__ import annotations

from typing import NamedTuple

from litellm_prompt_router.gateway.request_ids import new_id
from litellm_prompt_router.process_memory.bounded import register_memory
from litellm_prompt_router.record.record import Facts
from litellm_prompt_router.request.wire.marking import Marking

MAX_IN_FLIGHT = 8_192
"""Requests that nobody has told the end of; a proxy that never tells it can't fill the memory."""
MAX_FINISHED = 512
"""Their events may come twice, and a response's headers behind its record."""


class LeftRequest(NamedTuple):
    """``marking``: where no one body does for all deployments, how to mark it for the one that is chosen."""

    facts: Facts
    marking: Marking | None


class FactsInFlight:
    """Facts by seal. For one thread, LiteLLM's."""

    def __init__(self, max_in_flight: int = MAX_IN_FLIGHT, max_finished: int = MAX_FINISHED) -> None:
        self._limits = (max_in_flight, max_finished)
        self._in_flight: dict[str, LeftRequest] = {}
        self._finished: dict[str, LeftRequest] = {}
        register_memory(self, "facts in flight", max_in_flight, lambda it: len(it._in_flight))
        register_memory(self, "facts of finished requests", max_finished, lambda it: len(it._finished))

    def __len__(self) -> int:
        return len(self._in_flight)

    def put(self, left: LeftRequest) -> str:
        """Keeps them; their seal."""
        seal = new_id()
        _put_within(self._in_flight, seal, left, self._limits[0])
        return seal

    def get(self, seal: object) -> LeftRequest | None:
        """What ``put`` was given; None where no request of this process has the seal, or it is long ago."""
        if not isinstance(seal, str):
            return None
        return self._in_flight.get(seal) or self._finished.get(seal)

    def replace(self, seal: str, left: LeftRequest) -> None:
        """What is known now in place of what was known when the request left."""
        for kept in (self._in_flight, self._finished):
            if seal in kept:
                kept[seal] = left

    def finish(self, seal: object) -> None:
        """Tells that the request's record is out: its facts are kept for a short while only."""
        left = self._in_flight.pop(seal, None) if isinstance(seal, str) else None
        if left is not None and isinstance(seal, str):
            _put_within(self._finished, seal, left, self._limits[1])

    def forget(self, seal: object) -> None:
        """Forgets a request at once."""
        if isinstance(seal, str):
            self._in_flight.pop(seal, None)


def _put_within(kept: dict[str, LeftRequest], seal: str, left: LeftRequest, limit: int) -> None:
    while len(kept) >= limit:
        del kept[next(iter(kept))]
    kept[seal] = left

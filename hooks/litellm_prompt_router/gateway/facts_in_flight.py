"""What is known of requests that have left, for our own later hooks: in this process alone, where a request ends that
began in it.

LiteLLM copies, writes and logs its metadata several times a request, so it holds no more than a request's seal: a
number that nobody can guess, by which the facts are found here. The oldest go first; of a request whose facts went so
our later hooks know nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

from litellm_prompt_router.gateway.request_ids import new_id
from litellm_prompt_router.process_memory.bounded import register_memory
from litellm_prompt_router.record.record import Facts
from litellm_prompt_router.request.types import Target
from litellm_prompt_router.request.walk_steps import BodyForDeployment
from litellm_prompt_router.request.wire.carried import SentBody
from litellm_prompt_router.request.wire.marking import Marking

Kept = TypeVar("Kept")
MAX_IN_FLIGHT = 8_192
"""Requests that nobody has told the end of; a proxy that never tells it can't fill the memory."""
MAX_FINISHED = 512
"""Their events may come twice, and a response's headers behind its record."""


MAX_BODIES = 1_024
"""Of the latest requests in flight it is known what left; attempts of older ones are taken to have carried that."""


@dataclass(kw_only=True, slots=True)
class BodyThatLeft:
    """What a request's attempts are compared with, and what was known when it left.

    ``sent`` changes where somebody edits the messages ahead of the first attempt. ``deployments``: the ids of those
    that it is marked for already; ``for_deployment`` marks it for any other one, None where it left as it came.
    """

    sent: SentBody
    facts: Facts
    marking: Marking | None
    deployments: frozenset[str]
    for_deployment: Callable[[Target], BodyForDeployment] | None
    attempts: int = 0


class SideBySide:
    """The calls that one request makes side by side, where it names several models.

    ``out``: what is out by its seal; ``answered``: who makes the record of an answer, by the answer's ``id``;
    ``error``: what one of them failed with.
    """

    def __init__(self, request_id: str) -> None:
        self.request_id = request_id
        self.out: dict[str, Any] = {}
        self.answered: dict[int, Any] = {}
        self.records = 0
        self.error: Exception | None = None


class LeftRequest(NamedTuple):
    """``facts``: of the attempt that is out, ``marking``: how to mark the body for the deployment that is chosen, where
    no one body does for all.

    ``usage_reason``: why the attempt's usage isn't one of the body that left; ``beside``: set where the request makes
    several calls side by side, and ``is_one`` for each of these.
    """

    facts: Facts
    marking: Marking | None
    usage_reason: str | None = None
    beside: SideBySide | None = None
    is_one: bool = False


class FactsInFlight:
    """Facts by seal. For one thread, LiteLLM's."""

    def __init__(self, max_in_flight: int = MAX_IN_FLIGHT, max_finished: int = MAX_FINISHED) -> None:
        self._limits = (max_in_flight, max_finished)
        self.put_out = 0
        """Requests whose facts went before anybody told their end."""
        self._in_flight: dict[str, LeftRequest] = {}
        self._finished: dict[str, LeftRequest] = {}
        self._bodies: dict[str, BodyThatLeft] = {}
        register_memory(self, "facts in flight", max_in_flight, lambda it: len(it._in_flight))
        register_memory(self, "facts of finished requests", max_finished, lambda it: len(it._finished))
        register_memory(self, "bodies in flight", MAX_BODIES, lambda it: len(it._bodies))

    def __len__(self) -> int:
        return len(self._in_flight)

    def put(self, left: LeftRequest, body: BodyThatLeft | None = None) -> str:
        """Keeps them; their seal."""
        seal = new_id()
        self.put_out += len(self._in_flight) >= self._limits[0]
        _put_within(self._in_flight, seal, left, self._limits[0])
        if body is not None:
            _put_within(self._bodies, seal, body, MAX_BODIES)
        return seal

    def body(self, seal: object) -> BodyThatLeft | None:
        """What left of a request in flight; None where that isn't known any more."""
        return self._bodies.get(seal) if isinstance(seal, str) else None

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
        if isinstance(seal, str):
            self._bodies.pop(seal, None)
        if left is not None and isinstance(seal, str):
            _put_within(self._finished, seal, left, self._limits[1])

    def forget(self, seal: object) -> None:
        """Forgets a request at once."""
        if isinstance(seal, str):
            self._in_flight.pop(seal, None)
            self._bodies.pop(seal, None)


def _put_within(kept: dict[str, Kept], seal: str, left: Kept, limit: int) -> None:
    while len(kept) >= limit:
        del kept[next(iter(kept))]
    kept[seal] = left

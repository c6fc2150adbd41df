"""Made-up traffic: when conversations come, how long they last, what they need. Sizes only, no text."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from random import Random
from typing import NamedTuple

THINK_SIGMA = 1.0
"""Spread of think times (log-normal): about 1 in 20 is longer than five times the median."""
MAX_MODULES = 200


@dataclass(frozen=True, kw_only=True, slots=True)
class Workload:
    """The shape of the traffic. Figures that vary are means, think time is a median.

    Raises ValueError with every problem, a line each.
    """

    conversations_per_hour: float = 60.0
    conversations: int = 300
    keys: int = 1
    turns: float = 5.0
    """User messages a conversation, at least 1."""
    calls_per_turn: float = 6.0
    """Calls that a user message leads to, tool loops included, at least 1."""
    call_seconds: float = 8.0
    """From one call of a tool loop to the next."""
    think_seconds: float = 60.0
    """From an answer to the next user message."""
    prompt_tokens: int = 26_000
    """The system prompt, all modules included."""
    tools_tokens: int = 0
    """Tool definitions."""
    declares_tools: bool = True
    """Whether requests declare tools at all."""
    core_share: float = 0.23
    """The share of the system prompt that is always sent."""
    modules: int = 20
    """Modules beside the core."""
    spread: float = 0.5
    """How unequal their sizes are: 0 is all the same."""
    zipf: float = 1.0
    """How unequal their popularity is: the n-th is needed 1/n**zipf as often as the first."""
    selected: float = 2.0
    """Modules that the router selects for a user message, at least 1."""
    growth: float = 0.5
    """The chance that a later user message gets a selection of its own; else it inherits."""
    fallback: float = 0.1
    """The chance that such a selection, or the first, is every module."""
    user_tokens: int = 100
    answer_tokens: int = 300
    tool_call_tokens: int = 80
    tool_result_tokens: int = 800
    seed: int = 0

    def __post_init__(self) -> None:
        problems = []
        for name, low in (("turns", 1), ("calls_per_turn", 1), ("selected", 1), ("conversations", 1), ("keys", 1)):
            if getattr(self, name) < low:
                problems.append(f"{name}: must be {low} or more")
        for name in ("core_share", "growth", "fallback"):
            if not 0 <= getattr(self, name) <= 1:
                problems.append(f"{name}: must be from 0 to 1")
        for name in ("conversations_per_hour", "prompt_tokens"):
            if getattr(self, name) <= 0:
                problems.append(f"{name}: must be more than 0")
        for name in ("call_seconds", "think_seconds", "spread", "zipf", "tools_tokens", *_MESSAGE_SIZES):
            if getattr(self, name) < 0:
                problems.append(f"{name}: must be 0 or more")
        if not 1 <= self.modules <= MAX_MODULES:
            problems.append(f"modules: must be from 1 to {MAX_MODULES}")
        if problems:
            raise ValueError("\n".join(problems))

    @property
    def core_tokens(self) -> int:
        return round(self.prompt_tokens * self.core_share)

    def module_tokens(self) -> tuple[int, ...]:
        """The size of each module; with the core they are the prompt to the token."""
        rng = Random(f"{self.seed} modules")  # noqa: S311  # seeded on purpose
        weights = [rng.lognormvariate(0.0, self.spread) for _ in range(self.modules)]
        total = self.prompt_tokens - self.core_tokens
        edges, seen = [0], 0.0
        for weight in weights:
            seen += weight
            edges.append(round(total * min(1.0, seen / sum(weights))))
        edges[-1] = total
        return tuple(end - start for start, end in pairwise(edges))


_MESSAGE_SIZES = ("user_tokens", "answer_tokens", "tool_call_tokens", "tool_result_tokens")


class SyntheticCall(NamedTuple):
    """One call. ``selection`` holds a bit for each module that the router selects for the latest user message.

    ``added``: sizes of the two history blocks since the call before: an answer (0 at the start) and a user
    message when ``opens_turn``, else a tool call and its result.
    """

    at_seconds: float
    conversation: int
    number: int
    key: int
    opens_turn: bool
    selection: int
    added: tuple[int, int]
    is_last: bool


def arrivals(workload: Workload) -> list[SyntheticCall]:
    """All calls in time order; the same for the same workload."""
    rng = Random(f"{workload.seed} arrivals")  # noqa: S311  # seeded on purpose
    calls: list[SyntheticCall] = []
    start = 0.0
    for conversation in range(workload.conversations):
        start += rng.expovariate(workload.conversations_per_hour / 3600)
        calls.extend(_conversation(workload, rng, conversation, start))
    return sorted(calls)


def _conversation(workload: Workload, rng: Random, conversation: int, now: float) -> Iterator[SyntheticCall]:
    key = rng.randrange(workload.keys)
    turns = _at_least_one(rng, workload.turns)
    number, selection = 0, 0
    for turn in range(turns):
        if turn == 0 or rng.random() < workload.growth:
            selection = _selection(workload, rng)
        calls = _at_least_one(rng, workload.calls_per_turn)
        for call in range(calls):
            if call == 0:
                answer = _size(rng, workload.answer_tokens) if turn else 0
                added = (answer, _size(rng, workload.user_tokens))
            else:
                added = (_size(rng, workload.tool_call_tokens), _size(rng, workload.tool_result_tokens))
            is_last = turn == turns - 1 and call == calls - 1
            yield SyntheticCall(now, conversation, number, key, call == 0, selection, added, is_last)
            number += 1
            now += rng.expovariate(1 / workload.call_seconds) if workload.call_seconds else 0.0
        now += workload.think_seconds * rng.lognormvariate(0.0, THINK_SIGMA)


def _selection(workload: Workload, rng: Random) -> int:
    """Modules drawn by popularity, the bits of an integer."""
    if rng.random() < workload.fallback:
        return (1 << workload.modules) - 1
    count = min(workload.modules, _at_least_one(rng, workload.selected))
    # The order of these keys is that of drawing one after the other without putting back.
    drawn = sorted((rng.expovariate(1.0) * (rank**workload.zipf), rank - 1) for rank in range(1, workload.modules + 1))
    return sum(1 << module for _, module in drawn[:count])


def _at_least_one(rng: Random, mean: float) -> int:
    """Geometric."""
    count = 1
    while rng.random() > 1 / mean:
        count += 1
    return count


def _size(rng: Random, mean: int) -> int:
    """Between half and one and a half times the mean."""
    return max(1, round(mean * rng.uniform(0.5, 1.5)))

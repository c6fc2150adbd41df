"""A conversation behind its system prompt, of which a turn is made when somebody asks for it.

Every call sends again what the calls before it sent. What is asked of all turns (how much they say, whether there are
tools) is added up once and remembered by the digest of the conversation so far; the rest of the walk looks at the last
turns, and at those that are new.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple, overload

from litellm_prompt_router.process_memory.bounded import register_memory
from litellm_prompt_router.request.message_chain import STRIDE, MessageChain
from litellm_prompt_router.request.slices import Slices, at_once
from litellm_prompt_router.request.types import RESULT_ROLES, Turn

MAX_TOTALS = 4_096
"""Beginnings of conversations remembered with what they come to: as hashes and numbers, no text."""
READ_TURNS, READ_CHARS = 256, 1_000_000
"""So many turns are made at a time, or turns of so many characters: about a millisecond."""


class HistoryTotals(NamedTuple):
    """What all turns come to. ``has_tools``: one is a call, a result, or declares tools."""

    chars: int = 0
    has_tools: bool = False


class History(Sequence[Turn]):
    """The turns of one conversation. ``turn_of`` makes one of a message; ``kind`` says in which shape messages are."""

    def __init__(self, messages: list[Any], turn_of: Callable[[Any], Turn], kind: str) -> None:
        self._messages = messages
        self._turn_of = turn_of
        self._kind = kind
        self._turns: list[Turn | None] = [None] * len(messages)
        self._totals: HistoryTotals | None = None
        self.chain = MessageChain(messages, kind)
        """Not read yet where nobody has asked for it."""

    @classmethod
    def of(cls, turns: Iterable[Turn]) -> History:
        """Turns that are there already."""
        if isinstance(turns, History):
            return turns
        turns = tuple(turns)
        return cls([tuple(turn) for turn in turns], Turn._make, "turns")

    @overload
    def __getitem__(self, at: int) -> Turn: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[Turn]: ...
    def __getitem__(self, at: int | slice) -> Turn | Sequence[Turn]:
        if isinstance(at, slice):
            return History(self._messages[at], self._turn_of, self._kind)
        turn = self._turns[at]
        if turn is None:
            turn = self._turns[at] = self._turn_of(self._messages[at])
        return turn

    def __len__(self) -> int:
        return len(self._turns)

    def __iter__(self) -> Iterator[Turn]:
        return map(self.__getitem__, range(len(self._turns)))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and tuple(self) == tuple(other)

    def __hash__(self) -> int:
        return hash(tuple(self))

    def __repr__(self) -> str:
        return f"History({list(self)!r})"

    @property
    def totals(self) -> HistoryTotals:
        if self._totals is None:
            at_once(self.adding_up(HistoryMemory()))
        assert self._totals is not None
        return self._totals

    def adding_up(self, memory: HistoryMemory) -> Slices[None]:
        """Adds up ``totals``, from the longest beginning that is remembered on. The chain has been read."""
        at, totals = memory.latest(self.chain)
        kept = _places_to_keep(self.chain)
        turns, turn_of, messages = self._turns, self._turn_of, self._messages
        chars, has_tools = totals
        sliced, slice_ends = chars, at + READ_TURNS
        while at < len(turns):
            turn = turns[at]
            if turn is None:
                turn = turns[at] = turn_of(messages[at])
            role, text, _, calls, _, _, declared, _ = turn
            chars += len(text)
            has_tools = has_tools or bool(calls) or declared != frozenset() or role in RESULT_ROLES
            at += 1
            if at in kept:
                memory.remember(self.chain.digests[at // STRIDE], HistoryTotals(chars, has_tools))
            if at == slice_ends or chars - sliced > READ_CHARS:
                sliced, slice_ends = chars, at + READ_TURNS
                yield
        self._totals = HistoryTotals(chars, has_tools)


class HistoryMemory:
    """What beginnings of conversations come to, by their digest. The oldest of ``MAX_TOTALS`` goes first."""

    def __init__(self) -> None:
        self._totals: dict[bytes, HistoryTotals] = {}
        register_memory(self, "conversations totalled", MAX_TOTALS, len)

    def __len__(self) -> int:
        return len(self._totals)

    def latest(self, chain: MessageChain) -> tuple[int, HistoryTotals]:
        """The longest beginning that is remembered, in messages, and what it comes to."""
        digests = chain.digests
        if self._totals:
            for number in range(len(digests) - 1, 0, -1):
                found = self._totals.get(digests[number])
                if found is not None:
                    return number * STRIDE, found
        return 0, HistoryTotals()

    def remember(self, digest: bytes, totals: HistoryTotals) -> None:
        if len(self._totals) >= MAX_TOTALS and digest not in self._totals:
            self._totals.pop(next(iter(self._totals)), None)
        self._totals[digest] = totals


def _places_to_keep(chain: MessageChain) -> frozenset[int]:
    """The last digest, and the last one ahead of a mark of the client's.

    A client that marks the history's moving end may write a message otherwise once its mark is gone.
    """
    last = len(chain.digests) - 1
    unmarked = min(last, chain.suspects[0] // STRIDE) if chain.suspects else last
    return frozenset((last * STRIDE, unmarked * STRIDE)) - {0}


def totals_of(turns: Iterable[Turn]) -> HistoryTotals:
    """What these turns come to; known already of a request's."""
    return History.of(turns).totals

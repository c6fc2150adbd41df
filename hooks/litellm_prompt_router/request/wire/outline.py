"""A body before its conversation was read: what every endpoint's shape finds in it, and the request made of that."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from litellm_prompt_router.request.history import History, HistoryMemory
from litellm_prompt_router.request.message_chain import STRIDE
from litellm_prompt_router.request.slices import Slices, at_once
from litellm_prompt_router.request.types import Mark, Request, SystemBlock, Turn, UnreadableRequestError
from litellm_prompt_router.request.wire.marks import marks_of_message


@dataclass(frozen=True, kw_only=True, slots=True)
class BodyOutline:
    """Fields as of Request. ``messages``: the conversation as it came; ``turn_of`` makes a turn of one of them.

    ``marks_behind``: the client's marks that stand in no message. ``bears_marks``: messages may have some.
    """

    kind: str
    system: tuple[SystemBlock, ...]
    messages: list[Any]
    turn_of: Callable[[Any], Turn]
    marks_before: tuple[Mark, ...] = ()
    marks_behind: tuple[Mark, ...] = ()
    bears_marks: bool = True
    states_points: bool = False
    missing_history: str | None = None

    def request(self) -> Request:
        """The request at once, with nothing remembered of it."""
        return at_once(self.reading(None))

    def reading(self, memory: HistoryMemory | None) -> Slices[Request]:
        """The request; what earlier calls of its conversation said isn't read again where ``memory`` knows it."""
        history = History(self.messages, self.turn_of, self.kind)
        suspects: Sequence[int] = range(len(self.messages))
        if memory is not None:
            if len(self.messages) >= STRIDE:
                yield from history.chain.reading()
                suspects = history.chain.suspects
            yield from history.adding_up(memory)
        return Request(
            system=self.system,
            turns=history,
            marks_before=self.marks_before,
            marks_after=(*self._marks_in(suspects), *self.marks_behind),
            states_points=self.states_points,
            missing_history=self.missing_history,
        )

    def _marks_in(self, suspects: Sequence[int]) -> Sequence[Mark]:
        if not self.bears_marks:
            return ()
        messages: Sequence[Mapping[str, Any]] = self.messages
        return [mark for number in suspects for mark in marks_of_message(messages[number])]


def are_objects(messages: Sequence[Any]) -> bool:
    """True where each of them is a JSON object."""
    return set(map(type, messages)) <= {dict} or all(isinstance(message, dict) for message in messages)


def text_or_none(content: object) -> str | None:
    """A message's content that isn't in blocks. Raises UnreadableRequestError for one that no endpoint takes."""
    if content is None or isinstance(content, str):
        return content
    raise UnreadableRequestError


def kind_of_block(block: Any) -> str:
    """The type of a block of content. Raises UnreadableRequestError for what is no block, or has a type of another
    type.
    """
    kind = block.get("type") if isinstance(block, dict) else 0
    if isinstance(kind, str):
        return kind
    if kind is not None:
        raise UnreadableRequestError
    return "other"

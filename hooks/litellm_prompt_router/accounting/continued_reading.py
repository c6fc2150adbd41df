"""The blocks of a prompt whose history continues one that was read before: only what is new is read.

What was read of a beginning is used again where nothing behind it can change it, and is kept only after the whole
prompt was once read both ways and came out the same. Everything else is read whole.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from itertools import chain
from operator import is_
from typing import Any, NamedTuple

from litellm_prompt_router.accounting.known_beginnings import BodyHistory, KnownBeginnings
from litellm_prompt_router.cache_model import Block, KnownHistory, ReadPrompt
from litellm_prompt_router.request.wire.marks import INJECTION_POINTS

BLOCK_BYTES = 300
"""Of a block that is kept, with its numbers."""
NOTHING_READ = KnownHistory(())


class Reading(NamedTuple):
    """How one prompt can be read."""

    key: Hashable
    """Besides the messages, all that decides what comes of a history."""
    whole: Callable[[], ReadPrompt]
    rest: Callable[[int, KnownHistory], ReadPrompt | None]
    """Without what stands between the system prompt and this place of the history; None where it may matter."""
    count_behind: Callable[[int], int]
    """How many messages come of those from this place on."""


class SharedTail:
    """What was read of the new messages of one body, for the other body of the same request, which shares them."""

    def __init__(self) -> None:
        self._key: Hashable = None
        self._body: Mapping[str, Any] = {}
        self._tail: Sequence[Any] = ()
        self._read: ReadPrompt | None = None

    def clear(self) -> None:
        """Holds no messages any longer."""
        self._body, self._tail, self._read = {}, (), None

    def read(
        self,
        key: Hashable,
        body: Mapping[str, Any],
        history: BodyHistory,
        end: int,
        count: int,
        read_from: Callable[[int], ReadPrompt | None],
    ) -> ReadPrompt | None:
        """What ``read_from`` this place of the history on reads: ``count`` messages, where the place is the last one.

        Of a shared tail only the prompt is read again.
        """
        if any(body.get(field) for field in _REACHING_FIELDS):
            return read_from(end)
        tail = history.items[end:]
        before = self._read
        if before is not None and key == self._key and self._is_shared(body, history.field, tail):
            is_whole = len(tail) == len(self._tail)
            told = len(before.messages) if is_whole else count
            if is_whole or (end == history.ends[-1] and told <= len(before.messages)):
                read = read_from(len(history.items))
                if read is not None and not read.messages:
                    return before._replace(prompt=read.prompt, messages=before.messages[len(before.messages) - told :])
        read = read_from(end)
        self._key, self._body, self._tail, self._read = key, body, tail, read
        return read

    def _is_shared(self, body: Mapping[str, Any], field: str, tail: Sequence[Any]) -> bool:
        """True where the bodies differ in nothing but what is ahead of the tail, and in system prompts."""
        others = (body.keys() | self._body.keys()) - _PROMPT_FIELDS - {field}
        begin = len(self._tail) - len(tail)
        if begin < 0 or (begin and self._read is not None and (self._read.cites or self._read.shows)):
            return False  # it may be the part ahead that does
        is_same = all(map(is_, tail, self._tail[begin:]))
        return is_same and all(body.get(name) is self._body.get(name) for name in others)


_REACHING_FIELDS = (INJECTION_POINTS, "cache_control", "enable_prompt_caching")
"""With these, marks in one place depend on what stands in others."""
_PROMPT_FIELDS = frozenset({"system", "instructions"})


def continued_blocks(reading: Reading, history: BodyHistory | None, known: KnownBeginnings) -> Sequence[Block]:
    """The blocks, as ``whole`` reads them."""
    if history is None:
        return reading.whole().blocks
    try:
        start, before = known.find(reading.key, history)
    except ValueError:  # a type that JSON doesn't have
        return reading.whole().blocks
    end = history.ends[-1]
    if before is not None:
        read = reading.rest(start, before)
        if read is not None and read.cites <= before.cites and read.shows <= before.shows:
            if end > start:
                new = chain.from_iterable(read.messages[: len(read.messages) - reading.count_behind(end)])
                later = before._replace(blocks=(*before.blocks, *new))
                _keep(reading, history, known, later, len(later.blocks) - len(before.blocks), continues=start)
            return [*read.prompt, *before.blocks, *chain.from_iterable(read.messages)]
    read = reading.whole()
    rest = reading.rest(end, NOTHING_READ._replace(cites=read.cites, shows=read.shows))
    if rest is not None and not rest.cites and not rest.shows:
        begin = len(read.messages) - len(rest.messages)
        is_same = rest.prompt == read.prompt and rest.messages == read.messages[begin:]
        if is_same and len(rest.messages) == reading.count_behind(end):
            blocks = tuple(chain.from_iterable(read.messages[:begin]))
            _keep(reading, history, known, KnownHistory(blocks, read.cites, read.shows), len(blocks))
    return read.blocks


def _keep(
    reading: Reading,
    history: BodyHistory,
    known: KnownBeginnings,
    value: KnownHistory,
    new: int,
    *,
    continues: int | None = None,
) -> None:
    own = 8 * len(value.blocks)
    known.keep(
        reading.key,
        history,
        history.ends[-1],
        value,
        BLOCK_BYTES * new + own,
        own_bytes=own,
        continues=continues,
    )

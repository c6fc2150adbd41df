"""The blocks of a prompt whose history continues one that was read before: only what is new is read.

What was read of a beginning is used again where nothing behind it can change it, and is kept only after the whole
prompt was once read both ways and came out the same. Everything else is read whole.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from itertools import chain
from typing import NamedTuple

from litellm_prompt_router.accounting.known_beginnings import History, KnownBeginnings
from litellm_prompt_router.cache_model import Block, KnownHistory, ReadPrompt

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


def continued_blocks(reading: Reading, history: History | None, known: KnownBeginnings) -> Sequence[Block]:
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
    history: History,
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

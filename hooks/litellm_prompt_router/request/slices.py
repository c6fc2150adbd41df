"""Long work in slices: a generator that yields where its caller may let others run, and returns the result.

How much is done between two yields is counted in messages and characters, so that it depends on the request alone.
Nothing in a result depends on whether, or for how long, anybody waited in between.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import TypeVar

MAX_UNSLICED_TURNS = 24
"""Of a conversation with no more turns that are new, all is decided at once."""
SLICE_TURNS, SLICE_CHARS = 16, 100_000
"""Of a longer one so many turns or characters are decided on at a time: two or three milliseconds."""
Found = TypeVar("Found")
Result = TypeVar("Result")
Slices = Generator[None, None, Result]


def at_once(slices: Slices[Result]) -> Result:
    """The result, without a pause."""
    while True:
        try:
            next(slices)
        except StopIteration as done:
            result: Result = done.value
            return result


def in_slices(found: Iterator[tuple[int, Found]]) -> Slices[list[tuple[int, Found]]]:
    """All that is found, by turn; a pause where many turns were read since the last one."""
    everything: list[tuple[int, Found]] = []
    slice_end = MAX_UNSLICED_TURNS
    for at, each in found:
        if at >= slice_end:
            slice_end = at + SLICE_TURNS
            yield
        everything.append((at, each))
    return everything

"""Long work in slices: a generator that yields where its caller may let others run, and returns the result.

How much is done between two yields is counted in messages and characters, so that it depends on the request alone.
Nothing in a result depends on whether, or for how long, anybody waited in between.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import TypeVar

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

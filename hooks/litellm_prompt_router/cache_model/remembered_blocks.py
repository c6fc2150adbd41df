"""The blocks that were read of prompts and messages, by their content: of many calls most is the same."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Generic, TypeVar

from litellm_prompt_router.documents.equal_bytes import equal_bytes
from litellm_prompt_router.process_memory.bounded import register_memory

MAX_PROMPT_BLOCKS = 32_768
"""In all prompts and messages that are remembered: about 8 MB."""


Item = TypeVar("Item")


class RememberedBlocks(Generic[Item]):
    """By hashes, no text is kept. Bounded; the oldest go first. Used by one thread."""

    def __init__(self, name: str) -> None:
        self._found: dict[tuple[int, int], tuple[Item, ...]] = {}
        self._blocks = 0
        register_memory(self, name, MAX_PROMPT_BLOCKS, lambda it: it._blocks)

    def of(self, content: Any, read: Callable[[], Iterable[Item]]) -> tuple[Item, ...]:
        """What ``read`` gives for this content, read once."""
        try:
            written = equal_bytes(content)
        except ValueError:  # a type that JSON doesn't have
            return tuple(read())
        name = (hash(written), len(written))
        found = self._found.get(name)
        if found is None:
            found = tuple(read())
            if not found:
                return found
            while self._found and self._blocks + len(found) > MAX_PROMPT_BLOCKS:
                self._blocks -= len(self._found.pop(next(iter(self._found))))
            self._found[name] = found
            self._blocks += len(found)
        return found

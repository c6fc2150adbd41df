"""The ledger of bounds: what is registered is told while its owner lives."""

from __future__ import annotations

import gc

from litellm_prompt_router.process_memory.bounded import BoundedMemory, bounded_memories, register_memory

NAME = "a memory of tests"


class Remembering:
    """Keeps three things at most."""

    def __init__(self, *kept: str) -> None:
        self.kept = kept
        register_memory(self, NAME, 3, lambda it: len(it.kept), size_bytes=lambda it: len("".join(it.kept)))


def told() -> list[BoundedMemory]:
    return [memory for memory in bounded_memories() if memory.name == NAME]


def test_a_memory_is_told_while_its_owner_lives() -> None:
    """Several of one name are one line, and none keeps its owner alive."""
    one, other = Remembering("a", "bc"), Remembering("def")
    assert told() == [BoundedMemory(name=NAME, entries=3, limit=6, size_bytes=6)]
    one.kept = ()
    assert told() == [BoundedMemory(name=NAME, entries=1, limit=6, size_bytes=3)]
    del other
    gc.collect()
    assert told() == [BoundedMemory(name=NAME, entries=0, limit=3, size_bytes=0)]
    del one
    gc.collect()
    assert told() == []

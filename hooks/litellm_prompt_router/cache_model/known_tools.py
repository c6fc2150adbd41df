"""Lists of declared tools that live on from call to call, with what was found of each: an agent declares the same
dozens in every call.

They are told by identity, which takes nothing, so each is loaded once and never changed.
"""

from __future__ import annotations

import marshal
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, NamedTuple, TypeVar

from litellm_prompt_router.documents.equal_bytes import equal_bytes
from litellm_prompt_router.process_memory.bounded import register_memory

MAX_LISTS = 256
MAX_BYTES = 2 * 1_024 * 1_024
"""Of all lists, as ``equal_bytes`` writes them; as objects they take about three times as much."""
MAX_FACTS = 32
MAX_WRITTEN = 2
"""Of one list."""

Found = TypeVar("Found")


class EqualName(NamedTuple):
    """Stands for a value: the hash and length of its ``equal_bytes``."""

    written: int
    size_bytes: int


class _KnownList(NamedTuple):
    tools: Any
    name: EqualName
    facts: dict[Hashable, Any]
    written: list[bytes]
    """As ``load`` was given it."""


class KnownTools:
    """Bounded; the longest unused go first. Used by one thread."""

    def __init__(self) -> None:
        self._loaded: dict[bytes, Any] = {}
        self._named: dict[EqualName, Any] = {}
        self._known: OrderedDict[int, _KnownList] = OrderedDict()
        self._bytes = 0
        register_memory(self, "declared tools", MAX_LISTS, len, size_bytes=lambda it: it._bytes, max_bytes=MAX_BYTES)

    def __len__(self) -> int:
        return len(self._known)

    def load(self, written: bytes) -> Any:
        """The list that ``marshal`` wrote: for equal ones the same one, which is not to be changed.

        What it writes of equal lists also depends on who else refers to their parts, so it is looked up first.
        """
        tools = self._loaded.get(written)
        if tools is not None:
            return tools
        tools = marshal.loads(written)  # noqa: S302 - what this process wrote
        equal = equal_bytes(tools)
        name = EqualName(hash(equal), len(equal))
        tools = self._named.get(name, tools)
        known = self._of(tools) or self._add(tools, name)
        if known is not None and len(known.written) < MAX_WRITTEN:
            self._named[name] = self._loaded[written] = tools
            known.written.append(written)
        return tools

    def keep(self, tools: Any) -> None:
        """Has a list known that lives on and is never changed."""
        if self._of(tools) is None:
            try:
                written = equal_bytes(tools)
            except ValueError:  # a type that JSON doesn't have
                return
            self._add(tools, EqualName(hash(written), len(written)))

    def name_of(self, tools: Any) -> EqualName:
        """The same for equal values alone. Raises ValueError for a type that JSON doesn't have."""
        known = self._of(tools)
        if known is not None:
            return known.name
        written = equal_bytes(tools)
        return EqualName(hash(written), len(written))

    def fact(self, tools: Any, name: Hashable, find: Callable[[], Found]) -> Found | None:
        """What ``find`` finds of a known list, found once; None for a list that isn't known."""
        known = self._of(tools)
        if known is None:
            return None
        found: Found | None = known.facts.get(name)
        if found is None:
            if len(known.facts) >= MAX_FACTS:
                known.facts.clear()
            found = known.facts[name] = find()
        return found

    def _of(self, tools: Any) -> _KnownList | None:
        known = self._known.get(id(tools))
        if known is None or known.tools is not tools:
            return None
        self._known.move_to_end(id(tools))
        return known

    def _add(self, tools: Any, name: EqualName) -> _KnownList | None:
        """None for a list that is too long to be kept."""
        if name.size_bytes > MAX_BYTES:
            return None
        while self._known and (len(self._known) >= MAX_LISTS or self._bytes + name.size_bytes > MAX_BYTES):
            _, dropped = self._known.popitem(last=False)
            self._bytes -= dropped.name.size_bytes
            for written in dropped.written:
                del self._loaded[written]
            if self._named.get(dropped.name) is dropped.tools:
                del self._named[dropped.name]
        known = self._known[id(tools)] = _KnownList(tools, name, {}, [])
        self._bytes += name.size_bytes
        return known

"""The ledger of bounds: each memory that grows with traffic names itself and its limit, for ``prompt-router status``.

Whoever keeps such a memory registers it where it makes it. Nothing is kept alive by that, and a memory of which there
are several (one a profile) is told as their sum.
"""

from __future__ import annotations

import contextlib
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

Owner = TypeVar("Owner")


@dataclass(frozen=True, kw_only=True, slots=True)
class BoundedMemory:
    """How full a memory is. ``limit``: entries at most. ``size_bytes``: where it is known, with ``max_bytes``."""

    name: str
    entries: int
    limit: int
    size_bytes: int | None = None
    max_bytes: int | None = None


class _Registered(NamedTuple):
    owner: weakref.ref[Any]
    read: Callable[[Any], BoundedMemory]


_registered: list[_Registered] = []


def register_memory(
    owner: Owner,
    name: str,
    limit: int,
    entries: Callable[[Owner], int],
    *,
    size_bytes: Callable[[Owner], int] | None = None,
    max_bytes: int | None = None,
) -> None:
    """Has a memory told for as long as its owner lives. ``entries`` and ``size_bytes`` may be called in any thread."""

    def read(living: Owner) -> BoundedMemory:
        size = None if size_bytes is None else size_bytes(living)
        return BoundedMemory(name=name, entries=entries(living), limit=limit, size_bytes=size, max_bytes=max_bytes)

    for dead in [each for each in _registered if each.owner() is None]:
        with contextlib.suppress(ValueError):  # another thread was first
            _registered.remove(dead)
    _registered.append(_Registered(weakref.ref(owner), read))


def bounded_memories() -> tuple[BoundedMemory, ...]:
    """Every memory of this process that is registered and in use, by name."""
    together: dict[str, BoundedMemory] = {}
    for owner, read in list(_registered):
        living = owner()
        if living is not None:
            found = read(living)
            known = together.get(found.name)
            together[found.name] = found if known is None else _sum(known, found)
    return tuple(together[name] for name in sorted(together))


def _sum(one: BoundedMemory, other: BoundedMemory) -> BoundedMemory:
    return BoundedMemory(
        name=one.name,
        entries=one.entries + other.entries,
        limit=one.limit + other.limit,
        size_bytes=_total(one.size_bytes, other.size_bytes),
        max_bytes=_total(one.max_bytes, other.max_bytes),
    )


def _total(one: int | None, other: int | None) -> int | None:
    return None if one is None or other is None else one + other

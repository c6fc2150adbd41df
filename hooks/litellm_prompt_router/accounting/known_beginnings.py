"""What was found of the beginning of a history, for the next call that begins the same way.

A beginning ends ahead of what somebody else than the model said to its answer: what providers join or order never
reaches across that place. It is known by a digest of its messages, by content, order and type; no text is kept.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections import OrderedDict
from collections.abc import Hashable, Mapping, Sequence
from hashlib import sha256
from operator import is_
from typing import Any, NamedTuple

from litellm_prompt_router.documents.equal_bytes import equal_bytes
from litellm_prompt_router.process_memory.bounded import register_memory
from litellm_prompt_router.request.types import CHAT, MESSAGES, RESPONSES

MAX_BEGINNINGS = 8_192
MAX_BYTES = 32 * 1_024 * 1_024
"""By what ``keep`` is told; a bound for what all that is remembered takes."""
MAX_LENGTHS = 4_096
MAX_ATTEMPTS = 4
"""Known lengths that are tried, from the longest: those of other conversations that open alike are among them."""
_LIST_HEADER = 5
"""Bytes that stand ahead of a list's items: its type and length."""
_FIELDS = {CHAT: "messages", MESSAGES: "messages", RESPONSES: "input"}
_SYSTEM = frozenset({"system", "developer"})
_ENTRY_BYTES = 300


class BodyHistory(NamedTuple):
    """The messages of a body behind its system prompt, and where their beginnings may end.

    ``field``: where the body has them; ``lead``: how many system messages stand there ahead of them.
    """

    field: str
    items: Sequence[Any]
    lead: int
    ends: Sequence[int]
    """Places in ``items``, in order."""
    digests: Digests

    def without(self, body: Mapping[str, Any], end: int) -> dict[str, Any]:
        """The body without the beginning that ends there."""
        return {**body, self.field: [*self.items[: self.lead], *self.items[end:]]}


class Digests:
    """Digests of the beginnings of these messages, each hashed once."""

    def __init__(self, messages: Sequence[Any]) -> None:
        self._messages = messages
        self._hasher = sha256()
        self._until = 0
        self._found: dict[int, bytes] = {}

    def of(self, counts: Sequence[int]) -> list[bytes]:
        """Of the first so many messages, for each count, in ascending order. Raises ValueError for no plain JSON."""
        for count in counts:
            if count in self._found:
                continue
            if count < self._until:
                hasher = sha256(_written(self._messages[:count]))
            else:
                hasher = self._hasher
                hasher.update(_written(self._messages[self._until : count]))
                self._until = count
            self._found[count] = hasher.digest()
        return [self._found[count] for count in counts]


def history_in(body: Mapping[str, Any], endpoint: str) -> BodyHistory | None:
    """The history of a body; None where it has none that could continue another's."""
    field = _FIELDS.get(endpoint)
    items = None if field is None else body.get(field)
    if field is None or not isinstance(items, list):
        return None
    try:
        roles = [item.get("role") or item.get("type") for item in items]
        lead = next((number for number, role in enumerate(roles) if role not in _SYSTEM), len(roles))
        answers = [role in _ANSWERS for role in roles]
    except (AttributeError, TypeError):
        return None
    if lead and endpoint == MESSAGES:
        return None
    ends = [
        number
        for number in range(lead + 1, len(roles))
        if answers[number - 1] and not answers[number] and roles[number] in _OTHERS
    ]
    return BodyHistory(field, items, lead, ends, Digests(items[lead:])) if ends else None


_ANSWERS = frozenset({"assistant", "function_call"})
_OTHERS = frozenset({"user", "tool", "function", "function_call_output"})


class Histories:
    """``history_in``, once for the same messages: those of one body, or of two that share them."""

    def __init__(self) -> None:
        self._body: object = None
        self._found: BodyHistory | None = None

    def of(self, body: Mapping[str, Any], endpoint: str) -> BodyHistory | None:
        field = _FIELDS.get(endpoint)
        items = None if field is None else body.get(field)
        if items is None or not isinstance(items, list):
            return None
        if items is not self._body:
            found, before = history_in(body, endpoint), self._found
            if found is not None and before is not None and _is_shared(found, before):
                found = found._replace(digests=before.digests)
            self._body, self._found = items, found
        return self._found

    def clear(self) -> None:
        """Holds no messages any longer."""
        self._body = self._found = None


def _is_shared(one: BodyHistory, other: BodyHistory) -> bool:
    mine, others = one.items[one.lead :], other.items[other.lead :]
    return len(mine) == len(others) and all(map(is_, mine, others))


class _KeptBeginning(NamedTuple):
    """What is remembered of one beginning. ``own_bytes``: what of ``size_bytes`` a longer one wouldn't share."""

    value: Any
    size_bytes: int
    own_bytes: int


class KnownBeginnings:
    """Bounded in number and bytes; the longest unused go first. Used by one thread."""

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[Hashable, bytes], _KeptBeginning] = OrderedDict()
        self._lengths: OrderedDict[bytes, list[int]] = OrderedDict()
        self._bytes = 0
        register_memory(
            self,
            "histories accounted",
            MAX_BEGINNINGS,
            len,
            size_bytes=lambda it: it._bytes,
            max_bytes=MAX_BYTES,
        )

    def __len__(self) -> int:
        return len(self._known)

    @property
    def size_bytes(self) -> int:
        return self._bytes

    def clear(self) -> None:
        """Forgets all of it."""
        self._known.clear()
        self._lengths.clear()
        self._bytes = 0

    def find(self, key: Hashable, history: BodyHistory) -> tuple[int, Any]:
        """``(where the longest known beginning ends, what was kept of it)``; ``(history.lead, None)``: none is known.

        Raises ValueError for messages that are no plain JSON.
        """
        opening = history.digests.of([1])[0]
        lengths = self._lengths.get(opening)
        if lengths:
            possible = frozenset(history.ends)
            until = bisect_right(lengths, history.ends[-1] - history.lead)
            tried = [count for count in lengths[:until][-16:] if count + history.lead in possible][-MAX_ATTEMPTS:]
            digests = history.digests.of(tried)
            for count, digest in zip(reversed(tried), reversed(digests), strict=True):
                found = self._known.get((key, digest))
                if found is not None:
                    self._known.move_to_end((key, digest))
                    return count + history.lead, found.value
        return history.lead, None

    def keep(
        self,
        key: Hashable,
        history: BodyHistory,
        end: int,
        value: object,
        size_bytes: int,
        *,
        own_bytes: int = 0,
        continues: int | None = None,
    ) -> None:
        """Remembers something of the beginning that ends there.

        ``continues``: where a known one ends whose parts are in ``value``, too. They are this one's from now on, since
        the shorter one goes first; ``own_bytes`` of ``size_bytes`` aren't passed on in this way.
        """
        opening, digest = history.digests.of([1])[0], history.digests.of([end - history.lead])[0]
        if (key, digest) in self._known:
            return
        if continues is not None:
            size_bytes += self._shared_bytes((key, history.digests.of([continues - history.lead])[0]))
        own_bytes, size_bytes = own_bytes + _ENTRY_BYTES, size_bytes + _ENTRY_BYTES
        while self._known and (len(self._known) >= MAX_BEGINNINGS or self._bytes + size_bytes > MAX_BYTES):
            self._bytes -= self._known.popitem(last=False)[1].size_bytes
        self._known[key, digest] = _KeptBeginning(value, size_bytes, own_bytes)
        self._bytes += size_bytes
        lengths = self._lengths.setdefault(opening, [])
        self._lengths.move_to_end(opening)
        if end - history.lead not in lengths:
            insort(lengths, end - history.lead)
            del lengths[:-MAX_LENGTHS]
        while len(self._lengths) > MAX_LENGTHS:
            self._lengths.popitem(last=False)

    def _shared_bytes(self, name: tuple[Hashable, bytes]) -> int:
        """What a longer beginning shares with this one, which is no longer told of this one."""
        known = self._known.get(name)
        if known is None:
            return 0
        shared = known.size_bytes - known.own_bytes
        self._known[name] = known._replace(size_bytes=known.own_bytes)
        self._bytes -= shared
        return shared


def _written(messages: Sequence[Any]) -> memoryview:
    """The messages as bytes. What is written of some and then of others is what is written of all."""
    return memoryview(equal_bytes(list(messages)))[_LIST_HEADER:]

"""What a provider has cached, and what it bills for the next request: simple, slow, and nothing of the product's.

Three kinds of memory, after ``provider_rules``:

- ``MarkedStore`` keeps whole prefixes by their hash, one for each breakpoint (Anthropic, Bedrock, Qwen's marks, OpenAI
  from GPT-5.6).
- ``SharedStore`` keeps every recent request in a tree of its texts and looks how far down a new one goes, to the
  character within a text (OpenAI before GPT-5.6, Gemini and most others).
- ``UnitStore`` keeps whole requests, and beginnings that two of them shared (DeepSeek).

What is read lives on from then; what is written can be read from the moment its answer begins.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import NamedTuple

from tests.emulators.prompt_pieces import Piece
from tests.emulators.provider_rules import CacheRules, Endings, Longest, Marked, Units


class Billed(NamedTuple):
    read: int = 0
    written: int = 0
    written_for_an_hour: int = 0


@dataclass(kw_only=True, slots=True)
class Entry:
    lifetime: float
    ready: float
    used: float

    def can_be_read(self, now: float) -> bool:
        return self.ready <= now < self.used + self.lifetime


class MarkedStore:
    """Prefixes that end at a breakpoint."""

    def __init__(self, rules: Marked | Endings) -> None:
        self._rules = rules
        self._entries: dict[str, Entry] = {}

    def bill(self, pieces: Sequence[Piece], now: float, answer_begins: float) -> Billed:
        rules, names = self._rules, _names(pieces)
        sizes = list(accumulate((piece.tokens for piece in pieces), initial=0))
        if isinstance(rules, Marked):
            seconds = dict(rules.lifetimes)
            marks = {end: seconds.get(p.mark, seconds["5m"]) for end, p in enumerate(pieces, 1) if p.mark}
            looked_at = {end for mark in marks for end in _back(rules, pieces, mark)}
        else:
            looked_at, ends = _openai_places(pieces)
            marks = dict.fromkeys(ends, rules.lifetime)
        marks = {end: lifetime for end, lifetime in marks.items() if sizes[end] >= rules.least_tokens}
        if isinstance(rules, Marked) and not marks:
            return Billed()
        found = [end for end in looked_at if sizes[end] >= rules.least_tokens and self._has(names[end], now)]
        read = max(found, default=0)
        if read:
            self._entries[names[read]].used = now
        for end, lifetime in marks.items():
            entry = self._entries.get(names[end])
            if end <= read and entry is not None and entry.can_be_read(now):
                entry.used = now
            elif entry is not None and now < entry.used + entry.lifetime:  # another request is about to write it
                entry.used, entry.lifetime = now, max(lifetime, entry.lifetime)
                entry.ready = min(entry.ready, answer_begins)
            else:
                # A mark inside of what was read costs nothing, so that it can't buy more time than what was paid for.
                most = self._entries[names[read]].lifetime if end < read else lifetime
                self._entries[names[end]] = Entry(lifetime=min(lifetime, most), ready=answer_begins, used=now)
        # "Mixing different TTLs" of the CLAUDE page: positions A (the longest hit), B (the last mark of an hour behind
        # it, else A) and C (the last mark).
        hour = max((end for end, piece in enumerate(pieces, 1) if piece.mark == "1h" and end in marks), default=0)
        a, c = sizes[read], max(sizes[read], sizes[max(marks, default=0)])
        b = max(a, sizes[hour])
        return Billed(read=a, written=c - b, written_for_an_hour=b - a)

    def _has(self, name: str, now: float) -> bool:
        return name in self._entries and self._entries[name].can_be_read(now)


def _names(pieces: Sequence[Piece]) -> list[str]:
    """A hash of the first n pieces, for every n."""
    running, names = hashlib.sha256(), [""]
    for piece in pieces:
        running.update(f"{len(piece.frame)} {piece.frame} {len(piece.text)} {piece.text}".encode(errors="replace"))
        names.append(running.hexdigest())
    return names


def _back(rules: Marked, pieces: Sequence[Piece], mark: int) -> list[int]:
    """The ends that are looked at from a breakpoint: its own is the first position, and there are ``lookback``."""
    ends: list[int] = []
    left = rules.lookback
    for end in range(mark, 0, -1):
        goes_on = end < mark and rules.runs_are_one and pieces[end - 1].run and pieces[end - 1].run == pieces[end].run
        if not goes_on:
            left -= 1
        if left < 0:
            break
        ends.append(end)
    return ends


def _openai_places(pieces: Sequence[Piece]) -> tuple[set[int], set[int]]:
    """(looked at, written). The OPENAI guide: without explicit mode a breakpoint at the latest eligible message's end;
    four are written in all, the latest explicit ones; looked at are the ends of the 20 eligible messages before it, of
    the first developer messages, and of explicit breakpoints the first two and the latest 50."""
    explicit = [end for end, piece in enumerate(pieces, 1) if piece.mark == "here"]
    eligible = [end for end, piece in enumerate(pieces, 1) if piece.is_ending]
    first = [end for end in eligible if pieces[end - 1].role == "leading"]
    looked_at = {*eligible[-21:], *first, *explicit[:2], *explicit[-50:]}
    room = 3 if eligible else 4
    return looked_at, {*eligible[-1:], *explicit[-room:]}


@dataclass(kw_only=True, slots=True)
class Node:
    """A text behind the texts above it."""

    entry: Entry
    next: dict[tuple[str, str], Node] = field(default_factory=dict)


class SharedStore:
    """Every recent request, as far as another one can share it."""

    def __init__(self, rules: Longest, count: Callable[[str], int]) -> None:
        self._rules = rules
        self._count = count
        self._first = Node(entry=Entry(lifetime=0, ready=0, used=0))
        self._wholes: dict[str, Entry] = {}

    def bill(self, pieces: Sequence[Piece], now: float, answer_begins: float) -> Billed:
        rules = self._rules
        total = sum(piece.tokens for piece in pieces)
        shared = self._shared_tokens(pieces, now)
        read = shared - shared % rules.step_tokens
        name = _names(pieces)[-1]
        whole = self._wholes.get(name)
        if rules.whole_repeats and whole is not None and whole.can_be_read(now):
            read = total
        read = read if read >= rules.least_tokens else 0
        if total >= rules.least_tokens:
            self._keep(pieces, shared, now, answer_begins)
            if whole is None or not whole.can_be_read(now):
                self._wholes[name] = Entry(lifetime=rules.lifetime, ready=answer_begins, used=now)
            else:
                whole.used = now
        return Billed(read=read)

    def _shared_tokens(self, pieces: Sequence[Piece], now: float) -> int:
        node, tokens = self._first, 0
        for piece in pieces:
            below = node.next.get((piece.frame, piece.text))
            if below is None or not below.entry.can_be_read(now):
                live = [text for (frame, text), one in node.next.items() if frame == piece.frame and _live(one, now)]
                longest = max((_common_chars(text, piece.text) for text in live), default=0)
                return tokens + (piece.frame_tokens + self._count(piece.text[:longest]) if longest else 0)
            node, tokens = below, tokens + piece.tokens
        return tokens

    def _keep(self, pieces: Sequence[Piece], shared: int, now: float, answer_begins: float) -> None:
        node, tokens = self._first, 0
        for piece in pieces:
            tokens += piece.tokens
            key = (piece.frame, piece.text)
            below = node.next.get(key)
            if below is None or now >= below.entry.used + below.entry.lifetime:
                rest = below.next if below is not None else {}
                entry = Entry(lifetime=self._rules.lifetime, ready=answer_begins, used=now)
                below = node.next[key] = Node(entry=entry, next=rest)
            else:
                below.entry.used = now
                below.entry.ready = min(below.entry.ready, answer_begins)
            node = below


def _common_chars(one: str, other: str) -> int:
    most = min(len(one), len(other))
    return next((at for at in range(most) if one[at] != other[at]), most)


def _live(node: Node, now: float) -> bool:
    return node.entry.can_be_read(now)


class UnitStore:
    """Whole prefixes of requests. DEEPSEEK's second example: A+B, then A+C hits nothing, then A+D hits A.

    An answer in a history counts as the one that was given to the request ahead of it. What is shared is told by whole
    pieces. The units at intervals are left out: where they are isn't published.
    """

    def __init__(self, rules: Units) -> None:
        self._rules = rules
        self._requests: dict[str, Entry] = {}
        self._shared: dict[str, Entry] = {}
        self._seen: dict[str, Entry] = {}
        """Every beginning of every request."""

    def bill(self, pieces: Sequence[Piece], now: float, answer_begins: float) -> Billed:
        rules, names = self._rules, _names(pieces)
        sizes = list(accumulate((piece.tokens for piece in pieces), initial=0))
        ends = [end for end in range(1, len(names)) if sizes[end] >= rules.least_tokens]
        asked = {end: _asked(pieces, end) for end in ends}
        requests = [end for end in ends if _readable(self._requests.get(names[asked[end]]), now)]
        shared = [end for end in ends if _readable(self._shared.get(names[end]), now)]
        read = max([*requests, *shared], default=0)
        alike = max((end for end in ends if _readable(self._seen.get(names[end]), now)), default=0)
        if read in requests:
            _use(self._requests, names[asked[read]], rules.lifetime, now, now)
        for end in {alike, read} - {0}:
            _use(self._shared, names[end], rules.lifetime, now, now if end == read else answer_begins)
        if sizes[-1] >= rules.least_tokens:
            _use(self._requests, names[-1], rules.lifetime, now, answer_begins)
        for end in ends:
            _use(self._seen, names[end], rules.lifetime, now, answer_begins)
        return Billed(read=sizes[read] - sizes[read] % rules.step_tokens)


def _asked(pieces: Sequence[Piece], end: int) -> int:
    """The end of the request that was answered, where an answer ends at ``end``; ``end`` itself elsewhere."""
    is_end = end == len(pieces) or pieces[end].role != "assistant"
    while is_end and end > 1 and pieces[end - 1].role == "assistant":
        end -= 1
    return end


def _readable(entry: Entry | None, now: float) -> bool:
    return entry is not None and entry.can_be_read(now)


def _use(entries: dict[str, Entry], name: str, lifetime: float, now: float, ready: float) -> None:
    entry = entries.get(name)
    if entry is None or now >= entry.used + entry.lifetime:
        entries[name] = Entry(lifetime=lifetime, ready=ready, used=now)
    else:
        entry.used, entry.ready = now, min(entry.ready, ready)


Store = MarkedStore | SharedStore | UnitStore


def store_of(rules: CacheRules, count: Callable[[str], int]) -> Store:
    match rules:
        case Longest():
            return SharedStore(rules, count)
        case Units():
            return UnitStore(rules)
        case _:
            return MarkedStore(rules)

"""What of a call is read from the provider's cache, what is written to it, and what is neither.

It follows ``rules``, and four things that providers leave open are each decided for the dearer reading:

- A mark ahead of the longest hit refreshes the entry at its place, or writes a missing one; neither is billed. What it
  writes gets the shorter lifetime of the mark's own and that of the entry that was read.
- A read refreshes an entry for the lifetime it was written with: a 1-hour mark doesn't lengthen a 5-minute entry.
- An entry is gone at the very second its lifetime ends.
- OpenAI's automatic entries live for the short end of the documented range.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from itertools import accumulate
from operator import attrgetter
from typing import NamedTuple

from litellm_prompt_router.cache_model.prefix_places import breakpoint_places, looked_up_positions
from litellm_prompt_router.cache_model.prompt_blocks import Block, Lifetime
from litellm_prompt_router.cache_model.rules import (
    LIFETIME_SECONDS,
    AutomaticPrefixes,
    BreakpointPrefixes,
    MarkedPrefixes,
    Rules,
    StoredPrefixes,
)
from litellm_prompt_router.cache_model.stored_prefixes import longest_stored, sent_digest
from litellm_prompt_router.cache_model.usage import Usage

SWEEP_ENTRIES = 4_096
"""Expired entries go when there are this many, or twice as many as were alive after the last sweep."""


_MULTIPLIER = 0x9E3779B97F4A7C15
_WORD = (1 << 64) - 1
_KEY, _TOKENS = attrgetter("key"), attrgetter("tokens")


class CacheEntry(NamedTuple):
    """A cached prefix. Times are in seconds of the clock that gives the calls' times."""

    ready_seconds: float
    """When the response that wrote it begins: nobody reads it before."""
    expires_seconds: float
    lifetime_seconds: float


class Prefixes(NamedTuple):
    """Hash and size of the first n blocks, for every n from 0."""

    hashes: list[int]
    tokens: list[int]


class PrefixCache:
    """One model's cache at a provider. Callers with different ``scope`` (workspace, cache key) share nothing.

    ``entries`` may be handed in, by a hash of scope and prefix that is the same in every process where the scope is
    an int; whoever hands them in removes the expired ones.
    """

    def __init__(
        self,
        rules: Rules,
        entries: dict[int, CacheEntry] | None = None,
        *,
        lifetimes: Mapping[Lifetime, float] = LIFETIME_SECONDS,
    ) -> None:
        self.rules = rules
        self._lifetimes = lifetimes
        self._entries: dict[int, CacheEntry] = {} if entries is None else entries
        self._sweeps = entries is None
        self._sweep_at = SWEEP_ENTRIES

    def __len__(self) -> int:
        """Entries held, including expired ones that no sweep has removed yet."""
        return len(self._entries)

    def account(
        self,
        blocks: Sequence[Block],
        now_seconds: float,
        *,
        scope: Hashable = "",
        first_token_seconds: float = 0.0,
        scale: float = 1.0,
        prefixes: Prefixes | None = None,
    ) -> Usage:
        """The input buckets of a call that starts at ``now_seconds``; output is 0.

        What it writes is readable ``first_token_seconds`` later, when its response begins. ``scale``: the provider's
        tokens for one of the blocks'. ``prefixes``: of the blocks, where they are known. OpenAI's priced writes are in
        ``cache_write_5m_tokens``. Time should not run backwards: a call accounted after one that began later reads
        nothing of that one's, nor the other way round.
        """
        prefixes = prefixes_of(blocks, scope, scale) if prefixes is None else prefixes
        if self._sweeps and len(self._entries) >= self._sweep_at:
            self._sweep(now_seconds)
        ready_seconds = now_seconds + first_token_seconds
        match self.rules:
            case MarkedPrefixes():
                return self._marked(self.rules, blocks, prefixes, now_seconds, ready_seconds)
            case AutomaticPrefixes():
                return self._automatic(self.rules, prefixes, now_seconds, ready_seconds)
            case BreakpointPrefixes():
                return self._breakpoints(self.rules, blocks, prefixes, now_seconds, ready_seconds)
            case StoredPrefixes():
                return self._stored(self.rules, blocks, prefixes, now_seconds, ready_seconds)

    def lookups(
        self, blocks: Sequence[Block], *, scope: Hashable = "", scale: float = 1.0, prefixes: Prefixes | None = None
    ) -> dict[int, int]:
        """Hash -> number of blocks, of every prefix that would be read from here if it were cached."""
        hashes, tokens = prefixes_of(blocks, scope, scale) if prefixes is None else prefixes
        rules = self.rules
        match rules:
            case MarkedPrefixes():
                marks = [end for end, block in enumerate(blocks, 1) if block.mark is not None]
                ends = {end for mark in marks for end in looked_up_positions(rules, blocks, tokens, mark)}
            case AutomaticPrefixes() | StoredPrefixes():
                ends = {end for end in range(1, len(hashes)) if tokens[end] >= rules.min_tokens}
            case BreakpointPrefixes():
                ends = {end for end in breakpoint_places(rules, blocks)[0] if tokens[end] >= rules.min_tokens}
        return {hashes[end]: end for end in ends}

    # The four rule sets

    def _marked(
        self,
        rules: MarkedPrefixes,
        blocks: Sequence[Block],
        prefixes: Prefixes,
        now: float,
        ready: float,
    ) -> Usage:
        tokens = prefixes.tokens
        marks = [
            (end, self._lifetimes[block.mark], block.mark == "1h")
            for end, block in enumerate(blocks, 1)
            if block.mark is not None and tokens[end] >= rules.min_tokens
        ]
        if not marks:
            return _usage(tokens[-1])
        hit = self._look_back(rules, blocks, prefixes, [end for end, _, _ in marks], now)
        # The three billing positions of platform.claude.com, "Mixing different TTLs", checked 2026-11.
        a = tokens[hit]
        b = max((tokens[end] for end, _, is_hour in marks if is_hour and end > hit), default=a)
        c = tokens[marks[-1][0]]
        self._write_and_refresh(prefixes, hit, [(end, lifetime) for end, lifetime, _ in marks], now, ready)
        return _usage(tokens[-1], read=a, write_1h=b - a, write_5m=c - b)

    def _automatic(self, rules: AutomaticPrefixes, prefixes: Prefixes, now: float, ready: float) -> Usage:
        hashes, tokens = prefixes
        shared = len(hashes) - 1
        while tokens[shared] >= rules.min_tokens and not self._is_alive(hashes[shared], now):
            shared -= 1
        read = tokens[shared] - tokens[shared] % rules.interval_tokens
        if read < rules.min_tokens:
            read = 0
        lifetime = rules.retention_seconds
        fresh = CacheEntry(now, now + lifetime, lifetime)
        for end in range(len(hashes) - 1, 0, -1):
            if tokens[end] < rules.min_tokens:
                break
            if end <= shared:
                before = self._entries.get(hashes[end])
                if before is None or before.expires_seconds < fresh.expires_seconds:
                    self._entries[hashes[end]] = fresh
            else:
                self._write(hashes[end], lifetime, now, ready)
        return _usage(tokens[-1], read=read - read % rules.reported_step_tokens)

    def _breakpoints(
        self,
        rules: BreakpointPrefixes,
        blocks: Sequence[Block],
        prefixes: Prefixes,
        now: float,
        ready: float,
    ) -> Usage:
        tokens = prefixes.tokens
        lookups, writes = breakpoint_places(rules, blocks)
        hit = max(
            (end for end in lookups if tokens[end] >= rules.min_tokens and self._is_alive(prefixes.hashes[end], now)),
            default=0,
        )
        writes = [end for end in writes if tokens[end] >= rules.min_tokens]
        read = tokens[hit]
        written = max((tokens[end] - read for end in writes if end > hit), default=0)
        self._write_and_refresh(prefixes, hit, [(end, self._lifetimes["30m"]) for end in writes], now, ready)
        return _usage(tokens[-1], read=read, write_5m=written)

    def _stored(
        self, rules: StoredPrefixes, blocks: Sequence[Block], prefixes: Prefixes, now: float, ready: float
    ) -> Usage:
        hashes, tokens = prefixes
        ends = [end for end in range(len(hashes) - 1, 0, -1) if tokens[end] >= rules.min_tokens]
        hit, asked = longest_stored(blocks, ends, lambda end: self._is_alive(hashes[end], now))
        shared = next((end for end in ends if self._is_alive(sent_digest(hashes[end]), now)), 0)
        lifetime = rules.retention_seconds
        for end in ends:
            self._write_or_refresh(sent_digest(hashes[end]), lifetime, now, ready)
        for end in {*ends[:1], hit, asked, shared if shared > hit else 0} - {0}:
            self._write_or_refresh(hashes[end], lifetime, now, now if end == hit else ready)
        return _usage(tokens[-1], read=tokens[hit] - tokens[hit] % rules.reported_step_tokens)

    # Entries

    def _look_back(
        self,
        rules: MarkedPrefixes,
        blocks: Sequence[Block],
        prefixes: Prefixes,
        marks: list[int],
        now: float,
    ) -> int:
        """The number of blocks in the longest entry found from any mark; 0 if there is none."""
        for mark in reversed(marks):
            for end in looked_up_positions(rules, blocks, prefixes.tokens, mark):
                if self._is_alive(prefixes.hashes[end], now):
                    return end
        return 0

    def _write_and_refresh(
        self, prefixes: Prefixes, hit: int, marks: list[tuple[int, float]], now: float, ready: float
    ) -> None:
        """Write the marked prefixes and refresh those that were read."""
        found = self._entries[prefixes.hashes[hit]] if hit else None
        for end, lifetime in marks:
            digest = prefixes.hashes[end]
            if end > hit or found is None:
                self._write(digest, lifetime, now, ready)
            elif self._is_alive(digest, now):
                self._refresh(digest, now)
            else:
                self._write(digest, min(lifetime, found.lifetime_seconds), now, ready)
        if found is not None:
            self._refresh(prefixes.hashes[hit], now)

    def _is_alive(self, digest: int, now: float) -> bool:
        entry = self._entries.get(digest)
        return entry is not None and entry.ready_seconds <= now < entry.expires_seconds

    def _write_or_refresh(self, digest: int, lifetime: float, now: float, ready: float) -> None:
        if self._is_alive(digest, now):
            self._refresh(digest, now)
        else:
            self._write(digest, lifetime, now, ready)

    def _refresh(self, digest: int, now: float) -> None:
        entry = self._entries[digest]
        expires = max(entry.expires_seconds, now + entry.lifetime_seconds)
        self._entries[digest] = entry._replace(expires_seconds=expires)

    def _write(self, digest: int, lifetime: float, now: float, ready: float) -> None:
        before = self._entries.get(digest)
        if before is not None and before.expires_seconds > now:  # another call's, not readable yet
            ready = min(ready, before.ready_seconds)
            lifetime = max(lifetime, before.lifetime_seconds)
            self._entries[digest] = CacheEntry(ready, max(before.expires_seconds, now + lifetime), lifetime)
            return
        self._entries[digest] = CacheEntry(ready, now + lifetime, lifetime)

    def _sweep(self, now: float) -> None:
        for digest in [digest for digest, entry in self._entries.items() if entry.expires_seconds <= now]:
            del self._entries[digest]
        self._sweep_at = max(SWEEP_ENTRIES, 2 * len(self._entries))


def prefix_hashes(blocks: Sequence[Block], scope: Hashable) -> list[int]:
    """The hash of the first n blocks under ``scope``, for every n from 0: what entries are kept by."""
    prefix = hash(scope) & _WORD
    hashes = [prefix]
    for key in map(_KEY, blocks):
        # Not Python's ``hash``, which differs between versions. Called for every block of a call: written out.
        prefix = (prefix * _MULTIPLIER + key) & _WORD
        hashes.append(prefix)
    return hashes


def prefixes_of(blocks: Sequence[Block], scope: Hashable, scale: float, sizes: Sequence[int] | None = None) -> Prefixes:
    """Hashes under ``scope``; ``scale``: the provider's tokens for one of the blocks'. ``sizes``: instead of theirs."""
    tokens = list(accumulate(map(_TOKENS, blocks) if sizes is None else sizes, initial=0))
    if scale != 1.0:
        tokens = [round(size * scale) for size in tokens]
    return Prefixes(prefix_hashes(blocks, scope), tokens)


def _usage(total: int, *, read: int = 0, write_5m: int = 0, write_1h: int = 0) -> Usage:
    return Usage(
        uncached_input_tokens=total - read - write_5m - write_1h,
        cache_read_tokens=read,
        cache_write_5m_tokens=write_5m,
        cache_write_1h_tokens=write_1h,
        output_tokens=0,
    )

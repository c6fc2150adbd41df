"""The provider's caches as they would stand if nobody's prompt had been rewritten: what the observed calls leave there.

Entries are hashes of prefixes with their times, never texts. They are what this process saw, and what other replicas
left in a shared store. Two things follow from that:

- Of before the observation began nothing is known. A call is accounted only if no entry from then could have served
  it: ``Estimate.is_known`` is False otherwise, until the longest lifetime is over.
- Calls are observed when they end, in another order than they began in. The cache model bears that; a call that runs
  beside one which warms the cache for it may be taken for cold.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from math import inf
from typing import Protocol

from litellm_prompt_router.cache_model import (
    AutomaticPrefixes,
    Block,
    BreakpointPrefixes,
    CacheEntry,
    PrefixCache,
    Rules,
)
from litellm_prompt_router.cache_model.prefix_cache import prefix_hashes
from litellm_prompt_router.cache_model.rules import LIFETIME_SECONDS
from litellm_prompt_router.cache_model.usage import Usage

MAX_ENTRIES = 200_000
"""About 40 MB. Beyond that those that expire first go, and the baseline looks colder than it is: see ``evicted``."""
SWEEP_ENTRIES = 4_096
SAMPLE = 8
"""Of the pieces that OpenAI's automatic caching matches by, one in so many is shared among replicas."""


class SharedEntries(Protocol):
    """Entries that all replicas see. Neither method raises; what fails is as if it weren't there."""

    def fetch(self, scope: int, hashes: Sequence[int]) -> tuple[Mapping[int, CacheEntry], float | None]:
        """The entries there are of these, and since when calls of the scope have been observed by anybody."""
        ...

    def keep(self, scope: int, entries: Mapping[int, CacheEntry], now_seconds: float, since_seconds: float) -> None:
        """Leaves entries for the others."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class ObservedCall:
    """One answered call. ``scope`` names the deployment's cache at the provider, the same in every process."""

    scope: int
    rules: Rules
    blocks: Sequence[Block]
    started_seconds: float
    first_token_seconds: float = 0.0
    scale: float = 1.0
    """The provider's tokens for one of the blocks'."""
    continues: bool = False
    """True when an answer is in the history: earlier calls of the conversation may have cached more than the system
    prompt."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Estimate:
    """Input buckets; the output is 0. ``is_known``: nothing from before the observation can have mattered."""

    usage: Usage
    is_known: bool


def scope_in(*names: object) -> int:
    """A number for what shares one cache, the same in every process."""
    text = "\0".join(map(str, names)).encode("utf-8", "backslashreplace")
    return int.from_bytes(blake2b(text, digest_size=7).digest())


class CounterfactualCaches:
    """The entries of all deployments. Used by one thread."""

    def __init__(self, since_seconds: float, *, max_entries: int = MAX_ENTRIES) -> None:
        self.evicted = 0
        self._since = since_seconds
        self._gap_seconds = -inf
        self._entries = _Entries()
        self._max_entries = max_entries
        self._sweep_at = min(SWEEP_ENTRIES, max_entries)

    def __len__(self) -> int:
        return len(self._entries)

    def observe_anew(self, now_seconds: float) -> None:
        """Tells that calls before this moment may have gone unobserved, though others were observed before them."""
        self._gap_seconds = now_seconds

    def account(self, call: ObservedCall, shared: SharedEntries | None = None) -> Estimate:
        """What the call is billed for, from what was observed before it; it counts as observed itself from now on."""
        cache = PrefixCache(call.rules, self._entries)
        lookups = cache.lookups(call.blocks, scope=call.scope, scale=call.scale)
        since = self._since
        if shared is not None:
            entries, theirs = shared.fetch(call.scope, _shareable(call, lookups))
            self._take_in(entries)
            since = since if theirs is None else min(since, theirs)
        seen = max((end for digest, end in lookups.items() if digest in self._entries), default=0)
        self._entries.changed.clear()
        usage = cache.account(
            call.blocks,
            call.started_seconds,
            scope=call.scope,
            first_token_seconds=call.first_token_seconds,
            scale=call.scale,
        )
        if shared is not None:
            ends = enumerate(prefix_hashes(call.blocks, call.scope))
            changed = {digest: end for end, digest in ends if digest in self._entries.changed}
            kept = {digest: self._entries[digest] for digest in _shareable(call, changed)}
            shared.keep(call.scope, kept, call.started_seconds, since)
        self._bound(call.started_seconds)
        return Estimate(usage=usage, is_known=_is_known(call, lookups.values(), seen, max(since, self._gap_seconds)))

    def _take_in(self, entries: Mapping[int, CacheEntry]) -> None:
        for digest, entry in entries.items():
            own = self._entries.get(digest)
            if own is None or own.expires_seconds < entry.expires_seconds:
                ready = entry.ready_seconds if own is None else min(entry.ready_seconds, own.ready_seconds)
                self._entries[digest] = entry._replace(ready_seconds=ready)

    def _bound(self, now: float) -> None:
        """Expired entries go from time to time, and those that expire first when there are too many."""
        if len(self._entries) < self._sweep_at:
            return
        in_order = sorted(self._entries.items(), key=lambda item: item[1].expires_seconds)
        surplus = len(in_order) - 3 * self._max_entries // 4
        for number, (digest, entry) in enumerate(in_order):
            is_alive = entry.expires_seconds > now
            if is_alive and number >= surplus:
                break
            self.evicted += is_alive
            del self._entries[digest]
        self._sweep_at = min(self._max_entries, max(SWEEP_ENTRIES, 2 * len(self._entries)))


class _Entries(dict[int, CacheEntry]):
    """Remembers what was written."""

    def __init__(self) -> None:
        super().__init__()
        self.changed: set[int] = set()

    def __setitem__(self, digest: int, entry: CacheEntry) -> None:
        super().__setitem__(digest, entry)
        self.changed.add(digest)


def _is_known(call: ObservedCall, lookups: Iterable[int], seen: int, since: float) -> bool:
    """False where an entry that nobody observed may have been alive: one longer than the longest that was."""
    if call.started_seconds >= since + _longest_lifetime(call):
        return True
    prompt = sum(block.section != "messages" for block in call.blocks)
    if seen > prompt:  # this conversation's calls are among those observed
        return True
    reach = len(call.blocks) - 1 if call.continues else prompt
    return not any(seen < end <= reach for end in lookups)


def _longest_lifetime(call: ObservedCall) -> float:
    match call.rules:
        case AutomaticPrefixes():
            return call.rules.retention_seconds
        case BreakpointPrefixes():
            return LIFETIME_SECONDS["30m"]
        case _:
            return max((LIFETIME_SECONDS[block.mark] for block in call.blocks if block.mark), default=0)


def _shareable(call: ObservedCall, prefixes: Mapping[int, int]) -> list[int]:
    """Those worth a place in the shared store: all, but of the many that automatic caching has a sample.

    The sample goes by the hash, so that every replica takes the same; ends of messages are always in it.
    """
    if not isinstance(call.rules, AutomaticPrefixes):
        return list(prefixes)
    return [digest for digest, end in prefixes.items() if digest % SAMPLE == 0 or call.blocks[end - 1].is_ending]

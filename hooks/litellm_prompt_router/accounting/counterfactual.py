"""The provider's caches as they would stand if nobody's prompt had been rewritten.

Entries are hashes of prefixes with their times, never texts. They come from the calls that this process observed, and
from other replicas through a shared store. Two things follow from that:

- Of before the observation began nothing is known. A call is accounted only if no entry from then could have served
  it: ``Estimate.is_known`` is False otherwise, until the longest lifetime is over.
- Calls are observed when they end, in another order than they began in. A call that ran beside one that warmed the
  cache for it may be taken for one that found nothing cached.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from math import inf
from operator import attrgetter
from typing import Protocol

from litellm_prompt_router.cache_model import (
    AutomaticPrefixes,
    Block,
    CacheEntry,
    PrefixCache,
    Rules,
    StoredPrefixes,
    longest_lifetime_seconds,
)
from litellm_prompt_router.cache_model.prefix_cache import prefixes_of
from litellm_prompt_router.cache_model.stored_prefixes import sent_digest
from litellm_prompt_router.cache_model.usage import Usage
from litellm_prompt_router.process_memory.bounded import register_memory

MAX_ENTRIES = 200_000
"""About 40 MB. Beyond that those that expire first go, and estimates see a colder cache than there would be."""
SWEEP_ENTRIES = 4_096
_MARK, _SECTION = attrgetter("mark"), attrgetter("section")
SAMPLE = 8
"""Of the pieces that OpenAI's automatic caching matches by, one in so many is shared among replicas."""


class SharedEntries(Protocol):
    """Entries that all replicas see. Neither method raises: a store out of reach looks empty."""

    def fetch(self, scope: int, hashes: Sequence[int]) -> tuple[Mapping[int, CacheEntry], float | None]:
        """The entries found under ``hashes``, and since when any replica has observed the scope; None if none has."""
        ...

    def keep(self, scope: int, entries: Mapping[int, CacheEntry], now_seconds: float, since_seconds: float) -> None:
        """Stores entries for other replicas."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class ObservedCall:
    """One answered call. ``scope`` names the deployment's cache at the provider, the same in every process."""

    scope: int
    rules: Rules
    blocks: Sequence[Block]
    started_seconds: float
    first_token_seconds: float = 0.0
    sizes: Sequence[int] | None = None
    """Of the blocks, where they aren't their own."""
    scale: float = 1.0
    """The provider's tokens for one of the blocks'."""
    continues: bool = False
    """True when an answer is in the history: earlier calls of the conversation may have cached more than the system
    prompt."""
    unobserved_until: float = -inf
    """Until then calls may have gone unobserved that begin as this one does."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Estimate:
    """Input buckets; the output is 0. ``is_known``: nothing from before the observation can have mattered."""

    usage: Usage
    is_known: bool


def scope_in(*names: object) -> int:
    """A hash of the names, the same in every process: calls with the same one share a cache."""
    text = "\0".join(map(str, names)).encode("utf-8", "backslashreplace")
    return int.from_bytes(blake2b(text, digest_size=7).digest())


class CounterfactualCaches:
    """The entries of all deployments. Used by one thread."""

    def __init__(self, since_seconds: float, *, max_entries: int = MAX_ENTRIES) -> None:
        self._since = since_seconds
        self._gap_seconds = -inf
        self._entries = _Entries()
        self._max_entries = max_entries
        register_memory(self, "modelled cache entries", max_entries, lambda it: len(it._entries))
        self._sweep_at = min(SWEEP_ENTRIES, max_entries)

    def __len__(self) -> int:
        return len(self._entries)

    def observe_anew(self, now_seconds: float) -> None:
        """Tells that calls before this moment may have gone unobserved, though others were observed before them."""
        self._gap_seconds = max(self._gap_seconds, now_seconds)

    def account(self, call: ObservedCall, shared: SharedEntries | None = None) -> Estimate:
        """What the call would be billed for, given the calls observed so far; it is observed itself by this."""
        cache = PrefixCache(call.rules, self._entries)
        prefixes = prefixes_of(call.blocks, call.scope, call.scale, call.sizes)
        lookups = cache.lookups(call.blocks, prefixes=prefixes)
        since = self._since
        if shared is not None:
            entries, theirs = shared.fetch(call.scope, _shareable(call, _with_sent(call, lookups)))
            self._merge(entries)
            since = since if theirs is None else min(since, theirs)
        seen = max((end for digest, end in lookups.items() if digest in self._entries), default=0)
        self._entries.changed.clear()
        usage = cache.account(
            call.blocks,
            call.started_seconds,
            first_token_seconds=call.first_token_seconds,
            prefixes=prefixes,
        )
        if shared is not None:
            ends = {digest: end for end, digest in enumerate(prefixes.hashes) if end}
            known = _with_sent(call, ends)
            changed = {digest: end for digest, end in known.items() if digest in self._entries.changed}
            kept = {digest: self._entries[digest] for digest in _shareable(call, changed)}
            shared.keep(call.scope, kept, call.started_seconds, since)
        self._bound(call.started_seconds)
        gap = max(self._gap_seconds, call.unobserved_until)
        return Estimate(usage=usage, is_known=_is_known(call, lookups.values(), seen, since, gap))

    def _merge(self, entries: Mapping[int, CacheEntry]) -> None:
        for digest, entry in entries.items():
            own = self._entries.get(digest)
            if own is None or own.expires_seconds < entry.expires_seconds:
                ready = entry.ready_seconds if own is None else min(entry.ready_seconds, own.ready_seconds)
                self._entries[digest] = entry._replace(ready_seconds=ready)

    def _bound(self, now: float) -> None:
        """Removes expired entries from time to time, and where there are too many those that expire first."""
        if len(self._entries) < self._sweep_at:
            return
        in_order = sorted(self._entries.items(), key=lambda item: item[1].expires_seconds)
        surplus = len(in_order) - 3 * self._max_entries // 4
        for number, (digest, entry) in enumerate(in_order):
            if entry.expires_seconds > now and number >= surplus:
                break
            del self._entries[digest]
        self._sweep_at = min(self._max_entries, max(SWEEP_ENTRIES, 2 * len(self._entries)))


class _Entries(dict[int, CacheEntry]):
    """A dict that remembers which keys were set."""

    def __init__(self) -> None:
        super().__init__()
        self.changed: set[int] = set()

    def __setitem__(self, digest: int, entry: CacheEntry) -> None:
        super().__setitem__(digest, entry)
        self.changed.add(digest)


def _is_known(call: ObservedCall, lookups: Iterable[int], seen: int, since: float, gap: float) -> bool:
    """False where an unobserved entry may have served the call: one longer than the longest observed.

    Shortly after a ``gap`` in what was observed nothing is known: what was cached in it lives on, and was extended.
    """
    lifetime_seconds = longest_lifetime_seconds(call.rules, map(_MARK, call.blocks))
    if call.started_seconds < gap + lifetime_seconds:
        return False
    if call.started_seconds >= since + lifetime_seconds:
        return True
    prompt = len(call.blocks) - list(map(_SECTION, call.blocks)).count("messages")
    if seen > prompt:  # this conversation's calls are among those observed
        return True
    reach = len(call.blocks) - 1 if call.continues else prompt
    return not any(seen < end <= reach for end in lookups)


def _with_sent(call: ObservedCall, prefixes: Mapping[int, int]) -> Mapping[int, int]:
    """The prefixes, and where the provider finds what requests share the hashes that say which were sent."""
    if not isinstance(call.rules, StoredPrefixes):
        return prefixes
    return {**prefixes, **{sent_digest(digest): end for digest, end in prefixes.items()}}


def _shareable(call: ObservedCall, prefixes: Mapping[int, int]) -> list[int]:
    """The hashes to share: all, but of the many of automatic caching a sample.

    The sample goes by the hash, so that every replica takes the same one; ends of messages are always in it.
    """
    if not isinstance(call.rules, AutomaticPrefixes | StoredPrefixes):
        return list(prefixes)
    return [digest for digest, end in prefixes.items() if digest % SAMPLE == 0 or call.blocks[end - 1].is_ending]

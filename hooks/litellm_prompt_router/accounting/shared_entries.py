"""Entries of the counterfactual caches in LiteLLM's Redis, so that replicas and workers account as one.

One read and one pipeline a call, from the accounting thread; keys are hashes under a prefix of ours, behind LiteLLM's
own namespace, and every key expires with its entry. A Redis out of reach costs one time-out, then it isn't asked for
a while, in which each process knows its own calls alone.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from litellm_prompt_router.cache_model import CacheEntry
from litellm_prompt_router.cache_model.host_caches import LONGEST_LIFETIME_SECONDS

PREFIX = "prompt_router:cache:1"
SINCE_SECONDS = LONGEST_LIFETIME_SECONDS
"""The longest lifetime of any provider's entry: what was observed before that no longer matters."""
PAUSE_SECONDS = 30.0


class RedisEntries:
    """``SharedEntries`` in a Redis. ``cache`` is LiteLLM's; ``report`` is told of failures."""

    def __init__(self, cache: Any, report: Callable[[str], None]) -> None:
        self._cache = cache
        self._report = report
        self._paused_until = 0.0

    def fetch(self, scope: int, hashes: Sequence[int]) -> tuple[Mapping[int, CacheEntry], float | None]:
        names = [self._since(scope), *(self._name(digest) for digest in hashes)]
        found = self._attempt(lambda: self._cache.redis_client.mget(names)) or [None] * len(names)
        entries = {digest: _entry(value) for digest, value in zip(hashes, found[1:], strict=True) if value is not None}
        known = {digest: entry for digest, entry in entries.items() if entry is not None}
        return known, None if found[0] is None else float(found[0])

    def keep(self, scope: int, entries: Mapping[int, CacheEntry], now_seconds: float, since_seconds: float) -> None:
        def write() -> None:
            pipe = self._cache.redis_client.pipeline(transaction=False)
            since = self._since(scope)
            pipe.set(since, repr(since_seconds), ex=SINCE_SECONDS, nx=True)
            pipe.expire(since, SINCE_SECONDS)
            for digest, entry in entries.items():
                seconds = math.ceil(entry.expires_seconds - now_seconds)
                if seconds > 0:
                    pipe.set(self._name(digest), _text(entry), ex=seconds)
            pipe.execute()

        self._attempt(write)

    def _attempt(self, call: Callable[[], Any]) -> Any:
        if time.monotonic() < self._paused_until:
            return None
        try:
            return call()
        except Exception as error:  # the client's own and the network's: whatever it is, the next pause ends it
            self._paused_until = time.monotonic() + PAUSE_SECONDS
            self._report(f"{type(error).__name__}: replicas don't see each other's calls for {PAUSE_SECONDS:.0f} s")
            return None

    def _name(self, digest: int) -> str:
        return str(self._cache.check_and_fix_namespace(key=f"{PREFIX}:{digest:016x}"))

    def _since(self, scope: int) -> str:
        return str(self._cache.check_and_fix_namespace(key=f"{PREFIX}:since:{scope:016x}"))


def _text(entry: CacheEntry) -> str:
    return f"{entry.ready_seconds!r} {entry.expires_seconds!r} {entry.lifetime_seconds!r}"


def _entry(value: bytes | str) -> CacheEntry | None:
    text = value.decode() if isinstance(value, bytes) else value
    try:
        ready, expires, lifetime = map(float, text.split())
    except ValueError:
        return None
    return CacheEntry(ready, expires, lifetime)

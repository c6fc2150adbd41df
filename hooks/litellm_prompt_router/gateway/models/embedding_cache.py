"""The vectors of messages that were asked for in this process: a bounded memory, filled by one call for each request.

What failed is remembered too, for as long as it is asked for again: a message that was scored by its words alone
stays so, and its conversation keeps its prompt. Where LiteLLM's cache has a Redis, replicas share both through it.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from litellm_prompt_router.process_memory.bounded import register_memory
from litellm_prompt_router.request.route import MessageEmbedding

MAX_ENTRIES = 4_096
"""About 12 MB of vectors of 1,536 numbers. No text is kept, only its hash."""
MAX_TEXTS = 64
"""Asked for in one request; further messages of a long conversation are scored by their words."""
FAILURE_SECONDS = 3_600.0
"""How long a failure holds after it was last asked for: longer than any provider keeps a prompt."""
PAUSE_SECONDS = 10.0
"""After a failure nobody waits for the model for so long."""
OF_THE_TEXT = frozenset({400, 413, 422})
"""Refusals that say nothing of other texts."""
SHARED_SECONDS = 0.05
"""Of the timeout, for Redis to answer."""
SHARED_TTL_SECONDS = 7 * 86_400
"""How long replicas share a vector through Redis; in memory the MAX_ENTRIES used last stay."""
SHARED_PREFIX = "prompt_router:meaning:"
PROBLEM = "Embedding model failed"

Ask = Callable[[str, Sequence[str], float], Awaitable[Sequence[MessageEmbedding | None]]]
"""``(model, texts, timeout in seconds)`` to a vector each; None where that text's didn't come in time."""
Tell = Callable[[str, Sequence[str]], None]
"""Told of a problem: its title, and lines."""
_Key = tuple[str, int, int]


@dataclass(frozen=True, kw_only=True, slots=True)
class TextsToEmbed:
    """The texts of one request that nobody asked this model for so far."""

    model: str
    texts: tuple[str, ...]
    timeout_seconds: float


class ModelNotReadyError(Exception):
    """A model of this machine that is still being loaded. Texts asked for meanwhile stay with their words, so that
    their conversations keep their prompts; for others it is no failure.
    """


class EmbeddingCache:
    """Vectors by model and text. ``known`` and ``never_asked`` look in memory; ``fetch`` asks and never raises."""

    def __init__(self, ask: Ask, tell: Tell, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._ask = ask
        self._tell = tell
        self._clock = clock
        self._entries: OrderedDict[_Key, MessageEmbedding | float] = OrderedDict()
        register_memory(self, "embeddings", MAX_ENTRIES, lambda it: len(it._entries))
        """A float: until then the failure holds."""
        self._pending: dict[_Key, asyncio.Task[None]] = {}
        self._paused_until: dict[str, float] = {}
        self._writing: set[asyncio.Task[None]] = set()

    def known(self, model: str, texts: Sequence[str]) -> Mapping[str, MessageEmbedding]:
        """The vectors of those of the texts that have one."""
        found = {text: self._get(_key(model, text)) for text in texts}
        return {text: embedding for text, embedding in found.items() if isinstance(embedding, MessageEmbedding)}

    def never_asked(self, model: str, texts: Sequence[str]) -> Sequence[str]:
        """Those of the texts that have neither a vector nor a failure."""
        return [text for text in texts if self._get(_key(model, text)) is None]

    async def fetch(self, model: str, texts: Sequence[str], timeout_seconds: float, shared: Any = None) -> None:
        """Waits until each text has its vector, or has failed. ``shared``: LiteLLM's Redis cache, if there is one."""
        wanted = self.never_asked(model, texts)
        waiting = {task for text in wanted if (task := self._pending.get(_key(model, text))) is not None}
        fresh = [text for text in wanted if _key(model, text) not in self._pending]
        if fresh:
            task = asyncio.create_task(self._fetch(model, fresh, timeout_seconds, shared))
            self._pending.update(dict.fromkeys((_key(model, text) for text in fresh), task))
            waiting.add(task)
        if waiting:
            await asyncio.wait(waiting)  # a client that goes away ends the wait, not what others wait for

    async def _fetch(self, model: str, texts: Sequence[str], timeout_seconds: float, shared: Any) -> None:
        found: dict[str, MessageEmbedding | None] = {}
        asked: Sequence[str] = ()
        try:
            async with asyncio.timeout(timeout_seconds) as limit:
                found.update(await _read_shared(shared, model, texts))
                left = [text for text in texts if text not in found]
                if left and self._clock() >= self._paused_until.get(model, 0.0):
                    asked = left[:MAX_TEXTS]
                    seconds = max(0.0, (limit.when() or 0.0) - asyncio.get_running_loop().time())
                    found.update(zip(asked, await self._ask(model, asked, seconds), strict=True))
            late = sum(found.get(text) is None for text in asked)
            if late:
                self._tell(PROBLEM, (f"{model}: no answer in time; messages are scored by their words alone",))
        except ModelNotReadyError:
            pass
        except Exception as error:
            if getattr(error, "status_code", None) not in OF_THE_TEXT:
                self._paused_until[model] = self._clock() + PAUSE_SECONDS
            why = "no answer in time" if isinstance(error, TimeoutError) else type(error).__name__
            self._tell(PROBLEM, (f"{model}: {why}; messages are scored by their words alone",))
        finally:
            for text in texts:
                key = _key(model, text)
                self._put(key, found.get(text) or self._clock() + FAILURE_SECONDS)
                self._pending.pop(key, None)
        self._share(shared, model, {text: found.get(text) for text in texts if text in asked or text not in found})

    def _get(self, key: _Key) -> MessageEmbedding | float | None:
        """What is known; a failure that is asked for holds anew."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        if not isinstance(entry, MessageEmbedding):
            now = self._clock()
            if entry < now:
                del self._entries[key]
                return None
            entry = self._entries[key] = now + FAILURE_SECONDS
        self._entries.move_to_end(key)
        return entry

    def _put(self, key: _Key, entry: MessageEmbedding | float) -> None:
        self._entries[key] = entry
        self._entries.move_to_end(key)
        while len(self._entries) > MAX_ENTRIES:
            self._entries.popitem(last=False)

    def _share(self, shared: Any, model: str, found: Mapping[str, MessageEmbedding | None]) -> None:
        """Writes to Redis behind the request's back."""
        if shared is not None and found:
            task = asyncio.create_task(_write_shared(shared, model, found))
            self._writing.add(task)
            task.add_done_callback(self._writing.discard)


def _key(model: str, text: str) -> _Key:
    return (model, hash(text), len(text))


def _shared_key(model: str, text: str) -> str:
    digest = hashlib.sha256(f"{model}\0{text}".encode("utf-8", "backslashreplace"))
    return f"{SHARED_PREFIX}{digest.hexdigest()}"


async def _read_shared(shared: Any, model: str, texts: Sequence[str]) -> dict[str, MessageEmbedding | None]:
    """What replicas know, failures too; nothing when Redis doesn't answer at once."""
    if shared is None:
        return {}
    keys = {_shared_key(model, text): text for text in texts}
    try:
        async with asyncio.timeout(SHARED_SECONDS):
            answer = await shared.async_batch_get_cache(list(keys))
        stored = {keys[key]: entry["vector"] for key, entry in answer.items() if isinstance(entry, dict)}
        return {text: MessageEmbedding.unpacked(base64.b64decode(packed)) for text, packed in stored.items()}
    except Exception:
        return {}


async def _write_shared(shared: Any, model: str, found: Mapping[str, MessageEmbedding | None]) -> None:
    for is_failure, ttl in ((False, SHARED_TTL_SECONDS), (True, int(FAILURE_SECONDS))):
        pairs = [
            (_shared_key(model, text), {"vector": base64.b64encode(embedding.packed()).decode() if embedding else ""})
            for text, embedding in found.items()
            if (embedding is None) is is_failure
        ]
        try:
            if pairs:
                await shared.async_set_cache_pipeline(pairs, ttl=ttl)
        except Exception:
            return

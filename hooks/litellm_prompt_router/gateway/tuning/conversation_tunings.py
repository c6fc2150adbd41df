"""By which tuning each conversation goes: by the one that it began with, in every worker and replica.

As long as a profile has one tuning that any conversation can go by, no request waits: who sees a conversation begin
has that noted in the background. From the moment that another tuning is announced until nobody goes by the older one
any more, processes agree on each conversation through a store, once: who sees it first notes its tuning before the
request goes on, and who doesn't know it looks before it decides.
Where the store doesn't answer, a conversation begins under the oldest tuning, which is also what others make of one
that isn't noted anywhere.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from litellm_prompt_router.gateway.models.agreed_values import AgreedStore, FileValues, RedisValues
from litellm_prompt_router.policy.tuning_state import KEPT_SECONDS
from litellm_prompt_router.policy.tunings import ProfileTunings, TuningStep
from litellm_prompt_router.process_memory.bounded import register_memory
from litellm_prompt_router.request.types import Request

SHARED_PREFIX = "prompt_router:tuning:1:"
FILE_NAME = "conversation_tunings.sqlite3"
MAX_CONVERSATIONS = 50_000
"""In memory, about 10 MB; of one that was forgotten the store still knows."""
MAX_NOTED = 500_000
"""In the file, about 60 MB."""
BEGIN_SECONDS = 0.5
"""For the store to take note of a conversation that begins; it takes about a millisecond."""
BUSY_SECONDS = 0.4
"""How long the file's thread waits for another process to finish writing."""
LOOK_SECONDS = 1.0
"""For the store to say what a conversation goes by that has a history: a wrong guess would change its prompt."""
WRITE_SECONDS = 60.0
"""For what nobody waits for."""
RENEW_SECONDS = 6 * 3_600.0

TuningStore = AgreedStore[str]


class RedisTunings(RedisValues[str]):
    """LiteLLM's Redis."""

    def __init__(self, cache: Any) -> None:
        super().__init__(cache, SHARED_PREFIX, str, _text)

    async def agree(self, key: str, value: str, ttl_seconds: int) -> str:
        """Raises ConnectionError where nothing is there afterwards: LiteLLM's cache hides failures (1.106)."""
        if await self._cache.async_set_cache(SHARED_PREFIX + key, value, ttl=ttl_seconds, nx=True):
            return value
        found = await self._cache.async_get_cache(SHARED_PREFIX + key)
        if found is None:
            raise ConnectionError("nothing was written")
        return _text(found)


class FileTunings(FileValues[str]):
    """A file of this folder."""

    def __init__(self, folder: Path) -> None:
        super().__init__(
            folder / FILE_NAME, str, _text, "prompt-router-tunings", max_rows=MAX_NOTED, busy_seconds=BUSY_SECONDS
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class TuningToAgree:
    """A conversation that this process doesn't know. ``proposed``: what it goes by where nobody else knows either."""

    conversation: str
    proposed: str
    oldest: str
    is_beginning: bool


@dataclass(slots=True)
class _Known:
    step: str
    renew_at: float


class ConversationTunings:
    """What conversations go by, in this process's memory. For one event loop. ``clock``: Unix seconds.

    ``folder``: where processes agree that have no Redis in common.
    """

    def __init__(self, folder: Path | None = None, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._file = FileTunings(folder) if folder is not None else None
        self._store: TuningStore | None = self._file
        self._redis: Any = None
        self._known: OrderedDict[str, _Known] = OrderedDict()
        register_memory(self, "conversation tunings", MAX_CONVERSATIONS, lambda it: len(it._known))
        self._background: set[asyncio.Task[Any]] = set()

    def share_through(self, redis: Any) -> None:
        """Takes LiteLLM's Redis in place of the file, if it has one."""
        if redis is not self._redis:
            self._redis = redis
            self._store = self._file if redis is None else RedisTunings(redis)

    def step_of(
        self, profile: str, conversation: str, request: Request, tunings: ProfileTunings
    ) -> TuningStep | TuningToAgree:
        """What the conversation goes by, or what has to be agreed on first. Doesn't wait."""
        now = self._clock()
        alive = tunings.alive(now)
        key = f"{profile}:{conversation}"
        known = self._known.get(key)
        if known is not None:
            step = next((step for step in alive if step.id == known.step), None)
            if step is not None:
                self._in_use(key, known, now)
                return step
            del self._known[key]
        is_beginning = begins(request)
        step = tunings.newest(now) if is_beginning else alive[0]
        if len(alive) > 1:
            return TuningToAgree(conversation=key, proposed=step.id, oldest=alive[0].id, is_beginning=is_beginning)
        self._note(key, step.id, now)
        if is_beginning and self._store is not None:
            self._in_the_background(self._store.agree(key, step.id, int(KEPT_SECONDS)))
        return step

    async def agree(self, wanted: TuningToAgree) -> None:
        """Has the conversation's tuning in memory afterwards, whatever happens."""
        store = self._store
        key, step = wanted.conversation, wanted.proposed if store is None else wanted.oldest
        if store is not None:
            try:
                async with asyncio.timeout(BEGIN_SECONDS if wanted.is_beginning else LOOK_SECONDS):
                    step = await _agreed(store, wanted)
            except Exception:
                if wanted.is_beginning:  # it may have been noted all the same, under what it doesn't go by
                    self._in_the_background(store.renew(key, step, int(KEPT_SECONDS)))
        if key not in self._known:  # else another request was quicker
            self._note(key, step, self._clock())

    def agreed(self, wanted: TuningToAgree, tunings: ProfileTunings) -> TuningStep:
        """What the conversation goes by, once that was agreed on."""
        known = self._known.get(wanted.conversation)
        alive = tunings.alive(self._clock())
        return next((step for step in alive if known is not None and step.id == known.step), alive[0])

    def close(self) -> None:
        """Writes what waits. May be called again."""
        if self._file is not None:
            self._file.close()

    def _note(self, key: str, step: str, now: float) -> None:
        self._known[key] = _Known(step, now + RENEW_SECONDS)
        if len(self._known) > MAX_CONVERSATIONS:
            self._known.popitem(last=False)

    def _in_use(self, key: str, known: _Known, now: float) -> None:
        self._known.move_to_end(key)
        if self._store is not None and now >= known.renew_at:
            known.renew_at = now + RENEW_SECONDS
            self._in_the_background(self._store.renew(key, known.step, int(KEPT_SECONDS)))

    def _in_the_background(self, work: Coroutine[Any, Any, Any]) -> None:
        task = asyncio.create_task(_quietly(work))
        self._background.add(task)
        task.add_done_callback(self._background.discard)


def begins(request: Request) -> bool:
    """Whether the model has said nothing yet since the user's first message: the conversation begins with this call."""
    if request.missing_history is not None:
        return False
    has_begun = False
    for turn in request.turns:
        if turn.role == "user":
            has_begun = True
        elif turn.role == "assistant" and has_begun:
            return False
    return True


async def _agreed(store: TuningStore, wanted: TuningToAgree) -> str:
    if not wanted.is_beginning:
        found = await store.read([wanted.conversation])
        if wanted.conversation in found:
            return found[wanted.conversation]
    return await store.agree(wanted.conversation, wanted.proposed, int(KEPT_SECONDS))


async def _quietly(work: Coroutine[Any, Any, Any]) -> None:
    try:
        async with asyncio.timeout(WRITE_SECONDS):
            await work
    except Exception:
        return


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("no tuning")
    return value

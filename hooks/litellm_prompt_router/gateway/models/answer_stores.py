"""Where answers of routing models outlive a process: LiteLLM's Redis, else a file beside the status files.

Both hold hashes of questions, and ids of modules or the word that there was no answer: no text. What is there first
stays, so that processes which ask the same at once go by the same answer. Nothing here is done on the event loop:
Redis is awaited, and the file has a thread of its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sqlite3
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Protocol

from litellm_prompt_router.request.route import RoutingAnswer

SHARED_PREFIX = "prompt_router:answer:1:"
FILE_NAME = "routing_answers.sqlite3"
MAX_ROWS = 200_000
"""About 40 MB; beyond it the oldest go."""
PRUNE_EVERY = 1_000
"""Answers written between two clearings."""
BUSY_SECONDS = 0.05
"""How long the file's thread waits for another process to finish writing."""

StoredAnswer = RoutingAnswer | None
"""None: it was asked in vain, and its message stays routed without an answer."""


class AnswerStore(Protocol):
    """Answers by key. Either method may raise, and may take longer than the caller waits."""

    async def read(self, keys: Sequence[str]) -> Mapping[str, StoredAnswer]:
        """Those that are there."""
        ...

    async def agree(self, key: str, answer: StoredAnswer, ttl_seconds: int) -> StoredAnswer:
        """Stores the answer unless there is one; returns the one that is there then."""
        ...

    async def renew(self, key: str, answer: StoredAnswer, ttl_seconds: int) -> None:
        """Stores the answer that holds, for so long from now on."""
        ...


class RedisAnswers:
    """LiteLLM's Redis cache, shared by replicas and workers."""

    def __init__(self, cache: Any) -> None:
        self._cache = cache

    async def read(self, keys: Sequence[str]) -> Mapping[str, StoredAnswer]:
        names = {SHARED_PREFIX + key: key for key in keys}
        found = await self._cache.async_batch_get_cache(list(names))
        return {names[name]: _read(value) for name, value in found.items() if name in names and value is not None}

    async def agree(self, key: str, answer: StoredAnswer, ttl_seconds: int) -> StoredAnswer:
        name = SHARED_PREFIX + key
        if await self._cache.async_set_cache(name, _written(answer), ttl=ttl_seconds, nx=True):
            return answer
        found = await self._cache.async_get_cache(name)
        return answer if found is None else _read(found)

    async def renew(self, key: str, answer: StoredAnswer, ttl_seconds: int) -> None:
        await self._cache.async_set_cache(SHARED_PREFIX + key, _written(answer), ttl=ttl_seconds)


class FileAnswers:
    """A SQLite file, shared by the workers of one machine and found again after a restart."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE_NAME
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="prompt-router-answers")
        self._connection: sqlite3.Connection | None = None
        self._written = 0

    async def read(self, keys: Sequence[str]) -> Mapping[str, StoredAnswer]:
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._select, tuple(keys))

    async def agree(self, key: str, answer: StoredAnswer, ttl_seconds: int) -> StoredAnswer:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, self._insert, key, answer, ttl_seconds)

    async def renew(self, key: str, answer: StoredAnswer, ttl_seconds: int) -> None:
        await asyncio.get_running_loop().run_in_executor(self._thread, self._replace, key, answer, ttl_seconds)

    def close(self) -> None:
        """Writes what waits, and closes the file. May be called again, and when the interpreter ends."""
        self._thread.shutdown(wait=True)
        self._disconnect()

    # In the file's thread

    def _select(self, keys: tuple[str, ...]) -> dict[str, StoredAnswer]:
        database, now = self._connected(), time.time()
        found: dict[str, StoredAnswer] = {}
        for key in keys:
            row = database.execute("SELECT answer FROM answers WHERE key = ? AND until > ?", (key, now)).fetchone()
            if row is not None:
                found[key] = _read(json.loads(row[0]))
        return found

    def _insert(self, key: str, answer: StoredAnswer, ttl_seconds: int) -> StoredAnswer:
        database, now = self._connected(), time.time()
        text = json.dumps(_written(answer))
        with database:  # one that has run out makes room
            database.execute(
                "INSERT INTO answers VALUES (?, ?, ?) ON CONFLICT (key) DO UPDATE"
                " SET answer = excluded.answer, until = excluded.until WHERE answers.until <= ?",
                (key, text, now + ttl_seconds, now),
            )
            row = database.execute("SELECT answer FROM answers WHERE key = ?", (key,)).fetchone()
        self._written += 1
        if self._written % PRUNE_EVERY == 0:
            _prune(database, now)
        return answer if row is None else _read(json.loads(row[0]))

    def _replace(self, key: str, answer: StoredAnswer, ttl_seconds: int) -> None:
        with self._connected() as database:
            values = (key, json.dumps(_written(answer)), time.time() + ttl_seconds)
            database.execute("INSERT OR REPLACE INTO answers VALUES (?, ?, ?)", values)

    def _connected(self) -> sqlite3.Connection:
        """The file, made where there is none, readable by its owner only; one that is broken is begun anew."""
        if self._connection is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            try:
                self._connection = _opened(self._path)
            except sqlite3.DatabaseError as error:
                if isinstance(error, sqlite3.OperationalError):
                    raise
                self._path.replace(self._path.with_suffix(".broken"))
                self._connection = _opened(self._path)
        return self._connection

    def _disconnect(self) -> None:
        if self._connection is not None:
            with contextlib.suppress(sqlite3.Error):
                self._connection.close()
            self._connection = None


def _opened(path: Path) -> sqlite3.Connection:
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    database = sqlite3.connect(path, timeout=BUSY_SECONDS, check_same_thread=False)
    try:
        # A crash of the machine may cost the last answers, never the file (sqlite.org, "PRAGMA synchronous").
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = NORMAL")
        with database:
            database.execute(
                "CREATE TABLE IF NOT EXISTS answers (key TEXT PRIMARY KEY, answer TEXT NOT NULL, until REAL NOT NULL)"
            )
        _prune(database, time.time())
    except sqlite3.Error:
        database.close()
        raise
    return database


def _prune(database: sqlite3.Connection, now: float) -> None:
    with database:
        database.execute("DELETE FROM answers WHERE until <= ?", (now,))
        database.execute(
            "DELETE FROM answers WHERE rowid IN (SELECT rowid FROM answers ORDER BY until DESC LIMIT -1 OFFSET ?)",
            (MAX_ROWS,),
        )


def _written(answer: StoredAnswer) -> Any:
    return {} if answer is None else {"needed": list(answer.needed), "perhaps": list(answer.perhaps)}


def _read(value: Any) -> StoredAnswer:
    """Raises TypeError for what isn't ours."""
    if not isinstance(value, dict):
        raise TypeError("no answer")
    if not value:
        return None
    needed, perhaps = value.get("needed"), value.get("perhaps")
    if not isinstance(needed, list) or not isinstance(perhaps, list):
        raise TypeError("no answer")
    return RoutingAnswer(needed=tuple(map(str, needed)), perhaps=tuple(map(str, perhaps)))

"""Values that processes agree on: LiteLLM's Redis, else a file beside the status files. What is there first stays.

Nothing here is done on the event loop: Redis is awaited, and the file has a thread of its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sqlite3
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

MAX_ROWS = 200_000
"""About 40 MB of answers; beyond it the oldest go."""
PRUNE_EVERY = 1_000
"""Values written between two clearings."""
BUSY_SECONDS = 0.05
"""How long the file's thread waits for another process to finish writing."""

Value = TypeVar("Value")


class AgreedStore(Protocol[Value]):
    """Values by key. Any method may raise, and may take longer than the caller waits."""

    async def read(self, keys: Sequence[str]) -> Mapping[str, Value]:
        """Those that are there."""
        ...

    async def agree(self, key: str, value: Value, ttl_seconds: int) -> Value:
        """Stores the value unless there is one; returns the one that is there then."""
        ...

    async def renew(self, key: str, value: Value, ttl_seconds: int) -> None:
        """Stores the value that holds, for so long from now on."""
        ...


class RedisValues(Generic[Value]):
    """LiteLLM's Redis cache, shared by replicas and workers.

    ``written`` makes plain JSON of a value, and ``read`` the value of that; it raises TypeError for what isn't ours.
    """

    def __init__(self, cache: Any, prefix: str, written: Callable[[Value], Any], read: Callable[[Any], Value]) -> None:
        self._cache = cache
        self._prefix = prefix
        self._written = written
        self._read = read

    async def read(self, keys: Sequence[str]) -> Mapping[str, Value]:
        names = {self._prefix + key: key for key in keys}
        found = await self._cache.async_batch_get_cache(list(names))
        return {names[name]: self._read(value) for name, value in found.items() if name in names and value is not None}

    async def agree(self, key: str, value: Value, ttl_seconds: int) -> Value:
        name = self._prefix + key
        if await self._cache.async_set_cache(name, self._written(value), ttl=ttl_seconds, nx=True):
            return value
        found = await self._cache.async_get_cache(name)
        return value if found is None else self._read(found)

    async def renew(self, key: str, value: Value, ttl_seconds: int) -> None:
        await self._cache.async_set_cache(self._prefix + key, self._written(value), ttl=ttl_seconds)


class FileValues(Generic[Value]):
    """A SQLite file, shared by the workers of one machine and found again after a restart."""

    def __init__(
        self,
        path: Path,
        written: Callable[[Value], Any],
        read: Callable[[Any], Value],
        thread_name: str,
        *,
        max_rows: int = MAX_ROWS,
        busy_seconds: float = BUSY_SECONDS,
    ) -> None:
        self._path = path
        self._as_json = written
        self._from_json = read
        self._max_rows = max_rows
        self._busy_seconds = busy_seconds
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix=thread_name)
        self._connection: sqlite3.Connection | None = None
        self._written = 0

    async def read(self, keys: Sequence[str]) -> Mapping[str, Value]:
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._select, tuple(keys))

    async def agree(self, key: str, value: Value, ttl_seconds: int) -> Value:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, self._insert, key, value, ttl_seconds)

    async def renew(self, key: str, value: Value, ttl_seconds: int) -> None:
        await asyncio.get_running_loop().run_in_executor(self._thread, self._replace, key, value, ttl_seconds)

    def close(self) -> None:
        """Writes what waits, and closes the file. May be called again, and when the interpreter ends."""
        self._thread.shutdown(wait=True)
        self._disconnect()

    # In the file's thread

    def _select(self, keys: tuple[str, ...]) -> dict[str, Value]:
        database, now = self._connected(), time.time()
        found: dict[str, Value] = {}
        for key in keys:
            row = database.execute("SELECT answer FROM answers WHERE key = ? AND until > ?", (key, now)).fetchone()
            if row is not None:
                found[key] = self._from_json(json.loads(row[0]))
        return found

    def _insert(self, key: str, value: Value, ttl_seconds: int) -> Value:
        database, now = self._connected(), time.time()
        text = json.dumps(self._as_json(value))
        with database:  # one that has run out makes room
            database.execute(
                "INSERT INTO answers VALUES (?, ?, ?) ON CONFLICT (key) DO UPDATE"
                " SET answer = excluded.answer, until = excluded.until WHERE answers.until <= ?",
                (key, text, now + ttl_seconds, now),
            )
            row = database.execute("SELECT answer FROM answers WHERE key = ?", (key,)).fetchone()
        self._prune_at_times(database, now)
        return value if row is None else self._from_json(json.loads(row[0]))

    def _replace(self, key: str, value: Value, ttl_seconds: int) -> None:
        database, now = self._connected(), time.time()
        with database:
            values = (key, json.dumps(self._as_json(value)), now + ttl_seconds)
            database.execute("INSERT OR REPLACE INTO answers VALUES (?, ?, ?)", values)
        self._prune_at_times(database, now)

    def _prune_at_times(self, database: sqlite3.Connection, now: float) -> None:
        """Drops what has run out and what is beyond the limit, with each so many values written."""
        self._written += 1
        if self._written % PRUNE_EVERY == 0:
            _prune(database, now, self._max_rows)

    def _connected(self) -> sqlite3.Connection:
        """The file, made where there is none, readable by its owner only; one that is broken is begun anew."""
        if self._connection is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            try:
                self._connection = _opened(self._path, self._max_rows, self._busy_seconds)
            except sqlite3.DatabaseError as error:
                if isinstance(error, sqlite3.OperationalError):
                    raise
                self._path.replace(self._path.with_suffix(".broken"))
                self._connection = _opened(self._path, self._max_rows, self._busy_seconds)
        return self._connection

    def _disconnect(self) -> None:
        if self._connection is not None:
            with contextlib.suppress(sqlite3.Error):
                self._connection.close()
            self._connection = None


def _opened(path: Path, max_rows: int, busy_seconds: float) -> sqlite3.Connection:
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    database = sqlite3.connect(path, timeout=busy_seconds, check_same_thread=False)
    try:
        # A crash of the machine may cost the last values, never the file (sqlite.org, "PRAGMA synchronous").
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = NORMAL")
        with database:
            database.execute(
                "CREATE TABLE IF NOT EXISTS answers (key TEXT PRIMARY KEY, answer TEXT NOT NULL, until REAL NOT NULL)"
            )
        _prune(database, time.time(), max_rows)
    except sqlite3.Error:
        database.close()
        raise
    return database


def _prune(database: sqlite3.Connection, now: float, max_rows: int) -> None:
    with database:
        database.execute("DELETE FROM answers WHERE until <= ?", (now,))
        database.execute(
            "DELETE FROM answers WHERE rowid IN (SELECT rowid FROM answers ORDER BY until DESC LIMIT -1 OFFSET ?)",
            (max_rows,),
        )

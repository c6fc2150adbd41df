"""Where the workers' state of tuning is: a file that each writes under a lock, and LiteLLM's Redis for replicas.

Both hold the whole state. What one lacks is taken from the other, so a Redis that forgets and a replica that was away
lose nothing.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

from litellm_prompt_router.documents.errors import ConfigurationError
from litellm_prompt_router.policy.tuning_state import (
    EMPTY_STATE,
    MAX_STATE_BYTES,
    STATE_NAME,
    TuningState,
    parse_state,
    read_state,
    write_state,
)

SHARED_NAME = "prompt_router:tuning_state:1"
LOCK_NAME = "prompt_router:tuning_lock:1"


class SharedState(Protocol):
    """What replicas have in common. Every method raises where it is out of reach."""

    def read(self) -> str | None: ...

    def write(self, text: str) -> None: ...

    def lock(self, seconds: float) -> Callable[[], None] | None:
        """Takes the lock for so long; what gives it back, or None where another replica has it."""


class RedisState:
    """LiteLLM's Redis, by its client that isn't of the event loop. ``cache`` is LiteLLM's."""

    def __init__(self, cache: Any) -> None:
        self._client = cache.redis_client
        self._state = str(cache.check_and_fix_namespace(key=SHARED_NAME))
        self._lock = str(cache.check_and_fix_namespace(key=LOCK_NAME))

    def read(self) -> str | None:
        found = self._client.get(self._state)
        if found is None or len(found) > MAX_STATE_BYTES:
            return None
        return found.decode("utf-8", "replace") if isinstance(found, bytes) else str(found)

    def write(self, text: str) -> None:
        self._client.set(self._state, text)

    def lock(self, seconds: float) -> Callable[[], None] | None:
        token = secrets.token_hex(8)
        if not self._client.set(self._lock, token, nx=True, ex=max(1, int(seconds))):
            return None

        def give_back() -> None:
            held = self._client.get(self._lock)
            if held in (token, token.encode()):
                self._client.delete(self._lock)

        return give_back


class StatePlace:
    """The state in a folder. ``shared``: looks LiteLLM's Redis up; None while there is none."""

    def __init__(self, folder: Path, shared: Callable[[], SharedState | None]) -> None:
        self._folder = folder
        self._shared = shared

    def change(self, changed: Callable[[TuningState], TuningState]) -> TuningState:
        """Writes what ``changed`` makes of the state, here at once, elsewhere with the next ``exchange``.

        Raises ConfigurationError where the file is broken, OSError where it can't be written.
        """
        path = self._folder / STATE_NAME
        with _locked(self._folder / f"{STATE_NAME}.lock", waits=True):
            before = read_state(path)
            after = changed(before)
            if after != before:
                write_state(path, after)
            return after

    def exchange(self, now_seconds: float) -> None:
        """Takes over what replicas have found, and tells them what they lack. Raises as ``change``, and what Redis
        raises.
        """
        shared = self._shared()
        if shared is None:
            return
        text = shared.read()
        try:
            theirs = EMPTY_STATE if text is None else parse_state(text, SHARED_NAME)
        except ConfigurationError:
            theirs = EMPTY_STATE  # of another version, or not ours: what we have goes there
        both = self.change(lambda own: own.merged_with(theirs, now_seconds) if theirs.profiles else own)
        if both.profiles and both != theirs:
            shared.write(both.to_json())

    @contextlib.contextmanager
    def alone(self, seconds: float) -> Iterator[bool]:
        """True while nobody else tunes, on this machine or in another replica. Raises what Redis raises."""
        with contextlib.ExitStack() as stack:
            try:
                stack.enter_context(_locked(self._folder / "tuning.lock", waits=False))
            except BlockingIOError:
                yield False
                return
            shared = self._shared()
            give_back = None if shared is None else shared.lock(seconds)
            if shared is not None and give_back is None:
                yield False
                return
            try:
                yield True
            finally:
                if give_back is not None:
                    with contextlib.suppress(Exception):  # it runs out by itself
                        give_back()


@contextlib.contextmanager
def _locked(path: Path, *, waits: bool) -> Iterator[None]:
    """Holds the lock of a file, which the system gives back if this process dies. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if waits else fcntl.LOCK_NB))
        yield
    finally:
        os.close(descriptor)

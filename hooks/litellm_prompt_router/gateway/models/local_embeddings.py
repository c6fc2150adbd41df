"""Vectors by models that run on this machine: what requests and commands ask where a profile names ``local/NAME``.

Each worker keeps a connection to the model's process as long as it lives: that is what keeps the process, and who finds
none starts one. While it starts nobody waits for it.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from litellm_prompt_router.documents.errors import ConfigurationError
from litellm_prompt_router.gateway.models.embedding_cache import PROBLEM, Ask, ModelNotReadyError, Tell
from litellm_prompt_router.local_embedding.framing import (
    MAX_FRAME_BYTES,
    Answered,
    NotAFrameError,
    ServerState,
    question_frame,
    read_frame,
)
from litellm_prompt_router.local_embedding.known_models import FoundModel, find_model, is_local
from litellm_prompt_router.local_embedding.prepared_model import prepare
from litellm_prompt_router.local_embedding.sentence_encoder import SentenceEncoder
from litellm_prompt_router.local_embedding.server_place import ServerPlace, place_of, start_process
from litellm_prompt_router.request.route import MessageEmbedding

START_SECONDS = 15.0
"""For a process to listen; it does so before it loads the model."""
POLL_SECONDS = 0.05
STEADY_SECONDS = 10.0
"""A process that ends after this long is started again at once; one that ends earlier, later and later."""
MAX_PAUSE_SECONDS = 60.0
MARGIN_SECONDS = 0.01
"""Of a wait: what has come by then is used."""
YIELD_EVERY = 8
"""Vectors unpacked before other requests get their turn."""
MEASURED = 256
"""The latest so many answers are what the median is of."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LocalModelState:
    """How a worker stands with a model's process. ``median_ms``: from a question to its first vector."""

    model: str
    stage: str
    pid: int | None
    asked: int
    vectors: int
    median_ms: float | None
    starts: int

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types."""
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(slots=True, kw_only=True, eq=False)
class _Open:
    """A question on its way. ``packed``: None while there is no answer for that text."""

    packed: list[bytes | None]
    done: asyncio.Event = field(default_factory=asyncio.Event)
    first_at: float | None = None
    has_ended: bool = False


class LocalEmbeddings:
    """The models' processes as one worker sees them. For the thread of one event loop."""

    def __init__(self, tell: Tell, *, threads: int = 1) -> None:
        self._tell = tell
        self._threads = threads
        self._links: dict[str, _Link] = {}

    def start(self, models: Sequence[str]) -> None:
        """Has the local ones of these models loaded, where an event loop runs here; else the first question does."""
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return
        for model in models:
            if is_local(model):
                self._link(model)

    async def ask(self, model: str, texts: Sequence[str], timeout_seconds: float) -> list[MessageEmbedding | None]:
        """A vector for each text, None for what didn't come in time.

        Raises ModelNotReadyError, and TimeoutError where nothing came.
        """
        packed = await self._link(model).ask(texts, timeout_seconds)
        found: list[MessageEmbedding | None] = []
        for number, raw in enumerate(packed):
            if number % YIELD_EVERY == YIELD_EVERY - 1:
                await asyncio.sleep(0)
            found.append(MessageEmbedding.unpacked(raw) if raw else None)
        return found

    def states(self) -> tuple[LocalModelState, ...]:
        """Of each model that was asked for; from any thread."""
        return tuple(link.state() for link in tuple(self._links.values()))

    def close(self) -> None:
        """Leaves the processes; they end when nobody else is there."""
        for link in self._links.values():
            link.close()

    def _link(self, model: str) -> _Link:
        link = self._links.get(model)
        if link is None or not link.is_of_this_loop:
            link = self._links[model] = _Link(model, self._threads, self._tell)
        return link


class _Link:
    """One model's process: found or started, and connected to for as long as this worker lives."""

    def __init__(self, model: str, threads: int, tell: Tell) -> None:
        self._model = model
        self._threads = threads
        self._tell = tell
        self._loop = asyncio.get_running_loop()
        self._writer: asyncio.StreamWriter | None = None
        self._server: ServerState | None = None
        self._open: dict[int, _Open] = {}
        self._number = 0
        self._told: str | None = None
        self._asked = self._vectors = self._starts = 0
        self._waits: deque[float] = deque(maxlen=MEASURED)
        self._task = asyncio.create_task(self._keep())

    @property
    def is_of_this_loop(self) -> bool:
        return self._loop is asyncio.get_running_loop() and not self._task.done()

    def state(self) -> LocalModelState:
        server = self._server
        waits = list(self._waits)
        return LocalModelState(
            model=self._model,
            stage=server.stage if server is not None else "away",
            pid=server.pid if server is not None else None,
            asked=self._asked,
            vectors=self._vectors,
            median_ms=round(median(waits) * 1_000, 1) if waits else None,
            starts=self._starts,
        )

    def close(self) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._task.cancel)

    async def ask(self, texts: Sequence[str], timeout_seconds: float) -> list[bytes | None]:
        """The texts' packed vectors; None or empty where none came in time."""
        writer, server = self._writer, self._server
        if writer is None or server is None or server.stage != "ready":
            raise ModelNotReadyError(self._model)
        loop, seconds = self._loop, max(0.001, timeout_seconds - MARGIN_SECONDS)
        self._number = number = (self._number + 1) % 2**32
        asked_at = loop.time()
        self._asked += len(texts)
        waiting = self._open[number] = _Open(packed=[None] * len(texts))
        try:
            # The latest message first: that is what the request is about.
            writer.write(question_frame(number, seconds, texts[::-1]))
            async with asyncio.timeout(seconds):
                await waiting.done.wait()
        except TimeoutError:
            if waiting.first_at is None:
                raise
        finally:
            del self._open[number]
        if waiting.has_ended:
            raise ModelNotReadyError(self._model)
        if waiting.first_at is not None:
            self._waits.append(waiting.first_at - asked_at)
        return waiting.packed[::-1]

    # The connection

    async def _keep(self) -> None:
        """Connects, reads, and begins again when the process has ended."""
        pause = 0.0
        while True:
            await asyncio.sleep(pause)
            connected_at = self._loop.time()
            try:
                await self._connected()
            except (OSError, NotAFrameError, ConfigurationError) as error:
                self._report(error.problems[0] if isinstance(error, ConfigurationError) else type(error).__name__)
            else:
                self._report("its process ended and is started again")
            finally:
                self._left()
            is_steady = self._loop.time() - connected_at >= STEADY_SECONDS
            pause = 0.0 if is_steady else min(MAX_PAUSE_SECONDS, max(0.1, pause * 3))

    def _report(self, problem: str) -> None:
        """Tells of a problem once, until the model has been ready again."""
        if problem != self._told:
            self._told = problem
            self._tell(PROBLEM, (f"{self._model}: {problem}; meanwhile messages are scored by their words alone",))

    async def _connected(self) -> None:
        """Until the connection ends."""
        found = await asyncio.to_thread(find_model, self._model)
        reader, writer = await self._connection(place_of(found, self._threads), found)
        try:
            self._writer = writer
            while (frame := await read_frame(reader)) is not None:
                if isinstance(frame, ServerState):
                    self._server = frame
                    if frame.stage == "failed":
                        raise ConfigurationError([frame.problem])
                    if frame.stage == "ready":
                        self._told = None
                elif isinstance(frame, Answered):
                    self._take(frame)
                else:
                    raise NotAFrameError("a question")
        finally:
            writer.close()

    async def _connection(
        self, place: ServerPlace, found: FoundModel
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """To the process that is there, else to one that is started."""
        give_up_at = self._loop.time() + START_SECONDS
        is_started = False
        while True:
            try:
                return await asyncio.open_unix_connection(str(place.socket), limit=MAX_FRAME_BYTES)
            except (FileNotFoundError, ConnectionRefusedError):
                if self._loop.time() >= give_up_at:
                    raise ConfigurationError([f"its process doesn't start; see {place.log}"]) from None
            if not is_started:
                is_started = True
                self._starts += 1
                await asyncio.to_thread(_start, _absolute(found), place, self._threads)
            await asyncio.sleep(POLL_SECONDS)

    def _take(self, answer: Answered) -> None:
        waiting = self._open.get(answer.question)
        if waiting is None or answer.text >= len(waiting.packed) or waiting.packed[answer.text] is not None:
            return  # nobody waits for it any more
        waiting.packed[answer.text] = answer.packed
        if answer.packed:
            self._vectors += 1
        if waiting.first_at is None:
            waiting.first_at = self._loop.time()
        if all(packed is not None for packed in waiting.packed):
            waiting.done.set()

    def _left(self) -> None:
        self._writer = self._server = None
        for waiting in self._open.values():
            waiting.has_ended = True
            waiting.done.set()


def _absolute(found: FoundModel) -> str:
    return found.model if found.packaged is not None else f"local/{found.path}"


def _start(model: str, place: ServerPlace, threads: int) -> None:
    """Starts the process, and has somebody wait for its end: no zombie."""
    process: subprocess.Popen[bytes] = start_process(model, place, threads)
    threading.Thread(target=process.wait, name="prompt-router-embedding", daemon=True).start()


def ask_of(local: LocalEmbeddings, others: Ask) -> Ask:
    """Asks this machine's models for those that are local, and ``others`` for the rest."""

    async def ask(model: str, texts: Sequence[str], timeout_seconds: float) -> Sequence[MessageEmbedding | None]:
        return await (local.ask if is_local(model) else others)(model, texts, timeout_seconds)

    return ask


def embed_here(model: str, texts: Sequence[str], advance: Callable[[int], None]) -> dict[str, MessageEmbedding]:
    """A vector for each text, computed in this process on all its cores; ``advance`` is told of how many.

    Raises ConfigurationError.
    """
    encoder = SentenceEncoder(prepare(find_model(model)))
    found: dict[str, MessageEmbedding] = {}
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for text, raw in zip(texts, pool.map(encoder.packed, texts), strict=True):
            embedding = MessageEmbedding.unpacked(raw)
            if embedding is None:
                raise ConfigurationError([f"{model}: gives no vector of length one; use another model"])
            found[text] = embedding
            advance(len(found))
    return found

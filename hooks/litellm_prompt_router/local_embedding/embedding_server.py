"""The process that runs a model for all workers of this machine: one at a time computes, the socket never waits.

It listens before the model is loaded, and says so. A question with several texts gets its turn text by text, so that a
long conversation doesn't hold up a short one; what is asked for too late is not computed. Without a connection for the
linger it ends.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import socket
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol

from litellm_prompt_router.documents.errors import ConfigurationError
from litellm_prompt_router.local_embedding.framing import (
    MAX_FRAME_BYTES,
    NotAFrameError,
    Question,
    ServerState,
    Stage,
    answer_frame,
    read_frame,
    state_frame,
)
from litellm_prompt_router.local_embedding.server_place import ServerPlace

MAX_WAITING = 512
"""Texts; a question that doesn't fit is answered at once, without vectors."""
MAX_UNREAD_BYTES = 4_000_000
"""Of a worker that doesn't read its answers; it is cut off then."""


class Encoder(Protocol):
    def packed(self, text: str) -> bytes: ...


@dataclass(kw_only=True, slots=True)
class _Job:
    question: Question
    deadline: float
    writer: asyncio.StreamWriter
    next_text: int = 0


async def serve(place: ServerPlace, load: Callable[[], Encoder], linger_seconds: float) -> bool:
    """Serves until nobody is connected for the linger. False at once where another process does already."""
    lock = os.open(place.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        return False
    try:
        # Bound under another name and moved: whoever finds the socket can connect to it.
        fresh = place.socket.with_suffix(".new")
        fresh.unlink(missing_ok=True)
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listening:
            listening.bind(str(fresh))
            fresh.chmod(0o600)
            listening.listen(128)
            listening.setblocking(False)
            fresh.rename(place.socket)
            try:
                await _ModelServer(load).run(listening, linger_seconds)
            finally:
                place.socket.unlink(missing_ok=True)
    finally:
        os.close(lock)
    return True


class _ModelServer:
    def __init__(self, load: Callable[[], Encoder]) -> None:
        self._load = load
        self._encoder: Encoder | None = None
        self._stage: Stage = "starting"
        self._problem = ""
        self._writers: set[asyncio.StreamWriter] = set()
        self._jobs: deque[_Job] = deque()
        self._waiting = 0
        self._wake = asyncio.Event()
        self._computing = ThreadPoolExecutor(1)

    async def run(self, listening: socket.socket, linger_seconds: float) -> None:
        server = await asyncio.start_unix_server(self._connected, sock=listening, limit=MAX_FRAME_BYTES)
        tasks = [asyncio.create_task(self._work()), asyncio.create_task(self._until_left(linger_seconds))]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            server.close()
            for task in tasks:
                task.cancel()
            for writer in self._writers:
                writer.close()
            self._computing.shutdown(wait=False, cancel_futures=True)

    async def _until_left(self, linger_seconds: float) -> None:
        loop = asyncio.get_running_loop()
        left_at = loop.time()
        while loop.time() - left_at < linger_seconds:
            await asyncio.sleep(min(0.5, linger_seconds / 4))
            if self._writers:
                left_at = loop.time()

    # Connections

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            writer.write(state_frame(self._state))
            while (frame := await read_frame(reader)) is not None:
                if not isinstance(frame, Question):
                    return
                self._queue(frame, writer)
        except (OSError, NotAFrameError):
            return
        finally:
            self._writers.discard(writer)
            writer.close()

    def _queue(self, question: Question, writer: asyncio.StreamWriter) -> None:
        job = _Job(question=question, deadline=asyncio.get_running_loop().time() + question.seconds, writer=writer)
        self._waiting += len(question.texts)
        if self._stage != "ready" or self._waiting > MAX_WAITING:
            self._refuse(job)
        elif question.texts:
            self._jobs.append(job)
            self._wake.set()

    def _refuse(self, job: _Job) -> None:
        """Answers what is left of it without vectors."""
        for number in range(job.next_text, len(job.question.texts)):
            self._answer(job, number, b"")

    def _answer(self, job: _Job, number: int, packed: bytes) -> None:
        self._waiting -= 1
        if job.writer in self._writers:
            job.writer.write(answer_frame(job.question.number, number, packed))
            if job.writer.transport.get_write_buffer_size() > MAX_UNREAD_BYTES:
                job.writer.transport.abort()

    # Computing

    async def _work(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            self._encoder = await loop.run_in_executor(self._computing, self._load)
        except ConfigurationError as error:
            self._tell("failed", error.problems[0])
            await asyncio.sleep(1.0)  # for those who connect now to read it
            return
        self._tell("ready")
        while True:
            await self._wake.wait()
            while self._jobs:
                job = self._jobs.popleft()
                if loop.time() >= job.deadline or job.writer not in self._writers:
                    self._refuse(job)
                    continue
                text = job.question.texts[job.next_text]
                packed = await loop.run_in_executor(self._computing, _packed, self._encoder, text)
                self._answer(job, job.next_text, packed)
                job.next_text += 1
                if job.next_text < len(job.question.texts):
                    self._jobs.append(job)
            self._wake.clear()

    @property
    def _state(self) -> ServerState:
        return ServerState(stage=self._stage, pid=os.getpid(), problem=self._problem)

    def _tell(self, stage: Stage, problem: str = "") -> None:
        self._stage, self._problem = stage, problem
        for writer in self._writers:
            writer.write(state_frame(self._state))


def _packed(encoder: Encoder, text: str) -> bytes:
    """A text that the model can't take has no vector; the next one has."""
    try:
        return encoder.packed(text)
    except Exception:
        return b""

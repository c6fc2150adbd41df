"""The model's process over its socket: in this loop with a stub for the model where the moment counts."""

from __future__ import annotations

import asyncio
import struct
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

pytest.importorskip("onnxruntime")
pytest.importorskip("onnx")

from litellm_prompt_router.documents.errors import ConfigurationError
from litellm_prompt_router.local_embedding import embedding_server
from litellm_prompt_router.local_embedding.embedding_server import MAX_WAITING, Encoder, serve
from litellm_prompt_router.local_embedding.framing import (
    MAX_TEXTS,
    Answered,
    NotAFrameError,
    ServerState,
    question_frame,
    read_frame,
)
from litellm_prompt_router.local_embedding.known_models import find_model
from litellm_prompt_router.local_embedding.server_place import ServerPlace, place_of, runtime_folder
from litellm_prompt_router.local_embedding.server_probe import probe


class Stub:
    """Takes ``seconds`` for a text and gives its own bytes back; ``order`` is what it computed."""

    def __init__(self, seconds: float = 0.0) -> None:
        self.seconds = seconds
        self.order: list[str] = []
        self.gate = threading.Event()
        self.gate.set()

    def packed(self, text: str) -> bytes:
        self.gate.wait(10)
        time.sleep(self.seconds)
        self.order.append(text)
        if text == "poison":
            raise ValueError
        return text.encode()


@pytest.fixture
def place(home: Path, model: str) -> ServerPlace:
    return place_of(find_model(model), 1)


@asynccontextmanager
async def served(place: ServerPlace, load: Callable[[], Encoder], linger: float = 60.0) -> AsyncIterator[None]:
    task = asyncio.create_task(serve(place, load, linger))
    while not place.socket.exists():
        await asyncio.sleep(0.01)
    yield
    task.cancel()
    await asyncio.wait([task])


class Caller:
    """A worker's end of the connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def stage(self) -> ServerState:
        state = await asyncio.wait_for(read_frame(self.reader), 5)
        assert isinstance(state, ServerState)
        return state

    def ask(self, number: int, texts: list[str], seconds: float = 5.0) -> None:
        self.writer.write(question_frame(number, seconds, texts))

    async def answer(self) -> tuple[int, int, bytes]:
        found = await asyncio.wait_for(read_frame(self.reader), 5)
        assert isinstance(found, Answered)
        return found.question, found.text, found.packed


@asynccontextmanager
async def calling(place: ServerPlace) -> AsyncIterator[Caller]:
    reader, writer = await asyncio.open_unix_connection(str(place.socket))
    yield Caller(reader, writer)
    writer.close()


async def test_it_listens_before_the_model_is_loaded(place: ServerPlace) -> None:
    stub, may_load = Stub(), threading.Event()

    def load() -> Encoder:
        may_load.wait(10)
        return stub

    async with served(place, load), calling(place) as caller:
        assert (await caller.stage()).stage == "starting"
        caller.ask(1, ["tide"])
        assert await caller.answer() == (1, 0, b"")
        may_load.set()
        assert (await caller.stage()).stage == "ready"
        caller.ask(2, ["tide", "moon"])
        assert [await caller.answer(), await caller.answer()] == [(2, 0, b"tide"), (2, 1, b"moon")]
        assert stub.order == ["tide", "moon"]


async def test_a_model_that_cannot_be_loaded_is_told_and_ends_it(place: ServerPlace) -> None:
    may_load = threading.Event()

    def load() -> Encoder:
        may_load.wait(10)
        raise ConfigurationError(["folder: no model that runs here (Fail)"])

    task = asyncio.create_task(serve(place, load, 60.0))
    while not place.socket.exists():
        await asyncio.sleep(0.01)
    async with calling(place) as caller:
        await caller.stage()
        may_load.set()
        failed = await caller.stage()
        assert (failed.stage, failed.problem) == ("failed", "folder: no model that runs here (Fail)")
    assert await asyncio.wait_for(task, 5) is True
    assert not place.socket.exists()


async def test_a_long_question_gives_way_to_a_short_one(place: ServerPlace) -> None:
    stub = Stub()
    async with served(place, lambda: stub), calling(place) as one, calling(place) as other:
        await _ready(one)
        await _ready(other)
        stub.gate.clear()
        one.ask(1, [f"long {n}" for n in range(6)])
        await asyncio.sleep(0.1)
        other.ask(1, ["short"])
        await asyncio.sleep(0.1)
        stub.gate.set()
        assert await other.answer() == (1, 0, b"short")
        assert [(await one.answer())[1] for _ in range(6)] == list(range(6))
        assert stub.order[:3] == ["long 0", "short", "long 1"] or stub.order[:2] == ["long 0", "long 1"]
        assert stub.order.index("short") <= 2


async def test_what_is_too_late_or_too_much_is_not_computed(
    place: ServerPlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedding_server, "MAX_WAITING", 3)
    stub = Stub()
    async with served(place, lambda: stub), calling(place) as caller:
        await _ready(caller)
        stub.gate.clear()
        caller.ask(1, ["now"])
        caller.ask(2, ["late"], seconds=0.05)
        caller.ask(3, ["full", "fuller"])
        assert [await caller.answer(), await caller.answer()] == [(3, 0, b""), (3, 1, b"")]
        await asyncio.sleep(0.1)
        stub.gate.set()
        assert [await caller.answer(), await caller.answer()] == [(1, 0, b"now"), (2, 0, b"")]
        assert stub.order == ["now"]
        caller.ask(4, ["again", "and", "again"])
        assert [(await caller.answer())[2] for _ in range(3)] == [b"again", b"and", b"again"]
    assert MAX_WAITING > MAX_TEXTS


async def test_a_worker_that_left_is_not_computed_for(place: ServerPlace) -> None:
    stub = Stub()
    async with served(place, lambda: stub), calling(place) as caller:
        await _ready(caller)
        stub.gate.clear()
        async with calling(place) as leaving:
            await _ready(leaving)
            leaving.ask(1, ["first", "second", "third"])
            await leaving.writer.drain()
            await asyncio.sleep(0.1)
        await asyncio.sleep(0.1)
        stub.gate.set()
        caller.ask(1, ["mine"])
        assert await caller.answer() == (1, 0, b"mine")
        assert stub.order == ["first", "mine"]


async def test_a_text_that_fails_has_no_vector(place: ServerPlace) -> None:
    async with served(place, Stub), calling(place) as caller:
        await _ready(caller)
        caller.ask(1, ["poison", "tide", ""])
        assert [await caller.answer() for _ in range(3)] == [(1, 0, b""), (1, 1, b"tide"), (1, 2, b"")]


@pytest.mark.parametrize(
    "raw",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        struct.pack(">I", 0),
        struct.pack(">I", 2**31),
        struct.pack(">I", 3) + b"Q{}",
        struct.pack(">I", 5) + b"Q[1,]",
        struct.pack(">I", 2) + b"Xx",
        struct.pack(">I", 8) + b"V\0\0\0\0\0\0\0",
    ],
    ids=["http", "empty", "huge", "no fields", "no json", "unknown", "an answer"],
)
async def test_who_speaks_otherwise_is_cut_off(raw: bytes, place: ServerPlace) -> None:
    async with served(place, Stub), calling(place) as caller, calling(place) as other:
        await _ready(other)
        await _ready(caller)
        caller.writer.write(raw)
        assert await asyncio.wait_for(caller.reader.read(), 5) == b""
        other.ask(1, ["tide"])
        assert await other.answer() == (1, 0, b"tide")


async def test_a_second_process_ends_at_once(place: ServerPlace) -> None:
    async with served(place, Stub):
        before = place.socket.stat().st_ino
        assert await serve(place, Stub, 60.0) is False
        assert place.socket.stat().st_ino == before


async def test_it_ends_when_nobody_is_there(place: ServerPlace) -> None:
    task = asyncio.create_task(serve(place, Stub, 0.4))
    while not place.socket.exists():
        await asyncio.sleep(0.01)
    async with calling(place) as caller:
        await _ready(caller)
        await asyncio.sleep(0.8)
        assert not task.done()
    assert await asyncio.wait_for(task, 3) is True
    assert not place.socket.exists()


async def test_a_probe_says_how_it_is(place: ServerPlace) -> None:
    assert await asyncio.to_thread(probe, place) is None
    async with served(place, lambda: Stub(0.01)), calling(place) as caller:
        await _ready(caller)
        found = await asyncio.to_thread(probe, place)
    assert found is not None
    assert found.state.stage == "ready"
    assert found.milliseconds is not None
    assert 10 <= found.milliseconds < 1_000


def test_only_private_folders_hold_a_socket(home: Path) -> None:
    folder = runtime_folder()
    assert folder == home / "prompt-router"
    folder.chmod(0o755)
    with pytest.raises(ConfigurationError, match="not a private folder of this user; remove it, or chmod 700"):
        runtime_folder()
    folder.rmdir()
    (home / "elsewhere").mkdir(mode=0o700)
    folder.symlink_to(home / "elsewhere")
    with pytest.raises(ConfigurationError, match="not a private folder"):
        runtime_folder()


def test_more_than_a_frame_takes_is_refused() -> None:
    with pytest.raises(NotAFrameError):
        question_frame(1, 1.0, ["x" * 3_000_000])


async def _ready(caller: Caller) -> None:
    while (await caller.stage()).stage != "ready":
        pass

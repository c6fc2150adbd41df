"""Workers and the model's real process: shared, started again after a crash, gone with its workers."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("onnxruntime")
pytest.importorskip("onnx")

from litellm_prompt_router.gateway.models.embedding_cache import PROBLEM, EmbeddingCache, ModelNotReadyError
from litellm_prompt_router.gateway.models.local_embeddings import LocalEmbeddings, LocalModelState, ask_of, embed_here
from litellm_prompt_router.local_embedding import server_place
from litellm_prompt_router.local_embedding.embedding_server import serve
from litellm_prompt_router.local_embedding.known_models import find_model
from litellm_prompt_router.local_embedding.server_place import ServerPlace, place_of
from litellm_prompt_router.request.route import MessageEmbedding
from litellm_prompt_router.telemetry.status_file import process_started_ticks
from tests.made_encoder import made_model

TEXTS = ("please check the tide", "a storm", "record the catch")
LINGER = 1.0
WORKER = """
import asyncio, sys
from litellm_prompt_router.gateway.models.local_embeddings import LocalEmbeddings
from litellm_prompt_router.local_embedding import server_place
server_place.LINGER_SECONDS = float(sys.argv[2])
async def main():
    local = LocalEmbeddings(lambda title, lines: print(title, lines, file=sys.stderr, flush=True))
    local.start([sys.argv[1]])
    while local.states()[0].stage != "ready":
        await asyncio.sleep(0.02)
    print(local.states()[0].pid, flush=True)
    await asyncio.sleep(60)
asyncio.run(main())
"""


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return made_model(tmp_path_factory.mktemp("model"))


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="pr-"))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(folder))
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
    monkeypatch.setattr(server_place, "LINGER_SECONDS", LINGER)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def place(model: str, home: Path) -> ServerPlace:
    return place_of(find_model(model), 1)


Told = list[tuple[str, tuple[str, ...]]]


@asynccontextmanager
async def worker(told: Told | None = None) -> AsyncIterator[LocalEmbeddings]:
    def tell(title: str, lines: Sequence[str]) -> None:
        if told is not None:
            told.append((title, tuple(lines)))

    local = LocalEmbeddings(tell)
    yield local
    local.close()
    await asyncio.sleep(0)
    await asyncio.sleep(0)


async def ready(local: LocalEmbeddings, model: str, but: int | None = None) -> LocalModelState:
    """Its state, once the process is ready; another one than ``but``."""
    local.start([model])
    async with asyncio.timeout(20):
        while (state := local.states()[0]).stage != "ready" or state.pid == but:
            await asyncio.sleep(0.02)
    return state


def runs(pid: int) -> bool:
    stat = Path(f"/proc/{pid}/stat")
    return process_started_ticks(pid) is not None and stat.read_text().rpartition(")")[2].split()[0] != "Z"


async def gone(pid: int, seconds: float = 10.0) -> None:
    async with asyncio.timeout(seconds):
        while runs(pid):
            await asyncio.sleep(0.05)


async def test_two_workers_share_a_process(model: str) -> None:
    """And have from it what is computed in this process; a question ahead of that is for another day."""
    here = embed_here(model, TEXTS, lambda _done: None)
    async with worker() as one, worker() as other:
        with pytest.raises(ModelNotReadyError):
            await one.ask(model, TEXTS, 5.0)
        assert (await ready(one, model)).pid == (await ready(other, model)).pid
        for local in (one, other):
            found = await local.ask(model, TEXTS, 5.0)
            assert [each and each.digest for each in found] == [here[text].digest for text in TEXTS]
        state = one.states()[0]
        assert (state.asked, state.vectors, state.starts) == (3, 3, 1)
        assert state.median_ms is not None
    assert state.pid is not None
    await gone(state.pid)


async def test_it_starts_again_after_a_crash(model: str, place: ServerPlace) -> None:
    told: Told = []
    async with worker(told) as local:
        first = (await ready(local, model)).pid
        assert first is not None
        os.kill(first, signal.SIGSTOP)
        asked = asyncio.create_task(local.ask(model, TEXTS, 10.0))
        await asyncio.sleep(0.1)
        os.kill(first, signal.SIGKILL)
        with pytest.raises(ModelNotReadyError):
            await asked
        second = await ready(local, model, but=first)
        assert second.starts == 2
        assert all(await local.ask(model, TEXTS, 5.0))
    problem = f"{model}: its process ended and is started again; meanwhile messages are scored by their words alone"
    assert told == [(PROBLEM, (problem,))]


async def test_it_ends_with_its_last_worker_however_that_ends(model: str) -> None:
    workers = [
        subprocess.Popen([sys.executable, "-c", WORKER, model, str(LINGER)], stdout=subprocess.PIPE) for _ in range(2)
    ]
    pids = set()
    for each in workers:
        assert each.stdout is not None
        pids.add(int(await asyncio.to_thread(each.stdout.readline)))
    assert len(pids) == 1
    pid = pids.pop()
    workers[0].kill()
    await asyncio.sleep(2 * LINGER)
    assert runs(pid)
    workers[1].kill()
    for each in workers:
        each.wait()
        assert each.stdout is not None
        each.stdout.close()
    await gone(pid)


async def test_the_process_gets_no_keys_and_goes_behind(model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    async with worker() as local:
        pid = (await ready(local, model)).pid
        assert b"secret" not in Path(f"/proc/{pid}/environ").read_bytes()
        assert os.getpriority(os.PRIO_PROCESS, pid or 0) > os.getpriority(os.PRIO_PROCESS, 0)
        assert os.getsid(pid or 0) == pid


async def test_a_model_that_does_not_load_is_told_once(tmp_path: Path) -> None:
    broken = made_model(tmp_path / "broken")
    (tmp_path / "broken" / "model.onnx").write_bytes(b"no graph")
    told: Told = []
    async with worker(told) as local:
        local.start([broken])
        async with asyncio.timeout(20):
            while not told:
                await asyncio.sleep(0.02)
        with pytest.raises(ModelNotReadyError):
            await local.ask(broken, TEXTS, 5.0)
        await asyncio.sleep(1.5)
    assert [title for title, _ in told] == [PROBLEM]
    assert f"{broken}: {tmp_path / 'broken'}: no model that runs here (" in told[0][1][0]


class OneThenNone:
    """An encoder that gives one vector and is then at a loss until it may go on."""

    def __init__(self) -> None:
        self.may_go_on = threading.Event()
        self.has_answered = False

    def packed(self, text: str) -> bytes:
        if self.has_answered:
            self.may_go_on.wait(20)
        self.has_answered = True
        return vector(len(text)).packed()


async def test_what_comes_in_time_is_used(model: str, place: ServerPlace) -> None:
    """The latest message first; where nothing comes, that is a timeout."""
    encoder = OneThenNone()
    serving = asyncio.create_task(serve(place, lambda: encoder, 60.0))
    while not place.socket.exists():
        await asyncio.sleep(0.01)
    async with worker() as local:
        assert (await ready(local, model)).starts == 0
        found = await local.ask(model, TEXTS, 0.5)
        assert [each and each.digest for each in found] == [None, None, vector(len(TEXTS[2])).digest]
        with pytest.raises(TimeoutError):
            await local.ask(model, TEXTS, 0.2)
        encoder.may_go_on.set()
        assert all(await local.ask(model, TEXTS, 10.0))
        assert local.states()[0].vectors >= 4
    serving.cancel()
    await asyncio.wait([serving])


async def test_no_question_holds_the_event_loop(model: str) -> None:
    async with worker() as local:
        await ready(local, model)
        longest, last = 0.0, time.perf_counter()
        asking = asyncio.gather(*(local.ask(model, TEXTS * 20, 10.0) for _ in range(4)))
        while not asking.done():
            await asyncio.sleep(0)
            now = time.perf_counter()
            longest, last = max(longest, now - last), now
        assert all(all(each) for each in await asking)
        assert longest < 0.25


# What requests remember


class Script:
    """Answers questions with what stands next in it."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.asked: list[Sequence[str]] = []

    async def __call__(self, model: str, texts: Sequence[str], seconds: float) -> Any:
        self.asked.append(texts)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def vector(seed: int) -> MessageEmbedding:
    found = MessageEmbedding.of(np.random.default_rng(seed).standard_normal(8).tolist())
    assert found is not None
    return found


async def test_a_start_is_a_failure_for_its_own_texts_alone() -> None:
    """They stay with their words, so that their conversations keep their prompts; the next text is asked for."""
    told: list[object] = []
    script = Script(ModelNotReadyError("m"), [vector(1)])
    cache = EmbeddingCache(script, lambda title, lines: told.append((title, lines)))
    await cache.fetch("local/m", ["early"], 1.0)
    await cache.fetch("local/m", ["early", "later"], 1.0)
    assert script.asked == [["early"], ["later"]]
    assert list(cache.known("local/m", ["early", "later"])) == ["later"]
    assert told == []


async def test_of_several_texts_those_in_time_are_known() -> None:
    told: list[object] = []
    script = Script([None, vector(1)], [vector(2)])
    cache = EmbeddingCache(script, lambda title, lines: told.append((title, lines)))
    await cache.fetch("local/m", ["old", "new"], 1.0)
    assert list(cache.known("local/m", ["old", "new"])) == ["new"]
    assert cache.never_asked("local/m", ["old", "new"]) == []
    assert told == [(PROBLEM, ("local/m: no answer in time; messages are scored by their words alone",))]
    await cache.fetch("local/m", ["next"], 1.0)  # nobody pauses for what was only late
    assert list(cache.known("local/m", ["next"])) == ["next"]


async def test_names_decide_who_is_asked(model: str) -> None:
    others = Script([vector(1)])
    async with worker() as local:
        ask = ask_of(local, others)
        await ready(local, model)
        assert len(await ask(model, TEXTS, 5.0)) == len(TEXTS)
        assert others.asked == []
        await ask("openai/text-embedding-3-small", ["tide"], 5.0)
        assert others.asked == [["tide"]]


def test_a_proxy_without_a_loop_starts_nothing() -> None:
    local = LocalEmbeddings(lambda _title, _lines: None)
    local.start(["local/multilingual-e5-small"])
    assert local.states() == ()
    local.close()


def test_a_command_computes_by_itself(model: str) -> None:
    done: list[int] = []
    found = embed_here(model, [*TEXTS, TEXTS[0]], done.append)
    assert list(found) == list(TEXTS)
    assert done == [1, 2, 3, 3]

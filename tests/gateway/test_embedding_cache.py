"""Vectors at run time: through LiteLLM's own dispatch and embedding calls, an emulated model, and a real Redis."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import litellm
import pytest
from litellm.caching.caching import DualCache
from litellm.caching.redis_cache import RedisCache
from litellm.proxy._types import UserAPIKeyAuth
from litellm.proxy.utils import ProxyLogging

from litellm_prompt_router.gateway.models.embedding_cache import (
    FAILURE_SECONDS,
    MAX_ENTRIES,
    MAX_TEXTS,
    PAUSE_SECONDS,
    EmbeddingCache,
)
from litellm_prompt_router.gateway.plugin import PromptRouter
from litellm_prompt_router.local_embedding import server_place
from litellm_prompt_router.policy.active import active_configuration
from litellm_prompt_router.policy.settings import load_settings
from litellm_prompt_router.profile.profile import EmbeddingSettings, Profile
from litellm_prompt_router.request.pipeline import Pipeline
from litellm_prompt_router.request.route import MessageEmbedding
from tests.emulators.embeddings import Embedder, Fault
from tests.emulators.proxy import free_port
from tests.gateway.left_facts import left_facts
from tests.made_embeddings import Telling, embedded_profile, meanings, telling
from tests.made_encoder import made_model

MODEL = "openai/emulated-embeddings"
SECONDS = 5.0


@pytest.fixture(scope="module")
def profile(tmp_path_factory: pytest.TempPathFactory) -> Profile:
    return embedded_profile(tmp_path_factory.mktemp("profiles"), MODEL, SECONDS)


@pytest.fixture(scope="module")
def told(profile: Profile) -> list[Telling]:
    return telling(profile, 3)


@pytest.fixture
def embedder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Embedder]:
    with Embedder() as embedder:
        monkeypatch.setenv("OPENAI_API_BASE", embedder.url)
        monkeypatch.setenv("OPENAI_API_KEY", "emulated")
        yield embedder


@pytest.fixture
def hook(profile: Profile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[PromptRouter]:
    """The callback as a proxy holds it, alone in LiteLLM's list."""
    settings = load_settings({"ledger": {"path": str(tmp_path / "ledger.jsonl")}}, {})
    hook = PromptRouter(active_configuration(settings, Pipeline([profile], len, coverage_floor=0.6)))
    monkeypatch.setattr(litellm, "callbacks", [hook])
    yield hook
    hook.close()


async def selected(profile: Profile, text: str, cache: DualCache | None = None, **policy: str) -> tuple[str, ...]:
    """The modules of one request, by way of LiteLLM's dispatch."""
    messages = [{"role": "system", "content": profile.text}, {"role": "user", "content": text}]
    data: dict[str, Any] = {"model": "claude", "messages": messages, "metadata": {}, "litellm_call_id": "c"}
    who = UserAPIKeyAuth(api_key="0" * 64, key_alias="alpha", metadata={"prompt_router": policy} if policy else {})
    logging = ProxyLogging(user_api_key_cache=cache or DualCache())
    out: Any = await logging.pre_call_hook(user_api_key_dict=who, data=data, call_type="acompletion")
    return tuple(evidence[0] for evidence in left_facts(out["metadata"])["modules"])


@pytest.mark.parametrize(
    "fault",
    [
        Fault(status=500),
        Fault(status=400),
        Fault(hangs_up=True),
        Fault(data=[]),
        Fault(data="garbage"),
        Fault(data=[{"index": 0, "embedding": ["x", "y"]}]),
        Fault(data=[{"index": 0, "embedding": [0.0, 0.0]}]),
        Fault(data=[{"index": 0, "embedding": [1e39, float("inf")]}]),
        Fault(data=[{"index": 0, "embedding": []}]),
    ],
    ids=["500", "400", "hang-up", "empty", "garbage", "text", "zeroes", "infinite", "no numbers"],
)
async def test_bad_answers_leave_words(
    fault: Fault, hook: PromptRouter, profile: Profile, told: list[Telling], embedder: Embedder
) -> None:
    """The request goes on, and so does the conversation: the model is not asked for that message again."""
    embedder.faults.extend([fault] * 3)  # LiteLLM's OpenAI client tries thrice
    assert await selected(profile, told[0].text) == told[0].by_words != told[0].fused
    asked = len(embedder.batches)
    assert await selected(profile, told[0].text) == told[0].by_words
    assert len(embedder.batches) == asked >= 1


async def test_a_vector_of_another_size_leaves_words(
    hook: PromptRouter, profile: Profile, told: list[Telling], embedder: Embedder
) -> None:
    embedder.faults.append(Fault(data=[{"index": 0, "embedding": [0.6, 0.8]}]))
    assert await selected(profile, told[0].text) == told[0].by_words


async def test_requests_at_the_same_time_ask_once(
    hook: PromptRouter, profile: Profile, told: list[Telling], embedder: Embedder
) -> None:
    embedder.faults.append(Fault(delay_seconds=0.3))
    both = await asyncio.gather(*(selected(profile, told[0].text) for _ in range(5)))
    assert set(both) == {told[0].fused}
    assert embedder.batches == [[told[0].text]]


async def test_a_client_that_goes_away_spoils_nothing(
    hook: PromptRouter, profile: Profile, told: list[Telling], embedder: Embedder
) -> None:
    embedder.faults.append(Fault(delay_seconds=0.3))
    gone = asyncio.create_task(selected(profile, told[0].text))
    await asyncio.sleep(0.1)
    gone.cancel()
    assert await selected(profile, told[0].text) == told[0].fused
    assert len(embedder.batches) == 1


async def facts_of(profile: Profile, *texts: str) -> dict[str, Any]:
    """What the hook leaves in LiteLLM's bag for a conversation of these user messages."""
    messages = [{"role": "system", "content": profile.text}, *({"role": "user", "content": text} for text in texts)]
    data: dict[str, Any] = {"model": "claude", "messages": messages, "metadata": {}, "litellm_call_id": "c"}
    logging = ProxyLogging(user_api_key_cache=DualCache())
    who = UserAPIKeyAuth(api_key="0" * 64, key_alias="alpha")
    out: Any = await logging.pre_call_hook(user_api_key_dict=who, data=data, call_type="acompletion")
    facts: dict[str, Any] = left_facts(out["metadata"])
    return facts


async def test_a_new_profile_version_is_noted_though_vectors_had_to_be_asked_for(
    hook: PromptRouter, profile: Profile, told: list[Telling], embedder: Embedder
) -> None:
    """Such a request goes on where it stopped; what its conversation had before is what it had at its last call."""
    assert (await facts_of(profile, told[0].text))["profile_changed_from"] is None
    newer = replace(profile, version="another")
    settings = hook._handler.configuration.settings
    hook._handler.publish(active_configuration(settings, Pipeline([newer], len, coverage_floor=0.6)))
    asked = len(embedder.batches)
    changed_from = (await facts_of(profile, told[0].text, told[1].text))["profile_changed_from"]
    assert changed_from == f"{profile.version}@{profile.digest[:12]}"
    assert len(embedder.batches) > asked
    assert (await facts_of(profile, told[0].text, told[1].text))["profile_changed_from"] is None


async def test_a_request_that_waits_keeps_the_configuration_that_it_began_with(
    hook: PromptRouter, profile: Profile, told: list[Telling], embedder: Embedder
) -> None:
    """A new configuration comes into force between the question and its answer."""
    embedder.faults.append(Fault(delay_seconds=0.3))
    waiting = asyncio.create_task(facts_of(profile, told[0].text))
    while not embedder.batches:
        await asyncio.sleep(0.01)
    settings = hook._handler.configuration.settings
    newer = replace(profile, version="another")
    hook._handler.publish(active_configuration(settings, Pipeline([newer], len, coverage_floor=0.6)))
    facts = await waiting
    assert (facts["profile_version"], facts["outcome"]) == (profile.version, "rewritten")
    assert (await facts_of(profile, told[0].text))["profile_version"] == "another"


async def test_a_request_that_waits_passes_when_all_is_stopped_meanwhile(
    hook: PromptRouter, profile: Profile, told: list[Telling], embedder: Embedder
) -> None:
    embedder.faults.append(Fault(delay_seconds=0.3))
    messages = [{"role": "system", "content": profile.text}, {"role": "user", "content": told[0].text}]
    data: dict[str, Any] = {"model": "claude", "messages": messages, "metadata": {}, "litellm_call_id": "c"}
    logging = ProxyLogging(user_api_key_cache=DualCache())
    who = UserAPIKeyAuth(api_key="0" * 64, key_alias="alpha")
    call = logging.pre_call_hook(user_api_key_dict=who, data=data, call_type="acompletion")
    waiting = asyncio.create_task(call)
    while not embedder.batches:
        await asyncio.sleep(0.01)
    hook._handler.publish(replace(hook._handler.configuration, stopped_by="kill switch"))
    out: Any = await waiting
    assert (out["messages"], out["metadata"]) == (messages, {})
    assert hook._handler.passed_while_stopped == 1


async def test_the_wait_for_vectors_is_part_of_the_decision(
    hook: PromptRouter, profile: Profile, told: list[Telling], embedder: Embedder
) -> None:
    """What the client waits for because of us is in the record's figures, and its start is the request's own."""
    embedder.faults.append(Fault(delay_seconds=0.3))
    began = time.time()
    facts = await facts_of(profile, told[0].text)
    assert facts["decision_us"] >= 300_000
    assert facts["caller"]["started_seconds"] - began < 0.2
    assert (await facts_of(profile, told[0].text))["decision_us"] < 300_000


async def test_off_sends_nothing_and_shadow_decides(
    hook: PromptRouter, profile: Profile, told: list[Telling], embedder: Embedder
) -> None:
    assert await selected(profile, told[0].text, mode="off") == ()
    assert embedder.batches == []
    assert await selected(profile, told[0].text, mode="shadow") == told[0].fused


async def test_small_talk_is_not_sent(hook: PromptRouter, profile: Profile, embedder: Embedder) -> None:
    assert await selected(profile, "hi") == ("core",)
    assert embedder.batches == []


# Redis


@pytest.fixture
def redis_port(tmp_path: Path) -> Iterator[int]:
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("no redis-server here")
    port = free_port()
    command = [program, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(tmp_path)]
    with (tmp_path / "redis.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
    try:
        deadline = time.monotonic() + 10
        while b"Ready to accept" not in (tmp_path / "redis.log").read_bytes():
            assert time.monotonic() < deadline, "redis-server didn't start"
            time.sleep(0.05)
        yield port
    finally:
        process.terminate()
        process.wait(10)


@pytest.fixture
async def shared(redis_port: int) -> AsyncIterator[RedisCache]:
    cache = RedisCache(host="127.0.0.1", port=redis_port)
    yield cache
    await cache.disconnect()
    cache.redis_client.close()


async def test_replicas_share_vectors_and_failures(shared: RedisCache, embedder: Embedder) -> None:
    """A second process asks nobody; no text is in Redis, and another model's vectors are not taken for these."""
    from litellm_prompt_router.gateway.models.embedding_model import ask_embedding_model

    problems: list[Any] = []
    one, other = (
        EmbeddingCache(ask_embedding_model, lambda title, lines: problems.append((title, lines))) for _ in range(2)
    )
    await one.fetch(MODEL, ["the tide", "the quay"], SECONDS, shared)
    embedder.faults.append(Fault(status=400))
    await one.fetch(MODEL, ["too long"], SECONDS, shared)
    while one._writing:
        await asyncio.sleep(0.01)
    embedder.clear()
    await other.fetch(MODEL, ["the tide", "too long", "the quay"], SECONDS, shared)
    assert embedder.batches == []
    found = [each.known(MODEL, ["the tide", "too long", "the quay"]) for each in (one, other)]
    assert [list(each) for each in found] == [["the tide", "the quay"]] * 2
    assert [m.digest for m in found[0].values()] == [m.digest for m in found[1].values()]
    await other.fetch("openai/another", ["the tide"], SECONDS, shared)
    assert embedder.batches == [["the tide"]]
    client = shared.init_async_client()
    assert not any(b"tide" in key for key in await client.keys("*"))
    assert [title for title, _ in problems] == ["Embedding model failed"]
    await client.aclose()


async def test_the_hook_shares_through_litellms_own_cache(
    hook: PromptRouter, profile: Profile, told: list[Telling], embedder: Embedder, shared: RedisCache
) -> None:
    cache = DualCache(redis_cache=shared)
    assert await selected(profile, told[0].text, cache) == told[0].fused
    while hook._models.embeddings._writing:
        await asyncio.sleep(0.01)
    settings = load_settings({"ledger": {"path": None}}, {})
    other = PromptRouter(active_configuration(settings, Pipeline([profile], len, coverage_floor=0.6)))
    litellm.callbacks = [other]  # ``hook`` puts back what was there
    assert await selected(profile, told[0].text, cache) == told[0].fused
    assert embedder.batches == [[told[0].text]]
    other.close()


async def test_a_redis_that_is_gone_changes_nothing(embedder: Embedder) -> None:
    from litellm_prompt_router.gateway.models.embedding_model import ask_embedding_model

    class Gone:
        async def async_batch_get_cache(self, keys: list[str]) -> dict[str, Any]:
            raise ConnectionError

        async def async_set_cache_pipeline(self, pairs: list[Any], ttl: int) -> None:
            raise ConnectionError

    memory = EmbeddingCache(ask_embedding_model, lambda *_: None)
    await memory.fetch(MODEL, ["the tide"], SECONDS, Gone())
    assert list(memory.known(MODEL, ["the tide"])) == ["the tide"]


# Memory


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


async def test_a_failure_holds_as_long_as_it_is_asked_for() -> None:
    """And the model is left in peace for a while; then new messages are asked for again."""
    asked: list[list[str]] = []

    async def ask_embedding_model(_model: str, texts: Any, _seconds: float) -> list[MessageEmbedding]:
        asked.append(list(texts))
        if len(asked) == 1:
            raise OSError
        return list(meanings(texts).values())

    clock, problems = Clock(), []
    memory = EmbeddingCache(ask_embedding_model, lambda title, lines: problems.append((title, *lines)), clock=clock)
    await memory.fetch("m", ["a"], 1.0)
    await memory.fetch("m", ["b"], 1.0)
    assert (asked, len(problems)) == ([["a"]], 1)
    clock.now = PAUSE_SECONDS
    await memory.fetch("m", ["a", "b", "c"], 1.0)
    assert asked[1:] == [["c"]]
    for _ in range(5):
        clock.now += FAILURE_SECONDS * 0.9
        assert memory.known("m", ["a", "c"]).keys() == {"c"}
    clock.now += FAILURE_SECONDS * 1.1
    assert memory.never_asked("m", ["a", "c"]) == ["a"]


async def test_memory_and_calls_are_bounded() -> None:
    asked: list[int] = []

    async def ask_embedding_model(_model: str, texts: Any, _seconds: float) -> list[MessageEmbedding]:
        asked.append(len(texts))
        return list(meanings(["x"]).values()) * len(texts)

    memory = EmbeddingCache(ask_embedding_model, lambda *_: None)
    texts = [str(number) for number in range(MAX_TEXTS + 5)]
    await memory.fetch("m", texts, 5.0)
    assert asked == [MAX_TEXTS]
    assert len(memory.known("m", texts)) == MAX_TEXTS
    for at in range(0, MAX_ENTRIES * 2, MAX_TEXTS):
        await memory.fetch("m", [f"n{number}" for number in range(at, at + MAX_TEXTS)], 5.0)
    assert len(memory._entries) == MAX_ENTRIES


async def test_a_model_on_this_machine_is_started_with_the_hook(
    profile: Profile, told: list[Telling], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before a request needs it; requests ask it, and the status file says how it is."""
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnx")
    model = made_model(tmp_path / "model")
    assert profile.fitted is not None
    assert profile.fitted.semantics is not None
    local = replace(
        profile,
        fitted=replace(profile.fitted, semantics=replace(profile.fitted.semantics, model=model)),
        embedding=EmbeddingSettings(model=model, timeout_seconds=SECONDS),
    )
    with tempfile.TemporaryDirectory(prefix="pr-") as short:
        monkeypatch.setenv("XDG_RUNTIME_DIR", short)
        monkeypatch.setattr(server_place, "LINGER_SECONDS", 0.5)
        settings = load_settings({"ledger": {"path": str(tmp_path / "ledger.jsonl")}}, {})
        hook = PromptRouter(active_configuration(settings, Pipeline([local], len, coverage_floor=0.6)))
        monkeypatch.setattr(litellm, "callbacks", [hook])
        async with asyncio.timeout(20):
            while (state := hook._in_force().local_models[0])["stage"] != "ready":
                await asyncio.sleep(0.02)
        await selected(local, told[0].text)
        await selected(local, told[0].text)
        state = hook._in_force().local_models[0]
        assert (state["model"], state["asked"], state["vectors"], state["starts"]) == (model, 1, 1, 1)
        hook.close()
        await asyncio.sleep(0.05)
        async with asyncio.timeout(20):
            while list((Path(short) / "prompt-router").glob("*.sock")):
                await asyncio.sleep(0.05)

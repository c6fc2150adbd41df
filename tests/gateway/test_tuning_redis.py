"""Replicas share tunings through LiteLLM's own Redis cache, and agree there on conversations."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from litellm.caching.redis_cache import RedisCache

from litellm_prompt_router.files.profile_yaml import EconomicsFile
from litellm_prompt_router.gateway.tuning import conversation_tunings
from litellm_prompt_router.gateway.tuning.conversation_tunings import ConversationTunings, RedisTunings, TuningToAgree
from litellm_prompt_router.gateway.tuning.state_place import RedisState, StatePlace
from litellm_prompt_router.policy.tuning_state import EMPTY_STATE, LEAD_SECONDS, STATE_NAME, new_tuning, read_state
from litellm_prompt_router.policy.tunings import OWN, tunings_of
from tests.emulators.proxy import free_port
from tests.emulators.redis_server import running_redis
from tests.gateway.test_conversation_tunings import LATER, OPENING, PROFILE, Clock

NOW = 1_800_000_000.0
TUNING = new_tuning("sample", EconomicsFile(choice="full"), NOW, "made")
TUNINGS = tunings_of(EMPTY_STATE.with_tuning("sample", TUNING), [PROFILE])["sample"]


@pytest.fixture
def port(tmp_path: Path) -> Iterator[int]:
    with running_redis(tmp_path) as port:
        yield port


@pytest.fixture
async def cache(port: int) -> AsyncIterator[RedisCache]:
    cache = RedisCache(host="127.0.0.1", port=port, namespace="ours")
    yield cache
    await cache.disconnect()
    cache.redis_client.close()


async def step(memory: ConversationTunings, asked: object) -> str:
    wanted = memory.step_of("sample", "c", asked, TUNINGS)  # type: ignore[arg-type]  # one of two requests
    assert isinstance(wanted, TuningToAgree)
    await memory.agree(wanted)
    return memory.agreed(wanted, TUNINGS).id


async def test_replicas_agree_on_a_conversation(cache: RedisCache, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conversation_tunings, "BEGIN_SECONDS", 20.0)
    monkeypatch.setattr(conversation_tunings, "LOOK_SECONDS", 20.0)
    one, other = (ConversationTunings(None, Clock(NOW + LEAD_SECONDS)) for _ in range(2))
    for memory in (one, other):
        memory.share_through(cache)
    assert await step(one, OPENING) == TUNING.id
    assert await step(other, LATER) == TUNING.id
    (name,) = cache.redis_client.keys("*sample*")
    assert name == b"ours:prompt_router:tuning:1:sample:c"


@pytest.fixture
def gone() -> Iterator[RedisCache]:
    """Made outside of an event loop, where LiteLLM would leave a ping of its own behind."""
    cache = RedisCache(host="127.0.0.1", port=free_port(), socket_timeout=0.2)
    yield cache
    cache.redis_client.close()


async def test_a_redis_that_is_gone_keeps_the_older_tuning(gone: RedisCache) -> None:
    """LiteLLM's cache hides that nothing was written; it is noticed all the same."""
    with pytest.raises(Exception, match=r"nothing was written|Connection|connect"):
        await RedisTunings(gone).agree("c", TUNING.id, 60)
    memory = ConversationTunings(None, Clock(NOW + LEAD_SECONDS))
    memory.share_through(gone)
    assert await step(memory, OPENING) == OWN


def test_replicas_share_the_state_and_the_lock(cache: RedisCache, tmp_path: Path) -> None:
    shared = [RedisState(cache), RedisState(cache)]
    here, there = (StatePlace(tmp_path / name, lambda: shared[0]) for name in ("here", "there"))
    here.change(lambda state: state.with_tuning("sample", TUNING))
    here.exchange(NOW)
    there.exchange(NOW)
    assert read_state(tmp_path / "there" / STATE_NAME) == read_state(tmp_path / "here" / STATE_NAME)
    with here.alone(60) as is_mine, there.alone(60) as is_theirs:
        assert (is_mine, is_theirs) == (True, False)
    with there.alone(60) as is_theirs:
        assert is_theirs

"""What is found of a LiteLLM proxy in this process, and what without one."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import litellm
import pytest

from litellm_prompt_router.gateway import proxy_server

MODULE = "litellm.proxy.proxy_server"
REDIS = SimpleNamespace(redis_client=None, check_and_fix_namespace=None)


def put(monkeypatch: pytest.MonkeyPatch, **attributes: Any) -> None:
    monkeypatch.setitem(sys.modules, MODULE, SimpleNamespace(**attributes))


def test_without_a_proxy_nothing_is_found_and_nothing_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, MODULE, raising=False)
    found = (proxy_server.llm_router(), proxy_server.redis(), proxy_server.config_path())
    assert found == (None, None, None)
    assert proxy_server.redis_for_hooks(None) is None
    assert MODULE not in sys.modules


def test_the_router_and_the_configuration_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A path that is no file names a bucket's object."""
    router = litellm.Router(model_list=[])
    monkeypatch.chdir(tmp_path)
    (tmp_path / "proxy_config.yaml").write_text("{}")
    put(monkeypatch, llm_router=router, user_config_file_path="proxy_config.yaml")
    assert proxy_server.llm_router() is router
    assert proxy_server.config_path() == tmp_path / "proxy_config.yaml"
    put(monkeypatch, user_config_file_path="bucket/key.yaml")
    assert proxy_server.config_path() is None


def test_redis_is_the_cache_settings_or_the_routers(monkeypatch: pytest.MonkeyPatch) -> None:
    of_router = SimpleNamespace(redis_client=None, check_and_fix_namespace=None)
    router = SimpleNamespace(cache=SimpleNamespace(redis_cache=of_router))
    put(monkeypatch, redis_usage_cache=REDIS, llm_router=router)
    assert proxy_server.redis() is REDIS
    put(monkeypatch, redis_usage_cache=None, llm_router=router)
    assert proxy_server.redis() is of_router
    put(monkeypatch, redis_usage_cache=object())
    assert proxy_server.redis() is None


def test_hooks_redis_is_their_caches_first(monkeypatch: pytest.MonkeyPatch) -> None:
    of_hooks = object()
    put(monkeypatch, redis_usage_cache=REDIS)
    assert proxy_server.redis_for_hooks(SimpleNamespace(redis_cache=of_hooks)) is of_hooks
    assert proxy_server.redis_for_hooks(SimpleNamespace(redis_cache=None)) is REDIS

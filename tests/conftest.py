"""Fixtures that put a real proxy between real clients and emulated services."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

# Before anything imports LiteLLM, which would ask the network for prices and tokenizers.
os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

from tests.emulators.envelopes import Envelopes
from tests.emulators.providers import ProviderProxy, running_providers
from tests.emulators.proxy import forked_proxies
from tests.emulators.two_keys import CONFIG, TwoKeyProxy, running_two_keys
from tests.emulators.upstream import Upstream
from tests.law_examples import register_profiles

register_profiles()


@pytest.fixture(scope="session", autouse=True)
def one_import_of_litellm() -> Iterator[None]:
    """Proxies of this session are forks: most of a start is the import."""
    with forked_proxies():
        yield


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    """A provider of this test's own."""
    with Upstream() as upstream:
        yield upstream


@pytest.fixture
def envelopes() -> Iterator[Envelopes]:
    """A Sentry envelope receiver of this test's own."""
    with Envelopes() as envelopes:
        yield envelopes


@pytest.fixture(scope="session")
def upstream_session() -> Iterator[Upstream]:
    """The provider behind ``two_key_proxy``."""
    with Upstream() as upstream:
        yield upstream


@pytest.fixture(scope="session")
def envelopes_session() -> Iterator[Envelopes]:
    """The envelope receiver behind ``two_key_proxy``."""
    with Envelopes() as envelopes:
        yield envelopes


@pytest.fixture(scope="session")
def two_key_proxy(
    upstream_session: Upstream,
    envelopes_session: Envelopes,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[TwoKeyProxy]:
    """The example with two keys, running for the whole session and cleared before each test.

    What fails in one test doesn't cool the deployment down for the next.
    """
    folder = tmp_path_factory.mktemp("two_keys")
    config = shutil.copytree(CONFIG.parent, folder / "example") / CONFIG.name
    config.write_text(f"{config.read_text('utf-8')}\nrouter_settings: {{disable_cooldowns: true}}\n", "utf-8")
    with running_two_keys(upstream_session, envelopes_session, folder, config_path=config) as proxy:
        yield proxy


@pytest.fixture(scope="session")
def provider_proxy_session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProviderProxy]:
    """The proxy behind ``provider_proxy``."""
    with Upstream() as upstream, running_providers(upstream, tmp_path_factory.mktemp("providers")) as proxy:
        yield proxy


@pytest.fixture
def provider_proxy(provider_proxy_session: ProviderProxy) -> ProviderProxy:
    """Every provider on one upstream, running for the whole session and cleared before each test."""
    provider_proxy_session.proxy.revive()
    provider_proxy_session.upstream.clear()
    return provider_proxy_session


@pytest.fixture(autouse=True)
def _clear_session_emulators(request: pytest.FixtureRequest) -> None:
    if "two_key_proxy" in request.fixturenames:
        proxy: TwoKeyProxy = request.getfixturevalue("two_key_proxy")
        proxy.proxy.revive()
        proxy.clear()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """``--dist loadfile``, but files that share a proxy of the session stay together too, so that it starts once."""
    if config.getvalue("dist") != "loadfile":
        return None
    from xdist.scheduler import LoadFileScheduling

    class ByProxyOrFile(LoadFileScheduling):  # type: ignore[misc]  # xdist ships no types
        def _split_scope(self, nodeid: str) -> str:
            file = super()._split_scope(nodeid)
            return proxy_of(config.rootpath / file) or file

    return ByProxyOrFile(config, log)


@cache
def proxy_of(file: Path) -> str | None:
    """The proxy of the session that the file's tests ask for, if they do."""
    text = file.read_text("utf-8")
    return next((name for name in ("two_key_proxy", "provider_proxy") if f"{name}:" in text), None)

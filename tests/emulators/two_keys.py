"""The example with two keys, running: a real proxy between real SDK clients and an emulated provider."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import anthropic
import openai

from tests.emulators.envelopes import Envelopes
from tests.emulators.proxy import RunningProxy, make_key, running_proxy
from tests.emulators.upstream import Upstream

ROOT = Path(__file__).parents[2]
CONFIG = ROOT / "examples" / "two_keys" / "proxy_config.yaml"
CLIENT_SECONDS = 30.0

KeyName = Literal["alpha", "beta", "master"]


@dataclass(frozen=True, kw_only=True, slots=True)
class TwoKeyProxy:
    """The running proxy, what stands around it, and clients for its keys: `alpha` has the router on."""

    proxy: RunningProxy
    upstream: Upstream
    envelopes: Envelopes
    ledger_path: Path
    keys: Mapping[KeyName, str] = field(repr=False)

    @property
    def url(self) -> str:
        return self.proxy.url

    def openai(self, key: KeyName) -> openai.OpenAI:
        """An OpenAI SDK client with this key; close it, or use it in a ``with``."""
        return openai_client(self.url, self.keys[key])

    def anthropic(self, key: KeyName) -> anthropic.Anthropic:
        """An Anthropic SDK client with this key; close it, or use it in a ``with``."""
        return anthropic_client(self.url, self.keys[key])

    def clear(self) -> None:
        """Forget what the upstream and the envelope receiver saw; the ledger stays."""
        self.upstream.clear()
        self.envelopes.clear()


def openai_client(url: str, key: str) -> openai.OpenAI:
    """An OpenAI SDK client that neither retries nor reads proxy settings from the environment."""
    http = openai.DefaultHttpxClient(trust_env=False, timeout=CLIENT_SECONDS)
    return openai.OpenAI(base_url=f"{url}/v1", api_key=key, max_retries=0, http_client=http)


def anthropic_client(url: str, key: str) -> anthropic.Anthropic:
    """An Anthropic SDK client that neither retries nor reads proxy settings from the environment."""
    http = anthropic.DefaultHttpxClient(trust_env=False, timeout=CLIENT_SECONDS)
    return anthropic.Anthropic(base_url=url, api_key=key, max_retries=0, http_client=http)


@contextlib.contextmanager
def running_two_keys(
    upstream: Upstream,
    envelopes: Envelopes,
    folder: Path,
    *,
    env: Mapping[str, str] | None = None,
    config_path: Path = CONFIG,
    cwd: Path = ROOT,
) -> Iterator[TwoKeyProxy]:
    """The example's proxy with fresh keys, its ledger and log under ``folder``; ``env`` wins.

    Its cost gate is off: what it decides by prices is not what most of these tests are about.
    """
    keys: dict[KeyName, str] = {"alpha": make_key(), "beta": make_key(), "master": make_key()}
    ledger_path = folder / "ledger.jsonl"
    full_env = {
        "LITELLM_MASTER_KEY": keys["master"],
        "ALPHA_KEY": keys["alpha"],
        "BETA_KEY": keys["beta"],
        "ANTHROPIC_API_BASE": upstream.url,
        "ANTHROPIC_API_KEY": "emulated",
        "OPENAI_API_BASE": upstream.url,
        "OPENAI_API_KEY": "emulated",
        "PROMPT_ROUTER_LEDGER__PATH": str(ledger_path),
        "PROMPT_ROUTER_COST_GATE": "false",
        "GLITCHTIP_DSN": envelopes.dsn,
        # Longer than any session: what is judged at a window's end is no news to tests that count events.
        "PROMPT_ROUTER_ALERTS__WINDOW_SECONDS": "86400",
    } | dict(env or {})
    with running_proxy(config_path, env=full_env, cwd=cwd, log_path=folder / "proxy.log") as proxy:
        yield TwoKeyProxy(proxy=proxy, upstream=upstream, envelopes=envelopes, ledger_path=ledger_path, keys=keys)

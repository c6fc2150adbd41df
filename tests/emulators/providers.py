"""A real proxy with a group for each provider that LiteLLM sends to loopback, and a key for each placement."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import httpx
import pytest
import yaml

from tests.emulators.proxy import RunningProxy, make_key, running_proxy
from tests.emulators.two_keys import CLIENT_SECONDS, CONFIG, ROOT
from tests.emulators.upstream import Upstream

KeyName = Literal["auto", "append", "grow", "off"]
"""``auto`` is the bundled profile as it is; ``append`` and ``grow`` are copies of it that ask for that placement."""
KEYS: tuple[KeyName, ...] = ("auto", "append", "grow", "off")
RETRIES = 1
SETTINGS: Mapping[str, Any] = {"placement": "auto", "cache_hints": True, "cost_gate": False}
"""Prices decide nothing: the laws hold for whatever is rewritten."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Group:
    """One deployment under a name of its own. Groups with different ``api_key`` or ``model`` share no cache."""

    model: str
    path: str = ""
    """Behind the upstream's address: the host that it stands for."""
    api_key: str = "emulated"
    more: Mapping[str, Any] = field(default_factory=dict)

    def params(self, url: str) -> dict[str, Any]:
        """LiteLLM's parameters for it."""
        return {"model": self.model, "api_base": f"{url}{self.path}", "api_key": self.api_key, **self.more}


AWS = {"aws_access_key_id": "emulated", "aws_secret_access_key": "emulated", "aws_region_name": "us-east-1"}

TIERS = ("SIMPLE", "MEDIUM", "COMPLEX", "REASONING")
"""Of LiteLLM's complexity router."""

GROUPS: Mapping[str, Group] = {
    "claude": Group(model="anthropic/claude-sonnet-4-5"),
    "claude-mid": Group(model="anthropic/claude-opus-5"),
    "azure-claude": Group(model="azure_ai/claude-sonnet-4-5", path="/azure-claude/anthropic"),
    "bedrock": Group(model="bedrock/converse/anthropic.claude-sonnet-4-5-20250929-v1:0", more=AWS),
    "bedrock-mid": Group(model="bedrock/converse/anthropic.claude-opus-4-8", more=AWS),
    "bedrock-invoke": Group(model="bedrock/invoke/anthropic.claude-sonnet-4-5-20250929-v1:0", more=AWS),
    "bedrock-invoke-mid": Group(model="bedrock/invoke/anthropic.claude-opus-4-8", more=AWS),
    "gpt": Group(model="openai/gpt-4.1"),
    "gpt-new": Group(model="openai/gpt-5.6"),
    "compatible": Group(model="openai/some-local-model", path="/local/v1"),
    "azure": Group(model="azure/gpt-4.1", path="/azure", more={"api_version": "2025-04-01-preview"}),
    "deepseek": Group(model="deepseek/deepseek-chat", path="/deepseek"),
    "xai": Group(model="xai/grok-4", path="/xai/v1"),
    "mistral": Group(model="mistral/mistral-large-latest", path="/mistral/v1"),
    "openrouter-claude": Group(model="openrouter/anthropic/claude-sonnet-4.5", path="/openrouter/v1"),
    "openrouter-gpt": Group(model="openrouter/openai/gpt-4.1", path="/openrouter/v1"),
    "gemini": Group(model="gemini/gemini-2.5-pro", path="/gemini/v1beta"),
    "plain": Group(model="anthropic/claude-sonnet-4-5", api_key="plain"),
    "shaky": Group(model="anthropic/claude-sonnet-4-5", api_key="shaky"),
    "spare": Group(model="openai/gpt-4.1", api_key="spare"),
    "fable": Group(model="anthropic/claude-fable-5-1"),
    "chosen": Group(
        model="auto_router/complexity_router",
        more={"complexity_router_config": {"tiers": dict.fromkeys(TIERS, "claude"), "default_model": "claude"}},
    ),
}
ACCOUNTED_GROUPS: Mapping[str, Group] = {
    **GROUPS,
    "azure-new": Group(model="azure/gpt-5.6", path="/azure", more={"api_version": "2025-04-01-preview"}),
    "deepseek-pro": Group(model="deepseek/deepseek-v4-pro", path="/deepseek"),
    "gemini-flash": Group(model="gemini/gemini-3.5-flash", path="/gemini/v1beta"),
    "grok": Group(model="xai/grok-4.7", path="/xai/v1"),
    "kimi": Group(model="moonshot/kimi-k2.6", path="/moonshot/v1"),
    "qwen": Group(model="dashscope/qwen3.8-max", path="/dashscope/v1"),
    "qwen-marks": Group(model="dashscope/qwen3.8-flash", path="/dashscope/v1"),
    "glm": Group(model="zai/glm-4.6", path="/zai/v4"),
}
"""With one of every cache that is modelled and has a price, for accounting alone."""
FALLBACKS = [{"shaky": ["spare"]}, {"fable": ["gemini"]}]
ONE_OF_EACH_WIRE = frozenset({"claude", "claude-mid", "gpt", "gpt-new", "bedrock", "gemini", "mistral"})


def law_groups(groups: Iterable[str]) -> list[Any]:
    """Parameters of a law that holds for all of them."""
    return [pytest.param(group, id=group, marks=if_full(group)) for group in groups]


def if_full(group: str) -> tuple[pytest.MarkDecorator, ...]:
    """For laws of every provider: ``.ci/run`` tries a group of each wire, ``.ci/full`` all."""
    return () if group in ONE_OF_EACH_WIRE else (pytest.mark.full,)


@dataclass(frozen=True, kw_only=True, slots=True)
class ProviderProxy:
    """The running proxy and its upstream."""

    proxy: RunningProxy
    upstream: Upstream
    ledger_path: Path
    keys: Mapping[KeyName, str] = field(repr=False)

    def client(self, key: KeyName) -> httpx.Client:
        """A client with this key; close it, or use it in a ``with``."""
        return httpx.Client(
            base_url=self.proxy.url,
            headers={"Authorization": f"Bearer {self.keys[key]}"},
            trust_env=False,
            timeout=CLIENT_SECONDS,
        )


def model_list(url: str, groups: Mapping[str, Group] = GROUPS) -> list[dict[str, Any]]:
    """LiteLLM's ``model_list`` of all groups."""
    return [{"model_name": name, "litellm_params": group.params(url)} for name, group in groups.items()]


@contextlib.contextmanager
def running_providers(upstream: Upstream, folder: Path) -> Iterator[ProviderProxy]:
    """The proxy for the time of the block; its configuration, profiles, ledger and log are under ``folder``."""
    keys: dict[KeyName, str] = {name: make_key() for name in KEYS}
    config_path = _written(folder, upstream.url)
    ledger_path = folder / "ledger.jsonl"
    env = {
        **{_variable(name): key for name, key in keys.items()},
        "PROMPT_ROUTER_PROFILES": str(folder / "profiles"),
        "PROMPT_ROUTER_LEDGER__PATH": str(ledger_path),
    }
    with running_proxy(config_path, env=env, cwd=ROOT, log_path=folder / "proxy.log") as proxy:
        yield ProviderProxy(proxy=proxy, upstream=upstream, ledger_path=ledger_path, keys=keys)


def _written(folder: Path, url: str) -> Path:
    for name in ("workbench", "append", "grow"):
        copied = folder / "profiles" / name
        shutil.copytree(ROOT / "modules" / "workbench", copied)
        if name != "workbench":
            declared = copied / "profile.yaml"
            text = declared.read_text(encoding="utf-8").replace("profile: workbench\n", f"profile: {name}\n", 1)
            declared.write_text(f"{text}\nplacement: {name}\n", encoding="utf-8")
    shutil.copy(CONFIG.with_name("key_file.py"), folder)
    entries = [{"alias": name, "key": f"os.environ/{_variable(name)}", "metadata": _metadata(name)} for name in KEYS]
    (folder / "keys.yaml").write_text(yaml.safe_dump(entries))
    config_path = folder / CONFIG.name
    config = {
        "model_list": model_list(url),
        "callback_settings": {"prompt_router": {**SETTINGS, "mode": "off"}},
        "litellm_settings": {"callbacks": ["hooks.callback.handler"]},
        "router_settings": {"num_retries": RETRIES, "fallbacks": FALLBACKS, "disable_cooldowns": True},
        "general_settings": {
            "master_key": "os.environ/LITELLM_MASTER_KEY",
            "custom_auth": "key_file.user_api_key_auth",
            "always_include_stream_usage": True,
        },
    }
    config_path.write_text(yaml.safe_dump(config, sort_keys=False))
    return config_path


def _variable(name: KeyName) -> str:
    return f"{name.upper()}_KEY"


def _metadata(name: KeyName) -> dict[str, Any]:
    if name == "off":
        return {"prompt_router": {"enabled": False}}
    return {"prompt_router": {"enabled": True, "profile": "workbench" if name == "auto" else name}}

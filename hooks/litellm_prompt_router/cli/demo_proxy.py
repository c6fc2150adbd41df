"""The proxy that ``demo`` starts for itself: the bundled configuration, with an emulated provider behind it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import yaml
from rich.console import Console

from litellm_prompt_router.cli.demo_provider import emulated_provider
from litellm_prompt_router.cli.output import say
from litellm_prompt_router.cli.proxy_config import DEFAULT_ENVIRONMENT, KEY_VARIABLE, make_key, read_document
from litellm_prompt_router.cli.proxy_process import running_proxy
from litellm_prompt_router.documents.bundled import CONFIG_NAME, bundled_config, bundled_profiles
from litellm_prompt_router.policy.settings import PREFIX

DEMO_MODEL = "demo"
UNROUTED_MODEL = "demo-unrouted"
PRICED_AS = "claude-sonnet-4-5"
LEDGER = "ledger.jsonl"
NOT_FOR_A_DEMO = (PREFIX, "GLITCHTIP_", "SENTRY_")
"""Variables that begin so are the user's own proxies': their policy, their alerts."""


@contextlib.contextmanager
def own_proxy(folder: Path, log: Path) -> Iterator[tuple[str, str]]:
    """``(url, key)`` of a proxy that leaves nothing behind outside ``folder``, with an emulated provider behind it."""
    from litellm_prompt_router.profile.tokens import token_counter

    key = make_key()
    theirs = {name: value for name, value in os.environ.items() if not name.startswith(NOT_FOR_A_DEMO)}
    env = {
        **DEFAULT_ENVIRONMENT,
        **theirs,
        KEY_VARIABLE: key,
        f"{PREFIX}PROFILES": str(bundled_profiles()),
        f"{PREFIX}LEDGER__PATH": str(folder / LEDGER),
        "PYTHONUNBUFFERED": "1",
        # Neither the proxy nor its provider is anywhere else.
        **{name: f"{theirs.get(name, '')},127.0.0.1" for name in ("NO_PROXY", "no_proxy")},
    }
    with contextlib.ExitStack() as stack:
        provider = stack.enter_context(emulated_provider(token_counter()))
        config = folder / CONFIG_NAME
        config.write_text(_config_of_demo(provider), "utf-8")
        with Console(stderr=True).status("Starting a proxy of our own; that takes some seconds ..."):
            url = stack.enter_context(running_proxy(config, env, log))
        say(f"Proxy: {url}, started for this demo; behind it an emulated provider, {provider}")
        yield url, key


def _config_of_demo(provider: str) -> str:
    """The bundled configuration with the model of the demo, twice, at the emulated provider."""
    document = read_document(bundled_config())
    ours = [
        {
            "model_name": name,
            "litellm_params": {
                "model": f"anthropic/{PRICED_AS}",
                "api_base": provider,
                "api_key": name,
                "cache_control_injection_points": [
                    {"location": "message", "role": "system"},
                    {"location": "message", "index": -1},
                ],
            },
        }
        for name in (DEMO_MODEL, UNROUTED_MODEL)
    ]
    real = [entry for entry in document["model_list"] if entry["model_name"] != DEMO_MODEL]
    return yaml.safe_dump({**document, "model_list": [*ours, *real]})

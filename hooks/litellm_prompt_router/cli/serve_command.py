"""``prompt-router serve``."""

from __future__ import annotations

import json
import os
from pathlib import Path

import click

from litellm_prompt_router.cli.output import say
from litellm_prompt_router.cli.proxy_config import (
    DEFAULT_ENVIRONMENT,
    ENV_FILE,
    KEY_VARIABLE,
    ProxyConfig,
    checked_config,
    environment_of_file,
    make_key,
    place_of_key,
    remember_key,
    shell_key,
)
from litellm_prompt_router.cli.proxy_process import base_url, check_port, proxy_command, replace_process
from litellm_prompt_router.documents.bundled import CONFIG_NAME, bundled_config, default_config

DEMO_MODEL = "demo"
CANNED_USAGE = "10 input and 20 output tokens"
"""Of a ``mock_response`` (``DEFAULT_MOCK_RESPONSE_PROMPT_TOKEN_COUNT``, litellm/constants.py, 1.106)."""
PATIENCE_WITH_WORKERS = {"TIMEOUT_WORKER_HEALTHCHECK": "60"}
"""LiteLLM reads it for ``--timeout_worker_healthcheck``. Without it uvicorn (0.54) ends workers that don't answer for
5 s, and they don't while they import: on a busy machine none ever comes up. Seconds."""


@click.command()
@click.option(
    "--config",
    "path",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="LiteLLM configuration. Default: ./proxy_config.yaml, else the bundled one.",
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", type=click.IntRange(1, 65535), default=4000, show_default=True)
@click.option("--num-workers", type=click.IntRange(1), metavar="N", help="Worker processes. Default: LiteLLM's, 1.")
def serve(path: Path | None, host: str, port: int, num_workers: int | None) -> None:
    """Check settings and profiles, then start the LiteLLM proxy with them, as this very process.

    Everything wrong is reported at once, before anything starts. Variables of ./.env are used where the
    environment doesn't set them. When neither has LITELLM_MASTER_KEY, a strong key is made and kept in ./.env.
    LITELLM_LOCAL_MODEL_COST_MAP=True, HF_HUB_OFFLINE=1 and TIMEOUT_WORKER_HEALTHCHECK=60 (seconds that a worker
    may take to start) are set unless you set them.
    """
    # LiteLLM and our callback read the process environment, so that is where the file's values have to be.
    os.environ.update((name, value) for name, value in environment_of_file().items() if not os.environ.get(name))
    for name, value in (DEFAULT_ENVIRONMENT | PATIENCE_WITH_WORKERS).items():
        os.environ.setdefault(name, value)
    config = checked_config(path or default_config(), os.environ)
    check_port(host, port)
    if config.key_variable == KEY_VARIABLE and not os.environ.get(KEY_VARIABLE):
        os.environ[KEY_VARIABLE] = make_key()
        remember_key(os.environ[KEY_VARIABLE])
        say(f"Made a master key and wrote it into {ENV_FILE.absolute()}")
    _announce(config, base_url(host, port))
    workers = ["--num_workers", str(num_workers)] if num_workers is not None else []
    replace_process([*proxy_command(config.path, host, port), *workers], os.environ)


def _announce(config: ProxyConfig, url: str) -> None:
    model = DEMO_MODEL if DEMO_MODEL in config.models or not config.models else config.models[0]
    body = json.dumps({"model": model, "messages": [{"role": "user", "content": "Hello"}]})
    key = shell_key(config.key_variable, os.environ)
    is_bundled = config.path == bundled_config() and not Path(CONFIG_NAME).is_file()
    say(f"Configuration: {config.path}{' (the bundled one: none is in this folder)' if is_bundled else ''}")
    say(f"Profiles:      {config.profiles_path}")
    say(f"Base URL:      {url}   (OpenAI clients: {url}/v1)")
    say(f"Key:           {place_of_key(config, os.environ)}")
    say("Try it, from this folder:")
    say(
        f'  curl -i {url}/v1/chat/completions -H "Authorization: Bearer {key}"'
        f" -H 'Content-Type: application/json' -d '{body}'"
    )
    if model in config.canned_models:
        say(f"Answers of the model {model} are canned, and so is their usage: {CANNED_USAGE}, whatever was sent.")
    say(f"See prompts being rewritten: prompt-router demo --base-url {url}\n")

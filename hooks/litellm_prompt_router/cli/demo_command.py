"""``prompt-router demo``."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any

import click
import httpx
from rich.console import Console

from litellm_prompt_router.cli.demo_conversations import CONVERSATIONS, TOOLS, DemoConversation, system_prompt
from litellm_prompt_router.cli.inputs import USUAL_PROFILE
from litellm_prompt_router.cli.output import change, shortened
from litellm_prompt_router.cli.proxy_config import (
    DEFAULT_ENVIRONMENT,
    KEY_VARIABLE,
    environment_of_file,
    make_key,
)
from litellm_prompt_router.cli.proxy_process import is_live, running_proxy, tail
from litellm_prompt_router.documents.bundled import bundled_config
from litellm_prompt_router.documents.errors import ConfigurationError
from litellm_prompt_router.files import bundled_profiles, load_profile
from litellm_prompt_router.gateway.response_headers import PREFIX
from litellm_prompt_router.policy.litellm_config import CALLBACK

USUAL_URL = "http://127.0.0.1:4000"
CALL_SECONDS = 120.0
PREVIEW_CHARS = 70
LATE = "+late"
KINDS = ("always", "trigger", "score", "tool_call", "requires", "inherited", "fallback")


def _checked_url(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    if value is None:
        return None
    try:
        url = httpx.URL(value)
    except httpx.InvalidURL as error:
        raise click.BadParameter(f"{value!r}: {error}") from None
    if url.scheme not in ("http", "https") or not url.host:
        raise click.BadParameter(f"{value!r} is no http:// or https:// address; give one such as {USUAL_URL}")
    return value.rstrip("/").removesuffix("/v1")


def _checked_key(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    if value is not None and not (value.isascii() and value.isprintable()):
        raise click.BadParameter("a key is printable ASCII; copy it again")
    return value


@click.command()
@click.option(
    "--base-url",
    metavar="URL",
    callback=_checked_url,
    help="The running proxy. Default: http://127.0.0.1:4000 if there is one.",
)
@click.option(
    "--api-key",
    metavar="KEY",
    callback=_checked_key,
    help="Its key. Default: LITELLM_MASTER_KEY, from the environment or ./.env.",
)
@click.option("--model", default="demo", show_default=True, help="A model name of the proxy.")
def demo(base_url: str | None, api_key: str | None, model: str) -> None:
    """Send three conversations of the bundled workbench agent through the running proxy, over plain HTTP.

    For each call it prints what the proxy says in its x-prompt-router-* response headers: sizes before and
    after, the modules sent and why, cache breakpoints. The figures are of the system prompt, not of a bill.

    With no proxy at hand it starts one of its own, with the bundled configuration and a throw-away key, and
    stops it at the end. The model `demo` needs no account; other models cost what their provider charges.
    """
    if base_url is not None or is_live(USUAL_URL):
        url = base_url or USUAL_URL
        click.echo(f"Proxy: {url}")
        _run(url, api_key or _known_key(), model, trust_env=base_url is not None)
        return
    folder = Path(tempfile.mkdtemp(prefix="prompt-router-demo-"))
    log = folder / "proxy.log"
    with _own_proxy(folder, log) as (url, key):
        try:
            _run(url, key, model, trust_env=False)
        except ConfigurationError as error:
            raise ConfigurationError([*error.problems, f"the proxy's log ({log}) ends:", *tail(log)]) from None
    shutil.rmtree(folder)


def _known_key() -> str:
    key = os.environ.get(KEY_VARIABLE) or environment_of_file().get(KEY_VARIABLE)
    if not key:
        raise ConfigurationError([f"{KEY_VARIABLE}: neither in the environment nor in ./.env; give --api-key"])
    return key


@contextlib.contextmanager
def _own_proxy(folder: Path, log: Path) -> Iterator[tuple[str, str]]:
    """``(url, key)`` of a proxy that leaves nothing behind outside ``folder``."""
    key = make_key()
    env = {
        **DEFAULT_ENVIRONMENT,
        **os.environ,
        KEY_VARIABLE: key,
        "PROMPT_ROUTER_LEDGER__PATH": str(folder / "records.jsonl"),
        "PYTHONUNBUFFERED": "1",
    }
    with contextlib.ExitStack() as stack:
        with Console(stderr=True).status("Starting a proxy of our own; that takes some seconds ..."):
            url = stack.enter_context(running_proxy(bundled_config(), env, log))
        click.echo(f"Proxy: {url}, started for this demo")
        yield url, key


def _run(url: str, key: str, model: str, *, trust_env: bool) -> None:
    profile = load_profile(bundled_profiles() / USUAL_PROFILE, len)
    system = system_prompt(profile, date.today())
    sizes: list[tuple[int, int]] = []
    headers = {"Authorization": f"Bearer {key}"}
    with httpx.Client(base_url=url, headers=headers, timeout=CALL_SECONDS, trust_env=trust_env) as client:
        for number, conversation in enumerate(CONVERSATIONS, 1):
            click.echo(f"\nConversation {number}: {conversation.title}")
            sizes.extend(_converse(client, conversation, system, model))
    before, after = sum(size[0] for size in sizes), sum(size[1] for size in sizes)
    if sizes:
        click.echo(f"\n{len(sizes)} system prompts together: {change(before, after)} tokens")


def _converse(
    client: httpx.Client, conversation: DemoConversation, system: str, model: str
) -> Iterator[tuple[int, int]]:
    """Sends and prints each call; yields ``(tokens before, tokens after)`` of those that were decided on."""
    for number, messages in enumerate(conversation.calls(), 1):
        click.echo(f"\n  call {number}  {_last(messages[-1])}")
        body = {"model": model, "messages": [{"role": "system", "content": system}, *messages], "tools": list(TOOLS)}
        facts = _send(client, body)
        for line in _lines(facts):
            click.echo(f"          {line}")
        if "tokens-before" in facts:
            yield int(facts["tokens-before"]), int(facts["tokens-after"])


def _send(client: httpx.Client, body: Mapping[str, Any]) -> dict[str, str]:
    """The ``x-prompt-router-*`` headers of one call, without the prefix."""
    try:
        response = client.post("/v1/chat/completions", json=body)
    except (httpx.HTTPError, UnicodeError) as error:  # the latter for host names that can't be encoded
        why = f"{type(error).__name__}: {error}"
        raise ConfigurationError([f"{client.base_url}: no answer ({why}); is the proxy running?"]) from None
    if response.status_code != httpx.codes.OK:
        hint = "; give the proxy's key with --api-key" if response.status_code == httpx.codes.UNAUTHORIZED else ""
        reason = shortened(response.text, 300)
        raise ConfigurationError([f"{response.url}: HTTP {response.status_code}: {reason}{hint}"])
    facts = {name.removeprefix(PREFIX): value for name, value in response.headers.items() if name.startswith(PREFIX)}
    if "outcome" not in facts:
        raise ConfigurationError(
            [
                f"{response.url}: answered without {PREFIX}* headers; add {CALLBACK} to"
                " litellm_settings.callbacks and leave the setting `headers` on"
            ]
        )
    return facts


def _last(message: Mapping[str, Any]) -> str:
    who = "tool result" if message["role"] == "tool" else message["role"]
    return f"{who}: {shortened(message['content'], PREVIEW_CHARS)}"


def _lines(facts: Mapping[str, str]) -> Iterator[str]:
    if "reason" in facts:
        yield f"{facts['outcome']}: {facts['reason']}"
        return
    modules = facts.get("modules", "").split(",")
    counts = f"modules {len(modules)}, breakpoints {facts.get('breakpoints')}"
    yield f"{facts['outcome']}, profile {facts.get('profile')}, {counts}"
    for size in ("tokens", "chars"):
        if f"{size}-before" in facts:
            yield f"{size:<10} {change(int(facts[f'{size}-before']), int(facts[f'{size}-after']))}"
    pairs = [pair.partition("=") for pair in facts.get("evidence", "").split(",")]
    for kind in KINDS:
        names = [_named(module, why.removeprefix(kind)) for module, _, why in pairs if _kind(why) == kind]
        if names:
            yield f"{kind:<10} {', '.join(names)}"


def _kind(why: str) -> str:
    return why.removesuffix(LATE).partition(":")[0]


def _named(module: str, rest: str) -> str:
    """``tools/git (git_inspect, late)`` from the module and what follows its evidence's kind."""
    notes = [rest.removesuffix(LATE).removeprefix(":"), "late" if rest.endswith(LATE) else ""]
    told = ", ".join(note for note in notes if note)
    return f"{module} ({told})" if told else module

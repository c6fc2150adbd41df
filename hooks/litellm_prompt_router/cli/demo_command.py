"""``prompt-router demo``."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import click
import httpx

from litellm_prompt_router.cli.demo_conversations import CONVERSATIONS, TOOLS, DemoConversation, system_prompt
from litellm_prompt_router.cli.demo_money import finished_records, show_money, write_report
from litellm_prompt_router.cli.demo_proxy import DEMO_MODEL, LEDGER, PRICED_AS, UNROUTED_MODEL, own_proxy
from litellm_prompt_router.cli.inputs import USUAL_PROFILE
from litellm_prompt_router.cli.output import change, say, say_text, shortened
from litellm_prompt_router.cli.proxy_config import (
    KEY_VARIABLE,
    environment_of_file,
)
from litellm_prompt_router.cli.proxy_process import is_live, leaving_in_order, tail
from litellm_prompt_router.documents.bundled import install_command
from litellm_prompt_router.documents.errors import ConfigurationError
from litellm_prompt_router.files import bundled_profiles, load_profile
from litellm_prompt_router.gateway.caller import MASTER_KEY
from litellm_prompt_router.gateway.response_headers import PREFIX as HEADERS
from litellm_prompt_router.policy.litellm_config import CALLBACK

OUT_FOLDER = Path("prompt-router-demo")
PAGE = "report.html"
MONEY = f"""\
Money. The same calls went out twice: with routing, and with the header `x-prompt-router: off`, where LiteLLM's own
settings cache the full prompt. The provider is emulated: answers are canned, and cached tokens are counted by
Anthropic's documented rules. The prices are those of LiteLLM's map for {PRICED_AS}."""
NEXT = f"""
Your own agent
  1. export PROMPT_ROUTER_MODE=shadow PROMPT_ROUTER_CAPTURE_PATH=traffic.jsonl
     export PROMPT_ROUTER_CAPTURE_KEYS={MASTER_KEY}
     prompt-router serve
     In the agent: base URL {{url}} (OpenAI clients {{url}}/v1), and the key: LITELLM_MASTER_KEY of ./.env.
     With virtual keys, capture by their aliases. Let the agent work.
  2. prompt-router onboard traffic.jsonl --name my-agent"""
USUAL_URL = "http://127.0.0.1:4000"
CALL_SECONDS = 120.0
PREVIEW_CHARS = 70
LATE = "+late"
KINDS = ("always", "trigger", "score", "model", "assistant", "tool_call", "requires", "inherited", "fallback")


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
@click.option("--base-url", metavar="URL", callback=_checked_url, help="A running proxy to send them through.")
@click.option(
    "--api-key",
    metavar="KEY",
    callback=_checked_key,
    help="Its key. Default: LITELLM_MASTER_KEY, from the environment or ./.env.",
)
@click.option("--model", default=DEMO_MODEL, show_default=True, help="A model name of the proxy.")
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=OUT_FOLDER,
    show_default=True,
    metavar="DIR",
    help="Where the ledger and the report's page go.",
)
def demo(base_url: str | None, api_key: str | None, model: str, out: Path) -> None:
    """Send three conversations of the bundled workbench agent through a proxy, over plain HTTP.

    For each call it prints what the proxy says in its x-prompt-router-* response headers: sizes before and
    after, the modules sent and why, cache breakpoints.

    Without --base-url it starts a proxy of its own and an emulated provider, both with throw-away keys, and stops
    them at the end. It sends the calls a second time with the header `x-prompt-router: off`, compares the two bills,
    and writes its ledger and a report of it. Nothing leaves the machine unless --model names a real model of the
    bundled configuration, which costs what its provider charges.
    """
    if base_url is not None:
        key = api_key or _known_key()
        say(f"Proxy: {base_url}")
        _run(base_url, key, model, trust_env=True)
        say("\nWhat these calls cost is in that proxy's ledger: prompt-router report logs/prompt_router.jsonl")
        say_text(NEXT.format(url=base_url))
        return
    if is_live(USUAL_URL):
        say(f"A proxy runs at {USUAL_URL}; to send the demo through it: --base-url {USUAL_URL}")
    with leaving_in_order():
        _with_own_proxy(model, out)
    say_text(NEXT.format(url=USUAL_URL))


def _with_own_proxy(model: str, out: Path) -> None:
    """The demo through a proxy of our own. Its folder goes at the end, except where its log says what went wrong."""
    folder = Path(tempfile.mkdtemp(prefix="prompt-router-demo-"))
    log = folder / "proxy.log"
    try:
        with own_proxy(folder, log) as (url, key):
            try:
                calls = _run(url, key, model, trust_env=False)
                if model == DEMO_MODEL:
                    calls += _send_unrouted(url, key)
                records = finished_records(folder / LEDGER, calls)
            except ConfigurationError as error:
                raise ConfigurationError([*error.problems, f"the proxy's log ({log}) ends:", *tail(log)]) from None
        if model == DEMO_MODEL:
            say_text(f"\n{MONEY}\n")
            show_money(records, DEMO_MODEL, UNROUTED_MODEL)
        _keep(folder / LEDGER, out)
    except ConfigurationError:
        raise
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    shutil.rmtree(folder)


def _known_key() -> str:
    key = os.environ.get(KEY_VARIABLE) or environment_of_file().get(KEY_VARIABLE)
    if not key:
        raise ConfigurationError([f"{KEY_VARIABLE}: neither in the environment nor in ./.env; give --api-key"])
    return key


def _run(url: str, key: str, model: str, *, trust_env: bool) -> int:
    """Sends and shows every call. Returns how many there were."""
    system = _system_prompt()
    sizes: list[tuple[int, int] | None] = []
    with _client(url, key, trust_env=trust_env) as client:
        for number, conversation in enumerate(CONVERSATIONS, 1):
            say(f"\nConversation {number}: {conversation.title}")
            sizes.extend(_converse(client, conversation, system, model))
    known = [size for size in sizes if size is not None]
    if known:
        before, after = sum(size[0] for size in known), sum(size[1] for size in known)
        say(f"\n{len(known)} system prompts together: {change(before, after)} tokens")
    else:
        say("\nNothing was routed. Is routing on for this key, and does the proxy read the bundled profiles?")
    return len(sizes)


def _send_unrouted(url: str, key: str) -> int:
    """Sends every call again, as it came: with the header that switches routing off. Returns how many there were."""
    system = _system_prompt()
    bodies = [
        _body(UNROUTED_MODEL, system, messages) for conversation in CONVERSATIONS for messages in conversation.calls()
    ]
    with _client(url, key, trust_env=False) as client:
        for body in bodies:
            _send(client, body, {"x-prompt-router": "off"})
    return len(bodies)


def _system_prompt() -> str:
    return system_prompt(load_profile(bundled_profiles() / USUAL_PROFILE, len), date.today())


def _client(url: str, key: str, *, trust_env: bool) -> httpx.Client:
    return httpx.Client(
        base_url=url, headers={"Authorization": f"Bearer {key}"}, timeout=CALL_SECONDS, trust_env=trust_env
    )


def _body(model: str, system: str, messages: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    return {"model": model, "messages": [{"role": "system", "content": system}, *messages], "tools": list(TOOLS)}


def _keep(ledger: Path, out: Path) -> None:
    """Moves the ledger to where the user finds it, with a report of it beside. What can't be written is told."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        kept = Path(shutil.copyfile(ledger, out / LEDGER))
        page_file = out / PAGE
        is_written = write_report(kept, page_file)
    except OSError as error:
        say(f"\n{out}: can't be written ({error.strerror}); choose another --out for ledger and report", err=True)
        return
    say(f"\nLedger:  {kept}   (prompt-router report {kept} --mode rewrite)")
    if is_written:
        say(f"Report:  {page_file}   (open it in a browser)")
    else:
        say(f"Report:  needs the extra `report`: {install_command('report')}")


def _converse(
    client: httpx.Client, conversation: DemoConversation, system: str, model: str
) -> Iterator[tuple[int, int] | None]:
    """Sends and prints each call; yields its ``(tokens before, tokens after)``, None where nothing was decided."""
    for number, messages in enumerate(conversation.calls(), 1):
        say(f"\n  call {number}  {_last(messages[-1])}")
        facts = _send(client, _body(model, system, messages))
        for line in _lines(facts):
            say(f"          {line}")
        has_sizes = "tokens-before" in facts
        yield (int(facts["tokens-before"]), int(facts["tokens-after"])) if has_sizes else None


def _send(client: httpx.Client, body: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> dict[str, str]:
    """The ``x-prompt-router-*`` headers of one call, without the prefix."""
    try:
        response = client.post("/v1/chat/completions", json=body, headers=headers)
    except (httpx.HTTPError, UnicodeError) as error:  # the latter for host names that can't be encoded
        why = f"{type(error).__name__}: {error}"
        raise ConfigurationError([f"{client.base_url}: no answer ({why}); is the proxy running?"]) from None
    if response.status_code != httpx.codes.OK:
        hint = "; give the proxy's key with --api-key" if response.status_code == httpx.codes.UNAUTHORIZED else ""
        reason = shortened(response.text, 300)
        raise ConfigurationError([f"{response.url}: HTTP {response.status_code}: {reason}{hint}"])
    facts = {name.removeprefix(HEADERS): value for name, value in response.headers.items() if name.startswith(HEADERS)}
    if "outcome" not in facts:
        raise ConfigurationError(
            [
                f"{response.url}: answered without {HEADERS}* headers; add {CALLBACK} to"
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

"""``demo``: what it sends, what it says, and how it fails."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from datetime import date
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any
from unittest import mock

import httpx
import pytest

import litellm_prompt_router.cli.demo_command
import litellm_prompt_router.cli.demo_money
import litellm_prompt_router.cli.proxy_process
from litellm_prompt_router.cli.demo_conversations import CONVERSATIONS, TOOLS, system_prompt
from litellm_prompt_router.cli.demo_provider import emulated_provider
from litellm_prompt_router.cli.proxy_process import free_port, is_live, running_proxy
from litellm_prompt_router.documents.errors import ConfigurationError
from litellm_prompt_router.files import bundled_profiles, load_profile
from litellm_prompt_router.gateway.caller import MASTER_KEY
from litellm_prompt_router.policy.settings import load_settings
from litellm_prompt_router.request.recognise import Catalogue
from tests.cli.conftest import Run
from tests.emulators.loopback import Answer, HangUp, Incoming, Loopback

WORKBENCH = load_profile(bundled_profiles() / "workbench", len)
FACTS = {
    "x-prompt-router-outcome": "rewritten",
    "x-prompt-router-profile": "workbench@1",
    "x-prompt-router-modules": "a,b,c",
    "x-prompt-router-evidence": "a=always,b=trigger:csv+late,c=always",
    "x-prompt-router-tokens-before": "1000",
    "x-prompt-router-tokens-after": "250",
    "x-prompt-router-chars-before": "4000",
    "x-prompt-router-chars-after": "1000",
    "x-prompt-router-breakpoints": "2",
}
CALLS = sum(len(list(conversation.calls())) for conversation in CONVERSATIONS)


@pytest.fixture
def serve() -> Iterator[Callable[..., str]]:
    """Starts a server that gives every call this answer; returns its URL."""
    with contextlib.ExitStack() as stack:

        def start(answer: Answer | HangUp, seen: list[Incoming] | None = None) -> str:
            def respond(incoming: Incoming) -> Answer | HangUp:
                if seen is not None:
                    seen.append(incoming)
                return answer

            server = Loopback(respond)
            server.listen()
            stack.callback(server.close)
            return server.url

        yield start


# What it sends


def test_every_call_awaits_an_answer() -> None:
    for conversation in CONVERSATIONS:
        calls = list(conversation.calls())
        assert 2 <= len(calls) <= 4
        assert calls[-1] == conversation.messages
        for earlier, later in pairwise(calls):
            assert later[: len(earlier)] == earlier
            assert later[len(earlier)]["role"] == "assistant"


def test_prompt_is_recognised_whole() -> None:
    found = Catalogue([WORKBENCH]).recognise(system_prompt(WORKBENCH, date(2031, 1, 2)))
    assert found is not None
    assert (found.profile, found.coverage) == (WORKBENCH, 1.0)
    assert "2031-01-02" in system_prompt(WORKBENCH, date(2031, 1, 2))


def test_tools_belong_to_the_agent() -> None:
    owned = {tool for module in WORKBENCH.modules for tool in module.tools}
    assert {tool["function"]["name"] for tool in TOOLS} <= owned


def test_bodies_on_the_wire(serve: Callable[..., str], run: Run) -> None:
    seen: list[Incoming] = []
    url = serve(Answer(headers=FACTS, body=b"{}"), seen)
    assert run("demo", "--base-url", f"{url}/v1/", "--api-key", "sk-x", "--model", "m").exit_code == 0
    bodies: list[dict[str, Any]] = [json.loads(incoming.body) for incoming in seen]
    assert {(incoming.path, incoming.headers["authorization"]) for incoming in seen} == {
        ("/v1/chat/completions", "Bearer sk-x")
    }
    assert [tuple(body["messages"][1:]) for body in bodies] == [c for one in CONVERSATIONS for c in one.calls()]
    assert {body["model"] for body in bodies} == {"m"}
    assert {body["messages"][0]["content"] for body in bodies} == {system_prompt(WORKBENCH, date.today())}


# What it says


def test_figures_come_from_the_headers(serve: Callable[..., str], run: Run) -> None:
    result = run("demo", "--base-url", serve(Answer(headers=FACTS, body=b"{}")), "--api-key", "x")
    assert result.stdout.splitlines()[4:10] == [
        "  call 1  user: Load in/orders.csv and give me the revenue by region for the first ...",
        "          rewritten, profile workbench@1, modules 3, breakpoints 2",
        "          tokens     1,000 -> 250 (-75.0%)",
        "          chars      4,000 -> 1,000 (-75.0%)",
        "          always     a, c",
        "          trigger    b (csv, late)",
    ]
    total = f"{CALLS} system prompts together: {CALLS * 1000:,} -> {CALLS * 250:,} (-75.0%) tokens"
    assert total in result.stdout.splitlines()


def test_passthrough_says_why(serve: Callable[..., str], run: Run) -> None:
    headers = {"x-prompt-router-outcome": "passthrough", "x-prompt-router-reason": "off"}
    result = run("demo", "--base-url", serve(Answer(headers=headers, body=b"{}")), "--api-key", "x")
    assert result.exit_code == 0
    assert result.stdout.count("          passthrough: off\n") == CALLS
    assert "together" not in result.stdout
    assert (
        "\nNothing was routed. Is routing on for this key, and does the proxy read the bundled profiles?\n"
        in result.stdout
    )


def test_it_ends_with_the_way_for_ones_own_agent(serve: Callable[..., str], run: Run) -> None:
    """Base URL, key, settings that are settings, and a command."""
    url = serve(Answer(headers=FACTS, body=b"{}"))
    told = run("demo", "--base-url", url, "--api-key", "x").stdout.partition("\nYour own agent\n")[2]
    assert f"base URL {url} (OpenAI clients {url}/v1)" in told
    assert "LITELLM_MASTER_KEY" in told
    stated = dict(re.findall(r"(PROMPT_ROUTER_\w+)=(\S+)", told))
    settings = load_settings(None, stated)
    assert settings.mode == "shadow"
    assert settings.capture.keys == {MASTER_KEY}
    assert settings.capture.path == Path("traffic.jsonl")
    assert "prompt-router onboard traffic.jsonl --name my-agent" in told


# The emulated provider


def test_the_provider_accounts_as_anthropic_does() -> None:
    """Written once, read from then on, and by no other key."""
    system = [{"type": "text", "text": "word " * 5_000, "cache_control": {"type": "ephemeral"}}]
    body = {"model": "claude-sonnet-4-5", "max_tokens": 10, "system": system, "messages": [_hello()]}
    usages = []
    with emulated_provider(lambda text: len(text) // 5) as url:
        for key in ("a", "a", "b"):
            answer = httpx.post(f"{url}/v1/messages", json=body, headers={"x-api-key": key}, trust_env=False).json()
            usages.append(answer["usage"])
    written, read, other = usages
    assert written["cache_creation_input_tokens"] == read["cache_read_input_tokens"] >= 5_000
    assert (written["cache_read_input_tokens"], read["cache_creation_input_tokens"]) == (0, 0)
    assert other == written


def _hello() -> dict[str, str]:
    return {"role": "user", "content": "Hello"}


# How it fails


@pytest.mark.parametrize(
    ("answer", "wrong"),
    [
        pytest.param(
            Answer(status=401, body=b'{"error": "no such key"}'),
            '/v1/chat/completions: HTTP 401: {"error": "no such key"}; give the proxy\'s key with --api-key',
            id="refused",
        ),
        pytest.param(
            Answer(status=500, body=b"x" * 5000), f"/v1/chat/completions: HTTP 500: {'x' * 297}...", id="error"
        ),
        pytest.param(
            Answer(body=b"{}"),
            "/v1/chat/completions: answered without x-prompt-router-* headers; add"
            " litellm_prompt_router.callback.handler to litellm_settings.callbacks and leave the setting `headers` on",
            id="no router",
        ),
        pytest.param(
            HangUp(),
            ": no answer (RemoteProtocolError: Server disconnected without sending a response.); is the proxy running?",
            id="hang-up",
        ),
    ],
)
def test_failed_calls(answer: Answer | HangUp, wrong: str, serve: Callable[..., str], run: Run) -> None:
    url = serve(answer)
    result = run("demo", "--base-url", url, "--api-key", "x")
    assert (result.exit_code, result.stderr) == (1, f"{url}{wrong}\n")


def test_nobody_there(run: Run) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    result = run("demo", "--base-url", url, "--api-key", "x")
    wrong = f"{url}: no answer (ConnectError: [Errno 111] Connection refused); is the proxy running?\n"
    assert (result.exit_code, result.stderr) == (1, wrong)


def test_key_comes_from_the_file_or_is_asked_for(serve: Callable[..., str], run: Run) -> None:
    seen: list[Incoming] = []
    url = serve(Answer(headers=FACTS, body=b"{}"), seen)
    result = run("demo", "--base-url", url)
    wrong = "LITELLM_MASTER_KEY: neither in the environment nor in ./.env; give --api-key\n"
    assert (result.exit_code, result.stderr, seen) == (1, wrong, [])
    Path(".env").write_text("LITELLM_MASTER_KEY=sk-of-file\n")
    assert run("demo", "--base-url", url).exit_code == 0
    assert seen[0].headers["authorization"] == "Bearer sk-of-file"


@pytest.mark.parametrize(
    "arguments",
    [
        ("--base-url", "127.0.0.1:4000"),
        ("--base-url", "http://"),
        ("--base-url", "http://h:x"),
        ("--api-key", "schlüssel"),
        ("--api-key", "a\nb"),
    ],
    ids=["no scheme", "no host", "no port", "key not ascii", "key of two lines"],
)
def test_unusable_options(arguments: tuple[str, str], run: Run) -> None:
    result = run("demo", *arguments)
    assert result.exit_code == 2
    assert result.stderr.splitlines()[-1].startswith(f"Error: Invalid value for '{arguments[0]}': ")


@pytest.mark.full
@pytest.mark.proxy
def test_proxy_that_cannot_start_is_explained(tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text("litellm_settings: {callbacks: [no_such_module.handler]}\n")
    env = {**os.environ, "LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_MASTER_KEY": "sk-0123456789abcdef"}
    with pytest.raises(ConfigurationError) as raised, running_proxy(config, env, tmp_path / "log"):
        pytest.fail("it started")
    first, *tail = raised.value.problems
    assert first == f"the proxy ended with exit code 3; its log ({tmp_path / 'log'}) says:"
    assert 0 < len(tail) <= litellm_prompt_router.cli.proxy_process.TAIL_LINES
    assert "no_such_module" in "\n".join(tail)


@pytest.fixture
def no_proxy_here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Nothing answers at the usual address; temporary folders go to the one returned."""
    monkeypatch.setattr(litellm_prompt_router.cli.demo_command, "USUAL_URL", f"http://127.0.0.1:{free_port()}")
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.mark.full
@pytest.mark.proxy
def test_demo_starts_and_stops_a_proxy_of_its_own(no_proxy_here: Path, run: Run) -> None:
    """With a provider, two bills, a ledger and its page; settings of the user's other proxies don't reach it."""
    theirs = {"PROMPT_ROUTER_MODE": "off", "PROMPT_ROUTER_PROFILES": "/nowhere", "SENTRY_DSN": "no DSN"}
    with mock.patch.dict(os.environ, theirs):
        result = run("demo", "--out", "kept")
    assert (result.exit_code, result.stderr) == (0, "")
    lines = result.stdout.splitlines()
    assert sum(line.startswith("          rewritten, profile workbench@") for line in lines) == CALLS
    assert any(line.startswith(f"{CALLS} system prompts together: ") for line in lines)
    assert not is_live(lines[0].removeprefix("Proxy: ").partition(",")[0])
    assert list(no_proxy_here.iterdir()) == []
    assert [path.name for path in Path.cwd().iterdir()] == ["kept"]
    assert "Report:  kept/report.html" in result.stdout
    assert Path("kept/report.html").read_text("utf-8").startswith("<!doctype html>")
    _check_money([json.loads(line) for line in Path("kept/ledger.jsonl").read_text("utf-8").splitlines()], lines)


def _check_money(records: list[dict[str, Any]], lines: list[str]) -> None:
    """What is printed is what the ledger says; the proxy's estimate lacks the first call and nothing else."""
    sides = [[r for r in records if r["model_group"] == name] for name in ("demo-unrouted", "demo")]
    assert [len(side) for side in sides] == [CALLS, CALLS]
    full, routed = (sum(Decimal(r["billed_usd"]) for r in side) for side in sides)
    rows = {line.rpartition("  ")[2]: line.split()[0] for line in lines if line}
    assert (rows[f"{full:.4f}"], rows[f"{routed:.4f}"]) == ("full", "routed")
    assert f"Routing saved {full - routed:.4f} of {full:.4f} USD ({(full - routed) / full:.1%})." in lines
    assert all(r["cache_read_tokens"] for r in sides[0][1:])
    unknown = [n for n, r in enumerate(sides[1]) if r["estimated_net_saved_usd"] is None]
    assert unknown == [0]
    estimated = sum(Decimal(r["estimated_net_saved_usd"]) for r in sides[1][1:])
    assert full - routed - estimated == Decimal(sides[0][0]["billed_usd"]) - Decimal(sides[1][0]["billed_usd"])


def test_without_the_extra_it_says_how_to_get_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(litellm_prompt_router.cli.demo_money, "NEEDED", ("no_such_library",))
    assert not litellm_prompt_router.cli.demo_money.write_report(tmp_path / "ledger.jsonl", tmp_path / "page.html")
    assert list(tmp_path.glob("*.html")) == []


@pytest.mark.full
@pytest.mark.proxy
def test_failing_calls_to_its_own_proxy_show_the_log(no_proxy_here: Path, run: Run) -> None:
    result = run("demo", "--model", "nope")
    assert result.exit_code == 1
    errors = [line for line in result.stderr.splitlines() if line.startswith(("http://", "the proxy's log"))]
    assert len(errors) == 2
    assert ": HTTP 400: " in errors[0]
    [folder] = no_proxy_here.iterdir()
    assert errors[1] == f"the proxy's log ({folder / 'proxy.log'}) ends:"


NO_HANGUP = pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="no SIGHUP here")

CHILD = """
import os, sys
from pathlib import Path
from litellm_prompt_router.cli.proxy_process import running_proxy
with running_proxy(Path(sys.argv[1]), os.environ, Path("child.log")) as url:
    print(url, flush=True)
    sys.stdin.readline()
"""


@pytest.mark.full
@pytest.mark.proxy
@pytest.mark.parametrize("name", ["SIGTERM", pytest.param("SIGHUP", marks=NO_HANGUP)])
def test_a_terminated_demo_leaves_no_proxy_behind(name: str) -> None:
    root = Path(__file__).parents[2]
    env = {
        **os.environ,
        "PYTHONPATH": str(root),
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "LITELLM_MASTER_KEY": "sk-0123456789abcdef",
        "PROMPT_ROUTER_LEDGER__PATH": str(Path.cwd() / "records.jsonl"),
    }
    with subprocess.Popen(
        [sys.executable, "-c", CHILD, str(root / "proxy_config.yaml")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=env,
    ) as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        assert httpx.get(f"{url}/health/liveliness", trust_env=False).is_success
        number = getattr(signal, name)
        process.send_signal(number)
        assert process.wait(30) == 128 + number
    assert not is_live(url)


ABORTED = """
import contextlib, os, signal, sys, tempfile
from pathlib import Path
from litellm_prompt_router.cli import demo_command
from litellm_prompt_router.cli.demo_command import demo
demo_command.USUAL_URL = "http://127.0.0.1:9"

@contextlib.contextmanager
def own_proxy(folder, log):
    log.write_text("started")
    yield "http://127.0.0.1:9", "sk"

def run(*_, **__):
    os.kill(os.getpid(), getattr(signal, sys.argv[1]))
    signal.pause()

demo_command.own_proxy, demo_command._run = own_proxy, run
demo.main([])
"""


@NO_HANGUP
@pytest.mark.parametrize("name", ["SIGHUP", "SIGTERM", "SIGINT"])
def test_an_aborted_demo_leaves_no_folder_behind(name: str, tmp_path: Path) -> None:
    """Ctrl-C, a closed terminal and `kill` end it in order."""
    env = {**os.environ, "TMPDIR": str(tmp_path), "PYTHONPATH": str(Path(__file__).parents[2] / "hooks")}
    ended = subprocess.run([sys.executable, "-c", ABORTED, name], env=env, timeout=60, check=False, capture_output=True)
    assert ended.returncode == (1 if name == "SIGINT" else 128 + getattr(signal, name)), ended.stderr
    assert list(tmp_path.glob("prompt-router-demo-*")) == []

"""``serve``: checks, the master key, and the process it becomes."""

from __future__ import annotations

import os
import re
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from litellm import constants
from litellm.proxy.proxy_cli import run_server as litellm_cli

from litellm_prompt_router.cli.proxy_process import base_url, free_port
from litellm_prompt_router.cli.serve_command import CANNED_USAGE
from litellm_prompt_router.files import bundled_profiles
from tests.cli.conftest import Run

ROOT = Path(__file__).parents[2]
BUNDLED = ROOT / "proxy_config.yaml"
MINIMAL = "litellm_settings: {callbacks: [litellm_prompt_router.callback.handler]}\n"
KEY_LINE = re.compile(r"LITELLM_MASTER_KEY=(sk-[\w-]{43})")
BOOT_SECONDS = 90.0
STOP_SECONDS = 20.0


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[tuple[list[str], dict[str, str]]]:
    """The command lines and environments that ``serve`` would have become."""
    seen: list[tuple[list[str], dict[str, str]]] = []

    def execve(path: str, arguments: list[str], env: dict[str, str]) -> None:
        assert path == arguments[0]
        seen.append((arguments, env))

    monkeypatch.setattr(os, "execve", execve)
    return seen


def test_becomes_litellm_with_the_bundled_configuration(run: Run, started: list[Any]) -> None:
    port = free_port()
    result = run("serve", "--port", port, "--num-workers", 2)
    assert result.exit_code == 0
    [(command, env)] = started
    assert command[1:] == [
        *("--config", str(BUNDLED), "--host", "127.0.0.1", "--port", str(port), "--num_workers", "2")
    ]
    assert command[0] == str(Path(sys.executable).with_name("litellm"))
    assert (env["LITELLM_LOCAL_MODEL_COST_MAP"], env["HF_HUB_OFFLINE"]) == ("True", "1")
    patience = next(option for option in litellm_cli.params if option.name == "timeout_worker_healthcheck")
    assert env[str(patience.envvar)] == "60", "LiteLLM takes it from the environment"
    assert f"Base URL:      http://127.0.0.1:{port} " in result.stdout
    assert f"Profiles:      {bundled_profiles()}\n" in result.stdout
    assert f"prompt-router demo --base-url http://127.0.0.1:{port}\n" in result.stdout
    assert f"Configuration: {BUNDLED} (the bundled one: none is in this folder)\n" in result.stdout
    assert "Answers of the model demo are canned, and so is their usage: 10 input and 20 output tokens" in result.stdout


def test_the_canned_usage_is_litellms() -> None:
    assert (
        f"{constants.DEFAULT_MOCK_RESPONSE_PROMPT_TOKEN_COUNT} input and"
        f" {constants.DEFAULT_MOCK_RESPONSE_COMPLETION_TOKEN_COUNT} output tokens"
    ) == CANNED_USAGE


def test_without_the_script_litellm_runs_as_a_module(
    run: Run, started: list[Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    run("serve", "--port", free_port())
    [(command, _)] = started
    assert command[:3] == [str(tmp_path / "python"), "-m", "litellm.proxy.proxy_cli"]


def test_configuration_of_this_folder_comes_first(run: Run, started: list[Any]) -> None:
    Path("proxy_config.yaml").write_text(MINIMAL)
    result = run("serve", "--port", free_port())
    assert "Configuration: proxy_config.yaml\n" in result.stdout
    assert "canned" not in result.stdout
    assert started[0][0][1:3] == ["--config", str(Path.cwd() / "proxy_config.yaml")]


def test_from_a_checkout_the_callback_may_be_named_by_its_place(
    run: Run, started: list[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beside the configuration, or below the folder that the command runs in."""
    shim = tmp_path / "checkout" / "hooks" / "callback.py"
    shim.parent.mkdir(parents=True)
    shim.touch()
    config = tmp_path / "checkout" / "proxy_config.yaml"
    config.write_text("litellm_settings: {callbacks: [hooks.callback.handler]}\n")
    assert run("serve", "--config", config, "--port", free_port()).exit_code == 0
    monkeypatch.chdir(tmp_path / "checkout")
    elsewhere = config.rename(tmp_path / "moved.yaml")
    assert run("serve", "--config", elsewhere, "--port", free_port()).exit_code == 0
    assert len(started) == 2


def test_users_own_environment_stays(run: Run, started: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LITELLM_LOCAL_MODEL_COST_MAP", "False")
    monkeypatch.setenv("LITELLM_MASTER_KEY", "sk-mine")
    result = run("serve", "--port", free_port())
    [(_, env)] = started
    assert (env["LITELLM_LOCAL_MODEL_COST_MAP"], env["LITELLM_MASTER_KEY"]) == ("False", "sk-mine")
    assert not Path(".env").exists()
    assert 'Bearer $LITELLM_MASTER_KEY"' in result.stdout
    assert "\nKey:           LITELLM_MASTER_KEY of the environment\n" in result.stdout
    assert "sk-mine" not in result.output


# The key


@pytest.mark.parametrize(
    ("before", "kept"),
    [
        pytest.param(None, "", id="no file"),
        pytest.param(b"A=1\n# note\nB='x y'\n", "A=1\n# note\nB='x y'\n", id="other lines"),
        pytest.param(b"A=1", "A=1\n", id="no newline at the end"),
        pytest.param(b"LITELLM_MASTER_KEY=\nA=1\n", "A=1\n", id="empty key"),
        pytest.param(b"MY_LITELLM_MASTER_KEY=x\r\n", "MY_LITELLM_MASTER_KEY=x\r\n", id="similar name"),
    ],
)
def test_key_is_made_once_and_kept_private(before: bytes | None, kept: str, run: Run, started: list[Any]) -> None:
    file = Path(".env")
    if before is not None:
        file.write_bytes(before)
        file.chmod(0o644)
    first, second = (run("serve", "--port", free_port()) for _ in range(2))
    assert (first.exit_code, second.exit_code) == (0, 0)
    written = file.read_bytes().decode()
    found = KEY_LINE.fullmatch(written.removeprefix(kept).removesuffix("\n"))
    assert written.startswith(kept)
    assert found is not None
    assert [env["LITELLM_MASTER_KEY"] for _, env in started] == [found[1], found[1]]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert first.stdout.startswith(f"Made a master key and wrote it into {Path.cwd() / '.env'}\n")
    for start in (first, second):
        assert f"\nKey:           LITELLM_MASTER_KEY in {Path.cwd() / '.env'}\n" in start.stdout
    assert found[1] not in first.output + second.output


@pytest.mark.parametrize(
    "line",
    ["LITELLM_MASTER_KEY=sk-abc", 'export LITELLM_MASTER_KEY="sk-abc"', "LITELLM_MASTER_KEY='sk-abc' # mine"],
    ids=["plain", "exported", "quoted"],
)
def test_curl_line_reads_the_key_from_the_file(line: str, run: Run, started: list[Any]) -> None:
    Path(".env").write_text(f"A=1\n{line}\n")
    result = run("serve", "--port", free_port())
    assert started[0][1]["LITELLM_MASTER_KEY"] == "sk-abc"
    header = re.search(r'-H ("Authorization: .*") -H', result.stdout)
    assert header is not None
    assert "sk-abc" not in header[1]
    shell = subprocess.run(["sh", "-c", f"printf %s {header[1]}"], capture_output=True, text=True, check=True)
    assert shell.stdout == "Authorization: Bearer sk-abc"


@pytest.mark.parametrize(
    ("general", "bearer"),
    [
        pytest.param("master_key: sk-in-the-file", "<the master_key of your config>", id="literal"),
        pytest.param("master_key: os.environ/OTHER_KEY", "$OTHER_KEY", id="another variable"),
    ],
)
def test_a_key_from_elsewhere_is_left_alone(general: str, bearer: str, run: Run, started: list[Any]) -> None:
    """And told by its place."""
    Path("proxy_config.yaml").write_text(f"{MINIMAL}general_settings: {{{general}}}\n")
    result = run("serve", "--port", free_port())
    assert f'"Authorization: Bearer {bearer}"' in result.stdout
    place = "OTHER_KEY, which isn't set" if "OTHER" in general else "general_settings.master_key in proxy_config.yaml"
    assert f"\nKey:           {place}\n" in result.stdout
    assert not Path(".env").exists()
    assert "LITELLM_MASTER_KEY" not in started[0][1]


def test_curl_line_names_a_model_that_is_there(run: Run, started: list[Any]) -> None:
    Path("proxy_config.yaml").write_text(f"{MINIMAL}model_list: [{{model_name: mine}}, {{model_name: other}}]\n")
    assert '-d \'{"model": "mine", ' in run("serve", "--port", free_port()).stdout


# What is wrong


@pytest.mark.parametrize(
    ("config", "problems"),
    [
        pytest.param(
            "callback_settings: {prompt_router: {mod: x, coverage_floor: 3, profiles: nowhere}}\n",
            [
                "c.yaml: litellm_settings.callbacks: doesn't list litellm_prompt_router.callback.handler; add it",
                "callback_settings.prompt_router: coverage_floor: input should be less than or equal to 1",
                "callback_settings.prompt_router: mod: unknown field; did you mean 'mode'?",
                "nowhere: no such folder; set `profiles` to the folder that holds the profiles",
            ],
            id="all at once",
        ),
        pytest.param(
            f"{MINIMAL}callback_settings: {{prompt_router: {{profile: nope}}}}\n",
            ["callback_settings.prompt_router: profile: unknown profile 'nope'; there are workbench"],
            id="unknown profile",
        ),
        pytest.param(
            f"{MINIMAL}callback_settings: [1]\ngeneral_settings: x\n",
            ["c.yaml: callback_settings: must be a mapping", "c.yaml: general_settings: must be a mapping"],
            id="no mappings",
        ),
        pytest.param(
            "litellm_settings: {callbacks: [hooks.callback.handler]}\n",
            [
                "c.yaml: litellm_settings.callbacks: hooks.callback.handler: no hooks/callback.py beside the file or"
                " below the current folder; list litellm_prompt_router.callback.handler instead"
            ],
            id="the checkout's callback without a checkout",
        ),
        pytest.param(
            "a: [",
            ["c.yaml: not valid YAML at line 1: expected the node content, but found '<stream end>'; correct it"],
            id="yaml",
        ),
        pytest.param("- a\n", [f"c.yaml: must be a mapping, as in {BUNDLED}"], id="list"),
        pytest.param(None, ["c.yaml: can't be read (No such file or directory); check the path"], id="missing"),
    ],
)
def test_problems_stop_it_before_anything_starts(
    config: str | None, problems: list[str], run: Run, started: list[Any]
) -> None:
    if config is not None:
        Path("c.yaml").write_text(config)
    result = run("serve", "--config", "c.yaml", "--port", free_port())
    assert (result.exit_code, result.stdout, result.stderr.splitlines()) == (1, "", problems)
    assert started == []
    assert not Path(".env").exists()


def test_settings_may_come_from_the_environment(run: Run, started: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    section = "callback_settings: {prompt_router: {mode: os.environ/MY_MODE, glitchtip: {dsn: os.environ/NOT_SET}}}\n"
    Path("proxy_config.yaml").write_text(MINIMAL + section)
    monkeypatch.setenv("MY_MODE", "shadow")
    assert run("serve", "--port", free_port()).exit_code == 0
    monkeypatch.setenv("MY_MODE", "loud")
    result = run("serve", "--port", free_port())
    assert (result.exit_code, len(started)) == (1, 1)
    assert result.stderr == "callback_settings.prompt_router: mode: input should be 'rewrite', 'shadow' or 'off'\n"


def test_taken_port_is_told(run: Run, started: list[Any]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        result = run("serve", "--port", port)
    wrong = f"127.0.0.1:{port}: can't listen there (Address already in use); choose another --host or --port\n"
    assert (result.exit_code, result.stderr, started) == (1, wrong, [])


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:1"),
        ("0.0.0.0", "http://127.0.0.1:1"),
        ("::", "http://[::1]:1"),
        ("h", "http://h:1"),
    ],
)
def test_base_url_can_be_reached(host: str, url: str) -> None:
    assert base_url(host, 1) == url


# The real thing


@pytest.fixture
def serving() -> Iterator[tuple[subprocess.Popen[str], int]]:
    """``prompt-router serve`` as a process in the current folder, and its port."""
    port = free_port()
    env = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
    with Path("serve.log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "litellm_prompt_router.cli", "serve", "--port", str(port)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            text=True,
            env=env,
        )
    try:
        yield process, port
    finally:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(STOP_SECONDS)


@pytest.mark.proxy
def test_serve_answers_with_the_key_it_made(serving: tuple[subprocess.Popen[str], int]) -> None:
    process, port = serving
    log = Path("serve.log")
    deadline = time.monotonic() + BOOT_SECONDS
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=30.0) as client:
        while True:
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            try:
                if client.get("/health/liveliness").is_success:
                    break
            except httpx.TransportError:
                time.sleep(0.2)
        [key] = KEY_LINE.findall(Path(".env").read_text())
        body = {"model": "demo", "messages": [{"role": "user", "content": "Hello"}]}
        answer = client.post("/v1/chat/completions", json=body, headers={"Authorization": f"Bearer {key}"})
        refused = client.post("/v1/chat/completions", json=body, headers={"Authorization": "Bearer sk-wrong"})
    assert answer.status_code == 200, answer.text
    assert answer.headers["x-prompt-router-outcome"] == "passthrough"
    assert refused.status_code in (400, 401)
    assert key not in log.read_text()

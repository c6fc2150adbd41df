"""Where agents perform: an installed agent, a real proxy with a key for it, an upstream that plays the model."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.agents.agent import ANSWER, Agent, Home
from tests.emulators.proxy import RunningProxy, make_key, running_proxy
from tests.emulators.replies import Reply, Text, ToolCall
from tests.emulators.two_keys import CONFIG, ROOT
from tests.emulators.upstream import RecordedRequest, Upstream

INSTALLED = Path(os.environ.get("REAL_AGENTS_FOLDER", str(ROOT / ".agents")))
TAKES_LATEST = os.environ.get("REAL_AGENTS_LATEST") == "1"
INSTALL_SECONDS = 300
RUN_SECONDS = 180
ALIAS = "the-agent"
TASKS = ("Create the file note.txt with the line hello.", "Now read note.txt back to me.")


def binary_of(agent: Agent) -> Path:
    """The agent's command, installed on the first use. Raises RuntimeError with why it can't be."""
    folder = INSTALLED / (f"{agent.name}-latest" if TAKES_LATEST else f"{agent.name}-{agent.version}")
    bin_folder = "node_modules/.bin" if agent.registry == "npm" else "bin"
    command = folder / bin_folder / agent.binary
    done = folder / "installed"
    if done.exists() and command.exists():
        return command
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    if agent.registry == "npm":
        npm = shutil.which("npm")
        if npm is None:
            raise RuntimeError(f"{agent.name}: npm is not installed")
        wanted = f"{agent.package}@{'latest' if TAKES_LATEST else agent.version}"
        _install(agent, [npm, "install", "--no-audit", "--no-fund", "--prefix", str(folder), wanted])
    else:
        wanted = agent.package if TAKES_LATEST else f"{agent.package}=={agent.version}"
        _install(agent, [sys.executable, "-m", "venv", str(folder)])
        _install(agent, [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", wanted])
    if not command.exists():
        raise RuntimeError(f"{agent.name}: {wanted} has no command {agent.binary}")
    done.touch()
    return command


def _install(agent: Agent, command: list[str]) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        raise RuntimeError(f"{agent.name}: installing it took more than {INSTALL_SECONDS} s") from None
    if done.returncode:
        errors = [line for line in done.stderr.splitlines() if "error" in line.lower()]
        said = " ".join((errors or done.stderr.splitlines())[:3])[:300]
        raise RuntimeError(f"{agent.name}: {agent.registry} can't install {command[-1]}: {said}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Performance:
    """What came of an agent's two tasks."""

    exit_codes: tuple[int, ...]
    outputs: tuple[str, ...]
    note: str | None
    """What is in the file that the first task asks for."""
    calls: tuple[RecordedRequest, ...]
    """What reached the provider, in order."""
    log: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Stage:
    """A running proxy for agents."""

    proxy: RunningProxy
    upstream: Upstream
    key: str
    folder: Path

    @property
    def ledger(self) -> Path:
        return self.folder / "ledger.jsonl"

    @property
    def traffic(self) -> Path:
        return self.folder / "traffic.jsonl"


@contextlib.contextmanager
def raised(folder: Path, section: Mapping[str, Any] | None) -> Iterator[Stage]:
    """A proxy whose ``callback_settings.prompt_router`` is ``section``; None runs it without us."""
    folder.mkdir(parents=True, exist_ok=True)
    key = make_key()
    with Upstream() as upstream:
        config: dict[str, Any] = {
            "model_list": models_of(upstream.url),
            "general_settings": {
                "master_key": "os.environ/LITELLM_MASTER_KEY",
                "custom_auth": "key_file.user_api_key_auth",
                "always_include_stream_usage": True,
            },
            "litellm_settings": {"drop_params": True},
        }
        if section is not None:
            config["litellm_settings"]["callbacks"] = ["hooks.callback.handler"]
            config["callback_settings"] = {
                "prompt_router": {"ledger": {"path": str(folder / "ledger.jsonl")}, **section}
            }
        (folder / "config.yaml").write_text(yaml.safe_dump(config, sort_keys=False))
        shutil.copy(CONFIG.with_name("key_file.py"), folder)
        entries = [{"alias": ALIAS, "key": "os.environ/AGENT_KEY", "metadata": {}}]
        (folder / "keys.yaml").write_text(yaml.safe_dump(entries))
        env = {"AGENT_KEY": key}
        with running_proxy(folder / "config.yaml", env=env, cwd=ROOT, log_path=folder / "proxy.log") as proxy:
            yield Stage(proxy=proxy, upstream=upstream, key=key, folder=folder)


def models_of(url: str) -> list[dict[str, Any]]:
    """The proxy's model groups, each of a provider that the upstream at ``url`` stands for."""
    hosts = {
        "claude-*": ("anthropic/claude-*", url),
        "gpt-*": ("openai/gpt-*", url),
        "qwen*": ("openai/qwen*", url),
        "gemini-*": ("gemini/gemini-*", f"{url}/gemini/v1beta"),
    }
    return [
        {"model_name": name, "litellm_params": {"model": model, "api_base": base, "api_key": "emulated"}}
        for name, (model, base) in hosts.items()
    ]


def perform(agent: Agent, stage: Stage, folder: Path) -> Performance:
    """The agent does its two tasks in a home of its own; the model has it write the file, then says that it is done."""
    command = binary_of(agent)
    home = Home(folder=folder, url=stage.proxy.url, key=stage.key)
    home.work.mkdir(parents=True)
    note = home.work / "note.txt"
    asked = 0

    def decide(body: Mapping[str, Any]) -> Reply:
        nonlocal asked
        if note.exists():
            return Text(text=agent.answer)
        move = agent.move(note)
        if isinstance(move, str):
            return Text(text=move)
        if agent.tool not in tools_of(body):
            return Text(text=ANSWER)
        asked += 1
        return ToolCall(name=agent.tool, arguments=move, id=f"toolu_{asked:08d}")

    env = {"PATH": os.environ["PATH"], "HOME": str(folder), "TERM": "dumb", **agent.settle(home, agent.model)}
    stage.upstream.clear()
    stage.upstream.decide = decide
    codes: list[int] = []
    outputs: list[str] = []
    log = ""
    try:
        for number, task in enumerate(TASKS):
            done = subprocess.run(
                [str(command), *agent.ask(agent.model, task, number > 0)],
                cwd=home.work, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                timeout=RUN_SECONDS, check=False,
            )  # fmt: skip
            codes.append(done.returncode)
            outputs.append(done.stdout)
            log += done.stderr
    finally:
        stage.upstream.decide = None
    return Performance(
        exit_codes=tuple(codes),
        outputs=tuple(outputs),
        note=note.read_text() if note.exists() else None,
        calls=tuple(stage.upstream.calls),
        log=log,
    )


def tools_of(body: Mapping[str, Any]) -> set[str]:
    """Names of the tools that a body of any dialect declares."""
    names: set[str] = set()
    for tool in body.get("tools") or ():
        declared = tool.get("functionDeclarations") or tool.get("function_declarations") or [tool.get("function", tool)]
        names.update(str(one.get("name")) for one in declared)
    return names

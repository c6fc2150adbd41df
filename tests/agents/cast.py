"""The agents: how each is installed, pointed at a proxy and given a task, and what tool writes a file for it.

Facts about each agent's settings are its own documentation's; versions are those that these settings were seen to
work with (2026-11). Newer ones are tried with ``REAL_AGENTS_LATEST=1``.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

Dialect = Literal["chat", "messages", "responses", "generateContent"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Home:
    """Where one run of an agent lives, and the proxy that it talks to."""

    folder: Path
    url: str
    key: str

    @property
    def work(self) -> Path:
        """The folder that the agent works in."""
        return self.folder / "work"

    def write(self, path: str, text: str) -> None:
        """A settings file under the agent's home."""
        place = self.folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text, encoding="utf-8")


@dataclass(frozen=True, kw_only=True, slots=True)
class Agent:
    """One agent. ``settle`` writes its settings and gives its environment; ``ask`` is its command line."""

    name: str
    dialect: Dialect
    package: str
    version: str
    binary: str
    model: str
    tool: str
    arguments: Callable[[Path], Mapping[str, Any]]
    """What ``tool`` is called with to write the line ``hello`` into this file."""
    settle: Callable[[Home, str], Mapping[str, str]]
    ask: Callable[[str, str, bool], Sequence[str]]
    """``(model, task, is_later)``: a later task goes on with the conversation."""


def _claude_code(home: Home, model: str) -> Mapping[str, str]:
    return {
        "ANTHROPIC_BASE_URL": home.url,
        "ANTHROPIC_AUTH_TOKEN": home.key,
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        "DISABLE_AUTOUPDATER": "1",
    }


def _codex(home: Home, model: str) -> Mapping[str, str]:
    settings = f'''model = "{model}"
model_provider = "litellm"
[model_providers.litellm]
name = "LiteLLM"
base_url = "{home.url}/v1"
env_key = "LITELLM_KEY"
wire_api = "responses"
'''
    home.write(".codex/config.toml", settings)
    return {"LITELLM_KEY": home.key}


def _gemini(home: Home, model: str) -> Mapping[str, str]:
    home.write(".gemini/settings.json", json.dumps({"security": {"auth": {"selectedType": "gemini-api-key"}}}))
    return {
        "GEMINI_API_KEY": home.key,
        "GOOGLE_GEMINI_BASE_URL": home.url,
        "GEMINI_CLI_TRUST_WORKSPACE": "true",
    }


def _opencode(home: Home, model: str) -> Mapping[str, str]:
    options = {"baseURL": f"{home.url}/v1", "apiKey": home.key}
    provider = {"npm": "@ai-sdk/openai-compatible", "name": "LiteLLM", "options": options, "models": {model: {}}}
    home.write(".config/opencode/opencode.json", json.dumps({"provider": {"litellm": provider}, "autoupdate": False}))
    return {"OPENCODE_DISABLE_MODELS_FETCH": "1"}


def _qwen(home: Home, model: str) -> Mapping[str, str]:
    home.write(".qwen/settings.json", json.dumps({"security": {"auth": {"selectedType": "openai"}}}))
    return {"OPENAI_API_KEY": home.key, "OPENAI_BASE_URL": f"{home.url}/v1", "OPENAI_MODEL": model}


CLAUDE_CODE = Agent(
    name="claude-code",
    dialect="messages",
    package="@anthropic-ai/claude-code",
    version="2.1.197",
    binary="claude",
    model="claude-sonnet-4-5",
    tool="Write",
    arguments=lambda file: {"file_path": str(file), "content": "hello\n"},
    settle=_claude_code,
    ask=lambda model, task, later: [
        *("-p", task, "--model", model, "--permission-mode", "acceptEdits"),
        *(("--continue",) if later else ()),
    ],
)
CODEX = Agent(
    name="codex",
    dialect="responses",
    package="@openai/codex",
    version="0.169.0",
    binary="codex",
    model="gpt-5.5",
    tool="exec_command",
    arguments=lambda file: {"cmd": f"echo hello > {file.name}"},
    settle=_codex,
    ask=lambda _, task, later: [
        *(("exec", "resume", "--last") if later else ("exec",)),
        *("--skip-git-repo-check", "--dangerously-bypass-approvals-and-sandbox", task),
    ],
)
GEMINI = Agent(
    name="gemini-cli",
    dialect="generateContent",
    package="@google/gemini-cli",
    version="0.61.0",
    binary="gemini",
    model="gemini-2.5-pro",
    tool="write_file",
    arguments=lambda file: {"file_path": str(file), "content": "hello\n"},
    settle=_gemini,
    ask=lambda model, task, later: ["-m", model, "-y", *(("--resume", "latest") if later else ()), "-p", task],
)
OPENCODE = Agent(
    name="opencode",
    dialect="chat",
    package="opencode-ai",
    version="1.18.33",
    binary="opencode",
    model="gpt-4.1",
    tool="write",
    arguments=lambda file: {"filePath": str(file), "content": "hello\n"},
    settle=_opencode,
    ask=lambda model, task, later: ["run", "-m", f"litellm/{model}", *(("-c",) if later else ()), task],
)
QWEN = Agent(
    name="qwen-code",
    dialect="chat",
    package="@qwen-code/qwen-code",
    version="0.15.10",
    binary="qwen",
    model="qwen3-coder-plus",
    tool="write_file",
    arguments=lambda file: {"file_path": str(file), "content": "hello\n"},
    settle=_qwen,
    ask=lambda _, task, later: ["-y", "--chat-recording", *(("-c",) if later else ()), "-p", task],
)
CAST = (CLAUDE_CODE, CODEX, GEMINI, QWEN, OPENCODE)

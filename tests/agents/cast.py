"""The agents that are programs: how each is installed, pointed at a proxy and given a task, and how it writes a file.

Facts about each agent's settings are its own documentation's; versions are those that these settings were seen to
work with (2026-11). Newer ones are tried with ``REAL_AGENTS_LATEST=1``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from tests.agents.agent import Agent, Home
from tests.agents.frameworks import FRAMEWORKS
from tests.end_to_end.workbench import PROMPT

OWN_PROMPT = "../prompt.txt"
"""A prompt of the operator's beside the agent's own, where that is too short to leave anything out."""


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


def _copilot(home: Home, model: str) -> Mapping[str, str]:
    return {
        "COPILOT_PROVIDER_BASE_URL": home.url,
        "COPILOT_PROVIDER_TYPE": "anthropic",
        "COPILOT_PROVIDER_API_KEY": home.key,
        "COPILOT_MODEL": model,
        "COPILOT_OFFLINE": "true",
    }


def _continue(home: Home, model: str) -> Mapping[str, str]:
    entry = {"name": model, "provider": "openai", "model": model, "apiBase": f"{home.url}/v1", "apiKey": home.key}
    document = {"name": "LiteLLM", "version": "1.0.0", "schema": "v1", "models": [{**entry, "roles": ["chat"]}]}
    home.write(".continue/config.yaml", json.dumps(document))
    home.write("prompt.txt", PROMPT)
    return {"CONTINUE_TELEMETRY_ENABLED": "0"}


def _pi(home: Home, model: str) -> Mapping[str, str]:
    provider = {"baseUrl": f"{home.url}/v1", "api": "openai-responses", "apiKey": home.key, "models": [{"id": model}]}
    home.write("prompt.txt", PROMPT)
    home.write(".pi/agent/models.json", json.dumps({"providers": {"litellm": provider}}))
    return {"PI_OFFLINE": "1"}


def _aider(home: Home, model: str) -> Mapping[str, str]:
    return {"OPENAI_API_BASE": f"{home.url}/v1", "OPENAI_API_KEY": home.key}


CLAUDE_CODE = Agent(
    name="claude-code",
    dialect="messages",
    package="@anthropic-ai/claude-code",
    version="2.1.197",
    binary="claude",
    model="claude-sonnet-4-5",
    tool="Write",
    move=lambda file: {"file_path": str(file), "content": "hello\n"},
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
    move=lambda file: {"cmd": f"echo hello > {file.name}"},
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
    move=lambda file: {"file_path": str(file), "content": "hello\n"},
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
    move=lambda file: {"filePath": str(file), "content": "hello\n"},
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
    move=lambda file: {"file_path": str(file), "content": "hello\n"},
    settle=_qwen,
    ask=lambda _, task, later: ["-y", "--chat-recording", *(("-c",) if later else ()), "-p", task],
)
COPILOT = Agent(
    name="copilot",
    dialect="messages",
    package="@github/copilot",
    version="1.0.102",
    binary="copilot",
    model="claude-sonnet-4-5",
    tool="create",
    move=lambda file: {"path": str(file), "file_text": "hello\n"},
    settle=_copilot,
    ask=lambda _, task, later: [*("-p", task, "--allow-all-tools", "-s"), *(("--continue",) if later else ())],
)
CONTINUE = Agent(
    name="continue",
    dialect="chat",
    package="@continuedev/cli",
    version="1.5.47",
    binary="cn",
    model="gpt-4.1",
    tool="Write",
    move=lambda file: {"filepath": str(file), "content": "hello\n"},
    settle=_continue,
    ask=lambda _, task, later: ["-p", *(("--resume",) if later else ()), task, "--auto", "--rule", OWN_PROMPT],
)
PI = Agent(
    name="pi",
    dialect="responses",
    package="@mariozechner/pi-coding-agent",
    version="0.73.1",
    binary="pi",
    model="gpt-4.1",
    tool="write",
    move=lambda file: {"path": str(file), "content": "hello\n"},
    settle=_pi,
    ask=lambda model, task, later: [
        *("--provider", "litellm", "--model", model, *(("-c",) if later else ())),
        *("--append-system-prompt", OWN_PROMPT, "-p", task),
    ],
)
AIDER = Agent(
    name="aider",
    dialect="chat",
    registry="pip",
    package="aider-chat",
    version="0.86.2",
    binary="aider",
    model="gpt-4.1",
    tool=None,
    move=lambda file: f"I'll create it.\n\n{file.name}\n```\n<<<<<<< SEARCH\n=======\nhello\n>>>>>>> REPLACE\n```\n",
    settle=_aider,
    ask=lambda model, task, later: [
        *("--model", f"openai/{model}", "--yes-always", "--no-check-update", "--analytics-disable", "--no-git"),
        *("--no-show-model-warnings", "--no-pretty", *(("--restore-chat-history",) if later else ())),
        *("--message", task),
    ],
)
CAST = (CLAUDE_CODE, CODEX, GEMINI, QWEN, OPENCODE, COPILOT, CONTINUE, PI, AIDER, *FRAMEWORKS)

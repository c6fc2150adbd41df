"""Agents made with frameworks: a prompt of the owner's own, in a program of a few lines (``programs/``)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from tests.agents.agent import ANSWER, Agent, Home
from tests.end_to_end.workbench import PROMPT

PROGRAMS = Path(__file__).with_name("programs")


def _own_prompt(home: Home, _: str) -> Mapping[str, str]:
    home.write("prompt.txt", PROMPT)
    return {
        "OPENAI_BASE_URL": f"{home.url}/v1",
        "OPENAI_API_KEY": home.key,
        "ANTHROPIC_BASE_URL": home.url,
        "ANTHROPIC_API_KEY": home.key,
        "OPENAI_AGENTS_DISABLE_TRACING": "1",
        "PROMPT_FILE": str(home.folder / "prompt.txt"),
        "MEMORY_FILE": str(home.folder / "memory"),
    }


OPENAI_AGENTS = Agent(
    name="openai-agents",
    dialect="responses",
    registry="pip",
    package="openai-agents",
    version="0.24.0",
    binary="python",
    model="gpt-5.5",
    tool="write_file",
    move=lambda file: {"path": str(file), "content": "hello\n"},
    settle=_own_prompt,
    ask=lambda model, task, _: [str(PROGRAMS / "with_openai_agents.py"), model, task],
)
PYDANTIC_AI = Agent(
    name="pydantic-ai",
    dialect="messages",
    registry="pip",
    package="pydantic-ai-slim[anthropic]",
    version="2.62.0",
    binary="python",
    model="claude-sonnet-4-5",
    tool="write_file",
    move=lambda file: {"path": str(file), "content": "hello\n"},
    settle=_own_prompt,
    ask=lambda model, task, _: [str(PROGRAMS / "with_pydantic_ai.py"), model, task],
)
SMOLAGENTS = Agent(
    name="smolagents",
    dialect="chat",
    registry="pip",
    package="smolagents[openai]",
    version="1.26.0",
    binary="python",
    model="gpt-4.1",
    tool=None,
    move=lambda file: f"<code>\nwrite_file({str(file)!r}, 'hello\\n')\n</code>",
    answer=f"<code>\nfinal_answer({ANSWER!r})\n</code>",
    settle=_own_prompt,
    ask=lambda model, task, _: [str(PROGRAMS / "with_smolagents.py"), model, task],
)
FRAMEWORKS = (OPENAI_AGENTS, PYDANTIC_AI, SMOLAGENTS)

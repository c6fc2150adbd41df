"""An agent made with the OpenAI Agents SDK: ``MODEL TASK``; what was said lies in MEMORY_FILE."""

import os
import sys
from pathlib import Path

from agents import Agent, Runner, SQLiteSession, function_tool


@function_tool
def write_file(path: str, content: str) -> str:
    """Write a file."""
    Path(path).write_text(content)
    return "written"


model, task = sys.argv[1:]
agent = Agent(
    name="Workbench", model=model, instructions=Path(os.environ["PROMPT_FILE"]).read_text(), tools=[write_file]
)
print(Runner.run_sync(agent, task, session=SQLiteSession("one", os.environ["MEMORY_FILE"])).final_output)

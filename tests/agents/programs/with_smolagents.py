"""An agent made with smolagents, which acts by code and not by tools: ``MODEL TASK``; memory lies in MEMORY_FILE."""

import os
import pickle
import sys
from pathlib import Path

from smolagents import CodeAgent, OpenAIModel, tool


@tool
def write_file(path: str, content: str) -> str:
    """Write a file.

    Args:
        path: Where.
        content: What.
    """
    Path(path).write_text(content)
    return "written"


model, task = sys.argv[1:]
agent = CodeAgent(
    tools=[write_file],
    model=OpenAIModel(model, api_base=os.environ["OPENAI_BASE_URL"], api_key=os.environ["OPENAI_API_KEY"]),
    instructions=Path(os.environ["PROMPT_FILE"]).read_text(),
    verbosity_level=0,
)
memory = Path(os.environ["MEMORY_FILE"])
if memory.exists():
    agent.memory.steps = pickle.loads(memory.read_bytes())
print(agent.run(task, reset=not memory.exists()))
memory.write_bytes(pickle.dumps(agent.memory.steps))

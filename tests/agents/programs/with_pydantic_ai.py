"""An agent made with Pydantic AI: ``MODEL TASK``; what was said lies in MEMORY_FILE."""

import os
import sys
from pathlib import Path

from pydantic_ai import Agent, ModelMessagesTypeAdapter

model, task = sys.argv[1:]
prompt = Path(os.environ["PROMPT_FILE"]).read_text()
middle = prompt.index("\n#", len(prompt) // 2)
agent = Agent(f"anthropic:{model}", system_prompt=(prompt[:middle], prompt[middle:]))


@agent.tool_plain
def write_file(path: str, content: str) -> str:
    """Write a file."""
    Path(path).write_text(content)
    return "written"


memory = Path(os.environ["MEMORY_FILE"])
said = ModelMessagesTypeAdapter.validate_json(memory.read_bytes()) if memory.exists() else None
result = agent.run_sync(task, message_history=said)
memory.write_bytes(result.all_messages_json())
print(result.output)

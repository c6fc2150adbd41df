"""What ``demo`` sends: three scripted conversations of the workbench agent, and a few of its tools."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any

from litellm_prompt_router.profile.profile import Profile

Message = dict[str, Any]

LISTING = """<workspace_listing root="/workspace">
in/orders.csv  3.4 MB
notes/shop.md  2 KB
notes/user.md  1 KB
out/  (empty)
projects/shop/  (git, 214 files)
scratch/downloads/  (3 files)
.results/  (empty)
.trash/  (2 items)
</workspace_listing>"""


@dataclass(frozen=True, kw_only=True, slots=True)
class DemoConversation:
    """A whole conversation as the agent would have it at the end."""

    title: str
    messages: tuple[Message, ...]

    def calls(self) -> Iterator[tuple[Message, ...]]:
        """The messages of each call an agent makes: whenever a user message or tool results await an answer."""
        for end in range(1, len(self.messages) + 1):
            answered = end < len(self.messages) and self.messages[end]["role"] == "assistant"
            if self.messages[end - 1]["role"] != "assistant" and (answered or end == len(self.messages)):
                yield self.messages[:end]


def system_prompt(profile: Profile, today: date) -> str:
    """The agent's prompt as it would send it today."""
    values = {"date": f"Today's date is {today.isoformat()}.", "workspace_listing": LISTING}
    return "".join(
        part if isinstance(part, str) else values.get(part.name, part.sample)
        for module in profile.modules
        for part in module.parts
    )


def _user(text: str) -> Message:
    return {"role": "user", "content": text}


def _says(text: str) -> Message:
    return {"role": "assistant", "content": text}


def _calls(number: int, tool: str, /, **arguments: object) -> Message:
    function = {"name": tool, "arguments": json.dumps(arguments)}
    call = {"id": f"call_{number}", "type": "function", "function": function}
    return {"role": "assistant", "content": None, "tool_calls": [call]}


def _result(number: int, /, **data: object) -> Message:
    return {"role": "tool", "tool_call_id": f"call_{number}", "content": json.dumps({"ok": True, "data": data})}


CONVERSATIONS = (
    DemoConversation(
        title="revenue from a CSV file, then a chart of it",
        messages=(
            _user("Load in/orders.csv and give me the revenue by region for the first quarter."),
            _calls(1, "load_table", source="in/orders.csv", name="orders"),
            _result(1, table="orders", rows=48211, columns=["date", "region", "amount"]),
            _says("North 412,000, South 389,000, West 204,000 EUR. Shall I save that as a CSV file?"),
            _user("yes, go ahead"),
            _says("Saved as out/revenue-by-region.csv."),
            _user("Plot it by month as a line chart, please."),
        ),
    ),
    DemoConversation(
        title="a bug in the shop's code",
        messages=(
            _user("The total in projects/shop/src/cart.py has too many decimals. Fix the bug and run the tests."),
            _calls(1, "read_file", path="projects/shop/src/cart.py"),
            _result(1, text="def total(items):\n    return sum(item.price * item.count for item in items)\n"),
            _calls(2, "git_inspect", repo="projects/shop", view="log", path="src/cart.py"),
            _result(2, commits=["4f1c2aa Sum prices as floats"]),
            _says("Prices are now summed as decimals; 31 tests pass."),
            _user("Thanks a lot!"),
        ),
    ),
    DemoConversation(
        title="small talk, then a question for the web",
        messages=(
            _user("Good morning! How are you today?"),
            _says("Good morning! Ready to help."),
            _user("Search the web for this year's parental leave rules in Denmark, with sources."),
            _calls(1, "web_search", query="Denmark parental leave rules", since="2025-01-01"),
            _result(1, results=[{"title": "Parental leave", "url": "https://example.org/leave"}]),
            _says("Each parent has 24 weeks, 11 of them not transferable [1]."),
            _user("make it shorter"),
        ),
    ),
)


def _tool(tool: str, description: str, /, **properties: str) -> Message:
    parameters = {
        "type": "object",
        "properties": {key: {"type": kind} for key, kind in properties.items()},
        "required": list(properties),
    }
    return {"type": "function", "function": {"name": tool, "description": description, "parameters": parameters}}


TOOLS = (
    _tool("read_file", "Reads a text file.", path="string"),
    _tool("load_table", "Loads a table from a file.", source="string", name="string"),
    _tool("make_chart", "Draws a chart of a table.", table="string", kind="string"),
    _tool("run_command", "Runs a shell command.", command="string"),
    _tool("git_inspect", "Shows a repository's state.", repo="string", view="string"),
    _tool("web_search", "Searches the web.", query="string"),
)

"""Bodies of an agent's calls, in the order in which an agent sends them: each is the one before it, the model's answer,
and a tool's result or the user's next message.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from litellm_prompt_router.profile.profile import Profile

LABELLED = "labelled_fit.jsonl"
CALLS_A_TURN = 5
LISTING = '<workspace_listing root="/workspace">\n{}\n</workspace_listing>'
WORDS = ("amount", "region", "month", "total", "invoice", "customer", "open", "paid", "late", "north", "budget", "plan")
Body = dict[str, Any]


def tasks_in(folder: Path) -> tuple[Mapping[str, Any], ...]:
    """The labelled messages of a bundled profile that begin a conversation."""
    cases = [json.loads(line) for line in (folder / LABELLED).read_text("utf-8").splitlines() if line]
    return tuple(case for case in cases if not case.get("history"))


def tools_of(profile: Profile) -> list[dict[str, Any]]:
    """Definitions of every tool that the profile knows, of a usual length."""
    names = [tool for module in profile.modules for tool in module.tools]
    properties = {
        "path": {"type": "string", "description": "Where it is, relative to the workspace."},
        "options": {"type": "object", "description": "What is not usual about this call.", "properties": {}},
    }
    parameters = {"type": "object", "properties": properties, "required": ["path"]}
    return [
        {
            "type": "function",
            "function": {"name": name, "description": f"The {name} tool. " * 6, "parameters": parameters},
        }
        for name in names
    ]


class Conversation:
    """One conversation that goes on and on; seeded by its name."""

    def __init__(self, profile: Profile, tasks: Sequence[Mapping[str, Any]], model: str, name: str) -> None:
        self._profile, self._tasks = profile, tasks
        self._chance = random.Random(name)
        self._fixed: Body = {"model": model, "tools": tools_of(profile)}
        self._tools: list[str] = []
        self._step = 0
        self.messages: list[dict[str, Any]] = [{"role": "system", "content": self._prompt(name)}]
        self._ask()

    def body(self) -> Body:
        """The next call's body."""
        return {**self._fixed, "messages": list(self.messages)}

    def go_on(self) -> None:
        """The call was answered: its answer, and a tool's result or the user's next message."""
        chance = self._chance
        self._step += 1
        if not self._tools or self._step % CALLS_A_TURN == 0:
            self.messages.append({"role": "assistant", "content": self._said(chance.randint(10, 120))})
            self._ask()
            return
        function = {"name": chance.choice(self._tools), "arguments": json.dumps({"path": f"in/{self._said(1)}.csv"})}
        call = {"id": f"call_{self._step}", "type": "function", "function": function}
        result = self._said(chance.randint(30, 500))
        said = self._said(chance.randint(5, 30))
        self.messages.append({"role": "assistant", "content": said, "tool_calls": [call]})
        self.messages.append({"role": "tool", "tool_call_id": call["id"], "content": result})

    def _ask(self) -> None:
        task = self._chance.choice(self._tasks)
        self.messages.append({"role": "user", "content": task["text"]})
        needs = [need for need in task["needs"] if need in self._profile.order]
        self._tools = [tool for need in needs for tool in self._profile.modules[self._profile.order[need]].tools]

    def _said(self, words: int) -> str:
        return " ".join(self._chance.choices(WORDS, k=words))

    def _prompt(self, name: str) -> str:
        files = "\n".join(f"in/{self._said(2).replace(' ', '-')}-{name}.csv  {row * 7} KB" for row in range(12))
        samples = [
            part.sample for module in self._profile.modules for part in module.parts if not isinstance(part, str)
        ]
        old = next((sample for sample in samples if "<workspace_listing" in sample), None)
        return self._profile.text if old is None else self._profile.text.replace(old, LISTING.format(files))


def lanes(
    profile: Profile, tasks: Sequence[Mapping[str, Any]], model: str, count: int, messages: int
) -> list[Iterator[Body]]:
    """So many conversations side by side, each followed by the next one when it has twice as many messages.

    They begin spread over all lengths, so that calls have ``messages`` messages on average from the first one on.
    """

    def lane(number: int) -> Iterator[Body]:
        longest = max(2 * messages - 2, 2)
        skipped = number * longest // count
        for life in range(1_000_000):
            conversation = Conversation(profile, tasks, model, f"lane{number}-{life}")
            while len(conversation.messages) <= longest:
                if len(conversation.messages) > skipped:
                    yield conversation.body()
                conversation.go_on()
            skipped = 0

    return [lane(number) for number in range(count)]

"""Recorded traffic of the workbench agent, made from a seed: tool loops, parallel calls, long pauses, client marks."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Iterator
from typing import Any

from hooks.simulate import Call
from tests.end_to_end.workbench import PROMPT, TOOLS

ASKS = (
    "Sum up in/orders.csv by month",
    "Now commit it on a new branch",
    "yes, go on",
    "Search the web for this year's parental leave rules in Denmark, with sources.",
    "Plot it by month as a line chart, please.",
    "Translate notes/shop.md into French",
    "The total in projects/shop/src/cart.py has too many decimals. Fix the bug and run the tests.",
    "thanks!",
    "make it shorter",
)
MARK = {"type": "ephemeral"}


def recorded(seed: int, conversations: int, model: str) -> tuple[Call, ...]:
    """Calls of many conversations in time order, as their agents sent them."""
    rng = random.Random(seed)
    lines: list[tuple[float, str, dict[str, Any]]] = []
    for number in range(conversations):
        now = rng.uniform(0, 4_000)
        name = f"c{number}"
        for body in _bodies(rng, model, is_marking=number % 6 == 5):
            lines.append((round(now, 3), name, body))
            last = body["messages"][-1]["role"]
            now += rng.uniform(1, 20) if last == "user" or rng.random() < 0.8 else rng.choice((40, 299.5, 300.5, 900))
    lines.sort(key=lambda line: line[:2])
    return tuple(
        Call(line=number, at_seconds=at, key="alpha", conversation=name, request=body)
        for number, (at, name, body) in enumerate(lines, 1)
    )


def as_lines(calls: tuple[Call, ...]) -> str:
    """A traffic file."""
    documents = (
        {"ts": call.at_seconds, "key": call.key, "conversation": call.conversation, "request": call.request}
        for call in calls
    )
    return "".join(json.dumps(document) + "\n" for document in documents)


def _bodies(rng: random.Random, model: str, is_marking: bool) -> Iterator[dict[str, Any]]:
    messages: list[dict[str, Any]] = [{"role": "system", "content": PROMPT}]
    for turn in range(rng.randint(1, 3)):
        messages.append({"role": "user", "content": f"{rng.choice(ASKS)}{'' if rng.random() < 0.8 else ' (urgent)'}"})
        for step in range(rng.choice((0, 1, 2, 3))):
            yield _body(model, messages, is_marking)
            messages += _tool_step(rng, f"{turn}_{step}")
        yield _body(model, messages, is_marking)
        messages.append({"role": "assistant", "content": "Done. " * rng.randint(1, 60)})


def _body(model: str, messages: list[dict[str, Any]], is_marking: bool) -> dict[str, Any]:
    messages = copy.deepcopy(messages)
    if is_marking and messages[-1]["role"] == "user":
        messages[-1]["content"] = [{"type": "text", "text": messages[-1]["content"], "cache_control": MARK}]
    return {"model": model, "messages": messages, "tools": copy.deepcopy(TOOLS)}


def _tool_step(rng: random.Random, name: str) -> list[dict[str, Any]]:
    """An assistant message with one to three calls, or with more than a lookback holds, and their results."""
    count = rng.choice((1, 1, 1, 2, 3, 24))
    tool = rng.choice(("load_table", "read_file", "run_command"))
    calls = [
        {
            "id": f"call_{name}_{n}",
            "type": "function",
            "function": {"name": tool, "arguments": json.dumps({"path": f"in/{n}.csv"})},
        }
        for n in range(count)
    ]
    results = [{"role": "tool", "tool_call_id": call["id"], "content": "row " * rng.randint(5, 200)} for call in calls]
    return [{"role": "assistant", "content": None, "tool_calls": calls}, *results]

"""Recorded traffic of the workbench agent, made from a seed: tool loops, parallel calls, long pauses, client marks."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from litellm_prompt_router.analysis.simulate import RecordedCall
from tests.end_to_end.workbench import PROMPT, RESPONSES_TOOLS, TOOLS, as_items

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
PAUSES = (40, 299.5, 300.5, 900, 3_700)
"""Seconds that an agent may wait for a tool: short of both lifetimes, and past each."""
MARK = {"type": "ephemeral"}
HOUR = {"type": "ephemeral", "ttl": "1h"}
CUT = PROMPT.index("\n\n", len(PROMPT) // 2)
"""Where clients cut that send the prompt in blocks."""

Style = Callable[[dict[str, Any]], None]
"""How a client marks a body of its own, in place."""


def recorded(seed: int | str, conversations: int, model: str, *, is_marked: bool = True) -> tuple[RecordedCall, ...]:
    """Calls of many conversations in time order, as their agents sent them: every style of client, some streaming.

    ``is_marked``: some clients mark what is to be cached.
    """
    rng = random.Random(seed)
    styles = [*STYLES.values()] if is_marked else [_unmarked]
    lines: list[tuple[float, str, dict[str, Any]]] = []
    for number in range(conversations):
        now = rng.uniform(0, 4_000)
        name = f"c{number}"
        for body in _bodies(rng, model, styles[number % len(styles)], is_stream=number % 4 == 3):
            lines.append((round(now, 3), name, body))
            last = body["messages"][-1]["role"]
            now += (
                rng.uniform(1, 20)
                if last == "user" or rng.random() < 0.8
                else rng.choice((40, 299.5, 300.5, 900, 3_700))
            )
    lines.sort(key=lambda line: line[:2])
    return tuple(
        RecordedCall(line=number, at_seconds=at, key="alpha", conversation=name, request=body)
        for number, (at, name, body) in enumerate(lines, 1)
    )


def as_responses(calls: tuple[RecordedCall, ...]) -> tuple[RecordedCall, ...]:
    """The same traffic from agents that speak OpenAI's Responses, which knows no marks of theirs."""
    return tuple([replace(call, request=_as_responses(call.request)) for call in calls])


def _as_responses(body: Mapping[str, Any]) -> dict[str, Any]:
    stream = {"stream": True} if body.get("stream") else {}
    items = as_items([{**message, "content": _text(message)} for message in body["messages"][1:]])
    instructions = _text(body["messages"][0])
    return {"model": body["model"], "instructions": instructions, "input": items, "tools": RESPONSES_TOOLS, **stream}


def _text(message: Mapping[str, Any]) -> str | None:
    content = message["content"]
    return "".join(block["text"] for block in content) if isinstance(content, list) else content


def as_lines(calls: tuple[RecordedCall, ...]) -> str:
    """A traffic file."""
    documents = (
        {"ts": call.at_seconds, "key": call.key, "conversation": call.conversation, "request": call.request}
        for call in calls
    )
    return "".join(json.dumps(document) + "\n" for document in documents)


# Clients


def _unmarked(body: dict[str, Any]) -> None:
    """Most clients."""


def _marks_question(body: dict[str, Any]) -> None:
    _mark_last(body, MARK)


def _marks_question_for_an_hour(body: dict[str, Any]) -> None:
    _mark_last(body, HOUR)


def _marks_system(body: dict[str, Any]) -> None:
    """Two blocks, the second marked."""
    _mark_system(body, None, MARK)


def _marks_tools_and_system_for_an_hour(body: dict[str, Any]) -> None:
    body["tools"][-1]["cache_control"] = HOUR
    _mark_system(body, HOUR, HOUR)


def _marks_everything(body: dict[str, Any]) -> None:
    """All four marks, the long ones first."""
    body["tools"][-1]["cache_control"] = HOUR
    _mark_system(body, HOUR, MARK)
    _mark_last(body, MARK)


def _marks_tools(body: dict[str, Any]) -> None:
    body["tools"][-1]["cache_control"] = MARK


def _asks_litellm(body: dict[str, Any]) -> None:
    """LiteLLM's own injection point."""
    body["cache_control_injection_points"] = [{"location": "message", "index": -1}]


STYLES: dict[str, Style] = {
    "unmarked": _unmarked,
    "question": _marks_question,
    "system": _marks_system,
    "unmarked again": _unmarked,
    "everything": _marks_everything,
    "question, 1h": _marks_question_for_an_hour,
    "unmarked once more": _unmarked,
    "tools": _marks_tools,
    "tools and system, 1h": _marks_tools_and_system_for_an_hour,
    "injection point": _asks_litellm,
    "unmarked at last": _unmarked,
}


def _mark_last(body: dict[str, Any], mark: dict[str, str]) -> None:
    """A mark on the last message, if the user wrote it."""
    last = body["messages"][-1]
    if last["role"] == "user":
        last["content"] = [{"type": "text", "text": last["content"], "cache_control": mark}]


def _mark_system(body: dict[str, Any], first: dict[str, str] | None, second: dict[str, str]) -> None:
    """The system prompt in two blocks with these marks."""
    head: dict[str, Any] = {"type": "text", "text": PROMPT[:CUT]}
    if first is not None:
        head["cache_control"] = first
    body["messages"][0]["content"] = [head, {"type": "text", "text": PROMPT[CUT:], "cache_control": second}]


# Conversations


def _bodies(rng: random.Random, model: str, style: Style, *, is_stream: bool) -> Iterator[dict[str, Any]]:
    messages: list[dict[str, Any]] = [{"role": "system", "content": PROMPT}]
    for turn in range(rng.randint(1, 3)):
        messages.append({"role": "user", "content": f"{rng.choice(ASKS)}{'' if rng.random() < 0.8 else ' (urgent)'}"})
        for step in range(rng.choice((0, 1, 2, 3))):
            yield _body(model, messages, style, is_stream)
            messages += _tool_step(rng, f"{turn}_{step}")
        yield _body(model, messages, style, is_stream)
        messages.append({"role": "assistant", "content": "Done. " * rng.randint(1, 60)})


def _body(model: str, messages: list[dict[str, Any]], style: Style, is_stream: bool) -> dict[str, Any]:
    body: dict[str, Any] = {"model": model, "messages": copy.deepcopy(messages), "tools": copy.deepcopy(TOOLS)}
    style(body)
    if is_stream:
        body |= {"stream": True, "stream_options": {"include_usage": True}}
    return body


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

"""An agent of a print shop whose prompt has a section for each of its tools, and traffic of it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

MODEL = "claude-sonnet-4-5"
TOOLS = ("quote_paper", "book_delivery", "draw_layout", "write_invoice", "order_ink", "mend_press")
OPENING = "You are Quill, the assistant of a small print shop. You answer customers and keep the order book.\n\n"
ASKS = ("What does A3 cost?", "Deliver it on Friday", "Lay the flyer out", "Send the bill", "More cyan", "It jams")


def section(tool: str) -> str:
    topic = tool.split("_")[1]
    lines = (
        f"- The {topic} of size {n} takes {n * 3} minutes in the {topic} room; {tool} takes {topic} number {n}."
        for n in range(24)
    )
    return f"## {tool}\n\nUse {tool} where a customer asks about {topic}.\n\n" + "\n".join(lines) + "\n\n"


PROMPT = OPENING + "".join(section(tool) for tool in TOOLS) + "## Rules\n\nNever promise a date. Always be kind.\n"
DECLARED: list[dict[str, Any]] = [
    {"type": "function", "function": {"name": tool, "parameters": {"type": "object"}}} for tool in TOOLS
]


def call(
    ts: float, conversation: str, messages: Sequence[dict[str, Any]], *, system: str | None = PROMPT, **more: Any
) -> str:
    first = [] if system is None else [{"role": "system", "content": system}]
    request = {"model": MODEL, "messages": [*first, *messages], "tools": DECLARED, **more}
    return json.dumps({"ts": ts, "key": "shop", "conversation": conversation, "request": request}) + "\n"


def conversation(ts: float, number: int) -> Iterator[str]:
    """One question, the tool that belongs to it, and thanks."""
    tool = TOOLS[number % len(TOOLS)]
    name = f"c{number}"
    messages: list[dict[str, Any]] = [{"role": "user", "content": f"{ASKS[number % len(ASKS)]} (order {number})"}]
    yield call(ts, name, messages)
    called = {"id": "1", "type": "function", "function": {"name": tool, "arguments": "{}"}}
    messages += [
        {"role": "assistant", "content": None, "tool_calls": [called]},
        {"role": "tool", "tool_call_id": "1", "content": "done"},
    ]
    yield call(ts + 5, name, messages)
    messages += [{"role": "assistant", "content": "It is done."}, {"role": "user", "content": "thank you"}]
    yield call(ts + 30, name, messages)


def traffic(conversations: int = 8, apart_seconds: float = 600.0) -> str:
    return "".join(line for n in range(conversations) for line in conversation(n * apart_seconds, n))


def write(path: Path, text: str) -> Path:
    path.write_text(text, "utf-8")
    return path

"""The print shop's traffic as an agent sends it to other endpoints than chat."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from litellm_prompt_router.request.types import GEMINI_STREAM, RESPONSES
from tests.onboarding.shop_traffic import DECLARED, PROMPT

Body = dict[str, Any]
FUNCTIONS: list[Body] = [tool["function"] for tool in DECLARED]


def to_responses(text: str, model: str = "a-model-without-prices") -> str:
    """Codex's way: the prompt in a developer item, and the tools in another."""
    return _with_bodies(text, RESPONSES, lambda body: _responses(body, model))


def to_gemini(text: str) -> str:
    """The model is named in the path and nowhere in the body."""
    return _with_bodies(text, GEMINI_STREAM, _gemini)


def _with_bodies(text: str, endpoint: str, body_of: Callable[[Body], Body]) -> str:
    lines = [json.loads(line) for line in text.splitlines()]
    return "".join(
        json.dumps({**line, "endpoint": endpoint, "request": body_of(line["request"])}) + "\n" for line in lines
    )


def _responses(body: Body, model: str) -> Body:
    items: list[Body] = [
        {"type": "message", "role": "developer", "content": [{"type": "input_text", "text": PROMPT}]},
        {"type": "additional_tools", "tools": [{"type": "function", **each} for each in FUNCTIONS]},
    ]
    for message in body["messages"][1:]:
        for call in message.get("tool_calls") or ():
            items.append({"type": "function_call", "call_id": "1", **call["function"]})
        if message["role"] == "tool":
            items.append({"type": "function_call_output", "call_id": "1", "output": message["content"]})
        elif message["content"]:
            items.append({"type": "message", "role": message["role"], "content": message["content"]})
    return {"model": model, "input": items}


def _gemini(body: Body) -> Body:
    contents: list[Body] = []
    for message in body["messages"][1:]:
        role = "model" if message["role"] == "assistant" else "user"
        parts: list[Body] = [{"text": message["content"]}] if message["content"] else []
        if message["role"] == "tool":
            parts = [{"functionResponse": {"name": "x", "response": {"output": message["content"]}}}]
        parts += [
            {"functionCall": {"name": call["function"]["name"], "args": {}}} for call in message.get("tool_calls") or ()
        ]
        contents.append({"role": role, "parts": parts})
    return {
        "systemInstruction": {"role": "user", "parts": [{"text": PROMPT}]},
        "tools": [{"functionDeclarations": FUNCTIONS}],
        "contents": contents,
    }

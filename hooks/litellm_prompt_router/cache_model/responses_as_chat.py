"""An OpenAI Responses body as the Chat body that reads the same, so that one account of OpenAI's cache does for both.

Tools come first, then ``instructions``, then the items of ``input`` in their order: what the caching guide says of
"messages, tools, images and schemas" holds for both endpoints (developers.openai.com/api/docs/guides/prompt-caching,
checked 2026-11). A history that only ``previous_response_id`` names isn't there to be counted.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any


def chat_of_responses(body: Mapping[str, Any]) -> dict[str, Any]:
    """The body with ``messages`` in place of ``instructions`` and ``input``, and Chat's names for its settings."""
    text, reasoning = body.get("text") or {}, body.get("reasoning") or {}
    settings = {
        "response_format": text.get("format"),
        "verbosity": text.get("verbosity"),
        "reasoning_effort": reasoning.get("effort"),
    }
    rest = {key: value for key, value in body.items() if key not in ("instructions", "input", "text", "reasoning")}
    return {**rest, **settings, "messages": list(_messages(body))}


def _messages(body: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    if body.get("instructions"):
        yield {"role": "system", "content": body["instructions"]}
    given = body.get("input") or ()
    for item in [{"role": "user", "content": given}] if isinstance(given, str) else given:
        kind = item.get("type", "message")
        if kind == "message":
            yield {"role": item.get("role"), "content": item.get("content")}
        elif kind == "function_call":
            function = {"name": item.get("name"), "arguments": item.get("arguments")}
            yield {"role": "assistant", "tool_calls": [{"id": item.get("call_id"), "function": function}]}
        elif kind == "function_call_output":
            output = item.get("output")
            content = output if isinstance(output, (str, list)) else json.dumps(output)
            yield {"role": "tool", "tool_call_id": item.get("call_id"), "content": content}
        else:
            yield {"role": kind, "content": json.dumps(item)}

"""Requests as the workbench agent sends them, and what arrives of them."""

from __future__ import annotations

import json
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

from litellm_prompt_router.files import bundled_profiles, load_profile
from tests.emulators.line_files import whole_lines

PROFILE = load_profile(bundled_profiles() / "workbench", lambda text: len(text) // 4)
PROMPT = PROFILE.text
TASK = "Sum up in/orders.csv by month, please: MARKER-user-4711"
TOOLS: list[dict[str, Any]] = [
    {
        "type": "function",
        "function": {
            "name": name,
            "description": f"The {name} tool.",
            "parameters": {"type": "object", "properties": {"path": {"type": "string"}}},
        },
    }
    for name in ("load_table", "read_file", "run_command")
]
WAIT_SECONDS = 10.0
HISTORY_MARKS = int(find_spec("litellm.litellm_core_utils.prompt_templates.mid_conversation_system") is not None)
"""LiteLLM before 1.106 places no mark at the history's end beside others."""


def conversation(system: Any = PROMPT, task: str = TASK, role: str = "system") -> list[dict[str, Any]]:
    """One agent call in the middle of its work: a task, a tool call with its result, a follow-up."""
    return [
        {"role": role, "content": system},
        {"role": "user", "content": task},
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {
                    "id": "call_1",
                    "type": "function",
                    "function": {"name": "load_table", "arguments": '{"path": "in/orders.csv"}'},
                }
            ],
        },
        {"role": "tool", "tool_call_id": "call_1", "content": "month,total\n1,17\n2,4"},
        {"role": "assistant", "content": "January 17, February 4."},
        {"role": "user", "content": "yes, go on"},
    ]


def as_messages(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A chat conversation in Anthropic's form: calls and results are blocks, results of one answer one message."""
    out: list[dict[str, Any]] = []
    for message in messages:
        if message["role"] == "tool":
            result = {"type": "tool_result", "tool_use_id": message["tool_call_id"], "content": message["content"]}
            if out and isinstance(out[-1]["content"], list) and out[-1]["content"][0]["type"] == "tool_result":
                out[-1]["content"].append(result)
            else:
                out.append({"role": "user", "content": [result]})
        elif message.get("tool_calls"):
            said = [{"type": "text", "text": message["content"]}] if message["content"] else []
            calls = [
                {
                    "type": "tool_use",
                    "id": call["id"],
                    "name": call["function"]["name"],
                    "input": json.loads(call["function"]["arguments"]),
                }
                for call in message["tool_calls"]
            ]
            out.append({"role": "assistant", "content": [*said, *calls]})
        else:
            out.append(message)
    return out


MESSAGES_TOOLS: list[dict[str, Any]] = [
    {
        "name": tool["function"]["name"],
        "description": tool["function"]["description"],
        "input_schema": tool["function"]["parameters"],
    }
    for tool in TOOLS
]


def messages_body(system: Any = PROMPT, task: str = TASK) -> dict[str, Any]:
    """The same agent call for Anthropic's endpoint."""
    messages = as_messages(conversation(task=task)[1:])
    return {"max_tokens": 200, "system": system, "messages": messages, "tools": MESSAGES_TOOLS}


def as_items(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A chat conversation as input items of the Responses API."""
    out: list[dict[str, Any]] = []
    for message in messages:
        if message["role"] == "tool":
            out.append(
                {
                    "type": "function_call_output",
                    "call_id": message["tool_call_id"],
                    "output": message["content"],
                }
            )
            continue
        content = message["content"]
        if isinstance(content, list):
            content = [{"type": "input_text", "text": part["text"]} for part in content]
        if message["role"] == "assistant" and content:
            said = [{"type": "output_text", "text": content, "annotations": []}]
            out.append({"type": "message", "role": "assistant", "content": said})
        elif content:
            out.append({"role": message["role"], "content": content})
        for call in message.get("tool_calls") or ():
            out.append({"type": "function_call", "call_id": call["id"], **call["function"]})
    return out


def as_contents(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A chat conversation as contents of Gemini's API."""
    out: list[dict[str, Any]] = []
    names: dict[str, str] = {}
    for message in messages:
        role = "model" if message["role"] == "assistant" else "user"
        content = message["content"]
        texts = [content] if isinstance(content, str) else [part["text"] for part in content or ()]
        parts: list[dict[str, Any]] = [{"text": text} for text in texts]
        for call in message.get("tool_calls") or ():
            function = call["function"]
            names[call["id"]] = function["name"]
            parts.append({"functionCall": {"name": function["name"], "args": json.loads(function["arguments"])}})
        if message["role"] == "tool":
            name = names[message["tool_call_id"]]
            parts = [{"functionResponse": {"name": name, "response": {"output": content}}}]
            if out and "functionResponse" in out[-1]["parts"][0]:
                out[-1]["parts"] += parts
                continue
        out.append({"role": role, "parts": parts})
    return out


RESPONSES_TOOLS: list[dict[str, Any]] = [{"type": "function", **tool["function"]} for tool in TOOLS]
GEMINI_TOOLS: list[dict[str, Any]] = [{"functionDeclarations": [tool["function"] for tool in TOOLS]}]


def system_blocks(body: Any) -> list[dict[str, Any]]:
    """The system text of an Anthropic or OpenAI body as blocks."""
    system = body.get("system")
    if system is None:
        system = next(message["content"] for message in body["messages"] if message["role"] in ("system", "developer"))
    return [{"type": "text", "text": system}] if isinstance(system, str) else list(system)


def system_text(body: Any) -> str:
    return "".join(block["text"] for block in system_blocks(body))


def without_system(body: Any) -> Any:
    """The body without its system prompt, for comparing everything else."""
    rest = {key: value for key, value in body.items() if key != "system"}
    rest["messages"] = [message for message in body["messages"] if message["role"] not in ("system", "developer")]
    return rest


def without_marks(value: Any) -> Any:
    """The same without cache marks: they move from call to call and are no part of what is cached."""
    if isinstance(value, dict):
        return {key: without_marks(item) for key, item in value.items() if key != "cache_control"}
    return [without_marks(item) for item in value] if isinstance(value, list) else value


def marks(body: Any) -> int:
    return json.dumps(body).count('"cache_control"')


def record_of(path: Path, response: HasHeaders) -> dict[str, Any]:
    """The one record of the request that was answered so. Raises AssertionError when it doesn't come."""
    call_id = response.headers["x-litellm-call-id"]
    deadline = time.monotonic() + WAIT_SECONDS
    found: list[dict[str, Any]] = []
    while not found and time.monotonic() < deadline:
        time.sleep(0.05)
        lines = whole_lines(path)
        found = [record for record in map(json.loads, lines) if record["call_id"] == call_id]
    assert len(found) == 1, f"{len(found)} records of one request"
    return found[0]


class HasHeaders(Protocol):
    """A response, or what the SDK makes of one."""

    @property
    def headers(self) -> Any: ...


IS_OLD_LITELLM = find_spec("litellm.litellm_core_utils.prompt_templates.mid_conversation_system") is None
"""Before 1.106."""

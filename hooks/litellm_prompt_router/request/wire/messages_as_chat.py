"""A Messages body as the chat body that says the same, for replaying recorded calls of both in one way.

What the model reads and what caches go by is kept: texts, images, calls, results, tools and marks. Thinking isn't:
of earlier turns it is no part of the prompt (platform.claude.com, "Extended thinking", checked 2026-11).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from litellm_prompt_router.request.types import UnreadableRequestError
from litellm_prompt_router.request.wire.marks import CACHE_CONTROL, INJECTION_POINTS
from litellm_prompt_router.request.wire.messages import SYSTEM, read

_KEPT = ("model", CACHE_CONTROL, INJECTION_POINTS)
_THINKING = ("thinking", "redacted_thinking")


def chat_of(body: Mapping[str, Any]) -> dict[str, Any]:
    """The chat body. Raises UnreadableRequestError where a block has no place in one."""
    read(body)
    system = [{"role": SYSTEM, "content": body[SYSTEM]}] if body.get(SYSTEM) else []
    messages = [chat for message in body["messages"] for chat in _messages(message)]
    chat = {name: body[name] for name in _KEPT if name in body}
    chat["messages"] = [*system, *messages]
    if isinstance(body.get("tools"), list):
        chat["tools"] = [_tool(tool) for tool in body["tools"]]
    return chat


def _messages(message: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Results go ahead of what the user says beside them, as they must."""
    role, content = message["role"], message.get("content")
    if not isinstance(content, list):
        yield {"role": role, "content": content}
        return
    kinds = [block.get("type") if isinstance(block, dict) else None for block in content]
    yield from (_result(block) for block, kind in zip(content, kinds, strict=True) if kind == "tool_result")
    calls = [_call(block) for block, kind in zip(content, kinds, strict=True) if kind == "tool_use"]
    own = ("tool_result", "tool_use", *_THINKING)
    parts = [_part(block, kind) for block, kind in zip(content, kinds, strict=True) if kind not in own]
    if parts or calls:
        said = {"role": role, "content": parts or None}
        yield {**said, "tool_calls": calls} if calls else said


def _part(block: Any, kind: object) -> dict[str, Any]:
    if kind == "text":
        return dict(block)
    source = block.get("source") if kind == "image" else None
    if not isinstance(source, dict):
        raise UnreadableRequestError("unsupported_block")
    url = source.get("url") or f"data:{source.get('media_type')};base64,{source.get('data')}"
    return {"type": "image_url", "image_url": {"url": url}, **_mark(block)}


def _result(block: Mapping[str, Any]) -> dict[str, Any]:
    content = block.get("content")
    if isinstance(content, list):
        content = "".join(part["text"] for part in content if isinstance(part, dict) and "text" in part)
    return {"role": "tool", "tool_call_id": block.get("tool_use_id"), "content": content or "", **_mark(block)}


def _call(block: Mapping[str, Any]) -> dict[str, Any]:
    function = {"name": block.get("name"), "arguments": json.dumps(block.get("input"))}
    return {"id": block.get("id"), "type": "function", "function": function, **_mark(block)}


def _tool(tool: Any) -> dict[str, Any]:
    if not isinstance(tool, dict) or "input_schema" not in tool:
        raise UnreadableRequestError("unsupported_tool")
    function = {"name": tool.get("name"), "parameters": tool["input_schema"]}
    if "description" in tool:
        function["description"] = tool["description"]
    return {"type": "function", "function": function, **_mark(tool)}


def _mark(holder: Mapping[str, Any]) -> dict[str, Any]:
    return {CACHE_CONTROL: holder[CACHE_CONTROL]} if CACHE_CONTROL in holder else {}

"""Bodies of other endpoints as the Messages or Chat body that reads the same, so that one account of a cache does.

- Bedrock's Converse as Anthropic's Messages, which is what a Claude behind it reads. A ``cachePoint`` is a block of its
  own that marks all before it, tools, system and messages in this order
  (docs.aws.amazon.com/bedrock/latest/userguide/prompt-caching; checked 2026-11): here it is a mark on the block ahead.
- A Chat body with marks on its blocks, which Alibaba's Qwen reads, as Messages.
- OpenAI's Responses as Chat. Tools come first, then ``instructions``, then the items of ``input`` in their order: what
  the caching guide says of "messages, tools, images and schemas" holds for both endpoints
  (developers.openai.com/api/docs/guides/prompt-caching, checked 2026-11). A history that only
  ``previous_response_id`` names isn't there to be counted.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any


def messages_of_converse(body: Mapping[str, Any]) -> dict[str, Any]:
    """The Messages body with the same blocks, texts and marks. What neither caches nor counts is left out."""
    config = body.get("toolConfig") or {}
    return {
        "tools": _blocks(config.get("tools") or ()),
        "system": _blocks(body.get("system") or ()),
        "messages": [
            {"role": message["role"], "content": _blocks(message.get("content") or ())}
            for message in body.get("messages") or ()
        ],
        **({"tool_choice": config["toolChoice"]} if config.get("toolChoice") else {}),
        **{name: body[name] for name in ("thinking", "output_config") if body.get(name) is not None},
        **(body.get("additionalModelRequestFields") or {}),
    }


def _blocks(given: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    blocks: list[dict[str, Any]] = []
    for block in given:
        point = block.get("cachePoint")
        if point is None:
            blocks.append(_block(block))
        elif blocks:
            ttl = {"ttl": point["ttl"]} if point.get("ttl") else {}
            blocks[-1]["cache_control"] = {"type": "ephemeral", **ttl}
    return blocks


def _block(block: Mapping[str, Any]) -> dict[str, Any]:
    match block:
        case {"text": text}:
            return {"type": "text", "text": text}
        case {"toolUse": use}:
            return {"type": "tool_use", "id": use["toolUseId"], "name": use["name"], "input": use["input"]}
        case {"toolResult": result}:
            content = _blocks(result.get("content") or ())
            return {"type": "tool_result", "tool_use_id": result["toolUseId"], "content": content}
        case {"toolSpec": tool}:
            schema = (tool.get("inputSchema") or {}).get("json")
            return {"name": tool["name"], "description": tool.get("description"), "input_schema": schema}
        case {"reasoningContent": {"reasoningText": reasoning}}:
            return {"type": "thinking", "thinking": reasoning.get("text")}
        case {"image": image}:
            return {"type": "image", "source": image}
        case {"document": document}:
            return {"type": "document", "source": document}
        case _:
            return {"type": "other", **block}


def messages_of_marked_chat(body: Mapping[str, Any]) -> dict[str, Any]:
    """The Messages body with the same blocks and marks. Only marks on blocks of messages count (QWEN_EXPLICIT).

    Whatever lifetime they ask for, it is five minutes (``host_caches``).
    """
    system: list[dict[str, Any]] = []
    messages: list[dict[str, Any]] = []
    for message in body.get("messages") or ():
        content = message.get("content")
        given = [{"type": "text", "text": content}] if isinstance(content, str) else content or ()
        blocks = [
            {**block, "cache_control": {"type": "ephemeral"}} if block.get("cache_control") else dict(block)
            for block in given
        ]
        if message.get("role") == "tool":
            mark = blocks[-1].get("cache_control") if blocks else None
            texts = [{key: value for key, value in block.items() if key != "cache_control"} for block in blocks]
            result = {"type": "tool_result", "tool_use_id": message.get("tool_call_id"), "content": texts}
            blocks = [{**result, **({"cache_control": mark} if mark else {})}]
        for call in message.get("tool_calls") or ():
            function = call.get("function") or {}
            use = {"id": call.get("id"), "name": function.get("name"), "input": function.get("arguments")}
            blocks.append({"type": "tool_use", **use})
        if message.get("role") in ("system", "developer") and not messages:
            system += blocks
        else:
            messages.append({"role": message.get("role"), "content": blocks})
    functions = [tool.get("function") or tool for tool in body.get("tools") or ()]
    tools = [
        {"name": one.get("name"), "description": one.get("description"), "input_schema": one.get("parameters")}
        for one in functions
    ]
    return {"tools": tools, "system": system, "messages": messages}


def chat_of_responses(body: Mapping[str, Any]) -> dict[str, Any]:
    """The body with ``messages`` in place of ``instructions`` and ``input``, and Chat's names for its settings."""
    text, reasoning = body.get("text") or {}, body.get("reasoning") or {}
    settings = {
        "response_format": text.get("format"),
        "verbosity": text.get("verbosity"),
        "reasoning_effort": reasoning.get("effort"),
    }
    rest = {key: value for key, value in body.items() if key not in ("instructions", "input", "text", "reasoning")}
    return {**rest, **settings, "messages": list(_chat_messages(body))}


def _chat_messages(body: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
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

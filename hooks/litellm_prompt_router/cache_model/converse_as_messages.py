"""Bedrock Converse bodies in the words of Anthropic's Messages, which is what the model behind them reads.

A ``cachePoint`` is a block of its own that marks all before it, tools, system and messages in this order
(docs.aws.amazon.com/bedrock/latest/userguide/prompt-caching; checked 2026-11): here it is a mark on the block ahead.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
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

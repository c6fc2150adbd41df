"""OpenAI Responses: replies streamed or whole, and the refusals that a rewritten body could run into.

Events and objects: developers.openai.com/api/docs/guides/streaming-responses and the API reference, checked 2026-11.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Mapping
from typing import Any

from tests.emulators.loopback import Answer
from tests.emulators.openai_wire import CREATED
from tests.emulators.provider_rules import takes_breakpoints
from tests.emulators.replies import HttpError, Text, ToolCall, Usage, split_pieces

_numbers = itertools.count(1)
"""Responses need ids of their own: ``previous_response_id`` names one."""


def answer(body: Mapping[str, Any], reply: Text | ToolCall | HttpError, usage: Usage) -> Answer:
    """``reply`` as HTTP, streamed if ``body`` asks for it."""
    if isinstance(reply, HttpError):
        kind = "invalid_request_error" if reply.status < 500 else "server_error"
        error = {"message": reply.message, "type": kind, "param": None, "code": None}
        return _whole({"error": error}, reply.status, reply.headers, reply.delay_seconds)
    response = _response(body)
    item = _item(reply)
    finished = response | {"status": "completed", "output": [item], "usage": _usage(str(body.get("model")), usage)}
    if not body.get("stream"):
        return _whole(finished, 200, {}, reply.delay_seconds)
    events = enumerate(_events(response, reply, item, finished))
    return Answer(
        headers={"Content-Type": "text/event-stream; charset=utf-8"},
        chunks=tuple(_sse({**event, "sequence_number": number}) for number, event in events),
        delay_seconds=reply.delay_seconds,
    )


def _response(body: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "id": f"resp_emulated{next(_numbers)}",
        "object": "response",
        "created_at": CREATED,
        "status": "in_progress",
        "error": None,
        "incomplete_details": None,
        "instructions": body.get("instructions"),
        "max_output_tokens": body.get("max_output_tokens"),
        "model": body.get("model"),
        "output": [],
        "parallel_tool_calls": True,
        "previous_response_id": body.get("previous_response_id"),
        "reasoning": {"effort": None, "summary": None},
        "store": True,
        "temperature": 1.0,
        "text": {"format": {"type": "text"}},
        "tool_choice": "auto",
        "tools": body.get("tools") or [],
        "top_p": 1.0,
        "truncation": "disabled",
        "usage": None,
        "metadata": body.get("metadata") or {},
    }


def _usage(model: str, usage: Usage) -> dict[str, Any]:
    """Cache reads are inside ``input_tokens``; writes are reported where they have a price, as on Chat."""
    details = {"cached_tokens": usage.cache_read_tokens}
    if takes_breakpoints(model):
        details["cache_write_tokens"] = usage.cache_write_tokens
    return {
        "input_tokens": usage.input_tokens,
        "input_tokens_details": details,
        "output_tokens": usage.output_tokens,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": usage.input_tokens + usage.output_tokens,
    }


def _item(reply: Text | ToolCall) -> dict[str, Any]:
    if isinstance(reply, Text):
        part = {"type": "output_text", "text": reply.text, "annotations": []}
        return {"id": "msg_emulated", "type": "message", "role": "assistant", "status": "completed", "content": [part]}
    return {
        "id": "fc_emulated",
        "type": "function_call",
        "status": "completed",
        "call_id": reply.id,
        "name": reply.name,
        "arguments": json.dumps(reply.arguments),
    }


def _events(
    response: dict[str, Any], reply: Text | ToolCall, item: dict[str, Any], finished: dict[str, Any]
) -> Iterator[dict[str, Any]]:
    yield {"type": "response.created", "response": response}
    yield {"type": "response.in_progress", "response": response}
    place: dict[str, Any] = {"item_id": item["id"], "output_index": 0}
    if isinstance(reply, Text):
        (part,) = item["content"]
        yield _added(item | {"status": "in_progress", "content": []})
        inside = place | {"content_index": 0}
        yield {"type": "response.content_part.added", **inside, "part": part | {"text": ""}}
        for piece in split_pieces(reply.text):
            yield {"type": "response.output_text.delta", **inside, "delta": piece, "logprobs": []}
        yield {"type": "response.output_text.done", **inside, "text": reply.text, "logprobs": []}
        yield {"type": "response.content_part.done", **inside, "part": part}
    else:
        yield _added(item | {"status": "in_progress", "arguments": ""})
        for piece in split_pieces(item["arguments"]):
            yield {"type": "response.function_call_arguments.delta", **place, "delta": piece}
        yield {"type": "response.function_call_arguments.done", **place, "arguments": item["arguments"]}
    yield {"type": "response.output_item.done", "output_index": 0, "item": item}
    yield {"type": "response.completed", "response": finished}


def _added(item: dict[str, Any]) -> dict[str, Any]:
    return {"type": "response.output_item.added", "output_index": 0, "item": item}


def _sse(event: Mapping[str, Any]) -> bytes:
    return f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode()


def _whole(body: Mapping[str, Any], status: int, headers: Mapping[str, str], delay_seconds: float) -> Answer:
    return Answer(
        status=status,
        headers={"Content-Type": "application/json", **headers},
        body=json.dumps(body).encode(),
        delay_seconds=delay_seconds,
    )

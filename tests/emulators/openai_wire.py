"""OpenAI Chat Completions: replies streamed or whole."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from tests.emulators.loopback import Answer
from tests.emulators.provider_rules import takes_breakpoints
from tests.emulators.replies import HttpError, Text, ToolCall, Usage, split_pieces

CREATED = 1_700_000_000
UNASKED = re.compile("mistral|grok|glm|kimi")
"""Models whose hosts tell the usage at a stream's end whether or not they are asked to (their API references, checked
2026-11)."""


def answer(body: Mapping[str, Any], reply: Text | ToolCall | HttpError, usage: Usage) -> Answer:
    """``reply`` as HTTP, streamed if ``body`` asks for it, usage in the stream only on request."""
    if isinstance(reply, HttpError):
        kind = "invalid_request_error" if reply.status < 500 else "server_error"
        error = {"message": reply.message, "type": kind, "param": None, "code": None}
        return _whole({"error": error}, reply.status, reply.headers, reply.delay_seconds)
    model = str(body.get("model"))
    if body.get("stream"):
        wants_usage = bool((body.get("stream_options") or {}).get("include_usage") or UNASKED.search(model))
        wants_usage = wants_usage and (not isinstance(reply, Text) or reply.tells_usage)
        return Answer(
            headers={"Content-Type": "text/event-stream; charset=utf-8"},
            chunks=tuple(_stream(model, reply, usage if wants_usage else None)),
            delay_seconds=reply.delay_seconds,
        )
    choice = {
        "index": 0,
        "message": {"role": "assistant", "content": None, "refusal": None} | _message(reply),
        "logprobs": None,
        "finish_reason": _finish_reason(reply),
    }
    completion = {
        "id": "chatcmpl-emulated",
        "object": "chat.completion",
        "created": CREATED,
        "model": model,
        "choices": [choice],
        "usage": _usage(model, usage),
    }
    return _whole(completion, 200, {}, reply.delay_seconds)


def _usage(model: str, usage: Usage) -> dict[str, Any]:
    """Cache reads are inside ``prompt_tokens``; writes are reported where they have a price.

    developers.openai.com/api/docs/guides/prompt-caching and the OpenAPI document, checked 2026-11.
    """
    details = {"cached_tokens": usage.cache_read_tokens, "audio_tokens": 0}
    if takes_breakpoints(model):
        details["cache_write_tokens"] = usage.cache_write_tokens
    elif usage.cache_write_tokens:  # Qwen's explicit cache (alibabacloud.com/help/en/model-studio/context-cache)
        details["cache_creation_input_tokens"] = usage.cache_write_tokens
    return {
        "prompt_tokens": usage.input_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.input_tokens + usage.output_tokens,
        "prompt_tokens_details": details,
        "completion_tokens_details": {"reasoning_tokens": 0},
    }


def _finish_reason(reply: Text | ToolCall) -> str:
    return "stop" if isinstance(reply, Text) else "tool_calls"


def _tool_call(reply: ToolCall, arguments: str) -> dict[str, Any]:
    return {
        "id": reply.id,
        "type": "function",
        "function": {"name": reply.name, "arguments": arguments},
    }


def _message(reply: Text | ToolCall) -> dict[str, Any]:
    if isinstance(reply, Text):
        return {"content": reply.text}
    return {"tool_calls": [_tool_call(reply, json.dumps(reply.arguments))]}


def _deltas(reply: Text | ToolCall) -> Iterator[dict[str, Any]]:
    if isinstance(reply, Text):
        yield {"role": "assistant", "content": "", "refusal": None}
        for piece in split_pieces(reply.text):
            yield {"content": piece}
        return
    opening = {"index": 0} | _tool_call(reply, "")
    yield {"role": "assistant", "content": None, "tool_calls": [opening]}
    for piece in split_pieces(json.dumps(reply.arguments)):
        yield {"tool_calls": [{"index": 0, "function": {"arguments": piece}}]}


def _stream(model: str, reply: Text | ToolCall, usage: Usage | None) -> Iterator[bytes]:
    chunk: dict[str, Any] = {
        "id": "chatcmpl-emulated",
        "object": "chat.completion.chunk",
        "created": CREATED,
        "model": model,
    }
    if usage is not None:
        chunk["usage"] = None
    for delta in _deltas(reply):
        yield _sse(chunk | {"choices": [{"index": 0, "delta": delta, "finish_reason": None}]})
    last = {"index": 0, "delta": {}, "finish_reason": _finish_reason(reply)}
    yield _sse(chunk | {"choices": [last]})
    if usage is not None:
        yield _sse(chunk | {"choices": [], "usage": _usage(model, usage)})
    yield b"data: [DONE]\n\n"


def _sse(chunk: Mapping[str, Any]) -> bytes:
    return f"data: {json.dumps(chunk)}\n\n".encode()


def _whole(body: Mapping[str, Any], status: int, headers: Mapping[str, str], delay_seconds: float) -> Answer:
    return Answer(
        status=status,
        headers={"Content-Type": "application/json", **headers},
        body=json.dumps(body).encode(),
        delay_seconds=delay_seconds,
    )

"""Anthropic Messages: the refusals that matter to a prompt rewriter, and replies streamed or whole."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tests.emulators.bound_thinking import thinking_block, thinks
from tests.emulators.loopback import Answer
from tests.emulators.refusals import refuse_marks
from tests.emulators.replies import HttpError, Text, ToolCall, Usage, split_pieces

ERROR_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    529: "overloaded_error",
}
"""platform.claude.com/docs/en/api/errors; any other status is an ``api_error``."""


def refuse(body: Mapping[str, Any]) -> HttpError | None:
    """The error the provider would give for this body's ``cache_control`` marks, or None."""
    message = refuse_marks(body)
    return None if message is None else HttpError(status=400, message=message)


def answer(body: Mapping[str, Any], reply: Text | ToolCall | HttpError, usage: Usage) -> Answer:
    """``reply`` as HTTP, streamed if ``body`` asks for it."""
    if isinstance(reply, HttpError):
        return _whole(_error(reply), reply.status, reply.headers, reply.delay_seconds)
    model = str(body.get("model"))
    thinking = [thinking_block(body)] if thinks(body) else []
    if body.get("stream"):
        return Answer(
            headers={"Content-Type": "text/event-stream; charset=utf-8"},
            chunks=tuple(_sse(event) for event in _events(model, reply, usage, thinking)),
            delay_seconds=reply.delay_seconds,
        )
    message = _message(model, usage) | {
        "content": [*thinking, _content(reply)],
        "stop_reason": _stop_reason(reply),
        "usage": _usage(usage),
    }
    return _whole(message, 200, {}, reply.delay_seconds)


def _error(reply: HttpError) -> dict[str, Any]:
    kind = ERROR_TYPES.get(reply.status, "api_error")
    return {
        "type": "error",
        "error": {"type": kind, "message": reply.message},
        "request_id": "req_01emulated",
    }


def _message(model: str, usage: Usage) -> dict[str, Any]:
    return {
        "id": "msg_01emulated",
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": _usage(usage) | {"output_tokens": 1},
    }


def _usage(usage: Usage) -> dict[str, Any]:
    return {
        "input_tokens": usage.uncached_input_tokens,
        "cache_creation_input_tokens": usage.cache_write_tokens,
        "cache_read_input_tokens": usage.cache_read_tokens,
        "cache_creation": {
            "ephemeral_5m_input_tokens": usage.cache_write_5m_tokens,
            "ephemeral_1h_input_tokens": usage.cache_write_1h_tokens,
        },
        "output_tokens": usage.output_tokens,
    } | ({} if usage.searches is None else {"server_tool_use": {"web_search_requests": usage.searches}})


def _stop_reason(reply: Text | ToolCall) -> str:
    return "end_turn" if isinstance(reply, Text) else "tool_use"


def _content(reply: Text | ToolCall) -> dict[str, Any]:
    if isinstance(reply, Text):
        return {"type": "text", "text": reply.text}
    return {"type": "tool_use", "id": reply.id, "name": reply.name, "input": dict(reply.arguments)}


def _events(
    model: str, reply: Text | ToolCall, usage: Usage, thinking: Sequence[Mapping[str, Any]]
) -> Iterator[dict[str, Any]]:
    yield {"type": "message_start", "message": _message(model, usage)}
    for index, block in enumerate(thinking):
        opening: dict[str, Any] = {"type": "thinking", "thinking": "", "signature": ""}
        yield {"type": "content_block_start", "index": index, "content_block": opening}
        for delta in ("thinking", "signature"):
            said = {"type": f"{delta}_delta", delta: block[delta]}
            yield {"type": "content_block_delta", "index": index, "delta": said}
        yield {"type": "content_block_stop", "index": index}
    own = len(thinking)
    deltas: list[dict[str, Any]]
    if isinstance(reply, Text):
        opening = {"type": "text", "text": ""}
        deltas = [{"type": "text_delta", "text": piece} for piece in split_pieces(reply.text)]
    else:
        opening = {"type": "tool_use", "id": reply.id, "name": reply.name, "input": {}}
        pieces = split_pieces(json.dumps(reply.arguments))
        deltas = [{"type": "input_json_delta", "partial_json": piece} for piece in pieces]
    yield {"type": "content_block_start", "index": own, "content_block": opening}
    yield {"type": "ping"}
    for said in deltas:
        yield {"type": "content_block_delta", "index": own, "delta": said}
    yield {"type": "content_block_stop", "index": own}
    yield {
        "type": "message_delta",
        "delta": {"stop_reason": _stop_reason(reply), "stop_sequence": None},
        "usage": {"output_tokens": usage.output_tokens} if usage.searches is None else _usage(usage),
    }
    yield {"type": "message_stop"}


def _sse(event: Mapping[str, Any]) -> bytes:
    return f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode()


def _whole(body: Mapping[str, Any], status: int, headers: Mapping[str, str], delay_seconds: float) -> Answer:
    return Answer(
        status=status,
        headers={"Content-Type": "application/json", **headers},
        body=json.dumps(body).encode(),
        delay_seconds=delay_seconds,
    )

"""Gemini generateContent: replies streamed or whole. It accounts no caching: usage is what the test says.

Shape of request and reply: ai.google.dev/api/generate-content, checked 2026-11.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from tests.emulators.loopback import Answer
from tests.emulators.replies import HttpError, Text, ToolCall, Usage, split_pieces

STREAM = ":streamGenerateContent"
WHOLE = ":generateContent"
STATUSES = {400: "INVALID_ARGUMENT", 404: "NOT_FOUND", 429: "RESOURCE_EXHAUSTED", 503: "UNAVAILABLE"}
"""ai.google.dev/gemini-api/docs/troubleshooting; any other is ``INTERNAL``."""


def answer(body: Mapping[str, Any], reply: Text | ToolCall | HttpError, usage: Usage) -> Answer:
    """``reply`` as one JSON document."""
    if isinstance(reply, HttpError):
        error = {
            "code": reply.status,
            "message": reply.message,
            "status": STATUSES.get(reply.status, "INTERNAL"),
        }
        return _json({"error": error}, reply.status, reply.headers, reply.delay_seconds)
    return _json(_document(_model(body), _part(reply), usage, is_last=True), 200, {}, reply.delay_seconds)


def stream(body: Mapping[str, Any], reply: Text | ToolCall | HttpError, usage: Usage) -> Answer:
    """``reply`` as server-sent events; errors come whole."""
    if isinstance(reply, HttpError):
        return answer(body, reply, usage)
    documents = _documents(_model(body), reply, usage)
    return Answer(
        headers={"Content-Type": "text/event-stream"},
        chunks=tuple(f"data: {json.dumps(document)}\r\n\r\n".encode() for document in documents),
        delay_seconds=reply.delay_seconds,
    )


def _model(body: Mapping[str, Any]) -> str:
    """Chat bodies that LiteLLM translates name none."""
    return str(body.get("model") or "gemini-emulated")


def _documents(model: str, reply: Text | ToolCall, usage: Usage) -> Iterator[dict[str, Any]]:
    parts = [{"text": piece} for piece in split_pieces(reply.text)] if isinstance(reply, Text) else [_part(reply)]
    for number, part in enumerate(parts, 1):
        yield _document(model, part, usage, is_last=number == len(parts))


def _part(reply: Text | ToolCall) -> dict[str, Any]:
    if isinstance(reply, Text):
        return {"text": reply.text}
    return {"functionCall": {"name": reply.name, "args": dict(reply.arguments)}}


def _document(model: str, part: Mapping[str, Any], usage: Usage, *, is_last: bool) -> dict[str, Any]:
    candidate: dict[str, Any] = {"content": {"role": "model", "parts": [part]}, "index": 0}
    if is_last:
        candidate["finishReason"] = "STOP"
    return {
        "candidates": [candidate],
        "usageMetadata": {
            "promptTokenCount": usage.input_tokens,
            "cachedContentTokenCount": usage.cache_read_tokens,
            "candidatesTokenCount": usage.output_tokens,
            "totalTokenCount": usage.input_tokens + usage.output_tokens,
        },
        "modelVersion": model,
        "responseId": "emulated",
    }


def _json(body: Mapping[str, Any], status: int, headers: Mapping[str, str], delay_seconds: float) -> Answer:
    return Answer(
        status=status,
        headers={"Content-Type": "application/json; charset=UTF-8", **headers},
        body=json.dumps(body).encode(),
        delay_seconds=delay_seconds,
    )

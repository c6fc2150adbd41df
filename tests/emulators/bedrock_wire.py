"""Bedrock: Converse, and Anthropic's own bodies through InvokeModel, whole or as AWS event streams.

It accounts no caching: usage is what the test says. Shapes: docs.aws.amazon.com/bedrock/latest/APIReference,
``Converse``, ``ConverseStream``, ``InvokeModel`` and ``InvokeModelWithResponseStream``; the framing:
smithy.io/2.0/aws/amazon-eventstream.html. Checked 2026-11.
"""

from __future__ import annotations

import base64
import json
import struct
from collections.abc import Iterator, Mapping
from typing import Any
from zlib import crc32

from tests.emulators import anthropic_wire
from tests.emulators.loopback import Answer
from tests.emulators.replies import HttpError, Text, ToolCall, Usage, split_pieces

STRING = 7
"""The type of a header's value."""


def converse(body: Mapping[str, Any], reply: Text | ToolCall | HttpError, usage: Usage) -> Answer:
    """``reply`` as one JSON document."""
    if isinstance(reply, HttpError):
        return Answer(
            status=reply.status,
            headers={"Content-Type": "application/json", **reply.headers},
            body=json.dumps({"message": reply.message}).encode(),
            delay_seconds=reply.delay_seconds,
        )
    document = {
        "output": {"message": {"role": "assistant", "content": [_content(reply)]}},
        "stopReason": _stop_reason(reply),
        "usage": _usage(usage),
        "metrics": {"latencyMs": 1},
    }
    return Answer(
        headers={"Content-Type": "application/json"},
        body=json.dumps(document).encode(),
        delay_seconds=reply.delay_seconds,
    )


def converse_stream(body: Mapping[str, Any], reply: Text | ToolCall | HttpError, usage: Usage) -> Answer:
    """``reply`` as an event stream; errors come whole."""
    if isinstance(reply, HttpError):
        return converse(body, reply, usage)
    return _stream(tuple(_event(kind, document) for kind, document in _events(reply, usage)), reply.delay_seconds)


def invoke(body: Mapping[str, Any], reply: Text | ToolCall | HttpError, usage: Usage) -> Answer:
    """``reply`` as Anthropic's message."""
    return converse(body, reply, usage) if isinstance(reply, HttpError) else anthropic_wire.answer(body, reply, usage)


def invoke_stream(body: Mapping[str, Any], reply: Text | ToolCall | HttpError, usage: Usage) -> Answer:
    """``reply`` as Anthropic's events, each in an event of AWS's."""
    if isinstance(reply, HttpError):
        return converse(body, reply, usage)
    chunks = anthropic_wire.answer({**body, "stream": True}, reply, usage).chunks or ()
    documents = (chunk.partition(b"data: ")[2].strip() for chunk in chunks)
    events = tuple(_event("chunk", {"bytes": base64.b64encode(document).decode()}) for document in documents)
    return _stream(events, reply.delay_seconds)


def _stream(chunks: tuple[bytes, ...], delay_seconds: float) -> Answer:
    return Answer(
        headers={"Content-Type": "application/vnd.amazon.eventstream"}, chunks=chunks, delay_seconds=delay_seconds
    )


def _content(reply: Text | ToolCall) -> dict[str, Any]:
    if isinstance(reply, Text):
        return {"text": reply.text}
    return {"toolUse": {"toolUseId": reply.id, "name": reply.name, "input": dict(reply.arguments)}}


def _stop_reason(reply: Text | ToolCall) -> str:
    return "end_turn" if isinstance(reply, Text) else "tool_use"


def _usage(usage: Usage) -> dict[str, Any]:
    """``cacheDetails`` tells the writes by lifetime (APIReference, ``TokenUsage``)."""
    by_lifetime = (("1h", usage.cache_write_1h_tokens), ("5m", usage.cache_write_5m_tokens))
    return {
        "cacheDetails": [{"ttl": ttl, "inputTokens": tokens} for ttl, tokens in by_lifetime if tokens],
        "inputTokens": usage.uncached_input_tokens,
        "cacheReadInputTokens": usage.cache_read_tokens,
        "cacheWriteInputTokens": usage.cache_write_tokens,
        "outputTokens": usage.output_tokens,
        "totalTokens": usage.input_tokens + usage.output_tokens,
    }


def _events(reply: Text | ToolCall, usage: Usage) -> Iterator[tuple[str, dict[str, Any]]]:
    yield "messageStart", {"role": "assistant"}
    if isinstance(reply, Text):
        deltas: list[dict[str, Any]] = [{"text": piece} for piece in split_pieces(reply.text)]
    else:
        opening = {"toolUse": {"toolUseId": reply.id, "name": reply.name}}
        yield "contentBlockStart", {"contentBlockIndex": 0, "start": opening}
        deltas = [{"toolUse": {"input": json.dumps(reply.arguments)}}]
    for delta in deltas:
        yield "contentBlockDelta", {"contentBlockIndex": 0, "delta": delta}
    yield "contentBlockStop", {"contentBlockIndex": 0}
    yield "messageStop", {"stopReason": _stop_reason(reply)}
    yield "metadata", {"usage": _usage(usage), "metrics": {"latencyMs": 1}}


def _event(kind: str, document: Mapping[str, Any]) -> bytes:
    named = {":event-type": kind, ":content-type": "application/json", ":message-type": "event"}
    headers = b"".join(_header(name, value) for name, value in named.items())
    payload = json.dumps(document).encode()
    prelude = struct.pack("!II", 16 + len(headers) + len(payload), len(headers))
    message = prelude + struct.pack("!I", crc32(prelude)) + headers + payload
    return message + struct.pack("!I", crc32(message))


def _header(name: str, value: str) -> bytes:
    return struct.pack("!B", len(name)) + name.encode() + struct.pack("!BH", STRING, len(value)) + value.encode()

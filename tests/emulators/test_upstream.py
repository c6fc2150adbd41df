"""The emulated provider against real SDK clients, no proxy between them."""

from __future__ import annotations

import json
import time
from typing import Any

import anthropic
import boto3  # type: ignore[import-untyped]
import httpx
import openai
import pytest
from openai.types.chat import ChatCompletion, ChatCompletionMessageFunctionToolCall

from tests.emulators.caching import CALL_HEADER
from tests.emulators.loopback import Answer, Incoming, Loopback
from tests.emulators.replies import split_pieces
from tests.emulators.two_keys import anthropic_client, openai_client
from tests.emulators.upstream import HttpError, Text, ToolCall, Upstream, Usage

MARK = {"type": "ephemeral"}
CLAUDE_BODY: dict[str, Any] = {"model": "claude", "max_tokens": 16}
HI: Any = [{"role": "user", "content": "Hi?"}]


def marked(n_blocks: int) -> list[dict[str, Any]]:
    return [{"type": "text", "text": "x", "cache_control": MARK}] * n_blocks


TOOL = {"name": "t", "description": "d", "input_schema": {"type": "object"}, "cache_control": MARK}
REFUSALS = [
    pytest.param({"system": marked(4)}, None, id="four"),
    pytest.param(
        {"system": marked(2), "tools": [TOOL], "messages": [{"role": "user", "content": marked(2)}]},
        "A maximum of 4 blocks with cache_control may be provided. Found 5.",
        id="over-all-places",
    ),
    pytest.param(
        {"system": marked(4), "cache_control": MARK},
        "A maximum of 4 blocks with cache_control may be provided. Found 5.",
        id="top-level",
    ),
    pytest.param(
        {"system": [{"type": "text", "text": "a"}, {"type": "text", "text": "", "cache_control": MARK}]},
        "system.1.text: cache_control cannot be set for empty text blocks",
        id="empty-system-block",
    ),
    pytest.param(
        {"messages": [{"role": "user", "content": [{"type": "text", "text": "", "cache_control": MARK}]}]},
        "messages.0.content.0.text: cache_control cannot be set for empty text blocks",
        id="empty-message-block",
    ),
]


@pytest.mark.parametrize(("body", "message"), REFUSALS)
def test_refusals(upstream: Upstream, body: dict[str, Any], message: str | None) -> None:
    """Marks are counted wherever they stand; a refusal has Anthropic's shape and leaves the script alone."""
    upstream.script("Accepted.")
    with httpx.Client(base_url=upstream.url, trust_env=False) as client:
        response = client.post("/v1/messages", json=CLAUDE_BODY | {"messages": []} | body)
        if message is None:
            assert response.json()["content"][0]["text"] == "Accepted."
            return
        assert response.status_code == 400
        error = {"type": "invalid_request_error", "message": message}
        assert response.json() == {"type": "error", "error": error, "request_id": "req_01emulated"}
        accepted = client.post("/v1/messages", json=CLAUDE_BODY | {"messages": []})
    assert accepted.json()["content"][0]["text"] == "Accepted."
    assert len(upstream.requests) == 2


CALL = ToolCall(name="search", arguments={"query": "two words"})


@pytest.mark.parametrize("is_stream", [False, True])
def test_anthropic_tool_call(upstream: Upstream, is_stream: bool) -> None:
    """Anthropic's SDK reads a scripted tool call."""
    upstream.script(CALL)
    with anthropic_client(upstream.url, "k") as client:
        if is_stream:
            with client.messages.stream(model="claude", max_tokens=16, messages=HI) as stream:
                message: anthropic.types.Message = stream.get_final_message()
        else:
            message = client.messages.create(model="claude", max_tokens=16, messages=HI)
    (block,) = message.content
    assert message.stop_reason == "tool_use"
    assert block.type == "tool_use"
    assert (block.name, block.input) == ("search", {"query": "two words"})


@pytest.mark.parametrize("is_stream", [False, True])
def test_openai_tool_call(upstream: Upstream, is_stream: bool) -> None:
    """OpenAI's SDK reads a scripted tool call."""
    upstream.script(CALL)
    with openai_client(upstream.url, "k") as client:
        if is_stream:
            with client.chat.completions.stream(model="gpt-4.1", messages=HI) as stream:
                completion: ChatCompletion = stream.get_final_completion()
        else:
            completion = client.chat.completions.create(model="gpt-4.1", messages=HI)
    (choice,) = completion.choices
    assert choice.finish_reason == "tool_calls"
    assert choice.message.tool_calls is not None
    (call,) = choice.message.tool_calls
    assert isinstance(call, ChatCompletionMessageFunctionToolCall)
    assert (call.function.name, json.loads(call.function.arguments)) == ("search", {"query": "two words"})


def test_stream_usage_only_on_request(upstream: Upstream) -> None:
    """Without ``include_usage`` an OpenAI stream says nothing of usage, like the provider's."""
    with (
        openai_client(upstream.url, "k") as client,
        client.chat.completions.create(model="gpt-4.1", messages=HI, stream=True) as stream,
    ):
        assert [chunk.usage for chunk in stream if chunk.usage] == []


def test_scripted_errors_and_delay(upstream: Upstream) -> None:
    """Errors keep their status, headers and provider shape; then the default reply is back."""
    upstream.script(
        HttpError(status=529, message="busy"),
        HttpError(status=429, message="slow down", headers={"retry-after": "3"}),
        Text(text="late", delay_seconds=0.3),
    )
    with anthropic_client(upstream.url, "k") as claude, openai_client(upstream.url, "k") as gpt:
        with pytest.raises(anthropic.APIStatusError) as overloaded:
            claude.messages.create(model="claude", max_tokens=16, messages=HI)
        with pytest.raises(openai.RateLimitError, match="slow down") as limited:
            gpt.chat.completions.create(model="gpt-4.1", messages=HI)
        start = time.monotonic()
        late = gpt.chat.completions.create(model="gpt-4.1", messages=HI)
        assert time.monotonic() - start >= 0.3
        after = gpt.chat.completions.create(model="gpt-4.1", messages=HI)
    assert late.choices[0].message.content == "late"
    assert after.choices[0].message.content == "Hello from the upstream."
    assert overloaded.value.status_code == 529
    assert overloaded.value.body == {
        "type": "error",
        "error": {"type": "overloaded_error", "message": "busy"},
        "request_id": "req_01emulated",
    }
    assert limited.value.response.headers["retry-after"] == "3"


def test_upstream_closes_during_a_delay() -> None:
    """Leaving the block cuts a reply that is still being held back."""
    with Upstream() as upstream, httpx.Client(base_url=upstream.url, trust_env=False) as client:
        upstream.script(Text(text="never", delay_seconds=60))
        with pytest.raises(httpx.ReadTimeout):
            client.post("/chat/completions", json={"model": "gpt-4.1"}, timeout=0.2)
        start = time.monotonic()
    assert time.monotonic() - start < 5


def test_a_crash_in_an_emulator_is_raised() -> None:
    """What goes wrong inside an emulator fails the test that used it, and the client gets no reply."""

    def crash(incoming: Incoming) -> Answer:
        raise LookupError(incoming.route)

    server = Loopback(crash)
    server.listen()
    with httpx.Client(trust_env=False) as client, pytest.raises(httpx.RemoteProtocolError):
        client.get(f"{server.url}/here?a=b")
    with pytest.raises(ExceptionGroup) as group:
        server.close()
    assert [repr(error) for error in group.value.exceptions] == ["LookupError('/here')"]


@pytest.mark.parametrize("text", ["", " ", "one", " a  b\n\nc ", "end\n", "\n\nstart", "é 漢字 😀"])
def test_pieces_join_to_the_text(text: str) -> None:
    """A stream's pieces lose nothing, whatever the white space."""
    assert "".join(split_pieces(text)) == text


def test_failing_attempts_of_one_call(upstream: Upstream) -> None:
    """Attempts of a named call fail as planned, at whichever provider; others are answered, the script is left."""
    upstream.script("First.", "Second.")
    upstream.fail("b", HttpError(status=500, message="down"), HttpError(status=429, message="slow down"))
    statuses = []
    with httpx.Client(base_url=upstream.url, trust_env=False) as client:
        for call, path in (("a", "v1/messages"), ("b", "v1/messages"), ("b", "chat/completions"), ("b", "v1/messages")):
            response = client.post(path, json=CLAUDE_BODY | {"messages": HI}, headers={CALL_HEADER: call})
            statuses.append(response.status_code)
    assert statuses == [200, 500, 429, 200]
    assert response.json()["content"][0]["text"] == "Second."
    assert len(upstream.requests) == 4


GEMINI = "/v1beta/models/gemini-2.5-pro"


def test_gemini(upstream: Upstream) -> None:
    """Whole, streamed, a tool call, an error: as ai.google.dev/api/generate-content shows them."""
    upstream.script("Two words", "Two words", CALL, HttpError(status=429, message="slow down"))
    upstream.usage = Usage(uncached_input_tokens=10, cache_read_tokens=90, output_tokens=3)
    with httpx.Client(base_url=upstream.url, trust_env=False) as client:
        whole = client.post(f"{GEMINI}:generateContent", json={"contents": []}).json()
        stream = client.post(f"{GEMINI}:streamGenerateContent?alt=sse", json={"contents": []}).text
        called = client.post(f"{GEMINI}:generateContent", json={"contents": []}).json()
        error = client.post(f"{GEMINI}:streamGenerateContent?alt=sse", json={"contents": []})
    assert whole["candidates"] == [
        {"content": {"role": "model", "parts": [{"text": "Two words"}]}, "index": 0, "finishReason": "STOP"}
    ]
    assert whole["usageMetadata"] == {
        "promptTokenCount": 100,
        "cachedContentTokenCount": 90,
        "candidatesTokenCount": 3,
        "totalTokenCount": 103,
    }
    events = [json.loads(line.removeprefix("data: ")) for line in stream.split("\r\n\r\n") if line]
    pieces = [event["candidates"][0]["content"]["parts"][0]["text"] for event in events]
    assert pieces == ["Two", " words"]
    assert called["candidates"][0]["content"]["parts"] == [
        {"functionCall": {"name": "search", "args": {"query": "two words"}}}
    ]
    assert (error.status_code, error.json()["error"]["status"]) == (429, "RESOURCE_EXHAUSTED")


BEDROCK_KEYS = {"aws_access_key_id": "k", "aws_secret_access_key": "k", "region_name": "us-east-1"}
BEDROCK_ASK = {"modelId": "anthropic.m", "messages": [{"role": "user", "content": [{"text": "Hi?"}]}]}


def test_bedrock(upstream: Upstream) -> None:
    """AWS's SDK reads whole replies and event streams, and raises errors."""
    upstream.script("Two words", "Two words", CALL, CALL, "Two words", HttpError(status=400, message="no"))
    client = boto3.client("bedrock-runtime", endpoint_url=upstream.url, **BEDROCK_KEYS)
    whole = client.converse(**BEDROCK_ASK)
    assert whole["output"]["message"]["content"] == [{"text": "Two words"}]
    assert whole["usage"]["inputTokens"] == upstream.usage.uncached_input_tokens
    events = list(client.converse_stream(**BEDROCK_ASK)["stream"])
    assert [e["contentBlockDelta"]["delta"] for e in events if "contentBlockDelta" in e] == [
        {"text": "Two"},
        {"text": " words"},
    ]
    assert events[-1]["metadata"]["usage"] == whole["usage"]
    use = client.converse(**BEDROCK_ASK)["output"]["message"]["content"][0]["toolUse"]
    assert (use["name"], use["input"]) == ("search", {"query": "two words"})
    events = list(client.converse_stream(**BEDROCK_ASK)["stream"])
    assert events[1]["contentBlockStart"]["start"]["toolUse"]["name"] == "search"
    assert json.loads(events[2]["contentBlockDelta"]["delta"]["toolUse"]["input"]) == {"query": "two words"}
    invoked = client.invoke_model_with_response_stream(modelId="anthropic.m", body=json.dumps({"messages": []}))
    kinds = [json.loads(event["chunk"]["bytes"])["type"] for event in invoked["body"]]
    assert (kinds[0], kinds[-1]) == ("message_start", "message_stop")
    with pytest.raises(client.exceptions.ClientError, match="no"):
        client.converse(**BEDROCK_ASK)
    client.close()

"""Captured traffic of a real proxy: whole, masked, private, of the chosen keys only."""

from __future__ import annotations

import json
import stat
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest

from litellm_prompt_router.authoring.learn import learn
from litellm_prompt_router.files.traffic import parse_traffic, read_traffic
from tests.emulators.envelopes import Envelopes
from tests.emulators.two_keys import KeyName, TwoKeyProxy, running_two_keys
from tests.emulators.upstream import HttpError, Upstream
from tests.end_to_end.workbench import (
    MESSAGES_TOOLS,
    PROMPT,
    TOOLS,
    WAIT_SECONDS,
    conversation,
    messages_body,
    record_of,
)

pytestmark = pytest.mark.proxy

PEM = "-----BEGIN PRIVATE KEY-----\nTUlJRXZRSUJBREFO\n-----END PRIVATE KEY-----"
SECRETS = {
    "a provider's key": "sk-ant-api03-AbCdEfGhIjKlMnOpQrSt",
    "an AWS key id": "AKIAIOSFODNN7EXAMPLE",
    "an AWS secret": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    "a bearer token": "abcdef0123456789.ABCDEF",
    "a PEM block": "TUlJRXZRSUJBREFO",
    "a password in a URL": "hunter2hunter2",
}


@pytest.fixture(scope="module")
def capture_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("captured") / "deep" / "traffic.jsonl"


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory, capture_path: Path) -> Iterator[TwoKeyProxy]:
    """The example's proxy with `alpha` captured, into a file of 1 MB at most."""
    env = {
        "PROMPT_ROUTER_CAPTURE__PATH": str(capture_path),
        "PROMPT_ROUTER_CAPTURE__KEYS": "alpha, nobody",
        "PROMPT_ROUTER_CAPTURE__MAX_MB": "1",
    }
    folder = tmp_path_factory.mktemp("proxy")
    with (
        Upstream() as upstream,
        Envelopes() as envelopes,
        running_two_keys(upstream, envelopes, folder, env=env) as proxy,
    ):
        yield proxy


@pytest.fixture(autouse=True)
def _fresh(proxy: TwoKeyProxy, capture_path: Path) -> None:
    proxy.clear()
    for path in capture_path.parent.glob("*"):
        path.unlink()


def post(
    proxy: TwoKeyProxy,
    body: dict[str, Any],
    key: KeyName = "alpha",
    headers: Mapping[str, str] | None = None,
    path: str = "/v1/chat/completions",
) -> httpx.Response:
    """The answer to a body sent as it is, streams read to the end."""
    authorization = {"authorization": f"Bearer {proxy.keys[key]}"}
    with httpx.Client(base_url=proxy.url, trust_env=False, timeout=30) as client:
        return client.post(path, json=body, headers={**authorization, **(headers or {})})


def captured(path: Path, count: int) -> list[dict[str, Any]]:
    """The file's lines once there are ``count``. Raises AssertionError when they don't come."""
    deadline = time.monotonic() + WAIT_SECONDS
    lines: list[str] = []
    while len(lines) < count and time.monotonic() < deadline:
        time.sleep(0.05)
        written = path.read_text("utf-8").splitlines(keepends=True) if path.exists() else []
        lines = [line for line in written if line.endswith("\n")]  # the last may be half there
    assert len(lines) == count
    return [json.loads(line) for line in lines]


@pytest.mark.parametrize("model", ["claude", "gpt"])
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_a_call_is_captured_as_the_client_sent_it(
    proxy: TwoKeyProxy, capture_path: Path, model: str, stream: bool
) -> None:
    """The prompt before our rewrite, tools and unknown fields; nothing of LiteLLM's; the answer and its usage."""
    body = {"model": model, "messages": conversation(), "tools": TOOLS, "stream": stream, "user": "u-1"}
    response = post(proxy, {**body, "metadata": {"mine": 1}})
    assert response.headers["x-prompt-router-outcome"] == "rewritten"
    [line] = captured(capture_path, 1)
    assert line["request"] == body
    assert line["request"]["messages"][0]["content"] == PROMPT
    assert (line["key"], line["endpoint"]) == ("alpha", "acompletion")
    assert abs(line["ts"] - time.time()) < 60
    assert line["response"]["message"]["content"] == "Hello from the upstream."
    assert line["response"]["message"]["role"] == "assistant"
    assert line["response"]["usage"]["prompt_tokens"] == 100
    assert line["response"]["usage"]["completion_tokens"] == 7
    assert stat.S_IMODE(capture_path.stat().st_mode) == 0o600


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_a_call_of_anthropics_endpoint_is_captured_too(proxy: TwoKeyProxy, capture_path: Path, stream: bool) -> None:
    """In its own shape, with the client's metadata, which isn't LiteLLM's here; `learn` finds the agent in it."""
    body = {"model": "claude", **messages_body(), "stream": stream, "metadata": {"user_id": "user_0815"}}
    for messages in (body["messages"][:1], body["messages"][:3]):
        assert post(proxy, {**body, "messages": messages}, path="/v1/messages").is_success
    first, second = captured(capture_path, 2)
    assert second["request"] == {**body, "messages": body["messages"][:3]}
    assert second["endpoint"] == "anthropic_messages"
    assert first["conversation"] == second["conversation"]
    assert second["response"]["message"]["content"] == "Hello from the upstream."
    assert second["response"]["usage"]["completion_tokens"] == 7
    calls = read_traffic(capture_path.read_text("utf-8").splitlines(), "traffic.jsonl", [])
    [agent] = learn(calls, len).agents
    assert (agent.samples, agent.calls, agent.conversations) == ((PROMPT,), 2, 1)
    assert agent.tools == tuple(tool["name"] for tool in MESSAGES_TOOLS)


def test_the_file_is_what_simulate_reads(proxy: TwoKeyProxy, capture_path: Path) -> None:
    """One call a line; the calls of a conversation share an id, another conversation has its own."""
    messages = conversation()
    other = [messages[0], {"role": "user", "content": "Draw a chart"}]
    dated = [{"role": "system", "content": "On 2026-01-01: " + PROMPT}, *other[1:]]
    later = [{"role": "system", "content": "On 2026-11-23: " + PROMPT}, *other[1:]]
    for sent in (messages[:2], messages[:4], messages, other, dated, later):
        assert post(proxy, {"model": "gpt", "messages": sent}).is_success
    captured(capture_path, 6)
    calls = parse_traffic(capture_path.read_text("utf-8"), "traffic.jsonl")
    assert [call.request["messages"] for call in calls] == [messages[:2], messages[:4], messages, other, dated, later]
    first, second, third, fourth, fifth, sixth = (call.conversation for call in calls)
    assert first == second == third
    assert fifth == sixth
    assert len({first, fourth, fifth}) == 3


SESSIONS = [
    pytest.param({"x-litellm-session-id": "thread-7"}, id="litellm's"),
    pytest.param({"x-claude-code-session-id": "thread-7"}, id="claude code"),
    pytest.param({"x-session-id": "thread-7", "x-parent-session-id": "thread-1"}, id="opencode"),
    pytest.param({"session-id": "thread-7"}, id="codex"),
    pytest.param({"session_id": "thread-7"}, id="pi"),
]


@pytest.mark.parametrize("headers", SESSIONS)
def test_a_session_is_a_conversation_of_each_of_its_prompts(
    proxy: TwoKeyProxy, capture_path: Path, headers: dict[str, str]
) -> None:
    """Whatever became of its history; a title under the same session is apart. File and record say the same."""
    messages = conversation()
    title = [{"role": "system", "content": "Give this conversation a title of three words."}, messages[1]]
    compacted = [
        messages[0],
        {"role": "user", "content": "This session is being continued from a previous conversation"},
    ]
    answers = [post(proxy, {"model": "gpt", "messages": m}, headers=headers) for m in (messages, compacted, title)]
    lines = captured(capture_path, 3)
    first, second, third = (line["conversation"] for line in lines)
    assert first == second != third
    assert "litellm_session_id" not in lines[0]["request"]
    records = [record_of(proxy.ledger_path, answer) for answer in answers]
    assert [record["conversation"] for record in records] == [first, second, third]
    assert [record["outcome"] for record in records] == ["rewritten", "rewritten", "passthrough"]


def test_other_keys_leave_no_trace(proxy: TwoKeyProxy, capture_path: Path) -> None:
    """Neither another virtual key nor the master key, which goes by LiteLLM's name for it."""
    others: tuple[KeyName, ...] = ("beta", "master")
    for key in others:
        assert post(proxy, {"model": "gpt", "messages": conversation()}, key=key).is_success
    assert post(proxy, {"model": "gpt", "messages": conversation()}).is_success
    [line] = captured(capture_path, 1)
    assert line["key"] == "alpha"


def test_secrets_are_masked_wherever_they_stand(proxy: TwoKeyProxy, capture_path: Path) -> None:
    """In the prompt, a message, a tool's arguments and the answer; what is around them stays."""
    bearer, url = (
        f"Authorization: Bearer {SECRETS['a bearer token']}",
        f"postgres://u:{SECRETS['a password in a URL']}@h/d",
    )
    texts = [f"Key {SECRETS['a provider' + chr(39) + 's key']}.", SECRETS["an AWS key id"], bearer, url, PEM]
    aws = json.dumps({"aws_secret_access_key": SECRETS["an AWS secret"], "region": "eu-west-1"})
    call = {"id": "call_1", "type": "function", "function": {"name": "load_table", "arguments": aws}}
    messages = [
        {"role": "system", "content": f"{PROMPT}\n{texts[0]}"},
        {"role": "user", "content": [{"type": "text", "text": "\n".join(texts)}]},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_1", "content": texts[2]},
    ]
    proxy.upstream.script(f"It is {texts[1]}, and that is all.")
    assert post(proxy, {"model": "gpt", "messages": messages}).is_success
    [line] = captured(capture_path, 1)
    raw = capture_path.read_text("utf-8")
    assert {name: secret in raw for name, secret in SECRETS.items()} == dict.fromkeys(SECRETS, False)
    sent = line["request"]["messages"]
    assert sent[0]["content"] == f"{PROMPT}\nKey [masked]."
    assert sent[1]["content"][0]["text"].startswith(
        "Key [masked].\n[masked]\nAuthorization: Bearer [masked]\npostgres:"
    )
    assert json.loads(sent[2]["tool_calls"][0]["function"]["arguments"]) == {
        "aws_secret_access_key": "[masked]",
        "region": "eu-west-1",
    }
    assert line["response"]["message"]["content"] == "It is [masked], and that is all."


def test_a_failed_call_has_no_response(proxy: TwoKeyProxy, capture_path: Path) -> None:
    """It was asked all the same."""
    proxy.upstream.default = HttpError(status=400, message="no")
    body = {"model": "gpt", "messages": conversation()}
    assert post(proxy, body).status_code == 400
    [line] = captured(capture_path, 1)
    assert line["request"] == body
    assert "response" not in line


def is_latest(line: dict[str, Any], number: int) -> bool:
    """True for the call of that number: the one before it stands in the file until it is moved."""
    text: str = line["request"]["messages"][-1]["content"]
    return text.startswith(f"{number}: ")


def test_a_full_file_makes_room(proxy: TwoKeyProxy, capture_path: Path) -> None:
    """At its size it is moved aside, in place of the one before it."""
    sizes = []
    for number in range(5):
        messages = [*conversation(), {"role": "user", "content": f"{number}: " + "word " * 90_000}]
        assert post(proxy, {"model": "gpt", "messages": messages}).is_success
        deadline = time.monotonic() + WAIT_SECONDS
        while not is_latest(captured(capture_path, 1)[0], number):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        sizes.append(capture_path.stat().st_size)
    moved = capture_path.with_name("traffic.jsonl.1")
    assert sorted(path.name for path in capture_path.parent.iterdir()) == ["traffic.jsonl", "traffic.jsonl.1"]
    assert max(sizes) <= 1_000_000
    assert is_latest(json.loads(moved.read_text("utf-8")), 3)
    assert stat.S_IMODE(moved.stat().st_mode) == 0o600


def test_the_log_says_that_capture_is_on(proxy: TwoKeyProxy, capture_path: Path) -> None:
    """With the aliases and the path, and nothing that was captured."""
    log = (proxy.ledger_path.parent / "proxy.log").read_text("utf-8")
    line = f"prompt router: capture is on: messages of alpha, nobody are written to {capture_path}"
    assert line in log
    assert PROMPT[:60] not in log

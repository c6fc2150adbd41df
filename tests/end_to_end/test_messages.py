"""Anthropic's endpoint on the wire: the real `anthropic` SDK -> real proxy -> recorded provider and ledger."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import anthropic
import httpx
import pytest

from tests.emulators.two_keys import KeyName, TwoKeyProxy
from tests.emulators.upstream import HttpError, Usage
from tests.end_to_end.workbench import (
    IS_OLD_LITELLM,
    MESSAGES_TOOLS,
    PROFILE,
    PROMPT,
    marks,
    messages_body,
    record_of,
    system_blocks,
    system_text,
    without_marks,
)

pytestmark = pytest.mark.proxy

MARK = {"type": "ephemeral"}
HOUR = {"type": "ephemeral", "ttl": "1h"}
BILLING = "x-anthropic-billing-header: cc_version=9.9.9; cc_entrypoint=cli; cch=0f3a1;"
IDENTITY = "You are an agent of somebody's command line."
HALF = PROMPT.index("\n# ", len(PROMPT) // 2)


def block(text: str, mark: Any = None) -> dict[str, Any]:
    return {"type": "text", "text": text, **({"cache_control": mark} if mark else {})}


def call(proxy: TwoKeyProxy, key: KeyName, stream: bool = False, **extra: Any) -> Any:
    """One request; returns the raw response with its headers, streams read to the end."""
    with proxy.anthropic(key) as client:
        raw = client.messages.with_raw_response.create(model="claude", stream=stream, **{**messages_body(), **extra})
        answer: Any = raw.parse()
        if stream:
            assert [event.type for event in answer][-1] == "message_stop"
        else:
            assert answer.content[0].text == "Hello from the upstream."
        return raw


def sent(proxy: TwoKeyProxy) -> Any:
    """The body that reached the provider, of the one request there was."""
    (request,) = proxy.upstream.calls
    proxy.upstream.clear()
    return request.json


def module_text(name: str) -> str:
    return PROFILE.modules[PROFILE.order[name]].text.strip()


def but_system(body: Any) -> str:
    """Everything else, without marks; the marked last message is the one that may have become a block."""
    rest = without_marks({name: value for name, value in body.items() if name != "system"})
    last = rest["messages"][-1]
    if isinstance(last["content"], str):
        last["content"] = [block(last["content"])]
    return json.dumps(rest)


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_claude_gets_the_needed_modules_with_marks(two_key_proxy: TwoKeyProxy, stream: bool) -> None:
    """Core, then what the task needs, then what varies; marks behind the first two and at the history's end."""
    raw = call(two_key_proxy, "alpha", stream)
    body = sent(two_key_proxy)
    core, routed, varying = system_blocks(body)
    assert core["cache_control"] == routed["cache_control"] == MARK
    assert "cache_control" not in varying
    assert body["messages"][-1]["content"] == [block("yes, go on", MARK)]
    assert module_text("tools/data_processing") in routed["text"]
    assert module_text("tools/git") not in system_text(body)
    assert varying["text"].strip().startswith("Today's date is ")
    assert len(system_text(body)) < 0.6 * len(PROMPT)
    assert raw.headers["x-prompt-router-outcome"] == "rewritten"


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_everything_but_system_text_is_what_the_other_key_sends(two_key_proxy: TwoKeyProxy, stream: bool) -> None:
    """Messages, tools, parameters and the client's own metadata are the same; nothing of ours is beside them."""
    extra = {"metadata": {"user_id": "user_0815"}, "stop_sequences": ["END"]}
    call(two_key_proxy, "alpha", stream, **extra)
    on = sent(two_key_proxy)
    call(two_key_proxy, "beta", stream, **extra)
    off = sent(two_key_proxy)
    assert but_system(on) == but_system(off)
    assert on["metadata"] == {"user_id": "user_0815"}
    assert off["system"] == PROMPT
    assert len(system_text(on)) < len(PROMPT)
    assert marks(off) == 0


@pytest.mark.parametrize("header", ["off", "shadow"])
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_the_header_lowers_to_the_bytes_of_the_other_key(two_key_proxy: TwoKeyProxy, header: str, stream: bool) -> None:
    """Off and shadow change not one byte of what reaches the provider."""
    call(two_key_proxy, "beta", stream)
    (plain,) = two_key_proxy.upstream.calls
    two_key_proxy.upstream.clear()
    call(two_key_proxy, "alpha", stream, extra_headers={"x-prompt-router": header})
    (lowered,) = two_key_proxy.upstream.calls
    assert lowered.body == plain.body


@pytest.mark.parametrize(
    "system",
    [
        pytest.param(PROMPT.strip(), id="stripped"),
        pytest.param(f"You are Coder. {PROMPT.strip()}\nYour goal: ship it.", id="wrapped"),
        pytest.param([block(PROMPT)], id="a block"),
        pytest.param([block(PROMPT[:HALF]), block(PROMPT[HALF:])], id="two blocks"),
        pytest.param([block(BILLING), block(IDENTITY, MARK), block(PROMPT, MARK)], id="behind a billing line"),
        pytest.param([block(BILLING), block(IDENTITY, HOUR), block(PROMPT, HOUR)], id="marked for an hour"),
    ],
)
def test_prompts_as_agents_send_them(two_key_proxy: TwoKeyProxy, system: Any) -> None:
    """Recognised and shrunk; blocks that aren't ours are byte for byte where they were, marks included."""
    raw = call(two_key_proxy, "alpha", system=system)
    body = sent(two_key_proxy)
    assert raw.headers["x-prompt-router-outcome"] == "rewritten"
    assert len(system_text(body)) < 0.6 * len(PROMPT)
    strangers = [given for given in system if given["text"] in (BILLING, IDENTITY)] if isinstance(system, list) else []
    assert system_blocks(body)[: len(strangers)] == strangers
    assert ("You are Coder. " in system_text(body)) == ("Coder" in json.dumps(system))
    assert marks(body) <= 4


SPENT = [
    pytest.param({}, 3, id="none"),
    pytest.param({"system": [block(PROMPT, MARK)]}, 3, id="one on the prompt"),
    pytest.param({"system": [block(IDENTITY, HOUR), block(PROMPT, HOUR)]}, 4, id="two on the system"),
    pytest.param({"cache_control": MARK}, 3, id="an automatic one"),
    pytest.param({"tools": [{**tool, "cache_control": MARK} for tool in MESSAGES_TOOLS]}, 4, id="three on tools"),
    pytest.param(
        {
            "system": [block(IDENTITY, MARK), block(PROMPT, MARK)],
            "tools": [*MESSAGES_TOOLS[:-1], {**MESSAGES_TOOLS[-1], "cache_control": MARK}],
            "messages": [{"role": "user", "content": [block("Sum up in/orders.csv", MARK)]}],
        },
        4,
        id="all four",
    ),
    pytest.param(
        {
            "tools": [{**tool, "cache_control": MARK} for tool in MESSAGES_TOOLS],
            "messages": [{"role": "user", "content": [block("Sum up in/orders.csv", MARK)]}],
        },
        4,
        id="all four outside the prompt",
    ),
    pytest.param(
        {
            "tools": [{**tool, "cache_control": MARK} for tool in MESSAGES_TOOLS],
            "messages": [
                *messages_body()["messages"][:2],
                {
                    "role": "user",
                    "content": [{"type": "tool_result", "tool_use_id": "call_1", "content": [block("17", MARK)]}],
                },
            ],
        },
        4,
        id="one inside a tool result",
    ),
]


@pytest.mark.parametrize(("extra", "wanted"), SPENT)
def test_marks_never_exceed_four(two_key_proxy: TwoKeyProxy, extra: dict[str, Any], wanted: int) -> None:
    """The client's marks count, wherever they stand; the provider, which refuses a fifth, is content."""
    top = {name: extra[name] for name in ("cache_control",) if name in extra}
    rest = {name: value for name, value in extra.items() if name not in top}
    call(two_key_proxy, "alpha", extra_body=top, **rest)
    assert marks(sent(two_key_proxy)) == wanted


def test_one_record_for_each_request(two_key_proxy: TwoKeyProxy) -> None:
    """Plain, streamed, failed and off: sizes, modules, disjoint usage, exact cost; no text and no key."""
    two_key_proxy.upstream.usage = Usage(
        uncached_input_tokens=11, cache_read_tokens=500, cache_write_5m_tokens=30, output_tokens=5
    )
    answers = [call(two_key_proxy, "alpha"), call(two_key_proxy, "alpha", stream=True)]
    two_key_proxy.upstream.script(HttpError(status=400, message="no such thing"))
    with pytest.raises(anthropic.BadRequestError) as refused:
        call(two_key_proxy, "alpha")
    answers += [refused.value.response, call(two_key_proxy, "beta")]
    plain, streamed, failed, off = (record_of(two_key_proxy.ledger_path, answer) for answer in answers)
    for record in (plain, streamed):
        assert (record["endpoint"], record["status"], record["outcome"]) == (
            "anthropic_messages",
            "success",
            "rewritten",
        )
        assert (record["profile"], record["tool_count"]) == ("workbench", 3)
        assert record["original_chars"] == len(PROMPT)
        assert record["prompt_tokens"] < record["original_tokens"]
        assert record["breakpoints_added"] == record["breakpoints_total"] == 3
        assert [record[f"{name}_tokens"] for name in ("uncached_input", "cache_read", "cache_write_5m", "output")] == [
            11,
            500,
            30,
            5,
        ]
        # claude-sonnet-4-5: 3 / 0.3 / 3.75 / 15 USD per million tokens (LiteLLM's map, 1.106)
        assert Decimal(record["billed_usd"]) == Decimal("0.0003705")
    assert (plain["stream"], streamed["stream"]) == (False, True)
    assert (failed["status"], failed["outcome"], failed["billed_usd"]) == ("failure", "rewritten", None)
    assert (failed["provider"], failed["model"]) == (plain["provider"], plain["model"])
    assert (off["outcome"], off["reason"], off["key_alias"]) == ("passthrough", "off", "beta")
    text = two_key_proxy.ledger_path.read_text(encoding="utf-8")
    assert "MARKER" not in text
    assert not any(secret in text for secret in two_key_proxy.keys.values())


def test_a_subscription_of_the_clients_own_is_left_alone(two_key_proxy: TwoKeyProxy) -> None:
    """Its OAuth token goes to the provider, and so does its prompt, byte for byte; no record holds the token."""
    token = "sk-ant-oat01-MARKER-4711"
    headers = {"Authorization": f"Bearer {token}", "x-litellm-api-key": f"Bearer {two_key_proxy.keys['alpha']}"}
    with two_key_proxy.anthropic("alpha") as client:
        raw = client.messages.with_raw_response.create(
            model="claude", **messages_body(), extra_headers={**headers, "x-api-key": anthropic.Omit()}
        )
    assert sent(two_key_proxy)["system"] == PROMPT
    assert raw.headers["x-prompt-router-reason"] == "client_oauth"
    record = record_of(two_key_proxy.ledger_path, raw)
    assert (record["outcome"], record["reason"]) == ("passthrough", "client_oauth")
    assert "MARKER" not in two_key_proxy.ledger_path.read_text(encoding="utf-8")


def test_a_client_that_goes_away_leaves_a_record(two_key_proxy: TwoKeyProxy) -> None:
    """A stream closed behind its first event is one finished request."""
    body = {"model": "claude", **messages_body(), "stream": True}
    headers = {"x-api-key": two_key_proxy.keys["alpha"]}
    with (
        httpx.Client(base_url=two_key_proxy.url, headers=headers, trust_env=False, timeout=30) as client,
        client.stream("POST", "/v1/messages", json=body) as response,
    ):
        assert next(response.iter_lines()).startswith("event: message_start")
    record = record_of(two_key_proxy.ledger_path, response)
    assert (record["endpoint"], record["outcome"]) == ("anthropic_messages", "rewritten")


def test_a_refusal_in_a_stream_is_a_failure(two_key_proxy: TwoKeyProxy) -> None:
    """The error comes before the stream begins; so does the record's reason."""
    two_key_proxy.upstream.script(HttpError(status=400, message="no such thing"))
    with pytest.raises(anthropic.BadRequestError) as refused:
        call(two_key_proxy, "alpha", stream=True)
    record = record_of(two_key_proxy.ledger_path, refused.value.response)
    assert (record["status"], record["error_type"], record["outcome"]) == ("failure", "BadRequestError", "rewritten")


OTHERS = [
    pytest.param("/v1/embeddings", {"input": "Sum it up"}, "aembedding", id="embeddings"),
    pytest.param(
        "/v1/completions",
        {"prompt": PROMPT},
        "atext_completion",
        id="text completions",
        marks=pytest.mark.skipif(IS_OLD_LITELLM, reason="this LiteLLM gives errors here no call id"),
    ),
]


@pytest.mark.parametrize(("path", "body", "endpoint"), OTHERS)
def test_other_endpoints_are_left_alone_and_counted(
    two_key_proxy: TwoKeyProxy, path: str, body: dict[str, Any], endpoint: str
) -> None:
    """A record says that nothing was done, and why."""
    headers = {"Authorization": f"Bearer {two_key_proxy.keys['alpha']}"}
    with httpx.Client(base_url=two_key_proxy.url, headers=headers, trust_env=False, timeout=30) as client:
        response = client.post(path, json={"model": "gpt", **body})
    record = record_of(two_key_proxy.ledger_path, response)
    assert (record["endpoint"], record["outcome"], record["reason"]) == (
        endpoint,
        "passthrough",
        "unsupported_endpoint",
    )


def test_no_request_of_the_session_hit_a_fault_of_ours(two_key_proxy: TwoKeyProxy) -> None:
    """The proxy's log has no complaint from the router."""
    assert "prompt router:" not in two_key_proxy.proxy.log()

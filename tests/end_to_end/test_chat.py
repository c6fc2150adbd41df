"""The main job on the wire: real SDK -> real proxy -> recorded provider, ledger and events."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import openai
import pytest

from litellm_prompt_router.telemetry.delivery import BATCH_SECONDS, POST_SECONDS
from tests.emulators.two_keys import KeyName, TwoKeyProxy
from tests.emulators.upstream import HttpError, Usage
from tests.end_to_end.workbench import (
    HISTORY_MARKS,
    PROFILE,
    PROMPT,
    TASK,
    TOOLS,
    conversation,
    marks,
    record_of,
    system_blocks,
    system_text,
    without_marks,
    without_system,
)

pytestmark = pytest.mark.proxy

MARK = {"type": "ephemeral"}
HOUR = {"type": "ephemeral", "ttl": "1h"}
SECRET_LISTING = '<workspace_listing root="/workspace">\nin/MARKER-listing-0815.csv  3 KB\n</workspace_listing>'


def call(proxy: TwoKeyProxy, key: KeyName, model: str = "claude", stream: bool = False, **extra: Any) -> Any:
    """One request; returns the raw response with its headers, streams read to the end."""
    body = {"messages": conversation(), "tools": TOOLS, **extra}
    with proxy.openai(key) as client:
        raw = client.chat.completions.with_raw_response.create(model=model, stream=stream, **body)
        if stream:
            for _ in raw.parse():
                pass
        return raw


def sent(proxy: TwoKeyProxy) -> Any:
    """The body that reached the provider, of the one request there was."""
    (request,) = proxy.upstream.requests
    proxy.upstream.clear()
    return request.json


def module_text(name: str) -> str:
    return PROFILE.modules[PROFILE.order[name]].text.strip()


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_claude_gets_the_needed_modules_with_marks(two_key_proxy: TwoKeyProxy, stream: bool) -> None:
    """Core, then what the task needs, then what varies; a mark behind each of the first two."""
    call(two_key_proxy, "alpha", stream=stream)
    body = sent(two_key_proxy)
    core, routed, varying = system_blocks(body)
    assert core["cache_control"] == routed["cache_control"] == MARK
    assert "cache_control" not in varying
    assert core["text"].startswith(module_text("core/identity"))
    assert module_text("response/format") in core["text"]
    assert module_text("tools/data_processing") in routed["text"]
    assert module_text("tools/git") not in system_text(body)
    date, listing = varying["text"].strip().split("\n\n")
    assert date.startswith("Today's date is ")
    assert listing.endswith("</workspace_listing>")
    assert len(system_text(body)) < 0.6 * len(PROMPT)


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("model", ["claude", "gpt"])
def test_everything_but_system_text_is_what_the_other_key_sends(
    two_key_proxy: TwoKeyProxy, model: str, stream: bool
) -> None:
    """The same request with the router on and off differs in the system prompt and in what helps the cache."""
    call(two_key_proxy, "alpha", model, stream)
    on = sent(two_key_proxy)
    call(two_key_proxy, "beta", model, stream)
    off = sent(two_key_proxy)
    assert on.pop("prompt_cache_key", "").startswith("workbench-" if model == "gpt" else "")
    assert json.dumps(without_marks(without_system(on))) == json.dumps(without_system(off))
    assert system_text(off) == PROMPT
    assert len(system_text(on)) < len(system_text(off))
    assert marks(off) == 0


def test_gpt_gets_one_string_without_marks(two_key_proxy: TwoKeyProxy) -> None:
    """A host that might reject marks gets none, and a string stays a string."""
    call(two_key_proxy, "alpha", "gpt")
    body = sent(two_key_proxy)
    assert marks(body) == 0
    assert isinstance(body["messages"][0]["content"], str)
    assert module_text("tools/data_processing") in system_text(body)


@pytest.mark.parametrize(
    "messages",
    [
        pytest.param(conversation(PROMPT.strip()), id="stripped"),
        pytest.param(conversation(PROMPT.replace("\n", "\r\n")), id="CRLF"),
        pytest.param(conversation(f"You are Coder. {PROMPT.strip()}\nYour goal: ship it."), id="wrapped"),
        pytest.param(conversation(f"{PROMPT}\n{PROMPT}"), id="twice"),
        pytest.param(
            conversation([{"type": "text", "text": PROMPT[:20_000]}, {"type": "text", "text": PROMPT[20_000:]}]),
            id="two blocks",
        ),
        pytest.param(
            [{"role": "system", "content": PROMPT[:30_000]}, *conversation(PROMPT[30_000:])], id="two messages"
        ),
        pytest.param(conversation(role="developer"), id="developer"),
        pytest.param(conversation(PROMPT.replace(PROFILE.modules[6].text, "")), id="a module missing"),
    ],
)
@pytest.mark.parametrize("model", ["claude", "gpt"])
def test_prompts_as_agents_send_them(two_key_proxy: TwoKeyProxy, messages: Any, model: str) -> None:
    """Each of the shapes seen in the wild is recognised and shrinks; what is around it stays."""
    raw = call(two_key_proxy, "alpha", model, messages=messages)
    body = sent(two_key_proxy)
    text = system_text(body) if model == "claude" else json.dumps(body["messages"])
    assert raw.headers["x-prompt-router-outcome"] == "rewritten"
    assert float(raw.headers["x-prompt-router-chars-after"]) < 0.6 * float(raw.headers["x-prompt-router-chars-before"])
    assert ("You are Coder. " in text and "Your goal: ship it." in text) == ("Coder" in json.dumps(messages[0]))
    assert marks(body) == (2 + HISTORY_MARKS if model == "claude" else 0)


def test_an_unknown_prompt_passes_through(two_key_proxy: TwoKeyProxy) -> None:
    """A stranger's prompt reaches the provider as it came, with the reason in the headers."""
    prompt = "You are somebody else entirely.\n" * 400
    raw = call(two_key_proxy, "alpha", messages=conversation(prompt))
    assert system_text(sent(two_key_proxy)) == prompt
    assert raw.headers["x-prompt-router-outcome"] == "passthrough"
    assert raw.headers["x-prompt-router-reason"] == "unrecognised"


@pytest.mark.parametrize("header", ["off", "shadow"])
def test_the_header_lowers_to_the_bytes_of_the_other_key(two_key_proxy: TwoKeyProxy, header: str) -> None:
    """Off and shadow change not one byte of what reaches the provider."""
    call(two_key_proxy, "beta")
    (plain,) = two_key_proxy.upstream.requests
    two_key_proxy.upstream.clear()
    call(two_key_proxy, "alpha", extra_headers={"x-prompt-router": header})
    (lowered,) = two_key_proxy.upstream.requests
    assert lowered.body == plain.body


def test_the_header_cannot_raise(two_key_proxy: TwoKeyProxy) -> None:
    """A key that is off stays off, whatever its client asks for."""
    call(two_key_proxy, "beta", extra_headers={"x-prompt-router": "rewrite"})
    assert system_text(sent(two_key_proxy)) == PROMPT


@pytest.mark.parametrize(
    ("system", "tools", "last", "wanted"),
    [
        pytest.param([], [], [], 2 + HISTORY_MARKS, id="no marks"),
        pytest.param([MARK], [], [], 2 + HISTORY_MARKS, id="one on the system prompt"),
        pytest.param([HOUR], [], [], 2 + HISTORY_MARKS, id="an hour on the system prompt"),
        pytest.param([], [MARK], [MARK], 4, id="tools and message"),
        pytest.param([MARK], [MARK], [MARK], 4, id="three of the client"),
        pytest.param([], [MARK, MARK, MARK], [MARK], 4, id="four elsewhere: no room"),
        pytest.param([], [MARK, MARK], [MARK], 4, id="room for one"),
    ],
)
def test_marks_never_exceed_four(
    two_key_proxy: TwoKeyProxy, system: list[Any], tools: list[Any], last: list[Any], wanted: int
) -> None:
    """The client's marks count; the provider, which refuses a fifth, is content."""
    prompt: list[dict[str, Any]] = [{"type": "text", "text": PROMPT}]
    for mark in system:
        prompt[0]["cache_control"] = mark
    marked = [{**tool, **({"cache_control": tools[n]} if n < len(tools) else {})} for n, tool in enumerate(TOOLS)]
    messages = conversation(prompt)
    for mark in last:
        messages[-1]["content"] = [{"type": "text", "text": "yes, go on", "cache_control": mark}]
    call(two_key_proxy, "alpha", messages=messages, tools=marked)
    body = sent(two_key_proxy)
    assert marks(body) == wanted
    if system:
        assert system_blocks(body)[1]["cache_control"] == system[0]
        assert system_blocks(body)[0]["cache_control"].get("ttl") == system[0].get("ttl")


def test_one_record_for_each_request(two_key_proxy: TwoKeyProxy) -> None:
    """Plain, streamed and failed: sizes, modules, disjoint usage, exact cost; no text and no key."""
    two_key_proxy.upstream.usage = Usage(
        uncached_input_tokens=11, cache_read_tokens=500, cache_write_5m_tokens=30, output_tokens=5
    )
    answers = [call(two_key_proxy, "alpha"), call(two_key_proxy, "alpha", stream=True)]
    two_key_proxy.upstream.script(HttpError(status=400, message="no such thing"))
    with pytest.raises(openai.BadRequestError) as refused:
        call(two_key_proxy, "alpha")
    answers += [refused.value.response, call(two_key_proxy, "beta")]
    plain, streamed, failed, off = (record_of(two_key_proxy.ledger_path, answer) for answer in answers)
    for record in (plain, streamed):
        assert (record["status"], record["outcome"], record["reason"]) == ("success", "rewritten", None)
        assert record["key_alias"] == "alpha"
        assert record["profile"] == "workbench"
        assert record["original_chars"] == len(PROMPT)
        assert record["prompt_chars"] < 0.6 * len(PROMPT)
        assert record["prompt_tokens"] < record["original_tokens"]
        assert {"id": "tools/data_processing", "evidence": "inherited", "detail": "csv", "late": False} in record[
            "modules"
        ]
        assert record["breakpoints_added"] == 2 + HISTORY_MARKS
        assert [record[f"{name}_tokens"] for name in ("uncached_input", "cache_read", "cache_write_5m", "output")] == [
            11,
            500,
            30,
            5,
        ]
        # claude-sonnet-4-5: 3 / 0.3 / 3.75 / 15 USD per million tokens (LiteLLM's map, 1.106)
        assert Decimal(record["billed_usd"]) == Decimal("0.0003705")
        removed = record["original_tokens"] - record["prompt_tokens"]
        assert Decimal(record["list_price_saved_usd"]) == removed * Decimal("0.000003")
    assert (plain["stream"], streamed["stream"]) == (False, True)
    assert (failed["status"], failed["error_type"], failed["billed_usd"]) == ("failure", "BadRequestError", None)
    assert (failed["provider"], failed["model"]) == (plain["provider"], plain["model"])
    assert (off["outcome"], off["reason"], off["key_alias"]) == ("passthrough", "off", "beta")
    text = two_key_proxy.ledger_path.read_text(encoding="utf-8")
    assert "MARKER" not in text
    assert not any(secret in text for secret in two_key_proxy.keys.values())


def test_three_events_and_a_transaction_without_a_word_of_the_prompt(two_key_proxy: TwoKeyProxy) -> None:
    """What GlitchTip gets: fixed titles and fingerprints, figures in contexts, tags, no text, no key."""
    prompt = PROMPT.replace(PROFILE.modules[1].parts[3].sample, SECRET_LISTING)  # type: ignore[union-attr]
    assert "MARKER-listing" in prompt
    two_key_proxy.envelopes.wait_until_quiet(BATCH_SECONDS + POST_SECONDS + 1.0)
    two_key_proxy.envelopes.clear()
    call(two_key_proxy, "alpha", messages=conversation(prompt))
    events = two_key_proxy.envelopes.wait_for(3, 10.0, n_transactions=1)
    by_title = {event["message"]: event for event in events}
    assert set(by_title) == {"Routing: modules selected", "Prompt built", "Prompt Request"}
    routing, prompt_built, request = (by_title[title]["contexts"] for title in by_title)
    count = routing["routing"]["module_count"]
    assert routing["routing"]["summary"] == f"Routing: {count} modules selected"
    assert prompt_built["prompt"]["summary"].startswith(f"Prompt built: {count} modules, ")
    assert prompt_built["prompt"]["original_chars"] == len(prompt)
    assert request["request"]["summary"].startswith("Prompt Request: claude-sonnet-4-5, ")
    for event in events:
        assert event["tags"]["profile"] == "workbench"
        assert event["tags"]["key_alias"] == "alpha"
        assert event["tags"]["outcome"] == "rewritten"
    (transaction,) = two_key_proxy.envelopes.transactions
    assert transaction["transaction"] == "prompt_router.decision"
    everything = json.dumps([*events, transaction])
    assert "MARKER" not in everything
    assert not any(secret in everything for secret in two_key_proxy.keys.values())


def test_a_client_cannot_forge_its_savings(two_key_proxy: TwoKeyProxy) -> None:
    """Claims in client metadata are dropped, and what the client may say stays."""
    forged = {"compression_savings": {"tokens_saved": 999_999}, "prompt_router": {"outcome": "rewritten"}}
    answer = call(two_key_proxy, "beta", extra_body={"metadata": forged})
    record = record_of(two_key_proxy.ledger_path, answer)
    assert (record["outcome"], record["reason"], record["original_tokens"]) == ("passthrough", "off", None)


def test_no_request_of_the_session_hit_a_fault_of_ours(two_key_proxy: TwoKeyProxy) -> None:
    """The proxy's log has no complaint from the router."""
    assert "prompt router:" not in two_key_proxy.proxy.log()
    assert TASK not in two_key_proxy.proxy.log()

"""The Responses API on the wire: the real `openai` SDK -> real proxy -> recorded provider and ledger."""

from __future__ import annotations

import itertools
import json
from decimal import Decimal
from typing import Any

import openai
import pytest

from tests.emulators.two_keys import KeyName, TwoKeyProxy
from tests.emulators.upstream import HttpError, ToolCall, Usage
from tests.end_to_end.workbench import (
    IS_OLD_LITELLM,
    PROFILE,
    PROMPT,
    RESPONSES_TOOLS,
    TASK,
    as_items,
    conversation,
    marks,
    record_of,
    system_blocks,
    without_marks,
)

pytestmark = pytest.mark.proxy

MARK = {"type": "ephemeral"}
ITEMS = as_items(conversation()[1:])
HALF = PROMPT.index("\n# ", len(PROMPT) // 2)
COMMIT = "Now commit it on a new branch"
ADDED_TOOLS = {"type": "additional_tools", "role": "developer", "tools": [RESPONSES_TOOLS[0]]}


def call(proxy: TwoKeyProxy, key: KeyName, stream: bool = False, model: str = "gpt", **extra: Any) -> Any:
    """One request; returns the raw response with its headers, streams read to the end."""
    body = {"instructions": PROMPT, "input": ITEMS, "tools": RESPONSES_TOOLS, **extra}
    with proxy.openai(key) as client:
        raw = client.responses.with_raw_response.create(model=model, stream=stream, **body)
        answer: Any = raw.parse()
        if stream:
            answer = list(answer)[-1].response
        assert answer.status == "completed"
        assert answer.output
        return raw


def sent(proxy: TwoKeyProxy) -> Any:
    """The body that reached the provider, of the one request there was."""
    (request,) = proxy.upstream.calls
    proxy.upstream.clear()
    return request.json


def module_text(name: str) -> str:
    return PROFILE.modules[PROFILE.order[name]].text.strip()


def message(role: str, content: Any, **more: Any) -> dict[str, Any]:
    return {**more, "role": role, "content": content}


def _form(item: dict[str, Any]) -> Any:
    """An item without its text."""
    if item.get("type") == "additional_tools":
        return item
    content = item["content"]
    return {**item, "content": "" if isinstance(content, str) else [{**block, "text": ""} for block in content]}


def texts(*pieces: str) -> list[dict[str, Any]]:
    return [{"type": "input_text", "text": piece} for piece in pieces]


STREAM = pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])


@STREAM
def test_instructions_hold_the_needed_modules(two_key_proxy: TwoKeyProxy, stream: bool) -> None:
    """A string stays a string: core, what the task needs, what varies. A cache key goes with it, and no mark."""
    raw = call(two_key_proxy, "alpha", stream)
    body = sent(two_key_proxy)
    text = body["instructions"]
    assert isinstance(text, str)
    assert text.startswith(module_text("core/identity"))
    assert module_text("tools/data_processing") in text
    assert module_text("tools/git") not in text
    assert len(text) < 0.6 * len(PROMPT)
    assert body["prompt_cache_key"].startswith("workbench-")
    assert marks(body) == 0
    assert raw.headers["x-prompt-router-outcome"] == "rewritten"


@STREAM
def test_everything_but_the_prompt_is_what_the_other_key_sends(two_key_proxy: TwoKeyProxy, stream: bool) -> None:
    """Items, tools, parameters and the client's own metadata are the same."""
    extra: dict[str, Any] = {"metadata": {"mine": "0815"}, "max_output_tokens": 99, "store": False}
    call(two_key_proxy, "alpha", stream, **extra)
    on = sent(two_key_proxy)
    call(two_key_proxy, "beta", stream, **extra)
    off = sent(two_key_proxy)
    assert on.pop("prompt_cache_key")
    assert len(on.pop("instructions")) < len(PROMPT)
    assert off.pop("instructions") == PROMPT
    assert on["metadata"] == {"mine": "0815"}
    assert json.dumps(on) == json.dumps(off)


@pytest.mark.parametrize("header", ["off", "shadow"])
@STREAM
def test_the_header_lowers_to_the_bytes_of_the_other_key(two_key_proxy: TwoKeyProxy, header: str, stream: bool) -> None:
    """Off and shadow change not one byte of what reaches the provider."""
    call(two_key_proxy, "beta", stream)
    (plain,) = two_key_proxy.upstream.calls
    two_key_proxy.upstream.clear()
    call(two_key_proxy, "alpha", stream, extra_headers={"x-prompt-router": header})
    (lowered,) = two_key_proxy.upstream.calls
    assert lowered.body == plain.body


@pytest.mark.parametrize(
    ("instructions", "items"),
    [
        pytest.param(PROMPT.strip(), ITEMS, id="stripped"),
        pytest.param(f"You are Coder. {PROMPT.strip()}\nYour goal: ship it.", ITEMS, id="wrapped"),
        pytest.param(PROMPT, TASK, id="input is a string"),
        pytest.param(None, [message("developer", PROMPT), *ITEMS], id="a developer item"),
        pytest.param(None, [message("system", texts(PROMPT), type="message"), *ITEMS], id="a system item"),
        pytest.param(
            None,
            [
                message("developer", texts("Sandboxed.", PROMPT[:HALF]), type="message"),
                message("developer", texts(PROMPT[HALF:], "No network."), type="message"),
                *ITEMS,
            ],
            id="four blocks in two items",
        ),
        pytest.param(PROMPT[:HALF], [message("developer", PROMPT[HALF:]), *ITEMS], id="instructions and an item"),
        pytest.param(None, [ADDED_TOOLS, message("developer", texts(PROMPT)), *ITEMS], id="behind added tools"),
    ],
)
def test_prompts_as_agents_send_them(two_key_proxy: TwoKeyProxy, instructions: Any, items: Any) -> None:
    """Each form that was seen is recognised and shrinks; roles, forms and seams stay, and what isn't a prompt."""
    given: Any = openai.omit if instructions is None else instructions
    raw = call(two_key_proxy, "alpha", instructions=given, input=items)
    body = sent(two_key_proxy)
    assert raw.headers["x-prompt-router-outcome"] == "rewritten"
    assert float(raw.headers["x-prompt-router-chars-after"]) < 0.6 * float(raw.headers["x-prompt-router-chars-before"])
    assert ("instructions" in body) == (instructions is not None)
    if isinstance(items, str):
        assert body["input"] == items
        return
    head, rest = body["input"][: -len(ITEMS)], body["input"][-len(ITEMS) :]
    assert rest == ITEMS
    assert [_form(item) for item in head] == [_form(item) for item in items[: -len(ITEMS)]]
    everything = json.dumps(body)
    for words in ("Sandboxed.", "No network.", "You are Coder. ", "Your goal: ship it."):
        assert (words in everything) == (words in json.dumps([instructions, items]))


def test_the_loop_of_an_agent(two_key_proxy: TwoKeyProxy) -> None:
    """Real items come back as they were given; a late module stands behind the message that first needed it."""
    two_key_proxy.upstream.script(
        ToolCall(name="load_table", arguments={"path": "in/orders.csv"}, id="call_1"), "Done."
    )
    items: list[Any] = [{"role": "user", "content": TASK}]
    tools: Any = RESPONSES_TOOLS
    with two_key_proxy.openai("alpha") as client:
        for ask in (None, None, COMMIT):
            if ask:
                items.append({"role": "user", "content": ask})
            answer = client.responses.create(model="gpt", instructions=PROMPT, input=items, tools=tools)
            for item in answer.output:
                items.append(item.model_dump(exclude_none=True))
                if item.type == "function_call":
                    items.append({"type": "function_call_output", "call_id": item.call_id, "output": "17"})
    bodies = [request.json for request in two_key_proxy.upstream.calls]
    assert len({body["instructions"] for body in bodies}) == 1
    for before, now in itertools.pairwise(bodies):
        assert json.dumps(now["input"][: len(before["input"])]) == json.dumps(before["input"])
    late = bodies[-1]["input"][-1]
    assert late["role"] == "system"
    assert module_text("tools/git") in late["content"]
    assert bodies[-1]["input"][-2] == {"role": "user", "content": COMMIT}


@STREAM
def test_a_history_at_the_provider_gets_every_module(two_key_proxy: TwoKeyProxy, stream: bool) -> None:
    """With `previous_response_id` nobody sees what the conversation needed before, so all of it is sent."""
    first = call(two_key_proxy, "alpha", input=TASK).parse()
    assert module_text("tools/git") not in sent(two_key_proxy)["instructions"]
    raw = call(two_key_proxy, "alpha", stream, input=COMMIT, previous_response_id=first.id)
    body = sent(two_key_proxy)
    assert body["previous_response_id"].startswith("resp_emulated")
    assert body["input"] == COMMIT
    fixed = [part for module in PROFILE.modules for part in module.parts if isinstance(part, str)]
    assert all(part.strip() in body["instructions"] for part in fixed)
    record = record_of(two_key_proxy.ledger_path, raw)
    assert record["is_fallback"]
    assert record["fallback_reason"] == "the history is at the provider"


def test_the_clients_cache_key_wins(two_key_proxy: TwoKeyProxy) -> None:
    """Codex, Copilot and pi send one of their own."""
    call(two_key_proxy, "alpha", prompt_cache_key="session-0815")
    assert sent(two_key_proxy)["prompt_cache_key"] == "session-0815"


@pytest.mark.skipif(IS_OLD_LITELLM, reason="this LiteLLM shows its callbacks no chat body behind Responses")
@STREAM
def test_claude_behind_responses_is_marked_like_chat(two_key_proxy: TwoKeyProxy, stream: bool) -> None:
    """LiteLLM makes a chat request of it; core and routed part are blocks of their own there, and so is the end."""
    raw = call(two_key_proxy, "alpha", stream, model="claude")
    body = sent(two_key_proxy)
    core, routed, varying = system_blocks(body)
    assert core["cache_control"] == routed["cache_control"] == MARK
    assert "cache_control" not in varying
    assert module_text("tools/data_processing") in routed["text"]
    assert "cache_control" in json.dumps(body["messages"][-1])
    assert marks(body) == 3
    record = record_of(two_key_proxy.ledger_path, raw)
    assert (record["breakpoints_added"], record["breakpoints_total"]) == (3, 3)
    call(two_key_proxy, "beta", stream, model="claude")
    off = sent(two_key_proxy)
    assert json.dumps(without_marks({**body, "system": None})) == json.dumps({**off, "system": None})


def test_one_record_for_each_request(two_key_proxy: TwoKeyProxy) -> None:
    """Plain, streamed, failed and off: sizes, modules, disjoint usage, exact cost; no text and no key."""
    two_key_proxy.upstream.usage = Usage(uncached_input_tokens=11, cache_read_tokens=500, output_tokens=5)
    answers = [call(two_key_proxy, "alpha"), call(two_key_proxy, "alpha", stream=True)]
    two_key_proxy.upstream.script(HttpError(status=400, message="no such thing"))
    with pytest.raises(openai.BadRequestError) as refused:
        call(two_key_proxy, "alpha")
    answers += [refused.value.response, call(two_key_proxy, "beta")]
    plain, streamed, failed, off = (record_of(two_key_proxy.ledger_path, answer) for answer in answers)
    for record in (plain, streamed):
        assert (record["endpoint"], record["status"], record["outcome"]) == ("aresponses", "success", "rewritten")
        assert (record["profile"], record["tool_count"], record["placement"]) == ("workbench", 3, "append")
        assert record["original_chars"] == len(PROMPT)
        assert record["prompt_tokens"] < record["original_tokens"]
        assert [record[f"{name}_tokens"] for name in ("uncached_input", "cache_read", "output")] == [11, 500, 5]
        # gpt-4.1: 2 / 0.5 / 8 USD per million tokens (LiteLLM's map, 1.106)
        assert Decimal(record["billed_usd"]) == Decimal("0.000312")
    assert (plain["stream"], streamed["stream"]) == (False, True)
    assert (failed["status"], failed["outcome"], failed["billed_usd"]) == ("failure", "rewritten", None)
    assert (off["outcome"], off["reason"], off["key_alias"]) == ("passthrough", "off", "beta")
    text = two_key_proxy.ledger_path.read_text(encoding="utf-8")
    assert "MARKER" not in text
    assert not any(secret in text for secret in two_key_proxy.keys.values())


def test_no_request_of_the_session_hit_a_fault_of_ours(two_key_proxy: TwoKeyProxy) -> None:
    """The proxy's log has no complaint from the router."""
    assert "prompt router:" not in two_key_proxy.proxy.log()

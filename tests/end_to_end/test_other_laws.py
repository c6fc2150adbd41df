"""The prefix law of Responses and Gemini bodies, on the wire of every provider that LiteLLM takes them to.

What is compared, and how, is said in tests/end_to_end/test_prefix_law.py.
"""

from __future__ import annotations

import itertools
import json
import random
from importlib.util import find_spec
from typing import Any

import httpx
import pytest

from tests.emulators.providers import KeyName, ProviderProxy, if_full
from tests.end_to_end.test_prefix_law import ASKS, VARYING, Wire, answer, conversation, read, user
from tests.end_to_end.workbench import GEMINI_TOOLS, PROMPT, RESPONSES_TOOLS, as_contents, as_items, marks, record_of

pytestmark = [
    pytest.mark.proxy,
    pytest.mark.skipif(
        find_spec("litellm.litellm_core_utils.prompt_templates.mid_conversation_system") is None,
        reason="this LiteLLM settles late system messages in another way",
    ),
]

CONVERSATIONS = 1
CLAUDE = ("claude", "claude-mid", "azure-claude", "bedrock", "bedrock-mid", "bedrock-invoke", "bedrock-invoke-mid")
RESPONSES = (
    *(*CLAUDE, "gpt", "gpt-new", "azure", "deepseek", "compatible", "xai", "mistral", "gemini", "chosen"),
    *("openrouter-claude", "openrouter-gpt"),
)
GEMINI = ("claude", "bedrock", "bedrock-invoke", "azure", "deepseek", "mistral", "gemini")
UNLOGGED = [("gemini", group) for group in CLAUDE if group.startswith("bedrock")]
"""LiteLLM 1.106 logs these without the request's metadata: no key, no spend, no record."""
DOORS = [
    pytest.param(door, group, id=f"{door}-{group}", marks=if_full(group))
    for door, groups in (("responses", RESPONSES), ("gemini", GEMINI))
    for group in groups
]


def asked(
    client: httpx.Client, door: str, group: str, messages: list[dict[str, Any]], *, is_stream: bool
) -> httpx.Response:
    if door == "responses":
        body: dict[str, Any] = {"model": group, "instructions": PROMPT, "tools": RESPONSES_TOOLS, "stream": is_stream}
        response = client.post("/v1/responses", json={**body, "input": as_items(messages)})
    else:
        verb = "streamGenerateContent?alt=sse" if is_stream else "generateContent"
        body = {"systemInstruction": {"parts": [{"text": PROMPT}]}, "tools": GEMINI_TOOLS}
        response = client.post(f"/v1beta/models/{group}:{verb}", json={**body, "contents": as_contents(messages)})
    assert response.status_code == httpx.codes.OK, response.text[:2_000]
    assert "Hello" in response.text
    assert response.headers["x-prompt-router-outcome"] == "rewritten"
    return response


def wires(proxy: ProviderProxy, door: str, group: str, key: KeyName, seed: str) -> list[Wire]:
    """The calls of one conversation as they reached the provider, some of them streamed. All are answered."""
    rng = random.Random(seed)
    found = []
    with proxy.client(key) as client:
        for messages in conversation(rng, is_interrupted=False):
            response = asked(client, door, group, messages, is_stream=rng.random() < 0.4)
            found.append(read(proxy.upstream.calls[-1].json, response.headers["x-prompt-router-modules"]))
    return found


@pytest.mark.parametrize(("door", "group"), DOORS)
def test_append(provider_proxy: ProviderProxy, door: str, group: str) -> None:
    """Whatever a conversation comes to need, nothing that was sent before changes."""
    arrived = 0
    for number in range(CONVERSATIONS):
        calls = wires(provider_proxy, door, group, "auto", f"door {number + 1}")
        for before, now in itertools.pairwise(calls):
            assert now.prefix.startswith(before.prefix)
            arrived += now.modules != before.modules
    assert arrived > 0


@pytest.mark.parametrize(("door", "group"), [("responses", "claude"), ("responses", "gpt"), ("gemini", "gemini")])
def test_grow(provider_proxy: ProviderProxy, door: str, group: str) -> None:
    """The conversation stays as it is; the system prompt changes only when a module arrives, and then at its end."""
    arrived = 0
    for number in range(CONVERSATIONS):
        calls = wires(provider_proxy, door, group, "grow", f"door {number + 1}")
        for before, now in itertools.pairwise(calls):
            assert now.tools == before.tools
            assert now.messages.startswith(before.messages)
            assert (now.system == before.system) == (now.modules == before.modules)
            assert now.stable.startswith(before.stable)
            arrived += now.modules != before.modules
    assert arrived > 0


@pytest.mark.parametrize(("door", "group"), DOORS)
def test_auto_appends(provider_proxy: ProviderProxy, door: str, group: str) -> None:
    """Whoever answers; and marks where they are kept, none where they would be a stranger's field."""
    messages = [user(ASKS[0]), answer("January 17."), user(ASKS[1])]
    with provider_proxy.client("auto") as client:
        response = asked(client, door, group, messages, is_stream=False)
    body = provider_proxy.upstream.calls[-1].json
    places = marks(body) + str(body).count("cachePoint")
    wanted = 3 if group in (*CLAUDE, "chosen") and (door, group) not in UNLOGGED else 0
    assert places == wanted
    if (door, group) in UNLOGGED:
        return
    record = record_of(provider_proxy.ledger_path, response)
    assert (record["placement"], record["late_modules"]) == ("append", ["tools/git"])
    assert record["breakpoints_total"] == record["breakpoints_added"] == wanted


@pytest.mark.parametrize("group", ["gpt", "claude-mid", "bedrock"])
def test_parallel_calls_stay_with_their_outputs(provider_proxy: ProviderProxy, group: str) -> None:
    """A module that a tool call brings stands behind the last output of the calls beside it."""
    call = {"type": "function_call", "arguments": "{}"}
    items = [
        {"role": "user", "content": ASKS[0]},
        {**call, "call_id": "a", "name": "run_command"},
        {**call, "call_id": "b", "name": "read_file"},
        {"type": "function_call_output", "call_id": "a", "output": "1"},
        {"type": "function_call_output", "call_id": "b", "output": "2"},
    ]
    body = {"model": group, "instructions": PROMPT, "tools": RESPONSES_TOOLS, "input": items}
    with provider_proxy.client("append") as client:
        response = client.post("/v1/responses", json=body)
    assert response.status_code == httpx.codes.OK, response.text
    record = record_of(provider_proxy.ledger_path, response)
    assert record["late_modules"]
    sent = provider_proxy.upstream.calls[-1].json
    if group == "gpt":
        assert sent["input"][:5] == items
        assert [item["role"] for item in sent["input"][5:]] == ["system", "system"]


def test_a_gemini_prompt_in_parts(provider_proxy: ProviderProxy) -> None:
    """Parts stay parts at Gemini; where LiteLLM hands on the first one alone, all of the prompt is in it."""
    half = PROMPT.index("\n# ", len(PROMPT) // 2)
    body = {
        "systemInstruction": {
            "role": "user",
            "parts": [{"text": PROMPT[:half]}, {"text": f"{PROMPT[half:]}Be brief."}],
        },
        "contents": as_contents([user(ASKS[0])]),
    }
    with provider_proxy.client("auto") as client:
        for group in ("gemini", "gpt"):
            response = client.post(f"/v1beta/models/{group}:generateContent", json=body)
            assert response.status_code == httpx.codes.OK, response.text
    own, bridged = (request.json for request in provider_proxy.upstream.calls)
    parts = own["systemInstruction"]["parts"]
    assert own["systemInstruction"]["role"] == "user"
    assert len(parts) > 1
    assert parts[-1]["text"].endswith("Be brief.")
    text = "".join(part["text"] for part in parts)
    assert bridged["messages"][0]["content"] == text
    assert "Be brief." in text
    assert VARYING.search(text)
    assert len(text) < 0.6 * len(PROMPT)


@pytest.mark.parametrize("is_stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("lowering", ["off", "shadow"])
def test_gemini_off_and_shadow_change_no_byte(provider_proxy: ProviderProxy, lowering: str, is_stream: bool) -> None:
    """What a key that is off sends, and what the header lowers to, are the same bytes; on, only the prompt differs."""
    verb = "streamGenerateContent?alt=sse" if is_stream else "generateContent"
    body = {
        "systemInstruction": {"parts": [{"text": PROMPT}]},
        "tools": GEMINI_TOOLS,
        "contents": as_contents([user(ASKS[0]), answer("January 17."), user("yes, go on")]),
        "generationConfig": {"temperature": 0.5},
    }
    for key, header in (("off", {}), ("auto", {"x-prompt-router": lowering}), ("auto", {})):
        with provider_proxy.client(key) as client:  # type: ignore[arg-type]
            response = client.post(f"/v1beta/models/gemini:{verb}", json=body, headers=header)
            assert response.status_code == httpx.codes.OK, response.text
    off, lowered, on = provider_proxy.upstream.calls
    assert lowered.body == off.body
    assert off.json["systemInstruction"]["parts"][0]["text"] == PROMPT
    assert len(on.json["systemInstruction"]["parts"][0]["text"]) < 0.6 * len(PROMPT)
    assert json.dumps({**on.json, "systemInstruction": 0}) == json.dumps({**off.json, "systemInstruction": 0})


def test_gemini_calls_leave_one_record_each(provider_proxy: ProviderProxy) -> None:
    """Whole and streamed, at Gemini and through chat; where LiteLLM logs no tokens, none are claimed."""
    messages = [user(ASKS[0])]
    with provider_proxy.client("auto") as client:
        for group in ("gemini", "claude", "gpt"):
            for is_stream in (False, True):
                response = asked(client, "gemini", group, messages, is_stream=is_stream)
                record = record_of(provider_proxy.ledger_path, response)
                endpoint = "agenerate_content_stream" if is_stream else "agenerate_content"
                assert (record["endpoint"], record["stream"], record["status"]) == (endpoint, is_stream, "success")
                assert record["tool_count"] == 3
                if (group, is_stream) == ("gpt", True):
                    assert (record["uncached_input_tokens"], record["billed_usd"]) == (None, None)
                    assert record["usage_reason"] == record["billed_reason"] == "the provider reported no usage"
                else:
                    assert record["uncached_input_tokens"] == 100
                    assert record["billed_usd"] is not None

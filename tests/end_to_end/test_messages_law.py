"""The prefix law and the marks of Anthropic's endpoint, on the wire of every provider that LiteLLM takes it to.

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

from tests.emulators.providers import KeyName, ProviderProxy, law_groups
from tests.end_to_end.test_prefix_law import ASKS, NOTED, Wire, answer, conversation, read, tool_step, user
from tests.end_to_end.workbench import MESSAGES_TOOLS, PROMPT, as_messages, marks, record_of

pytestmark = [
    pytest.mark.proxy,
    pytest.mark.skipif(
        find_spec("litellm.litellm_core_utils.prompt_templates.mid_conversation_system") is None,
        reason="this LiteLLM settles late system messages in another way",
    ),
]

CONVERSATIONS = 2
EVERYBODY = (
    *("claude", "claude-mid", "azure-claude", "bedrock", "bedrock-mid", "bedrock-invoke", "bedrock-invoke-mid"),
    *("gpt", "azure", "xai", "openrouter-claude", "openrouter-gpt", "gemini", "deepseek", "mistral", "chosen"),
)
AS_MESSAGES = ("gpt",)
"""Who gets late modules as system messages: OpenAI's own host, which is sent a Responses body."""
MARKED = (*EVERYBODY[:7], "chosen")


def wires(proxy: ProviderProxy, group: str, key: KeyName, seed: str) -> list[Wire]:
    """The calls of one conversation as they reached the provider, some of them streamed. All are answered."""
    rng = random.Random(seed)
    found = []
    with proxy.client(key) as client:
        for messages in conversation(rng, is_interrupted=False):
            response = asked(client, group, messages, is_stream=rng.random() < 0.4)
            found.append(read(proxy.upstream.calls[-1].json, response.headers["x-prompt-router-modules"]))
    return found


def asked(client: httpx.Client, group: str, messages: list[dict[str, Any]], *, is_stream: bool) -> httpx.Response:
    body = {
        "model": group,
        "max_tokens": 100,
        "system": PROMPT,
        "messages": as_messages(messages),
        "tools": MESSAGES_TOOLS,
        "stream": is_stream,
    }
    response = client.post("/v1/messages", json=body)
    assert response.status_code == httpx.codes.OK, response.text[:2_000]
    assert "Hello" in response.text
    assert response.headers["x-prompt-router-outcome"] == "rewritten"
    return response


@pytest.mark.parametrize("group", law_groups(EVERYBODY))
def test_append(provider_proxy: ProviderProxy, group: str) -> None:
    """Whatever a conversation comes to need, nothing that was sent before changes."""
    arrived = 0
    for number in range(CONVERSATIONS):
        calls = wires(provider_proxy, group, "auto", f"{group} {number}")
        for before, now in itertools.pairwise(calls):
            assert now.prefix.startswith(before.prefix)
            arrived += now.modules != before.modules
    assert arrived > 0


@pytest.mark.parametrize("group", ["claude", "gpt"])
def test_grow(provider_proxy: ProviderProxy, group: str) -> None:
    """The conversation stays as it is; the system prompt changes only when a module arrives, and then at its end."""
    arrived = 0
    for number in range(CONVERSATIONS):
        calls = wires(provider_proxy, group, "grow", f"{group} {number}")
        for before, now in itertools.pairwise(calls):
            assert now.tools == before.tools
            assert now.messages.startswith(before.messages)
            assert (now.system == before.system) == (now.modules == before.modules)
            assert now.stable.startswith(before.stable)
            arrived += now.modules != before.modules
    assert arrived > 0


@pytest.mark.parametrize("group", EVERYBODY)
def test_auto_appends(provider_proxy: ProviderProxy, group: str) -> None:
    """Whoever answers; and marks where they are kept, none where they would be a stranger's field."""
    messages = [user(ASKS[0]), answer("January 17."), user(ASKS[1])]
    with provider_proxy.client("auto") as client:
        response = asked(client, group, messages, is_stream=False)
    record = record_of(provider_proxy.ledger_path, response)
    assert (record["placement"], record["late_modules"]) == ("append", ["tools/git"])
    body = provider_proxy.upstream.calls[-1].json
    assert (NOTED in json.dumps(body)) == (group not in AS_MESSAGES)
    points = str(body).count("cachePoint")
    wanted = 3 if group in (*MARKED, "openrouter-claude") else 0
    assert marks(body) + points == record["breakpoints_total"] == record["breakpoints_added"] == wanted


REMINDER = {"role": "system", "content": "Be brief."}


@pytest.mark.parametrize("key", ["append", "grow"])
def test_a_clients_own_system_messages(provider_proxy: ProviderProxy, key: KeyName) -> None:
    """None of ours stands beside them, in a row or ahead of a user's: what is taken without us is taken with us."""
    talk = [user(ASKS[0]), answer("January 17."), user(ASKS[1]), REMINDER, answer("Done."), user(ASKS[3])]
    found = []
    for end in (1, 4, 6):
        roles = []
        for name in (key, "off"):
            with provider_proxy.client(name) as client:
                response = sent(client, "claude-mid", talk[:end])
            body = provider_proxy.upstream.calls[-1].json
            roles.append([message["role"] for message in body["messages"]])
            if name != "off":
                found.append(read(body, response.headers["x-prompt-router-modules"]))
        assert roles[0] == roles[1] == [message["role"] for message in talk[:end]]
    assert len({wire.modules for wire in found}) == 3
    for before, now in itertools.pairwise(found):
        assert now.messages.startswith(before.messages)
        assert key == "grow" or now.prefix.startswith(before.prefix)


@pytest.mark.parametrize("key", ["auto", "append", "grow"])
def test_thinking_that_is_bound_to_what_stands_ahead_of_it(provider_proxy: ProviderProxy, key: KeyName) -> None:
    """Whatever placement is asked for and whoever may answer instead, nothing ahead of a replayed block changes."""
    messages: list[dict[str, Any]] = []
    found = []
    with provider_proxy.client(key) as client:
        for ask in (ASKS[0], ASKS[1], ASKS[3]):
            messages.append(user(ask))
            thinking = {"type": "enabled", "budget_tokens": 1_024}
            response = sent(client, "fable", messages, max_tokens=2_000, thinking=thinking)
            content = response.json()["content"]
            assert content[0]["type"] == "thinking"
            messages.append({"role": "assistant", "content": content})
            found.append(read(provider_proxy.upstream.calls[-1].json, response.headers["x-prompt-router-modules"]))
    assert len(provider_proxy.upstream.calls) == 3
    assert len({wire.modules for wire in found}) == 3


def test_a_router_of_litellms_ahead_of_claude(provider_proxy: ProviderProxy) -> None:
    """Marked as when its group is asked directly."""
    bodies = []
    for group in ("chosen", "claude"):
        with provider_proxy.client("auto") as client:
            sent(client, group, [user(ASKS[0])])
        bodies.append({**provider_proxy.upstream.calls[-1].json, "max_tokens": 0})  # LiteLLM raises it for the first
    assert marks(bodies[0]) == 3
    assert bodies[0] == bodies[1]


def sent(client: httpx.Client, group: str, messages: list[dict[str, Any]], **more: Any) -> httpx.Response:
    body = {"model": group, "max_tokens": 100, "system": PROMPT, "messages": messages, "tools": MESSAGES_TOOLS}
    response = client.post("/v1/messages", json={**body, **more})
    assert response.status_code == httpx.codes.OK, response.text[:2_000]
    return response


def test_a_result_with_a_word_of_the_users_stays_behind_its_call(provider_proxy: ProviderProxy) -> None:
    """A late module never comes between a tool call and its result, though the user speaks in the same message."""
    step = as_messages(tool_step(random.Random(3), "1"))
    step[-1]["content"] = [*step[-1]["content"], {"type": "text", "text": ASKS[1]}]
    body = {
        "model": "claude-mid",
        "max_tokens": 100,
        "system": PROMPT,
        "messages": [user(ASKS[0]), *step],
        "tools": MESSAGES_TOOLS,
    }
    with provider_proxy.client("append") as client:
        response = client.post("/v1/messages", json=body)
    assert response.status_code == httpx.codes.OK, response.text
    assert [message["role"] for message in provider_proxy.upstream.calls[-1].json["messages"]] == [
        "user",
        "assistant",
        "user",
    ]

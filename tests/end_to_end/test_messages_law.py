"""The prefix law and the marks of Anthropic's endpoint, on the wire of every provider that LiteLLM takes it to.

What is compared, and how, is said in tests/end_to_end/test_prefix_law.py.
"""

from __future__ import annotations

import itertools
import random
from importlib.util import find_spec
from typing import Any

import httpx
import pytest

from tests.emulators.providers import KeyName, ProviderProxy, law_groups
from tests.end_to_end.test_prefix_law import ASKS, Wire, answer, conversation, read, tool_step, user
from tests.end_to_end.workbench import MESSAGES_TOOLS, PROMPT, as_messages, marks, record_of

pytestmark = [
    pytest.mark.proxy,
    pytest.mark.skipif(
        find_spec("litellm.litellm_core_utils.prompt_templates.mid_conversation_system") is None,
        reason="this LiteLLM settles late system messages in another way",
    ),
]

CONVERSATIONS = 2
AUTO = {
    "claude": "grow",  # Anthropic's own host gets a Messages body untouched, and Sonnet 4.5 refuses the role
    "claude-mid": "append",
    "azure-claude": "append",
    "bedrock": "append",
    "bedrock-mid": "append",
    "bedrock-invoke": "append",
    "bedrock-invoke-mid": "append",
    "azure": "append",
    "xai": "append",
    "openrouter-claude": "append",
    "openrouter-gpt": "append",
    "gemini": "append",  # an operator's note among the user's messages, unlike on the chat endpoint
    "deepseek": "grow",
    "mistral": "grow",
}
"""What ``auto`` chooses for each provider; why, see gateway/deployments/endpoint_capabilities.py."""
MARKED = ("claude", "claude-mid", "azure-claude", "bedrock", "bedrock-mid", "bedrock-invoke", "bedrock-invoke-mid")


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


@pytest.mark.parametrize("group", law_groups([group for group, placement in AUTO.items() if placement == "append"]))
def test_append(provider_proxy: ProviderProxy, group: str) -> None:
    """Whatever a conversation comes to need, nothing that was sent before changes."""
    arrived = 0
    for number in range(CONVERSATIONS):
        calls = wires(provider_proxy, group, "auto", f"{group} {number}")
        for before, now in itertools.pairwise(calls):
            assert now.prefix.startswith(before.prefix)
            arrived += now.modules != before.modules
    assert arrived > 0


@pytest.mark.parametrize("group", law_groups(AUTO))
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


@pytest.mark.parametrize(("group", "placement"), AUTO.items())
def test_auto_chooses(provider_proxy: ProviderProxy, group: str, placement: str) -> None:
    """Each provider's placement; and marks where they are kept, none where they would be a stranger's field."""
    messages = [user(ASKS[0]), answer("January 17."), user(ASKS[1])]
    with provider_proxy.client("auto") as client:
        response = asked(client, group, messages, is_stream=False)
    record = record_of(provider_proxy.ledger_path, response)
    assert (record["placement"], record["late_modules"]) == (placement, ["tools/git"])
    body = provider_proxy.upstream.calls[-1].json
    points = str(body).count("cachePoint")
    wanted = 3 if group in (*MARKED, "openrouter-claude") else 0
    assert marks(body) + points == record["breakpoints_total"] == record["breakpoints_added"] == wanted


@pytest.mark.parametrize("group", ["claude-mid", "bedrock-invoke-mid"])
def test_append_where_a_question_follows_a_question(provider_proxy: ProviderProxy, group: str) -> None:
    """Claude takes no system message ahead of a user's, so it waits behind the last of them."""
    messages = [user(ASKS[0]), answer("January 17."), user(ASKS[1]), user(ASKS[3])]
    with provider_proxy.client("append") as client:
        asked(client, group, messages, is_stream=False)
    roles = [message["role"] for message in provider_proxy.upstream.calls[-1].json["messages"]]
    assert roles[:4] == ["user", "assistant", "user", "user"]
    assert set(roles[4:]) == {"system"}


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
        "system",
    ]

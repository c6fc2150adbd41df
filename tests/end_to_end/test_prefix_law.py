"""The prefix law on the wire: what a provider reads of one call is, byte for byte, how the next call begins.

A provider reads tools, then the system prompt, then the conversation. Compared is their JSON as it arrived at the
upstream, its keys in their order, in one form of the three things that a provider doesn't see: white space between
tokens (LiteLLM streams with other white space than it sends whole calls with), a string for a single text block,
and cache marks, which move with the history's end and are no part of what is cached.

- ``append``, and so ``auto``: call n, up to the end of its last message, is how call n+1 begins. Always, for everybody.
- ``grow``: the same while the conversation needs no further module. Where one arrives, what holds is the tools, the
  system prompt up to the end of its routed part, and the conversation by itself.
"""

from __future__ import annotations

import itertools
import json
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from litellm_prompt_router.request.late_places import NOTE_INTRODUCTION
from tests.emulators.providers import KeyName, ProviderProxy, law_groups
from tests.end_to_end.workbench import PROMPT, TOOLS, record_of

pytestmark = pytest.mark.proxy

BEDROCK = ("bedrock", "bedrock-mid", "bedrock-invoke", "bedrock-invoke-mid")
CLAUDE = ("claude", "claude-mid", "azure-claude", *BEDROCK)
NOTED = json.dumps(NOTE_INTRODUCTION)[1:-1]
CONVERSATIONS = 4
VARYING = re.compile(r"Today's date is |<workspace_listing ")
"""How the workbench prompt's volatile slots begin: they come last."""
ASKS = (
    "Sum up in/orders.csv by month",
    "Now commit it on a new branch",
    "yes, go on",
    "Search the web for parental leave rules in Denmark, with sources.",
    "Plot it as a line chart, please 😀",
    "Translate notes/shop.md into French: « déjà vu »",
    'Fix the bug in cart.py, it prints "]}" and \\n, and run the tests.',
    "thanks!",
)

AS_MESSAGES = ("gpt", "gpt-new", "azure", "deepseek", "xai", "openrouter-gpt")
"""Who gets late modules as system messages; why, see gateway/deployments/late_forms.py."""
AS_NOTES = (*CLAUDE, "compatible", "mistral", "openrouter-claude", "gemini", "fable", "chosen")
"""Everybody else, and groups with such a fallback or behind a router of LiteLLM's."""
EVERYBODY = (*AS_MESSAGES, *AS_NOTES)
IN_TURNS = ("compatible", "mistral")
"""Providers that refuse a user's message behind a user's or behind a result, whoever sends it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Wire:
    """What a provider reads of one call, in its order."""

    tools: str
    system: str
    messages: str
    """Without the end of the last one: LiteLLM may join it with its follower."""
    stable: str
    """The system prompt's text up to what varies."""
    modules: str
    """As the response header tells them."""

    @property
    def prefix(self) -> str:
        return f"{self.tools}{self.system}{self.messages}"


def read(body: Any, modules: str) -> Wire:
    """One recorded body, Anthropic's, OpenAI's two, Gemini's or Bedrock Converse's."""
    if "contents" in body:
        system, messages = body.get("system_instruction") or body["systemInstruction"], body["contents"]
    elif "instructions" in body:
        system, messages = [{"type": "text", "text": body["instructions"]}], body["input"]
    elif "system" in body:
        system, messages = body["system"], body["messages"]
    else:
        system, *messages = body["messages"]
        assert system["role"] == "system"
    text = "".join(_texts(system))
    varying = VARYING.search(text)
    assert varying is not None
    return Wire(
        tools=_written(body.get("tools") or body["toolConfig"]),
        system=_written(system),
        messages=_written(messages).rstrip("]}"),
        stable=text[: varying.start()].rstrip(),
        modules=modules,
    )


def _written(value: Any) -> str:
    return json.dumps(_plain(value), ensure_ascii=False, separators=(",", ":"))


def _plain(value: Any) -> Any:
    """The same without marks, and with every content in blocks."""
    if isinstance(value, list):
        return [_plain(item) for item in value if not (isinstance(item, dict) and "cachePoint" in item)]
    if not isinstance(value, dict):
        return value
    plain = {key: _plain(item) for key, item in value.items() if key != "cache_control"}
    if isinstance(plain.get("content"), str):
        plain["content"] = [{"type": "text", "text": plain["content"]}]
    return plain


def _texts(value: Any) -> Iterator[str]:
    """All texts in a system prompt, whatever the provider's shape."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
    else:
        yield from _texts(value.get("content") or value.get("parts") or value.get("text") or [])


# Conversations


def conversation(rng: random.Random, *, is_interrupted: bool) -> Iterator[list[dict[str, Any]]]:
    """The messages of each call of a random conversation. An interrupted one has user messages without an answer."""
    messages: list[dict[str, Any]] = []
    for turn in range(rng.randint(2, 4)):
        ask = rng.choice(ASKS)
        parts = [{"type": "text", "text": "Please:"}, {"type": "text", "text": ask}]
        messages.append({"role": "user", "content": ask if rng.random() < 0.7 else parts})
        for step in range(rng.choice((0, 1, 2))):
            yield list(messages)
            messages += tool_step(rng, f"{turn}_{step}")
        yield list(messages)
        if is_interrupted and messages[-1]["role"] == "user" and rng.random() < 0.5:
            continue
        messages.append({"role": "assistant", "content": f"Done, number {turn}."})


def tool_step(rng: random.Random, name: str) -> list[dict[str, Any]]:
    """One to three calls, with or without a word, and their results."""
    tool = rng.choice(("load_table", "read_file", "run_command"))
    calls = [
        {"id": f"call_{name}_{n}", "type": "function", "function": {"name": tool, "arguments": json.dumps({"path": n})}}
        for n in map(str, range(rng.choice((1, 1, 2, 3))))
    ]
    results = [{"role": "tool", "tool_call_id": call["id"], "content": f"row {call['id']} ]}}"} for call in calls]
    said = rng.choice((None, "Let me look."))
    return [{"role": "assistant", "content": said, "tool_calls": calls}, *results]


def wires(proxy: ProviderProxy, group: str, key: KeyName, seed: str, *, is_interrupted: bool = False) -> list[Wire]:
    """The calls of one conversation as they reached the provider, some of them streamed. All are answered."""
    rng = random.Random(seed)
    found = []
    with proxy.client(key) as client:
        for messages in conversation(rng, is_interrupted=is_interrupted):
            answer = asked(client, group, messages, is_stream=rng.random() < 0.4)
            found.append(read(proxy.upstream.calls[-1].json, answer.headers["x-prompt-router-modules"]))
    return found


def asked(client: httpx.Client, group: str, messages: list[dict[str, Any]], *, is_stream: bool) -> httpx.Response:
    body = {"model": group, "messages": [{"role": "system", "content": PROMPT}, *messages], "tools": TOOLS}
    answer = client.post("/v1/chat/completions", json={**body, "stream": is_stream})
    assert answer.status_code == httpx.codes.OK, answer.text[:2_000]
    assert "Hello" in answer.text
    assert answer.headers["x-prompt-router-outcome"] == "rewritten"
    return answer


# The law


@pytest.mark.parametrize("group", law_groups(EVERYBODY))
def test_append(provider_proxy: ProviderProxy, group: str) -> None:
    """Whatever a conversation comes to need, nothing that was sent before changes."""
    arrived = 0
    for number in range(CONVERSATIONS):
        calls = wires(provider_proxy, group, "append", f"{group} {number}", is_interrupted=group not in IN_TURNS)
        for before, now in itertools.pairwise(calls):
            assert now.prefix.startswith(before.prefix)
            arrived += now.modules != before.modules
    assert arrived > 0


@pytest.mark.parametrize("group", ["claude", "claude-mid", "gpt", "gemini"])
def test_grow(provider_proxy: ProviderProxy, group: str) -> None:
    """The conversation stays as it is; the system prompt changes only when a module arrives, and then at its end."""
    arrived = 0
    for number in range(CONVERSATIONS):
        calls = wires(provider_proxy, group, "grow", f"{group} {number}", is_interrupted=True)
        for before, now in itertools.pairwise(calls):
            assert now.tools == before.tools
            assert now.messages.startswith(before.messages)
            assert (now.system == before.system) == (now.modules == before.modules)
            assert now.stable.startswith(before.stable)
            arrived += now.modules != before.modules
    assert arrived > 0


def user(text: str) -> dict[str, Any]:
    return {"role": "user", "content": text}


def answer(text: str) -> dict[str, Any]:
    return {"role": "assistant", "content": text}


@pytest.mark.parametrize("group", law_groups(group for group in EVERYBODY if group not in IN_TURNS))
def test_append_where_a_question_follows_a_question(provider_proxy: ProviderProxy, group: str) -> None:
    """What a late module stands in or behind may be followed by anything."""
    opening = [user(ASKS[0]), answer("January 17.")]
    asking = [*opening, user(ASKS[1])]
    asking_on = [*asking, user(ASKS[3])]
    answered = [*asking_on, answer("Done."), user("thanks!")]
    found = []
    with provider_proxy.client("append") as client:
        for messages in (opening[:1], asking, asking_on, answered):
            headers = asked(client, group, messages, is_stream=False).headers
            found.append(read(provider_proxy.upstream.calls[-1].json, headers["x-prompt-router-modules"]))
    assert len({wire.modules for wire in found}) >= 3
    for before, now in itertools.pairwise(found):
        assert now.prefix.startswith(before.prefix)


@pytest.mark.parametrize("group", ["claude-mid", "claude", "gpt", "gemini"])
@pytest.mark.parametrize("key", ["auto", "grow"])
def test_a_shortened_history(provider_proxy: ProviderProxy, group: str, key: KeyName) -> None:
    """A client that drops or sums up the oldest turns is answered, and gets the same bytes each time."""
    rng = random.Random(7)
    whole = [*itertools.chain.from_iterable([user(ask), *tool_step(rng, ask[:3]), answer("Done.")] for ask in ASKS)]
    starts = [number for number, message in enumerate(whole) if message["role"] == "user"]
    with provider_proxy.client(key) as client:
        for start in (starts[2], starts[5]):
            for messages in (whole[start:-1], [user("So far: the orders were summed up."), *whole[start + 1 : -1]]):
                provider_proxy.upstream.clear()
                for _ in range(2):
                    asked(client, group, messages, is_stream=False)
                one, other = provider_proxy.upstream.calls
                assert one.body == other.body


@pytest.mark.parametrize("group", EVERYBODY)
def test_auto_appends(provider_proxy: ProviderProxy, group: str) -> None:
    """A late module is in the conversation, in the form that the provider takes; what the user said is as it was."""
    with provider_proxy.client("auto") as client:
        answers = [asked(client, group, [user(ASKS[0])], is_stream=False)]
        before = read(provider_proxy.upstream.calls[-1].json, "")
        messages = [user(ASKS[0]), answer("January 17."), user(ASKS[1])]
        answers.append(asked(client, group, messages, is_stream=False))
        now = read(provider_proxy.upstream.calls[-1].json, "")
    record = record_of(provider_proxy.ledger_path, answers[-1])
    assert (record["placement"], record["late_modules"]) == ("append", ["tools/git"])
    assert now.prefix.startswith(before.prefix)
    assert json.dumps(ASKS[1])[:-1] in now.messages
    assert (NOTED in now.messages) == (group in AS_NOTES)

"""Late modules on the wire, call after call: with ``placement: auto`` each call begins as the one before it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any

import pytest

from tests.emulators.envelopes import Envelopes
from tests.emulators.two_keys import TwoKeyProxy, running_two_keys
from tests.emulators.upstream import Upstream
from tests.end_to_end.workbench import PROFILE, PROMPT, TOOLS, marks, record_of, system_text, without_marks

pytestmark = pytest.mark.proxy
# Older LiteLLM moves later system messages to the front, so `auto` extends the system prompt there instead.
needs_mid_system = pytest.mark.skipif(
    find_spec("litellm.litellm_core_utils.prompt_templates.mid_conversation_system") is None,
    reason="this LiteLLM hoists system messages out of Claude conversations",
)


def called(name: str, number: int) -> list[dict[str, Any]]:
    """A tool call and its result."""
    call = {"id": f"call_{number}", "type": "function", "function": {"name": name, "arguments": '{"path": "x"}'}}
    return [
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": f"call_{number}", "content": f"result {number}"},
    ]


CONVERSATION: list[dict[str, Any]] = [
    {"role": "user", "content": "Sum up in/orders.csv by month"},
    *called("load_table", 1),
    {"role": "assistant", "content": "January 17, February 4."},
    {"role": "user", "content": "Now commit it on a new branch"},
    *called("run_command", 2),
    {"role": "assistant", "content": "Done."},
    {"role": "user", "content": "thanks!"},
]
CALLS = (1, 3, 5, 7, 9)
"""How many messages each call of the conversation has."""


@pytest.fixture(scope="module")
def growing_proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TwoKeyProxy]:
    env = {"PROMPT_ROUTER_PLACEMENT": "grow"}
    with Upstream() as upstream, Envelopes() as envelopes:
        folder = tmp_path_factory.mktemp("placement")
        with running_two_keys(upstream, envelopes, folder, env=env) as proxy:
            yield proxy


def wires(proxy: TwoKeyProxy, model: str, stream: bool) -> tuple[list[Any], list[Any]]:
    """``(bodies, answers)`` of the conversation's calls, as they reached the provider."""
    proxy.clear()
    answers = []
    tools: Any = TOOLS
    with proxy.openai("alpha") as client:
        for count in CALLS:
            messages: Any = [{"role": "system", "content": PROMPT}, *CONVERSATION[:count]]
            answer = client.chat.completions.with_raw_response.create(
                model=model, messages=messages, tools=tools, stream=stream
            )
            if stream:
                for _ in answer.parse():
                    pass
            answers.append(answer)
    return [request.json for request in proxy.upstream.requests if request.method == "POST"], answers


def flat(body: Any) -> list[str]:
    """What the provider reads, block by block, in order."""
    blocks = list(body.get("system") or [])
    for message in body["messages"]:
        content = message.get("content") or message.get("tool_calls")
        parts = content if isinstance(content, list) else [content]
        blocks += [{"role": message["role"], "part": part} for part in parts]
    return [json.dumps(without_marks(block), sort_keys=True) for block in blocks]


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("model", [pytest.param("claude", marks=needs_mid_system), "gpt"])
def test_each_call_begins_as_the_one_before(two_key_proxy: TwoKeyProxy, model: str, stream: bool) -> None:
    """The provider's prefix is never touched: late modules stand behind the message that first needed them."""
    bodies, _ = wires(two_key_proxy, model, stream)
    assert len(bodies) == len(CALLS)
    before: list[str] = []
    for body in bodies:
        now = flat(body)
        assert now[: len(before)] == before
        before = now
    for name, since in (("tools/git", 2), ("tools/shell", 3)):
        needle = json.dumps(PROFILE.modules[PROFILE.order[name]].text.strip())[1:-1]
        assert [needle in json.dumps(body) for body in bodies] == [number >= since for number in range(len(CALLS))]
        assert needle not in json.dumps(bodies[-1].get("system") or bodies[-1]["messages"][0])


@needs_mid_system
def test_the_history_is_marked_at_its_moving_end(two_key_proxy: TwoKeyProxy) -> None:
    """Claude gets a mark on the last message, OpenAI a stable cache key."""
    bodies, answers = wires(two_key_proxy, "claude", stream=False)
    assert [marks(body) for body in bodies] == [3] * len(CALLS)
    assert ["cache_control" in json.dumps(body["messages"][-1]) for body in bodies] == [True] * len(CALLS)
    record = record_of(two_key_proxy.ledger_path, answers[-1])
    assert record["placement"] == "append"
    assert "tools/git" in record["late_modules"]
    keys = {body["prompt_cache_key"] for body in wires(two_key_proxy, "gpt", stream=False)[0]}
    assert len(keys) == 1


@pytest.mark.full
def test_grow_keeps_the_conversation_as_it_is(growing_proxy: TwoKeyProxy) -> None:
    """Late modules go to the stable end of the system prompt, and nowhere else."""
    tools: Any = TOOLS
    with growing_proxy.openai("alpha") as client:
        for count in CALLS:
            messages: Any = [{"role": "system", "content": PROMPT}, *CONVERSATION[:count]]
            client.chat.completions.create(model="gpt", messages=messages, tools=tools)
    bodies = [request.json for request in growing_proxy.upstream.requests if request.method == "POST"]
    for body, count in zip(bodies, CALLS, strict=True):
        assert len(body["messages"]) == count + 1
    first, last = system_text(bodies[0]), system_text(bodies[-1])
    stable = first[: first.index("Today's date is")].rstrip()
    assert last.startswith(stable)
    assert PROFILE.modules[PROFILE.order["tools/git"]].text.strip() in last[len(stable) :]

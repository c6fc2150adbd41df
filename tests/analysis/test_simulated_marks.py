"""The baseline's marks, and bodies and prices as LiteLLM has them."""

from __future__ import annotations

import copy
import json
from decimal import Decimal
from typing import Any

import pytest

from litellm_prompt_router.gateway.deployments.map_prices import prices_of_model
from litellm_prompt_router.gateway.deployments.translation import ClaudeWire
from litellm_prompt_router.request.wire.chat_marks import well_cached
from tests.cache_model.calls import words
from tests.emulators.refusals import refuse_anthropic
from tests.made_profiles import TAKES_MARKS

MARK = {"type": "ephemeral"}
HOUR = {"type": "ephemeral", "ttl": "1h"}
TOOL: dict[str, Any] = {"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}
MODEL = "claude-sonnet-4-5"


def text(content: str, mark: Any = None) -> dict[str, Any]:
    return {"type": "text", "text": content} | ({"cache_control": mark} if mark else {})


def body(system: Any = "You help.", last: Any = "Hi", **more: Any) -> dict[str, Any]:
    messages = [{"role": "system", "content": system}, {"role": "user", "content": last}]
    return {"model": "m", "messages": messages, **more}


def marked(chat: dict[str, Any]) -> list[str]:
    """Where the marks stand on Anthropic's wire, with ``1h`` behind long ones."""
    given = copy.deepcopy(chat)
    wire = ClaudeWire(MODEL).body(well_cached(chat, TAKES_MARKS))
    assert chat == given
    assert refuse_anthropic(wire, takes_mid_system=False) is None
    found = [("tools", n, tool) for n, tool in enumerate(wire.get("tools") or ())]
    found += [("system", n, block) for n, block in enumerate(wire.get("system") or ())]
    for number, message in enumerate(wire["messages"]):
        found += [(f"message {number}", n, block) for n, block in enumerate(message["content"])]
    return [
        f"{place}.{n}" + (" 1h" if block["cache_control"].get("ttl") == "1h" else "")
        for place, n, block in found
        if "cache_control" in block
    ]


@pytest.mark.parametrize(
    ("chat", "expected"),
    [
        pytest.param(body(), ["system.0", "message 0.0"], id="plain"),
        pytest.param(body(tools=[TOOL, TOOL]), ["tools.1", "system.0", "message 0.0"], id="tools"),
        pytest.param(body([text("a"), text("b")]), ["system.1", "message 0.0"], id="blocks"),
        pytest.param(body([text("a", MARK), text("b")]), ["system.0", "message 0.0"], id="client's system"),
        pytest.param(body(last=[text("Hi", HOUR)]), ["system.0 1h", "message 0.0 1h"], id="an hour behind ours"),
        pytest.param(
            body([text("a", HOUR)], tools=[TOOL]), ["system.0 1h", "message 0.0"], id="an hour covers the tools"
        ),
        pytest.param(
            body([text(c, MARK) for c in "abcd"], tools=[TOOL]),
            ["system.0", "system.1", "system.2", "system.3"],
            id="nothing left",
        ),
        pytest.param(
            body([text(c, MARK) for c in "abc"], tools=[TOOL]),
            ["system.0", "system.1", "system.2", "message 0.0"],
            id="one left",
        ),
    ],
)
def test_marks_of_the_baseline(chat: dict[str, Any], expected: list[str]) -> None:
    """Ours fill what the client leaves, never more than four, never 5 minutes ahead of an hour."""
    assert marked(chat) == expected


def test_a_long_step_gets_a_second_mark() -> None:
    """Where the lookback wouldn't reach the end of the call before, that place is marked too."""
    calls = [{"id": f"c{n}", "type": "function", "function": {"name": "look", "arguments": "{}"}} for n in range(21)]
    chat = body()
    chat["messages"].append({"role": "assistant", "content": None, "tool_calls": calls})
    chat["messages"] += [{"role": "tool", "tool_call_id": call["id"], "content": "x"} for call in calls]
    chat["tools"] = [TOOL]
    assert marked(chat) == ["tools.0", "system.0", "message 0.0", "message 2.20"]


@pytest.mark.parametrize("messages", [None, [{"role": "system", "content": 5}]])
def test_what_cannot_be_read_stays(messages: Any) -> None:
    chat = {"messages": messages}
    assert well_cached(chat, TAKES_MARKS) is chat


def test_wire_takes_what_a_proxy_takes() -> None:
    """Parameters that have nothing to do with the prompt don't stop it; the client's body stays as it was."""
    chat = body(words(10), temperature=0.5, stream=True, user="u", metadata={"a": 1}, max_tokens=5, seed=3, n=1)
    given = json.dumps(chat)
    wire = ClaudeWire(f"anthropic/{MODEL}").body(chat)
    assert (wire["model"], wire["system"][0]["text"], json.dumps(chat)) == (MODEL, words(10), given)


def test_prices_of_litellms_map() -> None:
    """Per million tokens, to the last digit; what the map lacks costs what uncached tokens do."""
    sonnet = prices_of_model(MODEL)
    assert sonnet is not None
    assert (
        sonnet.input_usd_per_mtok,
        sonnet.cache_read_usd_per_mtok,
        sonnet.cache_write_5m_usd_per_mtok,
        sonnet.cache_write_1h_usd_per_mtok,
        sonnet.output_usd_per_mtok,
    ) == tuple(map(Decimal, ("3", "0.3", "3.75", "6", "15")))
    gpt = prices_of_model("gpt-4.1")
    assert gpt is not None
    assert (gpt.input_usd_per_mtok, gpt.cache_read_usd_per_mtok, gpt.cache_write_5m_usd_per_mtok) == (
        Decimal(2),
        Decimal("0.5"),
        Decimal(2),
    )
    assert prices_of_model("nobody/knows-this") is None

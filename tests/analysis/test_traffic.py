"""Traffic files, and prices as users state them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest

from litellm_prompt_router.analysis.simulate import parse_prices, parse_traffic
from litellm_prompt_router.documents.errors import ConfigurationError
from litellm_prompt_router.files.traffic import read_traffic
from tests.analysis.recordings import as_lines, recorded
from tests.end_to_end.workbench import as_messages

GOOD = {"ts": 5, "key": "k", "conversation": "c", "request": {"messages": [{"role": "user", "content": "hi"}]}}


def test_calls_in_time_order() -> None:
    """Lines may come as calls finished; what else a line holds is ignored."""
    lines = [GOOD, {**GOOD, "ts": 1.5, "response": {"usage": {}}, "note": "later"}]
    calls = parse_traffic("\n".join(map(json.dumps, lines)) + "\n\n", "t")
    assert [(call.at_seconds, call.line) for call in calls] == [(1.5, 2), (5.0, 1)]
    assert calls[0].request == GOOD["request"]


def test_a_recording_comes_back_as_it_was() -> None:
    calls = recorded(3, 5, "claude")
    assert parse_traffic(as_lines(calls), "t") == calls


def test_every_bad_line_at_once() -> None:
    """Each problem with its line, and no content."""
    request = {"messages": [{"content": "secret"}, {"role": "user", "content": ["secret"]}], "tools": "secret"}
    lines = [
        json.dumps(GOOD),
        "{",
        "[]",
        json.dumps({"ts": -1, "conversation": "", "request": []}),
        "",
        json.dumps({**GOOD, "request": {"input": "secret"}}),
        json.dumps({**GOOD, "request": request}),
    ]
    with pytest.raises(ConfigurationError) as error:
        parse_traffic("\n".join(lines), "t")
    assert list(error.value.problems) == [
        "t: line 2: not valid JSON at column 2: Expecting property name enclosed in double quotes",
        "t: line 3: must be a JSON object",
        "t: line 4: ts: input should be greater than or equal to 0",
        "t: line 4: key: missing; add it",
        "t: line 4: conversation: string should have at least 1 character",
        "t: line 4: request: input should be a valid dictionary",
        "t: line 6: request.messages: must be a list of messages; only chat bodies can be replayed",
        "t: line 7: request.messages[0]: must be an object with a role",
        "t: line 7: request.messages[1].content: must hold objects only",
        "t: line 7: request.tools: must be a list of objects",
    ]


def test_an_empty_file() -> None:
    with pytest.raises(ConfigurationError) as error:
        parse_traffic("\n\n", "t")
    assert error.value.problems == ("t: holds no call; a call is a line of JSON",)


PROMPT = 'You are Cline.\n\n# Rules\n{"type": "object"}\n- Never guess.\n'
IS_PROMPT = "my prompt: no traffic file (JSON Lines); it looks like a prompt: `prompt-router onboard 'my prompt'`"


def test_a_prompt_is_no_traffic() -> None:
    """One line says what it looks like and what takes it, and not one for each of its lines."""
    with pytest.raises(ConfigurationError) as error:
        parse_traffic(PROMPT, "my prompt")
    assert error.value.problems == (IS_PROMPT,)
    problems: list[str] = []
    assert list(read_traffic(PROMPT.splitlines(keepends=True), "my prompt", problems)) == []
    assert problems == [IS_PROMPT]


def test_a_ledger_is_no_traffic() -> None:
    """One line says so and what takes it."""
    ledger = json.dumps({"request_id": "r", "finished_seconds": 1.0, "conversation": "c"}) + "\n"
    is_ledger = "t: a ledger, not captured traffic; `prompt-router tune` and `simulate` read ledgers"
    with pytest.raises(ConfigurationError) as error:
        parse_traffic(ledger * 3, "t")
    assert error.value.problems == (is_ledger,)
    problems: list[str] = []
    assert list(read_traffic((ledger * 3).splitlines(keepends=True), "t", problems)) == []
    assert problems == [is_ledger]


@pytest.mark.parametrize("text", ["torn\n" + json.dumps(GOOD), '{"ts": 1, "torn\nx'], ids=["a call", "a torn call"])
def test_damaged_traffic_stays_traffic(text: str) -> None:
    problems: list[str] = []
    list(read_traffic(text.splitlines(), "t", problems))
    assert problems[0].startswith("t: line 1: not valid JSON")
    with pytest.raises(ConfigurationError, match="t: line 1: not valid JSON"):
        parse_traffic(text, "t")


PRICES = {
    "input_usd_per_mtok": 3,
    "cache_read_usd_per_mtok": 0.3,
    "cache_write_5m_usd_per_mtok": 3.75,
    "cache_write_1h_usd_per_mtok": 6,
}


def test_stated_prices_are_exact() -> None:
    prices = parse_prices(json.dumps(PRICES), "p")
    assert prices.cache_read_usd_per_mtok == Decimal("0.3")
    assert prices.output_usd_per_mtok == 0


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        ("{", ["p: not valid JSON: Expecting property name enclosed in double quotes: line 1 column 2 (char 1)"]),
        ("3", ["p: must be a JSON object"]),
        (json.dumps({**PRICES, "input_usd_per_mtok": -1}), ["p: input_usd_per_mtok: must be a number of 0 or more"]),
        (json.dumps({**PRICES, "input_usd_per_mtok": "3"}), ["p: input_usd_per_mtok: must be a number of 0 or more"]),
        (
            json.dumps({name: price for name, price in PRICES.items() if "1h" not in name} | {"input": 3}),
            [
                "p: cache_write_1h_usd_per_mtok: missing; add it",
                "p: input: unknown field; known fields: input_usd_per_mtok, cache_read_usd_per_mtok, "
                "cache_write_5m_usd_per_mtok, cache_write_1h_usd_per_mtok, output_usd_per_mtok",
            ],
        ),
    ],
)
def test_bad_prices(text: str, problems: list[str]) -> None:
    with pytest.raises(ConfigurationError) as error:
        parse_prices(text, "p")
    assert list(error.value.problems) == problems


def test_other_endpoints_cannot_be_replayed() -> None:
    """What was captured of them is left to those who can read it."""
    line = json.dumps({"ts": 1, "key": "a", "conversation": "c", "endpoint": "aresponses", "request": {"input": "x"}})
    with pytest.raises(ConfigurationError) as error:
        parse_traffic(line, "t.jsonl")
    assert error.value.problems == (
        "t.jsonl: line 1: endpoint: only calls of acompletion and anthropic_messages can be replayed; "
        "leave the others out",
    )


def test_messages_calls_are_replayed_as_the_chat_calls_that_say_the_same() -> None:
    """Calls, results, tools and marks find their places; the endpoint is still known."""
    calls = recorded(3, 5, "claude")
    lines = [
        {
            "ts": call.at_seconds,
            "key": call.key,
            "conversation": call.conversation,
            "endpoint": "anthropic_messages",
            "request": as_messages_body(call.request),
        }
        for call in calls
    ]
    found = parse_traffic("\n".join(map(json.dumps, lines)), "t")
    assert [call.endpoint for call in found] == ["anthropic_messages"] * len(calls)
    for one, other in zip(found, calls, strict=True):
        assert plain(one.request["messages"]) == plain(other.request["messages"])
        assert one.request.get("tools") == other.request.get("tools")


def as_messages_body(chat: Mapping[str, Any]) -> dict[str, Any]:
    system, *rest = chat["messages"]
    tools = [
        {
            "name": tool["function"]["name"],
            "description": tool["function"]["description"],
            "input_schema": tool["function"]["parameters"],
            **{name: tool[name] for name in ("cache_control",) if name in tool},
        }
        for tool in chat["tools"]
    ]
    return {"model": chat["model"], "system": system["content"], "messages": as_messages(rest), "tools": tools}


def plain(messages: Any) -> Any:
    """With every content in one text, and calls' arguments parsed."""
    return [
        (
            message["role"],
            message["content"] if not isinstance(message["content"], list) else message["content"][0]["text"],
            [
                (c["id"], c["function"]["name"], json.loads(c["function"]["arguments"]))
                for c in message.get("tool_calls", ())
            ],
        )
        for message in messages
    ]


def test_a_block_that_has_no_place_in_a_chat_body_is_told() -> None:
    request = {"messages": [{"role": "user", "content": [{"type": "document", "source": {}}]}]}
    line = {"ts": 1, "key": "a", "conversation": "c", "endpoint": "anthropic_messages", "request": request}
    with pytest.raises(ConfigurationError) as error:
        parse_traffic(json.dumps(line), "t.jsonl")
    assert error.value.problems == (
        "t.jsonl: line 1: request: unsupported_block: can't be replayed; leave the call out",
    )

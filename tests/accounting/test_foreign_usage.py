"""Whose usage says nothing of the body sent: a table of what bodies offer, what answers hold and what usages count."""

from __future__ import annotations

from typing import Any

import pytest
from litellm.types.utils import PromptTokensDetailsWrapper, ServerToolUse, Usage

from litellm_prompt_router.accounting.foreign_usage import SERVER_TOOLS, SEVERAL_TURNS, foreign_usage, is_of_more_than

TOTALS = {"prompt_tokens": 100, "completion_tokens": 7}
SEARCH = {"type": "web_search_20250305", "name": "web_search"}
FUNCTION = {"type": "function", "function": {"name": "web_search"}}


def usage(**more: Any) -> Usage:
    return Usage(prompt_tokens=100, completion_tokens=7, total_tokens=107, **more)


OFFERED: list[Any] = [
    pytest.param({"tools": [FUNCTION]}, None, id="a client's own search"),
    pytest.param({"tools": [{"type": "custom", "name": "web_search"}]}, None, id="a custom tool"),
    pytest.param({"tools": [{"name": "web_search", "input_schema": {}}]}, None, id="a client's own search (messages)"),
    pytest.param({"tools": [{"type": "bash_20250124", "name": "bash"}]}, None, id="a tool that the client runs"),
    pytest.param({"tools": [{"type": "computer_use_preview"}]}, None, id="a computer"),
    pytest.param({"tools": [{"functionDeclarations": []}]}, None, id="Gemini's functions"),
    pytest.param({"tools": [SEARCH]}, SERVER_TOOLS, id="Anthropic's search"),
    pytest.param({"tools": [{"type": "web_fetch_20250910"}]}, SERVER_TOOLS, id="Anthropic's fetch"),
    pytest.param({"tools": [{"type": "code_execution_20250825"}]}, SERVER_TOOLS, id="Anthropic's code execution"),
    pytest.param({"tools": [{"type": "mcp_toolset"}]}, SERVER_TOOLS, id="MCP servers of the provider's"),
    pytest.param({"mcp_servers": [{"url": "x"}]}, SERVER_TOOLS, id="MCP servers"),
    pytest.param({"tools": [{"type": "web_search_preview"}]}, SERVER_TOOLS, id="OpenAI's search"),
    pytest.param({"tools": [{"type": "file_search"}]}, SERVER_TOOLS, id="OpenAI's files"),
    pytest.param({"tools": [{"type": "code_interpreter"}]}, SERVER_TOOLS, id="OpenAI's interpreter"),
    pytest.param({"web_search_options": {}}, SERVER_TOOLS, id="search options"),
    pytest.param({"search_parameters": {"mode": "auto"}}, SERVER_TOOLS, id="xAI's live search"),
    pytest.param({"tools": [{"googleSearch": {}}]}, SERVER_TOOLS, id="Gemini's search"),
    pytest.param({"tools": [{"url_context": {}}]}, SERVER_TOOLS, id="Gemini's pages"),
    pytest.param({"tools": "nonsense", "plugins": []}, None, id="nonsense"),
]


@pytest.mark.parametrize(("body", "reason"), OFFERED)
def test_what_a_body_offers(body: dict[str, Any], reason: str | None) -> None:
    """Where nobody says that nothing was used, in the client's body or in what LiteLLM made of it."""
    assert foreign_usage(usage(), (body, {}), None) == reason
    assert foreign_usage(usage(), ({}, body), None) == reason


@pytest.mark.parametrize(
    ("told", "reason"),
    [
        (usage(server_tool_use=ServerToolUse(web_search_requests=1)), SERVER_TOOLS),
        (usage(server_tool_use=ServerToolUse(tool_search_requests=2)), SERVER_TOOLS),
        (usage(prompt_tokens_details=PromptTokensDetailsWrapper(web_search_requests=1)), SERVER_TOOLS),
        ({**TOTALS, "server_tool_use": {"web_fetch_requests": 1}}, SERVER_TOOLS),
        ({"promptTokenCount": 9, "toolUsePromptTokenCount": 4}, SERVER_TOOLS),
        ({**TOTALS, "iterations": [{}, {}]}, SEVERAL_TURNS),
        ({**TOTALS, "iterations": [{}]}, None),
        (usage(server_tool_use=ServerToolUse(web_search_requests=0)), None),
        (None, None),
        (TOTALS, None),
    ],
)
def test_what_a_usage_counts(told: Any, reason: str | None) -> None:
    """Whatever the body says."""
    assert foreign_usage(told, ({},), None) == reason


def test_a_search_that_is_counted_and_was_not_made() -> None:
    """An explicit 0 says so of searches; of tools that no usage counts it says nothing."""
    told = usage(server_tool_use=ServerToolUse(web_search_requests=0))
    assert foreign_usage(told, ({"tools": [SEARCH]},), None) is None
    assert foreign_usage(told, ({"tools": [SEARCH, {"type": "code_execution_20250825"}]},), None) == SERVER_TOOLS


@pytest.mark.parametrize(
    ("items", "reason"),
    [
        (("reasoning", "message"), None),
        (("function_call", "custom_tool_call"), None),
        (("web_search_call", "message"), SERVER_TOOLS),
        (("mcp_list_tools", "message"), SERVER_TOOLS),
        ((), None),
    ],
)
def test_what_an_answer_holds(items: tuple[str, ...], reason: str | None) -> None:
    """A Responses answer shows which tools were used, whatever was offered."""
    assert foreign_usage(usage(), ({"tools": [{"type": "web_search"}]},), items) == reason


def test_an_input_far_beyond_the_body_is_of_more() -> None:
    """A prompt of 6,000 tokens isn't billed at 120,000; another provider's count of odd texts is borne."""
    assert is_of_more_than(6_000, 120_000)
    assert not is_of_more_than(6_000, 24_000)
    assert not is_of_more_than(10, 4_000)

"""Tool names of a request, in every endpoint's shape."""

from __future__ import annotations

from typing import Any

import pytest

from litellm_prompt_router.request.wire.declared_tools import known_tools, may_call_tools, tool_count, tool_names

BODIES: dict[str, tuple[dict[str, Any], tuple[str, ...]]] = {
    "chat": ({"tools": [{"type": "function", "function": {"name": "a"}}]}, ("a",)),
    "chat, old": ({"functions": [{"name": "a"}, {"name": "a"}]}, ("a",)),
    "messages": (
        {"tools": [{"name": "a", "input_schema": {}}, {"type": "bash_20250124", "name": "bash"}]},
        ("a", "bash"),
    ),
    "responses": ({"tools": [{"type": "function", "name": "a"}, {"type": "web_search"}]}, ("a",)),
    "responses, as an item": (
        {
            "input": [
                {"type": "additional_tools", "tools": [{"type": "namespace", "name": "n", "tools": [{"name": "b"}]}]}
            ]
        },
        ("n", "b"),
    ),
    "Gemini": ({"tools": [{"functionDeclarations": [{"name": "a"}, {"name": "b"}]}]}, ("a", "b")),
    "none": ({"messages": []}, ()),
    "not a list": ({"tools": "a", "input": "text"}, ()),
    "broken entries": ({"tools": [None, {"name": 3}, {"function": []}, {"name": ""}]}, ()),
}


@pytest.mark.parametrize(("body", "names"), BODIES.values(), ids=BODIES.keys())
def test_tool_names(body: dict[str, Any], names: tuple[str, ...]) -> None:
    assert tool_names(body) == names


KNOWN: dict[str, tuple[dict[str, Any], set[str] | None]] = {
    "chat": ({"tools": [{"type": "function", "function": {"name": "a"}}]}, {"a"}),
    "chat, custom": ({"tools": [{"type": "custom", "custom": {"name": "a"}}]}, {"a"}),
    "chat, old": ({"functions": [{"name": "a"}]}, {"a"}),
    "messages": ({"tools": [{"name": "a"}, {"type": "bash_20250124", "name": "bash"}]}, {"a", "bash"}),
    "messages with servers": ({"tools": [{"name": "a"}], "mcp_servers": [{"name": "s"}]}, None),
    "messages with a server's tools": ({"tools": [{"name": "a"}, {"type": "mcp_toolset"}]}, None),
    "messages that search for tools": ({"tools": [{"type": "tool_search_tool_regex_20251119", "name": "t"}]}, None),
    "no server": ({"tools": [{"name": "a"}], "mcp_servers": []}, {"a"}),
    "responses": (
        {"tools": [{"type": "function", "name": "a"}, {"type": "web_search_preview"}]},
        {"a", "web", "web_search", "web_search_preview"},
    ),
    "responses with a server": ({"tools": [{"type": "function", "name": "a"}, {"type": "mcp"}]}, None),
    "responses, as an item": (
        {
            "input": [
                {"type": "additional_tools", "tools": [{"type": "namespace", "name": "n", "tools": [{"name": "b"}]}]}
            ]
        },
        {"n", "b"},
    ),
    "responses, a server in an item": ({"input": [{"type": "additional_tools", "tools": [{"type": "mcp"}]}]}, None),
    "Gemini": (
        {"tools": [{"functionDeclarations": [{"name": "a"}]}, {"function_declarations": [{"name": "b"}]}]},
        {"a", "b"},
    ),
    "Gemini's own": ({"tools": [{"functionDeclarations": [{"name": "a"}]}, {"googleSearch": {}}]}, None),
    "Gemini's own beside functions": ({"tools": [{"functionDeclarations": [{"name": "a"}], "mcpServers": [{}]}]}, None),
    "none": ({"messages": []}, set()),
    "not a list": ({"tools": "a"}, None),
    "broken entries": ({"tools": [{"name": "a"}, None]}, None),
    "a name that is none": ({"tools": [{"name": "a"}, {"name": 3}]}, None),
    "thinking changes nothing": ({"tools": [{"name": "a"}], "thinking": {"type": "adaptive"}}, {"a"}),
    "nor does effort": ({"functions": [{"name": "a"}], "reasoning_effort": "low"}, {"a"}),
    "a search that the provider adds": ({"tools": [{"name": "a"}], "web_search_options": {}}, None),
    "tools past LiteLLM": ({"tools": [{"name": "a"}], "extra_body": {"tools": [{"name": "b"}]}}, None),
    "servers past LiteLLM": ({"tools": [{"name": "a"}], "extra_body": {"mcp_servers": [{}]}}, None),
    "others past LiteLLM": ({"tools": [{"name": "a"}], "extra_body": {"top_k": 1}}, {"a"}),
    "Gemini's configuration": ({"tools": [{"name": "a"}], "config": {"tools": [{}]}}, None),
    "responses, behind system messages": (
        {"input": [{"role": "developer", "content": "x"}, {"type": "additional_tools", "tools": [{"name": "b"}]}]},
        {"b"},
    ),
    "responses, later": (
        {"tools": [{"name": "a"}], "input": [{"role": "user"}, {"type": "additional_tools", "tools": [{"name": "b"}]}]},
        {"a"},
    ),
    "responses, a server later": (
        {
            "tools": [{"name": "a"}],
            "input": [{"role": "user"}, {"type": "additional_tools", "tools": [{"type": "mcp"}]}],
        },
        {"a"},
    ),
}


@pytest.mark.parametrize(("body", "names"), KNOWN.values(), ids=KNOWN.keys())
def test_all_that_can_be_called(body: dict[str, Any], names: set[str] | None) -> None:
    """From the start; None where a tool may be there that nobody named."""
    assert known_tools(body) == names


@pytest.mark.parametrize(
    "body",
    [
        *[body for body, _ in BODIES.values()],
        *[body for body, _ in KNOWN.values()],
        {"tools": []},
        {"tools": [{"functionDeclarations": []}]},
        {"tools": [{"functionDeclarations": []}, {"name": "a"}]},
        {"tools": [{"functionDeclarations": []}, None]},
        {"tools": [], "functions": [{"name": "a"}]},
        {"tools": [{"type": "function", "function": {"name": ""}}]},
    ],
)
def test_tools_may_be_called_unless_it_is_known_that_there_are_none(body: dict[str, Any]) -> None:
    assert may_call_tools(body) == (known_tools(body) != frozenset())


@pytest.mark.parametrize(
    "body",
    [
        *[body for body, _ in BODIES.values()],
        *[body for body, _ in KNOWN.values()],
        {"tools": [{"name": "a"}, {"name": "a"}], "functions": [{"name": "b"}]},
        {"tools": [None, {"tools": [{"name": "a"}, {"name": "b"}, {"name": "c"}]}]},
        {"tools": "abc"},
    ],
)
def test_tools_are_counted_as_entries_or_as_names(body: dict[str, Any]) -> None:
    tools = body.get("tools")
    assert tool_count(body) == max(len(tools) if isinstance(tools, list) else 0, len(tool_names(body)))


class _Tool(dict[str, Any]):
    """Counts how often it is looked at."""

    looks = 0

    def get(self, *field: Any) -> Any:
        type(self).looks += 1
        return super().get(*field)


def test_whether_tools_may_be_called_is_told_by_the_first() -> None:
    _Tool.looks = 0
    tools = [_Tool(type="function", function={"name": f"t{number}"}) for number in range(47)]
    assert may_call_tools({"tools": tools})
    assert _Tool.looks < 10

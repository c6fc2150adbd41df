"""Tool names of a request, in every endpoint's shape."""

from __future__ import annotations

from typing import Any

import pytest

from litellm_prompt_router.request.wire.declared_tools import tool_names

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

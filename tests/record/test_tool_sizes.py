"""The size of declared tools is remembered by what they say, and is what it would be anew."""

from __future__ import annotations

import json
from typing import Any

import pytest

from litellm_prompt_router.request.wire.declared_tools import MAX_SIZES, ToolSizes, tools_chars, written_tools

TOOL: dict[str, Any] = {"type": "function", "function": {"name": "lies", "description": "Liest \u00e4 \U0001f600"}}
BODIES: dict[str, dict[str, Any]] = {
    "none": {},
    "empty": {"tools": []},
    "no list": {"tools": "all"},
    "one": {"tools": [TOOL]},
    "functions beside them": {"tools": [TOOL], "functions": [{"name": "other"}]},
    "declared later": {"tools": [TOOL], "input": [{"type": "additional_tools", "tools": [TOOL]}]},
    "a number beyond JSON's": {"tools": [{"n": 2**70}]},
    "what nobody can write": {"tools": [object()]},
}


@pytest.mark.parametrize("name", BODIES)
def test_sizes_are_those_of_the_body(name: str) -> None:
    sizes, body = ToolSizes(), BODIES[name]
    for _ in range(2):
        assert sizes.chars(body, written_tools(body)) == tools_chars(body)


def test_equal_tools_are_measured_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each request brings its own objects."""
    sizes, measured = ToolSizes(), []

    def measuring(data: Any) -> int | None:
        measured.append(data)
        return tools_chars(data)

    monkeypatch.setattr("litellm_prompt_router.request.wire.declared_tools.tools_chars", measuring)
    for _ in range(3):
        body = json.loads(json.dumps({"tools": [TOOL, TOOL]}))
        assert sizes.chars(body, written_tools(body))
    assert len(measured) == 1


def test_no_more_are_remembered_than_its_bound() -> None:
    sizes = ToolSizes()
    for number in range(MAX_SIZES + 5):
        body = {"tools": [{"name": str(number)}]}
        assert sizes.chars(body, written_tools(body)) == tools_chars(body)
    assert len(sizes) == MAX_SIZES

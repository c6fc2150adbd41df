"""Marks on declared tools, as they are found one by one."""

from __future__ import annotations

from itertools import product
from typing import Any

from litellm_prompt_router.request.types import Mark
from litellm_prompt_router.request.wire.marks import mark_of, marks_of_tools

MARKS: tuple[dict[str, Any], ...] = (
    {},
    {"cache_control": {"type": "ephemeral"}},
    {"cache_control": {}},
    {"cache_control": None},
    {"cache_control": "x"},
    {"prompt_cache_breakpoint": {"mode": "explicit"}},
    {"prompt_cache_breakpoint": {}},
)


def plain_marks(tools: Any, *, in_functions: bool) -> list[Mark]:
    """The same, asked of each tool."""
    found: list[Mark | None] = []
    for tool in tools if isinstance(tools, list) else ():
        if isinstance(tool, dict):
            found.append((mark_of(tool) or mark_of(tool.get("function"))) if in_functions else mark_of(tool))
    return [mark for mark in found if mark is not None]


def test_marks_of_tools() -> None:
    """On the tool, and where the endpoint has them there, on its function."""
    functions: list[Any] = [{"name": "f", **own} for own in MARKS]
    tools: list[Any] = [
        *[
            {"type": "function", **own, "function": function}
            for own, function in product(MARKS, (*functions, None, "x"))
        ],
        *[{"name": "f", **own} for own in MARKS],
        None,
        "cache_control",
    ]
    for given in (tools, [], None, "tools"):
        for in_functions in (True, False):
            wanted = plain_marks(given, in_functions=in_functions)
            assert list(marks_of_tools(given, in_functions=in_functions)) == wanted

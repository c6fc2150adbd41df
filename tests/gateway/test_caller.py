"""Who asks, as LiteLLM's dicts say it."""

from __future__ import annotations

from typing import Any

import pytest

from litellm_prompt_router.gateway.caller import header_of
from litellm_prompt_router.gateway.metadata_bag import bag_of


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ({"metadata": {"a": 1}}, {"a": 1}),
        ({"litellm_metadata": {"b": 1}, "metadata": {"a": 1}}, {"b": 1}),
        ({"litellm_metadata": None, "metadata": {"a": 1}}, {"a": 1}),
        ({"metadata": "x"}, None),
        ({}, None),
    ],
    ids=["chat", "both", "null", "nonsense", "none"],
)
def test_bag(data: dict[str, Any], expected: dict[str, Any] | None) -> None:
    assert bag_of(data) == expected


@pytest.mark.parametrize(
    ("received", "expected"),
    [
        ({"headers": {"x-prompt-router": "off"}}, "off"),
        ({"headers": {"x-prompt-router": 1}}, None),
        ({"headers": {}}, None),
        ({"headers": None}, None),
        ({}, None),
        (None, None),
        ("x", None),
    ],
    ids=["there", "no text", "not there", "no headers", "empty", "null", "nonsense"],
)
def test_header(received: Any, expected: str | None) -> None:
    assert header_of({"proxy_server_request": received}, "x-prompt-router") == expected

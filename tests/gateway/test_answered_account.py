"""Calls of one account share its caches, however LiteLLM words the address that it sent them to."""

from __future__ import annotations

from typing import Any

import pytest

from litellm_prompt_router.gateway.events import answered_attempt

BEDROCK = "https://bedrock-runtime.us-east-1.amazonaws.com/model/anthropic.claude-opus-4-8"


def scope(api_base: str | None, api_key: str = "k") -> int:
    params: dict[str, Any] = {"api_base": api_base, "api_key": api_key}
    return answered_attempt({"custom_llm_provider": "p", "litellm_params": params}, None).scope


@pytest.mark.parametrize(
    ("whole", "streamed"),
    [
        pytest.param(f"{BEDROCK}/converse", f"{BEDROCK}/converse-stream", id="bedrock"),
        pytest.param("https://api.moonshot.ai/v1/", "https://api.moonshot.ai/v1", id="moonshot"),
    ],
)
def test_streamed_or_whole_is_one_account(whole: str, streamed: str) -> None:
    assert scope(whole) == scope(streamed)


def test_other_hosts_and_keys_are_others() -> None:
    scopes = {
        scope("https://a.openai.azure.com/"),
        scope("https://b.openai.azure.com/"),
        scope(None),
        scope("", "other"),
    }
    assert len(scopes) == 4

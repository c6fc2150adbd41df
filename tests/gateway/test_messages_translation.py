"""What LiteLLM's own code makes of a rewritten Messages body for each provider: late modules' place, and marks.

LiteLLM sends it to a provider on loopback; nothing of it is replaced but Google's access token, which it would fetch.
"""

from __future__ import annotations

import contextlib
import copy
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import litellm
import pytest

from litellm_prompt_router.gateway.deployments.capabilities import target_of_model
from litellm_prompt_router.request.pipeline import Pipeline
from tests.emulators.upstream import Upstream
from tests.end_to_end.workbench import as_messages
from tests.gateway.test_provider_translation import AWS, CALLS, MAST, MESSAGES, RAIN, VERTEX, Fate, texts
from tests.made_profiles import count_words

handler = pytest.importorskip("litellm.llms.anthropic.pass_through.messages.handler")

ENDPOINT = "anthropic_messages"
TOOL = {"name": "log", "description": "Reads.", "input_schema": {"type": "object", "properties": {}}}
AZURE = {"api_version": "2024-10-21"}


class Row(NamedTuple):
    model: str
    extra: Mapping[str, str]
    fate: Fate
    """As which role a late module reaches the provider in its place."""
    marks: int = 0
    breakpoints: int = 0


ROWS = (
    # First-party: untouched.
    Row("anthropic/claude-opus-4-8", {}, "user", 3),
    Row("anthropic/claude-sonnet-5-5", {}, "user", 3),
    Row("anthropic/claude-sonnet-5", {}, "user", 3),
    Row("anthropic/claude-sonnet-4-5", {}, "user", 3),
    Row("vertex_ai/claude-opus-4-8", VERTEX, "user", 3),
    Row("vertex_ai/claude-sonnet-5", VERTEX, "user", 3),
    Row("vertex_ai/claude-sonnet-4-5", VERTEX, "user", 3),
    Row("azure_ai/claude-opus-4-8", {}, "user", 3),
    Row("azure_ai/claude-sonnet-4-5", {}, "user", 3),
    Row("bedrock/invoke/us.anthropic.claude-opus-4-8", AWS, "user", 3),
    Row("bedrock/invoke/us.anthropic.claude-sonnet-4-5-20250929-v1:0", AWS, "user", 3),
    # As a chat body.
    Row("bedrock/converse/us.anthropic.claude-opus-4-8", AWS, "user", 3),
    Row("bedrock/converse/us.anthropic.claude-sonnet-4-5-20250929-v1:0", AWS, "user", 3),
    Row("databricks/databricks-claude-opus-4-8", {}, "user", 3),
    Row("databricks/databricks-claude-sonnet-5", {}, "user", 3),
    Row("databricks/databricks-claude-sonnet-4-5", {}, "user", 3),
    Row("openrouter/anthropic/claude-sonnet-4.5", {}, "user", 3),
    Row("openrouter/openai/gpt-4.1", {}, "user"),
    Row("azure/gpt-4.1", AZURE, "user"),
    Row("xai/grok-4", {}, "user"),
    Row("gemini/gemini-2.5-pro", {}, "user"),
    Row("vertex_ai/gemini-2.5-pro", VERTEX, "user"),
    Row("mistral/mistral-large-latest", {}, "user"),
    Row("azure/some-deployment", AZURE, "user"),
    # As a Responses body: an input item in its place.
    Row("openai/gpt-4.1", {}, "system"),
    Row("openai/gpt-5.6", {}, "system", 0, 2),
    Row("openai/qwen3-32b", {}, "user"),
    # Its own Messages API, of which nothing is known.
    Row("deepseek/deepseek-chat", {}, "user"),
)
INTERNAL = {"cache_control_injection_points", "litellm_metadata", "prompt_router"}
by_model = pytest.mark.parametrize("row", ROWS, ids=[row.model for row in ROWS])


@pytest.fixture(autouse=True)
def _no_google(monkeypatch: pytest.MonkeyPatch) -> None:
    async def token(*_: object, **__: object) -> tuple[str, str]:
        return "token", "p"

    base = "litellm.llms.vertex_ai.vertex_llm_base.VertexBase"
    monkeypatch.setattr(f"{base}._ensure_access_token", lambda *_, **__: ("token", "p"))
    monkeypatch.setattr(f"{base}._ensure_access_token_async", token)
    for name in ("OPENAI_API_BASE", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)


async def wire(upstream: Upstream, row: Row, count: int) -> Any:
    """What the provider gets of the conversation's first ``count`` chat messages."""
    target = replace(target_of_model(row.model, ENDPOINT), min_cache_tokens=0)
    pipeline = Pipeline([MAST], count_words, coverage_floor=0.0, adds_marks=True)
    messages = as_messages(MESSAGES[1:count])
    body = {"max_tokens": 9, "system": MAST.text, "messages": messages, "tools": [TOOL]}
    walked = pipeline.walk(body, ENDPOINT, lambda: target)
    request = copy.deepcopy(dict(walked.body))
    upstream.clear()
    # A route that the emulated provider doesn't have is recorded all the same.
    with contextlib.suppress(litellm.exceptions.BadRequestError, litellm.exceptions.NotFoundError):
        await handler.anthropic_messages(
            model=row.model, api_base=upstream.url, api_key="emulated", max_retries=0, **request, **row.extra
        )
    assert upstream.calls, "LiteLLM sent nothing"
    return upstream.calls[-1].json


@by_model
async def test_where_a_late_module_ends_up(upstream: Upstream, row: Row) -> None:
    """In its place, as whom: behind the question that it is for, ahead of the answer."""
    found = texts(await wire(upstream, row, 6))
    place = next(number for number, (_, text) in enumerate(found) if RAIN.strip() in text)
    question = next(number for number, (_, text) in enumerate(found) if text.startswith("And the rain?"))
    call = next(number for number, (_, text) in enumerate(found) if '"log"' in text)
    assert question <= place < call
    assert found[place][0] == row.fate


@by_model
async def test_auto_keeps_the_prefix(upstream: Upstream, row: Row) -> None:
    """Each call's wire begins as the one before it."""
    before: list[tuple[str, str]] = []
    for count in CALLS:
        now = texts(await wire(upstream, row, count))
        assert now[: len(before)] == before
        before = now
    assert {"How is the wind?", "Calm."} <= {text for _, text in before}


@by_model
async def test_marks_where_they_are_taken_and_nowhere_else(upstream: Upstream, row: Row) -> None:
    """Never a ``cache_control`` on a wire whose provider knows none; a cache key for OpenAI alone."""
    text = json.dumps(await wire(upstream, row, 6))
    assert text.count('"cache_control"') + text.count('"cachePoint"') == row.marks
    assert text.count('"prompt_cache_breakpoint"') == row.breakpoints
    is_openai = row.model in ("openai/gpt-4.1", "openai/gpt-5.6", "azure/gpt-4.1")
    assert ('"prompt_cache_key"' in text) == is_openai
    assert INTERNAL.isdisjoint(json.loads(text))

"""What LiteLLM's own code makes of a rewritten conversation for each provider: late modules' place, and marks.

LiteLLM builds the whole HTTP body and stops ahead of the connection (``return_raw_request``); nothing of it is
replaced but Google's access token, which it would fetch.
"""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Literal, NamedTuple

import pytest

from litellm_prompt_router.gateway.deployments.capabilities import target_of_model
from litellm_prompt_router.request.pipeline import Pipeline
from tests.made_profiles import count_words, module, profile

pytest.importorskip("litellm.litellm_core_utils.prompt_templates.mid_conversation_system")

CORE = "# Weather mast\n\nYou read the instruments of a weather mast on a hill.\n\n"
WIND = "## Wind\n\nUse `wind_log` and give the mean of the last ten minutes in knots.\n\n"
RAIN = "## Rain\n\nUse `rain_log` and say when the gauge was emptied the last time.\n"
MAST = profile(
    module("core", CORE, always=True),
    module("wind", WIND, triggers=["wind"], optional=True),
    module("rain", RAIN, triggers=["rain"], optional=True),
    name="mast",
)
CALL = {"id": "call_1", "type": "function", "function": {"name": "log", "arguments": "{}"}}
MESSAGES: list[dict[str, Any]] = [
    {"role": "system", "content": MAST.text},
    {"role": "user", "content": "How is the wind?"},
    {"role": "assistant", "content": "Calm."},
    {"role": "user", "content": "And the rain?"},
    {"role": "assistant", "content": None, "tool_calls": [CALL]},
    {"role": "tool", "tool_call_id": "call_1", "content": "dry"},
]
CALLS = (2, 4, 6)
"""How many messages each call of the conversation has."""
TOOL = {"type": "function", "function": {"name": "log", "description": "Reads.", "parameters": {"type": "object"}}}
AWS = {"aws_access_key_id": "x", "aws_secret_access_key": "x", "aws_region_name": "us-east-1"}
VERTEX = {"vertex_project": "p", "vertex_location": "us-east5"}
AZURE = {"api_base": "https://mast.openai.azure.com", "api_version": "2024-10-21"}
FOUNDRY = {"api_base": "https://mast.services.ai.azure.com/anthropic"}
DATABRICKS = {"api_base": "https://mast.databricks.com/serving-endpoints"}
ELSEWHERE = {"api_base": "https://mast.example/v1"}

Fate = Literal["system", "user"]
"""As which role a late module reaches the provider in its place: as a message of its own, or as a note."""


class Row(NamedTuple):
    model: str
    extra: Mapping[str, str]
    fate: Fate
    marks: int = 0
    """cache_control marks or cache points on the wire of the last call, the history's end included."""
    breakpoints: int = 0


ROWS = (
    # Claude takes the role only in places that the client's next message may take from it.
    Row("anthropic/claude-opus-4-8", {}, "user", 3),
    Row("anthropic/claude-sonnet-5-5", {}, "user", 3),
    Row("vertex_ai/claude-opus-4-8", VERTEX, "user", 3),
    Row("azure_ai/claude-opus-4-8", FOUNDRY, "user", 3),
    Row("bedrock/invoke/us.anthropic.claude-opus-4-8", AWS, "user", 3),
    Row("databricks/databricks-claude-opus-4-8", DATABRICKS, "user", 3),
    # LiteLLM says that Sonnet 5 takes it, Anthropic says that it doesn't.
    Row("anthropic/claude-sonnet-5", {}, "user", 3),
    Row("vertex_ai/claude-sonnet-5", VERTEX, "user", 3),
    Row("bedrock/converse/us.anthropic.claude-sonnet-5", AWS, "user", 3),
    Row("anthropic/claude-sonnet-4-5", {}, "user", 3),
    Row("vertex_ai/claude-sonnet-4-5", VERTEX, "user", 3),
    Row("azure_ai/claude-sonnet-4-5", FOUNDRY, "user", 3),
    Row("bedrock/invoke/us.anthropic.claude-sonnet-4-5-20250929-v1:0", AWS, "user", 3),
    Row("bedrock/converse/us.anthropic.claude-sonnet-4-5-20250929-v1:0", AWS, "user", 3),
    Row("bedrock/us.anthropic.claude-opus-4-8", AWS, "user", 3),
    Row("databricks/databricks-claude-sonnet-4-5", DATABRICKS, "user", 3),
    # OpenAI takes it anywhere; explicit breakpoints from GPT-5.6 on, at its own host (OPENAI in rules.py). LiteLLM
    # sends GPT-5.4 and later through Responses when there are tools.
    Row("openai/gpt-4.1", {}, "system"),
    Row("openai/gpt-5.5", {}, "system"),
    Row("openai/gpt-5.6", {}, "system", 0, 2),
    Row("openai/gpt-6-sol", {}, "system", 0, 2),
    Row("openai/o3", {}, "user"),
    Row("azure/gpt-4.1", AZURE, "system"),
    Row("azure/gpt-5.6", AZURE, "system"),
    # docs.x.ai: roles "in any sequence"; DeepSeek documents no order (api-docs.deepseek.com).
    Row("xai/grok-4", {}, "system"),
    Row("deepseek/deepseek-chat", {}, "system"),
    # Mistral answers 400 unless a user or tool message is last; Groq's and other hosts' templates may refuse it.
    Row("mistral/mistral-large-latest", {}, "user"),
    Row("groq/llama-3.3-70b-versatile", {}, "user"),
    Row("openai/qwen3-32b", ELSEWHERE, "user"),
    Row("openai/openai/gpt-oss-120b", ELSEWHERE, "user"),
    # OpenRouter hands on to hosts of its choice, and to OpenAI as it came.
    Row("openrouter/anthropic/claude-sonnet-4.5", {}, "user", 3),
    Row("openrouter/openai/gpt-4.1", {}, "system"),
    Row("openrouter/google/gemini-2.5-pro", {}, "user"),
    # LiteLLM 1.106 would move the role to the front. A mark would make it create an explicit cache first.
    Row("gemini/gemini-2.5-pro", {}, "user"),
    Row("vertex_ai/gemini-2.5-pro", VERTEX, "user"),
)
JOINED = ("mistral/",)
"""Whose texts LiteLLM joins."""
by_model = pytest.mark.parametrize("row", ROWS, ids=[row.model for row in ROWS])


@pytest.fixture(autouse=True)
def _no_google(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "litellm.llms.vertex_ai.vertex_llm_base.VertexBase._ensure_access_token", lambda *_, **__: ("token", "p")
    )
    for name in ("OPENAI_API_BASE", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)


def wire(row: Row, count: int) -> Any:
    """What LiteLLM would send of the conversation's first ``count`` messages."""
    from litellm.types.utils import CallTypes
    from litellm.utils import return_raw_request

    target = replace(target_of_model(row.model), min_cache_tokens=0)
    pipeline = Pipeline([MAST], count_words, coverage_floor=0.0, adds_marks=True)
    body = {"model": row.model, "messages": MESSAGES[:count], "tools": [TOOL]}
    walked = pipeline.walk(body, "acompletion", lambda: target)
    request = {**json.loads(json.dumps(walked.body)), **row.extra, "drop_params": True, "max_retries": 0, "timeout": 1}
    with contextlib.redirect_stdout(io.StringIO()):
        raw = return_raw_request(CallTypes.completion, request)
    assert raw.get("raw_request_body"), raw
    return json.loads(json.dumps(raw["raw_request_body"]))


def texts(body: Any) -> list[tuple[str, str]]:
    """``(role, text)`` of all that the model reads, in its order, in whichever shape."""
    return [(role, part) for role, content in _contents(body) for part in _parts(content)]


def _contents(body: Any) -> Iterator[tuple[str, Any]]:
    yield "system", body.get("system")
    yield "system", body.get("instructions")
    yield "system", (body.get("system_instruction") or {}).get("parts")
    for item in body.get("messages") or body.get("contents") or body.get("input"):
        role = str(item.get("role"))
        yield role, item.get("content") or item.get("parts")
        yield role, item.get("tool_calls") or ([item] if item.get("type", "").startswith("function_call") else None)


def _parts(content: Any) -> Iterator[str]:
    if isinstance(content, str):
        yield content
        return
    for part in content or ():
        text = part.get("text")
        if text is not None:
            yield text
        elif "cachePoint" not in part:
            yield json.dumps({key: value for key, value in part.items() if key != "cache_control"}, sort_keys=True)


@by_model
def test_where_a_late_module_ends_up(row: Row) -> None:
    """Behind the question that it is for, ahead of the answer; in a block of its own where blocks aren't joined."""
    found = texts(wire(row, 6))
    place = next(number for number, (_, text) in enumerate(found) if RAIN.strip() in text)
    question = next(number for number, (_, text) in enumerate(found) if text.startswith("And the rain?"))
    assert found[place][0] == row.fate
    assert place == question + (not row.model.startswith(JOINED))


@by_model
def test_auto_keeps_the_prefix(row: Row) -> None:
    """Each call's wire begins as the one before it."""
    before: list[tuple[str, str]] = []
    for count in CALLS:
        now = texts(wire(row, count))
        assert now[: len(before)] == before
        before = now
    said = [text for _, text in before]
    assert {"How is the wind?", "Calm."} <= set(said)
    assert any(text == "And the rain?" or text.startswith("And the rain?\n\n[Note") for text in said)


@by_model
def test_marks_where_they_are_taken_and_nowhere_else(row: Row) -> None:
    """Never a ``cache_control`` on a wire whose provider knows none, nor for Gemini; never more than four."""
    text = json.dumps(wire(row, 6))
    assert text.count('"cache_control"') + text.count('"cachePoint"') == row.marks
    assert text.count('"prompt_cache_breakpoint"') == row.breakpoints
    assert ('"prompt_cache_key"' in text) == row.model.startswith(("openai/gpt-4", "openai/gpt-5", "openai/gpt-6")) or (
        row.model in ("openai/o3", "azure/gpt-4.1", "azure/gpt-5.6")
    )

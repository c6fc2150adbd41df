"""Marks for Qwen's explicit cache: on blocks of messages alone, as LiteLLM sends them to Alibaba's Model Studio."""

from __future__ import annotations

import contextlib
import io
import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import litellm
import pytest

from litellm_prompt_router.gateway.deployments.capabilities import target_of_model
from litellm_prompt_router.gateway.deployments.groups import Deployments
from litellm_prompt_router.request.pipeline import Pipeline
from litellm_prompt_router.request.types import MESSAGES
from litellm_prompt_router.request.wire.marking import apply_instructions
from litellm_prompt_router.request.wire.marks import INJECTION_POINTS
from tests.made_profiles import count_words, module, profile

CORE = "# Weather mast\n\nYou read the instruments of a weather mast on a hill.\n\n"
MAST = profile(
    module("core", CORE, always=True),
    module("wind", "## Wind\n\nUse `wind_log` and give the mean in knots.\n\n", triggers=["wind"], optional=True),
    module("rain", "## Rain\n\nUse `rain_log` and name the last emptying.\n", triggers=["rain"], optional=True),
    name="mast",
)
CALL = {"id": "call_1", "type": "function", "function": {"name": "log", "arguments": "{}"}}
TOOL = {"type": "function", "function": {"name": "log", "description": "Reads.", "parameters": {"type": "object"}}}
CONVERSATION: list[dict[str, Any]] = [
    {"role": "system", "content": MAST.text},
    {"role": "user", "content": "How is the wind?"},
    {"role": "assistant", "content": None, "tool_calls": [CALL]},
    {"role": "tool", "tool_call_id": "call_1", "content": "calm"},
]
QWEN = "dashscope/qwen3.7-max"


def wire(model: str, *, system: str = MAST.text) -> Any:
    """What LiteLLM would send, its whole body built and nothing connected to."""
    from litellm.types.utils import CallTypes
    from litellm.utils import return_raw_request

    target = replace(target_of_model(model), min_cache_tokens=0)
    messages = [{"role": "system", "content": system}, *CONVERSATION[1:]]
    pipeline = Pipeline([MAST], count_words, coverage_floor=0.0, adds_marks=True)
    walked = pipeline.walk({"model": model, "messages": messages, "tools": [TOOL]}, "acompletion", lambda: target)
    request = {**json.loads(json.dumps(walked.body)), "drop_params": True, "max_retries": 0, "timeout": 1}
    with contextlib.redirect_stdout(io.StringIO()):
        raw = return_raw_request(CallTypes.completion, request)
    assert raw.get("raw_request_body"), raw
    return json.loads(json.dumps(raw["raw_request_body"]))


def marked(body: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """``(role, the last words)`` of each marked block."""
    for message in body["messages"]:
        content = message.get("content")
        for block in content if isinstance(content, list) else ():
            if "cache_control" in block:
                assert block["cache_control"] == {"type": "ephemeral"}
                yield message["role"], block["text"].split()[-1]


def test_marks_stand_on_blocks_of_messages() -> None:
    """The core's end, the prompt's end and the history's end; LiteLLM's points would mark beside the string."""
    body = wire(QWEN)
    assert list(marked(body)) == [("system", "hill."), ("system", "knots."), ("tool", "calm")]
    assert json.dumps(body).count("cache_control") == 3
    assert "cache_control" not in json.dumps(body["tools"])


def test_what_others_said_stays_as_it_is() -> None:
    said = [message["content"] for message in wire(QWEN)["messages"] if message["role"] in ("user", "tool")]
    assert said == ["How is the wind?", [{"type": "text", "text": "calm", "cache_control": {"type": "ephemeral"}}]]


@pytest.mark.parametrize(
    "model",
    [
        pytest.param("dashscope/qwen3-max", id="LiteLLM bills writes like any token"),
        pytest.param("dashscope/qwen-turbo", id="no explicit cache"),
        pytest.param("openrouter/qwen/qwen3-max", id="LiteLLM strips marks"),
    ],
)
def test_others_get_none(model: str) -> None:
    assert not target_of_model(model).takes_marks
    assert "cache_control" not in json.dumps(wire(model))


def test_not_where_litellm_makes_a_chat_body_of_another() -> None:
    assert target_of_model(QWEN).marks_blocks
    assert not target_of_model(QWEN, MESSAGES).takes_marks


def test_in_a_group_with_claude_each_is_marked_its_own_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """The body that they share has no marks; Claude's are placed by LiteLLM, Qwen's stand on blocks."""
    params = [{"model": QWEN, "api_key": "x"}, {"model": "anthropic/claude-sonnet-4-5", "api_key": "x"}]
    models = [{"model_name": "g", "litellm_params": each, "model_info": {"id": each["model"]}} for each in params]
    monkeypatch.setitem(
        sys.modules, "litellm.proxy.proxy_server", SimpleNamespace(llm_router=litellm.Router(model_list=models))
    )
    common = Deployments().target("g", None, None)
    common = replace(
        common,
        min_cache_tokens=0,
        each=tuple((own_id, replace(target, min_cache_tokens=0)) for own_id, target in common.each),
    )
    pipeline = Pipeline([MAST], count_words, coverage_floor=0.0, adds_marks=True)
    body = {"model": "g", "messages": CONVERSATION, "tools": [TOOL]}
    walked = pipeline.walk(body, "acompletion", lambda: common)
    assert "cache_control" not in json.dumps(walked.body)
    assert walked.marking is not None
    found = {}
    for own_id, number in walked.marking.plan_of.items():
        changed = apply_instructions(walked.marking.plans[number].instructions, walked.body)
        assert changed is not None
        found[own_id] = {**walked.body, **changed}
    assert list(marked(found[QWEN])) == [("system", "hill."), ("system", "knots."), ("tool", "calm")]
    assert not found[QWEN].get(INJECTION_POINTS)
    claude = found["anthropic/claude-sonnet-4-5"]
    assert list(marked(claude)) == [("system", "hill."), ("system", "knots.")]
    assert [point["index"] for point in claude[INJECTION_POINTS]] == [-1]


def test_a_marked_prompt_has_the_explicit_caches_lifetime() -> None:
    assert (target_of_model(QWEN).cache_lifetime_seconds, target_of_model(QWEN).min_cache_tokens) == (300, 1_024)
    assert target_of_model("dashscope/qwen3-max").cache_lifetime_seconds is None

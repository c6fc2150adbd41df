"""Requests that are off, through LiteLLM's own dispatch: one record, or none; what is observed of them all the same."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import litellm
import pytest
from hypothesis import given
from hypothesis import strategies as st

from litellm_prompt_router.gateway import metadata_bag, proxy_server
from litellm_prompt_router.gateway.plugin import PromptRouter
from litellm_prompt_router.gateway.recognised_prompts import NEVER, RecognisedPrompts, begins_of
from litellm_prompt_router.policy.active import active_configuration
from litellm_prompt_router.policy.settings import load_settings
from litellm_prompt_router.request.pipeline import Pipeline
from tests.emulators.line_files import whole_lines
from tests.gateway.left_facts import facts_left_in
from tests.gateway.test_hook_dispatch import COUNT, PROFILES, body, dispatch, key

Make = Callable[..., PromptRouter]
OFF = key(mode="off")
USAGE = litellm.Usage(prompt_tokens=17_000, completion_tokens=9)


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Make]:
    made: list[PromptRouter] = []

    def hook_with(environ: dict[str, str] | None = None, **more: Any) -> PromptRouter:
        ledger = {"path": str(tmp_path / "ledger.jsonl"), **more.pop("ledger", {})}
        settings = load_settings({"ledger": ledger, **more}, environ or {})
        hook = PromptRouter(active_configuration(settings, Pipeline(PROFILES, COUNT, coverage_floor=0.6)))
        monkeypatch.setattr(litellm, "callbacks", [hook])
        made.append(hook)
        return hook

    yield hook_with
    for hook in made:
        hook.close()


async def answer(hook: PromptRouter, out: dict[str, Any]) -> dict[str, Any]:
    """The bag behind the hooks that LiteLLM calls when the answer is there."""
    response = litellm.ModelResponse(model="m", usage=USAGE)
    bag: dict[str, Any] = out["metadata"]
    kwargs = {
        "litellm_params": {"metadata": bag},
        "model": "claude-sonnet-4-5",
        "custom_llm_provider": "anthropic",
        "response_cost": 0.051135,
    }
    await hook.async_logging_hook(kwargs, response, "acompletion")
    await hook.async_log_success_event(kwargs, response, None, None)
    return bag


def lines(tmp_path: Path, hook: PromptRouter) -> list[dict[str, Any]]:
    assert hook._dispatcher.flush(30)
    path = tmp_path / "ledger.jsonl"
    return [json.loads(line) for line in whole_lines(path)] if path.exists() else []


async def test_a_key_that_is_off_has_one_record_and_nothing_is_kept(make: Make, tmp_path: Path) -> None:
    """Bill, price and a net of 0; its body is neither kept nor read, and no thread is asked."""
    hook = make()
    out = await dispatch(body(), OFF)
    assert len(hook._completer._kept) == 0
    assert metadata_bag.left_in(out["metadata"]) is not None
    bag = await answer(hook, out)
    (line,) = lines(tmp_path, hook)
    assert (line["outcome"], line["reason"], line["key_alias"]) == ("passthrough", "off", "alpha")
    assert line["billed_usd"] == line["priced_usd"] == line["counterfactual_usd"] == "0.051135"
    assert (line["estimated_net_saved_usd"], line["estimated_net_saved_method"]) == ("0", "nothing was changed")
    assert line["history_state"] is line["conversation"] is line["history_chars"] is None
    summary = bag["spend_logs_metadata"]["prompt_router"]
    assert {name: line[name] for name in summary} == summary
    assert not hook._completer._thread.is_started


@pytest.mark.parametrize("how", ["settings", "environment"])
async def test_the_record_can_be_left_out(make: Make, tmp_path: Path, how: str) -> None:
    """Nothing is left with LiteLLM then, and no header is sent; requests that aren't off keep their records."""
    is_stated = how == "settings"
    hook = make(ledger={"off_keys": False}) if is_stated else make({"PROMPT_ROUTER_LEDGER_OFF_KEYS": "false"})
    data = body()
    data["metadata"] = {"tags": ["t"], "prompt_router": {"seal": "x"}}
    out = await dispatch(data, OFF)
    assert out["metadata"] == {"tags": ["t"]}
    assert await hook.async_post_call_response_headers_hook(out, OFF, None) is None
    assert await answer(hook, out) == {"tags": ["t"]}
    await hook.async_post_call_failure_hook(out, RuntimeError("no"), OFF)
    assert hook._in_force().to_dict()["off_unrecorded"] == 1
    assert lines(tmp_path, hook) == []
    await answer(hook, await dispatch(body()))
    assert [line["outcome"] for line in lines(tmp_path, hook)] == ["rewritten"]


async def test_what_shares_a_recognised_prompt_is_observed_without_a_record_too(make: Make, tmp_path: Path) -> None:
    """It warms the provider's cache for the full prompt, which others' counterfactuals go by."""
    hook = make(ledger={"off_keys": False})
    await answer(hook, await dispatch(body()))
    out = await dispatch(body("Another message"), OFF)
    assert len(hook._completer._kept) == 1
    assert await hook.async_post_call_response_headers_hook(out, OFF, None) is None
    await answer(hook, out)
    assert len(hook._completer._kept) == 0
    assert [line["outcome"] for line in lines(tmp_path, hook)] == ["rewritten"]
    assert hook._in_force().off_unrecorded == 0


async def test_what_begins_as_a_profile_is_observed_where_replicas_share(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other key's calls may all come to another replica, which learns of this one's through Redis alone."""
    hook = make()
    monkeypatch.setattr(proxy_server, "redis", lambda: object())
    await dispatch(body(), OFF)
    assert len(hook._completer._kept) == 1
    hook._handler.publish(active_configuration(load_settings({}, {}), Pipeline([], COUNT, coverage_floor=0.6)))
    await dispatch(body(), OFF)
    assert len(hook._completer._kept) == 1


async def test_captured_keys_are_captured_when_they_are_off(make: Make, tmp_path: Path) -> None:
    """With no record wanted as well: a profile is learnt of such traffic."""
    capture = {"path": str(tmp_path / "traffic.jsonl"), "keys": ["alpha"]}
    hook = make(ledger={"off_keys": False}, capture=capture)
    await answer(hook, await dispatch(body(), OFF))
    assert lines(tmp_path, hook) == []
    assert len((tmp_path / "traffic.jsonl").read_text().splitlines()) == 1


async def test_headers_may_be_asked_for_behind_the_record(make: Make) -> None:
    """LiteLLM logs an answer beside sending it."""
    hook = make()
    out = await dispatch(body())
    await answer(hook, out)
    headers = await hook.async_post_call_response_headers_hook(out, key(), None)
    assert headers is not None
    assert facts_left_in(out["metadata"]).is_rewritten


# Which prompts begin alike

PROMPT = "You are a clerk. " * 40
TOOL = {"type": "function", "function": {"name": "look_up"}}
SHAPES: list[tuple[str, dict[str, Any]]] = [
    ("chat", {"messages": [{"role": "system", "content": PROMPT}, {"role": "user", "content": "hi"}]}),
    ("blocks", {"messages": [{"role": "developer", "content": [{"type": "text", "text": PROMPT}]}]}),
    ("behind a line", {"messages": [{"role": "system", "content": "x"}, {"role": "system", "content": PROMPT}]}),
    ("messages", {"system": PROMPT, "messages": [{"role": "user", "content": "hi"}]}),
    ("messages in blocks", {"system": [{"type": "text", "text": "id 7"}, {"type": "text", "text": PROMPT}]}),
    ("responses", {"instructions": PROMPT, "input": "hi"}),
    ("responses items", {"input": [{"role": "system", "content": [{"type": "input_text", "text": PROMPT}]}]}),
    ("gemini", {"systemInstruction": {"parts": [{"text": PROMPT}]}, "contents": [{"parts": [{"text": "hi"}]}]}),
    ("gemini as text", {"system_instruction": PROMPT}),
]


@pytest.mark.parametrize("first", [body for _, body in SHAPES], ids=[name for name, _ in SHAPES])
@pytest.mark.parametrize("then", [body for _, body in SHAPES], ids=[name for name, _ in SHAPES])
def test_one_prompt_is_one_at_every_endpoint(first: dict[str, Any], then: dict[str, Any]) -> None:
    """Providers cache text: where LiteLLM took it from makes no difference."""
    prompts = RecognisedPrompts()
    assert prompts.add(first) == NEVER
    assert prompts.is_to_be_observed(then, 1.0)


@pytest.mark.parametrize(
    "other",
    [
        {"messages": [{"role": "system", "content": "Another. " + PROMPT}]},
        {"messages": [{"role": "user", "content": "hi"}]},
        {"system": [{"type": "image"}], "messages": [{"role": "user", "content": None}]},
        {"messages": None},
        {"messages": [None]},
        {"tools": [7], "input": 7, "contents": {"parts": 1}},
        {},
    ],
    ids=repr,
)
def test_others_are_told_when_they_are_recognised_later(other: dict[str, Any]) -> None:
    prompts = RecognisedPrompts()
    prompts.add(SHAPES[0][1])
    assert not prompts.is_to_be_observed(other, 1.0)
    assert not prompts.is_to_be_observed(other, 2.0)
    has_any = bool([*begins_of(other)])
    assert prompts.add(other) == prompts.add(other) == (2.0 if has_any else NEVER)
    assert prompts.add(SHAPES[0][1]) == NEVER
    assert prompts.is_to_be_observed(other, 3.0) == has_any


def test_what_had_to_be_forgotten_may_have_begun_as_anything_that_is_new() -> None:
    prompts = RecognisedPrompts(max_known=4)
    prompts.add({"system": "known"})
    for number in range(6):
        prompts.is_to_be_observed({"system": f"unknown {number}"}, float(number))
    assert prompts.add({"system": "new"}) == 1.0
    assert prompts.add({"system": "known"}) == NEVER
    assert prompts.add({"system": "unknown 4"}) == 4.0


async def test_only_what_begins_so_is_told_of_calls_that_passed_unobserved(make: Make) -> None:
    """With a name in each user's prompt all figures would be unavailable with every new user."""
    hook = make()
    out = await dispatch(body(), OFF)
    passed = facts_left_in(out["metadata"]).caller.started_seconds
    theirs = body()
    theirs["messages"][0]["content"] = "You are called Kim.\n\n" + theirs["messages"][0]["content"]
    for data in (body(), theirs, body()):
        await dispatch(data)
    kept = [packed.unobserved_until for packed in hook._completer._kept._kept.values()]
    assert kept == [passed, NEVER, passed]


def test_the_same_tools_are_enough() -> None:
    """They stand ahead of the prompt in a provider's cache."""
    prompts = RecognisedPrompts()
    prompts.add({"tools": [TOOL], "system": "mine"})
    assert prompts.is_to_be_observed({"tools": [TOOL], "system": "yours"}, 1.0)
    assert not prompts.is_to_be_observed({"tools": [TOOL, TOOL], "system": "yours"}, 1.0)


@given(texts=st.lists(st.text(min_size=1, max_size=3), max_size=60))
def test_what_is_remembered_is_bounded(texts: list[str]) -> None:
    prompts = RecognisedPrompts(max_known=8)
    for number, text in enumerate(texts):
        prompts.is_to_be_observed({"system": text}, float(number))
        if number % 3:
            prompts.add({"system": text})
    assert len(prompts) <= 16


def test_a_long_prompt_is_looked_at_no_longer_than_a_short_one() -> None:
    """What is read of it is counted: three pieces of 256 characters at most."""
    read: list[int] = []

    class Text(str):
        def __getitem__(self, part: Any) -> str:
            found = super().__getitem__(part)
            read.append(len(found))
            return found

    blocks = [{"type": "text", "text": Text("a" * 100_000)} for _ in range(50)]
    assert len([*begins_of({"system": blocks, "tools": [TOOL] * 1_000})]) == 4
    assert read == [256, 256, 256]

"""A profile that nobody reviewed, through LiteLLM's own dispatch: decided and recorded, never changed on the wire."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import litellm
import pytest
from litellm.proxy._types import UserAPIKeyAuth

from litellm_prompt_router.gateway.plugin import PromptRouter
from litellm_prompt_router.policy.active import active_configuration
from litellm_prompt_router.policy.settings import load_settings
from litellm_prompt_router.profile.profile import Economics, Profile
from litellm_prompt_router.request.pipeline import Pipeline
from litellm_prompt_router.telemetry.counters import Counters
from tests.gateway.left_facts import facts_left_in, left_facts
from tests.gateway.test_hook_dispatch import COUNT, WORKBENCH, dispatch, key
from tests.telemetry.records import RECORD

TASK = "Sum up orders.csv by month"
BODIES: dict[str, dict[str, Any]] = {
    "acompletion": {
        "messages": [{"role": "system", "content": WORKBENCH.text}, {"role": "user", "content": TASK}],
        "tools": [{"type": "function", "function": {"name": "send_email", "parameters": {}}}],
    },
    "anthropic_messages": {
        "system": [{"type": "text", "text": WORKBENCH.text}],
        "messages": [{"role": "user", "content": TASK}],
        "max_tokens": 64,
    },
    "aresponses": {"instructions": WORKBENCH.text, "input": TASK},
    "agenerate_content": {
        "systemInstruction": {"parts": [{"text": WORKBENCH.text}]},
        "contents": [{"role": "user", "parts": [{"text": TASK}]}],
    },
}


def hook_of(profile: Profile, ledger: Path, **settings: Any) -> PromptRouter:
    stated = load_settings({"ledger": {"path": str(ledger)}, **settings}, {})
    pipeline = Pipeline([profile], COUNT, coverage_floor=stated.coverage_floor, adds_marks=True, gates_cost=True)
    return PromptRouter(active_configuration(stated, pipeline))


@pytest.fixture
def unreviewed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The callback with a draft of workbench, and an experiment under way."""
    hook = hook_of(replace(WORKBENCH, reviewed=False), tmp_path / "ledger.jsonl", holdout=0.5)
    monkeypatch.setattr(litellm, "callbacks", [hook])
    yield
    hook.close()


def request(endpoint: str, number: int = 0) -> dict[str, Any]:
    data = copy.deepcopy(BODIES[endpoint])
    return {**data, "model": "claude", "metadata": {}, "litellm_call_id": f"call-{number}"}


def on_the_wire(body: dict[str, Any]) -> str:
    """What LiteLLM goes on with, beside its own notes."""
    return json.dumps({name: body[name] for name in body if name not in ("metadata", "litellm_metadata")})


def facts_of(out: dict[str, Any]) -> dict[str, Any]:
    bag = out.get("litellm_metadata") or out["metadata"]
    facts: dict[str, Any] = left_facts(bag)
    return facts


@pytest.mark.parametrize("endpoint", BODIES)
@pytest.mark.parametrize("who", [key(), key(mode="rewrite"), key(enabled=True)], ids=["settings", "mode", "enabled"])
@pytest.mark.usefixtures("unreviewed")
async def test_the_body_is_as_when_switched_off(endpoint: str, who: UserAPIKeyAuth) -> None:
    """Whoever asks for a rewrite. The record has the decision, and why it took no effect."""
    off = await dispatch(request(endpoint), key(mode="off"), endpoint)
    out = await dispatch(request(endpoint), who, endpoint)
    assert on_the_wire(out) == on_the_wire(off)
    facts = facts_of(out)
    assert (facts["outcome"], facts["mode"]) == ("shadow", "shadow")
    assert (facts["reason"], facts["policy"]) == ("unreviewed", "unreviewed")
    assert facts["profile"] == "workbench"
    assert facts["modules"]


async def test_what_the_gate_leaves_alone_is_held_back_as_unreviewed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One reason for record, status and report: the one that somebody can change."""
    left_alone = replace(WORKBENCH, reviewed=False, economics=Economics(rewrites=False))
    hook = hook_of(left_alone, tmp_path / "ledger.jsonl")
    monkeypatch.setattr(litellm, "callbacks", [hook])
    facts = facts_left_in((await dispatch(request("acompletion")))["metadata"])
    hook.close()
    assert (facts.outcome, facts.reason, facts.is_held_back) == ("shadow", "unreviewed", True)
    assert facts.prompt_chars == facts.original_chars
    counters = Counters()
    counters.add(replace(RECORD, facts=facts))
    told = counters.to_dict()
    assert (told["by_reason"], told["by_outcome"]) == ({"unreviewed": 1}, {"shadow": 1})
    assert told["held_as_unreviewed"] == {"workbench": 1}


@pytest.mark.usefixtures("unreviewed")
async def test_no_conversation_is_in_the_experiment() -> None:
    """Neither arm: figures of treatment and holdout are of requests that were rewritten or might have been."""
    for number in range(20):
        data = request("acompletion", number)
        data["messages"][1]["content"] = f"{TASK} {number}"
        facts = facts_of(await dispatch(data))
        assert (facts["outcome"], facts["arm"]) == ("shadow", None)


@pytest.mark.parametrize(
    ("who", "header", "outcome", "reason", "policy"),
    [
        (key(mode="shadow"), None, "shadow", None, "key metadata"),
        (key(), "shadow", "shadow", None, "request header"),
        (key(), "off", "passthrough", "off", "request header"),
        (key(enabled=False), None, "passthrough", "off", "key metadata"),
    ],
    ids=["key in shadow", "header shadow", "header off", "key off"],
)
@pytest.mark.usefixtures("unreviewed")
async def test_shadow_and_off_that_were_asked_for_say_so(
    who: UserAPIKeyAuth, header: str | None, outcome: str, reason: str | None, policy: str
) -> None:
    """They are told apart from what was held back."""
    data = request("acompletion")
    data["proxy_server_request"] = {"headers": {"x-prompt-router": header} if header else {}}
    facts = facts_of(await dispatch(data, who))
    assert (facts["outcome"], facts["reason"], facts["policy"]) == (outcome, reason, policy)


async def test_a_review_switches_it_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same body is rewritten once a person said `reviewed: true`."""
    hook = hook_of(WORKBENCH, tmp_path / "ledger.jsonl")
    monkeypatch.setattr(litellm, "callbacks", [hook])
    facts = facts_of(await dispatch(request("acompletion")))
    hook.close()
    assert (facts["outcome"], facts["reason"]) == ("rewritten", None)


@pytest.mark.usefixtures("unreviewed")
async def test_response_headers_say_it() -> None:
    data = await dispatch(request("acompletion"))
    hook = litellm.callbacks[0]
    assert isinstance(hook, PromptRouter)
    headers = await hook.async_post_call_response_headers_hook(
        data=data, user_api_key_dict=key(), response=None, request_headers={}
    )
    assert headers is not None
    assert headers["x-prompt-router-outcome"] == "shadow"
    assert headers["x-prompt-router-reason"] == "unreviewed"

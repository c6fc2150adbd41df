"""Groups whose deployments take different marks: each attempt's wire is as if its deployment stood alone."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import astuple
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import yaml

from litellm_prompt_router.analysis.simulate import Policy, Replay, rewrites_of
from litellm_prompt_router.cache_model import BlockReader, openai_rules
from litellm_prompt_router.files import bundled_profiles, load_profiles
from litellm_prompt_router.gateway.deployments.capabilities import target_of_model
from litellm_prompt_router.profile.tokens import token_counter
from litellm_prompt_router.request.wire.chat_marks import well_cached
from tests.analysis.recordings import recorded
from tests.emulators.caching import TIME_HEADER, EmulatedCache
from tests.emulators.envelopes import Envelopes
from tests.emulators.two_keys import TwoKeyProxy, running_two_keys
from tests.emulators.upstream import HttpError, Upstream
from tests.end_to_end.test_placement import CALLS, CONVERSATION, flat
from tests.end_to_end.workbench import PROFILE, PROMPT, TOOLS, conversation, marks, messages_body, record_of

pytestmark = pytest.mark.proxy
# Older LiteLLM places no injection points beside marks, so the history's end has none, and hoists late messages.
IS_CURRENT = find_spec("litellm.litellm_core_utils.prompt_templates.mid_conversation_system") is not None
needs_current = pytest.mark.skipif(not IS_CURRENT, reason="this LiteLLM places no points beside marks")

CLAUDE = {"model": "anthropic/claude-sonnet-4-5", "api_base": "os.environ/ANTHROPIC_API_BASE", "api_key": "emulated"}
GPT = {"model": "openai/gpt-4.1", "api_base": "os.environ/OPENAI_API_BASE", "api_key": "emulated"}
# A host other than OpenAI's own gets explicit breakpoints only where its deployment says that it takes them.
GPT_56 = {**GPT, "model": "openai/gpt-5.6"}
TAKES = {"supports_prompt_cache_breakpoint": True}
LOCAL = {**GPT, "model": "openai/qwen3-32b"}
AZURE = {**GPT, "model": "azure/gpt-4.1", "api_version": "2025-04-01-preview"}
POINTS = [{"location": "message", "role": "system"}, {"location": "message", "index": -1}]
GROUPS: dict[str, list[dict[str, Any]]] = {
    "claude": [{"litellm_params": CLAUDE}],
    "gpt": [{"litellm_params": GPT}],
    "gpt-5.6": [{"litellm_params": GPT_56, "model_info": TAKES}],
    "gpt-5.6 elsewhere": [{"litellm_params": GPT_56}],
    "local": [{"litellm_params": LOCAL}],
    "azure": [{"litellm_params": AZURE}],
    "pointed": [{"litellm_params": {**CLAUDE, "cache_control_injection_points": POINTS}}],
}
FAILING: dict[str, tuple[list[dict[str, Any]], list[str]]] = {
    # `order` makes LiteLLM's choice certain: the first one while it is healthy.
    "both": ([{"litellm_params": {**CLAUDE, "order": 1}}, {"litellm_params": {**GPT, "order": 2}}], []),
    "both (GPT first)": ([{"litellm_params": {**CLAUDE, "order": 2}}, {"litellm_params": {**GPT, "order": 1}}], []),
    "claude then gpt": ([{"litellm_params": CLAUDE}], ["gpt"]),
    "gpt then claude": ([{"litellm_params": GPT}], ["claude"]),
    "gpt-5.6 then gpt": ([{"litellm_params": GPT_56, "model_info": TAKES}], ["gpt"]),
    "claude then pointed": ([{"litellm_params": CLAUDE}], ["pointed"]),
    "claude then azure": ([{"litellm_params": CLAUDE}], ["azure"]),
    "azure then claude": ([{"litellm_params": AZURE}], ["claude"]),
    "claude then nobody": ([{"litellm_params": CLAUDE}], []),
}
"""Members and fallbacks. A deployment that failed is left out for a minute, so each use of a group has its own."""
USES = ("whole", "stream", "marked", "late")


def use(group: str, purpose: str) -> str:
    return f"{group} ({purpose})"


def model_list() -> list[dict[str, Any]]:
    groups = GROUPS | {use(name, purpose): members for name, (members, _) in FAILING.items() for purpose in USES}
    return [
        {
            "model_name": name,
            "litellm_params": member["litellm_params"],
            "model_info": {**member.get("model_info", {}), "id": f"{name} {number}"},
        }
        for name, members in groups.items()
        for number, member in enumerate(members)
    ]


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TwoKeyProxy]:
    folder = tmp_path_factory.mktemp("mixed")
    config = folder / "proxy_config.yaml"
    router = {
        "fallbacks": [{use(name, purpose): then} for name, (_, then) in FAILING.items() if then for purpose in USES],
        "num_retries": 0,
        "model_group_retry_policy": {
            use(name, purpose): {"RateLimitErrorRetries": 1}
            for name in ("both", "both (GPT first)")
            for purpose in USES
        },
        "allowed_fails": 0,
        "cooldown_time": 60,
    }
    document = {
        "model_list": model_list(),
        "router_settings": router,
        "callback_settings": {"prompt_router": {"placement": "auto", "cache_hints": True}},
        "litellm_settings": {"callbacks": ["hooks.callback.handler"]},
        "general_settings": {"master_key": "os.environ/LITELLM_MASTER_KEY", "always_include_stream_usage": True},
    }
    config.write_text(yaml.safe_dump(document), encoding="utf-8")
    with (
        Upstream(caching=EmulatedCache()) as upstream,
        Envelopes() as envelopes,
        running_two_keys(upstream, envelopes, folder, config_path=config) as running,
    ):
        yield running


def bodies(proxy: TwoKeyProxy, model: str, *replies: HttpError, stream: bool = False, **extra: Any) -> list[Any]:
    """What reached the provider of one request, attempt by attempt."""
    return called(proxy, model, *replies, stream=stream, **extra)[0]


def called(
    proxy: TwoKeyProxy, model: str, *replies: HttpError, stream: bool = False, **extra: Any
) -> tuple[list[Any], Any]:
    """``(bodies, answer)`` of one request; ``replies`` are what the provider says first."""
    proxy.clear()
    proxy.upstream.script(*replies)
    request: dict[str, Any] = {"messages": conversation(), "tools": TOOLS, **extra}
    with proxy.openai("master") as client:
        raw = client.chat.completions.with_raw_response.create(model=model, stream=stream, **request)
        if stream:
            for _ in raw.parse():
                pass
    return [received.json for received in proxy.upstream.requests], raw


def explicit(body: Any) -> int:
    return json.dumps(body).count('"prompt_cache_breakpoint"')


BUSY = HttpError(status=429, message="slow down")
DOWN = HttpError(status=500, message="down")
ATTEMPTS = [
    pytest.param("both", (BUSY,), ("claude", "gpt"), id="a retry on the other deployment"),
    pytest.param("both (GPT first)", (BUSY,), ("gpt", "claude"), id="a retry on the first-class one"),
    pytest.param("claude then gpt", (DOWN,), ("claude", "gpt"), id="a fallback from Claude"),
    pytest.param("gpt then claude", (DOWN,), ("gpt", "claude"), id="a fallback to Claude"),
    pytest.param("gpt-5.6 then gpt", (DOWN,), ("gpt-5.6", "gpt"), id="a fallback to an older GPT"),
    pytest.param("claude then pointed", (DOWN,), ("claude", "pointed"), id="a fallback with points of its own"),
]


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize(("model", "replies", "alone"), ATTEMPTS)
def test_each_attempt_is_as_if_its_deployment_stood_alone(
    proxy: TwoKeyProxy, model: str, replies: tuple[HttpError, ...], alone: tuple[str, ...], stream: bool
) -> None:
    """Same text, same cuts, same marks; nothing of one attempt leaks into the next."""
    expected = [bodies(proxy, name, stream=stream)[0] for name in alone]
    found, answer = called(proxy, use(model, "stream" if stream else "whole"), *replies, stream=stream)
    assert found == expected
    record = record_of(proxy.ledger_path, answer)
    assert (record["status"], record["outcome"]) == ("success", "rewritten")
    if IS_CURRENT:
        assert record["breakpoints_total"] == marks(found[-1]) + explicit(found[-1])


def messages_bodies(proxy: TwoKeyProxy, model: str, *replies: HttpError, stream: bool) -> tuple[list[Any], Any]:
    """``(bodies, answer)`` of one request to Anthropic's endpoint that ends with a tool's result."""
    proxy.clear()
    proxy.upstream.script(*replies)
    request = messages_body()
    with proxy.anthropic("master") as client:
        raw = client.messages.with_raw_response.create(
            model=model, stream=stream, **{**request, "messages": request["messages"][:3]}
        )
        answer: Any = raw.parse()
        if stream:
            assert [event.type for event in answer][-1] == "message_stop"
    return [received.json for received in proxy.upstream.calls], raw


@needs_current
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize(
    ("model", "alone"), [("claude then azure", ("claude", "azure")), ("azure then claude", ("azure", "claude"))]
)
def test_so_it_is_on_anthropics_endpoint(proxy: TwoKeyProxy, model: str, alone: tuple[str, ...], stream: bool) -> None:
    """Claude's marks, the one on the tool's result too, are no part of what the other gets as a chat body."""
    expected = [messages_bodies(proxy, name, stream=stream)[0][0] for name in alone]
    found, answer = messages_bodies(proxy, use(model, "stream" if stream else "whole"), DOWN, stream=stream)
    assert found == expected
    assert sorted(map(marks, found)) == [0, 3]
    record = record_of(proxy.ledger_path, answer)
    assert (record["status"], record["breakpoints_total"]) == ("success", marks(found[-1]))


@needs_current
def test_what_each_kind_gets(proxy: TwoKeyProxy) -> None:
    """Marks for Claude, explicit breakpoints for GPT-5.6 where they are taken, plain strings for everyone else."""
    found = {name: bodies(proxy, name)[0] for name in ("claude", "gpt", "gpt-5.6", "gpt-5.6 elsewhere", "local")}
    assert {name: (marks(body), explicit(body)) for name, body in found.items()} == {
        "claude": (3, 0),
        "gpt": (0, 0),
        "gpt-5.6": (0, 2),
        "gpt-5.6 elsewhere": (0, 0),
        "local": (0, 0),
    }
    parts = found["gpt-5.6"]["messages"][0]["content"]
    assert ["prompt_cache_breakpoint" in part for part in parts] == [True, True, False]
    assert parts[0]["prompt_cache_breakpoint"] == {"mode": "explicit"}
    for name in ("gpt", "gpt-5.6 elsewhere", "local"):
        assert isinstance(found[name]["messages"][0]["content"], str)
    keyed = [name for name, body in found.items() if "prompt_cache_key" in body]
    assert keyed == ["gpt", "gpt-5.6", "gpt-5.6 elsewhere"]


@needs_current
def test_the_clients_own_fallback_is_a_candidate_too(proxy: TwoKeyProxy) -> None:
    """A fallback that only this request names gets a body without marks."""
    first, second = bodies(proxy, use("claude then nobody", "whole"), DOWN, extra_body={"fallbacks": ["gpt"]})
    assert (marks(first), marks(second)) == (3, 0)
    assert isinstance(second["messages"][0]["content"], str)


def test_a_clients_marks_move_for_claude_only(proxy: TwoKeyProxy) -> None:
    """A mark on the prompt goes to the routed part's end for Claude; what a host that knows none gets is as before."""
    system = [{"type": "text", "text": PROMPT, "cache_control": {"type": "ephemeral", "ttl": "1h"}}]
    expected = [bodies(proxy, name, messages=conversation(system))[0] for name in ("claude", "gpt")]
    assert bodies(proxy, use("both", "marked"), BUSY, messages=conversation(system)) == expected
    assert [block.get("cache_control") for block in expected[0]["system"]] == [
        {"type": "ephemeral", "ttl": "1h"},
        {"type": "ephemeral", "ttl": "1h"},
        None,
    ]


@pytest.mark.parametrize("policy", ["append", pytest.param("full-cached", marks=pytest.mark.full)])
def test_gpt_5_6_is_billed_as_the_simulator_predicts(proxy: TwoKeyProxy, policy: Policy) -> None:
    """Explicit breakpoints written and read, token for token: ours, and those of the full prompt cached well."""
    calls = recorded(5, 6, "gpt-5.6")
    count, target = token_counter(), target_of_model("gpt-5.6")
    rewrites = rewrites_of(load_profiles(bundled_profiles(), count), count, target, coverage_floor=0.6)
    replay = Replay(rewrites, BlockReader(count).openai, openai_rules("gpt-5.6"))
    expected = [astuple(replay.account(call)[policy].usage)[:4] for call in calls]
    proxy.clear()
    with proxy.openai("master") as client:
        for call in calls:
            sent = call.request if policy == "append" else well_cached(call.request, target)
            client.chat.completions.create(
                model="gpt-5.6",
                messages=sent["messages"],
                tools=sent["tools"],
                extra_headers={} if policy == "append" else {"x-prompt-router": "off"},
                extra_body={"extra_headers": {TIME_HEADER: str(call.at_seconds)}},
            )
    assert proxy.upstream.caching is not None
    assert [astuple(entry.usage)[:4] for entry in proxy.upstream.caching.accounted] == expected
    assert sum(read for _, read, _, _ in expected) > sum(written for _, _, written, _ in expected) > 0


@needs_current
def test_late_modules_stay_where_both_leave_them(proxy: TwoKeyProxy) -> None:
    """Both append, so the group does; each call begins as the one before it, whoever answers."""
    for name in ("both", "both (GPT first)"):
        before: list[str] = []
        for count in CALLS:
            messages = [{"role": "system", "content": PROMPT}, *CONVERSATION[:count]]
            (body,) = bodies(proxy, use(name, "late"), messages=messages)
            now = flat(body)
            assert now[: len(before)] == before
            before = now
        assert json.dumps(PROFILE.modules[PROFILE.order["tools/git"]].text.strip())[1:-1] in "".join(before[4:])


def test_the_ledger_has_no_plan_and_the_log_no_complaint(proxy: TwoKeyProxy, tmp_path: Path) -> None:
    """What travels to the deployment hook stays there."""
    _, answer = called(proxy, use("both (GPT first)", "marked"))
    assert "marking" not in record_of(proxy.ledger_path, answer)
    assert "prompt router:" not in proxy.proxy.log()

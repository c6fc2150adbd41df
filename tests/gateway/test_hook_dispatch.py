"""The hook through LiteLLM's own dispatch, ``ProxyLogging.pre_call_hook``: nothing of LiteLLM is replaced."""

from __future__ import annotations

import copy
import json
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import litellm
import pytest
from litellm.caching.caching import DualCache
from litellm.proxy._types import UserAPIKeyAuth
from litellm.proxy.spend_tracking.compression_savings import extract_compression_saved_tokens
from litellm.proxy.utils import ProxyLogging
from litellm.utils import async_pre_call_deployment_hook

from litellm_prompt_router.files import bundled_profiles, load_profiles
from litellm_prompt_router.gateway.plugin import PromptRouter
from litellm_prompt_router.policy.active import active_configuration
from litellm_prompt_router.policy.settings import load_settings
from litellm_prompt_router.profile.tokens import token_counter
from litellm_prompt_router.request.pipeline import Pipeline
from litellm_prompt_router.request.types import Target
from tests.emulators.envelopes import Envelopes
from tests.gateway.left_facts import left_facts

COUNT = token_counter()
PROFILES = load_profiles(bundled_profiles(), COUNT)
WORKBENCH = next(profile for profile in PROFILES if profile.name == "workbench")
FORGED = {
    "compression_savings": {"tokens_saved": 999},
    "litellm_gateway_injected_cache": "",
    "prompt_router": {"outcome": "rewritten"},
    "spend_logs_metadata": {"prompt_router": {"outcome": "forged"}, "cost_centre": "42"},
}


@pytest.fixture
def hook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[PromptRouter]:
    """The callback as the proxy holds it, alone in LiteLLM's list."""
    settings = load_settings({"ledger": {"path": str(tmp_path / "ledger.jsonl")}}, {})
    hook = PromptRouter(
        active_configuration(settings, Pipeline(PROFILES, COUNT, coverage_floor=settings.coverage_floor))
    )
    monkeypatch.setattr(litellm, "callbacks", [hook])
    yield hook
    hook.close()


def body(message: str = "Sum up orders.csv by month", **extra: Any) -> dict[str, Any]:
    messages = [{"role": "system", "content": WORKBENCH.text}, {"role": "user", "content": message}]
    return {"model": "claude", "messages": messages, "metadata": {}, "litellm_call_id": "call-1", **extra}


def key(**metadata: Any) -> UserAPIKeyAuth:
    stated = {"prompt_router": metadata} if metadata else {}
    return UserAPIKeyAuth(api_key="0" * 64, key_alias="alpha", metadata=stated)


async def dispatch(
    data: dict[str, Any], who: UserAPIKeyAuth | None = None, call_type: str = "acompletion"
) -> dict[str, Any]:
    """What LiteLLM goes on with after its pre-call hooks."""
    logging = ProxyLogging(user_api_key_cache=DualCache())
    result: dict[str, Any] = await logging.pre_call_hook(
        user_api_key_dict=who or key(),
        data=data,
        call_type=call_type,  # the proxy passes plain strings too
    )
    return result


async def test_the_prompt_is_rewritten_in_a_new_body(hook: PromptRouter) -> None:
    """LiteLLM goes on with a smaller prompt; the messages that came in are untouched."""
    data = body()
    messages = data["messages"]
    before = copy.deepcopy(messages)
    out = await dispatch(data)
    assert messages == before
    assert len(out["messages"][0]["content"]) < len(WORKBENCH.text) * 0.7
    assert out["messages"][1:] == before[1:]
    facts = left_facts(out["metadata"])
    assert facts["outcome"] == "rewritten"
    assert "tools/data_processing" in [module[0] for module in facts["modules"]]


async def test_litellms_metadata_bag_is_changed_in_place(hook: PromptRouter) -> None:
    """Replacing the bag would lose LiteLLM's own attribution."""
    data = body()
    bag = data["metadata"]
    out = await dispatch(data)
    assert out["metadata"] is bag
    assert bag["spend_logs_metadata"]["prompt_router"]["outcome"] == "rewritten"


@pytest.mark.parametrize(
    ("who", "header", "outcome", "reason"),
    [
        pytest.param(key(), None, "rewritten", None, id="default"),
        pytest.param(key(enabled=True), None, "rewritten", None, id="enabled"),
        pytest.param(key(enabled=False), None, "passthrough", "off", id="disabled"),
        pytest.param(key(mode="off"), None, "passthrough", "off", id="mode off"),
        pytest.param(key(mode="shadow"), None, "shadow", None, id="shadow"),
        pytest.param(key(profile="workbench"), None, "rewritten", None, id="profile named"),
        pytest.param(key(profile="nobody"), None, "passthrough", "bad_key_metadata", id="unknown profile"),
        pytest.param(key(enable=True), None, "passthrough", "bad_key_metadata", id="unknown field"),
        pytest.param(key(enabled="yes"), None, "passthrough", "bad_key_metadata", id="wrong type"),
        pytest.param(key(), "off", "passthrough", "off", id="header off"),
        pytest.param(key(), "shadow", "shadow", None, id="header shadow"),
        pytest.param(key(enabled=False), "rewrite", "passthrough", "off", id="header can't raise"),
        pytest.param(key(mode="shadow"), "rewrite", "shadow", None, id="header can't raise shadow"),
    ],
)
async def test_each_key_gets_what_its_metadata_says(
    hook: PromptRouter, who: UserAPIKeyAuth, header: str | None, outcome: str, reason: str | None
) -> None:
    """Key metadata over settings, the header only downwards; anything but a rewrite leaves every byte."""
    data = body()
    data["proxy_server_request"] = {"headers": {"x-prompt-router": header} if header else {}}
    sent = json.dumps(data["messages"])
    out = await dispatch(data, who)
    facts = left_facts(out["metadata"])
    assert (facts["outcome"], facts["reason"]) == (outcome, reason)
    assert (json.dumps(out["messages"]) == sent) == (outcome != "rewritten")


async def test_team_metadata_counts_below_key_metadata(hook: PromptRouter) -> None:
    """A key's own word beats its team's."""
    team = {"prompt_router": {"enabled": False}}
    off = UserAPIKeyAuth(api_key="0" * 64, metadata={}, team_metadata=team)
    on = UserAPIKeyAuth(api_key="0" * 64, metadata={"prompt_router": {"enabled": True}}, team_metadata=team)
    # `enabled: true` on the key lifts what the team switched off.
    assert left_facts((await dispatch(body(), off))["metadata"])["reason"] == "off"
    assert left_facts((await dispatch(body(), on))["metadata"])["outcome"] == "rewritten"


@pytest.mark.parametrize("who", [key(), key(enabled=False)], ids=["on", "off"])
async def test_clients_cannot_forge_savings(hook: PromptRouter, who: UserAPIKeyAuth) -> None:
    """What only the gateway may say is dropped when a client says it; the rest of its metadata stays."""
    data = body(metadata=copy.deepcopy(FORGED))
    bag = (await dispatch(data, who))["metadata"]
    assert bag.get("compression_savings") != FORGED["compression_savings"]
    assert left_facts(bag)["caller"]["key_alias"] == "alpha"
    assert bag["spend_logs_metadata"]["cost_centre"] == "42"
    assert bag["spend_logs_metadata"]["prompt_router"]["outcome"] != "forged"
    assert "litellm_gateway_injected_cache" not in bag


@pytest.mark.parametrize("seal", [None, "", "0" * 32, 7, ["0"], {"a": 1}], ids=repr)
@pytest.mark.parametrize("holder", ["metadata", "litellm_metadata"])
async def test_clients_cannot_forge_records(hook: PromptRouter, tmp_path: Path, holder: str, seal: object) -> None:
    """Hooks for requests that LiteLLM refused before ours came find what a client says under our key."""
    data = body()
    forged = {**(await dispatch(body()))["metadata"]["prompt_router"], "outcome": "forged", "seal": seal}
    data[holder] = {"prompt_router": forged}
    await hook.async_post_call_failure_hook(data, RuntimeError("refused"), key())
    kwargs = {"litellm_params": data, "model": "m", "custom_llm_provider": "openai"}
    answer = litellm.ModelResponse(model="m", usage=litellm.Usage(prompt_tokens=1, completion_tokens=1))
    await hook.async_logging_hook(kwargs, answer, "acompletion")
    await hook.async_log_success_event(kwargs, answer, None, None)
    assert await hook.async_post_call_response_headers_hook(data, key(), None) is None
    assert await hook.async_pre_call_deployment_hook(data, "acompletion") is None
    assert data[holder] == {"prompt_router": forged}
    hook.close()
    assert not (tmp_path / "ledger.jsonl").exists()


async def test_own_facts_are_found_beside_forged_ones(hook: PromptRouter) -> None:
    """On endpoints where LiteLLM has a bag of its own, the client's metadata stays as it is and isn't read."""
    data = body(metadata=copy.deepcopy(FORGED), litellm_metadata={})
    out = await dispatch(data)
    assert out["metadata"] == FORGED
    headers = await hook.async_post_call_response_headers_hook(out, key(), None)
    assert headers is not None
    assert headers["x-prompt-router-outcome"] == "rewritten"


@pytest.mark.parametrize(
    "call_type", ["aembedding", "atext_completion", "acreate_batch", "acompact_responses", "pass_through_endpoint"]
)
async def test_other_endpoints_are_left_alone(hook: PromptRouter, call_type: str) -> None:
    """Not one key of a body that we don't read is touched, save LiteLLM's own bag."""
    data = body()
    data["metadata"] = {"mine": 1}
    sent = copy.deepcopy({k: v for k, v in data.items() if k != "metadata"})
    out = await dispatch(data, call_type=call_type)
    assert {k: v for k, v in out.items() if k != "metadata"} == sent
    assert left_facts(out["metadata"])["reason"] == "unsupported_endpoint"


async def test_a_body_without_a_bag_is_not_given_one(hook: PromptRouter) -> None:
    """Pass-through bodies go to the provider as they are: a new key would reach the wire."""
    data = {"model": "m", "messages": []}
    assert await dispatch(dict(data), call_type="pass_through_endpoint") == data


STEPS = [
    "litellm_prompt_router.gateway.candidate_policies.decide_policy",
    "litellm_prompt_router.gateway.handle.facts_of",
    "litellm_prompt_router.gateway.handle.metadata_bag.write_facts",
    "litellm_prompt_router.gateway.handle.metadata_bag.drop_reserved_keys",
    "litellm_prompt_router.request.wire.chat._system_blocks",
    "litellm_prompt_router.request.wire.chat._message",
    "litellm_prompt_router.request.recognise.catalogue.Catalogue.recognise",
    "litellm_prompt_router.request.route.router.Router.deciding",
    "litellm_prompt_router.request.remembered_plans.compose",
    "litellm_prompt_router.request.pipeline.with_late_places",
    "litellm_prompt_router.record.facts.places_of",
    "litellm_prompt_router.request.remembered_plans.plan_breakpoints",
    "litellm_prompt_router.gateway.deployments.groups.Deployments.target",
]


@pytest.mark.parametrize(
    ("step", "fault"),
    # One `except` meets them all, so every step breaks in one way, and one step in every way.
    [(step, RuntimeError) for step in STEPS]
    + [(STEPS[-1], fault) for fault in (RecursionError, MemoryError, KeyError, UnicodeError)],
)
async def test_any_fault_gives_back_the_request_as_it_came(
    hook: PromptRouter, monkeypatch: pytest.MonkeyPatch, step: str, fault: type[Exception]
) -> None:
    """Whatever breaks, wherever: LiteLLM goes on with the client's own messages."""

    def broken(*_: object, **__: object) -> None:
        raise fault("a secret of the prompt")

    monkeypatch.setattr(step, broken)
    data = body()
    sent = json.dumps(data["messages"])
    out = await dispatch(data)
    assert json.dumps(out["messages"]) == sent


@pytest.mark.parametrize(
    "messages",
    [
        pytest.param(None, id="none"),
        pytest.param("text", id="a string"),
        pytest.param([], id="empty"),
        pytest.param([None], id="null message"),
        pytest.param([{"role": "system"}], id="no content"),
        pytest.param([{"role": "system", "content": None}], id="null content"),
        pytest.param([{"role": "system", "content": [{"type": "image_url"}]}], id="image as system"),
        pytest.param([{"role": "system", "content": [None]}], id="null block"),
        pytest.param([{"role": "user", "content": {"a": 1}}], id="object as content"),
        pytest.param([{"content": "no role"}], id="no role"),
    ],
)
async def test_malformed_messages_pass_through(hook: PromptRouter, messages: Any) -> None:
    """The provider gets to say what is wrong with them, not we."""
    out = await dispatch({"model": "m", "messages": copy.deepcopy(messages), "metadata": {}})
    assert out["messages"] == messages
    assert left_facts(out["metadata"])["outcome"] == "passthrough"


async def test_headers_tell_what_was_done(hook: PromptRouter) -> None:
    """The response headers hook reads the facts from the same bag."""
    out = await dispatch(body())
    logging = ProxyLogging(user_api_key_cache=DualCache())
    headers = await logging.post_call_response_headers_hook(data=out, user_api_key_dict=key(), response=None)
    assert headers["x-prompt-router-outcome"] == "rewritten"
    assert headers["x-prompt-router-profile"] == f"workbench@{WORKBENCH.version}"
    assert int(headers["x-prompt-router-tokens-after"]) < int(headers["x-prompt-router-tokens-before"])


CLAUDE = Target(takes_marks=True, min_cache_tokens=0, input_usd_per_token=None)
PLAIN = Target(takes_marks=False, min_cache_tokens=0, input_usd_per_token=None)
MIXED = replace(PLAIN, each=(("claude-1", CLAUDE), ("gpt-1", PLAIN)))


def attempt(out: dict[str, Any], deployment_id: str) -> dict[str, Any]:
    """What LiteLLM hands on once a deployment is chosen; the messages are those of every attempt."""
    return {**out, "model": "provider/model", "model_info": {"id": deployment_id}}


async def deployed(out: dict[str, Any], deployment_id: str, call_type: str = "acompletion") -> dict[str, Any]:
    """What LiteLLM goes on with after its deployment hooks."""
    result: dict[str, Any] = await async_pre_call_deployment_hook(attempt(out, deployment_id), call_type)
    return result


@pytest.fixture
def mixed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A group of one deployment that takes marks and one that doesn't."""
    monkeypatch.setattr("litellm_prompt_router.gateway.handle.Deployments.target", lambda *_: MIXED)


@pytest.mark.usefixtures("mixed")
async def test_each_deployment_gets_its_own_marks(hook: PromptRouter) -> None:
    """In new objects, attempt after attempt; the facts say what the latest one got."""
    out = await dispatch(body())
    shared, before = out["messages"], json.dumps(out["messages"])
    assert isinstance(shared[0]["content"], str)
    for deployment_id, marks in (("claude-1", 2), ("gpt-1", 0), ("claude-1", 2)):
        sent = await deployed(out, deployment_id)
        assert json.dumps(sent["messages"]).count("cache_control") == marks
        assert left_facts(out["metadata"])["breakpoints_total"] == marks
    assert out["messages"] is shared
    assert json.dumps(shared) == before
    assert out["metadata"]["litellm_gateway_injected_cache"] == "claude-1"
    assert "Workbench" not in json.dumps(out["metadata"])


@pytest.mark.usefixtures("mixed")
async def test_the_facts_are_of_the_attempt_that_is_out(hook: PromptRouter) -> None:
    """A fallback's own messages, and the rewritten body once more behind them."""
    out = await dispatch(body())
    ours = left_facts(out["metadata"])
    own = {**out, "messages": body()["messages"]}
    for attempted, outcome, chars in (
        (out, "rewritten", ours["prompt_chars"]),
        (own, "passthrough", len(WORKBENCH.text)),
        (out, "rewritten", ours["prompt_chars"]),
    ):
        sent = await deployed(attempted, "claude-1")
        told = left_facts(out["metadata"])
        assert (told["outcome"], told["prompt_chars"]) == (outcome, chars)
        assert json.dumps(sent["messages"]).count("cache_control") == told["breakpoints_total"]
        assert (sent["messages"] == own["messages"]) == (attempted is own)


@pytest.mark.usefixtures("mixed")
async def test_messages_bodies_get_their_own_marks_too(hook: PromptRouter, monkeypatch: pytest.MonkeyPatch) -> None:
    """In ``system`` and at the history's end, be that a tool's result; LiteLLM's bag is the one beside the client's."""
    messages = [
        {"role": "user", "content": "Sum up orders.csv by month"},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "t1", "name": "load_table", "input": {}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "content": "17"}]},
    ]
    data = {
        "model": "claude",
        "system": WORKBENCH.text,
        "messages": messages,
        "metadata": {"user_id": "u"},
        "litellm_metadata": {},
        "litellm_call_id": "call-1",
    }
    pipeline = Pipeline(PROFILES, COUNT, coverage_floor=0.6, adds_marks=True)
    hook._handler.publish(active_configuration(hook._handler.configuration.settings, pipeline))
    out = await dispatch(data, call_type="anthropic_messages")
    shared = json.dumps([out["system"], out["messages"], out["metadata"]])
    assert isinstance(out["system"], str)
    assert out["messages"] == messages
    for deployment_id, marks in (("claude-1", [1, 1, 0, 1]), ("gpt-1", []), ("claude-1", [1, 1, 0, 1])):
        sent = await deployed(out, deployment_id, "anthropic_messages")
        blocks = [*sent["system"], *sent["messages"][-1]["content"]] if marks else []
        assert ["cache_control" in block for block in blocks] == [bool(mark) for mark in marks]
        assert json.dumps(sent).count('"cache_control"') - json.dumps(out).count('"cache_control"') == sum(marks)
        assert await deployed(out, deployment_id, "aresponses") == attempt(out, deployment_id)
    assert json.dumps([out["system"], out["messages"], out["metadata"]]) == shared
    assert "Workbench" not in json.dumps(out["litellm_metadata"])


async def test_a_clients_own_subscription_is_left_alone(hook: PromptRouter) -> None:
    """LiteLLM says in its bag that the client's OAuth token goes to the provider."""
    data = body(metadata={"used_client_oauth_token": True})
    sent = copy.deepcopy(data["messages"])
    out = await dispatch(data)
    assert out["messages"] == sent
    assert left_facts(out["metadata"])["reason"] == "client_oauth"


@pytest.mark.usefixtures("mixed")
@pytest.mark.parametrize(
    ("deployment_id", "call_type"),
    [("nobody", "acompletion"), ("claude-1", "aresponses"), ("claude-1", "anthropic_messages"), ("claude-1", "new")],
)
async def test_other_deployments_and_endpoints_are_left_alone(
    hook: PromptRouter, deployment_id: str, call_type: str
) -> None:
    """A deployment that wasn't there when the request was planned gets the body without marks."""
    out = await dispatch(body())
    sent = await deployed(out, deployment_id, call_type)
    assert sent == attempt(out, deployment_id)
    assert sent["messages"] is out["messages"]


@pytest.mark.parametrize(
    "kwargs",
    [
        pytest.param({}, id="nothing"),
        pytest.param({"messages": [{"role": "user", "content": "ping"}], "metadata": None}, id="a health probe"),
        pytest.param({"messages": [], "metadata": {}}, id="an empty bag"),
        pytest.param({"metadata": {"prompt_router": "forged"}}, id="nonsense in the bag"),
        pytest.param({"metadata": {"prompt_router": {"marking": {"plans": 3}}}}, id="nonsense as a plan"),
    ],
)
async def test_the_deployment_hook_never_raises(hook: PromptRouter, kwargs: dict[str, Any]) -> None:
    """An exception there would cost retries and fallbacks."""
    assert await async_pre_call_deployment_hook(dict(kwargs), "acompletion") == kwargs


@pytest.mark.usefixtures("mixed")
@pytest.mark.parametrize(
    "step",
    [
        "litellm_prompt_router.gateway.attempts.apply_instructions",
        "litellm_prompt_router.gateway.attempts.metadata_bag.marking_in",
    ],
)
async def test_a_fault_in_the_deployment_hook_leaves_the_body_unmarked(
    hook: PromptRouter, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """It is whole and valid without marks."""
    out = await dispatch(body())

    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("a secret of the prompt")

    monkeypatch.setattr(step, broken)
    assert await deployed(out, "claude-1") == attempt(out, "claude-1")


@pytest.mark.usefixtures("mixed")
async def test_a_fault_behind_the_walk_takes_back_its_marks(
    hook: PromptRouter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The request goes on as it came: nothing may be marked in it, claimed for it or told of it as rewritten."""

    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("a secret of the prompt")

    monkeypatch.setattr("litellm_prompt_router.policy.breaker.Breaker.succeeded", broken)
    sent = body()
    out = await dispatch(copy.deepcopy(sent))
    assert out["messages"] == sent["messages"]
    assert await deployed(out, "claude-1") == attempt(out, "claude-1")
    assert not {"prompt_router", "litellm_gateway_injected_cache"} & out["metadata"].keys()
    assert "prompt_router" not in out["metadata"]["spend_logs_metadata"]


@pytest.mark.usefixtures("mixed")
async def test_the_plan_stays_out_of_the_facts(hook: PromptRouter) -> None:
    """Headers and records are made of the same bag."""
    out = await dispatch(body())
    await deployed(out, "claude-1")
    logging = ProxyLogging(user_api_key_cache=DualCache())
    headers = await logging.post_call_response_headers_hook(data=out, user_api_key_dict=key(), response=None)
    assert headers["x-prompt-router-outcome"] == "rewritten"
    assert not any("marking" in name for name in headers)
    assert "marking" not in json.dumps(out["metadata"]["spend_logs_metadata"])


async def test_hooks_take_arguments_yet_unknown(hook: PromptRouter) -> None:
    """A LiteLLM that passes more keywords than today must not break a request."""
    data = body()
    assert await hook.async_pre_call_hook(key(), DualCache(), data, "acompletion", brand_new=1) is not None
    assert await hook.async_post_call_response_headers_hook(data, key(), None, brand_new=1) is not None
    assert await hook.async_pre_call_deployment_hook(data, None, brand_new=1) is None
    await hook.async_log_success_event({"litellm_params": data}, None, None, None, brand_new=1)


def test_hooks_stand_on_the_leaf_class() -> None:
    """LiteLLM skips an inherited ``async_pre_call_hook``."""
    assert "async_pre_call_hook" in vars(PromptRouter)
    assert "async_post_call_response_headers_hook" in vars(PromptRouter)
    assert "async_pre_call_deployment_hook" in vars(PromptRouter)


async def settled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, page: str, data: dict[str, Any], **more: Any
) -> dict[str, Any]:
    """LiteLLM's metadata bag behind an answered request, as its writer of spend logs gets it."""
    settings = load_settings({"ledger": {"path": str(tmp_path / "ledger.jsonl")}, "cost_page": page}, {})
    hook = PromptRouter(
        active_configuration(settings, Pipeline(PROFILES, COUNT, coverage_floor=settings.coverage_floor))
    )
    monkeypatch.setattr(litellm, "callbacks", [hook])
    out = await dispatch(data, key(mode=more.pop("mode", "rewrite")))
    answer = litellm.ModelResponse(model="claude", usage=litellm.Usage(prompt_tokens=100, completion_tokens=5))
    kwargs = {"litellm_params": out, "model": "claude-sonnet-4-5", "custom_llm_provider": "anthropic", **more}
    kwargs, _ = await hook.async_logging_hook(kwargs, answer, "acompletion")
    hook.close()
    bag: dict[str, Any] = kwargs["litellm_params"]["metadata"]
    return bag


@pytest.mark.parametrize(
    ("page", "more", "is_claimed"),
    [
        pytest.param("raw", {}, True, id="raw"),
        pytest.param("raw", {"cache_hit": True}, False, id="response cache"),
        pytest.param("raw", {"mode": "shadow"}, False, id="shadow"),
        pytest.param("off", {}, False, id="off"),
    ],
)
async def test_litellms_cost_page_reads_what_the_setting_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, page: str, more: dict[str, Any], is_claimed: bool
) -> None:
    """Raw tokens when asked for; nothing where nothing was sent, or as it came. A client's own claim never counts."""
    bag = await settled(tmp_path, monkeypatch, page, body(metadata=copy.deepcopy(FORGED)), **more)
    summary = bag["spend_logs_metadata"]["prompt_router"]
    removed = summary["original_tokens"] - summary["prompt_tokens"]
    assert extract_compression_saved_tokens(bag) == (removed if is_claimed else 0)
    if "cache_hit" in more:
        assert (summary["response_cached"], summary["list_price_saved_usd"]) == (True, None)
        assert "litellm_gateway_injected_cache" not in bag


async def test_an_agent_edited_everywhere_is_drift(hook: PromptRouter) -> None:
    """No module is as it was, but most lines are: the prompt passes through and is reported as drift."""
    text = "".join(module.text.rstrip("\n") + "\nOne more line here.\n\n" for module in WORKBENCH.modules)
    text = text.replace("\n\n", "\nAnd an edit of the agent's author.\n\n", 200)
    data = body()
    data["messages"][0]["content"] = text
    facts = left_facts((await dispatch(data))["metadata"])
    assert (facts["outcome"], facts["reason"]) == ("passthrough", "unrecognised")
    assert facts["is_drift"]
    assert facts["known_lines"] > 0.5


async def test_an_edited_section_goes_through_and_is_told_once_an_hour(tmp_path: Path, envelopes: Envelopes) -> None:
    """The new text reaches the provider verbatim in every request; one event says that the profile is behind."""
    settings = load_settings(
        {"ledger": {"path": str(tmp_path / "ledger.jsonl")}, "glitchtip": {"dsn": envelopes.dsn, "sample_rate": 0}}, {}
    )
    hook = PromptRouter(
        active_configuration(settings, Pipeline(PROFILES, COUNT, coverage_floor=settings.coverage_floor))
    )
    edited = next(module for module in WORKBENCH.modules if not module.always)
    text = edited.text.replace("\n", "\nMARKER: do it twice.\n", 1)
    for _ in range(5):
        data = body()
        data["messages"][0]["content"] = WORKBENCH.text.replace(edited.text, text)
        out = await hook.async_pre_call_hook(key(), DualCache(), data, "acompletion")
        assert out is not None
        assert text.strip() in out["messages"][0]["content"]
        await hook.async_log_success_event({"litellm_params": out}, None, None, None)
    hook.close()
    [drift] = envelopes.events
    assert (drift["message"], drift["contexts"]["drift"]["absent_modules"]) == ("Prompt drift", [edited.id])
    assert "MARKER" not in json.dumps(drift)


@pytest.mark.parametrize("how", ["kill switch", "PROMPT_ROUTER_DISABLED"])
async def test_stopped_means_out_of_the_path(hook: PromptRouter, how: str) -> None:
    """Nothing of the request is read, kept for accounting or left in LiteLLM's bag; the next start routes again."""
    running = hook._handler.configuration
    hook._handler.publish(replace(running, stopped_by=how))
    for _ in range(200):
        data = body()
        data["metadata"] = {**FORGED, "tags": ["t"]}
        out = await dispatch(data)
        assert out["messages"] is data["messages"]
        assert out["metadata"] == {"tags": ["t"], "spend_logs_metadata": {"cost_centre": "42"}}
    assert len(hook._completer) == 0
    assert hook._in_force().passed_while_stopped == 200
    logging = ProxyLogging(user_api_key_cache=DualCache())
    headers = await logging.post_call_response_headers_hook(data=out, user_api_key_dict=key(), response=None)
    assert not any(name.startswith("x-prompt-router") for name in headers)
    began = time.time()
    hook._handler.publish(running)
    assert hook._completer._accountant._caches._gap_seconds >= began
    assert left_facts((await dispatch(body()))["metadata"])["outcome"] == "rewritten"


@pytest.mark.parametrize(
    "message",
    ["yes, go ahead (ref 512)", "ja bitte, Ticket OPS-881 👍", "好的，继续（编号512）", "thanks, Maria! 🙏", "OPS-881"],
)
async def test_follow_ups_with_tails_send_what_was_there(hook: PromptRouter, message: str) -> None:
    """In a running conversation the same modules leave as for the message before."""
    before = await dispatch(body())
    messages = [*body()["messages"], {"role": "assistant", "content": "Done."}, {"role": "user", "content": message}]
    after = await dispatch(body(messages=messages))
    sent = [[module[0] for module in left_facts(out["metadata"])["modules"]] for out in (before, after)]
    assert sent[0] == sent[1]
    assert left_facts(after["metadata"])["outcome"] == "rewritten"

"""Requests that make several calls, or whose attempts carry other bodies: a record for each, of what it carried."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from decimal import Decimal
from importlib.util import find_spec
from typing import Any

import httpx
import pytest
import yaml

from litellm_prompt_router.record.facts import OTHER_BODY
from tests.emulators.envelopes import Envelopes
from tests.emulators.line_files import whole_lines
from tests.emulators.two_keys import TwoKeyProxy, running_two_keys
from tests.emulators.upstream import HttpError, Reply, Text, Upstream, Usage
from tests.end_to_end.workbench import (
    MESSAGES_TOOLS,
    PROMPT,
    TOOLS,
    WAIT_SECONDS,
    conversation,
    marks,
    messages_body,
    system_text,
)

pytestmark = [
    pytest.mark.proxy,
    pytest.mark.skipif(
        find_spec("litellm.litellm_core_utils.prompt_templates.mid_conversation_system") is None,
        reason="this LiteLLM tells its hooks of no attempt's end",
    ),
]
HOSTS = {"anthropic": "os.environ/ANTHROPIC_API_BASE", "openai": "os.environ/OPENAI_API_BASE"}
MODELS = {
    "opus": "anthropic/claude-opus-5",
    "claude": "anthropic/claude-sonnet-4-5",
    "gpt": "openai/gpt-4.1",
    "bridged": "openai/responses/gpt-4.1",
    "mirrored": "anthropic/claude-opus-5",
    "spare": "anthropic/claude-sonnet-4-5",
}
INPUT_USD = {"claude-opus-5": Decimal("5e-6"), "claude-sonnet-4-5": Decimal("3e-6"), "gpt-4.1": Decimal("2e-6")}
OUTPUT_USD = {"claude-opus-5": Decimal("25e-6"), "claude-sonnet-4-5": Decimal("15e-6"), "gpt-4.1": Decimal("8e-6")}
"""platform.claude.com and openai.com, "Pricing", checked 2026-11."""
DOWN = HttpError(status=500, message="down")
BUSY = HttpError(status=503, message="busy")
SEARCH = {"type": "web_search_20250305", "name": "web_search", "max_uses": 3}


def model_list() -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = []
    for name, model in MODELS.items():
        params = {"model": model, "api_base": HOSTS[model.split("/")[0]], "api_key": "emulated"}
        extra = {"silent_model": "gpt"} if name == "mirrored" else {}
        entries.append({"model_name": name, "litellm_params": params | extra, "model_info": {"id": f"{name} 0"}})
    router = {
        "model": "auto_router/complexity_router",
        "complexity_router_config": {"tiers": dict.fromkeys(("SIMPLE", "MEDIUM", "COMPLEX", "REASONING"), "opus")},
        "complexity_router_default_model": "opus",
    }
    entries.append({"model_name": "auto", "litellm_params": router, "model_info": {"id": "auto 0"}})
    wild = {"model": "anthropic/*", "api_base": HOSTS["anthropic"], "api_key": "emulated"}
    return [*entries, {"model_name": "anthropic/*", "litellm_params": wild, "model_info": {"id": "wild 0"}}]


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TwoKeyProxy]:
    folder = tmp_path_factory.mktemp("several")
    config = folder / "proxy_config.yaml"
    document = {
        "model_list": model_list(),
        "router_settings": {
            "num_retries": 0,
            "allowed_fails": 1_000,
            "fallbacks": [{"spare": ["gpt"]}],
            "context_window_fallbacks": [{"claude": ["gpt"]}],
            "model_group_alias": {"also opus": "opus"},
        },
        "callback_settings": {"prompt_router": {"placement": "auto", "cache_hints": True}},
        "litellm_settings": {"callbacks": ["hooks.callback.handler"]},
        "general_settings": {"master_key": "os.environ/LITELLM_MASTER_KEY", "always_include_stream_usage": True},
    }
    config.write_text(yaml.safe_dump(document), encoding="utf-8")
    with (
        Upstream() as upstream,
        Envelopes() as envelopes,
        running_two_keys(upstream, envelopes, folder, config_path=config) as running,
    ):
        yield running


def asked(
    proxy: TwoKeyProxy, body: dict[str, Any], *replies: Reply, path: str = "/v1/chat/completions", records: int = 1
) -> tuple[httpx.Response, list[Any], list[dict[str, Any]]]:
    """``(answer, bodies on the wire, records)`` of one request."""
    proxy.clear()
    proxy.upstream.script(*replies)
    before = len(whole_lines(proxy.ledger_path)) if proxy.ledger_path.exists() else 0
    with httpx.Client(base_url=proxy.url, timeout=30.0, trust_env=False) as client:
        answer = client.post(path, json=body, headers={"Authorization": f"Bearer {proxy.keys['master']}"})
    deadline = time.monotonic() + WAIT_SECONDS
    found: list[str] = []
    while len(found) < records and time.monotonic() < deadline:
        time.sleep(0.05)
        found = whole_lines(proxy.ledger_path)[before:] if proxy.ledger_path.exists() else []
    time.sleep(0.3)  # one too many would come by now
    found = whole_lines(proxy.ledger_path)[before:]
    assert len(found) == records
    told = sorted(map(json.loads, found), key=lambda record: str(record["model"]))
    return answer, [request.json for request in proxy.upstream.calls], told


def chat(model: str, **more: Any) -> dict[str, Any]:
    return {"model": model, "messages": conversation(), "tools": TOOLS, "max_tokens": 50, **more}


def bill(model: str, usage: Usage) -> Decimal:
    """What the provider charges."""
    return usage.uncached_input_tokens * INPUT_USD[model] + usage.output_tokens * OUTPUT_USD[model]


def by_model(bodies: list[Any]) -> dict[str, Any]:
    return {body["model"]: body for body in bodies}


FEW, MANY = Usage(uncached_input_tokens=1_000), Usage(uncached_input_tokens=2_000, output_tokens=50)


@pytest.mark.parametrize("other", ["claude", "gpt"])
def test_each_call_of_a_list_has_its_own_record(proxy: TwoKeyProxy, other: str) -> None:
    """Its own model, bill, marks and id; the bills add up to what the provider charges."""
    of_model = {"claude-opus-5": FEW, MODELS[other].split("/")[1]: MANY}
    proxy.upstream.decide = lambda body: Text(text="done", usage=of_model[body["model"]])
    try:
        answer, bodies, records = asked(proxy, chat(f"opus, {other}"), records=2)
    finally:
        proxy.upstream.decide = None
    assert len(answer.json()) == 2
    sent = by_model(bodies)
    assert [record["model"] for record in records] == sorted(of_model)
    for record in records:
        model = record["model"]
        assert Decimal(record["billed_usd"]) == bill(model, of_model[model])
        assert record["uncached_input_tokens"] == of_model[model].uncached_input_tokens
        assert record["breakpoints_total"] == marks(sent[model])
        assert (record["outcome"], record["prompt_chars"]) == ("rewritten", len(system_text(sent[model])))
        assert record["priced_usd"] == record["billed_usd"]
    assert records[0]["estimated_net_saved_usd"] is not None
    assert marks(sent["claude-opus-5"]) == 3
    assert marks(sent[MODELS[other].split("/")[1]]) == (3 if other == "claude" else 0)
    assert len({record["request_id"] for record in records}) == 2
    assert len({record["call_id"] for record in records}) == 1


def test_a_call_that_failed_beside_another_has_no_bill_and_no_record(proxy: TwoKeyProxy) -> None:
    _, bodies, (record,) = asked(proxy, chat("claude,gpt"), HttpError(status=400, message="no"))
    assert len(bodies) == 2
    assert record["status"] == "success"
    assert record["breakpoints_total"] == marks(by_model(bodies)[record["model"]])


def test_a_list_of_which_every_call_failed_is_a_failure(proxy: TwoKeyProxy) -> None:
    """LiteLLM answers it with a list of errors."""
    refused = HttpError(status=400, message="no")
    answer, _, (record,) = asked(proxy, chat("claude,gpt"), refused, refused)
    assert [error["status_code"] for error in answer.json()] == [400, 400]
    assert (record["status"], record["error_type"], record["billed_usd"]) == ("failure", "BadRequestError", None)


def test_several_conversations_to_several_models(proxy: TwoKeyProxy) -> None:
    """LiteLLM takes a list of lists of messages, which no shape of ours reads: each call has its record and bill."""
    batch = chat("claude,gpt") | {"messages": [conversation(), conversation()]}
    _, bodies, records = asked(proxy, batch, records=4)
    assert len(bodies) == 4
    for record in records:
        assert (record["outcome"], record["prompt_chars"]) == ("passthrough", len(PROMPT))
        assert Decimal(record["billed_usd"]) == bill(record["model"], Usage())
        assert Decimal(record["estimated_net_saved_usd"]) == 0
    assert [record["model"] for record in records] == ["claude-sonnet-4-5"] * 2 + ["gpt-4.1"] * 2


@pytest.mark.parametrize("router", ["auto", "auto,gpt"])
def test_behind_an_auto_router(proxy: TwoKeyProxy, router: str) -> None:
    """Marks as when asked directly, in a list of models too."""
    count = len(router.split(","))
    _, bodies, records = asked(proxy, chat(router), records=count)
    assert {body["model"]: marks(body) for body in bodies}["claude-opus-5"] == 3
    assert [record["breakpoints_total"] for record in records] == [3, 0][:count]


def test_a_fallback_of_one_of_them_has_its_own_marks(proxy: TwoKeyProxy) -> None:
    """It answers in its place, with its own model and bill."""
    proxy.upstream.decide = lambda body: DOWN if body["model"] == "claude-sonnet-4-5" else None
    try:
        _, bodies, records = asked(proxy, chat("opus,spare"), records=2)
    finally:
        proxy.upstream.decide = None
    assert [record["model"] for record in records] == ["claude-opus-5", "gpt-4.1"]
    assert [record["breakpoints_total"] for record in records] == [3, 0]
    assert [(body["model"], marks(body)) for body in bodies if "gpt" in body["model"]] == [("gpt-4.1", 0)]


def test_calls_whose_streams_nobody_can_read_are_failures(proxy: TwoKeyProxy) -> None:
    """LiteLLM answers 500 for a list that is to be streamed, after it made the calls."""
    answer, bodies, records = asked(proxy, chat("opus,gpt", stream=True), records=2)
    assert (answer.status_code, len(bodies)) == (500, 2)
    assert [(record["model"], record["status"], record["billed_usd"]) for record in records] == [
        ("claude-opus-5", "failure", None),
        ("gpt-4.1", "failure", None),
    ]


def test_the_fastest_answer_has_its_own_model_and_bill(proxy: TwoKeyProxy) -> None:
    """Of the other call nobody knows what it cost."""
    proxy.upstream.decide = lambda body: Text(text="late", delay_seconds=1.0) if "gpt" in body["model"] else None
    try:
        for stream in (False, True):
            _, _, records = asked(proxy, chat("opus,gpt", fastest_response=True, stream=stream), records=2)
            won, lost = records
            assert (won["model"], won["status"], won["deployment_id"]) == ("claude-opus-5", "success", "opus 0")
            assert Decimal(won["billed_usd"]) == bill("claude-opus-5", Usage())
            assert (lost["model"], lost["status"], lost["billed_usd"]) == ("gpt-4.1", "failure", None)
            assert lost["usage_reason"] == "LiteLLM took another model's answer before this one's"
    finally:
        proxy.upstream.decide = None


def test_a_list_through_the_responses_api(proxy: TwoKeyProxy) -> None:
    """Where LiteLLM makes another body of one of them, that is the same call."""
    _, _, records = asked(proxy, chat("bridged,claude"), records=2)
    assert [record["model"] for record in records] == ["claude-sonnet-4-5", "gpt-4.1"]
    assert [Decimal(record["billed_usd"]) for record in records] == [bill(r["model"], Usage()) for r in records]


def test_a_mirrored_call_has_its_own_record_and_marks(proxy: TwoKeyProxy) -> None:
    """LiteLLM sends it to a model that nobody counted on: marks for Claude don't reach it."""
    _, bodies, records = asked(proxy, chat("mirrored"), records=2)
    assert {body["model"]: marks(body) for body in bodies} == {"claude-opus-5": 3, "gpt-4.1": 0}
    assert [(record["model"], record["breakpoints_total"]) for record in records] == [
        ("claude-opus-5", 3),
        ("gpt-4.1", 0),
    ]
    assert len({record["request_id"] for record in records}) == 2
    assert all(record["estimated_net_saved_usd"] is not None for record in records)


OWN_CHAT = [{"role": "system", "content": PROMPT}, {"role": "user", "content": "Sum up in/orders.csv"}]


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize(
    ("path", "body", "own"),
    [
        ("/v1/chat/completions", chat("claude"), {"messages": OWN_CHAT}),
        ("/v1/messages", {**messages_body(), "model": "claude"}, {"system": PROMPT}),
    ],
    ids=["chat", "messages"],
)
def test_a_fallback_with_messages_of_its_own_is_told_as_it_was(
    proxy: TwoKeyProxy, path: str, body: dict[str, Any], own: dict[str, Any], stream: bool
) -> None:
    """Not rewritten, of full size, no saving; its call comes after one that failed with ours."""
    request = {**body, "fallbacks": [{"model": "opus", **own}], "stream": stream}
    _, (first, second), (record,) = asked(proxy, request, BUSY, path=path)
    assert (marks(first), marks(second)) == (3, 0)
    assert len(system_text(second)) == len(PROMPT)
    told = {name: record[name] for name in ("outcome", "reason", "original_chars", "prompt_chars", "modules")}
    assert told == {
        "outcome": "passthrough",
        "reason": OTHER_BODY,
        "original_chars": len(PROMPT),
        "prompt_chars": len(PROMPT),
        "modules": [],
    }
    assert (record["model"], record["breakpoints_added"], record["breakpoints_total"]) == ("claude-opus-5", 0, 0)
    assert Decimal(record["estimated_net_saved_usd"]) == 0
    assert record["counterfactual_usd"] == record["billed_usd"]


def test_other_messages_behind_our_prompt_bring_no_figure(proxy: TwoKeyProxy) -> None:
    """The prompt was rewritten; what the usage says is of other messages."""
    own = {"model": "opus", "messages": [{"role": "user", "content": "Something else"}]}
    request = {**messages_body(), "model": "claude", "fallbacks": [own]}
    _, (_, second), (record,) = asked(proxy, request, BUSY, path="/v1/messages")
    assert (record["outcome"], record["prompt_chars"]) == ("rewritten", len(system_text(second)))
    assert record["breakpoints_total"] == marks(second)
    assert record["estimated_net_saved_usd"] is None
    assert record["estimated_net_saved_reason"] == "unavailable: the attempt that answered carried other messages"


@pytest.mark.parametrize(
    ("fallbacks", "answering"),
    [(["gpt"], "gpt-4.1"), ([{"model": "gpt"}], "gpt-4.1"), ([{"claude": ["opus"]}], "claude-opus-5")],
    ids=["a name", "an entry", "a rule"],
)
def test_a_clients_fallback_carries_the_rewritten_body(proxy: TwoKeyProxy, fallbacks: Any, answering: str) -> None:
    """In each of LiteLLM's forms: its own marks, the record names who answered."""
    _, (first, second), (record,) = asked(proxy, chat("claude", fallbacks=fallbacks), BUSY)
    assert (record["model"], record["outcome"]) == (answering, "rewritten")
    assert (marks(first), marks(second)) == (3, 0 if "gpt" in answering else 3)
    assert record["breakpoints_total"] == marks(second)


def test_a_context_too_long_is_answered_elsewhere(proxy: TwoKeyProxy) -> None:
    too_long = HttpError(status=400, message="prompt is too long: 250000 tokens > 200000 maximum")
    _, (first, second), (record,) = asked(proxy, chat("claude"), too_long)
    assert (marks(first), marks(second)) == (3, 0)
    assert (record["model"], record["outcome"], record["breakpoints_total"]) == ("gpt-4.1", "rewritten", 0)


@pytest.mark.parametrize(
    ("model", "more"),
    [
        ("anthropic/claude-opus-5", {}),
        ("also opus", {}),
        ("opus", {"fallbacks": ["nobody"]}),
        ("opus,nobody", {}),
    ],
    ids=["a wildcard", "an alias", "an unknown fallback", "an unknown model in a list"],
)
def test_marks_are_placed_for_the_deployment_that_is_chosen(
    proxy: TwoKeyProxy, model: str, more: dict[str, Any]
) -> None:
    """Whatever is known of the group beforehand; never more than four."""
    _, (body,), (record,) = asked(proxy, chat(model, **more))
    assert (body["model"], marks(body)) == ("claude-opus-5", 3)
    assert (record["outcome"], record["breakpoints_total"]) == ("rewritten", 3)


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("searches", [2, None], ids=["counted", "not counted"])
def test_what_a_search_brought_in_is_no_saving(proxy: TwoKeyProxy, searches: int | None, stream: bool) -> None:
    """The usage counts it; the bill stands, and no figure is made of it."""
    usage = Usage(uncached_input_tokens=120_000, output_tokens=500, searches=searches)
    request = {**messages_body(), "model": "opus", "tools": [*MESSAGES_TOOLS, SEARCH], "stream": stream}
    _, _, (record,) = asked(proxy, request, Text(text="found", usage=usage), path="/v1/messages")
    assert (record["outcome"], record["uncached_input_tokens"]) == ("rewritten", 120_000)
    assert Decimal(record["billed_usd"]) >= bill("claude-opus-5", usage)
    assert (record["counterfactual_usd"], record["estimated_net_saved_usd"]) == (None, None)
    assert record["estimated_net_saved_reason"] == (
        "unavailable: the usage counts what the provider's own tools brought in"
    )


def test_a_search_that_was_not_made_changes_nothing(proxy: TwoKeyProxy) -> None:
    usage = Usage(uncached_input_tokens=9_000, searches=0)
    request = {**messages_body(), "model": "opus", "tools": [*MESSAGES_TOOLS, SEARCH]}
    _, _, (record,) = asked(proxy, request, Text(text="known", usage=usage), path="/v1/messages")
    assert record["estimated_net_saved_usd"] is not None


def test_a_stream_that_ended_without_usage_is_a_guess(proxy: TwoKeyProxy) -> None:
    """It says so, and no net figure comes from it; a stream that told its usage is none."""
    _, _, (record,) = asked(proxy, chat("gpt", stream=True), Text(text="One two three", tells_usage=False))
    assert record["usage_reason"] == "the stream ended without usage, so that LiteLLM counted it"
    assert record["uncached_input_tokens"] > 1_000
    assert record["estimated_net_saved_usd"] is None
    assert record["estimated_net_saved_reason"] == f"unavailable: {record['usage_reason']}"
    _, _, (told,) = asked(proxy, chat("gpt", stream=True))
    assert (told["usage_reason"], told["uncached_input_tokens"]) == (None, 100)


def test_the_log_has_no_complaint(proxy: TwoKeyProxy) -> None:
    assert "prompt router:" not in proxy.proxy.log()

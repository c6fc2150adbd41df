"""Estimates for hosts besides Anthropic and OpenAI: every one gets them, and says what they are worth."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from litellm_prompt_router.accounting.accountant import Accountant, AnsweredAttempt, AnsweringDeployment
from litellm_prompt_router.accounting.in_flight import InFlightRequests
from litellm_prompt_router.cache_model import DeployedModel
from litellm_prompt_router.cache_model.known_tools import KnownTools
from litellm_prompt_router.cache_model.usage import read_usage
from litellm_prompt_router.gateway.deployments.describe import describe
from litellm_prompt_router.record.record import Record
from tests.cache_model.calls import count_words, words
from tests.telemetry.records import CALLER, FACTS, RECORD

PRICES = {"input_cost_per_token": 1e-6, "cache_read_input_token_cost": 1e-7, "output_cost_per_token": 0.0}
FULL, CUT = words(9_000), words(5_000)
START = CALLER.started_seconds


class NoTranslator:
    tools = KnownTools()

    """None of these hosts' bodies is translated."""

    def messages_of_chat(self, body: Mapping[str, Any], model: DeployedModel) -> Mapping[str, Any]:
        raise AssertionError

    def messages_of_rest(self, body: Mapping[str, Any], lead: int, end: int, model: DeployedModel) -> None:
        raise AssertionError

    def chat_of_responses(self, body: Mapping[str, Any], model: DeployedModel) -> Mapping[str, Any]:
        raise AssertionError


def completed(
    name: str,
    *,
    prices: Mapping[str, Any] = PRICES,
    is_sent: bool = True,
    calls: int = 3,
    gap_seconds: float = 10.0,
    mark: Mapping[str, Any] | None = None,
    configured: Mapping[str, Any] | None = None,
    **parameters: Any,
) -> list[Record]:
    """The records of so many calls of one conversation each, all with one system prompt. Nothing was read by them."""
    model = replace(describe(name), injection_points=() if configured is None else (configured,))
    accountant = Accountant(
        count_words,
        START - 1_000_000,
        deployments=lambda answer: AnsweringDeployment(model, prices),
        translator=NoTranslator(),
    )
    answer = AnsweredAttempt(
        deployment_id="d", provider=model.provider, model=model.own_name, scope=1, usage=None, breakdown=None,
        first_token_seconds=0.5,
    )  # fmt: skip
    records = []
    for number in range(calls):
        kept = InFlightRequests()
        said = [{"type": "text", "text": f"question {number}", **({"cache_control": mark} if mark else {})}]
        full, cut = (
            {"messages": [{"role": "system", "content": text}, {"role": "user", "content": said}], **parameters}
            for text in (FULL, CUT)
        )
        kept.put("r", "acompletion", full, cut, START, is_sent=is_sent)
        tokens = (5_000 if is_sent else 9_000) + 10
        usage = {"prompt_tokens": tokens, "completion_tokens": 1, "prompt_tokens_details": {"cached_tokens": 0}}
        record = replace(
            RECORD,
            facts=replace(FACTS, caller=replace(CALLER, started_seconds=START + gap_seconds * number)),
            usage=read_usage(usage),
            billed_usd=Decimal(tokens) / 1_000_000,
        )
        records.append(accountant.complete(record, replace(answer, usage=usage), kept.take("r")))
    return records


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("deepseek/deepseek-chat", "modelled"),
        ("groq/openai/gpt-oss-120b", "modelled"),
        ("moonshot/kimi-k3", "modelled"),
        ("azure/gpt-4.1", "modelled"),
        ("gemini/gemini-2.5-pro", "assumed"),
        ("vertex_ai/gemini-3.5-flash", "assumed"),
        ("xai/grok-4", "assumed"),
        ("mistral/mistral-large-latest", "assumed"),
        ("fireworks_ai/kimi-k2", "assumed"),
        ("dashscope/qwen3-max", "assumed"),
        ("openrouter/deepseek/deepseek-chat", "assumed"),
        ("hosted_vllm/anything", "assumed"),
    ],
)
@pytest.mark.parametrize("is_sent", [True, False], ids=["rewritten", "shadow"])
def test_every_host_has_an_estimate_that_says_what_it_is(name: str, label: str, is_sent: bool) -> None:
    last = completed(name, is_sent=is_sent)[-1]
    assert last.estimated_net_saved_method == f"{label}: cache model 2, this process's calls"
    assert last.counterfactual is not None
    assert last.counterfactual.cache_read_tokens > 4_000
    assert last.estimated_net_saved_usd is not None


def test_deepseeks_full_prompt_is_read_from_the_third_conversation_on() -> None:
    """The first stores its own end, the second what the two share."""
    found = [record.counterfactual for record in completed("deepseek/deepseek-chat", gap_seconds=3_600)]
    assert [usage.cache_read_tokens > 8_000 for usage in found if usage is not None] == [False, False, True]


def test_an_assumed_full_prompt_lives_long_and_an_unsent_rewritten_one_does_not() -> None:
    """Whichever of the two has no bill is taken for the cheap one's sake against our saving."""
    full, unsent = (completed("xai/grok-4", is_sent=sent, gap_seconds=3_600) for sent in (True, False))
    reads = [[r.counterfactual.cache_read_tokens for r in side if r.counterfactual] for side in (full, unsent)]
    assert [tokens > 8_000 for tokens in reads[0]] == [False, True, True]
    assert reads[1] == [0, 0, 0]
    soon = completed("xai/grok-4", is_sent=False, gap_seconds=10)[-1].counterfactual
    assert soon is not None
    assert soon.cache_read_tokens % 256 == 0 < soon.cache_read_tokens


def test_a_host_without_a_cache_price_needs_no_rules() -> None:
    last = completed("hosted_vllm/anything", prices={"input_cost_per_token": 1e-6, "output_cost_per_token": 0.0})[-1]
    assert last.estimated_net_saved_method == "no cache prices"


@pytest.mark.parametrize(
    "asked",
    [
        pytest.param({"mark": {"type": "ephemeral"}}, id="a mark"),
        pytest.param({"cache_control_injection_points": [{"location": "message", "role": "system"}]}, id="a point"),
        pytest.param({"configured": {"location": "message", "role": "system"}}, id="the deployment's point"),
        pytest.param({"cached_content": "cachedContents/1"}, id="a content that the client made"),
    ],
)
def test_geminis_explicit_caches_are_not_modelled(asked: Mapping[str, Any]) -> None:
    last = completed("gemini/gemini-2.5-pro", **asked)[-1]
    reason = "unavailable: Gemini keeps an explicit cache for this request, which isn't modelled"
    assert (last.estimated_net_saved_usd, last.estimated_net_saved_reason) == (None, reason)

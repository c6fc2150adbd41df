"""Our own arithmetic against LiteLLM's: every chat model of its map, at the thresholds, in every service tier."""

from __future__ import annotations

import random
from decimal import Decimal
from typing import Any

import litellm
import pytest
from litellm.types.utils import CacheCreationTokenDetails, CompletionTokensDetailsWrapper, PromptTokensDetailsWrapper
from litellm.types.utils import Usage as Reported

from litellm_prompt_router.accounting.bill import SAME_USD, BillTerms, bill_terms, explain_difference, priced
from litellm_prompt_router.accounting.rates import rates_of
from litellm_prompt_router.cache_model.usage import Usage, read_kinds, read_usage

SAMPLES = 1
TIERS = (None, "priority", "flex")
PROVIDERS = frozenset(
    {"anthropic", "openai", "azure", "azure_ai", "bedrock", "bedrock_converse", "gemini", "deepseek", "xai", "mistral"}
    | {"groq", "openrouter", "moonshot", "dashscope", "cerebras", "vertex_ai-language-models"}
    | {"vertex_ai-anthropic_models"}
)
PRICED_BY_PROVIDER = ("off_peak_pricing", "input_cost_per_character", "input_cost_per_second", "cost_per_second")


def reported(rng: random.Random, prompt: int) -> Reported:
    """Usage as LiteLLM's success event has it."""
    read = rng.choice((0, prompt // 3))
    write_1h = rng.choice((0, prompt // 5))
    write = write_1h + rng.choice((0, prompt // 7))
    output = rng.randint(1, 900)
    reasoning = rng.choice((0, output // 3))
    return Reported(
        prompt_tokens=prompt,
        completion_tokens=output,
        total_tokens=prompt + output,
        prompt_tokens_details=PromptTokensDetailsWrapper(
            cached_tokens=read,
            cache_creation_tokens=write,
            cache_creation_token_details=CacheCreationTokenDetails(
                ephemeral_5m_input_tokens=write - write_1h, ephemeral_1h_input_tokens=write_1h
            ),
        ),
        completion_tokens_details=CompletionTokensDetailsWrapper(reasoning_tokens=reasoning),
    )


def models() -> list[str]:
    """The chat models that are priced by the token."""
    found = []
    for name, entry in litellm.model_cost.items():
        provider = entry.get("litellm_provider")
        if (
            entry.get("mode") != "chat"
            or provider not in PROVIDERS
            or any(field in entry for field in PRICED_BY_PROVIDER)
        ):
            continue
        if entry.get("input_cost_per_token") and not name.startswith("ft:"):
            found.append(name)
    return found


def test_it_comes_to_what_litellm_bills() -> None:
    """Cached, written for 5 minutes and an hour, reasoning, long prompts: to a hundredth of the cent of a cent."""
    rng = random.Random(11)
    differing: dict[str, list[Any]] = {}
    checked = 0
    for name in models():
        try:
            model, placed, _, _ = litellm.get_llm_provider(model=name)
            info = litellm.get_model_info(model=model, custom_llm_provider=placed)
        except Exception:  # noqa: BLE001  # names that LiteLLM itself can't place
            continue
        for number in range(SAMPLES):
            tier = TIERS[(number + checked) % len(TIERS)]
            usage = reported(rng, rng.choice((2_000, 128_000, 128_001, 200_001, 272_001, 999_999)))
            theirs = sum(
                litellm.cost_per_token(
                    model=model,
                    custom_llm_provider=placed,
                    usage_object=usage,
                    prompt_tokens=usage.prompt_tokens,
                    completion_tokens=usage.completion_tokens,
                    service_tier=tier,
                )
            )
            own = read_usage(usage)
            assert own is not None
            ours = priced(own, info, BillTerms(service_tier=tier), placed, read_kinds(usage))
            checked += 1
            if ours is None or abs(ours - Decimal(str(theirs))) > SAME_USD:
                differing.setdefault(f"{placed}", []).append((name, tier, usage.prompt_tokens, ours, theirs))
    assert checked > 500
    assert not differing, {provider: (len(cases), cases[:3]) for provider, cases in differing.items()}


USAGE = Usage(
    uncached_input_tokens=100_000,
    cache_read_tokens=50_000,
    cache_write_5m_tokens=30_000,
    cache_write_1h_tokens=20_000,
    output_tokens=1_000,
)
INFO = {
    "input_cost_per_token": 3e-06,
    "input_cost_per_token_above_200k_tokens": "6e-06",
    "input_cost_per_token_priority": 5e-06,
    "output_cost_per_token": 1.5e-05,
    "cache_read_input_token_cost": 0.0,
    "cache_creation_input_token_cost": 3.75e-06,
}


@pytest.mark.parametrize(
    ("tokens", "tier", "uncached"),
    [
        pytest.param(200_000, None, "0.000003", id="at the threshold"),
        pytest.param(200_001, None, "0.000006", id="past it, and the price is text"),
        pytest.param(200_000, "priority", "0.000005", id="a tier of its own"),
        pytest.param(200_001, "priority", "0.000006", id="past it without a price for the tier"),
        pytest.param(200_000, "batch", "0.000003", id="a tier that LiteLLM has no price for"),
    ],
)
def test_the_price_by_size_and_tier(tokens: int, tier: str | None, uncached: str) -> None:
    rates = rates_of(INFO, tokens, service_tier=tier)
    assert rates is not None
    assert rates.uncached == Decimal(uncached)
    assert rates.read == 0, "a price of 0 is a price"
    assert rates.write_1h == rates.write_5m == Decimal("0.00000375"), "an hour without a price costs what others do"


def test_the_hand_made_bill() -> None:
    """Every bucket at its price, then the provider's tools, a discount, a margin and a fee on top."""
    tokens = Decimal("0.3") + Decimal("0.1875") + Decimal("0.015")
    assert priced(USAGE, INFO, BillTerms(), None) == tokens
    basis = bill_terms(
        {
            "tool_usage_cost": 0.01,
            "additional_costs": {"router": 0.002},
            "discount_percent": 0.1,
            "margin_percent": 0.05,
            "margin_fixed_amount": 0.0005,
        },
        None,
        INFO,
    )
    ours = priced(USAGE, INFO, basis, None)
    assert ours == (tokens + Decimal("0.012")) * Decimal("0.9") * Decimal("1.05") + Decimal("0.0005")


def test_regions_and_speed_cost_more() -> None:
    info = {
        **INFO,
        "provider_specific_entry": {"us": 1.1, "fast": 6.0},
        "regional_processing_uplift_multiplier_eu": 1.2,
    }
    usage = Reported(prompt_tokens=1, completion_tokens=1, total_tokens=2, inference_geo="US", speed="fast")
    assert bill_terms({"data_residency": "EU"}, usage, info).multiplier == Decimal("1.1") * 6 * Decimal("1.2")


@pytest.mark.parametrize(
    ("billed", "stated", "info", "why"),
    [
        pytest.param("0.5000004", False, INFO, None, id="floats"),
        pytest.param("0.6", True, INFO, "differs from the bill: LiteLLM took the cost that the provider stated"),
        pytest.param(
            "0.6",
            False,
            {**INFO, "off_peak_pricing": {}},
            "differs from the bill: the model has off-peak prices, which are not ours to tell",
        ),
        pytest.param("0.6", False, INFO, "differs from the bill: LiteLLM priced it by another rule or entry"),
    ],
)
def test_why_two_bills_differ(billed: str, stated: bool, info: dict[str, Any], why: str | None) -> None:
    assert explain_difference(Decimal(billed), Decimal("0.5"), BillTerms(is_stated=stated), info) == why


def test_no_price_is_no_bill_of_0() -> None:
    assert rates_of({"input_cost_per_token": None}, 10) is None
    free = rates_of({"input_cost_per_token": 0}, 10)
    assert free is not None, "a price of 0 that somebody set is a price"

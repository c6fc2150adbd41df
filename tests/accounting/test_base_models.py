"""Net figures of deployments whose names say nothing: Azure's, and Bedrock's inference profiles, by ``base_model``."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.accounting.comparing import Compared, accuracy_of, compared
from tests.accounting.driving import Endpoint, Lane, driving
from tests.analysis.recordings import as_responses, recorded
from tests.emulators.caching import EmulatedCache
from tests.emulators.providers import AWS
from tests.emulators.upstream import Upstream

pytestmark = [
    pytest.mark.filterwarnings("ignore:Items? .* on TypedDict class:UserWarning"),
    pytest.mark.filterwarnings("ignore:Accessing the 'model_:DeprecationWarning"),
]

ARN = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc123"
AZURE = {"model": "azure/prod", "api_version": "2025-04-01-preview"}
HAIKU = "anthropic.claude-haiku-4-5-20251001-v1:0"
SONNET = "anthropic.claude-sonnet-4-5-20250929-v1:0"


def deployed(params: Mapping[str, Any], base: str, stated: str, url: str) -> list[dict[str, Any]]:
    """The model list: one group ``g``, whose base model is stated here or there."""
    entry: dict[str, Any] = {
        "model_name": "g",
        "litellm_params": {**params, "api_base": url, "api_key": "emulated"},
        "model_info": {},
    }
    entry[stated]["base_model"] = base
    return [entry]


def assert_exact(calls: list[Compared]) -> None:
    """Every call was rewritten, billed by the base model's prices, and estimated to the digit."""
    for call in calls:
        record = call.record
        assert record["outcome"] == "rewritten", record["reason"]
        assert record["estimated_net_saved_reason"] is None
        assert record["priced_reason"] is None
        assert Decimal(record["priced_usd"]) == Decimal(record["billed_usd"]) > 0
    accuracy = accuracy_of(calls)
    assert accuracy.unknown == 0
    assert accuracy.estimated_usd == accuracy.true_usd != 0
    assert accuracy.signs_share == 1.0


@pytest.mark.parametrize(
    ("endpoint", "base", "stated"),
    [
        ("acompletion", "azure/gpt-5", "model_info"),
        ("acompletion", "gpt-4.1", "litellm_params"),
        ("aresponses", "azure/gpt-5", "model_info"),
    ],
)
async def test_azure_deployments(tmp_path: Path, endpoint: Endpoint, base: str, stated: str) -> None:
    calls = recorded("azure", 2, "gpt")
    told = await compared(
        tmp_path,
        {"g": as_responses(calls) if endpoint == "aresponses" else calls},
        caching=EmulatedCache(known_as=lambda _: base),
        endpoint=endpoint,
        models=partial(deployed, AZURE, base, stated),
    )
    assert_exact(told)


@pytest.mark.parametrize(
    ("model", "base", "stated"),
    [
        (f"bedrock/converse/{ARN}", HAIKU, "model_info"),
        (f"bedrock/converse/{ARN}", SONNET, "litellm_params"),
        (f"bedrock/{ARN}", SONNET, "model_info"),
    ],
)
async def test_inference_profiles(tmp_path: Path, model: str, base: str, stated: str) -> None:
    """Haiku 4.5 caches from 4,096 tokens on, Sonnet 4.5 from 1,024."""
    told = await compared(
        tmp_path,
        {"g": [call for call in recorded("bedrock", 3, "claude") if not call.request.get("stream")]},
        models=partial(deployed, {"model": model, **AWS}, base, stated),
        caching=EmulatedCache(known_as=lambda _: base),
        settings={"cost_gate": False},  # at Haiku's prices some calls aren't worth rewriting
    )
    assert_exact(told)
    assert any(call.record["counterfactual_cache_write_5m_tokens"] for call in told)


async def test_without_a_base_model_there_is_no_price_to_go_by(tmp_path: Path) -> None:
    with Upstream() as upstream, driving(tmp_path, deployed(AZURE, "", "model_info", upstream.url), upstream) as driver:
        upstream.caching = EmulatedCache()
        await driver.run(Lane(group="g", calls=recorded("azure", 1, "gpt")[:1]))
        (record,) = driver.records()
    assert record["estimated_net_saved_reason"] == "unavailable: no price"

"""Records of a real proxy in real time: priced as LiteLLM bills, and the estimate is what the other key pays."""

from __future__ import annotations

import copy
import json
import time
import uuid
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from litellm_prompt_router.accounting.bill import SAME_USD
from litellm_prompt_router.gateway.deployments.capabilities import target_of_model
from litellm_prompt_router.request.wire.chat_marks import well_cached
from tests.emulators.caching import EmulatedCache
from tests.emulators.line_files import whole_lines
from tests.emulators.providers import GROUPS, KeyName, ProviderProxy
from tests.end_to_end.workbench import PROMPT, TOOLS

pytestmark = pytest.mark.proxy

ASKS = ("Sum up in/orders.csv by month", "Translate notes/shop.md into French", "yes, go on", "Plot it by month")
WAIT_SECONDS = 10.0


def bodies(group: str, tool: str) -> Iterator[dict[str, Any]]:
    """A conversation whose tools nobody else has, so that no other test's calls are cached for it."""
    tools = copy.deepcopy(TOOLS)
    tools[0]["function"]["name"] = tool
    messages: list[dict[str, Any]] = [{"role": "system", "content": PROMPT}]
    for number, ask in enumerate(ASKS):
        messages = [*messages, {"role": "user", "content": ask}]
        body = {"model": group, "messages": messages, "tools": tools}
        yield dict(well_cached(body, target_of_model(GROUPS[group].model))) if group == "claude" else body
        messages = [*messages, {"role": "assistant", "content": f"Done {number}. " * 40}]


def sent(proxy: ProviderProxy, key: KeyName, group: str, tool: str) -> list[dict[str, Any]]:
    """The conversation's records."""
    proxy.upstream.caching = EmulatedCache()
    ids = []
    with proxy.client(key) as client:
        for body in bodies(group, tool):
            response = client.post("/v1/chat/completions", json=body)
            assert response.status_code == 200, response.text[:500]
            ids.append(response.headers["x-litellm-call-id"])
    deadline = time.monotonic() + WAIT_SECONDS
    while True:
        lines = [json.loads(line) for line in whole_lines(proxy.ledger_path)]
        found = {record["call_id"]: record for record in lines if record["call_id"] in ids}
        if len(found) == len(ids):
            return [found[call_id] for call_id in ids]
        assert time.monotonic() < deadline, "records are missing"
        time.sleep(0.05)


@pytest.mark.parametrize("group", ["claude", "gpt", "gpt-new"])
def test_the_estimate_is_what_the_key_without_it_pays(provider_proxy: ProviderProxy, group: str) -> None:
    tool = f"read_{uuid.uuid4().hex[:8]}"
    rewritten, left = (sent(provider_proxy, key, group, tool) for key in ("auto", "off"))
    for record in (*rewritten, *left):
        assert record["priced_reason"] is None
        assert abs(Decimal(record["billed_usd"]) - Decimal(record["priced_usd"])) <= SAME_USD
        assert record["deployment_id"] is not None
    assert {record["outcome"] for record in rewritten} == {"rewritten"}
    assert {record["estimated_net_saved_usd"] for record in left} == {"0"}
    known = [(mine, other) for mine, other in zip(rewritten, left, strict=True) if mine["estimated_net_saved_usd"]]
    assert len(known) >= len(rewritten) - 1, [record["estimated_net_saved_reason"] for record in rewritten]
    for mine, other in known:
        true = Decimal(other["billed_usd"]) - Decimal(mine["billed_usd"])
        assert abs(Decimal(mine["estimated_net_saved_usd"]) - true) <= SAME_USD
    assert {mine["counterfactual_cache_read_tokens"] > 10_000 for mine, _ in known[1:]} == {True}

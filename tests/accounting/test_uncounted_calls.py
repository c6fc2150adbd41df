"""Calls of whose usage nothing can be taken: no figure of their own, and the same figures as ever for those behind."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import litellm
import pytest
from hypothesis import given
from hypothesis import strategies as st

from litellm_prompt_router.accounting.bill import BillTerms
from litellm_prompt_router.accounting.saving import NOT_OUR_BILL, saving
from litellm_prompt_router.cache_model.usage import NO_KINDS
from litellm_prompt_router.cache_model.usage import Usage as Buckets
from tests.accounting.driving import driving
from tests.emulators.providers import model_list
from tests.emulators.upstream import Reply, Text, Upstream, Usage
from tests.end_to_end.workbench import PROMPT, TOOLS

pytestmark = [
    pytest.mark.filterwarnings("ignore:Items? .* on TypedDict class:UserWarning"),
    pytest.mark.filterwarnings("ignore:Accessing the 'model_:DeprecationWarning"),
]
ASKS = ("Sum up in/orders.csv by month", "Plot it as a line chart", "Translate notes/shop.md into French")
SEARCHED = Text(text="Done.", usage=Usage(uncached_input_tokens=150_000, cache_read_tokens=90_000, searches=4))
UNCOUNTED = Text(text="Done.", usage=Usage(uncached_input_tokens=0, output_tokens=0))


async def records(folder: Path, group: str, first: Reply) -> list[dict[str, Any]]:
    """Of a conversation whose first call is answered so."""
    with (
        Upstream() as upstream,
        driving(folder, model_list(upstream.url), upstream, settings={"cost_gate": False}) as driver,
    ):
        upstream.script(first)
        system: Any = PROMPT
        if group == "claude":
            system = [{"type": "text", "text": PROMPT, "cache_control": {"type": "ephemeral"}}]
        messages: list[dict[str, Any]] = [{"role": "system", "content": system}]
        for number, ask in enumerate(ASKS):
            messages = [*messages, {"role": "user", "content": ask}]
            body = {"model": group, "messages": messages, "tools": TOOLS}
            await driver.send(body, 20.0 * number, f"{number}")
            messages = [*messages, {"role": "assistant", "content": "Done."}]
        return driver.records()


@pytest.mark.parametrize(
    ("group", "first"),
    [
        pytest.param("claude", SEARCHED, id="searched"),
        pytest.param("claude", UNCOUNTED, id="without usage"),
        pytest.param("gpt", UNCOUNTED, id="without usage, cached by itself"),
    ],
)
async def test_later_calls_are_accounted_as_if_nothing_had_been(tmp_path: Path, group: str, first: Reply) -> None:
    """What such a call cached is known; what its tokens would say of texts is not taken from it."""
    ordinary = await records(tmp_path / "ordinary", group, Text(text="Done."))
    after = await records(tmp_path / "after", group, first)
    assert after[0]["estimated_net_saved_usd"] is None
    names = ("counterfactual_usd", "estimated_net_saved_usd", "counterfactual_cache_read_tokens")
    for one, other in zip(after[1:], ordinary[1:], strict=True):
        assert {name: one[name] for name in names} == {name: other[name] for name in names}
        assert one["counterfactual_cache_read_tokens"] > 0


tokens = st.integers(0, 300_000)
buckets = st.builds(
    Buckets,
    uncached_input_tokens=tokens,
    cache_read_tokens=tokens,
    cache_write_5m_tokens=tokens,
    cache_write_1h_tokens=tokens,
    output_tokens=st.integers(0, 5_000),
)
money = st.decimals(0, 20, places=9)


@given(sent=buckets, unsent=buckets, billed=money, ours=money, is_sent=st.booleans())
def test_a_counterfactual_is_never_below_nothing(
    sent: Buckets, unsent: Buckets, billed: Decimal, ours: Decimal, is_sent: bool
) -> None:
    """Whatever LiteLLM billed, and however far that is from the tokens' price."""
    info: Mapping[str, Any] = litellm.get_model_info("claude-opus-5")
    found = saving(
        usage=sent,
        billed_usd=billed,
        priced_usd=ours,
        provider="anthropic",
        is_sent=is_sent,
        estimate=unsent,
        method="modelled",
        info=info,
        terms=BillTerms(),
        kinds=NO_KINDS,
    )
    cost = found.get("counterfactual_usd")
    if cost is None:
        assert found["estimated_net_saved_reason"] == NOT_OUR_BILL
        assert "estimated_net_saved_usd" not in found
    else:
        assert cost >= 0
        assert found["estimated_net_saved_usd"] == (cost - billed if is_sent else billed - cost)

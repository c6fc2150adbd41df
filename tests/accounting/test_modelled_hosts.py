"""The estimate against the truth at every host that is modelled: the same calls really billed without rewriting.

Hosts that publish their rules are emulated by these. Of the others nobody outside knows how long and how finely they
cache: where they keep what they have for hours and match to the token the estimate is right, and where they keep it for
minutes it is too low, as nobody's saving is to be overstated.
"""

from __future__ import annotations

from decimal import Decimal
from functools import partial
from pathlib import Path

import pytest

from litellm_prompt_router.accounting.bill import BillTerms, billed_entry, priced
from litellm_prompt_router.cache_model.usage import NO_KINDS, Usage
from tests.accounting.comparing import Accuracy, accuracy_of, compared
from tests.analysis.recordings import recorded
from tests.emulators.caching import EmulatedCache
from tests.emulators.provider_rules import lasting
from tests.emulators.providers import ACCOUNTED_GROUPS, model_list

pytestmark = [
    pytest.mark.filterwarnings("ignore:Items? .* on TypedDict class:UserWarning"),
    pytest.mark.filterwarnings("ignore:Accessing the 'model_:DeprecationWarning"),
    # LiteLLM's own, where it streams GPT-5.6 through Responses.
    pytest.mark.filterwarnings("ignore:Pydantic serializer warnings:UserWarning"),
]

PUBLISHED = (
    "deepseek",
    "deepseek-pro",
    "azure",
    "azure-new",
    "azure-claude",
    "bedrock",
    "bedrock-mid",
    "bedrock-invoke",
)
UNPUBLISHED = ("qwen-marks", "gemini", "gemini-flash", "grok", "mistral", "kimi", "qwen", "glm")
LIGHT = ("deepseek", "bedrock", "gemini")
"""Those that ``.ci/run`` tries; ``.ci/full`` all."""
UNMARKED = ("gemini", "gemini-flash", "qwen")
"""Where LiteLLM makes something else of marks than a mark: explicit caches, or a cache that is modelled apart."""
CONVERSATIONS = 8
NOTHING = Decimal("0.002")
"""Of the bill: where a saving is less, a share of it tells nothing."""


def hosts(groups: tuple[str, ...]) -> list[object]:
    return [pytest.param(group, id=group, marks=() if group in LIGHT else pytest.mark.full) for group in groups]


async def accuracy(folder: Path, group: str, caching: EmulatedCache) -> tuple[Accuracy, bool]:
    """``(how accurate it is, whether the sum is off by less than 2%)``."""
    calls = await compared(
        folder,
        {group: recorded(group, CONVERSATIONS, group, is_marked=group not in UNMARKED)},
        caching=caching,
        settings={"cost_gate": False},
        models=partial(model_list, groups=ACCOUNTED_GROUPS),
    )
    for call in calls:
        assert call.record["outcome"] == "rewritten"
        assert call.record["estimated_net_saved_reason"] is None
        assert Decimal(call.record["priced_usd"]) == Decimal(call.record["billed_usd"])
    told = accuracy_of(calls)
    bill = sum((Decimal(call.record["billed_usd"]) for call in calls), Decimal(0))
    return told, told.off_share < 0.02 or abs(told.estimated_usd - told.true_usd) < NOTHING * bill


@pytest.mark.parametrize("group", hosts(PUBLISHED))
async def test_where_rules_are_published(tmp_path: Path, group: str) -> None:
    """Tool loops, streams, pauses past the lifetime, on the clock of both."""
    told, is_near = await accuracy(tmp_path, group, EmulatedCache())
    assert is_near, told
    assert told.true_usd != 0


@pytest.mark.parametrize("group", hosts(UNPUBLISHED))
async def test_where_they_arent_and_caches_last(tmp_path: Path, group: str) -> None:
    told, is_near = await accuracy(tmp_path, group, EmulatedCache(rules=lasting))
    assert is_near, told
    assert told.true_usd != 0


@pytest.mark.full
@pytest.mark.parametrize("group", UNPUBLISHED)
async def test_where_they_arent_and_caches_are_short(tmp_path: Path, group: str) -> None:
    told, _ = await accuracy(tmp_path, group, EmulatedCache())
    assert told.estimated_usd <= told.true_usd


PRICES = {"input_cost_per_token": 4e-6, "cache_read_input_token_cost": 4e-7, "output_cost_per_token": 8e-6}
OFF_PEAK = {**PRICES, "off_peak_pricing": {name: price / 2 for name, price in PRICES.items()} | {"windows": []}}
USAGE = Usage(
    uncached_input_tokens=1_000,
    cache_read_tokens=20_000,
    cache_write_5m_tokens=0,
    cache_write_1h_tokens=0,
    output_tokens=10,
)


@pytest.mark.parametrize(("share", "is_reduced"), [("1", False), ("0.5", True), ("0.7", False)])
def test_the_bill_tells_whether_off_peak_prices_hold(share: str, is_reduced: bool) -> None:
    """What wasn't sent is priced at the same hours' prices: a bill by neither is left to be explained."""
    terms = BillTerms()
    standard = priced(USAGE, PRICES, terms, "deepseek")
    assert standard is not None
    entry = billed_entry(standard * Decimal(share), USAGE, OFF_PEAK, terms, "deepseek", NO_KINDS)
    assert priced(USAGE, entry, terms, "deepseek") == (standard / 2 if is_reduced else standard)

"""The estimate against the truth: the same traffic really billed without rewriting, through LiteLLM, on one clock."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import litellm
import pytest
from litellm.caching.caching import Cache

from litellm_prompt_router.analysis.simulate import RecordedCall
from litellm_prompt_router.gateway.deployments.capabilities import target_of_model
from litellm_prompt_router.request.wire.chat_marks import well_cached
from tests.accounting.comparing import accuracy_of, compared
from tests.accounting.counting import WAYS
from tests.accounting.driving import Driver, Lane, driving
from tests.analysis.recordings import as_responses, recorded
from tests.emulators.caching import EmulatedCache
from tests.emulators.providers import GROUPS, model_list
from tests.emulators.upstream import HttpError, Upstream
from tests.end_to_end.workbench import PROMPT, TOOLS

pytestmark = [
    pytest.mark.filterwarnings("ignore:Items? .* on TypedDict class:UserWarning"),
    # LiteLLM's own, in its handling of streams.
    pytest.mark.filterwarnings("ignore:Accessing the 'model_:DeprecationWarning"),
]

LANES = {"claude": 12, "claude-mid": 6, "gpt": 5, "gpt-new": 5}
"""Conversations by group. ``tests/benchmarks/net_savings.py`` has 500."""
MARK = {"type": "ephemeral"}


@pytest.fixture
def driver(tmp_path: Path) -> Iterator[Driver]:
    with Upstream() as upstream, driving(tmp_path, model_list(upstream.url), upstream) as running:
        yield running


async def test_the_estimate_is_what_would_have_been_billed(tmp_path: Path) -> None:
    """Every style of client, tool loops, pauses past each lifetime, streams: with our tokenizer, to the digit."""
    lanes = {group: recorded(group, number, group) for group, number in LANES.items()}
    calls = await compared(tmp_path, lanes, settings={"cost_gate": False})
    accuracy = accuracy_of(calls)
    assert accuracy.unknown == 0
    assert accuracy.long_conversations >= 5
    assert accuracy.estimated_usd == accuracy.true_usd > 1
    assert (accuracy.worst_share, accuracy.signs_share) == (0.0, 1.0)
    for call in calls:
        record = call.record
        assert record["outcome"] == "rewritten"
        assert record["priced_usd"] is not None, record["priced_reason"]
        assert Decimal(record["priced_usd"]) == Decimal(record["billed_usd"])
        assert record["priced_reason"] is None
        difference = Decimal(record["counterfactual_usd"]) - Decimal(record["billed_usd"])
        assert difference == Decimal(record["estimated_net_saved_usd"])


@pytest.mark.parametrize(
    "group", ["gpt", *(pytest.param(name, marks=pytest.mark.full) for name in ("gpt-new", "claude"))]
)
async def test_so_it_is_on_the_responses_api(tmp_path: Path, group: str) -> None:
    """At OpenAI, and where LiteLLM makes chat requests of Responses ones."""
    calls = await compared(
        tmp_path, {group: as_responses(recorded(group, 5, group))}, endpoint="aresponses", settings={"cost_gate": False}
    )
    accuracy = accuracy_of(calls)
    assert accuracy.unknown == 0
    assert accuracy.estimated_usd == accuracy.true_usd > 0
    assert (accuracy.worst_share, accuracy.signs_share) == (0.0, 1.0)


@pytest.mark.full
@pytest.mark.parametrize("way", WAYS)
async def test_the_provider_counts_tokens_its_own_way(tmp_path: Path, way: str) -> None:
    """By ``mixed`` the whole prompt, put in another order, comes to one token more. No count of ours shows that one."""
    lanes = {group: recorded(group, 6, group) for group in ("claude", "gpt", "gpt-new")}
    accuracy = accuracy_of(await compared(tmp_path, lanes, caching=EmulatedCache(count_tokens=WAYS[way])))
    assert accuracy.off_share < 0.02
    assert accuracy.clear_signs_share == 1.0
    assert accuracy.clear_conversations > 12
    if way != "mixed":
        assert accuracy.worst_share < 0.1
        assert accuracy.signs_share >= 0.99


async def test_a_loss_is_told_as_a_loss(tmp_path: Path) -> None:
    """A client that caches well, whose every message gets another prompt: smaller at list price, and dearer."""
    target = target_of_model(GROUPS["claude"].model)
    asks = ("Sum up in/orders.csv by month", "Translate notes/shop.md into French", "Plot it as a line chart")
    messages: list[dict[str, Any]] = [{"role": "system", "content": PROMPT}]
    calls = []
    for number in range(9):
        messages = [*messages, {"role": "user", "content": f"{asks[number % 3]} ({number})"}]
        body = dict(well_cached({"model": "claude", "messages": messages, "tools": TOOLS}, target))
        calls.append(RecordedCall(line=number, at_seconds=10.0 * number, key="alpha", conversation="c", request=body))
        messages = [*messages, {"role": "assistant", "content": f"Done {number}. " * 900}]
    settings = {"placement": "latest", "cost_gate": False}
    told = await compared(tmp_path, {"claude": calls}, settings=settings)
    accuracy = accuracy_of(told)
    assert accuracy.estimated_usd == accuracy.true_usd < 0
    assert all(Decimal(call.record["list_price_saved_usd"]) > 0 for call in told)
    assert sum(Decimal(call.record["estimated_net_saved_usd"]) < 0 for call in told) >= 6


async def test_shadow_tells_what_rewriting_would_have_saved(tmp_path: Path) -> None:
    """The bill is the original's; the counterfactual is the rewritten request's."""
    calls = recorded("shadow", 3, "claude")
    ledgers = {}
    for mode in ("rewrite", "shadow"):
        with Upstream() as upstream, driving(tmp_path / mode, model_list(upstream.url), upstream) as running:
            await running.run(Lane(group="claude", calls=calls, mode=mode))
            ledgers[mode] = running.records()
    for real, would in zip(ledgers["rewrite"], ledgers["shadow"], strict=True):
        assert would["outcome"] == "shadow"
        for field, other in (
            ("counterfactual", "billed"),
            ("billed", "counterfactual"),
            *[("estimated_net_saved",) * 2],
        ):
            assert Decimal(would[f"{field}_usd"]) == Decimal(real[f"{other}_usd"])


def ask(text: str = "Sum up in/orders.csv by month", prompt: str = PROMPT) -> dict[str, Any]:
    messages = [{"role": "system", "content": prompt}, {"role": "user", "content": text}]
    return {"model": "claude", "messages": messages, "tools": TOOLS}


def marked(body: Mapping[str, Any]) -> dict[str, Any]:
    system = [{"type": "text", "text": body["messages"][0]["content"], "cache_control": MARK}]
    return {**body, "messages": [{"role": "system", "content": system}, *body["messages"][1:]]}


async def test_what_is_left_alone_saves_nothing_and_warms_the_baseline(driver: Driver) -> None:
    """A key that is off: exactly 0. What it cached is what a rewritten call would have found.

    The prompt is one that another key's request was recognised by; its cache is long gone.
    """
    await driver.send(marked(ask("hi there")), -10_000, "a")
    await driver.send(marked(ask("hello")), 0, "b", "off")
    await driver.send(marked(ask()), 10, "c")
    _, left, rewritten = driver.records()
    assert (left["estimated_net_saved_usd"], left["estimated_net_saved_method"]) == ("0", "nothing was changed")
    assert left["counterfactual_usd"] == left["billed_usd"]
    assert left["priced_usd"] is not None
    assert left["history_state"] is not None  # it was looked at
    assert rewritten["counterfactual_cache_read_tokens"] > 15_000
    assert rewritten["counterfactual_cache_write_5m_tokens"] == 0


@pytest.mark.parametrize("other", [False, True], ids=["nobody's prompt", "another prompt"])
async def test_what_is_off_is_not_looked_at(driver: Driver, other: bool) -> None:
    """Where no request of a key that isn't off was recognised by the same prompt. Its bill is told all the same."""
    if other:
        await driver.send(marked(ask("hi there")), -10_000, "a")
    another = "You are somebody's agent.\n" * 800 + PROMPT
    await driver.send({**marked(ask("hello", another)), "tools": TOOLS[:1]}, 0, "b", "off")
    left = driver.records()[-1]
    assert (left["reason"], left["estimated_net_saved_usd"]) == ("off", "0")
    assert left["counterfactual_usd"] == left["billed_usd"] == left["priced_usd"] is not None
    assert left["cache_write_5m_tokens"] > 15_000
    assert left["history_state"] is left["message_count"] is left["history_chars"] is None
    assert bool(len(driver.hook._completer._accountant._caches)) == other


async def test_what_nobody_looked_at_makes_no_saving_too_large(driver: Driver) -> None:
    """The first recognised call behind unobserved ones with its prompt: what these cached isn't known."""
    await driver.send(marked(ask("hello")), 0, "a", "off")
    await driver.send(marked(ask()), 10, "b")
    await driver.send(marked(ask("Plot it")), 4_000, "c")
    _, rewritten, later = driver.records()
    assert rewritten["estimated_net_saved_usd"] is None
    assert "isn't known" in rewritten["estimated_net_saved_reason"]
    assert later["estimated_net_saved_usd"] is not None


async def test_failed_attempts_warm_nothing_and_are_not_kept(driver: Driver) -> None:
    await driver.send(marked(ask("hi there")), -10_000, "0")
    driver.upstream.fail("a", HttpError(status=400))
    with pytest.raises(litellm.BadRequestError):
        await driver.send(marked(ask("hello")), 0, "a", "off")
    await driver.send(marked(ask()), 10, "b")
    _, failed, record = driver.records()
    assert (failed["status"], record["status"]) == ("failure", "success")
    assert record["counterfactual_cache_read_tokens"] == 0
    assert record["counterfactual_cache_write_5m_tokens"] > 15_000


async def test_a_model_without_a_price(driver: Driver) -> None:
    """No figure is made up, and LiteLLM's 0 is none."""
    await driver.send({**ask(), "model": "compatible"}, 0, "a")
    (record,) = driver.records()
    assert record["usage_reason"] is None
    for field in ("billed", "priced", "estimated_net_saved"):
        assert record[f"{field}_usd"] is None
        assert record[f"{field}_reason"].startswith("unavailable: no ")
    assert record["billed_reason"] == record["priced_reason"] == "unavailable: no price"


async def test_litellms_own_cache_is_no_merit_of_ours(driver: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(litellm, "cache", Cache(type="local"))
    for _ in range(2):
        await driver.send({**ask(), "caching": True}, 0, "a")
    first, again = driver.records()
    assert (first["response_cached"], again["response_cached"]) == (False, True)
    assert again["estimated_net_saved_usd"] == again["priced_usd"] == "0"
    assert again["estimated_net_saved_method"] == "answered from the response cache"


async def test_of_before_the_start_nothing_is_known(tmp_path: Path) -> None:
    """An entry that nobody here saw may have served the first call; from the second on it is known."""
    with (
        Upstream() as upstream,
        driving(tmp_path, model_list(upstream.url), upstream, since_seconds=0.0) as running,
    ):
        await running.send(marked(ask()), 1, "a")
        await running.send(marked(ask("Plot it")), 20, "b")
        await running.send(ask("Plot it again"), 30, "c")
        first, second, unmarked = running.records()
    assert first["estimated_net_saved_usd"] is None
    assert first["estimated_net_saved_reason"] == "unavailable: what was cached before the start isn't known"
    assert second["counterfactual_cache_read_tokens"] > 15_000
    assert unmarked["estimated_net_saved_usd"] is not None, "who marks nothing finds nothing"


async def test_texts_stay_out_of_litellms_bag(driver: Driver) -> None:
    """What is kept for the estimate is kept beside it."""
    seen: list[str] = []

    class Spy(litellm.integrations.custom_logger.CustomLogger):  # type: ignore[misc]
        async def async_log_success_event(self, kwargs: Any, **_: Any) -> None:
            seen.append(json.dumps(kwargs["litellm_params"]["metadata"], default=str))

    litellm.callbacks.append(Spy())
    await driver.send(ask("a question of its own"), 0, "a")
    assert len(seen) == 1
    assert "a question of its own" not in seen[0]
    assert "Workbench" not in seen[0]

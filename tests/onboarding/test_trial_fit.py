"""What captured tool use says of messages, and what a fit from it would do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from litellm_prompt_router.analysis.simulate import RecordedCall, parse_traffic
from litellm_prompt_router.cache_model import BlockReader, Prices, openai_rules
from litellm_prompt_router.onboarding.conversation_needs import (
    judged_modules,
    modules_to_ask_for,
    needs_by_conversation,
    sizes_of,
    tools_called,
    undecided_modules,
)
from litellm_prompt_router.onboarding.left_out import SHOWN_ALIKE, left_out_of
from litellm_prompt_router.onboarding.replayed_costs import Tariff, replay_agents
from litellm_prompt_router.onboarding.trial_fit import calibrating_of, is_enough, labels_of, try_fit
from litellm_prompt_router.profile.profile import Economics, Module, Profile
from litellm_prompt_router.request.types import Target
from tests.made_profiles import count_words, module, profile
from tests.onboarding.shop_traffic import OPENING, PROMPT, TOOLS, section, traffic

TARIFF = Tariff(
    model="gpt-4.1",
    prices=Prices(
        input_usd_per_mtok=Decimal(2),
        cache_read_usd_per_mtok=Decimal("0.5"),
        cache_write_5m_usd_per_mtok=Decimal(2),
        cache_write_1h_usd_per_mtok=Decimal(2),
        output_usd_per_mtok=Decimal(8),
    ),
    target=Target(
        takes_marks=False, min_cache_tokens=1_024, input_usd_per_token=Decimal("0.000002"), cache_read_share=0.25
    ),
    rules=openai_rules("gpt-4.1"),
    blocks_of=BlockReader(count_words).openai,
    count_tokens=count_words,
    coverage_floor=0.8,
)


def as_it_is(calls: Sequence[RecordedCall]) -> Sequence[RecordedCall]:
    return calls


@pytest.fixture(scope="module")
def shop() -> Profile:
    """A module for each tool; nobody marked any of them."""
    modules = [module(f"tools/{tool}", section(tool), tools=[tool]) for tool in TOOLS]
    rules = PROMPT[len(OPENING) + sum(len(section(tool)) for tool in TOOLS) :]
    return profile(module("core", OPENING, always=True), *modules, module("rules", rules, always=True), name="shop")


def until_labelled(of: Profile, *ids: str) -> Profile:
    def changed(one: Module) -> Module:
        return replace(one, always=True, until_labelled=True) if one.id in ids else one

    return replace(of, modules=tuple(map(changed, of.modules)))


def test_needs_are_what_tool_calls_show(shop: Profile) -> None:
    """The core always; with hindsight nothing that may go but the called tools' owners."""
    called = {("k", "a"): frozenset({"order_ink"}), ("k", "b"): frozenset[str]()}
    core = {shop.order["core"], shop.order["rules"]}
    ink = shop.order["tools/order_ink"]
    assert needs_by_conversation(shop, called, "labels") == {("k", "a"): core | {ink}, ("k", "b"): core}
    kept = until_labelled(shop, "tools/order_ink", "rules")
    assert undecided_modules(kept) == {ink, shop.order["rules"]}
    assert needs_by_conversation(kept, called, "labels")["k", "b"] == {shop.order["core"]}
    assert needs_by_conversation(kept, called, "tools")["k", "b"] == core


def test_what_a_draft_keeps_for_its_rules_is_a_persons_to_judge(shop: Profile) -> None:
    """Where its title names neither identity nor rules, accepted or not. Then a label may name it, too."""
    held = replace(shop, modules=tuple(replace(one, always=True) for one in shop.modules))
    draft = replace(held, reviewed=False)
    assert judged_modules(draft) == {shop.order[f"tools/{tool}"] for tool in TOOLS}
    assert modules_to_ask_for(draft) == tuple(sorted(judged_modules(draft)))
    sizes = sizes_of(draft, warnings=0)
    assert (sizes.judged_modules, sizes.optional_tokens, sizes.undecided_tokens) == (6, 0, 0)
    assert sizes.core_tokens + sizes.judged_tokens == sizes.tokens
    assert sizes_of(replace(draft, reviewed=True), warnings=0) == replace(sizes, is_reviewed=True)


def test_too_few_labels_are_counted_and_no_fit_is_tried(shop: Profile) -> None:
    labels, inferred = labels_of(traffic(8), "t", shop)
    assert inferred is not None
    assert (labels.messages, labels.needing, labels.calibrating) == (16, 8, calibrating_of(8))
    assert (labels.for_expected, labels.for_guaranteed, is_enough(labels, shop)) == (19, 45, False)


def test_traffic_without_the_whole_prompt_gives_no_labels(shop: Profile) -> None:
    labels, inferred = labels_of(traffic(2).replace("order_ink", "order_tea"), "t", shop)
    assert inferred is None
    assert labels.problem == "no call holds every module of shop; capture in shadow mode"


@pytest.mark.full
def test_a_trial_says_what_a_fit_would_do(shop: Profile, tmp_path: Path) -> None:
    """It is accounted on all of the traffic, and leaves the profile as it was."""
    text = traffic(140, 60.0)
    calls = parse_traffic(text, "t")
    labels, inferred = labels_of(text, "t", shop)
    assert inferred is not None
    assert is_enough(labels, shop)
    trial = try_fit(calls, shop, inferred, TARIFF, lambda *_: None, as_it_is)
    assert trial is not None
    assert trial.promise == "guaranteed"
    assert trial.left_out.messages == 280
    assert len(trial.left_out.shown) > 0
    assert shop.fitted is None
    costs = replay_agents(calls, [shop], TARIFF, "t", as_it_is).agents["shop"]
    assert costs.ceiling.usd <= trial.usd
    assert costs.turns == 280
    tuned = replace(shop, economics=Economics(rewrites=False, read_share=0.25, write_share=1.0))
    assert try_fit(calls, tuned, inferred, TARIFF, lambda *_: None, as_it_is) == trial  # a fit ends a tuning


def test_messages_that_lose_alike_are_shown_a_few_times(shop: Profile) -> None:
    """The first of each kind by tokens; each message counted; tool loops aren't messages."""
    optional = replace(shop, modules=tuple(replace(one, optional=not one.always) for one in shop.modules))
    calls = parse_traffic(traffic(20), "t")
    left_out = left_out_of(calls, optional, TARIFF, as_it_is)
    assert left_out.messages == 40
    assert left_out.losing + sum(number for _, number in left_out.kept_whole) <= 40
    counts = [one.modules for one in left_out.shown]
    assert all(counts.count(each) <= SHOWN_ALIKE for each in counts)
    assert list(left_out.shown) == sorted(left_out.shown, key=lambda one: (-one.tokens, one.text))


def test_tools_called_in_an_answer_count() -> None:
    """The last call's answer is in no later history."""
    (call, *_) = parse_traffic(traffic(1), "t")
    answer = {"tool_calls": [{"function": {"name": "mend_press"}}]}
    assert tools_called([replace(call, response=answer)]) == {("shop", "c0"): frozenset({"mend_press"})}

"""The sentence that a page opens with."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from litellm_prompt_router.analysis.simulate.cost_report import Parts
from litellm_prompt_router.onboarding.findings import AgentFindings, MadeCosts, MadeRun, UnreplayedCalls
from litellm_prompt_router.onboarding.verdict import savings_of, verdict_of
from tests.onboarding.findings_made import COSTS, FOUND, SIZES, costing

HEAVY = Parts(system_tokens=1_000, tools_tokens=7_000, history_tokens=2_000)
LATER = "Nothing to gain today: a reviewed profile without labels leaves nothing out that pays. "
LABELS = "With labels (which of your messages need which modules) at most 30% of the input bill, "
EFFORT = "; that takes about 40 labelled messages (captured tool use gives 30, free): a day's work by hand."
UNPRICED = UnreplayedCalls(calls=9, conversations=3, endpoints=(("acompletion", 9),), parts=HEAVY, unpriced="my-own")
MADE = MadeCosts(
    runs=(
        MadeRun(
            conversations_per_hour=20.0,
            calls=30,
            conversations=1,
            full_cached_usd=Decimal(40),
            usd=Decimal(40),
            policies=(
                {"policy": "full", "usd": "90", "mean_prompt_tokens": 25_000, "passthroughs": {}},
                {"policy": "append", "usd": "39", "mean_prompt_tokens": 20_000, "passthroughs": {}},
            ),
        ),
    ),
    shape=(("modules", "3"),),
)
CASES: dict[str, tuple[AgentFindings, str]] = {
    "with labels": (FOUND, f"{LATER}{LABELS}90.00 USD a month{EFFORT}"),
    "reviewed": (
        costing(auto_usd=8),
        "Worth it: about 20% of the input bill, 60.00 USD a month, as soon as the profile is reviewed.",
    ),
    "reviewed already": (
        replace(costing(auto_usd=8), sizes=replace(SIZES, is_reviewed=True)),
        "Worth it: about 20% of the input bill, 60.00 USD a month, with the profile as it is.",
    ),
    "fitted already": (
        replace(FOUND, sizes=replace(SIZES, is_reviewed=True, is_fitted=True)),
        f"Nothing to gain today: what the fitted profile leaves out doesn't pay. {LABELS}90.00 USD a month{EFFORT}",
    ),
    "too few conversations to tell": (
        costing(replace(FOUND, costs=replace(COSTS, shown="unclear")), auto_usd=8),
        "Perhaps worth it: about 20% of the input bill, 60.00 USD a month, but 40 conversations don't show it clearly;"
        " capture more.",
    ),
    "fitted": (
        costing(trial="7.5"),
        "Worth it: about 25% of the input bill, 75.00 USD a month, once it is reviewed and fitted on this traffic.",
    ),
    "a fit that costs more": (
        costing(trial=11),
        f"{LATER}{LABELS}90.00 USD a month{EFFORT}",
    ),
    "tools": (
        costing(replace(FOUND, costs=replace(COSTS, parts=HEAVY)), ceiling="9.8"),
        "Not worth it: 70% of the input is tools, which routing doesn't touch; at best 2.0% of the input bill.",
    ),
    "rules that a person has to judge": (
        replace(costing(ceiling="9.9", judged=6), sizes=replace(SIZES, core_tokens=2_000, judged_tokens=12_000)),
        "Nothing to gain today, and with labels alone at most 1.0% of the input bill. If you go through the sections"
        " with rules (60% of the prompt), and with labels (which of your messages need which modules), at most 40% of"
        f" the input bill, 120 USD a month{EFFORT}",
    ),
    "too little for a day's work": (
        replace(FOUND, costs=replace(COSTS, span_seconds=30 * 86_400.0), labels=None),
        "Too little to bother at this traffic: with labels (which of your messages need which modules) at most 30% of"
        " the input bill, 3.00 USD a month; that takes about 40 labelled messages: a day's work by hand. At 100 times"
        " the traffic it would be 300 USD a month.",
    ),
    "rules that are too little for a day's work": (
        replace(
            costing(
                replace(FOUND, costs=replace(COSTS, span_seconds=30 * 86_400.0), labels=None), ceiling="9.9", judged=4
            ),
            sizes=replace(SIZES, core_tokens=2_000, judged_tokens=12_000),
        ),
        "Too little to bother at this traffic: if you go through the sections with rules (60% of the prompt), and with"
        " labels (which of your messages need which modules) at most 60% of the input bill, 6.00 USD a month; that"
        " takes about 40 labelled messages: a day's work by hand. At 10 times the traffic it would be 60.00 USD a"
        " month.",
    ),
    "no prices": (
        replace(FOUND, costs=None, unreplayed=UNPRICED),
        "No verdict in money: LiteLLM has no prices for 'my-own'. 10% of the calls' input is system text, of which at"
        " most 75% could be left out, once you and labels say who needs it.",
    ),
    "made-up traffic that the cost gate sends whole": (
        replace(FOUND, costs=None, sizes=replace(SIZES, core_tokens=17_000), made=MADE),
        "Not worth it: 85% of the prompt is identity, safety, rules or style, which are always sent; at best 2.5% of"
        " the input bill (0.0% as the cost gate chooses) on made-up traffic.",
    ),
    "one-shot": (
        costing(replace(FOUND, costs=replace(COSTS, calls=40)), as_sent_usd="6", ceiling="5.9"),
        "Not worth it: conversations are short (1.0 calls); at best 1.0% of the input bill.",
    ),
    "short": (
        replace(costing(ceiling="9.9"), sizes=replace(SIZES, tokens=900, core_tokens=90)),
        "Not worth it: the prompt has 900 tokens, and the provider caches none below 1,024; at best 1.0% of the input"
        " bill.",
    ),
    "a minute of traffic": (
        replace(FOUND, costs=replace(COSTS, span_seconds=60.0)),
        f"{LATER}{LABELS}15.00 USD for 1,000 calls{EFFORT}",
    ),
    "nothing replayed": (
        replace(FOUND, costs=None, problem="no call with this prompt can be replayed"),
        "No verdict: no call with this prompt can be replayed.",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_verdict(name: str) -> None:
    found, sentence = CASES[name]
    assert verdict_of(found).sentence == sentence


def test_what_caching_saves_is_no_saving_of_routing() -> None:
    """Marks that cost more than they save aren't made up for by leaving text out."""
    savings = savings_of(costing(as_sent_usd=8, full_cached_usd=10, auto_usd=10, ceiling=8))
    assert savings is not None
    assert (savings.ceiling_usd, savings.caching_usd) == (Decimal(0), Decimal(-2))
    savings = savings_of(FOUND)
    assert savings is not None
    assert (savings.ceiling_usd, savings.ceiling_tools_usd, savings.caching_usd) == (Decimal(3), Decimal(2), Decimal(5))

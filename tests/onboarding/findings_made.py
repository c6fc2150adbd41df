"""Findings with figures that can be checked by eye."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

from litellm_prompt_router.analysis.simulate.cost_report import Parts
from litellm_prompt_router.onboarding.findings import (
    AgentCosts,
    AgentFindings,
    Ceiling,
    FoundAgent,
    LabelCounts,
    LeftOut,
    MessageLeftOut,
    ModuleLeftOut,
    ProfileSizes,
    TrialFit,
)

AGENT = FoundAgent(
    profile="quill",
    origin="drafted",
    reason=None,
    begins="You are Quill",
    calls=200,
    conversations=40,
    chars=90_000,
    tokens=4_000_000,
    tools=6,
    keys=("shop",),
    models=("claude-sonnet-4-5",),
    masked=0,
)
SIZES = ProfileSizes(
    modules=10,
    tokens=20_000,
    chars=90_000,
    core_tokens=5_000,
    optional_tokens=10_000,
    undecided_tokens=5_000,
    judged_tokens=0,
    judged_modules=0,
    optional_modules=6,
    undecided_modules=3,
    untraceable_tokens=6_000,
    is_reviewed=False,
    is_fitted=False,
    warnings=0,
)
COSTS = AgentCosts(
    calls=200,
    conversations=40,
    parts=Parts(system_tokens=4_000_000, tools_tokens=500_000, history_tokens=500_000),
    as_sent_usd=Decimal(15),
    full_usd=Decimal(15),
    full_cached_usd=Decimal(10),
    auto_usd=Decimal(10),
    shown="cheaper",
    policies=(),
    passed=(("not_worth_it", 20),),
    marked_calls=0,
    turns=80,
    span_seconds=86_400.0,
    ceiling=Ceiling(
        usd=Decimal(7), usd_tools=Decimal(8), usd_judged=Decimal(7), conversations=40, conversations_with_tools=30
    ),
)
LONG = MessageLeftOut(
    text="<script>alert(1)</script> " + "a_very_long_name_without_any_break/" * 6,
    modules=tuple(ModuleLeftOut(id=f"tools/spreadsheets_and_workbooks_of_every_kind_{n}", tokens=n) for n in range(9)),
    calls=2,
)
LEFT_OUT = LeftOut(messages=80, losing=2, shown=(LONG,), kept_whole=(("not_worth_it", 20),))
LABELS = LabelCounts(messages=80, needing=30, calibrating=24, for_expected=99, for_guaranteed=230)
FOUND = AgentFindings(
    agent=AGENT,
    sizes=SIZES,
    costs=COSTS,
    made=None,
    left_out=LEFT_OUT,
    labels=LABELS,
    trial=None,
    min_cache_tokens=1_024,
)


def costing(found: AgentFindings = FOUND, **usd: int | str) -> AgentFindings:
    """The same with other costs; ``ceiling``, ``judged`` and ``trial`` are USD, too."""
    assert found.costs is not None
    given: dict[str, Any] = {name: Decimal(value) for name, value in usd.items()}
    trial = given.pop("trial", None)
    ceiling = given.pop("ceiling", found.costs.ceiling.usd)
    judged = given.pop("judged", ceiling)
    at_best = replace(found.costs.ceiling, usd=ceiling, usd_tools=max(ceiling, Decimal(8)), usd_judged=judged)
    fitted = None if trial is None else TrialFit(promise="expected", usd=trial, left_out=LEFT_OUT)
    return replace(found, costs=replace(found.costs, ceiling=at_best, **given), trial=fitted)

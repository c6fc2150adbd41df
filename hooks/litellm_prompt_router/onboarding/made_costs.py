"""A prompt without traffic: what it could save on made-up conversations, with its own sizes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from math import log
from statistics import pstdev

from litellm_prompt_router.analysis.simulate import Workload, arrivals, simulate_synthetic
from litellm_prompt_router.analysis.simulate.workload import MAX_MODULES, SyntheticCall
from litellm_prompt_router.onboarding.conversation_needs import modules_to_ask_for
from litellm_prompt_router.onboarding.findings import MadeCosts, MadeRun
from litellm_prompt_router.onboarding.replayed_costs import Tariff
from litellm_prompt_router.profile.profile import Profile

RATES = (20.0, 200.0, 2000.0)
"""Conversations an hour."""
CONVERSATIONS = 120


def made_costs(
    profile: Profile,
    tariff: Tariff,
    watch: Callable[[Sequence[SyntheticCall], str], Iterable[SyntheticCall]],
) -> MadeCosts | None:
    """None when nothing could ever be left out."""
    asked = (profile.modules[number].tokens for number in modules_to_ask_for(profile))
    sizes = [size for size in asked if size][:MAX_MODULES]
    tokens = sum(module.tokens for module in profile.modules)
    if not sizes or not tokens:
        return None
    shape = {
        "conversations": CONVERSATIONS,
        "prompt_tokens": tokens,
        "core_share": round(1 - sum(sizes) / tokens, 4),
        "modules": len(sizes),
        "spread": round(pstdev([log(size) for size in sizes]), 3),
    }
    runs = []
    for rate in RATES:
        workload = Workload(conversations_per_hour=rate, **shape)  # type: ignore[arg-type]  # by the fields' own types
        calls = arrivals(workload)
        report = simulate_synthetic(
            workload,
            watch(calls, f"{rate:g} conversations an hour"),
            tariff.rules,
            tariff.prices,
            tariff.target,
        )
        full_cached = report["full-cached"]
        runs.append(
            MadeRun(
                conversations_per_hour=rate,
                calls=len(calls),
                conversations=full_cached.conversations,
                full_cached_usd=full_cached.usd,
                usd=min(report["auto"].usd, full_cached.usd),
                policies=tuple(report.for_json()),
            )
        )
    options = {"model": tariff.model, **shape}
    return MadeCosts(
        runs=tuple(runs), shape=tuple((name.replace("_", "-"), str(value)) for name, value in options.items())
    )

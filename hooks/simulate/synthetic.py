"""Made-up calls, accounted under each policy."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import replace

from hooks.cachemodel import MarkedPrefixes, PrefixCache, Prices, Rules
from hooks.profile import Placement
from hooks.simulate.layouts import Layouts
from hooks.simulate.policies import POLICIES, Policy
from hooks.simulate.replay import uncached
from hooks.simulate.report import Report, Tally, report_of
from hooks.simulate.workload import SyntheticCall, Workload

ACCOUNTED: tuple[Policy, ...] = ("full-cached", "latest", "grow", "append")


def simulate_synthetic(
    workload: Workload, calls: Iterable[SyntheticCall], rules: Rules, prices: Prices, *, auto: Placement
) -> Report:
    """All ``calls`` of the workload, in time order, under all policies. ``auto`` is what that one comes to."""
    layouts = Layouts(workload, rules)
    caches = [(policy, PrefixCache(rules), Tally(policy)) for policy in ACCOUNTED]
    full = Tally("full")
    keyed = not isinstance(rules, MarkedPrefixes)
    for call in calls:
        of = layouts.of(call)
        for policy, cache, tally in caches:
            blocks, cache_key = of[policy]
            scope: Hashable = (call.key, cache_key) if keyed else call.key
            usage = cache.account(blocks, call.at_seconds, scope=scope)
            tally.add(usage)
            if policy == "full-cached":
                full.add(uncached(usage.input_tokens))
    report = report_of([full, *(tally for _, _, tally in caches)], prices, workload.conversations)
    results = (*report.results, replace(report[auto], policy="auto"))
    return Report(results=tuple(sorted(results, key=lambda result: POLICIES.index(result.policy))))

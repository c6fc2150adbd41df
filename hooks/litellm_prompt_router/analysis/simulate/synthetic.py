"""Made-up calls, accounted under each policy."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cache

from litellm_prompt_router.analysis.simulate.bundles import Demand, demand_of
from litellm_prompt_router.analysis.simulate.cost_report import PolicyTally, Report, report_of
from litellm_prompt_router.analysis.simulate.layouts import Admit, Layouts, modules_of
from litellm_prompt_router.analysis.simulate.replay import uncached
from litellm_prompt_router.analysis.simulate.simulated_policies import POLICIES, Policy
from litellm_prompt_router.analysis.simulate.workload import SyntheticCall, Workload
from litellm_prompt_router.cache_model import PrefixCache, Prices, Rules, cost_usd, total_usage
from litellm_prompt_router.cache_model.usage import Usage
from litellm_prompt_router.profile.profile import DEFAULT_PLACEMENT, Economics
from litellm_prompt_router.request.cost_gate import modules_to_send
from litellm_prompt_router.request.expected_use import ExpectedUse
from litellm_prompt_router.request.types import Target

ACCOUNTED: tuple[Policy, ...] = ("full-cached", "latest", "grow", "append", "auto")


def simulate_synthetic(
    workload: Workload,
    calls: Iterable[SyntheticCall],
    rules: Rules,
    prices: Prices,
    target: Target,
    *,
    economics: Economics | None = None,
    expected: ExpectedUse | None = None,
) -> Report:
    """All ``calls`` of the workload, in time order, under all policies.

    ``auto`` goes by ``economics``; without any, by what is ``expected``: None where no labels and no ledger tell.
    """
    tallies = {policy: PolicyTally(policy) for policy in POLICIES}
    conversations = set()
    for call, billed in accounted(workload, calls, rules, target, economics, ACCOUNTED, expected):
        conversations.add(call.conversation)
        for policy, usage in billed.items():
            tallies[policy].add(usage)
        tallies["full"].add(uncached(billed["full-cached"].input_tokens))
    return report_of(list(tallies.values()), prices, len(conversations))


def accounted(
    workload: Workload,
    calls: Iterable[SyntheticCall],
    rules: Rules,
    target: Target,
    economics: Economics | None,
    policies: Sequence[Policy],
    expected: ExpectedUse | None = None,
) -> Iterator[tuple[SyntheticCall, Mapping[Policy, Usage]]]:
    """Each call with what it is billed under each policy."""
    layouts = Layouts(
        workload, rules, placement=DEFAULT_PLACEMENT, admit=admission(workload, target, economics, expected)
    )
    caches = {policy: PrefixCache(rules) for policy in policies}
    for call in calls:
        layouts.take(call)
        billed: dict[Policy, Usage] = {}
        for policy, prefixes in caches.items():
            blocks, cache_key = layouts.layout(policy)
            scope: Hashable = (call.key, cache_key) if target.takes_cache_key else call.key
            billed[policy] = prefixes.account(blocks, call.at_seconds, scope=scope)
        yield call, billed


def admission(
    workload: Workload, target: Target, economics: Economics | None, expected: ExpectedUse | None = None
) -> Admit:
    """The cost gate over selections as bits. ``expected``: None where no labels and no ledger tell anything."""
    tokens = workload.module_tokens()
    use = expected or ExpectedUse(declares_tools=workload.declares_tools)

    @cache
    def admit(selection: int) -> int | None:
        selected = frozenset(modules_of(selection))
        sent = modules_to_send(economics, target, selected, tokens, workload.core_tokens, expected=use)
        return None if sent is None else sum(1 << module for module in sent)

    return admit


@dataclass(frozen=True, kw_only=True, slots=True)
class SyntheticTrial:
    """Made-up conversations, to be accounted under any economics."""

    workload: Workload
    calls: Sequence[SyntheticCall]
    rules: Rules
    prices: Prices
    target: Target

    def demand(self) -> Demand:
        firsts: dict[int, frozenset[int]] = {}
        ends: dict[int, tuple[float, float]] = {}
        for call in self.calls:
            firsts.setdefault(call.conversation, frozenset(modules_of(call.selection)))
            ends[call.conversation] = (ends.get(call.conversation, (call.at_seconds,))[0], call.at_seconds)
        return demand_of(
            list(firsts.values()), list(ends.values()), len(self.calls), self.workload.module_tokens(), self.prices
        )

    def full_cached_usd(self) -> Sequence[Decimal]:
        return self._usd("full-cached", None)

    def usd(self, economics: Economics) -> Sequence[Decimal]:
        return self._usd("auto", economics)

    def _usd(self, policy: Policy, economics: Economics | None) -> Sequence[Decimal]:
        usages: dict[int, list[Usage]] = {}
        for call, billed in accounted(self.workload, self.calls, self.rules, self.target, economics, (policy,)):
            usages.setdefault(call.conversation, []).append(billed[policy])
        return [cost_usd(total_usage(usages[conversation]), self.prices) for conversation in sorted(usages)]


def halves(calls: Sequence[SyntheticCall]) -> tuple[list[SyntheticCall], list[SyntheticCall]]:
    """The calls of the conversations that began first, and those of the others."""
    conversations = sorted({call.conversation for call in calls})
    middle = conversations[len(conversations) // 2]
    return [c for c in calls if c.conversation < middle], [c for c in calls if c.conversation >= middle]

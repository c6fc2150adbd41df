"""Conversations of a ledger, to be accounted under any economics; and the policies over all of them."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from litellm_prompt_router.analysis.conversation_links import LinkedCall
from litellm_prompt_router.analysis.ledger_calls import LedgerCall
from litellm_prompt_router.analysis.simulate.bundles import Demand, demand_of
from litellm_prompt_router.analysis.simulate.cost_report import PolicyTally, Report, report_of
from litellm_prompt_router.analysis.simulate.gain import GainTally
from litellm_prompt_router.analysis.simulate.ledger_layouts import (
    Admit,
    BlocksAt,
    LedgerLayouts,
    PromptMeter,
    PromptSizes,
    selected_first,
)
from litellm_prompt_router.analysis.simulate.model_terms import ModelTerms
from litellm_prompt_router.analysis.simulate.replay import uncached
from litellm_prompt_router.analysis.simulate.simulated_policies import Policy
from litellm_prompt_router.cache_model import PrefixCache, cost_usd, total_usage
from litellm_prompt_router.cache_model.usage import Usage
from litellm_prompt_router.profile.profile import DEFAULT_PLACEMENT, Economics, Profile
from litellm_prompt_router.request.cost_gate import modules_to_send
from litellm_prompt_router.request.expected_use import expected_use

Watch = Callable[[Sequence[LinkedCall], str], Iterator[LinkedCall]]
"""Shows progress."""


def unwatched(calls: Sequence[LinkedCall], _: str) -> Iterator[LinkedCall]:
    return iter(calls)


@dataclass(frozen=True, kw_only=True, slots=True)
class LedgerTrial:
    """``conversations`` of linked calls; what the others cached counts for nothing."""

    links: Sequence[LinkedCall]
    conversations: frozenset[int]
    profile: Profile
    terms: ModelTerms
    watch: Watch = unwatched

    def demand(self) -> Demand:
        meter = PromptMeter(self.profile)
        firsts: dict[int, frozenset[int]] = {}
        ends: dict[int, tuple[float, float]] = {}
        sizes = [0] * len(self.profile.modules)
        count = 0
        for link in self._counted():
            call = link.call
            prompt = meter.sizes(call)
            firsts.setdefault(link.conversation, selected_first(call, prompt))
            sizes = [max(known, size) for known, size in zip(sizes, prompt.modules, strict=True)]
            begin = ends.get(link.conversation, (call.started_seconds,))[0]
            ends[link.conversation] = (begin, call.started_seconds)
            count += 1
        return demand_of(list(firsts.values()), list(ends.values()), count, sizes, self.terms.prices)

    def full_cached_usd(self) -> Sequence[Decimal]:
        return self._usd("full prompt, cached", self._layouts().as_they_came())

    def usd(self, economics: Economics) -> Sequence[Decimal]:
        placement = self.profile.placement or DEFAULT_PLACEMENT
        return self._usd(
            "candidate", self._layouts().rewritten(placement, gate_of(economics, self.profile, self.terms))
        )

    def _layouts(self) -> LedgerLayouts:
        return LedgerLayouts(self.links, self.profile, self.terms.target)

    def _counted(self) -> Iterator[LinkedCall]:
        return (link for link in self.links if link.conversation in self.conversations and is_accounted(link))

    def _usd(self, what: str, blocks_at: BlocksAt) -> Sequence[Decimal]:
        cache = PrefixCache(self.terms.rules)
        usages: dict[int, list[Usage]] = {}
        for at, link in enumerate(self.watch(self.links, what)):
            if link.conversation not in self.conversations:
                continue
            blocks, sent = blocks_at(at)
            if is_accounted(link):
                usage = cache.account(blocks, link.call.started_seconds, scope=scope_of_call(link, sent, self.terms))
                usages.setdefault(link.conversation, []).append(usage)
        return [cost_usd(total_usage(usages[number]), self.terms.prices) for number in sorted(usages)]


def ledger_report(links: Sequence[LinkedCall], profile: Profile, terms: ModelTerms, watch: Watch = unwatched) -> Report:
    """All calls under each policy that a ledger can tell; ``auto`` goes by the profile's economics.

    What the latest message needs by itself isn't in a ledger, so there is no ``latest``.
    """
    layouts = LedgerLayouts(links, profile, terms.target)
    placement = profile.placement or DEFAULT_PLACEMENT
    ways: Mapping[Policy, BlocksAt] = {
        "full-cached": layouts.as_they_came(),
        "grow": layouts.rewritten("grow", selected_first),
        "append": layouts.rewritten("append", selected_first),
        "auto": layouts.rewritten(placement, gate_of(profile.economics_in_force, profile, terms)),
    }
    caches = {policy: PrefixCache(terms.rules) for policy in ways}
    tallies = {policy: PolicyTally(policy) for policy in ("full", *ways)}
    gains = GainTally(terms.prices)
    conversations: set[int] = set()
    for at, link in enumerate(watch(links, "calls")):
        billed: dict[Policy, Usage] = {}
        passed = None
        for policy, blocks_at in ways.items():
            blocks, sent = blocks_at(at)
            if not is_accounted(link):
                continue
            scope = scope_of_call(link, sent, terms)
            billed[policy] = caches[policy].account(blocks, link.call.started_seconds, scope=scope)
            passed = "not_worth_it" if policy == "auto" and sent is None else None
            tallies[policy].add(billed[policy], passed)
        if billed:
            conversations.add(link.conversation)
            tallies["full"].add(uncached(billed["full-cached"].input_tokens))
            whose = (link.call.key, str(link.conversation))
            gains.add(profile.name, whose, billed["full-cached"], billed["auto"], passed)
    return report_of(list(tallies.values()), terms.prices, len(conversations), gains=gains.gains())


def gate_of(economics: Economics | None, profile: Profile, terms: ModelTerms) -> Admit:
    """The cost gate over the selections of this profile's calls."""
    as_tuned = profile if economics is None or economics.is_tuned else replace(profile, economics=economics)

    def admit(call: LedgerCall, sizes: PromptSizes) -> frozenset[int] | None:
        return modules_to_send(
            economics,
            terms.target,
            selected_first(call, sizes),
            sizes.modules,
            sizes.core,
            is_hour=profile.cache_ttl == "1h",
            is_fitted=profile.is_calibrated,
            expected=expected_use(as_tuned, declares_tools=call.tools_tokens > 0),
        )

    return admit


def is_accounted(link: LinkedCall) -> bool:
    """Whether a provider billed the call and it counts."""
    return not link.is_repeated and not link.call.is_answered_from_cache


def scope_of_call(link: LinkedCall, sent: frozenset[int] | None, terms: ModelTerms) -> Hashable:
    """What shares a cache with the call: its key's calls and, where the provider takes a cache key, its prompt's."""
    return (link.call.key, sent) if terms.target.takes_cache_key and sent is not None else link.call.key

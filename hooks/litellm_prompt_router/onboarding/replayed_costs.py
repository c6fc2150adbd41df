"""Recorded calls, accounted once for all of them and for each agent: as they came, under each policy, and at best."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from litellm_prompt_router.analysis.simulate import (
    BASELINE,
    POLICIES,
    BlocksOf,
    Policy,
    PolicyTally,
    RecordedCall,
    Replay,
    Report,
    rewrites_of,
)
from litellm_prompt_router.analysis.simulate.cost_report import Parts, report_of
from litellm_prompt_router.analysis.simulate.fixed_selection import FixedSelection
from litellm_prompt_router.analysis.simulate.gain import GainTally, ProfileGain, Shown
from litellm_prompt_router.cache_model import Block, PrefixCache, Prices, Rules, cost_usd, total_usage
from litellm_prompt_router.cache_model.usage import Usage
from litellm_prompt_router.documents.errors import ConfigurationError
from litellm_prompt_router.onboarding.conversation_needs import (
    Conversation,
    Spared,
    needs_by_conversation,
    request_of,
    tools_called,
)
from litellm_prompt_router.onboarding.findings import AgentCosts, Ceiling
from litellm_prompt_router.profile.profile import Profile
from litellm_prompt_router.request.types import Target
from litellm_prompt_router.request.wire.marks import CACHE_KEY

SPARED: tuple[Spared, ...] = ("tools", "labels", "judged")
Way = tuple[Spared, str]
SECTIONS = ("system_tokens", "tools_tokens", "history_tokens")


@dataclass(frozen=True, kw_only=True, slots=True)
class WalkSettings:
    """What requests are rewritten with. ``coverage_floor``: the share of a prompt that a profile must know."""

    target: Target
    count_tokens: Callable[[str], int]
    coverage_floor: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Tariff(WalkSettings):
    """What calls are accounted by. ``model`` is LiteLLM's name of the one that all are taken to go to."""

    model: str
    prices: Prices
    rules: Rules
    blocks_of: BlocksOf


@dataclass(frozen=True, kw_only=True, slots=True)
class ReplayedCosts:
    """All calls, as `simulate` accounts them, and those of each profile that was recognised."""

    total: Report
    agents: Mapping[str, AgentCosts]
    gains: tuple[ProfileGain, ...]


@dataclass(kw_only=True, slots=True)
class Bill:
    """One way of sending some calls, through a cache of its own. Calls come in time order."""

    tariff: Tariff
    cache: PrefixCache = field(init=False)
    usages: list[Usage] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.cache = PrefixCache(self.tariff.rules)

    def add(self, call: RecordedCall, body: Mapping[str, Any], blocks: Sequence[Block] | None = None) -> None:
        scope = (str(call.request.get("model")), call.key, body.get(CACHE_KEY))
        read = self.tariff.blocks_of(body) if blocks is None else blocks
        self.usages.append(self.cache.account(read, call.at_seconds, scope=scope))

    @property
    def usd(self) -> Decimal:
        return cost_usd(total_usage(self.usages), self.tariff.prices) if self.usages else Decimal(0)


@dataclass(kw_only=True, slots=True)
class _AgentTally:
    as_sent: Bill
    best: Mapping[Way, Bill]
    """By how the oracle chooses: see ``_oracles``."""
    policies: dict[Policy, PolicyTally] = field(default_factory=dict)
    sections: Counter[str] = field(default_factory=Counter)
    conversations: set[Conversation] = field(default_factory=set)
    turns: dict[Conversation, int] = field(default_factory=dict)
    calls: int = 0
    marked_calls: int = 0


def replay_agents(
    calls: Sequence[RecordedCall],
    profiles: Sequence[Profile],
    tariff: Tariff,
    where: str,
    watch: Callable[[Sequence[RecordedCall]], Iterable[RecordedCall]],
) -> ReplayedCosts:
    """Raises ConfigurationError with every line that can't be sent to the provider."""
    floor = tariff.coverage_floor
    called = tools_called(calls)
    fixed = FixedSelection(profiles, tariff.count_tokens, tariff.target, coverage_floor=floor)
    owners = _owners(calls, fixed)
    oracles = {profile.name: _oracles(profile, called, owners) for profile in profiles}
    rewrites = rewrites_of(profiles, tariff.count_tokens, tariff.target, coverage_floor=floor)
    replayed = Replay(rewrites, tariff.blocks_of, tariff.rules)
    total: dict[Policy, PolicyTally] = {}
    agents: dict[str, _AgentTally] = {}
    conversations: set[Conversation] = set()
    gains = GainTally(tariff.prices)
    problems: list[str] = []
    for call in watch(calls):
        conversation = (call.key, call.conversation)
        before = replayed.parts
        try:
            billed = replayed.account(call)
        except ValueError as error:
            problems.append(f"{where}: line {call.line}: {error}")
            continue
        conversations.add(conversation)
        for policy, one in billed.items():
            total.setdefault(policy, PolicyTally(policy)).add(one.usage, one.passed)
        full, ours = billed[BASELINE], billed["auto"]
        if ours.profile is not None:
            gains.add(ours.profile, conversation, full.usage, ours.usage, ours.passed)
        recognised = fixed.recognise(call.request)
        if recognised is None:
            continue
        name = recognised.recognition.profile.name
        tally = agents.get(name)
        if tally is None:
            ways = {way: Bill(tariff=tariff) for way in oracles[name]}
            tally = agents[name] = _AgentTally(as_sent=Bill(tariff=tariff), best=ways)
        for policy, one in billed.items():
            tally.policies.setdefault(policy, PolicyTally(policy)).add(one.usage, one.passed)
        for section in SECTIONS:
            tally.sections[section] += getattr(replayed.parts, section) - getattr(before, section)
        tally.calls += 1
        tally.conversations.add(conversation)
        tally.marked_calls += bool(recognised.opened.request.client_marks)
        users = sum(turn.role == "user" for turn in recognised.opened.request.turns)
        tally.turns[conversation] = max(users, tally.turns.get(conversation, 0))
        tally.as_sent.add(call, call.request)
        sent: dict[frozenset[int], tuple[Mapping[str, Any], Sequence[Block]]] = {}
        for way, bill in tally.best.items():
            selected = oracles[name][way][conversation]
            if selected not in sent:
                body = fixed.body(recognised, selected)
                sent[selected] = body, tariff.blocks_of(body)
            bill.add(call, *sent[selected])
    if problems:
        raise ConfigurationError(problems)
    span = calls[-1].at_seconds - calls[0].at_seconds
    prices = tariff.prices
    told = gains.gains()
    shown = {gain.profile: gain.shown for gain in told}
    return ReplayedCosts(
        total=report_of(list(total.values()), prices, len(conversations), replayed.parts),
        agents={name: _costs(tally, prices, span, called, shown.get(name, "none")) for name, tally in agents.items()},
        gains=told,
    )


def costs_under(
    calls: Sequence[RecordedCall],
    profile: Profile,
    tariff: Tariff,
    watch: Callable[[Sequence[RecordedCall]], Iterable[RecordedCall]],
) -> Decimal:
    """What the calls with this profile's prompt cost under ``auto``."""
    floor = tariff.coverage_floor
    fixed = FixedSelection([profile], tariff.count_tokens, tariff.target, coverage_floor=floor)
    auto = rewrites_of([profile], tariff.count_tokens, tariff.target, coverage_floor=floor)["auto"]
    bill = Bill(tariff=tariff)
    for call in watch(calls):
        if fixed.recognise(call.request) is not None:
            bill.add(call, auto(call.request).body)
    return bill.usd


def _owners(calls: Sequence[RecordedCall], fixed: FixedSelection) -> dict[Conversation, set[str]]:
    """The profiles that each conversation's prompts belong to."""
    owners: dict[Conversation, set[str]] = {}
    for call in calls:
        recognised = fixed.recognise(call.request) if request_of(call) is not None else None
        if recognised is not None:
            owners.setdefault((call.key, call.conversation), set()).add(recognised.recognition.profile.name)
    return owners


def _oracles(
    profile: Profile, called: Mapping[Conversation, frozenset[str]], owners: Mapping[Conversation, set[str]]
) -> dict[Way, Mapping[Conversation, frozenset[int]]]:
    """Ways to choose with hindsight: what each conversation needs, or what any of them does, which caches better."""
    ours = {
        conversation: tools for conversation, tools in called.items() if profile.name in owners.get(conversation, ())
    }
    ways: dict[Way, Mapping[Conversation, frozenset[int]]] = {}
    for spares in SPARED:
        exact = needs_by_conversation(profile, ours, spares)
        ways[spares, "exact"] = exact
        ways[spares, "together"] = dict.fromkeys(exact, frozenset[int]().union(*exact.values()))
    return ways


def _costs(
    tally: _AgentTally, prices: Prices, span_seconds: float, called: Mapping[Conversation, frozenset[str]], shown: Shown
) -> AgentCosts:
    report = report_of([tally.policies[policy] for policy in POLICIES], prices, len(tally.conversations))
    full_cached = report["full-cached"].usd
    best = {spared: min(bill.usd for (way, _), bill in tally.best.items() if way == spared) for spared in SPARED}
    return AgentCosts(
        calls=tally.calls,
        conversations=len(tally.conversations),
        parts=Parts(**{name: tally.sections[name] for name in ("system_tokens", "tools_tokens", "history_tokens")}),
        as_sent_usd=tally.as_sent.usd,
        full_usd=report["full"].usd,
        full_cached_usd=full_cached,
        auto_usd=report["auto"].usd,
        shown=shown,
        policies=tuple(report.for_json()),
        passed=tuple(report["auto"].passed.items()),
        marked_calls=tally.marked_calls,
        turns=sum(tally.turns.values()),
        span_seconds=span_seconds,
        ceiling=Ceiling(
            usd=best["labels"],
            usd_tools=best["tools"],
            usd_judged=best["judged"],
            conversations=len(tally.conversations),
            conversations_with_tools=sum(bool(called[conversation]) for conversation in tally.conversations),
        ),
    )

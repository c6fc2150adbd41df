"""Recorded conversations of one profile, to be accounted under any economics."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from litellm_prompt_router.analysis.simulate.bundles import Demand, demand_of
from litellm_prompt_router.analysis.simulate.replay import BlocksOf, digest_of
from litellm_prompt_router.analysis.simulate.simulated_policies import Rewrite
from litellm_prompt_router.cache_model import Block, PrefixCache, Prices, Rules, cost_usd, total_usage
from litellm_prompt_router.cache_model.usage import Usage
from litellm_prompt_router.documents.errors import ConfigurationError
from litellm_prompt_router.files.traffic import RecordedCall
from litellm_prompt_router.profile.profile import Economics
from litellm_prompt_router.request.cost_gate import optional_tokens
from litellm_prompt_router.request.pipeline import Pipeline
from litellm_prompt_router.request.route import AnswerLookup, no_answers
from litellm_prompt_router.request.types import CHAT, UNKNOWN_TARGET, Passthrough
from litellm_prompt_router.request.wire.marks import CACHE_KEY


@dataclass(frozen=True, kw_only=True, slots=True)
class FirstTurn:
    """What one conversation's first turn selects, and the sizes it selects from."""

    selected: frozenset[int]
    tokens: tuple[int, ...]


Key = tuple[str, str]
"""A conversation: whose and which."""


def first_turns_of(
    calls: Iterable[RecordedCall], pipeline: Pipeline, name: str, answers: AnswerLookup = no_answers
) -> dict[Key, FirstTurn]:
    """The conversations whose first call has the prompt of profile ``name``, in order of their beginning.

    ``pipeline`` must not gate costs. ``answers``: what a routing model says, where there is one.
    """
    readings: dict[Key, FirstTurn] = {}
    met: set[Key] = set()
    for call in calls:
        key = (call.key, call.conversation)
        if key in met:
            continue
        met.add(key)
        outcome = pipeline.walk(call.request, CHAT, lambda: UNKNOWN_TARGET, only=name, answers=answers).outcome
        if isinstance(outcome, Passthrough):
            continue
        tokens, _ = optional_tokens(outcome.recognition)
        order = outcome.recognition.profile.order
        first = frozenset(order[e.module] for e in outcome.decision.selected if not e.late and tokens[order[e.module]])
        readings[key] = FirstTurn(selected=first, tokens=tokens)
    return readings


@dataclass(frozen=True, kw_only=True, slots=True)
class RecordedTrial:
    """The calls of some conversations in time order. ``rewrite_of`` makes ``auto`` with given economics."""

    calls: Sequence[RecordedCall]
    readings: Mapping[Key, FirstTurn]
    rewrite_of: Callable[[Economics], Rewrite]
    full_cached: Rewrite
    blocks_of: BlocksOf
    rules: Rules
    prices: Prices
    watch: Callable[[Sequence[RecordedCall], str], Iterable[RecordedCall]]
    """Shows progress."""
    where: str
    """What problems call the traffic."""
    _blocks: dict[bytes, Sequence[Block]] = field(default_factory=dict)

    def demand(self) -> Demand:
        ends: dict[Key, tuple[float, float]] = {}
        for call in self.calls:
            key = (call.key, call.conversation)
            ends[key] = (ends.get(key, (call.at_seconds,))[0], call.at_seconds)
        readings = [self.readings[key] for key in ends]
        sizes = [max(column) for column in zip(*(reading.tokens for reading in readings), strict=True)]
        return demand_of(
            [reading.selected for reading in readings], list(ends.values()), len(self.calls), sizes, self.prices
        )

    def full_cached_usd(self) -> Sequence[Decimal]:
        return self._usd(self.full_cached, "full prompt, cached")

    def usd(self, economics: Economics) -> Sequence[Decimal]:
        return self._usd(self.rewrite_of(economics), "candidate")

    def _usd(self, rewrite: Rewrite, what: str) -> Sequence[Decimal]:
        cache = PrefixCache(self.rules)
        usages: dict[Key, list[Usage]] = {}
        for call in self.watch(self.calls, what):
            body = rewrite(call.request).body
            digest = digest_of(body)
            blocks = self._blocks.get(digest)
            if blocks is None:
                try:
                    blocks = self._blocks[digest] = self.blocks_of(body)
                except ValueError as error:
                    raise ConfigurationError([f"{self.where}: line {call.line}: {error}"]) from None
            scope: Hashable = (str(call.request.get("model")), call.key, body.get(CACHE_KEY))
            usage = cache.account(blocks, call.at_seconds, scope=scope)
            usages.setdefault((call.key, call.conversation), []).append(usage)
        return [cost_usd(total_usage(billed), self.prices) for billed in usages.values()]


def halves(
    calls: Sequence[RecordedCall], readings: Mapping[Key, FirstTurn]
) -> tuple[list[RecordedCall], list[RecordedCall]]:
    """The calls of the conversations that began first, and those of the others."""
    early = set(list(readings)[: len(readings) // 2])
    ours = [(call, (call.key, call.conversation)) for call in calls if (call.key, call.conversation) in readings]
    return [call for call, key in ours if key in early], [call for call, key in ours if key not in early]

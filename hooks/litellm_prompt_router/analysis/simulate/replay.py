"""Recorded calls, accounted as the provider would have billed them under each policy."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from hashlib import blake2b
from typing import Any, NamedTuple

from litellm_prompt_router.analysis.simulate.cost_report import BASELINE, Parts, PolicyTally, Report, report_of
from litellm_prompt_router.analysis.simulate.gain import GainTally
from litellm_prompt_router.analysis.simulate.simulated_policies import POLICIES, Policy, Rewrite, Sent
from litellm_prompt_router.cache_model import Block, PrefixCache, Prices, Rules
from litellm_prompt_router.cache_model.prompt_blocks import Section
from litellm_prompt_router.cache_model.usage import Usage
from litellm_prompt_router.documents.errors import ConfigurationError
from litellm_prompt_router.files.traffic import RecordedCall
from litellm_prompt_router.request.wire.marks import CACHE_KEY

BlocksOf = Callable[[Mapping[str, Any]], Sequence[Block]]
"""A chat body -> the blocks that the provider reads of it."""


class Billed(NamedTuple):
    """What one call is billed under one policy, why it was left as it came, if it was, and whose prompt it has."""

    usage: Usage
    passed: str | None
    profile: str | None = None


class Replay:
    """The caches of all policies. Calls must come in time order."""

    def __init__(self, rewrites: Mapping[Policy, Rewrite], blocks_of: BlocksOf, rules: Rules) -> None:
        self._rewrites = rewrites
        self._blocks_of = blocks_of
        self._caches = {policy: PrefixCache(rules) for policy in rewrites}
        self._sections: Counter[Section] = Counter()

    @property
    def parts(self) -> Parts:
        """What the calls so far were made of."""
        seen = self._sections
        return Parts(tools_tokens=seen["tools"], system_tokens=seen["system"], history_tokens=seen["messages"])

    def account(self, call: RecordedCall) -> dict[Policy, Billed]:
        """One call under every policy, in their order. Raises ValueError if it can't be sent to the provider."""
        memo: dict[bytes, Sequence[Block]] = {}
        billed: dict[Policy, Billed] = {}
        for policy in POLICIES:
            if policy == "full":
                blocks = self._blocks(call.request, memo)
                billed[policy] = Billed(uncached(sum(block.tokens for block in blocks)), None)
                for block in blocks:
                    self._sections[block.section] += block.tokens
            elif policy in self._rewrites:
                billed[policy] = self._account(policy, call, self._rewrites[policy](call.request), memo)
        return billed

    def _account(self, policy: Policy, call: RecordedCall, sent: Sent, memo: dict[bytes, Sequence[Block]]) -> Billed:
        scope = (str(call.request.get("model")), call.key, sent.body.get(CACHE_KEY))
        blocks = self._blocks(sent.body, memo)
        return Billed(self._caches[policy].account(blocks, call.at_seconds, scope=scope), sent.passed, sent.profile)

    def _blocks(self, body: Mapping[str, Any], memo: dict[bytes, Sequence[Block]]) -> Sequence[Block]:
        """Policies often send the same body: it is translated once."""
        digest = digest_of(body)
        blocks = memo.get(digest)
        if blocks is None:
            blocks = memo[digest] = self._blocks_of(body)
        return blocks


def replay(calls: Iterable[RecordedCall], replayed: Replay, prices: Prices, where: str) -> Report:
    """All calls under all policies. Raises ConfigurationError with every line that can't be sent."""
    tallies: dict[Policy, PolicyTally] = {}
    conversations: set[tuple[str, str]] = set()
    gains = GainTally(prices)
    problems: list[str] = []
    for call in calls:
        try:
            billed = replayed.account(call)
        except ValueError as error:
            problems.append(f"{where}: line {call.line}: {error}")
            continue
        conversation = (call.key, call.conversation)
        conversations.add(conversation)
        for policy, (usage, passed, _) in billed.items():
            tallies.setdefault(policy, PolicyTally(policy)).add(usage, passed)
        full, ours = billed.get(BASELINE), billed.get("auto")
        if full is not None and ours is not None and ours.profile is not None:
            gains.add(ours.profile, conversation, full.usage, ours.usage, ours.passed)
    if problems:
        raise ConfigurationError(problems)
    return report_of(list(tallies.values()), prices, len(conversations), replayed.parts, gains.gains())


def digest_of(body: Mapping[str, Any]) -> bytes:
    """The same for the same body."""
    return blake2b(json.dumps(body).encode(), digest_size=16).digest()


def uncached(tokens: int) -> Usage:
    return Usage(
        uncached_input_tokens=tokens,
        cache_read_tokens=0,
        cache_write_5m_tokens=0,
        cache_write_1h_tokens=0,
        output_tokens=0,
    )

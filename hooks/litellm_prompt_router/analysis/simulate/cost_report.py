"""What the policies cost, added up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from litellm_prompt_router.analysis.simulate.gain import ProfileGain
from litellm_prompt_router.analysis.simulate.simulated_policies import Policy
from litellm_prompt_router.cache_model import Prices, cost_usd
from litellm_prompt_router.cache_model.usage import Usage

BASELINE: Policy = "full-cached"
USD_DIGITS = 6


@dataclass(frozen=True, kw_only=True, slots=True)
class PolicyResult:
    """One policy over all calls. Output is no part of it: it is the same under every policy.

    ``passed``: calls that a policy of ours left as they came, by reason.
    """

    policy: Policy
    calls: int
    conversations: int
    usage: Usage
    usd: Decimal
    passed: Mapping[str, int]

    @property
    def mean_prompt_tokens(self) -> float:
        return self.usage.input_tokens / self.calls

    @property
    def usd_per_conversation(self) -> Decimal:
        return self.usd / self.conversations


@dataclass(frozen=True, kw_only=True, slots=True)
class Parts:
    """Prompt tokens of all calls as they came, by what they are. Routing saves of the system prompts alone."""

    tools_tokens: int
    system_tokens: int
    history_tokens: int

    @property
    def tokens(self) -> int:
        return self.tools_tokens + self.system_tokens + self.history_tokens


@dataclass(frozen=True, kw_only=True, slots=True)
class Report:
    """All policies over the same calls, in the order of ``POLICIES``."""

    results: tuple[PolicyResult, ...]
    parts: Parts | None = None
    """None: the traffic was made from sizes that the caller knows."""
    gains: tuple[ProfileGain, ...] = ()
    """What ``auto`` did to each profile's conversations, the profile that costs most first; none in made-up traffic."""

    def __getitem__(self, policy: Policy) -> PolicyResult:
        return next(result for result in self.results if result.policy == policy)

    def versus_baseline(self, policy: Policy) -> float | None:
        """How much dearer than ``full-cached``, as a share of it: below 0 is cheaper. None if that costs nothing."""
        before = self[BASELINE].usd
        return float((self[policy].usd - before) / before) if before else None

    def for_json(self) -> list[dict[str, Any]]:
        return [self._row(result) for result in self.results]

    def _row(self, result: PolicyResult) -> dict[str, Any]:
        usage = result.usage
        return {
            "policy": result.policy,
            "usd": str(result.usd),
            "usd_per_conversation": str(round(result.usd_per_conversation, USD_DIGITS)),
            "versus_full_cached": self.versus_baseline(result.policy),
            "cache_read_tokens": usage.cache_read_tokens,
            "cache_write_5m_tokens": usage.cache_write_5m_tokens,
            "cache_write_1h_tokens": usage.cache_write_1h_tokens,
            "uncached_input_tokens": usage.uncached_input_tokens,
            "mean_prompt_tokens": result.mean_prompt_tokens,
            "passthroughs": dict(result.passed),
        }


class PolicyTally:
    """Sums of one policy, call after call."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self._calls = 0
        self._buckets = [0, 0, 0, 0]
        self._passed: Counter[str] = Counter()

    def add(self, usage: Usage, passed: str | None = None) -> None:
        self._calls += 1
        buckets = self._buckets
        buckets[0] += usage.uncached_input_tokens
        buckets[1] += usage.cache_read_tokens
        buckets[2] += usage.cache_write_5m_tokens
        buckets[3] += usage.cache_write_1h_tokens
        if passed is not None:
            self._passed[passed] += 1

    def result(self, prices: Prices, conversations: int) -> PolicyResult:
        """Raises ValueError when there was no call."""
        if not self._calls:
            raise ValueError("no call was accounted")
        uncached, read, write_5m, write_1h = self._buckets
        usage = Usage(
            uncached_input_tokens=uncached,
            cache_read_tokens=read,
            cache_write_5m_tokens=write_5m,
            cache_write_1h_tokens=write_1h,
            output_tokens=0,
        )
        return PolicyResult(
            policy=self.policy,
            calls=self._calls,
            conversations=conversations,
            usage=usage,
            usd=cost_usd(usage, prices),
            passed=dict(sorted(self._passed.items())),
        )


def report_of(
    tallies: Sequence[PolicyTally],
    prices: Prices,
    conversations: int,
    parts: Parts | None = None,
    gains: tuple[ProfileGain, ...] = (),
) -> Report:
    return Report(results=tuple(tally.result(prices, conversations) for tally in tallies), parts=parts, gains=gains)

"""What rewriting did to the bill of one profile's conversations, and whether that is more than chance."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from math import inf, sqrt
from typing import Literal, NamedTuple

from litellm_prompt_router.cache_model import Prices, cost_usd
from litellm_prompt_router.cache_model.usage import Usage

MIN_SAVING = 0.01
"""Of what the full prompt costs. Less isn't worth a changed prompt."""
SURE = 3.0
"""Standard errors that a saving must be away from nothing."""
MIN_CLEAR = 5
"""Conversations; of fewer the error itself can't be told."""

Shown = Literal["cheaper", "unclear", "none"]
"""``unclear``: cheaper, but on conversations so few or so unlike each other that it may be chance."""


class CostMargin(NamedTuple):
    """How much dearer than the full prompt, as a share of it (below 0: cheaper), and whether that is a clear saving."""

    versus_full_cached: float
    is_sure: bool


def margin_of(full_usd: Sequence[Decimal], usd: Sequence[Decimal]) -> CostMargin:
    """By what each conversation costs with the full prompt, and otherwise.

    The error is that of a ratio of sums (Cochran, Sampling Techniques, chapter 6): conversations that differ in length
    but save the same share of their cost leave no doubt. (Tuning has more of them, and asks for a clear mean.)
    """
    before = [float(each) for each in full_usd]
    saved = [float(full - ours) for full, ours in zip(full_usd, usd, strict=True)]
    count, total = len(before), sum(before)
    if not total:
        return CostMargin(0.0, False)
    share = sum(saved) / total
    strays = sum((each - share * full) ** 2 for each, full in zip(saved, before, strict=True))
    error = sqrt(strays / (count - 1) * count) / total if count > 1 else inf
    is_sure = count >= MIN_CLEAR and share >= MIN_SAVING and share >= SURE * error
    return CostMargin(0.0 - share, is_sure)


@dataclass(frozen=True, kw_only=True, slots=True)
class ProfileGain:
    """One profile's recognised calls under ``auto`` against ``full-cached``."""

    profile: str
    conversations: int
    calls: int
    full_cached_usd: Decimal
    usd: Decimal
    margin: CostMargin
    passed: Mapping[str, int]
    """Of these calls those that ``auto`` left as they came, by reason."""

    @property
    def shown(self) -> Shown:
        """Whether the replay shows a gain. Only ``cheaper`` does."""
        if self.margin.is_sure:
            return "cheaper"
        return "unclear" if self.margin.versus_full_cached <= -MIN_SAVING else "none"


@dataclass(slots=True)
class _Bills:
    """Of one profile, by conversation: ``[full-cached, auto]``."""

    by_conversation: dict[tuple[str, str], list[Decimal]] = field(default_factory=dict)
    calls: int = 0
    passed: Counter[str] = field(default_factory=Counter)


class GainTally:
    """The bills of each profile's conversations, call after call."""

    def __init__(self, prices: Prices) -> None:
        self._prices = prices
        self._bills: dict[str, _Bills] = {}

    def add(self, profile: str, conversation: tuple[str, str], full: Usage, ours: Usage, passed: str | None) -> None:
        bills = self._bills.setdefault(profile, _Bills())
        usd = bills.by_conversation.setdefault(conversation, [Decimal(0), Decimal(0)])
        usd[0] += cost_usd(full, self._prices)
        usd[1] += cost_usd(ours, self._prices)
        bills.calls += 1
        if passed is not None:
            bills.passed[passed] += 1

    def gains(self) -> tuple[ProfileGain, ...]:
        """By profile, the one that costs most first."""
        found = [_gain(profile, bills) for profile, bills in self._bills.items()]
        return tuple(sorted(found, key=lambda gain: (-gain.full_cached_usd, gain.profile)))


def _gain(profile: str, bills: _Bills) -> ProfileGain:
    full = [usd[0] for usd in bills.by_conversation.values()]
    ours = [usd[1] for usd in bills.by_conversation.values()]
    return ProfileGain(
        profile=profile,
        conversations=len(full),
        calls=bills.calls,
        full_cached_usd=sum(full, Decimal(0)),
        usd=sum(ours, Decimal(0)),
        margin=margin_of(full, ours),
        passed=dict(sorted(bills.passed.items())),
    )

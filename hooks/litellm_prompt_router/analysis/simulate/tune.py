"""Finds what is cheapest for some traffic: exact module sets, shared bundles, every module, or no rewriting.

Candidates are accounted on the first half of the conversations; the cheapest has to be clearly cheaper than the
full prompt there, and no dearer on the second half, or nothing is rewritten. Bundles are made of the very selections
that they are accounted on, and what none of them holds is sent whole: on the second half they have to be cheaper, too,
than the cheapest way that isn't made of anything seen.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from math import sqrt
from statistics import fmean, stdev
from typing import Literal, Protocol

from litellm_prompt_router.analysis.simulate.bundles import Demand, bundlings
from litellm_prompt_router.analysis.simulate.gain import MIN_SAVING, SURE
from litellm_prompt_router.profile.profile import Economics, ObservedUse

Choice = Literal["exact", "bundles", "all", "full"]
MIN_CONVERSATIONS = 20
RATIOS = (2.0, 4.0, 8.0, 16.0)
FULL = Economics(rewrites=False)
WITHOUT = "untuned"
UNTUNED = Economics(is_tuned=False)
"""The rule that holds without a tuning."""


class Trial(Protocol):
    """Some conversations that can be accounted under any economics."""

    def demand(self) -> Demand:
        """How they use the profile."""

    def full_cached_usd(self) -> Sequence[Decimal]:
        """What each conversation costs with the full prompt, cached well."""

    def usd(self, economics: Economics) -> Sequence[Decimal]:
        """What each conversation costs under ``auto`` with these economics; ``UNTUNED`` ones leave it to the rule."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Candidate:
    """One way, and how much dearer than the full prompt it came out on the half it was chosen on (below 0: cheaper)."""

    name: str
    economics: Economics
    versus_full_cached: float
    is_sure: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Tuning:
    """What to do, what else was tried, and the figures of the half that could only refuse the choice."""

    choice: Choice
    economics: Economics
    candidates: tuple[Candidate, ...]
    full_cached_usd: Decimal
    """Of the second half, as is ``usd``."""
    usd: Decimal

    @property
    def versus_full_cached(self) -> float:
        return float(self.usd / self.full_cached_usd) - 1 if self.full_cached_usd else 0.0


def tune(first: Trial, second: Trial, use: ObservedUse | None = None) -> Tuning:
    """The cheapest way on ``first`` that ``second`` confirms.

    What the rule that holds without a tuning costs, knowing of ``use``, is shown beside it and never chosen: in made
    talk that it looked cheaper for on both halves it came out up to 7% dearer than the full prompt.
    """
    baseline = first.full_cached_usd()
    without = replace(UNTUNED, use=use)
    untuned = _candidate(WITHOUT, without, first.usd(without), baseline)
    tried = [_candidate(name, economics, first.usd(economics), baseline) for name, economics in _ways(first.demand())]
    sure = sorted((way for way in tried if way.is_sure), key=lambda way: way.versus_full_cached)
    best = next(iter(sure), None)
    second_full_usd = sum(second.full_cached_usd(), Decimal(0))
    if best is not None:
        usd = sum(second.usd(best.economics), Decimal(0))
        plain = next((way for way in sure if not way.economics.bundles), None)
        if plain is not None and plain is not best:
            plain_usd = sum(second.usd(plain.economics), Decimal(0))
            best, usd = (plain, plain_usd) if plain_usd < usd else (best, usd)
        if usd <= second_full_usd:
            return Tuning(
                choice=_choice(best.economics),
                economics=best.economics,
                candidates=(*tried, untuned),
                full_cached_usd=second_full_usd,
                usd=usd,
            )
    return Tuning(
        choice="full",
        economics=FULL,
        candidates=(*tried, untuned),
        full_cached_usd=second_full_usd,
        usd=sum(second.usd(FULL), Decimal(0)),
    )


def _ways(demand: Demand) -> Iterator[tuple[str, Economics]]:
    yield "exact sets", Economics()
    for ratio in RATIOS:
        yield f"exact sets up to 1/{ratio + 1:g} of what can be left out", Economics(min_dropped=ratio)
    seen = set()
    for bundles in bundlings(demand):
        if bundles not in seen:
            seen.add(bundles)
            yield f"{len(bundles)} bundle{'s' * (len(bundles) > 1)}", Economics(bundles=bundles)
    yield "every module", Economics(bundles=())


def _candidate(name: str, economics: Economics, usd: Sequence[Decimal], baseline: Sequence[Decimal]) -> Candidate:
    total = sum(baseline, Decimal(0))
    saved = [float(before - after) for before, after in zip(baseline, usd, strict=True)]
    error = stdev(saved) / sqrt(len(saved)) if len(saved) > 1 else 0.0
    mean, share = fmean(saved), -float(sum(saved)) / float(total) if total else 0.0
    return Candidate(
        name=name,
        economics=economics,
        versus_full_cached=share,
        is_sure=share <= -MIN_SAVING and mean >= SURE * error,
    )


def _choice(economics: Economics) -> Choice:
    if economics.bundles is None:
        return "exact"
    return "bundles" if economics.bundles else "all"

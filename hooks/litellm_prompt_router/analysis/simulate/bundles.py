"""Which module sets many conversations could share, so that their prefix stays warm.

Starts from the selections that were seen and merges, step by step, the two whose union costs least more. What a set
costs is estimated from how often it is used: the seldom used one is cold, and is written again each time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import combinations
from math import exp
from statistics import fmean

from litellm_prompt_router.cache_model import Prices
from litellm_prompt_router.cache_model.rules import LIFETIME_SECONDS

MAX_SETS = 48
"""Selections to start from, the most frequent ones; the others get every module."""
COUNTS = (32, 16, 8, 5, 3, 2, 1)
"""How many bundles the candidates have."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Demand:
    """How traffic uses a profile: the first selection of each conversation and the figures that price a set."""

    selections: Sequence[frozenset[int]]
    tokens: Sequence[int]
    """Of the modules beside the core, by index; 0 for those of the core."""
    calls_per_conversation: float
    conversations_per_second: float
    warm_seconds: float
    """How long one conversation keeps its prefix alive: its length and the cache's lifetime."""
    read_share: float
    write_share: float


def demand_of(
    selections: Sequence[frozenset[int]],
    ends_seconds: Sequence[tuple[float, float]],
    calls: int,
    tokens: Sequence[int],
    prices: Prices,
) -> Demand:
    """From each conversation's first selection, and when it began and ended."""
    span_seconds = max(end for _, end in ends_seconds) - min(begin for begin, _ in ends_seconds)
    length_seconds = fmean(end - begin for begin, end in ends_seconds)
    return Demand(
        selections=selections,
        tokens=tokens,
        calls_per_conversation=calls / len(selections),
        conversations_per_second=len(selections) / max(span_seconds, 1.0),
        warm_seconds=length_seconds + LIFETIME_SECONDS["5m"],
        read_share=float(prices.cache_read_usd_per_mtok / prices.input_usd_per_mtok),
        write_share=float(prices.cache_write_5m_usd_per_mtok / prices.input_usd_per_mtok),
    )


def bundlings(demand: Demand) -> Iterator[tuple[frozenset[int], ...]]:
    """Candidates with fewer and fewer bundles, each largest use first."""
    total = len(demand.selections)
    sets: dict[frozenset[int], float] = {
        selected: count / total for selected, count in _counted(demand.selections).most_common(MAX_SETS)
    }
    every = frozenset(module for module, size in enumerate(demand.tokens) if size)
    sets.pop(every, None)

    @cache
    def cost(modules: frozenset[int], share: float) -> float:
        """Of one conversation on average, in input tokens."""
        size = sum(demand.tokens[module] for module in modules)
        cold = exp(-demand.conversations_per_second * share * demand.warm_seconds)
        extra = (demand.write_share - demand.read_share) * cold
        return share * size * (demand.calls_per_conversation * demand.read_share + extra)

    for count in COUNTS:
        if count > len(sets) and count != COUNTS[-1]:
            continue
        while len(sets) > count:
            _merge_cheapest(sets, cost)
        if sets:
            yield tuple(sorted(sets, key=lambda modules: (-sets[modules], sorted(modules))))


def _counted(selections: Iterable[frozenset[int]]) -> Counter[frozenset[int]]:
    """Counted in an order that doesn't depend on hashes."""
    return Counter(sorted(selections, key=sorted))


def _merge_cheapest(sets: dict[frozenset[int], float], cost: Callable[[frozenset[int], float], float]) -> None:
    """Replaces two sets by their union."""
    first, second = min(
        combinations(sorted(sets, key=sorted), 2),
        key=lambda pair: (
            cost(pair[0] | pair[1], sets[pair[0]] + sets[pair[1]])
            - cost(pair[0], sets[pair[0]])
            - cost(pair[1], sets[pair[1]])
        ),
    )
    share = sets.pop(first) + sets.pop(second)
    union = first | second
    sets[union] = sets.get(union, 0.0) + share

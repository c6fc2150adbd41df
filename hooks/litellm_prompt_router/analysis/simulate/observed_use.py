"""How conversations use a profile, as a ledger shows it: what the cost gate goes by where nothing is tuned."""

from __future__ import annotations

from collections.abc import Sequence

from litellm_prompt_router.analysis.conversation_links import LinkedCall
from litellm_prompt_router.profile.later_chances import later_counts
from litellm_prompt_router.profile.profile import ObservedUse, Profile

MIN_BEGUN = 20
"""Conversations that begin without a module; of fewer its chance can't be told."""
DIGITS = 4


def observed_use(links: Sequence[LinkedCall], profile: Profile) -> ObservedUse:
    """Of calls that providers answered, in the order of their times."""
    messages = sum(link.call.is_new_message for link in links)
    seen: dict[int, tuple[frozenset[int], set[int]]] = {}
    for link in links:
        if link.conversation not in seen:
            # Of one that began before the ledger did, nobody saw what it was without at first.
            first = link.call.first if link.call.begins else frozenset(range(len(profile.modules)))
            seen[link.conversation] = (first, set())
        seen[link.conversation][1].update(link.call.first, link.call.later)
    counts = later_counts(seen.values(), [n for n, module in enumerate(profile.modules) if not module.always])
    chances = {
        profile.modules[number].id: round(needed / begun, DIGITS)
        for number, (needed, begun) in counts.items()
        if begun >= MIN_BEGUN
    }
    return ObservedUse(
        calls_per_message=round(max(1.0, len(links) / messages), 2) if messages else None,
        later_chances=chances or None,
    )

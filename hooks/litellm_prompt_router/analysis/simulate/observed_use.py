"""How conversations use a profile, as a ledger shows it: what the cost gate goes by where nothing is tuned."""

from __future__ import annotations

from collections.abc import Sequence

from litellm_prompt_router.analysis.conversation_links import LinkedCall
from litellm_prompt_router.profile.profile import ObservedUse, Profile

MIN_BEGUN = 20
"""Conversations that begin without a module; of fewer its chance can't be told."""
DIGITS = 4


def observed_use(links: Sequence[LinkedCall], profile: Profile) -> ObservedUse:
    """Of calls that providers answered, in the order of their times."""
    messages = sum(link.call.is_new_message for link in links)
    begun: dict[int, frozenset[int]] = {}
    later: dict[int, set[int]] = {}
    for link in links:
        if link.conversation not in begun:
            # Of one that began before the ledger did, nobody saw what it was without at first.
            begun[link.conversation] = link.call.first if link.call.begins else frozenset(range(len(profile.modules)))
            later[link.conversation] = set()
        later[link.conversation] |= link.call.first | link.call.later
    chances: dict[str, float] = {}
    for number, module in enumerate(profile.modules):
        without = [conversation for conversation, first in begun.items() if number not in first]
        if not module.always and len(without) >= MIN_BEGUN:
            needed = sum(number in later[conversation] for conversation in without)
            chances[module.id] = round(needed / len(without), DIGITS)
    return ObservedUse(
        calls_per_message=round(max(1.0, len(links) / messages), 2) if messages else None,
        later_chances=chances or None,
    )

"""Tunings told apart and put into words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from litellm_prompt_router.documents.plurals import many
from litellm_prompt_router.files.profile_yaml import EconomicsFile
from litellm_prompt_router.gateway.tuning.tuning_process import ProfileFinding
from litellm_prompt_router.policy.tuning_state import AcceptedTuning
from litellm_prompt_router.policy.tunings import OWN
from litellm_prompt_router.profile.profile import Economics, Profile

SAME_USE = 0.5
SAME_CHANCE = 0.3
"""Calls per message, as a share of the larger, and chances that differ by less are the same traffic: the gate goes by
them only where the tuning itself doesn't hold, as for another model's prices."""


def is_same(before: Economics | None, after: Economics | None) -> bool:
    """Whether both lead to the same prompts; what traffic showed beside them may differ a little."""
    if before is None or after is None:
        return before is after
    plain = [replace(each, use=None, conversations=None) for each in (before, after)]
    if plain[0] != plain[1]:
        return False
    if before.use is None or after.use is None:
        return before.use is after.use
    calls = before.use.calls_per_message, after.use.calls_per_message
    if None in calls:
        return calls[0] is calls[1]
    one, other = float(calls[0] or 0), float(calls[1] or 0)
    if abs(one - other) > SAME_USE * max(one, other):
        return False
    chances = [use.later_chances or {} for use in (before.use, after.use)]
    return all(abs(chances[0].get(n, 0.0) - chances[1].get(n, 0.0)) <= SAME_CHANCE for n in {*chances[0], *chances[1]})


def figures_of(found: ProfileFinding) -> str:
    """What the ledger showed, in a line."""
    halves = [
        f"{value:+.1%} on the {name} half"
        for name, value in (("first", found.first), ("second", found.second))
        if value is not None
    ]
    choice = found.economics.choice if found.economics is not None else OWN
    if choice == "untuned":
        use = found.economics.use if found.economics is not None else None
        calls = "" if use is None or use.calls_per_message is None else f": {use.calls_per_message:g} calls a message"
        return f"what {many(found.conversations, 'conversation')} show of use{calls}"
    shown = f", against the full prompt {' and '.join(halves)}" if halves else ""
    return f"{choice}{shown} of {many(found.conversations, 'conversation')}"


def choice_of(profile: Profile, tunings: Sequence[AcceptedTuning]) -> str:
    """In a word what was chosen last."""
    if tunings:
        return word_of(tunings[-1])
    return OWN if profile.economics is not None else "untuned"


def word_of(tuning: AcceptedTuning) -> str:
    if tuning.economics is None:
        return OWN
    return "untuned, by use" if tuning.economics.choice == "untuned" else tuning.economics.choice


def latest_found(tunings: Sequence[AcceptedTuning]) -> EconomicsFile | None:
    return next((tuning.economics for tuning in reversed(tunings) if tuning.economics is not None), None)

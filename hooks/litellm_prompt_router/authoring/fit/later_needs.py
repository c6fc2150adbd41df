"""How likely conversations are to get a module later, by labelled messages.

A conversation begins with what the router selects for its first message, out of fold; a module comes later where the
router selects it for a later message, or that message needs it. One whose beginning has no label tells nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from litellm_prompt_router.authoring.fit.gate_training import HeldOutCase
from litellm_prompt_router.authoring.fit.held_out import HeldOutSelections
from litellm_prompt_router.files.labelled_messages import Conversations
from litellm_prompt_router.profile.later_chances import later_chances
from litellm_prompt_router.profile.profile import Profile


def later_needs(
    profile: Profile,
    observed: Sequence[HeldOutCase],
    selections: HeldOutSelections,
    threshold: float,
    conversations: Conversations,
) -> dict[str, float] | None:
    """By module id: the chance that a conversation which begins without it gets it later.

    ``selections`` are those of ``observed`` without examples. Of a module that too few labelled conversations begin
    without there is no chance; None where there is none at all.
    """
    modules = [number for number, module in enumerate(profile.modules) if not module.always]
    needs: dict[tuple[str, ...], dict[int, frozenset[int]]] = {}
    real = [item for item in observed if not item.is_example]
    for item, selected in zip(real, selections.selected(threshold), strict=True):
        at = len(item.case.history)
        wanted = selected | item.needed if at else selected
        messages = needs.setdefault(conversations.name_of(item.case), {})
        messages[at] = messages.get(at, frozenset()) | frozenset(np.flatnonzero(wanted).tolist())
    begun = [[messages[at] for at in sorted(messages)] for messages in needs.values() if 0 in messages]
    chances = later_chances(begun, modules)
    return {profile.modules[number].id: chance for number, chance in chances.items()} or None

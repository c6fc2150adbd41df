"""Which version of its profile each conversation had last."""

from __future__ import annotations

from collections import OrderedDict

from litellm_prompt_router.process_memory.bounded import register_memory
from litellm_prompt_router.profile.profile import Profile

MAX_CONVERSATIONS = 20_000
"""Those that are remembered."""


class ProfileVersions:
    """The profile version that each conversation had last, of at most MAX_CONVERSATIONS conversations."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, tuple[str, str]] = OrderedDict()
        register_memory(self, "conversation profiles", MAX_CONVERSATIONS, lambda it: len(it._known))

    def changed_from(self, conversation: str, profile: Profile) -> str | None:
        """The version and digest that the profile had at the call before, if it had others."""
        now = (profile.name, f"{profile.version}@{profile.digest[:12]}")
        before = self._known.get(conversation)
        self._known[conversation] = now
        self._known.move_to_end(conversation)
        if len(self._known) > MAX_CONVERSATIONS:
            self._known.popitem(last=False)
        return before[1] if before is not None and before[0] == now[0] and before[1] != now[1] else None

"""Whether a need is served: in the first call of its task, or in the second at the latest.

The agent's first answer to a message brings the module of each tool that it calls, with what that requires, and what
its words call for. Every section's tools stay declared, so it can call those of a section that it doesn't have.

Captured traffic tells what that answer called. Labels tell at most what was called up to the next message, in no order:
then each of these tools may have come first, alone. Where they don't tell that either, the agent is taken to call tools
of the modules that the message is labelled to need. A message is served for certain if it is whichever tool came first,
and at best if it is with one of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from litellm_prompt_router.files.labelled_messages import Case, Conversations
from litellm_prompt_router.profile.fitted import Flags
from litellm_prompt_router.profile.profile import Profile
from litellm_prompt_router.profile.topic_pieces import pieces_of_topics
from litellm_prompt_router.request.route import with_required
from litellm_prompt_router.request.types import RoutingDecision, Turn

Brought = tuple[Flags, ...]
"""By module, what a first answer brings; one for each that may have been given, none where there is no second call."""

Decide = Callable[[Sequence[Turn]], RoutingDecision]


class Served(NamedTuple):
    """Whether a message has all it needs by the second call of its task."""

    for_certain: bool
    at_best: bool


class SecondCalls:
    """What the second call of each labelled task has that the first may lack."""

    def __init__(self, conversations: Conversations, profile: Profile) -> None:
        self._conversations = conversations
        self._profile = profile
        self._owners = {tool: number for number, module in enumerate(profile.modules) for tool in module.tools}
        pieces = pieces_of_topics(profile.modules)
        self._tools = {
            profile.modules[first].id: [tool for piece in topic for tool in profile.modules[piece].tools]
            for first, topic in pieces.items()
        }

    def first_calls(self, case: Case) -> tuple[tuple[str, ...], ...]:
        """The tools of each first answer that may have been given to the message; none where none was called."""
        if case.first_calls is not None:
            return (case.first_calls,) if case.first_calls else ()
        called = self._conversations.called_for(case)
        own = [tool for id in case.needs for tool in self._tools.get(id, ())]
        if called:  # a list of tools may name each once only, so those that were called before may be called again
            own = [tool for tool in own if tool in case.tool_calls]
        return tuple((tool,) for tool in dict.fromkeys((*called, *own)))

    def brought(
        self, case: Case, turns: Sequence[Turn], decide: Callable[[Sequence[Turn]], RoutingDecision]
    ) -> Brought:
        """What each of these answers brings. ``turns`` end with the message, ``decide`` routes them."""
        said = case.said[:1]
        found: dict[bytes, Flags] = {}
        for calls in self.first_calls(case):
            brought = {self._owners[tool] for tool in calls if tool in self._owners}
            if said:
                answer = Turn(role="assistant", text="", tool_calls=calls, arguments=said)
                decision = decide((*turns, answer, Turn(role="tool", text="")))
                brought |= {self._profile.order[each.module] for each in decision.selected if each.kind == "assistant"}
            flags = with_required(brought, self._profile)
            found[flags.tobytes()] = flags
        return tuple(found.values())


def served(needed: Flags, selected: Flags, brought: Brought) -> Served:
    missing = needed & ~selected
    if not missing.any():
        return Served(for_certain=True, at_best=True)
    met = [not bool((missing & ~flags).any()) for flags in brought]
    return Served(for_certain=bool(met) and all(met), at_best=any(met))

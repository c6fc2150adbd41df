"""The policies as block layouts: what the pipeline and LiteLLM would put on the wire, without the text.

Marks stand where the pipeline puts them: at the end of the core, of the routed part, and of the history;
``full-cached`` has its own at the end of the tools, the system prompt and the history. GPT-5.6 needs none at the
history's end, which it marks itself, and takes none on tools.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from typing import Final

from litellm_prompt_router.analysis.simulate.simulated_policies import PLACEMENTS, Policy
from litellm_prompt_router.analysis.simulate.workload import SyntheticCall, Workload
from litellm_prompt_router.cache_model import Block, BreakpointPrefixes, MarkedPrefixes, Rules
from litellm_prompt_router.cache_model.prompt_blocks import Lifetime
from litellm_prompt_router.profile.profile import Placement

MARK: Final[Lifetime] = "5m"
BREAKPOINT: Final[Lifetime] = "30m"
CONVERSATION_KEYS = 1 << 32
"""Keys of a conversation's own blocks start at a multiple of this; shared ones are below."""

Layout = tuple[Sequence[Block], Hashable]
"""Blocks, and what the cache key would say of the routed set where the provider takes one."""


Admit = Callable[[int], int | None]
"""A first selection, as bits -> the one to send instead, or None to leave the conversation as it came."""


class Layouts:
    """The blocks of each call under each policy. Calls of one conversation must come in their order.

    ``auto`` goes by ``placement`` for the conversations that ``admit`` lets in.
    """

    def __init__(self, workload: Workload, rules: Rules, *, placement: Placement, admit: Admit) -> None:
        self._mark: Lifetime | None = MARK if isinstance(rules, MarkedPrefixes) else None
        self._edge = BREAKPOINT if isinstance(rules, BreakpointPrefixes) else self._mark
        self._module_tokens = workload.module_tokens()
        self._placement = placement
        self._admit = admit
        self._keys: dict[Hashable, int] = {}
        self._heads: dict[tuple[int, ...], tuple[Block, ...]] = {}
        self._exact: dict[int, _Conversation] = {}
        self._gated: dict[int, _Conversation | None] = {}
        self._now: tuple[SyntheticCall, _Conversation, _Conversation | None]
        self._tools = (self._shared("tools", workload.tools_tokens, None),) if workload.tools_tokens else ()
        self._core = self._shared("core", workload.core_tokens, self._edge)
        self._full = (
            *(block._replace(mark=self._mark) for block in self._tools),
            self._shared("full", workload.prompt_tokens, self._edge)._replace(is_ending=True),
        )

    def take(self, call: SyntheticCall) -> None:
        """The next call, whose layouts are asked for then."""
        number = call.conversation
        if number not in self._exact:
            first = self._admit(call.selection)
            self._exact[number] = _Conversation(number, call.selection)
            self._gated[number] = None if first is None else _Conversation(number, first)
        held = self._exact[number], self._gated[number]
        for conversation in held:
            if conversation is not None:
                conversation.take(call, self._late)
        if call.is_last:
            del self._exact[number], self._gated[number]
        self._now = call, *held

    def layout(self, policy: Policy) -> Layout:
        """What ``policy`` sends for the call taken last."""
        call, exact, gated = self._now
        if policy in ("full", "full-cached") or (policy == "auto" and gated is None):
            return [*self._full, *self._ended(exact.plain)], None
        if policy == "auto" and gated is not None:
            return self._placed(self._placement, gated, call)
        placement = PLACEMENTS[policy]
        assert placement is not None
        return self._placed(placement, exact, call)

    def _placed(self, placement: Placement, held: _Conversation, call: SyntheticCall) -> Layout:
        match placement:
            case "latest":
                return [*self._head((call.selection,)), *self._ended(held.plain)], call.selection
            case "grow":
                return [*self._head(held.selections), *self._ended(held.plain)], held.selections[0]
            case "append":
                return [*self._head(held.selections[:1]), *self._ended(held.late)], held.selections[0]

    def _ended(self, history: Sequence[Block]) -> list[Block]:
        """The history with a mark at its end."""
        return [*history[:-1], history[-1]._replace(mark=self._mark)]

    def _head(self, selections: tuple[int, ...]) -> tuple[Block, ...]:
        """Tools, core, and the routed part: the first selection in one fixed order, each later one behind it."""
        head = self._heads.get(selections)
        if head is None:
            parts = [module for selection in selections for module in modules_of(selection)]
            if self._mark:
                # One block on the wire: two of them share all of it or nothing.
                tokens = sum(self._module_tokens[module] for module in parts)
                routed = [self._shared(("routed", *parts), tokens, self._mark)]
            else:
                routed = [self._shared(("module", module), self._module_tokens[module], None) for module in parts]
            routed[-1] = routed[-1]._replace(mark=self._edge, is_ending=True)
            head = self._heads[selections] = (*self._tools, self._core, *routed)
        return head

    def _late(self, selection: int) -> Block:
        """Late modules as one message."""
        tokens = sum(self._module_tokens[module] for module in modules_of(selection))
        return self._shared(("late", selection), tokens, None)._replace(section="messages")

    def _shared(self, name: Hashable, tokens: int, mark: Lifetime | None) -> Block:
        return Block(self._keys.setdefault(name, len(self._keys)), tokens, mark, "system")


class _Conversation:
    """The history so far, with late modules in it and without."""

    def __init__(self, number: int, selection: int) -> None:
        self.plain: list[Block] = []
        self.late: list[Block] = []
        self.selections: tuple[int, ...] = (selection,)
        """What the first user message needs, then what each later one adds to that."""
        self._key = (number + 1) * CONVERSATION_KEYS
        self._selected = selection

    def take(self, call: SyntheticCall, late: Callable[[int], Block]) -> None:
        """What this call's history has beyond that of the one before."""
        before, after = call.added
        if call.opens_turn:
            added = [Block(self._key, before, is_answer=True)] if before else []
            added.append(Block(self._key + 1, after, is_ending=True))
        else:
            result = Block(self._key + 1, after, run="tool_result", is_ending=True)
            added = [Block(self._key, before, run="tool_use", is_answer=True), result]
        self._key += 2
        self.plain += added
        self.late += added
        fresh = call.selection & ~self._selected
        if fresh:
            self._selected |= fresh
            self.selections += (fresh,)
            self.late.append(late(fresh))


def modules_of(selection: int) -> Iterator[int]:
    """The modules whose bits are set, in order."""
    module = 0
    while selection:
        if selection & 1:
            yield module
        selection >>= 1
        module += 1

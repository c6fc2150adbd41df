"""The policies as block layouts: what the pipeline and LiteLLM would put on the wire, without the text.

Marks stand where the pipeline puts them: at the end of the core, of the routed part, and of the history;
``full-cached`` has its own at the end of the tools, the system prompt and the history. GPT-5.6 needs none at the
history's end, which it marks itself, and takes none on tools.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from typing import Final

from hooks.cachemodel import Block, BreakpointPrefixes, MarkedPrefixes, Rules
from hooks.cachemodel.blocks import Lifetime
from hooks.simulate.policies import Policy
from hooks.simulate.workload import SyntheticCall, Workload

MARK: Final[Lifetime] = "5m"
BREAKPOINT: Final[Lifetime] = "30m"
CONVERSATION_KEYS = 1 << 32
"""Keys of a conversation's own blocks start at a multiple of this; shared ones are below."""

Layout = tuple[Sequence[Block], Hashable]
"""Blocks, and what the cache key would say of the routed set where the provider takes one."""


class Layouts:
    """The blocks of each call under each policy. Calls of one conversation must come in their order."""

    def __init__(self, workload: Workload, rules: Rules) -> None:
        self._mark: Lifetime | None = MARK if isinstance(rules, MarkedPrefixes) else None
        self._edge = BREAKPOINT if isinstance(rules, BreakpointPrefixes) else self._mark
        self._module_tokens = workload.module_tokens()
        self._keys: dict[Hashable, int] = {}
        self._heads: dict[tuple[int, ...], tuple[Block, ...]] = {}
        self._live: dict[int, _Conversation] = {}
        self._tools = (self._shared("tools", workload.tools_tokens, None),) if workload.tools_tokens else ()
        self._core = self._shared("core", workload.core_tokens, self._edge)
        self._full = (
            *(block._replace(mark=self._mark) for block in self._tools),
            self._shared("full", workload.prompt_tokens, self._edge)._replace(is_ending=True),
        )

    def of(self, call: SyntheticCall) -> dict[Policy, Layout]:
        """The layouts of all policies that differ; ``auto`` is one of them, ``full`` needs none."""
        held = self._live.get(call.conversation)
        if held is None:
            held = self._live[call.conversation] = _Conversation(call.conversation, call.selection)
        held.take(call, self._late)
        if call.is_last:
            del self._live[call.conversation]
        plain, late, first = self._ended(held.plain), self._ended(held.late), held.selections[0]
        return {
            "full-cached": ([*self._full, *plain], None),
            "latest": ([*self._head((call.selection,)), *plain], call.selection),
            "grow": ([*self._head(held.selections), *plain], first),
            "append": ([*self._head((first,)), *late], first),
        }

    def _ended(self, history: Sequence[Block]) -> list[Block]:
        """The history with a mark at its end."""
        return [*history[:-1], history[-1]._replace(mark=self._mark)]

    def _head(self, selections: tuple[int, ...]) -> tuple[Block, ...]:
        """Tools, core, and the routed part: the first selection in one fixed order, each later one behind it."""
        head = self._heads.get(selections)
        if head is None:
            parts = [module for selection in selections for module in _bits(selection)]
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
        tokens = sum(self._module_tokens[module] for module in _bits(selection))
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
            added = [Block(self._key, before)] if before else []
            added.append(Block(self._key + 1, after, is_ending=True))
        else:
            result = Block(self._key + 1, after, run="tool_result", is_ending=True)
            added = [Block(self._key, before, run="tool_use"), result]
        self._key += 2
        self.plain += added
        self.late += added
        fresh = call.selection & ~self._selected
        if fresh:
            self._selected |= fresh
            self.selections += (fresh,)
            self.late.append(late(fresh))


def _bits(selection: int) -> Iterator[int]:
    module = 0
    while selection:
        if selection & 1:
            yield module
        selection >>= 1
        module += 1

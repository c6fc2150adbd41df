"""Calls of a ledger as block layouts: what the pipeline and LiteLLM would put on the wire, without the text.

As ``layouts`` does it for made-up traffic, and beyond that with what real prompts have: values that vary inside them,
tools that change, histories that are cut or go on from an earlier point.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import NamedTuple

from litellm_prompt_router.analysis.conversation_links import LinkedCall
from litellm_prompt_router.analysis.ledger_calls import LedgerCall
from litellm_prompt_router.analysis.simulate.layouts import BREAKPOINT, MARK
from litellm_prompt_router.cache_model import Block
from litellm_prompt_router.cache_model.prompt_blocks import Lifetime
from litellm_prompt_router.profile.profile import Placement, Profile
from litellm_prompt_router.request.types import Target

SentBlocks = tuple[Sequence[Block], frozenset[int] | None]
"""A call's blocks, and the modules beside the core that are sent from the start; None where it is left as it came."""
BlocksAt = Callable[[int], SentBlocks]
"""By a call's place."""


class PromptSizes(NamedTuple):
    """One call's system prompt in tokens. ``modules`` by index, 0 for those of the core and absent ones."""

    core: int
    modules: tuple[int, ...]
    placed: int
    """Values of slots and unknown text that stay where they are; ``varying``: those that go to the end."""
    varying: int

    @property
    def total(self) -> int:
        return self.core + sum(self.modules) + self.placed + self.varying


Admit = Callable[[LedgerCall, PromptSizes], frozenset[int] | None]
"""The modules to send from the start of a call's conversation, or None to leave it as it came."""


def selected_first(call: LedgerCall, sizes: PromptSizes) -> frozenset[int]:
    """What routing wanted from the first turn on, of what is in the prompt."""
    return frozenset([module for module in call.first if sizes.modules[module]])


class PromptMeter:
    """Sizes of prompts of one profile, remembered by what is absent from them."""

    def __init__(self, profile: Profile) -> None:
        self._modules = profile.modules
        self._chars = [sum(len(part) for part in m.parts if isinstance(part, str)) for m in profile.modules]
        self.chars_per_token = sum(self._chars) / max(1, sum(m.tokens for m in profile.modules))
        self._known: dict[frozenset[int], tuple[int, tuple[int, ...], int]] = {}

    def sizes(self, call: LedgerCall) -> PromptSizes:
        core, modules, chars = self._of_modules(call.absent)
        beside_chars = max(0, call.original_chars - chars)
        if call.original_tokens is None:
            beside = round(beside_chars / self.chars_per_token)
        else:
            beside = max(0, call.original_tokens - core - sum(modules))
        varying = round(beside * min(1.0, call.varying_chars / beside_chars)) if beside_chars else 0
        return PromptSizes(core, modules, beside - varying, varying)

    def _of_modules(self, absent: frozenset[int]) -> tuple[int, tuple[int, ...], int]:
        """Tokens of the core, tokens by module, and characters of all of them."""
        known = self._known.get(absent)
        if known is None:
            there = [(n, module) for n, module in enumerate(self._modules) if n not in absent]
            core = sum(module.tokens for _, module in there if module.always)
            optional = {n: module.tokens for n, module in there if not module.always}
            tokens = tuple(optional.get(n, 0) for n in range(len(self._modules)))
            known = self._known[absent] = (core, tokens, sum(self._chars[n] for n, _ in there))
        return known


class _Trail(NamedTuple):
    """A history up to one call: the first ``length`` of ``blocks``, which later calls may go on with."""

    blocks: list[Block]
    length: int
    there: frozenset[int]
    """Modules that are in the prompt or behind a message by then."""
    came: tuple[int, ...]
    """Those of them that came late, in the order in which they came."""


_NOTHING = _Trail([], 0, frozenset(), ())


class LedgerLayouts:
    """The blocks of each call as it came, and as a placement and a cost gate have it.

    Calls are asked for by their place among ``links``, in their order; those of whole conversations may be left out.
    """

    def __init__(self, links: Sequence[LinkedCall], profile: Profile, target: Target) -> None:
        self._links = links
        self._meter = PromptMeter(profile)
        self._mark: Lifetime | None = MARK if target.takes_marks else None
        stable: Lifetime | None = profile.cache_ttl if target.takes_marks else None
        self._edge = BREAKPOINT if target.takes_breakpoints else stable
        self._full_edge = BREAKPOINT if target.takes_breakpoints else self._mark
        self._keys: dict[Hashable, int] = {}

    def as_they_came(self) -> BlocksAt:
        """With the full prompt, cached well."""
        trails: dict[int, _Trail] = {}

        def blocks(at: int) -> SentBlocks:
            call = self._links[at].call
            sizes = self._meter.sizes(call)
            trail = trails[at] = self._gone_on(trails, at, sizes, None, is_appended=False)
            return [*self._tools(call), *self._full(call, sizes), *self._ended(trail)], None

        return blocks

    def rewritten(self, placement: Placement, admit: Admit) -> BlocksAt:
        trails: dict[int, _Trail] = {}

        def blocks(at: int) -> SentBlocks:
            call = self._links[at].call
            sizes = self._meter.sizes(call)
            sent = admit(call, sizes)
            is_appended = placement == "append"
            trail = trails[at] = self._gone_on(trails, at, sizes, sent, is_appended=is_appended)
            if sent is None:
                return [*self._tools(call), *self._full(call, sizes), *self._ended(trail)], None
            head = self._head(call, sizes, sent, () if is_appended else trail.came)
            return [*self._tools(call), *head, *self._ended(trail)], sent

        return blocks

    def _gone_on(
        self,
        trails: Mapping[int, _Trail],
        at: int,
        sizes: PromptSizes,
        sent: frozenset[int] | None,
        *,
        is_appended: bool,
    ) -> _Trail:
        """The history up to this call; ``is_appended``: modules that weren't there before stand at its end.

        ``sent`` None: the call is left as it came.
        """
        link = self._links[at]
        before = _NOTHING if link.continues is None else trails[link.continues]
        if link.is_repeated:
            return before
        # What another call went on with stays with that call.
        blocks = (
            before.blocks
            if len(before.blocks) == before.length and before.length
            else [*before.blocks[: before.length]]
        )
        blocks += self._added(at)
        if sent is None:
            return _Trail(blocks, len(blocks), before.there, before.came)
        there = before.there | sent
        fresh = tuple(sorted([module for module in link.call.later - there if sizes.modules[module]]))
        if fresh and is_appended:
            tokens = sum([sizes.modules[module] for module in fresh])
            blocks.append(Block(self._key(("late", fresh, link.call.placed_state)), tokens))
        return _Trail(blocks, len(blocks), there | frozenset(fresh), (*before.came, *fresh))

    def _added(self, at: int) -> tuple[Block, ...]:
        """What a call's history has beyond that of the call which it continues; all of it where it continues none."""
        call, continued = self._links[at].call, self._links[at].continues
        if continued is None:
            return (Block(2 * at, call.history_tokens, is_ending=True),)
        before = self._links[continued].call
        grown = max(0, call.history_tokens - before.history_tokens)
        answer = min(grown, before.output_tokens)
        if call.is_new_message:
            return Block(2 * at + 1, answer), Block(2 * at, grown - answer, is_ending=True)
        result = Block(2 * at, grown - answer, run="tool_result", is_ending=True)
        return Block(2 * at + 1, answer, run="tool_use"), result

    def _ended(self, trail: _Trail) -> list[Block]:
        """The history with a mark at its end."""
        history = trail.blocks[: trail.length]
        history[-1] = history[-1]._replace(mark=self._mark)
        return history

    def _tools(self, call: LedgerCall) -> list[Block]:
        if not call.tools_tokens:
            return []
        return [Block(self._key(("tools", call.tools_state)), call.tools_tokens, self._mark, "tools")]

    def _full(self, call: LedgerCall, sizes: PromptSizes) -> list[Block]:
        """Marked, the full prompt is one block, shared whole or not at all; else it is shared up to what varies."""
        values = (call.placed_state, call.varying_state)
        if self._mark:
            return [self._system(("full", call.absent, *values), sizes.total, self._full_edge, is_ending=True)]
        stated = ((call.placed_at_chars, call.placed_state), (call.varying_at_chars, call.varying_state))
        blocks: list[Block] = []
        begun, known = 0, tuple[Hashable, ...]((call.absent,))
        for cut, value in sorted([(cut, value) for cut, value in stated if cut is not None]):
            end = min(sizes.total, round(cut / self._meter.chars_per_token))
            if end > begun:
                blocks.append(self._system(("full", begun, *known), end - begun, None))
                begun = end
            known = (*known, value)
        last = self._system(("full", begun, *known), sizes.total - begun, self._full_edge, is_ending=True)
        return [*blocks, last]

    def _head(self, call: LedgerCall, sizes: PromptSizes, sent: frozenset[int], grown: tuple[int, ...]) -> list[Block]:
        """Core, the modules sent in one fixed order and those that came later behind them, and what varies."""
        base = (call.absent, call.placed_state)
        blocks = [self._system(("core", *base), sizes.core + sizes.placed, self._edge)]
        parts = [module for module in (*sorted(sent), *grown) if sizes.modules[module]]
        if parts and self._mark:
            # One block on the wire: two of them share all of it or nothing.
            tokens = sum([sizes.modules[module] for module in parts])
            blocks.append(self._system(("routed", *base, *parts), tokens, self._edge))
        elif parts:
            blocks += [self._system(("module", module, *base), sizes.modules[module], None) for module in parts]
            blocks[-1] = blocks[-1]._replace(mark=self._edge)
        if sizes.varying:
            blocks.append(self._system(("varying", call.varying_state), sizes.varying, None))
        return [*blocks[:-1], blocks[-1]._replace(is_ending=True)]

    def _system(self, name: Hashable, tokens: int, mark: Lifetime | None, *, is_ending: bool = False) -> Block:
        return Block(self._key(name), tokens, mark, "system", is_ending=is_ending)

    def _key(self, name: Hashable) -> int:
        """Of a block that calls may share, below 0: the others' are a call's place, twice."""
        return ~self._keys.setdefault(name, len(self._keys))

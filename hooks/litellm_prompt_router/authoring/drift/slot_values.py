"""The profile's slots in the new prompt: where they are in edited text, and the name of each value."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from litellm_prompt_router.authoring.drift.anchors import Value
from litellm_prompt_router.profile.profile import Module, Profile, Slot

CONTEXT_CHARS = (60, 24, 8)
"""How much of the text beside a slot is looked for in an edited module, most telling first."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PlannedSlot:
    """A slot as it will be: ``source`` is what it was. With a ``name`` of its own it is declared anew."""

    name: str
    source: Slot
    sample: str


class SlotNames:
    """Slots as they are used in the new prompt. One whose value differs between two places becomes two."""

    def __init__(self, profile: Profile, prompt: str) -> None:
        self.declared = {
            part.name: part for module in profile.modules for part in module.parts if isinstance(part, Slot)
        }
        self.slots: dict[str, PlannedSlot] = {}
        self._prompt = prompt

    def name_for(self, slot: Slot, value: str) -> str:
        """The name under which this slot has this value."""
        number = 1
        while True:
            name = slot.name if number == 1 else f"{slot.name}_{number}"
            known = self.slots.get(name)
            is_free = known is None and (number == 1 or name not in self.declared)
            if is_free and f"{{{{{name}}}}}" not in self._prompt:
                self.slots[name] = PlannedSlot(name=name, source=slot, sample=value)
                return name
            if known is not None and known.source is slot and known.sample == value:
                return name
            number += 1


def slots_in(module: Module, prompt: str, start: int, end: int) -> Iterable[Value]:
    """The module's slots in its edited text, by what stands beside them."""
    at = start
    for number, part in enumerate(module.parts):
        if not isinstance(part, Slot):
            continue
        before = module.parts[number - 1] if number else ""
        after = module.parts[number + 1] if number + 1 < len(module.parts) else ""
        if isinstance(before, str) and isinstance(after, str):
            value = _between(part, before, after, prompt, at, end)
            if value is not None:
                yield value
                at = value.end


def _between(slot: Slot, before: str, after: str, prompt: str, at: int, end: int) -> Value | None:
    for chars in CONTEXT_CHARS:
        head, tail = before[-chars:], after[:chars]
        found = prompt.find(head, at, end) if head else at
        if found < 0:
            continue
        first = found + len(head)
        limit = min(end, first + slot.max_chars + len(tail))
        last = (prompt.find(tail, first, limit) if tail else end) if first <= end else -1
        if last >= first and slot.pattern.fullmatch(prompt[first:last]) is not None:
            return Value(first, last, slot)
    return None

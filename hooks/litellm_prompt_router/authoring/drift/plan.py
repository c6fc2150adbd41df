"""What an agent's new prompt makes of its profile: each module's state and text, the slots, and what to look at."""

from __future__ import annotations

import difflib
import re
from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from litellm_prompt_router.authoring.drift.anchors import Stretch, Value
from litellm_prompt_router.authoring.drift.match_modules import match_modules
from litellm_prompt_router.authoring.drift.slot_values import PlannedSlot, SlotNames, slots_in
from litellm_prompt_router.authoring.split import DraftModule, split_prompt
from litellm_prompt_router.authoring.split.essential_text import essential_sentences
from litellm_prompt_router.authoring.split.pieces import LARGEST_TARGET_CHARS, SMALLEST_TARGET_CHARS
from litellm_prompt_router.documents.errors import ConfigurationError
from litellm_prompt_router.profile.profile import Module, Profile, Slot

MUCH_CHANGED = 0.5
ANY_SHARE = 2.0
"""A new section may be one module, however much of the new text that is."""
TRAILING_NUMBER = re.compile(r"(.*?)([.+]|^)(\d{1,6})\Z", re.DOTALL)


State = Literal["unchanged", "edited", "moved", "new", "gone"]


@dataclass(frozen=True, kw_only=True, slots=True)
class PlannedModule:
    """One module of the new prompt, or one that is gone (``text`` and ``after`` empty).

    ``text`` is what its file is to hold; ``before`` and ``after`` are the prompt's own text, slots filled.
    """

    id: str
    title: str
    state: State
    has_moved: bool
    source: Module | None
    draft: DraftModule | None
    file: str
    text: str
    before: str
    after: str


@dataclass(frozen=True, kw_only=True, slots=True)
class UpdatePlan:
    """The profile as the new prompt has it. ``modules`` in the new order; ``gone`` in the old one."""

    profile: Profile
    version: str
    prompt: str
    modules: tuple[PlannedModule, ...]
    gone: tuple[PlannedModule, ...]
    slots: tuple[PlannedSlot, ...]
    lost_slots: tuple[str, ...]
    notes: tuple[str, ...]
    """What the owner has to look at, each with the module it concerns."""

    @property
    def is_changed(self) -> bool:
        return self.prompt != self.profile.text or any(planned.state != "unchanged" for planned in self.modules)


def plan_update(
    profile: Profile,
    prompt: str,
    *,
    file_of: Callable[[str], str],
    version: str | None = None,
    count_tokens: Callable[[str], int] | None = None,
) -> UpdatePlan:
    """The plan for a new version of the profile's prompt. ``file_of`` tells a module's file by its id.

    Raises ConfigurationError when the prompt is empty, or has nothing in common with the profile's.
    """
    if not prompt.strip():
        raise ConfigurationError([f"{profile.name}: the new prompt is empty; is this the right file?"])
    stretches = match_modules(profile, prompt)
    if not any(stretch.module is not None for stretch in stretches):
        raise ConfigurationError(
            [f"{profile.name}: no module of it is in the new prompt; make a profile of its own with `split`"]
        )
    notes: list[str] = []
    naming = SlotNames(profile, prompt)
    in_place = _in_place([stretch.module for stretch in stretches if stretch.module is not None])
    modules: list[PlannedModule] = []
    taken = {name for module in profile.modules for name in (module.id, file_of(module.id).removesuffix(".txt"))}
    for stretch in stretches:
        if stretch.module is not None:
            moved = stretch.module not in in_place
            modules.append(_survivor(profile, prompt, stretch, moved, naming, file_of, notes))
        else:
            modules.extend(_new(profile, prompt[stretch.start : stretch.end], taken, naming, notes, count_tokens))
    kept = {planned.source.id for planned in modules if planned.source is not None}
    gone = tuple(_gone(module, profile, file_of, notes) for module in profile.modules if module.id not in kept)
    slots = tuple(naming.slots.values())
    still_used = {slot.source.name for slot in slots}
    lost = tuple(name for name in naming.declared if name not in still_used)
    notes.extend(f"slot {name}: no module has it any more; it was removed" for name in lost)
    return UpdatePlan(
        profile=profile,
        version=version or next_version(profile.version),
        prompt=prompt,
        modules=tuple(modules),
        gone=gone,
        slots=slots,
        lost_slots=lost,
        notes=tuple(notes),
    )


def next_version(version: str) -> str:
    """``7`` behind ``6``, ``1.5`` behind ``1.4``, ``2026-01-31+2`` behind ``2026-01-31``."""
    match = TRAILING_NUMBER.fullmatch(version)
    if match is None:
        return f"{version}+2"
    return f"{match[1]}{match[2]}{int(match[3]) + 1}"


def _in_place(order: Sequence[int]) -> frozenset[int]:
    """The modules that kept their order: the longest run of rising indexes."""
    tails: list[int] = []
    chains: list[tuple[int, ...]] = []
    for index in order:
        at = bisect_left(tails, index)
        chain = (*(chains[at - 1] if at else ()), index)
        tails[at : at + 1], chains[at : at + 1] = [index], [chain]
    return frozenset(chains[-1]) if chains else frozenset()


def _survivor(
    profile: Profile,
    prompt: str,
    stretch: Stretch,
    moved: bool,
    naming: SlotNames,
    file_of: Callable[[str], str],
    notes: list[str],
) -> PlannedModule:
    module = profile.modules[stretch.module or 0]
    after = prompt[stretch.start : stretch.end]
    values = stretch.values or tuple(slots_in(module, prompt, stretch.start, stretch.end))
    parts: list[str] = []
    at = stretch.start
    for value in values:
        parts += [prompt[at : value.start], f"{{{{{naming.name_for(value.slot, prompt[value.start : value.end])}}}}}"]
        at = value.end
    text = "".join([*parts, prompt[at : stretch.end]])
    state: State = ("moved" if moved else "unchanged") if stretch.is_exact else "edited"
    if not stretch.is_exact:
        notes.extend(f"{module.id}: {note}" for note in _edits(module, text, values))
        notes.extend(f"{module.id}: {note}" for note in _new_rules(module, after))
    return PlannedModule(
        id=module.id,
        title=module.title,
        state=state,
        has_moved=moved,
        source=module,
        draft=None,
        file=file_of(module.id),
        text=text,
        before=module.text,
        after=after,
    )


def _edits(module: Module, text: str, values: Sequence[Value]) -> Iterable[str]:
    """What an edit makes doubtful. ``text`` has its slots by name."""
    found = [value.slot.name for value in values]
    for part in module.parts:
        if isinstance(part, Slot) and part.name not in found:
            yield f"slot {part.name} is no longer found in it; requests with another value won't match it"
    missing = [tool for tool in module.tools if tool in module.text and tool not in text]
    if missing:
        yield f"no longer mentions its tools {', '.join(missing)}"
    before = "".join(part if isinstance(part, str) else f"{{{{{part.name}}}}}" for part in module.parts)
    if similarity(before, text) < MUCH_CHANGED:
        yield "less than half of it is as it was; see that its description, triggers and examples still fit"


def _new_rules(module: Module, after: str) -> Iterable[str]:
    """What an edit brought into a module that isn't always sent, though every request needs it."""
    if module.always:
        return
    before = {found.text for found in essential_sentences(module.text)}
    for found in essential_sentences(after):
        if found.text not in before:
            yield f"may be left out, and now holds what every request needs, on {found.kind}: {found.text!r}"


def similarity(before: str, after: str) -> float:
    """The share of the longer text that stands in lines, in the same order, which the other has too; 0 to 1."""
    old, new = ([line.strip() for line in text.splitlines() if line.strip()] for text in (before, after))
    blocks = difflib.SequenceMatcher(None, old, new, autojunk=False).get_matching_blocks()
    shared = sum(len(line) for block in blocks for line in old[block.a : block.a + block.size])
    return shared / max(1, sum(map(len, old)), sum(map(len, new)))


def _new(
    profile: Profile,
    text: str,
    taken: set[str],
    naming: SlotNames,
    notes: list[str],
    count_tokens: Callable[[str], int] | None,
) -> Iterable[PlannedModule]:
    """New text, cut as ``split`` would; its modules get ids that no other has."""
    usual = min(max(len(profile.text) // len(profile.modules), SMALLEST_TARGET_CHARS), LARGEST_TARGET_CHARS)
    draft = split_prompt(
        [text],
        name=profile.name,
        target_chars=usual,
        max_share=ANY_SHARE,
        keeps_values=True,
        count_tokens=count_tokens,
    )
    ids: dict[str, str] = {}
    for module in draft.modules:
        number, id = 1, module.id
        while id.casefold() in {known.casefold() for known in taken}:
            number += 1
            id = f"{module.id}_{number}"
        taken.add(id)
        ids[module.id] = id
    tools = {tool for module in profile.modules for tool in module.tools}
    at = 0
    for module in draft.modules:
        own = module.text
        for slot in draft.slots:
            own = own.replace(f"{{{{{slot.name}}}}}", slot.sample)
        if not text.startswith(own, at):
            raise AssertionError("the pieces of a new section don't join to it")
        at += len(own)
        id = ids[module.id]
        adjusted = replace(
            module,
            id=id,
            file=f"{id}.txt",
            requires=tuple(ids[needed] for needed in module.requires if needed in ids),
            tools=tuple(tool for tool in module.tools if tool not in tools),
            text=own,
        )
        tools.update(adjusted.tools)
        reason = f"always sent ({module.reason})" if module.always else "not always sent"
        notes.append(f"{id}: new, {reason}; check its title, description, triggers and examples")
        notes.extend(f"{id}: {doubt.text}" for doubt in draft.doubts if doubt.module == module.id)
        yield PlannedModule(
            id=id,
            title=module.title,
            state="new",
            has_moved=False,
            source=None,
            draft=adjusted,
            file=adjusted.file,
            text=own,
            before="",
            after=own,
        )


def _gone(module: Module, profile: Profile, file_of: Callable[[str], str], notes: list[str]) -> PlannedModule:
    notes.append(f"{module.id}: gone from the prompt; its file and entry were removed")
    for other in profile.modules:
        if module.id in other.requires:
            notes.append(f"{other.id}: required {module.id}, which is gone; the requirement was removed")
    return PlannedModule(
        id=module.id,
        title=module.title,
        state="gone",
        has_moved=False,
        source=module,
        draft=None,
        file=file_of(module.id),
        text="",
        before=module.text,
        after="",
    )

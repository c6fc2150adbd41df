"""A profile as its agent's new prompt has it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from litellm_prompt_router.authoring.split import DraftModule
from litellm_prompt_router.profile.profile import Module, Profile, Slot

State = Literal["unchanged", "edited", "moved", "new", "gone"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Planned:
    """One module of the new prompt, or one that is gone (``text`` None).

    ``text`` is what its file is to hold; ``before`` and ``after`` are the prompt's own text, slots filled.
    """

    id: str
    title: str
    state: State
    has_moved: bool
    source: Module | None
    draft: DraftModule | None
    file: str | None
    text: str | None
    before: str
    after: str


@dataclass(frozen=True, kw_only=True, slots=True)
class PlannedSlot:
    """A slot as it will be: ``source`` is what it was. With a ``name`` of its own it is declared anew."""

    name: str
    source: Slot
    sample: str


@dataclass(frozen=True, kw_only=True, slots=True)
class UpdatePlan:
    """The profile as the new prompt has it. ``modules`` in the new order; ``gone`` in the old one."""

    profile: Profile
    version: str
    prompt: str
    modules: tuple[Planned, ...]
    gone: tuple[Planned, ...]
    slots: tuple[PlannedSlot, ...]
    lost_slots: tuple[str, ...]
    notes: tuple[str, ...]
    """What the owner has to look at, each with the module it concerns."""

    @property
    def is_changed(self) -> bool:
        return self.prompt != self.profile.text or any(planned.state != "unchanged" for planned in self.modules)

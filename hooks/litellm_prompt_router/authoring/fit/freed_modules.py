"""Modules that a draft keeps in the core for want of evidence, and that labelled messages show to be optional."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from litellm_prompt_router.files.labelled_messages import Numbered
from litellm_prompt_router.profile.profile import Profile

MIN_MESSAGES = 3
"""Messages that have to need a module, and messages that have to do without: fewer may be a slip of a label."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FreedModule:
    """A module that ``needed`` of ``messages`` labelled messages need: it is routed from now on."""

    id: str
    needed: int
    messages: int

    @property
    def evidence(self) -> str:
        return f"{self.needed} of {self.messages} labelled messages need it"


def freed_modules(profile: Profile, cases: Sequence[Numbered]) -> tuple[FreedModule, ...]:
    """The modules with ``until_labelled`` that some of these messages need and others don't, in prompt order.

    One that a module of the remaining core requires stays with that.
    """
    needs = [set(case.needs) for _, case in cases]
    counts = {module.id: sum(module.id in needed for needed in needs) for module in profile.modules}
    enough = {id for id, count in counts.items() if MIN_MESSAGES <= count <= len(cases) - MIN_MESSAGES}
    freed = {module.id for module in profile.modules if module.until_labelled and module.id in enough}
    while kept := freed & {n for m in profile.modules if m.always and m.id not in freed for n in m.requires}:
        freed -= kept
    return tuple(
        FreedModule(id=module.id, needed=counts[module.id], messages=len(cases))
        for module in profile.modules
        if module.id in freed
    )


def with_freed(profile: Profile, freed: Sequence[FreedModule]) -> Profile:
    """The profile as it is once these modules are no longer in the core."""
    ids = {module.id for module in freed}
    modules = tuple(
        replace(module, always=False, until_labelled=False) if module.id in ids else module
        for module in profile.modules
    )
    return replace(profile, modules=modules)


def fields_of(freed: Sequence[FreedModule]) -> Mapping[str, Mapping[str, Any]]:
    """What changes in profile.yaml, by module id; None: the field goes."""
    return {module.id: {"always": None, "until_labelled": None, "evidence": module.evidence} for module in freed}

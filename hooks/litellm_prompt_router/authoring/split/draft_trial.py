"""A draft as the profile that the proxy would load, to try recognition and routing on it before it is written."""

from __future__ import annotations

import re
from collections.abc import Sequence

from litellm_prompt_router.authoring.split.draft import Draft
from litellm_prompt_router.files import MAX_SLOT_CHARS
from litellm_prompt_router.profile.patterns import compile_pattern
from litellm_prompt_router.profile.profile import Module, Profile, Slot
from litellm_prompt_router.request.recognise import Catalogue
from litellm_prompt_router.request.route import Router
from litellm_prompt_router.request.types import Turn


def profile_of(draft: Draft, candidates: Sequence[tuple[str, ...]] | None = None) -> Profile:
    """The profile that the library would read from the draft's folder.

    With ``candidates``, triggers for each module: as it would be if those that have any were outside the core.
    """
    triggers = candidates if candidates is not None else [module.triggers for module in draft.modules]
    slots = {
        slot.name: Slot(
            name=slot.name,
            pattern=compile_pattern(slot.pattern),
            sample=slot.sample,
            volatile=slot.volatile,
            max_chars=slot.max_chars or MAX_SLOT_CHARS,
        )
        for slot in draft.slots
    }
    modules = tuple(
        Module(
            id=module.id,
            title=module.title,
            description=module.description,
            when=module.when,
            always=module.always and not (candidates and own),
            until_labelled=module.until_labelled,
            requires=module.requires,
            triggers=own,
            examples=module.examples,
            tools=module.tools,
            parts=_parts(module.text, slots),
            tokens=module.tokens,
        )
        for module, own in zip(draft.modules, triggers, strict=True)
    )
    return Profile(
        name=draft.name,
        version=draft.version,
        digest="",
        reviewed=False,
        description=draft.description,
        modules=modules,
        coverage_floor=None,
        cache_ttl="5m",
        order={module.id: number for number, module in enumerate(modules)},
    )


def unrecognised(draft: Draft, samples: Sequence[str]) -> list[int]:
    """The numbers of the samples that aren't recognised from end to end."""
    catalogue = Catalogue([profile_of(draft)])
    found = [catalogue.recognise(sample, only=draft.name) for sample in samples]
    return [
        number
        for number, recognition in enumerate(found)
        if samples[number].strip() and (recognition is None or recognition.coverage < 1)
    ]


def selects(router: Router, module: str, message: str) -> bool:
    """True when routing selects the module for this message, other than as core or fallback."""
    decision = router.decide((Turn(role="user", text=message),))
    return any(e.module == module and e.kind not in ("fallback", "always") for e in decision.selected)


def _parts(text: str, slots: dict[str, Slot]) -> tuple[str | Slot, ...]:
    if not slots:
        return (text,)
    pieces = re.split("(" + "|".join(re.escape(f"{{{{{name}}}}}") for name in slots) + ")", text)
    parts = [slots[part[2:-2]] if number % 2 else part for number, part in enumerate(pieces)]
    return tuple(part for part in parts if part)

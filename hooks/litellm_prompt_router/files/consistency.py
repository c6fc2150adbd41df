"""What is wrong with a profile.yaml whose fields are each in order: names that don't match, are missing or repeated."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from litellm_prompt_router.files.profile_yaml import ProfileFile
from litellm_prompt_router.profile.profile import Module, Slot
from litellm_prompt_router.request.route.triggers import check_trigger


def inconsistencies(declared: ProfileFile, folder: Path, where: str) -> Iterable[str]:
    """Each with its path and what to do."""
    if declared.profile != folder.name:
        yield f"{where}: profile: is {declared.profile!r} but the folder is {folder.name!r}; make them the same"
    ids = [module.id for module in declared.modules]
    yield from _repeated(ids, f"{where}: modules", "id")
    yield from _repeated([module.file for module in declared.modules], f"{where}: modules", "file")
    yield from _repeated([slot.name for slot in declared.slots], f"{where}: slots", "name")
    yield from _repeated([t for module in declared.modules for t in module.tools], f"{where}: modules", "tool")
    yield from _wrong_bundles(declared, where)
    for number, module in enumerate(declared.modules):
        path = f"{where}: modules[{number}]"
        for index, needed in enumerate(module.requires):
            if needed not in ids:
                yield f"{path}.requires[{index}]: unknown module {needed!r}"
            elif needed == module.id:
                yield f"{path}.requires[{index}]: a module can't require itself; remove it"
        for index, trigger in enumerate(module.triggers):
            wrong = check_trigger(trigger)
            if wrong is not None:
                yield f"{path}.triggers[{index}]: {wrong}"


def _wrong_bundles(declared: ProfileFile, where: str) -> Iterable[str]:
    stated = declared.economics
    if stated is None:
        return
    if bool(stated.bundles) != (stated.choice == "bundles"):
        yield f"{where}: economics.bundles: go with the choice 'bundles' and no other; tune the profile again"
    always = {module.id: module.always for module in declared.modules}
    for number, bundle in enumerate(stated.bundles):
        for index, name in enumerate(bundle):
            at = f"{where}: economics.bundles[{number}][{index}]"
            if name not in always:
                yield f"{at}: unknown module {name!r}; tune the profile again"
            elif always[name]:
                yield f"{at}: {name!r} is always sent; remove it"


def _repeated(names: Sequence[str], path: str, what: str) -> Iterable[str]:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            yield f"{path}: {what} {name!r} is there twice; keep one"
        seen.add(name)


def unused_slots(slots: dict[str, Slot], modules: Sequence[Module], where: str) -> Iterable[str]:
    """Slots that stand in no module file."""
    used = [part.name for module in modules for part in module.parts if isinstance(part, Slot)]
    for name in slots:
        if name not in used:
            yield f"{where}: slots: {name!r} is declared but no module file has {{{{{name}}}}}; add or remove it"

"""A profile's folder brought up to date with a plan, all of it or nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from litellm_prompt_router.authoring.drift.plan import PlannedModule, UpdatePlan
from litellm_prompt_router.authoring.split.write_draft import module_entry
from litellm_prompt_router.documents.parsing import parse_yaml, read_text
from litellm_prompt_router.files import PROFILE_FILE, REVIEW_FILE
from litellm_prompt_router.files.fit_files import FIT_FILE, TABLE_FILE, refit
from litellm_prompt_router.files.profile_editor import ProfileEditor
from litellm_prompt_router.files.profile_text import ModuleEntry, SlotEntry
from litellm_prompt_router.profile.profile import Module, Profile

ECONOMICS = "economics"
UNTUNED = "- [ ] a tuned bundle lost a module, so `economics` was taken out: run `prompt-router simulate --tune` again"
UNFITTED = "- [ ] the modules are others now, so the fitted router was taken out: run `prompt-router fit` again\n"


def files_of(folder: Path) -> Callable[[str], str]:
    """A module's file, by its id, of a profile that loads."""
    document: Any = parse_yaml(read_text(folder / PROFILE_FILE, folder.name), folder.name)
    files = {module["id"]: module["file"] for module in document["modules"]}
    return files.__getitem__


def apply_update(plan: UpdatePlan, folder: Path) -> None:
    """Makes the folder what the plan says; other files in it stay. The prompt joins to the new one exactly.

    Raises ConfigurationError when it can't be written; then nothing has changed.
    """
    editor = ProfileEditor(folder)
    _edit(plan, editor)
    fit = editor.read(FIT_FILE)
    editor.remove(FIT_FILE)
    updated = editor.load()
    _check(plan, updated)
    review = (editor.read(REVIEW_FILE) or f"# Review of {plan.profile.name}\n".encode()) + review_section(plan).encode()
    if fit is not None:
        fit = refit(fit, plan.profile.modules, updated.modules)
        if fit is not None:
            editor.write(FIT_FILE, fit)
        else:
            editor.remove(TABLE_FILE)
            review += UNFITTED.encode()
    editor.write(REVIEW_FILE, review)
    editor.save()


def _edit(plan: UpdatePlan, editor: ProfileEditor) -> None:
    """The module files and profile.yaml."""
    for planned in plan.gone:
        editor.remove(planned.file)
    for planned in plan.modules:
        editor.write(planned.file, planned.text.encode())
    gone = {planned.id for planned in plan.gone}
    editor.set_entries(
        version=plan.version,
        modules=[_entry(planned, gone) for planned in plan.modules],
        slots=[SlotEntry(name=slot.name, sample=slot.sample, like=slot.source.name) for slot in plan.slots],
    )
    if _is_untuned_by(plan):
        editor.remove_section(ECONOMICS)


def _is_untuned_by(plan: UpdatePlan) -> bool:
    """True when a bundle that tuning found holds a module that is gone."""
    economics = plan.profile.economics
    if economics is None or not economics.bundles:
        return False
    bundled = {plan.profile.modules[number].id for bundle in economics.bundles for number in bundle}
    return not bundled <= {planned.id for planned in plan.modules}


def _entry(planned: PlannedModule, gone: set[str]) -> ModuleEntry:
    if planned.source is not None:
        return ModuleEntry(id=planned.id, dropped=tuple(n for n in planned.source.requires if n in gone))
    return ModuleEntry(id=planned.id, new=module_entry(planned.draft) if planned.draft is not None else {})


def _check(plan: UpdatePlan, updated: Profile) -> None:
    """Our own promise, checked before anything is written."""
    if updated.text != plan.prompt:
        raise AssertionError("the updated profile doesn't join to the new prompt")
    by_id = {module.id: module for module in updated.modules}
    for planned in plan.modules:
        if planned.state in ("unchanged", "moved") and planned.source is not None:
            _check_metadata(planned.source, by_id[planned.id], {each.id for each in plan.gone})


def _check_metadata(before: Module, after: Module, gone: set[str]) -> None:
    requires = tuple(needed for needed in before.requires if needed not in gone)
    old = (before.title, before.description, before.always, requires, before.triggers, before.examples, before.tools)
    new = (after.title, after.description, after.always, after.requires, after.triggers, after.examples, after.tools)
    if old != new:
        raise AssertionError(f"the metadata of {before.id} changed")


def review_section(plan: UpdatePlan) -> str:
    """What is appended to REVIEW.md."""
    counts = summary_of(plan)
    told = ", ".join(f"{count} {state}" for state, count in counts.items() if count)
    lines = [f"\n## Version {plan.version}, updated from {plan.profile.version}\n", f"{told}.\n"]
    lines += [f"- [ ] {note}" for note in plan.notes] or ["Nothing needs a look."]
    lines += [UNTUNED] if _is_untuned_by(plan) else []
    lines += ["- [ ] what was calibrated or tuned for the version before: do it again"] if plan.is_changed else []
    return "\n".join(lines) + "\n"


def summary_of(plan: UpdatePlan) -> dict[str, int]:
    """How many modules are in each state."""
    counts = dict.fromkeys(("unchanged", "edited", "moved", "new", "gone"), 0)
    for planned in (*plan.modules, *plan.gone):
        counts[planned.state] += 1
    return counts

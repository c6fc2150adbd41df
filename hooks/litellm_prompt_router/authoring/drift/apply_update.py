"""A plan -> the profile's folder, all of it or nothing."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from litellm_prompt_router.authoring.drift.planned import Planned, UpdatePlan
from litellm_prompt_router.authoring.drift.profile_edits import ModuleEntry, SlotEntry, edited
from litellm_prompt_router.authoring.split.review_sheet import REVIEW_FILE
from litellm_prompt_router.documents.errors import ConfigurationError
from litellm_prompt_router.documents.parsing import parse_yaml, read_text
from litellm_prompt_router.files import PROFILE_FILE, load_profile
from litellm_prompt_router.files.fit_files import refit, without_fit
from litellm_prompt_router.files.sections import without_section
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
    try:
        # One level deeper than profiles are looked for, so that nobody loads it half written.
        with tempfile.TemporaryDirectory(prefix=f".{folder.name}.", dir=folder.parent) as staging:
            ready = Path(staging, folder.name)
            shutil.copytree(folder, ready, symlinks=True)
            fit = without_fit(ready)
            _write(plan, ready)
            updated = load_profile(ready, len)
            _verify(plan, updated)
            if fit is not None and not refit(ready, fit, plan.profile.modules, updated.modules):
                with (ready / REVIEW_FILE).open("a", encoding="utf-8") as review:
                    review.write(UNFITTED)
            replaced = folder.rename(Path(staging, "replaced"))
            try:
                ready.rename(folder)
            except OSError:
                replaced.rename(folder)
                raise
    except OSError as error:
        raise ConfigurationError([f"{folder}: can't be written ({error.strerror}); nothing was changed"]) from None


def _write(plan: UpdatePlan, folder: Path) -> None:
    for planned in plan.gone:
        if planned.file is not None:
            (folder / planned.file).unlink()
    for planned in plan.modules:
        if planned.file is not None and planned.text is not None:
            path = folder / planned.file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(planned.text.encode())
    declaration = folder / PROFILE_FILE
    raw = declaration.read_bytes().decode()
    gone = tuple(planned.id for planned in plan.gone)
    new = edited(
        raw,
        version=plan.version,
        modules=[_entry(planned, gone) for planned in plan.modules],
        slots=[SlotEntry(name=slot.name, sample=slot.sample, like=slot.source.name) for slot in plan.slots],
    )
    if _is_untuned_by(plan):
        new = without_section(new, ECONOMICS)
    declaration.write_bytes(new.encode())
    review = folder / REVIEW_FILE
    before = review.read_bytes() if review.exists() else f"# Review of {plan.profile.name}\n".encode()
    review.write_bytes(before + review_section(plan).encode())


def _is_untuned_by(plan: UpdatePlan) -> bool:
    """True when a bundle that tuning found holds a module that is gone."""
    economics = plan.profile.economics
    if economics is None or not economics.bundles:
        return False
    bundled = {plan.profile.modules[number].id for bundle in economics.bundles for number in bundle}
    return not bundled <= {planned.id for planned in plan.modules}


def _entry(planned: Planned, gone: tuple[str, ...]) -> ModuleEntry:
    if planned.source is not None:
        return ModuleEntry(id=planned.id, dropped=tuple(n for n in planned.source.requires if n in gone))
    draft = planned.draft
    fields: dict[str, Any] = {"id": planned.id, "file": planned.file, "title": planned.title}
    if draft is not None:
        optional = {"description": draft.description, "always": draft.always}
        lists = {name: list(getattr(draft, name)) for name in ("requires", "triggers", "examples", "tools")}
        fields |= {name: value for name, value in {**optional, **lists}.items() if value}
    return ModuleEntry(id=planned.id, new=fields)


def _verify(plan: UpdatePlan, updated: Profile) -> None:
    """Our own promise, checked before anything is replaced."""
    if updated.text != plan.prompt:
        raise AssertionError("the updated profile doesn't join to the new prompt")
    by_id = {module.id: module for module in updated.modules}
    for planned in plan.modules:
        if planned.state in ("unchanged", "moved") and planned.source is not None:
            _same(planned.source, by_id[planned.id], {each.id for each in plan.gone})


def _same(before: Module, after: Module, gone: set[str]) -> None:
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

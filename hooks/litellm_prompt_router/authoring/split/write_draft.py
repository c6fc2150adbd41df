"""A draft of a profile, written as a profile's folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from litellm_prompt_router.authoring.split.draft import Draft, DraftModule, DraftSlot
from litellm_prompt_router.authoring.split.review_sheet import quotes_messages, review_of
from litellm_prompt_router.documents.errors import ConfigurationError
from litellm_prompt_router.files import PROFILE_FILE, REVIEW_FILE
from litellm_prompt_router.files.dump_yaml import dump_yaml
from litellm_prompt_router.files.profile_editor import ProfileEditor
from litellm_prompt_router.profile.profile import Profile


def write_draft(draft: Draft, root: Path, *, replace: bool = False) -> Path:
    """The folder ``root/NAME`` with the draft in it, readable by the library; all of it or nothing is written.

    ``replace``: the draft takes the place of a profile of that name. Files that aren't that profile's own stay.
    Raises ConfigurationError when there is one and it may not be replaced, or when the folder can't be written.
    """
    check_free(root, draft.name, replace=replace)
    editor = ProfileEditor(root / draft.name)
    editor.remove_profile()
    for module in draft.modules:
        editor.write(module.file, module.text.encode())
    editor.write(PROFILE_FILE, profile_yaml(draft).encode())
    editor.write(REVIEW_FILE, review_of(draft).encode(), is_private=quotes_messages(draft))

    def check(written: Profile) -> None:
        if written.text != draft.prompt:
            raise AssertionError("the profile doesn't join to the prompt")

    editor.save(check)
    return editor.folder


def check_free(root: Path, name: str, *, replace: bool = False) -> None:
    """Raises ConfigurationError when there is something of that name that may not be replaced."""
    folder = root / name
    if folder.exists() and not (replace and (folder / PROFILE_FILE).is_file()):
        what = "is there already" if not replace else "is there and holds no profile"
        raise ConfigurationError([f"{folder}: {what}; choose another name{'' if replace else ', or add --replace'}"])


def profile_yaml(draft: Draft) -> str:
    """``profile.yaml`` of the draft."""
    document: dict[str, Any] = {"profile": draft.name, "version": draft.version, "reviewed": False}
    if draft.description:
        document["description"] = draft.description
    if draft.ignore:
        document["ignore"] = [{name: value} for name, value in draft.ignore]
    if draft.slots:
        document["slots"] = [_slot(slot) for slot in draft.slots]
    document["modules"] = [module_entry(module) for module in draft.modules]
    return dump_yaml(document)


def _slot(slot: DraftSlot) -> dict[str, Any]:
    entry: dict[str, Any] = {"name": slot.name}
    if slot.description:
        entry["description"] = slot.description
    entry |= {"pattern": slot.pattern, "sample": slot.sample}
    if slot.volatile:
        entry["volatile"] = True
    if slot.max_chars is not None:
        entry["max_chars"] = slot.max_chars
    return entry


def module_entry(module: DraftModule) -> dict[str, Any]:
    """``modules[]`` of profile.yaml for a drafted module."""
    entry: dict[str, Any] = {"id": module.id, "file": module.file, "title": module.title}
    if module.description:
        entry["description"] = module.description
    if module.when:
        entry["when"] = module.when
    if module.always:
        entry["always"] = True
    if module.until_labelled:
        entry["until_labelled"] = True
    if module.evidence:
        entry["evidence"] = module.evidence
    for field in ("requires", "triggers", "examples", "tools"):
        values = list(getattr(module, field))
        if values:
            entry[field] = values
    return entry

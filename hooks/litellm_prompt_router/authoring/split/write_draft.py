"""A draft -> a profile folder, all of it or nothing."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import yaml

from litellm_prompt_router.authoring.split.draft import Draft, DraftModule, DraftSlot
from litellm_prompt_router.authoring.split.review_sheet import REVIEW_FILE, review_of
from litellm_prompt_router.documents.errors import ConfigurationError
from litellm_prompt_router.files import PROFILE_FILE, load_profile


def write_draft(draft: Draft, root: Path, *, replace: bool = False) -> Path:
    """The folder ``root/NAME`` with the draft in it, readable by the library.

    Raises ConfigurationError when there is a profile of that name already, unless ``replace``, or when the
    folder can't be written.
    """
    folder = root / draft.name
    check_free(root, draft.name, replace=replace)
    try:
        root.mkdir(parents=True, exist_ok=True)
        # One level deeper than profiles are looked for, so that nobody loads it half written.
        with tempfile.TemporaryDirectory(prefix=f".{draft.name}.", dir=root) as staging:
            ready = Path(staging, draft.name)
            _write(draft, ready)
            if load_profile(ready, len).text != draft.prompt:
                raise AssertionError("the profile doesn't join to the prompt")
            if folder.exists():
                folder.rename(Path(staging, "replaced"))
            ready.rename(folder)
    except OSError as error:
        raise ConfigurationError([f"{folder}: can't be written ({error.strerror}); choose another folder"]) from None
    return folder


def check_free(root: Path, name: str, *, replace: bool = False) -> None:
    """Raises ConfigurationError when there is something of that name that may not be replaced."""
    folder = root / name
    if folder.exists() and not (replace and (folder / PROFILE_FILE).is_file()):
        what = "is there already" if not replace else "is there and holds no profile"
        raise ConfigurationError([f"{folder}: {what}; choose another name{'' if replace else ', or add --replace'}"])


def profile_yaml(draft: Draft) -> str:
    """``profile.yaml`` of the draft."""
    document: dict[str, Any] = {"profile": draft.name, "version": draft.version}
    if draft.description:
        document["description"] = draft.description
    if draft.ignore:
        document["ignore"] = [{name: value} for name, value in draft.ignore]
    if draft.slots:
        document["slots"] = [_slot(slot) for slot in draft.slots]
    document["modules"] = [_module(module) for module in draft.modules]
    dumped: str = yaml.dump(document, Dumper=_DraftDumper, sort_keys=False, allow_unicode=True, width=110)
    return dumped


def _write(draft: Draft, folder: Path) -> None:
    for module in draft.modules:
        path = folder / module.file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(module.text.encode())
    (folder / PROFILE_FILE).write_bytes(profile_yaml(draft).encode())
    (folder / REVIEW_FILE).write_bytes(review_of(draft).encode())


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


def _module(module: DraftModule) -> dict[str, Any]:
    entry: dict[str, Any] = {"id": module.id, "file": module.file, "title": module.title}
    if module.description:
        entry["description"] = module.description
    if module.always:
        entry["always"] = True
    for field in ("requires", "triggers", "examples", "tools"):
        values = list(getattr(module, field))
        if values:
            entry[field] = values
    return entry


class _DraftDumper(yaml.SafeDumper):
    """Indents lists, and never writes an alias, which the library refuses."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)

    def ignore_aliases(self, data: object) -> bool:
        return True


def _string(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    style = None if value.isprintable() else '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


_DraftDumper.add_representer(str, _string)

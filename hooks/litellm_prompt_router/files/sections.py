"""Changes one top-level section of a profile.yaml and leaves every other byte as it is."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from litellm_prompt_router.documents.errors import ConfigurationError

BEFORE = "modules"
"""A section that isn't there yet goes ahead of this one."""


def with_section(raw: str, name: str, content: Mapping[str, Any]) -> str:
    """The document with ``content`` as its section ``name``. Raises ValueError if there is no place for it."""
    lines = raw.splitlines(keepends=True)
    dumped = yaml.safe_dump({name: dict(content)}, sort_keys=False, allow_unicode=True, width=110)
    root = yaml.compose(raw, Loader=yaml.SafeLoader)
    if not isinstance(root, yaml.MappingNode) or root.flow_style:
        raise ValueError("not a block mapping")
    indent = " " * root.start_mark.column
    dumped = "".join(indent + line for line in dumped.splitlines(keepends=True))
    keys = [key for key, _ in root.value]
    for number, key in enumerate(keys):
        if key.value == name:
            following = keys[number + 1].start_mark.line if number + 1 < len(keys) else len(lines)
            end = _without_gap(lines, key.start_mark.line, following)
            return "".join([*lines[: key.start_mark.line], dumped, *lines[end:]])
    at = next((key.start_mark.line for key in keys if key.value == BEFORE), None)
    if at is None:
        raise ValueError(f"no section {BEFORE!r}")
    while at and lines[at - 1].startswith("#"):
        at -= 1  # what is said of the next section stays with it
    return "".join([*lines[:at], dumped, "\n", *lines[at:]])


def without_section(raw: str, name: str) -> str:
    """The document without its section ``name`` and the empty lines behind it."""
    root = yaml.compose(raw, Loader=yaml.SafeLoader)
    keys = [key for key, _ in root.value] if isinstance(root, yaml.MappingNode) else []
    lines = raw.splitlines(keepends=True)
    for number, key in enumerate(keys):
        if key.value == name:
            following = keys[number + 1].start_mark.line if number + 1 < len(keys) else len(lines)
            end = _without_gap(lines, key.start_mark.line, following)
            while end < following and not lines[end].strip():
                end += 1
            return "".join([*lines[: key.start_mark.line], *lines[end:]])
    return raw


def write_section(path: Path, name: str, content: Mapping[str, Any]) -> None:
    """``with_section`` in the file, all or nothing. Raises ConfigurationError."""
    try:
        target = path.resolve()
        before = target.read_bytes().decode("utf-8")
        changed = with_section(before, name, content)
        if yaml.safe_load(changed) != {**yaml.safe_load(before), name: dict(content)}:
            raise ValueError("its layout leaves no place for it")
        with tempfile.NamedTemporaryFile("wb", dir=target.parent, prefix=".", delete=False) as file:
            file.write(changed.encode("utf-8"))
        try:
            Path(file.name).chmod(target.stat().st_mode & 0o777)
            Path(file.name).replace(target)
        finally:
            Path(file.name).unlink(missing_ok=True)
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise ConfigurationError([f"{path}: {name} can't be written ({error}); is the file yours to change?"]) from None


def _without_gap(lines: list[str], start: int, end: int) -> int:
    """``end`` without the empty lines and comments that belong to what follows."""
    while end > start + 1 and (not lines[end - 1].strip() or lines[end - 1].startswith("#")):
        end -= 1
    return end

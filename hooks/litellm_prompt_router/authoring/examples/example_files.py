"""The harvest's own file, labelled messages, and the ``examples`` of a ``profile.yaml``."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.scalarstring import DoubleQuotedScalarString
from ruamel.yaml.util import load_yaml_guess_indent

from litellm_prompt_router.authoring.examples.harvest import Harvest, Message
from litellm_prompt_router.documents.errors import ConfigurationError
from litellm_prompt_router.documents.parsing import parse_yaml, read_text

_HARVEST = TypeAdapter(Harvest)


def load_harvest(path: Path) -> Harvest:
    """The harvest in the file, or an empty one where there is no file. Raises ConfigurationError."""
    if not path.exists():
        return Harvest()
    try:
        return _HARVEST.validate_json(read_text(path, str(path)))
    except ValidationError:
        problem = f"{path}: not what `prompt-router examples` writes; move it away to begin anew"
        raise ConfigurationError([problem]) from None


def save_harvest(path: Path, harvest: Harvest) -> None:
    """Replaces the file as a whole. Raises ConfigurationError."""
    _replace(path, json.dumps(_HARVEST.dump_python(harvest, mode="json"), ensure_ascii=False, indent=1) + "\n")


def add_to_labelled(path: Path, messages: Iterable[tuple[str, Message]]) -> int:
    """How many were added behind the file's own lines, those it has already left out. Raises ConfigurationError.

    The category of a message is the module it was written for.
    """
    before = read_text(path, str(path)) if path.exists() else ""
    if before and not before.endswith("\n"):
        before += "\n"
    known = {_identity(line) for line in before.split("\n")}
    lines = []
    for module, message in messages:
        line: dict[str, object] = {"text": message.text}
        if message.history:
            line["history"] = message.history
        raw = json.dumps({**line, "category": module, "needs": message.needs}, ensure_ascii=False)
        if _identity(raw) not in known:
            known.add(_identity(raw))
            lines.append(raw + "\n")
    if lines:
        _replace(path, before + "".join(lines))
    return len(lines)


def _identity(line: str) -> tuple[object, ...]:
    """What makes two lines the same message; a line that is no message is like no other."""
    try:
        document = json.loads(line)
        return (str(document["text"]), tuple(map(str, document.get("history", ()))))
    except (ValueError, KeyError, TypeError, AttributeError):
        return (line,)


def add_to_profile(path: Path, messages: Iterable[tuple[str, Message]]) -> int:
    """How many examples were added to the modules that need them. Raises ConfigurationError.

    Follow-ups are left out: without their conversation they mean nothing. Comments, order, quotes and line
    endings stay as they are; a file for which that can't be done is left alone.
    """
    raw = read_text(path, str(path))
    before = parse_yaml(raw, str(path))
    wanted: dict[str, list[str]] = {}
    for _, message in messages:
        for module in () if message.history else message.needs:
            wanted.setdefault(module, []).append(message.text)
    document, yaml = _round_trip(raw)
    added = 0
    for entry, plain in zip(document["modules"], before["modules"], strict=True):  # type: ignore[index]  # it loads
        have = plain.get("examples") or []
        new = [text for text in dict.fromkeys(wanted.get(plain["id"], ())) if text not in have]
        if new:
            added += len(new)
            plain["examples"] = [*have, *new]
            _extend(entry, new)
    if not added:
        return 0
    written = io.StringIO()
    yaml.dump(document, written)
    text = written.getvalue()
    lost = _comments(raw) - _comments(text)
    if lost or parse_yaml(text, str(path)) != before:
        raise ConfigurationError([f"{path}: can't be extended without a loss; copy the examples in by hand"])
    _replace(path, text.replace("\n", "\r\n") if "\r\n" in raw else text)
    return added


def _round_trip(raw: str) -> tuple[Any, YAML]:
    """The document with its comments, and the writer that gives it its own indentation."""
    _, sequence, dash = load_yaml_guess_indent(raw)
    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = 10**6  # no line is folded
    yaml.indent(mapping=2, sequence=sequence or 2, offset=dash or 0)
    return yaml.load(raw), yaml


def _extend(entry: Any, new: Sequence[str]) -> None:
    quoted = [DoubleQuotedScalarString(text) for text in new]
    if entry.get("examples"):
        entry["examples"].extend(quoted)
    elif "tools" in entry and "examples" not in entry:
        entry.insert(list(entry).index("tools"), "examples", quoted)
    else:
        entry["examples"] = quoted


def _comments(raw: str) -> set[str]:
    return {line.strip() for line in raw.splitlines() if line.lstrip().startswith("#")}


def _replace(path: Path, text: str) -> None:
    """At any moment either the old or the new file is there, whole. Raises ConfigurationError."""
    beside = path.with_name(f"{path.name}.new")
    try:
        with beside.open("wb") as file:
            file.write(text.encode())
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except OSError as error:
        raise ConfigurationError([f"{path}: can't be written ({error.strerror}); check the folder"]) from None

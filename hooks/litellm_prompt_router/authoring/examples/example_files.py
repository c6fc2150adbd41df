"""What `prompt-router examples` writes: its state, labelled messages, and the examples in profile.yaml."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from litellm_prompt_router.authoring.examples.harvest import Harvest, Message
from litellm_prompt_router.documents.errors import ConfigurationError
from litellm_prompt_router.documents.parsing import read_text
from litellm_prompt_router.files.profile_editor import ProfileEditor
from litellm_prompt_router.files.replace_files import replace_files

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
    text = json.dumps(_HARVEST.dump_python(harvest, mode="json"), ensure_ascii=False, indent=1)
    replace_files({path: f"{text}\n".encode()}, path)


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
        replace_files({path: (before + "".join(lines)).encode()}, path)
    return len(lines)


def _identity(line: str) -> tuple[object, ...]:
    """What makes two lines the same message; a line that is no message is like no other."""
    try:
        document = json.loads(line)
        return (str(document["text"]), tuple(map(str, document.get("history", ()))))
    except (ValueError, KeyError, TypeError, AttributeError):
        return (line,)


def add_to_profile(folder: Path, messages: Iterable[tuple[str, Message]]) -> int:
    """How many examples were added in profile.yaml to the modules that need them. Raises ConfigurationError.

    Follow-ups are left out: without their conversation they mean nothing.
    """
    wanted: dict[str, list[str]] = {}
    for _, message in messages:
        for module in () if message.history else message.needs:
            wanted.setdefault(module, []).append(message.text)
    editor = ProfileEditor(folder)
    added = editor.add_examples(wanted)
    if added:
        editor.save()
    return added

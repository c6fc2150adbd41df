"""A small office's profile that names a routing model, as files, and what the emulated model says of messages."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

from litellm_prompt_router.files import load_profile
from litellm_prompt_router.profile.profile import Profile
from tests.emulators.recorded_answers import RecordedAnswerer, RecordedMessage

SECTIONS = ("mail", "files", "charts", "travel")
RECORDED = (
    RecordedMessage(text="Write to the pilot that we are late", needed=("mail",)),
    RecordedMessage(text="Where did we put last year's contracts?", needed=("files",), perhaps=("mail",)),
    RecordedMessage(text="Show me how the fees rose", needed=("charts", "files")),
    RecordedMessage(text="Get me to Bergen by Monday", needed=("travel",)),
)
MAIL, FILES, CHARTS, TRAVEL = (message.text for message in RECORDED)
EVERYTHING = ("core", *SECTIONS)


class OfficeModel(RecordedAnswerer):
    """Answers for the message that is asked about, whatever stands before it."""

    def __init__(self) -> None:
        super().__init__(RECORDED)

    def answer_for(self, question: str) -> RecordedMessage | None:
        asked = json.loads(question)["message"]
        return next((message for message in RECORDED if message.text == asked), None)


def routed_profile(root: Path, router: dict[str, Any]) -> Profile:
    """Writes the folder ``office`` under ``root``; the profile as a proxy would load it."""
    folder = root / "office"
    folder.mkdir(parents=True)
    modules: list[dict[str, object]] = [{"id": "core", "file": "core.txt", "title": "Core", "always": True}]
    (folder / "core.txt").write_text("You run the office of a small harbour and answer briefly.\n\n")
    for name in SECTIONS:
        (folder / f"{name}.txt").write_text(f"## {name}\n" + f"What holds for {name} in this office.\n" * 40 + "\n")
        entry = {"id": name, "file": f"{name}.txt", "title": name, "description": f"All about {name}."}
        modules.append({**entry, "when": f"Somebody needs {name}.", "tools": [f"use_{name}"]})
    document = {"profile": "office", "version": "1", "router": router, "modules": modules}
    (folder / "profile.yaml").write_text(yaml.safe_dump(document, sort_keys=False))
    return load_profile(folder, lambda text: len(text) // 4)

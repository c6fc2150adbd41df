"""A real agent's prompt in a folder, with labelled messages: as a profile, as labelled cases, as recorded answers.

The folder holds ``prompt.txt``; ``groups.json``, the sections by id with ``description`` and ``spans`` of characters
that cover the prompt; ``messages_dev.jsonl``, a message a line (``conversation``, ``turn``, ``text``, ``situation``,
``history``, ``tool_calls``, ``needs``); and ``routing_model_dev.jsonl``, what a chat model said that some of them need
(``conversation``, ``turn``, ``need``, ``maybe``).
"""

from __future__ import annotations

import json
import random
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from litellm_prompt_router.documents.errors import ConfigurationError
from litellm_prompt_router.files import load_profile
from litellm_prompt_router.files.labelled_messages import Case

CORE = "core"
PROMPT_FILE, GROUPS_FILE = "prompt.txt", "groups.json"
MESSAGES_FILE, ANSWERS_FILE = "messages_dev.jsonl", "routing_model_dev.jsonl"

Row = Mapping[str, Any]
MessageName = tuple[str, int]
"""Conversation and turn."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RecordedAnswer:
    """What a routing model said of one message."""

    needed: tuple[str, ...]
    perhaps: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class RealAgent:
    """The prompt, its groups in order of first appearance, and its labelled messages."""

    prompt: str
    groups: Mapping[str, Mapping[str, Any]]
    messages: tuple[Row, ...]
    answers: Mapping[MessageName, RecordedAnswer]

    @property
    def conversations(self) -> dict[str, list[Row]]:
        """The messages of each, by turn."""
        found: dict[str, list[Row]] = defaultdict(list)
        for row in self.messages:
            found[row["conversation"]].append(row)
        return {name: sorted(rows, key=lambda row: row["turn"]) for name, rows in found.items()}

    def answered(self) -> tuple[Row, ...]:
        """The messages of conversations that have an answer for every one."""
        whole = [
            rows
            for name, rows in self.conversations.items()
            if all((name, row["turn"]) in self.answers for row in rows)
        ]
        return tuple(row for rows in whole for row in rows)


def is_agent_folder(folder: Path) -> bool:
    return all((folder / name).is_file() for name in (PROMPT_FILE, GROUPS_FILE, MESSAGES_FILE))


def load_agent(folder: Path) -> RealAgent:
    return RealAgent(
        prompt=(folder / PROMPT_FILE).read_text("utf-8"),
        groups=json.loads((folder / GROUPS_FILE).read_text("utf-8")),
        messages=rows_in(folder / MESSAGES_FILE),
        answers=answers_in(folder / ANSWERS_FILE) if (folder / ANSWERS_FILE).is_file() else {},
    )


def answers_in(path: Path) -> dict[MessageName, RecordedAnswer]:
    return {
        (row["conversation"], row["turn"]): RecordedAnswer(needed=tuple(row["need"]), perhaps=tuple(row["maybe"]))
        for row in rows_in(path)
    }


def rows_in(path: Path) -> tuple[Row, ...]:
    return tuple(json.loads(line) for line in path.read_text("utf-8").splitlines() if line.strip())


def build_profile(root: Path, name: str, agent: RealAgent, router: Mapping[str, Any] | None = None) -> Path:
    """The folder of a reviewed profile of the agent: its pieces in the prompt's order where a topic may have several.

    Before that was so, a module a group, its pieces joined. ``router`` is what profile.yaml says under that name.
    """
    folder = root / name
    folder.mkdir()
    for modules in (_in_pieces(agent), _joined(agent)):
        for number, (_, text) in enumerate(modules):
            (folder / f"{number}.txt").write_bytes(text.encode())
        listed = [{**module, "file": f"{number}.txt"} for number, (module, _) in enumerate(modules)]
        document = {"profile": name, "version": "1", "reviewed": True, "modules": listed}
        if router:
            document["router"] = dict(router)
        (folder / "profile.yaml").write_text(yaml.safe_dump(document, allow_unicode=True), "utf-8")
        try:
            load_profile(folder, len, as_fitted=False)
        except ConfigurationError as error:
            problem = error
            continue
        return folder
    raise problem


def _in_pieces(agent: RealAgent) -> list[tuple[dict[str, Any], str]]:
    """A module for each run of text of one group; those of one group require each other."""
    spans = sorted((start, end, id) for id, group in agent.groups.items() for start, end in group["spans"])
    runs: list[tuple[str, int, int]] = []
    for start, end, id in spans:
        if runs and runs[-1][0] == id and runs[-1][2] == start:
            runs[-1] = (id, runs[-1][1], end)
        else:
            runs.append((id, start, end))
    ids: dict[str, list[str]] = defaultdict(list)
    for id, _, _ in runs:
        ids[id].append(id if not ids[id] else f"{id}/{len(ids[id]) + 1}")
    nth: dict[str, int] = defaultdict(int)
    modules = []
    for id, start, end in runs:
        own = ids[id][nth[id]]
        others = [other for other in ids[id] if other != own]
        module = _module(agent, id, own, is_first=not nth[id])
        modules.append(({**module, **({"requires": others} if others and id != CORE else {})}, agent.prompt[start:end]))
        nth[id] += 1
    return modules


def _joined(agent: RealAgent) -> list[tuple[dict[str, Any], str]]:
    return [
        (
            _module(agent, id, id, is_first=True),
            "".join(agent.prompt[start:end] for start, end in group["spans"]),
        )
        for id, group in agent.groups.items()
    ]


def _module(agent: RealAgent, group: str, id: str, *, is_first: bool) -> dict[str, Any]:
    module = {"id": id, "title": group.replace("_", " "), "description": agent.groups[group]["description"]}
    if group == CORE:
        return {**module, "always": True}
    return {**module, **({"tools": [f"use_{group}"]} if is_first else {})}


def as_case(row: Row) -> dict[str, Any]:
    """The message as `fit` and `evaluate` read it."""
    case = {name: row[name] for name in ("text", "history", "tool_calls", "needs")}
    if "assistant" in Case.model_fields:
        case["assistant"] = row.get("situation", "")
    return case


def folds(conversations: Iterable[str], count: int, seed: int = 1) -> list[list[str]]:
    """The conversations in so many parts of equal size, shuffled."""
    order = sorted(conversations)
    random.Random(seed).shuffle(order)
    return [order[number::count] for number in range(count)]


def some_of(conversations: Sequence[str], share: float, of: int) -> Sequence[str]:
    """So many of the conversations that they are ``share`` of all ``of``."""
    return conversations[: round(share * of)]

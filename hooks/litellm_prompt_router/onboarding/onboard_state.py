"""What an interrupted run has done already: a file beside the profiles, replaced whole after each step."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError
from pydantic_core import PydanticSerializationError

from litellm_prompt_router.analysis.simulate import BASELINE
from litellm_prompt_router.files.replace_files import replace_files
from litellm_prompt_router.onboarding.findings import AgentCosts, AgentFindings, FoundAgent, GateAdvice
from litellm_prompt_router.onboarding.replayed_costs import ReplayedCosts

FOLDER = ".onboard"
FORMAT = 1
IGNORE_ALL = b"# Holds messages of captured traffic.\n*\n"


class OnboardState(BaseModel):
    """One run's steps. A step holds for what its key covers; ``drafts`` are digests of folders as we wrote them."""

    model_config = ConfigDict(extra="forbid")

    format: int = FORMAT
    input_digest: str = ""
    drafts: dict[str, str] = {}
    agents: list[dict[str, Any]] = []
    skipped_lines: int = 0
    accounted: dict[str, Any] = {}
    """By profile: ``{"key": ..., "findings": ...}``; ``""`` is the whole traffic's ``simulate``."""


def state_path(root: Path, name: str) -> Path:
    return root / FOLDER / f"{name}.json"


def load_state(path: Path) -> OnboardState:
    """An empty one where there is none, or none that this version can read."""
    try:
        state = OnboardState.model_validate_json(path.read_bytes())
    except (OSError, ValidationError, ValueError):
        return OnboardState()
    return state if state.format == FORMAT else OnboardState()


def save_state(path: Path, state: OnboardState) -> None:
    """Whole or not at all. Git is told to leave the folder alone: messages are in it."""
    changes: dict[Path, bytes | None] = {path: state.model_dump_json(indent=1).encode()}
    ignore = path.parent / ".gitignore"
    if not ignore.exists():
        changes[ignore] = IGNORE_ALL
    replace_files(changes, path, private=(path,))


def digest_of_parts(*parts: str | bytes) -> str:
    digest = hashlib.sha256()
    for part in parts:
        raw = part.encode("utf-8", "backslashreplace") if isinstance(part, str) else part
        digest.update(len(raw).to_bytes(8, "big") + raw)
    return digest.hexdigest()


def folder_digest(folder: Path) -> str:
    """Of every file in a profile's folder, names included."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return digest_of_parts(*(part for path in files for part in (str(path.relative_to(folder)), path.read_bytes())))


_FINDINGS = TypeAdapter(AgentFindings)
_AGENTS = TypeAdapter(list[FoundAgent])
_COSTS = TypeAdapter(AgentCosts)


def findings_document(found: AgentFindings) -> Any:
    return _document_of(_FINDINGS, found)


def _document_of(adapter: TypeAdapter[Any], value: Any) -> Any:
    """As JSON has it. ``?`` stands for a lone surrogate, which captured JSON may name things by and UTF-8 can't."""
    try:
        return json.loads(adapter.dump_json(value))
    except PydanticSerializationError:
        text = json.dumps(adapter.dump_python(value), ensure_ascii=False, default=str)
        return json.loads(text.encode("utf-8", "replace"))


def findings_from(document: Any) -> AgentFindings | None:
    """None where another version wrote it."""
    try:
        return _FINDINGS.validate_json(json.dumps(document))
    except ValidationError:
        return None


def agent_documents(agents: Iterable[FoundAgent]) -> list[dict[str, Any]]:
    documents: list[dict[str, Any]] = _document_of(_AGENTS, list(agents))
    return documents


def agents_from(documents: list[dict[str, Any]]) -> list[FoundAgent] | None:
    try:
        return _AGENTS.validate_json(json.dumps(documents))
    except ValidationError:
        return None


def costs_document(replayed: ReplayedCosts, gates: Mapping[str, GateAdvice]) -> dict[str, Any]:
    """``total``: what `simulate` says of all calls; ``agents``: the costs of each profile's; ``gates``: by profile."""
    total, parts = replayed.total, replayed.total.parts
    return {
        "total": {
            "conversations": total[BASELINE].conversations,
            "parts": asdict(parts) if parts else None,
            "policies": total.for_json(),
        },
        "agents": {name: _document_of(_COSTS, costs) for name, costs in replayed.agents.items()},
        "gates": {name: asdict(gate) for name, gate in gates.items()},
    }


def gate_from(document: Any) -> GateAdvice | None:
    return None if document is None else GateAdvice(**document)


def costs_from(document: Any) -> AgentCosts | None:
    return None if document is None else _COSTS.validate_json(json.dumps(document))

"""The bodies of captured traffic, for edits of what real agents send."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.fuzz.made_calls import ENDPOINTS

MAX_BODIES = 2_000
MAX_BODY_CHARS = 300_000


def bodies_in(folder: Path) -> list[tuple[str, dict[str, Any]]]:
    """``(endpoint, body)`` of the calls in every ``.jsonl`` file below the folder; other lines are passed over."""
    found: list[tuple[str, dict[str, Any]]] = []
    for path in sorted(folder.rglob("*.jsonl")):
        for line in path.read_text("utf-8").splitlines():
            call = json.loads(line) if len(line) <= MAX_BODY_CHARS else {}
            endpoint = call.get("endpoint", "acompletion") if isinstance(call, dict) else None
            if endpoint in ENDPOINTS and isinstance(call.get("request"), dict):
                found.append((endpoint, {"model": "claude", **call["request"]}))
            if len(found) == MAX_BODIES:
                return found
    return found

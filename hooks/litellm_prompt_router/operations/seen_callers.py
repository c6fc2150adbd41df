"""The keys and teams whose requests came so far, as the workers' status files and the ledger know them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

from litellm_prompt_router.operations.workers import read_workers
from litellm_prompt_router.policy.settings import Settings

MAX_LEDGER_BYTES = 8_000_000
"""Read from the ledger's end: some 4,000 records, in a few hundredths of a second."""


def seen_keys(settings: Settings, now_seconds: float) -> frozenset[str]:
    """Aliases; empty where nothing is known. ``now_seconds`` is Unix time."""
    folder = settings.status_folder
    workers = read_workers(folder, now_seconds)[0] if folder is not None else ()
    told = {key.key_alias for worker in workers for key in worker.status.keys if key.key_alias}
    return frozenset(told | set(_latest(settings.ledger.path, "key_alias")))


def seen_teams(settings: Settings) -> frozenset[str]:
    """Ids of teams; empty where nothing is known."""
    return frozenset(_latest(settings.ledger.path, "team_id"))


def _latest(ledger: Path | None, field: str) -> Iterator[str]:
    """What the ledger's latest records say in this field."""
    for line in _last_lines(ledger) if ledger is not None else ():
        try:
            record: Any = orjson.loads(line)
        except orjson.JSONDecodeError:
            continue
        value = record.get(field) if isinstance(record, dict) else None
        if isinstance(value, str) and value:
            yield value


def _last_lines(file: Path) -> list[bytes]:
    try:
        with file.open("rb") as lines:
            size = lines.seek(0, 2)
            lines.seek(max(0, size - MAX_LEDGER_BYTES))
            return lines.read(MAX_LEDGER_BYTES).splitlines()
    except OSError:
        return []

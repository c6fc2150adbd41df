"""Status files -> workers. Anything may lie in the folder: what is no status file is a problem, never a traceback."""

from __future__ import annotations

import json
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from litellm_prompt_router.telemetry.status_file import SCHEMA, is_stale

MAX_STATUS_BYTES = 4_000_000
"""Of one file; 500 keys take some 200,000."""


class _StatusPart(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class ProfileServed(_StatusPart):
    name: str
    version: str
    digest: str


class PolicyInForce(_StatusPart):
    path: str | None = None
    digest: str | None = None
    rules: int = 0


class BreakerState(_StatusPart):
    is_open: bool = False
    open_keys: int = 0


class KeySeen(_StatusPart):
    """``mode`` and ``policy`` are the latest request's."""

    key_alias: str | None
    mode: str
    policy: str | None = None
    profile: str | None = None
    by_outcome: dict[str, int] = {}
    failures: int = 0
    estimated_net_saved_usd: Decimal | None = None


class RequestCounts(_StatusPart):
    requests: int
    by_outcome: dict[str, int] = {}
    estimated_net_saved_usd: Decimal | None = None


class ErrorSeen(_StatusPart):
    at_seconds: float
    kind: str
    text: str


class QueueState(_StatusPart):
    waiting: int = 0
    limit: int = 0
    dropped: int = 0


class LedgerState(_StatusPart):
    is_on: bool
    written: int = 0
    waiting: int = 0
    lag_seconds: float = 0.0
    lost: int = 0
    last_error: str | None = None


class GlitchtipState(_StatusPart):
    is_on: bool
    sent: int = 0
    pending: int = 0
    lost: dict[str, int] = {}


class CaptureState(_StatusPart):
    is_on: bool
    lost: int = 0
    last_error: str | None = None


class FaultState(_StatusPart):
    count: int = 0
    last: str | None = None


class WorkerStatus(_StatusPart):
    """What ``docs/status.md`` tells of, as far as it is shown or judged."""

    version: str
    host: str
    pid: int
    started_seconds: float
    written_seconds: float
    default_mode: str
    profiles: tuple[ProfileServed, ...] = ()
    stopped_by: str | None = None
    policy: PolicyInForce = PolicyInForce()
    problems: tuple[str, ...] = ()
    breaker: BreakerState = BreakerState()
    keys: tuple[KeySeen, ...] = ()
    counters: RequestCounts
    last_errors: tuple[ErrorSeen, ...] = ()
    queue: QueueState
    ledger: LedgerState
    glitchtip: GlitchtipState
    capture: CaptureState
    faults: FaultState


@dataclass(frozen=True, kw_only=True, slots=True)
class Worker:
    """One file. ``raw`` is all that is in it. ``is_stale``: its process is gone, or nobody has heard of it for long."""

    path: Path
    status: WorkerStatus
    raw: dict[str, Any]
    is_stale: bool


def read_workers(folder: Path, now_seconds: float) -> tuple[tuple[Worker, ...], tuple[str, ...]]:
    """``(workers, problems)`` of the folder's files, oldest worker first. ``now_seconds`` is Unix time."""
    workers: list[Worker] = []
    problems: list[str] = []
    try:
        paths = sorted(path for path in folder.iterdir() if path.name.startswith("worker-") and path.suffix == ".json")
    except FileNotFoundError:
        return (), ()
    except OSError as error:
        return (), (f"{folder}: can't be read ({error.strerror}); check who may read it",)
    for path in paths:
        try:
            worker = _read(path, now_seconds)
        except FileNotFoundError:
            continue  # it ended while we looked
        except OSError as error:
            problems.append(f"{path}: can't be read ({error.strerror}); status files are their owner's: be that user")
        except ValueError:
            problems.append(f"{path}: no status file that this version reads; remove it if no worker is behind it")
        else:
            workers.append(worker)
    workers.sort(key=lambda worker: (worker.status.started_seconds, worker.status.pid))
    return tuple(workers), tuple(problems)


def _read(path: Path, now_seconds: float) -> Worker:
    with path.open("rb") as file:
        raw = json.loads(file.read(MAX_STATUS_BYTES))
    if not isinstance(raw, dict) or raw.get("schema") != SCHEMA:
        raise ValueError("not of this schema")
    try:
        status = WorkerStatus.model_validate(raw)
    except ValidationError:
        raise ValueError("not as it should be") from None
    return Worker(path=path, status=status, raw=raw, is_stale=is_stale(raw, now_seconds))

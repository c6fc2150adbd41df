"""The proxy's workers by their status files: what each says, what wants attention, and what became of keys' requests.

Anything may lie in the folder: what is no status file is a problem, never a traceback.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from litellm_prompt_router.telemetry.lost_records import LostRecords
from litellm_prompt_router.telemetry.status_file import SCHEMA, is_stale

MAX_STATUS_BYTES = 4_000_000
"""Of one file; 500 keys take some 200,000."""
LAG_SECONDS = 30.0
"""The ledger is written five times a second."""
RECENT_SECONDS = 3_600.0
"""Errors that a worker remembers and that are older want no attention any more."""


class _StatusPart(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class ProfileServed(_StatusPart):
    name: str
    version: str
    digest: str
    reviewed: bool = True
    left_alone: str | None = None


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
    by_outcome: dict[str, int] = {}
    estimated_net_saved_usd: Decimal | None = None


class RoutingModelCounts(_StatusPart):
    by_outcome: dict[str, int] = {}
    calls: int = 0
    usd: Decimal = Decimal(0)


class RequestCounts(_StatusPart):
    requests: int
    by_outcome: dict[str, int] = {}
    held_as_unreviewed: dict[str, int] = {}
    """By profile, what was held in shadow because nobody reviewed it."""
    estimated_net_saved_usd: Decimal | None = None
    routing_model: RoutingModelCounts = RoutingModelCounts()


class ErrorSeen(_StatusPart):
    at_seconds: float
    kind: str
    text: str


class QueueState(_StatusPart):
    dropped: int = 0


class LedgerState(_StatusPart):
    is_on: bool
    written: int = 0
    waiting: int = 0
    lag_seconds: float = 0.0
    lost: int = 0
    last_error: str | None = None
    overflowed: int = 0
    overflow_error: str | None = None


class GlitchtipState(_StatusPart):
    is_on: bool
    sent: int = 0
    pending: int = 0
    lost: dict[str, int] = {}


class CaptureState(_StatusPart):
    """``masked``: places by kind; ``detector``: how it stands with the rules of the extra ``capture``."""

    is_on: bool
    lost: int = 0
    last_error: str | None = None
    masked: dict[str, int] = {}
    detector: str | None = None


class MemorySeen(_StatusPart):
    """A memory of a worker, with its limit."""

    name: str
    entries: int
    limit: int
    size_bytes: int | None = None
    max_bytes: int | None = None


class LocalModelSeen(_StatusPart):
    """An embedding model on this machine, as the worker sees its process."""

    model: str
    stage: str
    pid: int | None = None
    asked: int = 0
    vectors: int = 0
    median_ms: float | None = None


class TuningSeen(_StatusPart):
    """A profile that is tuned by itself; ``policy``: what the policy file says of that."""

    profile: str
    policy: str = "on"
    choice: str
    tuning: str | None = None
    tuned_seconds: float | None = None
    holds_from_seconds: float | None = None
    why: str | None = None
    last_try_seconds: float | None = None
    last_try: str | None = None
    has_failed: bool = False
    next_seconds: float | None = None
    is_running: bool = False


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
    passed_while_stopped: int = 0
    went_on_as_begun: int = 0
    policy: PolicyInForce = PolicyInForce()
    problems: tuple[str, ...] = ()
    offline: tuple[str, ...] = ()
    breaker: BreakerState = BreakerState()
    local_models: tuple[LocalModelSeen, ...] = ()
    memories: tuple[MemorySeen, ...] = ()
    tuning: tuple[TuningSeen, ...] = ()
    keys: tuple[KeySeen, ...] = ()
    counters: RequestCounts
    last_errors: tuple[ErrorSeen, ...] = ()
    queue: QueueState
    ledger: LedgerState
    glitchtip: GlitchtipState
    capture: CaptureState
    has_ended: bool = False
    lost_records: LostRecords = LostRecords()


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
    return Worker(path=path, status=status, raw=raw, is_stale=status.has_ended or is_stale(raw, now_seconds))


# What wants attention


def attention(workers: Sequence[Worker], now_seconds: float) -> tuple[str, ...]:
    """Everything that somebody has to look at; empty when all is well. What was stopped on purpose is no trouble."""
    return (*(line for worker in workers for line in _of_worker(worker, now_seconds)), *_disagreement(workers))


def _of_worker(worker: Worker, now_seconds: float) -> Iterable[str]:
    who = f"{worker.status.host}/{worker.status.pid}"
    lost = worker.status.lost_records
    if worker.status.has_ended:
        why = worker.status.ledger.last_error or "by a full queue"
        yield f"{who}: ended, {lost.total} records lost ({lost}): {why}; once that is dealt with, remove {worker.path}"
        return
    if worker.is_stale:
        if lost.total:
            yield f"{who}: {lost.total} records lost ({lost}) before it ended"
        yield f"{who}: ended badly, or not heard of for a minute; once it is replaced, remove {worker.path}"
        return
    for line in _of_status(worker.status, now_seconds):
        yield f"{who}: {line}"


def _of_status(status: WorkerStatus, now_seconds: float) -> Iterable[str]:
    for problem in status.problems:
        yield f"not reloaded, what was before is in force: {problem}"
    if status.breaker.is_open:
        yield "the breaker is open: after many faults of ours all requests pass through; look at the last errors"
    elif status.breaker.open_keys:
        yield f"the breaker is open for {status.breaker.open_keys} keys; look at the last errors"
    for model in status.local_models:
        if model.stage in ("away", "failed"):
            yield f"{model.model}: process {model.stage}, messages are scored by words; see `prompt-router doctor`"
    if status.queue.dropped:
        yield f"{status.queue.dropped} items dropped by the full queue; raise ledger.queue_size, or add workers"
    yield from _of_sinks(status)
    recent = [error for error in status.last_errors if now_seconds - error.at_seconds <= RECENT_SECONDS]
    if recent:
        yield f"{len(recent)} errors within the hour, the latest: {recent[0].text}"


def _of_sinks(status: WorkerStatus) -> Iterable[str]:
    ledger, glitchtip, capture = status.ledger, status.glitchtip, status.capture
    if ledger.last_error is not None and ledger.waiting:
        yield f"the ledger can't be written ({ledger.last_error}): {ledger.waiting} records wait; see to its folder"
    elif ledger.lag_seconds > LAG_SECONDS:
        yield f"the ledger is {ledger.lag_seconds:.0f} s behind; see to its disk"
    if ledger.lost:
        yield f"{ledger.lost} records lost on the way to the ledger: {ledger.last_error or 'by a full queue'}"
    if status.lost_records.in_flight:
        yield f"{status.lost_records.in_flight} requests without a record: nobody told their end; see LiteLLM's log"
    if ledger.overflowed:
        yield f"{ledger.overflowed} records are in ledger.overflow_path: give it to `report` too; see to the disk"
    if ledger.overflow_error is not None:
        yield f"the ledger's overflow file can't be written ({ledger.overflow_error}); see to its folder"
    lost = sum(glitchtip.lost.values())
    if lost:
        reasons = ", ".join(f"{reason} {count}" for reason, count in sorted(glitchtip.lost.items()))
        yield f"{lost} events didn't reach GlitchTip ({reasons}); see that it answers, then `prompt-router doctor`"
    if capture.lost:
        yield f"{capture.lost} lines missing in the capture file: {capture.last_error or 'more than it could take'}"


def _disagreement(workers: Sequence[Worker]) -> Iterable[str]:
    """Workers that don't do the same, while they should; and what all of them tell alike, once."""
    live = [worker.status for worker in workers if not worker.is_stale]
    failed = {(each.profile, each.last_try) for status in live for each in status.tuning if each.has_failed}
    for profile, said in sorted(failed, key=str):
        yield f"{profile}: tuning failed, what was in force stays: {said}"
    if len({tuple((each.profile, each.tuning) for each in status.tuning) for status in live}) > 1:
        yield "workers have several tunings in force; give a change two seconds, then see that status_dir is shared"
    if len({status.version for status in live}) > 1:
        yield "workers run several versions; restart those that are behind"
    profiles = {tuple(sorted((each.name, each.digest) for each in status.profiles)) for status in live}
    if len(profiles) > 1:
        yield "workers serve several versions of profiles; give a change two seconds, then see that files are the same"
    if len({(status.policy.digest, status.stopped_by) for status in live}) > 1:
        yield "workers have several policies in force; give a change two seconds, then see that files are the same"


# Profiles that nobody reviewed


def held_by_profile(statuses: Sequence[WorkerStatus]) -> Mapping[str, int]:
    """Requests held in shadow, by profile; 0 for one that is served unreviewed and had none so far."""
    held = Counter({each.name: 0 for status in statuses for each in status.profiles if not each.reviewed})
    for status in statuses:
        held.update(status.counters.held_as_unreviewed)
    return dict(sorted(held.items()))


# Keys


@dataclass(frozen=True, kw_only=True, slots=True)
class KeyTotal:
    """``modes`` and ``policies``: of the key's latest request in each worker. ``net_saved_usd``: None while unknown."""

    key_alias: str | None
    modes: tuple[str, ...]
    policies: tuple[str, ...]
    outcomes: Mapping[str, int]
    net_saved_usd: Decimal | None


def totals_by_key(statuses: Iterable[WorkerStatus]) -> tuple[KeyTotal, ...]:
    """By alias, requests without one first."""
    seen: dict[str | None, list[KeySeen]] = {}
    for status in statuses:
        for key in status.keys:
            seen.setdefault(key.key_alias, []).append(key)
    return tuple(_total(alias, seen[alias]) for alias in sorted(seen, key=lambda alias: alias or ""))


def _total(alias: str | None, keys: list[KeySeen]) -> KeyTotal:
    known = [key.estimated_net_saved_usd for key in keys if key.estimated_net_saved_usd is not None]
    outcomes: Counter[str] = Counter()
    for key in keys:
        outcomes.update(key.by_outcome)
    return KeyTotal(
        key_alias=alias,
        modes=tuple(sorted({key.mode for key in keys})),
        policies=tuple(sorted({key.policy for key in keys if key.policy is not None})),
        outcomes=outcomes,
        net_saved_usd=sum(known, Decimal(0)) if known else None,
    )

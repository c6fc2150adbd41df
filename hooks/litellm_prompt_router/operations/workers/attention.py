"""Workers -> what wants attention, a line each that says what to do. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from litellm_prompt_router.operations.workers.read_status import Worker, WorkerStatus

LAG_SECONDS = 30.0
"""The ledger is written five times a second."""
RECENT_SECONDS = 3_600.0
"""Errors that a worker remembers and that are older want no attention any more."""


def attention(workers: Sequence[Worker], now_seconds: float) -> tuple[str, ...]:
    """Everything that somebody has to look at; empty when all is well. What was stopped on purpose is no trouble."""
    return (*(line for worker in workers for line in _of_worker(worker, now_seconds)), *_disagreement(workers))


def _of_worker(worker: Worker, now_seconds: float) -> Iterable[str]:
    who = f"{worker.status.host}/{worker.status.pid}"
    if worker.is_stale:
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
    lost = sum(glitchtip.lost.values())
    if lost:
        reasons = ", ".join(f"{reason} {count}" for reason, count in sorted(glitchtip.lost.items()))
        yield f"{lost} events didn't reach GlitchTip ({reasons}); see that it answers, then `prompt-router doctor`"
    if capture.lost:
        yield f"{capture.lost} lines missing in the capture file: {capture.last_error or 'more than it could take'}"


def _disagreement(workers: Sequence[Worker]) -> Iterable[str]:
    """Workers that don't do the same, while they should."""
    live = [worker.status for worker in workers if not worker.is_stale]
    if len({status.version for status in live}) > 1:
        yield "workers run several versions; restart those that are behind"
    profiles = {tuple(sorted((each.name, each.digest) for each in status.profiles)) for status in live}
    if len(profiles) > 1:
        yield "workers serve several versions of profiles; give a change two seconds, then see that files are the same"
    if len({(status.policy.digest, status.stopped_by) for status in live}) > 1:
        yield "workers have several policies in force; give a change two seconds, then see that files are the same"

"""The sinks of one process, and what each has written, sent and lost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from litellm_prompt_router.telemetry.capture import Capture
from litellm_prompt_router.telemetry.glitchtip import Glitchtip
from litellm_prompt_router.telemetry.ledger import Ledger
from litellm_prompt_router.telemetry.prometheus import Prometheus


@dataclass(frozen=True, kw_only=True, slots=True)
class Sinks:
    """Where items go; None where a sink is switched off. All of them go on working in a forked child."""

    ledger: Ledger | None
    glitchtip: Glitchtip
    capture: Capture | None
    prometheus: Prometheus | None


@dataclass(frozen=True, kw_only=True, slots=True)
class DeliveryFailures:
    """What went wrong so far in this process.

    ``dropped``: items that found the queue full or closed. ``capture_lost``: lines missing in the capture file.
    ``faults``: exceptions in our own code, the sinks' included.
    """

    dropped: int
    ledger_lost: int
    ledger_error: str | None
    capture_lost: int = 0
    capture_error: str | None = None
    status_error: str | None = None
    glitchtip_lost: Mapping[str, int]
    """By reason."""
    faults: int
    last_fault: str | None
    last_problem: str | None

    def __str__(self) -> str:
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return ", ".join(f"{name}: {value}" for name, value in values.items() if value)

    def lost(self) -> dict[str, int]:
        """Records, events and lines that never arrived, by place."""
        return {
            "queue": self.dropped,
            "ledger": self.ledger_lost,
            "capture": self.capture_lost,
            "glitchtip": sum(self.glitchtip_lost.values()),
        }


def sink_states(sinks: Sinks, failures: DeliveryFailures, *, batched: int, lag_seconds: float) -> dict[str, Any]:
    """Each sink's state in plain JSON types. ``batched`` records have waited ``lag_seconds`` for the ledger's write."""
    ledger, counts = sinks.ledger, sinks.glitchtip.stats()
    return {
        "ledger": {
            "is_on": ledger is not None,
            "written": ledger.written if ledger else 0,
            "waiting": batched + (ledger.waiting if ledger else 0),
            "lag_seconds": round(lag_seconds, 3),
            "lost": failures.ledger_lost,
            "last_error": failures.ledger_error,
            "overflowed": ledger.overflowed if ledger else 0,
            "overflow_error": ledger.overflow_error if ledger else None,
        },
        "glitchtip": {
            "is_on": sinks.glitchtip.is_on,
            "sent": counts.sent,
            "pending": counts.pending,
            "lost": dict(counts.lost),
            "suppressed": counts.suppressed,
        },
        "capture": {
            "is_on": sinks.capture is not None,
            "lost": failures.capture_lost,
            "last_error": failures.capture_error,
            "masked": {} if sinks.capture is None else dict(sinks.capture.masker.counts),
            "detector": None if sinks.capture is None else sinks.capture.masker.detector.state,
        },
        "prometheus": {"is_on": sinks.prometheus is not None},
        "faults": {"count": failures.faults, "last": failures.last_fault},
    }

"""The proxy's workers as their status files tell of them, and what of it wants attention."""

from hooks.workers.judge import attention
from hooks.workers.keys import KeyTotal, totals_by_key
from hooks.workers.read import Worker, read_workers

__all__ = ["KeyTotal", "Worker", "attention", "read_workers", "totals_by_key"]

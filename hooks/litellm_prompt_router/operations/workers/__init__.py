"""The proxy's workers as their status files tell of them, and what of it wants attention."""

from litellm_prompt_router.operations.workers.attention import attention
from litellm_prompt_router.operations.workers.key_totals import KeyTotal, totals_by_key
from litellm_prompt_router.operations.workers.read_status import Worker, read_workers

__all__ = ["KeyTotal", "Worker", "attention", "read_workers", "totals_by_key"]

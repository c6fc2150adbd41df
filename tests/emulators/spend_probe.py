"""What LiteLLM would write into its database, taken down without one. Runs in the proxy, beside its configuration.

``recorder`` stands ahead of the router among the callbacks. The rows are made by LiteLLM's own functions for spend logs
and daily spend; ``standard`` is our summary as every other logger gets it, in LiteLLM's standard logging payload.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from litellm.integrations.custom_logger import CustomLogger


class Recorder(CustomLogger):  # type: ignore[misc]  # LiteLLM is untyped to mypy here
    """One line for each answered request, and one for each that failed."""

    async def async_log_success_event(self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any) -> None:
        from litellm.proxy.db.db_spend_update_writer import DBSpendUpdateWriter
        from litellm.proxy.spend_tracking.spend_tracking_utils import get_logging_payload

        row = get_logging_payload(kwargs=kwargs, response_obj=response_obj, start_time=start_time, end_time=end_time)
        row["spend"] = kwargs.get("response_cost") or 0.0
        row["startTime"], row["endTime"] = row["startTime"].isoformat(), row["endTime"].isoformat()
        daily = await DBSpendUpdateWriter()._common_add_spend_log_transaction_to_daily_transaction(
            row, Status(), "team"
        )
        standard = kwargs["standard_logging_object"]["metadata"]["spend_logs_metadata"] or {}
        note({"spend_log": row, "daily": daily, "standard": standard.get("prompt_router")})

    async def async_post_call_failure_hook(self, request_data: Any, *_: Any, **__: Any) -> None:
        note({"failed": request_data["metadata"]})


class Status:
    """All of a database that the daily row is made with."""

    def get_request_status(self, row: Any) -> str:
        return "success"


def note(line: dict[str, Any]) -> None:
    with Path(os.environ["SPEND_PROBE_PATH"]).open("a") as file:
        file.write(json.dumps(line, default=str) + "\n")


recorder = Recorder()

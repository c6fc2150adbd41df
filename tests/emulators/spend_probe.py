"""What LiteLLM would write into its database, taken down without one. Runs in the proxy, beside its configuration.

``recorder`` stands ahead of the router among the callbacks and ``settler`` behind it. The rows are made by LiteLLM's
own functions for spend logs and daily spend. ``settler`` gives a request the net figure that its client asks for in
``metadata.probe_net_usd``, through the seam that accounting has.
"""

from __future__ import annotations

import json
import os
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

from litellm.integrations.custom_logger import CustomLogger

from hooks.deployments.prices import input_price
from hooks.litellm_facts import success_of
from hooks.sinks import litellm_bag


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
        note({"spend_log": row, "daily": daily})

    async def async_post_call_failure_hook(self, request_data: Any, *_: Any, **__: Any) -> None:
        note({"failed": request_data["metadata"]})


class Settler(CustomLogger):  # type: ignore[misc]  # as above
    """Stands in for accounting."""

    async def async_logging_hook(self, kwargs: Any, result: Any, call_type: str) -> tuple[Any, Any]:
        bag = kwargs["litellm_params"]["metadata"]
        facts, stated = litellm_bag.facts_in(bag), (bag.get("requester_metadata") or {}).get("probe_net_usd")
        if facts is not None and stated is not None:
            record = replace(success_of(facts, kwargs, result), estimated_net_saved_usd=Decimal(stated))
            price = input_price(litellm_bag.deployment_in(bag), record.model, record.provider)
            litellm_bag.settle(bag, record, price, "net")
        return kwargs, result


class Status:
    """All of a database that the daily row is made with."""

    def get_request_status(self, row: Any) -> str:
        return "success"


def note(line: dict[str, Any]) -> None:
    with Path(os.environ["SPEND_PROBE_PATH"]).open("a") as file:
        file.write(json.dumps(line, default=str) + "\n")


recorder = Recorder()
settler = Settler()

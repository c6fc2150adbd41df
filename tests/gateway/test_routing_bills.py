"""Each bill of a routing model is in one record, and in no other, whenever its answer came."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from litellm_prompt_router.gateway.models.answer_stores import FileAnswers
from litellm_prompt_router.gateway.models.routing_bills import MAX_OPEN, RoutingBills
from litellm_prompt_router.record.record import Record
from litellm_prompt_router.record.routing_bill import QuestionsBill, with_routing_bill
from litellm_prompt_router.request.route import RoutingAnswer
from tests.telemetry.records import FACTS, RECORD, record

ROOT = Path(__file__).parents[2]
OFFLINE = {**os.environ, "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
USD = Decimal("0.0003")
NET = Decimal("0.01")


def asking(request_id: str = "4f9d", **more: Any) -> Record:
    """The record of a request whose profile has a routing model."""
    return replace(
        record(request_id, routing_model="small", routing_model_outcome="answered"),
        estimated_net_saved_usd=NET,
        estimated_net_saved_method="model",
        **more,
    )


@pytest.fixture
def out() -> list[Record]:
    return []


@pytest.fixture
def bills(out: list[Record]) -> RoutingBills:
    return RoutingBills(out.append)


def settle(bills: RoutingBills, usd: Decimal | None = USD, request_id: str = "4f9d") -> None:
    bills.settle(request_id, input_tokens=600, output_tokens=20, usd=usd)


def test_a_bill_that_is_there_goes_into_the_record(bills: RoutingBills, out: list[Record]) -> None:
    bills.begin("4f9d")
    settle(bills)
    bills.finish(asking())
    [found] = out
    assert (found.routing_model_call_count, found.routing_model_usd) == (1, USD)
    assert (found.routing_model_input_tokens, found.routing_model_output_tokens) == (600, 20)
    assert found.estimated_net_saved_usd == NET - USD


def test_a_record_waits_for_what_is_still_out_and_comes_once(bills: RoutingBills, out: list[Record]) -> None:
    for _ in range(2):
        bills.begin("4f9d")
    settle(bills)
    bills.finish(asking())
    assert out == []
    settle(bills)
    assert [found.routing_model_usd for found in out] == [2 * USD]
    bills.finish(asking())
    assert [found.routing_model_usd for found in out] == [2 * USD, 0], "a second event is charged nothing"
    settle(bills)
    assert len(out) == 2


def test_requests_pay_for_their_own_questions(bills: RoutingBills, out: list[Record]) -> None:
    bills.begin("one")
    bills.finish(asking("other"))
    settle(bills, request_id="one")
    bills.finish(asking("one"))
    assert [(each.facts.caller.request_id, each.routing_model_usd) for each in out] == [("other", 0), ("one", USD)]


def test_a_request_without_a_routing_model_says_nothing_of_one(bills: RoutingBills, out: list[Record]) -> None:
    bills.finish(RECORD)
    assert out == [RECORD]


def test_at_the_end_nothing_is_kept_back(bills: RoutingBills, out: list[Record]) -> None:
    """What no answer came to is unknown, and so is the net figure then."""
    for _ in range(2):
        bills.begin("4f9d")
    settle(bills)
    bills.finish(asking())
    bills.close()
    settle(bills)
    [found] = out
    assert (found.routing_model_usd, found.routing_model_usd_reason) == (None, "unknown of 1 of 2")
    assert (found.estimated_net_saved_usd, found.estimated_net_saved_method) == (None, None)
    assert found.estimated_net_saved_reason == "unavailable: the routing model's bill"


@pytest.mark.full
def test_a_process_that_ends_hands_over_what_waits_and_keeps_its_answers(tmp_path: Path) -> None:
    """Without anybody closing anything: the interpreter's threads have ended by then."""
    script = f"""
import asyncio
from pathlib import Path
from litellm_prompt_router.gateway.models.asked_models import AskedModels
from litellm_prompt_router.policy.settings import Settings
from litellm_prompt_router.request.route import RoutingAnswer
from tests.gateway.test_routing_bills import asking
settings = Settings(status_dir=Path({str(tmp_path)!r}))
models = AskedModels(settings, lambda record: print(record.routing_model_usd_reason), print)
asyncio.run(models._file.agree("k", RoutingAnswer(("mail",), ()), 60))
models.bills.begin("4f9d")
models.bills.finish(asking())
"""
    command = [sys.executable, "-W", "error", "-c", script]
    done = subprocess.run(command, cwd=ROOT, env=OFFLINE, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "unknown of 1 of 1\n", "")
    file = FileAnswers(tmp_path)
    assert asyncio.run(file.read(["k"])) == {"k": RoutingAnswer(("mail",), ())}
    file.close()
    file.close()


def test_requests_that_never_end_take_no_memory(bills: RoutingBills, out: list[Record]) -> None:
    bills.begin("waits")
    bills.finish(asking("waits"))
    for number in range(MAX_OPEN + 5):
        bills.begin(str(number))
    assert len(bills._open) == MAX_OPEN
    assert [each.facts.caller.request_id for each in out] == ["waits"]


@pytest.mark.parametrize(
    ("before", "net"),
    [
        ({"estimated_net_saved_usd": Decimal("-0.01")}, Decimal("-0.0103")),
        ({"estimated_net_saved_usd": Decimal(0)}, -USD),
        ({"estimated_net_saved_usd": None, "estimated_net_saved_reason": "unavailable: no price"}, None),
        ({"estimated_net_saved_usd": None, "status": "failure"}, -USD),
    ],
    ids=["a loss", "unchanged, or from the response cache", "unknown", "the request failed"],
)
def test_net_figures_bear_the_bill(before: dict[str, Any], net: Decimal | None) -> None:
    charged = with_routing_bill(replace(asking(), **before), QuestionsBill(calls=1, usd=USD))
    assert (charged.estimated_net_saved_usd, charged.routing_model_usd) == (net, USD)


def test_in_shadow_mode_what_would_have_been_saved_bears_it_too() -> None:
    shadow = replace(asking(), facts=replace(FACTS, mode="shadow", outcome="shadow", routing_model="small"))
    charged = with_routing_bill(shadow, QuestionsBill(calls=1, usd=USD))
    assert (charged.estimated_net_saved_usd, charged.net_saved_usd) == (NET - USD, None)

"""Our metrics as a scraper reads them, from the client library's own exposition."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from litellm_prompt_router.record.record import Record
from litellm_prompt_router.telemetry.alerts import Alert
from litellm_prompt_router.telemetry.prometheus import MAX_VALUES, Prometheus
from tests.telemetry.records import RECORD, passthrough, record


def scraped(registry: CollectorRegistry) -> dict[tuple[str, str], float]:
    """Values by name and labels, the labels' values joined in the order of their names."""
    return {
        (sample.name.removeprefix("prompt_router_"), ",".join(sample.labels[name] for name in sorted(sample.labels))): (
            sample.value
        )
        for family in text_string_to_metric_families(generate_latest(registry).decode())
        for sample in family.samples
    }


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


def priced(net: str | None, **facts: Any) -> Record:
    return replace(
        record(**facts), billed_usd=Decimal("0.25"), estimated_net_saved_usd=None if net is None else Decimal(net)
    )


def test_a_request_is_counted(registry: CollectorRegistry) -> None:
    """By outcome; its tokens by bucket, its sizes, modules and decision as histograms."""
    Prometheus(registry).write(RECORD)
    values = scraped(registry)
    assert values["requests_total", "rewrite,rewritten,workbench,none,success"] == 1
    assert values["tokens_total", "cache_read,workbench"] == 7_000
    assert values["tokens_total", "uncached_input,workbench"] == 11
    assert values["prompt_chars_sum", "workbench,before"] == 116_000
    assert values["prompt_chars_sum", "workbench,after"] == 31_234
    assert values["modules_selected_sum", "workbench"] == 2
    assert values["decision_seconds_bucket", "0.001"] == 0
    assert values["decision_seconds_bucket", "0.0025"] == 1


def test_questions_to_a_routing_model_are_counted(registry: CollectorRegistry) -> None:
    """By what became of them, with what they cost and how long requests waited."""
    sink = Prometheus(registry)
    asked = record(routing_model="small", routing_model_outcome="late", routing_model_wait_us=400_000)
    sink.write(replace(asked, routing_model_usd=Decimal("0.25")))
    sink.write(record(routing_model="small", routing_model_outcome="remembered"))
    sink.write(RECORD)
    values = scraped(registry)
    assert values["routing_model_requests_total", "late,workbench"] == 1
    assert values["routing_model_requests_total", "remembered,workbench"] == 1
    assert values["routing_model_usd_total", "workbench"] == 0.25
    assert values["routing_model_wait_seconds_bucket", "0.3"] == 0
    assert values["routing_model_wait_seconds_bucket", "0.5"] == values["routing_model_wait_seconds_count", ""] == 1


def test_losses_are_counted_beside_savings(registry: CollectorRegistry) -> None:
    """A counter can't fall: net is the difference of two. Shadow saves nothing, and unknown is not 0."""
    sink = Prometheus(registry)
    for net in ("0.5", "0.25", "-0.125", None):
        sink.write(priced(net))
    sink.write(priced("9", mode="shadow", outcome="shadow"))
    values = scraped(registry)
    assert values["net_saved_usd_total", "workbench,anthropic"] == 0.75
    assert values["net_lost_usd_total", "workbench,anthropic"] == 0.125
    assert values["net_unknown_total", "workbench,anthropic"] == 1
    assert values["billed_usd_total", "workbench,anthropic"] == 1.25


def test_labels_stay_few(registry: CollectorRegistry) -> None:
    """Whatever profiles and reasons come."""
    sink = Prometheus(registry)
    for number in range(3 * MAX_VALUES):
        sink.write(record(profile=f"profile-{number}", reason=f"reason-{number}"))
    labels = [name for (family, name) in scraped(registry) if family == "requests_total"]
    assert len(labels) == MAX_VALUES + 1
    assert any("other" in name for name in labels)


def test_faults_losses_and_alerts_are_counted(registry: CollectorRegistry) -> None:
    """Losses come as totals and count once."""
    sink = Prometheus(registry)
    sink.fault("walk")
    sink.alert(Alert(name="net_loss", summary="", figures={}))
    for total in (2, 2, 5):
        sink.losses({"queue": total, "ledger": 0})
    values = scraped(registry)
    assert (values["faults_total", "walk"], values["alerts_total", "net_loss"]) == (1, 1)
    assert (values["lost_total", "queue"], values["lost_total", "ledger"]) == (5, 0)


def test_a_request_that_is_off_is_only_counted(registry: CollectorRegistry) -> None:
    """Its tokens and its bill are none of ours."""
    Prometheus(registry).write(passthrough("off"))
    assert {family for family, _ in scraped(registry) if family.endswith("_total")} == {"requests_total"}


WORKER = """
from prometheus_client import REGISTRY
from litellm_prompt_router.telemetry.prometheus import Prometheus
from tests.telemetry.records import RECORD
Prometheus(REGISTRY).write(RECORD)
"""
PAGE = """
import json
from prometheus_client import CollectorRegistry, multiprocess
registry = CollectorRegistry()
multiprocess.MultiProcessCollector(registry)
print(json.dumps([[s.name, s.value] for family in registry.collect() for s in family.samples]))
"""
WITHOUT = """
import sys
sys.modules["prometheus_client"] = None
from importlib.util import find_spec
from litellm_prompt_router.policy.settings import Settings
from litellm_prompt_router.telemetry.dispatch import Dispatcher
from tests.telemetry.records import RECORD
dispatcher = Dispatcher(Settings(ledger={"path": None}))
dispatcher.submit(RECORD)
assert dispatcher.flush()
print(dispatcher.status()["prometheus"], dispatcher.failures().faults)
"""


def run(script: str, **env: str) -> str:
    command = [sys.executable, "-W", "ignore", "-c", script]
    return subprocess.run(command, check=True, capture_output=True, text=True, env={**os.environ, **env}).stdout


def test_workers_add_up(tmp_path: Path) -> None:
    """In the library's multi-process mode, which LiteLLM uses for several workers."""
    for _ in range(2):
        run(WORKER, PROMETHEUS_MULTIPROC_DIR=str(tmp_path))
    values = dict(json.loads(run(PAGE, PROMETHEUS_MULTIPROC_DIR=str(tmp_path))))
    assert values["prompt_router_requests_total"] == 2
    assert values["prompt_router_decision_seconds_count"] == 2


def test_without_the_library_nothing_is_counted() -> None:
    """And nothing else changes."""
    assert run(WITHOUT) == "{'is_on': False} 0\n"

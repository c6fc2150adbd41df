"""The pages on watching the router say what it does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from prometheus_client import CollectorRegistry

from litellm_prompt_router.policy.settings import LedgerSettings, Settings
from litellm_prompt_router.telemetry.alerts import TITLES
from litellm_prompt_router.telemetry.dispatch import Dispatcher
from litellm_prompt_router.telemetry.prometheus import Prometheus

DOCS = Path(__file__).parents[2] / "docs"
GLITCHTIP = (DOCS / "glitchtip.md").read_text(encoding="utf-8")
STATUS = (DOCS / "status.md").read_text(encoding="utf-8")


def test_the_example_is_the_default() -> None:
    """Every threshold is there, with the value it has unless it is set."""
    [block] = re.findall(r"```yaml\n(.*?)```", GLITCHTIP, re.DOTALL)
    stated = yaml.safe_load(block)["callback_settings"]["prompt_router"]["alerts"]
    assert {"enabled": True, **stated} == Settings().alerts.model_dump()


@pytest.mark.parametrize("title", TITLES.values())
def test_every_alert_is_explained(title: str) -> None:
    """In a row of its own."""
    assert f"| `{title}` | error | " in GLITCHTIP


def test_every_field_of_the_status_is_told() -> None:
    """And no other."""
    dispatcher = Dispatcher(Settings(ledger=LedgerSettings(path=None)))
    fields = set(dispatcher.status())
    dispatcher.close()
    rows = STATUS.split("## Prometheus")[0]
    told = {name for row in re.findall(r"^\| (`.+?) \|", rows, re.MULTILINE) for name in re.findall(r"`(\w+)`", row)}
    assert told == fields


def test_every_metric_is_told() -> None:
    """By its name on the page."""
    registry = CollectorRegistry()
    Prometheus(registry)
    for family in registry.collect():
        name = f"{family.name}_total" if family.type == "counter" else family.name
        assert f"`{name}`" in STATUS

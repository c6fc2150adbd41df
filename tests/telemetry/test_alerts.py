"""When something is worth an alert, and how it looks in GlitchTip."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from litellm_prompt_router.policy.settings import AlertSettings, GlitchtipSettings, load_settings
from litellm_prompt_router.record.record import Record
from litellm_prompt_router.telemetry.alerts import TITLES, Alert, AlertWatch
from litellm_prompt_router.telemetry.glitchtip import Glitchtip
from tests.emulators.envelopes import Envelopes
from tests.telemetry.records import CALLER, RECORD, passthrough, record

FAILED = replace(RECORD, status="failure", error_type="RateLimitError", usage=None)
REFUSED = replace(RECORD, status="failure", error_type="BadRequestError", usage=None)
FAST = record(decision_us=200)
SLOW = record(decision_us=4_000)
WAITED = record(decision_us=700_300, routing_model_wait_us=640_000, embedding_wait_us=60_000)
DRIFTED = record(is_drift=True, coverage=0.7, decision_us=200)
QUIET: Mapping[str, Any] = {"decision_p99_us": None, "net_loss_conversations": None, "minimum_requests": 10}


def watch(**settings: Any) -> AlertWatch:
    return AlertWatch(AlertSettings(**{**QUIET, **settings}), now=0.0)


def judged(watch: AlertWatch, records: list[Record], lost: Mapping[str, int] | None = None) -> list[str]:
    """The alerts by name of a window with these records."""
    for item in records:
        watch.add(item)
    return [alert.name for alert in watch.close(300.0, lost or {})]


def earned(conversation: str, usd: str, outcome: Any = "rewritten") -> Record:
    facts = replace(record(outcome=outcome).facts, caller=replace(CALLER, conversation=conversation))
    return replace(RECORD, facts=facts, estimated_net_saved_usd=Decimal(usd))


@pytest.mark.parametrize(
    ("settings", "records", "raised"),
    [
        pytest.param({}, 10 * [FAST], [], id="all well"),
        pytest.param({}, 9 * [FAST] + [REFUSED], ["error_rate", "failure_rate"], id="refused as we sent it"),
        pytest.param({}, 9 * [FAST] + [FAILED], ["failure_rate"], id="failed by itself"),
        pytest.param({"failure_rate": 0.1}, 9 * [FAST] + [FAILED], [], id="at the limit"),
        pytest.param({"failure_rate": "off"}, 10 * [FAILED], [], id="failures off"),
        pytest.param({}, 9 * [REFUSED], [], id="too few"),
        pytest.param({}, 9 * [FAST] + [replace(REFUSED, facts=passthrough("off").facts)], [], id="off is not ours"),
        pytest.param({"decision_p99_us": 1_000}, 99 * [FAST] + [SLOW], [], id="one in a hundred is slow"),
        pytest.param({"decision_p99_us": 1_000}, 98 * [FAST] + 2 * [SLOW], ["decision_time"], id="two in a hundred"),
        pytest.param({"decision_p99_us": 1_000}, 100 * [WAITED], [], id="waiting for models isn't ours"),
        pytest.param({"decision_p99_us": 1_000}, 50 * [passthrough("unrecognised")], [], id="nothing was decided"),
        pytest.param({}, 19 * [FAST] + [DRIFTED], [], id="drift at the limit"),
        pytest.param({}, 18 * [FAST] + 2 * [DRIFTED], ["coverage_drift"], id="drift above it"),
        pytest.param({"drift_rate": "off"}, 10 * [DRIFTED], [], id="drift off"),
    ],
)
def test_what_is_worth_an_alert(settings: dict[str, Any], records: list[Record], raised: list[str]) -> None:
    """Above the limit, not at it, and never below the minimum sample."""
    assert judged(watch(**settings), records) == raised


def test_a_fault_of_ours_counts_into_the_error_rate() -> None:
    """One in 900 requests is more than one in a thousand."""
    watching = watch()
    watching.add_fault()
    assert judged(watching, 900 * [FAST]) == ["error_rate"]
    watching.add_fault()
    assert judged(watching, 1_000 * [FAST]) == []


def test_each_window_is_judged_by_itself() -> None:
    """An alert is raised once a window, and again only if the next one gives reason too."""
    watching = watch()
    assert judged(watching, 10 * [FAILED]) == ["failure_rate"]
    assert judged(watching, []) == []
    assert judged(watching, 10 * [FAST]) == []
    assert judged(watching, 10 * [FAILED]) == ["failure_rate"]


def test_a_quiet_worker_is_judged_later() -> None:
    """A window goes on until there are enough samples."""
    watching = watch()
    assert judged(watching, 6 * [FAILED]) == []
    assert judged(watching, 4 * [FAST]) == ["failure_rate"]


def test_losing_money_over_enough_conversations_is_an_alert() -> None:
    """The sum counts, call by call and over the latest conversations; shadow's figures are of what didn't happen."""
    watching = watch(net_loss_conversations=3)
    assert judged(watching, [earned("a", "-1"), earned("b", "-1")]) == []
    assert judged(watching, [earned("c", "1.5"), earned("c", "0.5")]) == []
    assert judged(watching, [earned("c", "-0.1")]) == ["net_loss"]
    assert judged(watching, []) == []
    assert judged(watching, [earned("d", "1.2"), earned("a", "-9", "shadow")]) == []


def test_the_net_loss_says_how_much() -> None:
    """In exact figures."""
    watching = watch(net_loss_conversations=2)
    for item in (earned("a", "0.1"), earned("b", "-0.3"), earned("c", "-0.2")):
        watching.add(item)
    [alert] = watching.close(300.0, {})
    assert alert.figures == {
        "estimated_net_saved_usd": "-0.5",
        "conversations": 2,
        "conversations_at_a_loss": 2,
        "window_seconds": 300,
    }


def test_what_is_lost_is_told_by_place() -> None:
    """However quiet the worker is; only what was lost since the window before."""
    watching = watch()
    assert judged(watching, [], {"queue": 0, "ledger": 0}) == []
    [alert] = watching.close(300.0, {"queue": 3, "ledger": 0})
    assert (alert.name, alert.figures["lost"]) == ("losses", {"queue": 3})
    assert judged(watching, [], {"queue": 3, "ledger": 0}) == []
    assert judged(watch(losses=False), [], {"queue": 3}) == []


def test_each_profile_drifts_by_itself() -> None:
    """One that drifts is not hidden by one that doesn't."""
    watching = watch()
    for item in 100 * [FAST] + 10 * [replace(DRIFTED, facts=replace(DRIFTED.facts, profile="other"))]:
        watching.add(item)
    [alert] = watching.close(300.0, {})
    assert (alert.profile, alert.figures["mean_coverage"], alert.figures["rate"]) == ("other", 0.7, 1.0)


@given(
    st.lists(st.sampled_from([FAST, SLOW, FAILED, REFUSED, DRIFTED, passthrough("off")]), max_size=60),
    st.lists(st.integers(1, 59), max_size=4),
)
def test_windows_neither_invent_nor_forget(records: list[Record], cuts: list[int]) -> None:
    """However the same records fall into windows too short to judge, the judgement is that of one window."""
    settings = {"minimum_requests": 10_000, "failure_rate": 0.2, "decision_p99_us": 1_000}
    cut, whole = watch(**settings), watch(**settings)
    for number, item in enumerate(records):
        cut.add(item)
        whole.add(item)
        if number in cuts:
            assert cut.close(float(number), {}) == ()
    for watching in (cut, whole):
        watching._settings = AlertSettings(**{**QUIET, **settings, "minimum_requests": 1})
    names = [[alert.name for alert in watching.close(300.0, {})] for watching in (cut, whole)]
    assert names[0] == names[1]
    counted = [item for item in records if item.facts.reason != "off"]
    failed = sum(item.status == "failure" for item in counted)
    assert ("failure_rate" in names[0]) == (bool(counted) and failed / len(counted) > 0.2)


@pytest.mark.parametrize("name", list(TITLES))
def test_each_alert_is_an_issue_of_its_own(envelopes: Envelopes, name: Any) -> None:
    """Error level, fixed title and fingerprint, figures in a context; in the project for what needs attention."""
    sink = Glitchtip(GlitchtipSettings(dsn=envelopes.dsn, errors_dsn=envelopes.dsn_of(2)), "router@1.0")
    sink.alert(Alert(name=name, summary="Error rate 1.00%, limit 0.10%", figures={"rate": 0.01}))
    sink.close(5)
    [event] = envelopes.events
    assert [post.path for post in envelopes.raw] == ["/api/2/envelope/"]
    assert (event["message"], event["level"], event["fingerprint"]) == (
        TITLES[name],
        "error",
        [f"prompt_router.alert:{name}"],
    )
    assert event["contexts"]["alert"] == {"summary": "Error rate 1.00%, limit 0.10%", "rate": 0.01}
    assert event["tags"]["alert"] == name
    assert not any(character.isdigit() for character in event["message"])


def test_thresholds_come_from_the_environment_too() -> None:
    """`off` switches one off, whether YAML reads it as a word or as false."""
    section = {"alerts": {"error_rate": False, "decision_p99_us": "off", "window_seconds": 60}}
    alerts = load_settings(section, {"PROMPT_ROUTER_ALERTS__FAILURE_RATE": "off"}).alerts
    assert (alerts.error_rate, alerts.decision_p99_us, alerts.failure_rate, alerts.window_seconds) == (
        None,
        None,
        None,
        60,
    )

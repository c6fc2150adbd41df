"""``prompt-router status``: what workers wrote, and what of it wants attention."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from litellm_prompt_router.operations.workers import attention, read_workers
from litellm_prompt_router.policy.settings import LedgerSettings, Settings
from litellm_prompt_router.telemetry.dispatch import Dispatcher
from litellm_prompt_router.telemetry.status_file import InForce, ServedProfile
from tests.cli.conftest import Run
from tests.telemetry.records import RECORD

IN_FORCE = InForce(
    default_mode="shadow",
    profiles=(ServedProfile(name="workbench", version="3", digest="abcdef0123456789"),),
    configuration=2,
    policy_path="/etc/policy.yaml",
    policy_digest="f00d" * 16,
    policy_rules=4,
)


@pytest.fixture
def raw(tmp_path: Path) -> dict[str, Any]:
    """A worker's own word of itself, after one request."""
    worker = Dispatcher(Settings(ledger=LedgerSettings(path=tmp_path / "l" / "ledger.jsonl")))
    worker.report_in_force(lambda: IN_FORCE)
    worker.submit(RECORD)
    assert worker.flush()
    status = worker.status()
    worker.close()
    return status


def put(raw: dict[str, Any], number: int = 0, **changed: Any) -> Path:
    folder = Path("logs/status")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"worker-{number}.json").write_text(json.dumps({**raw, **changed}))
    return folder


def test_a_profile_that_is_left_alone(run: Run, raw: dict[str, Any]) -> None:
    """By what tuning found: nobody has to guess why nothing is rewritten."""
    put(raw, profiles=[{**raw["profiles"][0], "left_alone": "left alone: no gain in simulate on 8 conversations"}])
    words = " ".join(run("status").stdout.split())
    assert "profile workbench 3, digest abcdef012345; left alone: no gain in simulate on 8 conversations" in words


def test_how_questions_to_a_routing_model_stand(run: Run, raw: dict[str, Any]) -> None:
    """Of all workers together."""
    asked = {"by_outcome": {"answered": 3, "over_budget": 1}, "calls": 4, "usd": "0.0012"}
    put(raw)
    assert "routing model" not in run("status").stdout
    for number in range(2):
        put(raw, number, counters={**raw["counters"], "routing_model": asked})
    words = " ".join(run("status").stdout.split())
    assert "routing model requests: 6 answered, 2 over budget; 8 calls, 0.0024 USD" in words


TUNED = {
    "profile": "workbench",
    "policy": "on",
    "choice": "exact",
    "tuning": "t-0123456789",
    "tuned_seconds": 1_800_000_000.0,
    "holds_from_seconds": 1_800_000_010.0,
    "why": "exact, against the full prompt -12.3% on the first half",
    "last_try_seconds": 1_800_086_400.0,
    "last_try": "too few conversations: 12 of 100",
    "has_failed": False,
    "next_seconds": 1_800_172_800.0,
    "is_running": False,
}


def test_tuning_that_goes_on_by_itself(run: Run, raw: dict[str, Any]) -> None:
    """What holds, since when and why, what came of the last look, what is next; once for workers that agree."""
    for number in range(2):
        put(raw, number, tuning=[TUNED])
    result = run("status")
    words = " ".join(result.stdout.split())
    assert (
        "tuning of workbench exact (t-0123456789); since 2027-01-15T08:00:00+00:00: exact, against the full prompt"
        " -12.3% on the first half; looked at 2027-01-16T08:00:00+00:00: too few conversations: 12 of 100;"
        " next 2027-01-17T08:00:00+00:00"
    ) in words
    assert (words.count("tuning of workbench"), result.stderr) == (1, "")
    for number in range(2):
        put(raw, number, tuning=[{**TUNED, "policy": "pinned"}])
    assert "pinned by the policy file" in " ".join(run("status").stdout.split())
    new = {**TUNED, "choice": "untuned", "tuning": None, "tuned_seconds": None, "why": None, "next_seconds": None}
    for number in range(2):
        put(raw, number, tuning=[{**new, "last_try_seconds": None, "last_try": None}])
    words = " ".join(run("status").stdout.split())
    assert "untuned (profile.yaml); not looked at yet, which takes five quiet minutes" in words


def test_a_failed_tuning_wants_attention_once(run: Run, raw: dict[str, Any]) -> None:
    for number in range(2):
        put(raw, number, tuning=[{**TUNED, "last_try": "30 of 40 lines are damaged", "has_failed": True}])
    result = run("status")
    assert result.stderr == "workbench: tuning failed, what was in force stays: 30 of 40 lines are damaged\n"
    put(raw, 1, tuning=[{**TUNED, "tuning": "t-9876543210", "has_failed": False}])
    assert "workers have several tunings in force" in run("status").stderr


def test_a_worker_that_is_well(run: Run, raw: dict[str, Any]) -> None:
    """Found where the default puts it; exit code 0 and nothing on stderr."""
    put(raw)
    result = run("status")
    assert (result.exit_code, result.stderr) == (0, "")
    words = " ".join(result.stdout.split())
    for text in ("runs", "/etc/policy.yaml: 4 rules, digest f00df00df00d", "profile workbench 3, digest abcdef012345"):
        assert text in words
    row = next(line.split() for line in result.stdout.splitlines() if line.startswith("alpha"))
    assert row[:2] == ["alpha", "rewrite"]
    assert row[-4:-1] == ["1", "0", "0"]
    shown = json.loads(run("status", "--json").stdout)
    assert (shown["attention"], shown["workers"][0]["is_stale"]) == ([], False)
    assert {name: value for name, value in shown["workers"][0].items() if name != "is_stale"} == raw


def test_memories_are_shown_with_their_limits(run: Run, raw: dict[str, Any]) -> None:
    """Where asked for; a worker says them by itself."""
    own = {memory["name"]: memory for memory in raw["memories"]}
    assert own["records waiting for sinks"]["limit"] % 10_000 == 0, "one queue's default, or several in one process"
    one = {"name": "requests in flight", "entries": 12, "limit": 4_096, "size_bytes": 700_000, "max_bytes": 536_870_912}
    other = {"name": "embeddings", "entries": 4_000, "limit": 4_096, "size_bytes": None, "max_bytes": None}
    put(raw, memories=[one, other])
    assert "embeddings" not in run("status").stdout
    rows = [" ".join(line.split()) for line in run("status", "--memories").stdout.splitlines()]
    who = f"{raw['host']}/{raw['pid']}"
    assert rows[-2:] == [f"embeddings {who} 4,000 4,096", f"requests in flight {who} 12 4,096 700,000 536,870,912"]


def test_requests_held_back_are_told_by_profile(run: Run, raw: dict[str, Any]) -> None:
    """What an unreviewed profile waits for; it is no trouble."""
    served = [*raw["profiles"], {"name": "draft", "version": "1", "digest": "0", "reviewed": False}]
    counters = {**raw["counters"], "held_as_unreviewed": {"draft": 1_200}}
    put(raw, 0, profiles=served, counters=counters)
    put(raw, 1, profiles=served, counters={**counters, "held_as_unreviewed": {"draft": 34}})
    result = run("status")
    assert (result.exit_code, result.stderr) == (0, "")
    assert (
        "profile draft, not reviewed 1,234 requests held in shadow; "
        "read `prompt-router review draft`, then accept it with `prompt-router review draft --accept`"
    ) in " ".join(result.stdout.split())
    put(raw, 1, profiles=served)
    put(raw, 0, profiles=served)
    assert "profile draft, not reviewed 0 requests" in " ".join(run("status").stdout.split())


TROUBLE: list[tuple[str, dict[str, Any], str]] = [
    ("stale", {"process_started_ticks": 1}, "ended badly"),
    ("broken file", {"problems": ["policy.yaml: rules[0].key: unknown field"]}, "rules[0].key"),
    ("breaker", {"breaker": {"is_open": True, "open_keys": 0}}, "the breaker is open"),
    ("breaker of keys", {"breaker": {"is_open": False, "open_keys": 2}}, "open for 2 keys"),
    ("queue", {"queue": {"waiting": 0, "limit": 10, "dropped": 3}}, "3 items dropped"),
    ("ledger", {"ledger": {"is_on": True, "waiting": 7, "last_error": "OSError ENOSPC"}}, "ENOSPC"),
    ("lag", {"ledger": {"is_on": True, "waiting": 7, "lag_seconds": 99.0}}, "99 s behind"),
    ("lost records", {"ledger": {"is_on": True, "lost": 5}}, "5 records lost"),
    ("GlitchTip", {"glitchtip": {"is_on": True, "lost": {"network_error": 2}}}, "network_error 2"),
    ("capture", {"capture": {"is_on": True, "lost": 1}}, "1 lines missing"),
]


@pytest.mark.parametrize(("changed", "text"), [row[1:] for row in TROUBLE], ids=[row[0] for row in TROUBLE])
def test_trouble_is_told(run: Run, raw: dict[str, Any], changed: dict[str, Any], text: str) -> None:
    """A line on stderr, and exit code 1."""
    put(raw, **changed)
    result = run("status")
    assert result.exit_code == 1
    [line] = result.stderr.splitlines()
    assert text in line


def test_errors_are_news_for_an_hour(raw: dict[str, Any], tmp_path: Path) -> None:
    now = time.time()
    folder = put(raw, last_errors=[{"at_seconds": now, "kind": "fault", "text": "in walk"}])
    workers, _ = read_workers(folder, now)
    assert "in walk" in attention(workers, now + 3_500)[0]
    assert attention(workers, now + 3_700) == ()


def test_what_went_on_as_begun_is_counted_over_workers(run: Run, raw: dict[str, Any]) -> None:
    assert "went on as begun" not in run("status").stdout
    put(raw, 1, went_on_as_begun=1_200)
    put(raw, 2, went_on_as_begun=34)
    assert "1,234 requests whose replayed thinking" in run("status").stdout


def test_what_passed_while_stopped_is_counted_over_workers(run: Run, raw: dict[str, Any]) -> None:
    put(raw, 1, passed_while_stopped=1_200)
    put(raw, 2, passed_while_stopped=34)
    assert "1,234 requests, without a record" in run("status").stdout


@pytest.mark.parametrize(
    "changed",
    [{"version": "9"}, {"profiles": []}, {"stopped_by": "kill switch"}],
    ids=["version", "profiles", "switch"],
)
def test_workers_that_do_not_agree_are_told(run: Run, raw: dict[str, Any], changed: dict[str, Any]) -> None:
    put(raw, 1)
    put(raw, 2)
    assert run("status").exit_code == 0
    put(raw, 2, **changed)
    assert "several" in run("status").stderr


@pytest.mark.parametrize("text", ["", "{", "[]", '{"schema": 1}', '{"schema": 99}', '{"schema": 1, "pid": "x"}'])
def test_what_is_no_status_file_is_told(run: Run, raw: dict[str, Any], text: str) -> None:
    """Beside the workers that are."""
    folder = put(raw)
    (folder / "worker-x-1.json").write_text(text)
    result = run("status")
    assert result.exit_code == 1
    assert "no status file that this version reads" in result.stderr
    assert "runs" in result.stdout


def test_no_worker_and_no_folder(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    result = run("status")
    assert result.exit_code == 1
    assert result.stderr.startswith("logs/status: no worker writes here")
    monkeypatch.setenv("PROMPT_ROUTER_STATUS_DIR", "off")
    assert "status files are off" in run("status").stderr
    monkeypatch.setenv("PROMPT_ROUTER_STATUS_DIR", "elsewhere")
    assert run("status").stderr.startswith("elsewhere: no worker")
    assert "no such file" in run("status", "--config", "nowhere.yaml").stderr


def test_the_default_is_beside_the_ledger() -> None:
    assert Settings().status_folder == Path("logs/status")
    assert Settings(ledger=LedgerSettings(path=None)).status_folder is None
    assert Settings.model_validate({"status_dir": None}).status_folder is None
    assert Settings(status_dir=Path("x")).status_folder == Path("x")

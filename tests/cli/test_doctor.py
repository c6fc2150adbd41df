"""``prompt-router doctor`` from the outside: a line each, what to do, and never a traceback."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import yaml

from litellm_prompt_router.policy.settings import CaptureSettings, LedgerSettings, Settings
from litellm_prompt_router.telemetry.dispatch import Dispatcher
from tests.cli.conftest import Run
from tests.emulators.envelopes import Envelopes
from tests.emulators.loopback import Answer, HangUp, Incoming, Loopback
from tests.made_routing_model import routed_profile

MODELS = [
    {"model_name": "claude", "litellm_params": {"model": "anthropic/claude-sonnet-4-5", "api_key": "os.environ/NONE"}},
    {"model_name": "gpt", "litellm_params": {"model": "openai/gpt-4.1", "api_key": "x"}},
    {"model_name": "mixed", "litellm_params": {"model": "anthropic/claude-sonnet-4-5", "api_key": "x"}},
    {"model_name": "mixed", "litellm_params": {"model": "openai/gpt-4.1", "api_key": "x"}},
    {"model_name": "own", "litellm_params": {"model": "openai/nobody-knows", "api_base": "http://127.0.0.1:9"}},
]


def write(settings: dict[str, Any] | None = None, **litellm_settings: Any) -> Path:
    document = {
        "model_list": MODELS,
        "litellm_settings": {"callbacks": ["litellm_prompt_router.callback.handler"], **litellm_settings},
        "callback_settings": {"prompt_router": settings or {}},
        "general_settings": {"master_key": "os.environ/LITELLM_MASTER_KEY", "always_include_stream_usage": True},
    }
    path = Path("proxy_config.yaml")
    path.write_text(yaml.safe_dump(document))
    return path


def found(run: Run, *arguments: str) -> dict[str, dict[str, Any]]:
    result = run("doctor", "--json", *arguments)
    findings = json.loads(result.stdout)["findings"]
    assert result.exit_code == (1 if any(each["level"] == "fail" for each in findings) else 0)
    assert all((each["level"] == "ok") == (each["todo"] is None) for each in findings)
    return {each["check"]: each for each in findings}


def test_a_deployment_in_order(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """What each group gets is told, and what is reachable is."""
    monkeypatch.setenv("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with Envelopes() as envelopes:
        monkeypatch.setenv("GLITCHTIP_DSN", envelopes.dsn)
        write()
        checks = found(run)
        text = run("doctor").output
    assert checks["model claude"]["text"].startswith(
        "placement append as notes, marks cache_control, cached from 1024 tokens, $3.0"
    )
    assert "marks none" in checks["model gpt"]["text"]
    assert "marks by deployment" in checks["model mixed"]["text"]
    assert checks["model own"]["level"] == "warn"
    assert checks["GlitchTip"]["level"] == "ok"
    assert {name for name, each in checks.items() if each["level"] != "ok"} == {"model own"}
    assert envelopes.raw == []
    assert len(text.splitlines()) == len(checks)
    assert "ok    callback" in text


@pytest.mark.parametrize(
    ("settings", "level", "text"),
    [
        pytest.param({}, "ok", "every 24 h, from logs/prompt_router.jsonl", id="in order"),
        pytest.param(
            {"ledger": {"path": None}}, "fail", "every is set, without ledger.path and status_dir", id="no ledger"
        ),
        pytest.param({"status_dir": None}, "fail", "every is set, without status_dir", id="no folder"),
    ],
)
def test_tuning_by_itself_needs_a_ledger_and_a_folder(
    run: Run, settings: dict[str, Any], level: str, text: str
) -> None:
    write({**settings, "tuning": {"every": "24h"}})
    finding = found(run)["tuning"]
    assert (finding["level"], finding["text"]) == (level, text)
    write()
    assert "tuning" not in found(run)


def test_the_checkouts_callback_needs_the_checkout(run: Run) -> None:
    """Without ``hooks/callback.py`` a line says what to list; with it all is well."""
    write(callbacks=["hooks.callback.handler"])
    finding = found(run)["callback"]
    assert (finding["level"], finding["todo"]) == ("fail", "list litellm_prompt_router.callback.handler instead")
    assert finding["text"] == (
        "hooks.callback.handler: no hooks/callback.py beside the file or below the current folder"
    )
    Path("hooks").mkdir()
    Path("hooks/callback.py").touch()
    assert found(run)["callback"]["level"] == "ok"


def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_each_profile_that_nobody_reviewed_is_a_finding(run: Run, toy_root: Path) -> None:
    yaml_file = toy_root / "toy" / "profile.yaml"
    yaml_file.write_text(yaml_file.read_text() + "reviewed: false\n")
    write({"profiles": str(toy_root)})
    finding = found(run)["profile toy, review"]
    assert finding["level"] == "warn"
    assert finding["text"] == "nobody reviewed it: in shadow at most, whatever the policy says"
    accept = "then accept it with `prompt-router review toy --accept`"
    assert finding["todo"] == f"read `prompt-router review toy`, {accept}"
    sheet = yaml_file.with_name("REVIEW.md")
    sheet.write_text("# Review of toy\n", "utf-8")
    assert found(run)["profile toy, review"]["todo"] == f"read {sheet}, {accept}"
    yaml_file.write_text(yaml_file.read_text().replace("reviewed: false", "reviewed: true"))
    assert "profile toy, review" not in found(run)


@pytest.fixture
def worker(tmp_path: Path) -> dict[str, Any]:
    """What a worker with other variables than this shell's says of itself."""
    with mock.patch.dict(os.environ, {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "HF_HUB_OFFLINE": "1"}):
        capture = CaptureSettings(path=tmp_path / "t.jsonl", keys=frozenset({"alpha"}))
        dispatcher = Dispatcher(Settings(ledger=LedgerSettings(path=tmp_path / "l.jsonl"), capture=capture))
        status = dispatcher.status()
        dispatcher.close()
    return status


def test_running_workers_say_what_they_were_started_with(
    run: Run, worker: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not this shell: it may lack what `serve` set, and what the proxy was told to capture."""
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.delenv("LITELLM_LOCAL_MODEL_COST_MAP", raising=False)
    write()
    alone = found(run)
    assert alone["capture"]["text"] == (
        "off: by the configuration and this shell's environment; no running worker is known here"
    )
    assert (alone["capture"]["level"], alone["tokenizers"]["level"]) == ("ok", "warn")
    folder = Path("logs/status")
    folder.mkdir(parents=True)
    (folder / "worker-1.json").write_text(json.dumps(worker))
    beside = found(run)
    assert (beside["capture"]["level"], beside["capture"]["text"]) == (
        "warn",
        "on in 1 of 1 running workers: messages are written down",
    )
    assert (beside["tokenizers"]["level"], beside["cost map"]["level"]) == ("ok", "ok")
    quiet = {**worker, "capture": {**worker["capture"], "is_on": False}, "offline": []}
    (folder / "worker-1.json").write_text(json.dumps(quiet))
    changed = found(run)
    assert changed["capture"]["text"] == "off: no running worker writes a message down"
    assert (changed["tokenizers"]["level"], changed["cost map"]["level"]) == ("warn", "warn")
    write({"capture": {"path": "t.jsonl", "keys": ["alpha"]}})
    assert found(run)["capture"]["text"].endswith("this shell's environment, but no running worker captures")


def test_what_cannot_be_reached_or_written_fails(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("GLITCHTIP_DSN", f"http://secretkey@127.0.0.1:{closed_port()}/1")
    redis = {"type": "redis", "host": "127.0.0.1", "port": closed_port()}
    write({"ledger": {"path": str(tmp_path / "file" / "x.jsonl")}}, cache=True, cache_params=redis)
    checks = found(run)
    assert {name for name, each in checks.items() if each["level"] == "fail"} == {
        *("GlitchTip", "Redis", "ledger", "status files"),
    }
    assert "4 messages" in checks["response cache"]["text"]
    assert "secretkey" not in json.dumps(checks)


def test_every_mistake_of_ours_is_a_line(run: Run) -> None:
    """Settings, profiles and policy at once, as at the proxy's start."""
    Path("policy.yaml").write_text("rules: [{key: [a]}]\n")
    write({"mood": "rewrite"})
    result = run("doctor")
    assert result.exit_code == 1
    failed = [line for line in result.output.splitlines() if line.startswith("FAIL")]
    assert any("mood" in line for line in failed)
    assert any("did you mean 'mode'" in line or "mode" in line for line in failed)


@pytest.mark.parametrize(
    "text", ["", "[1]", "a: [", "model_list: 7\nlitellm_settings: 3\ngeneral_settings: []\n", "model_list: [{}, 7]\n"]
)
def test_nonsense_is_no_traceback(run: Run, text: str) -> None:
    Path("proxy_config.yaml").write_text(text)
    assert run("doctor").exit_code == 1


def answering(callbacks: list[str] | None, date: str | None) -> Loopback:
    def respond(incoming: Incoming) -> Answer | HangUp:
        headers = {"Date": date} if date else {}
        if incoming.route == "/health/liveliness":
            return Answer(headers=headers, body=b'"I\'m alive!"')
        if callbacks is None:
            return Answer(status=401, body=b"{}")
        return Answer(body=json.dumps({"litellm.callbacks": callbacks}).encode())

    return Loopback(respond)


OURS = "<litellm_prompt_router.gateway.plugin.PromptRouter object at 0x7f>"


@pytest.mark.parametrize(
    ("callbacks", "level"),
    [([OURS, "other"], "ok"), (["other"], "fail"), ([OURS, OURS], "fail"), (None, "warn")],
    ids=["in the chain", "not in it", "twice", "no admin key"],
)
def test_a_running_proxy_is_asked_for_its_chain(run: Run, callbacks: list[str] | None, level: str) -> None:
    write()
    server = answering(callbacks, "Thu, 01 Jan 1970 00:00:00 GMT")
    server.listen()
    try:
        checks = found(run, "--url", server.url)
    finally:
        server.close()
    assert checks["callback (running)"]["level"] == level
    assert checks["proxy"]["level"] == "ok"


def test_a_proxy_that_is_not_there(run: Run) -> None:
    write()
    assert found(run, "--url", f"http://127.0.0.1:{closed_port()}")["proxy"]["level"] == "fail"
    assert found(run, "--url", "nonsense")["proxy"]["level"] == "fail"


def routing(tmp_path: Path, **router: Any) -> str:
    """A folder with a profile that names a routing model."""
    routed_profile(tmp_path / "routed", router)
    return str(tmp_path / "routed")


def test_a_routing_model_that_nobody_knows_is_told(run: Run, tmp_path: Path) -> None:
    profiles = routing(tmp_path, model="claud", hedge_model="gpt")
    write({"profiles": profiles, "router_model": True})
    checks = found(run)
    assert checks["routing model claud"]["level"] == "warn"
    assert checks["routing model claud"]["text"].startswith("named by profile office (router.model): no group")
    assert checks["routing model gpt"]["text"] == "a model group, for profile office"
    assert checks["profile office"]["level"] == "ok"
    assert "not fitted: claud chooses for keys with router_model" in checks["profile office"]["text"]
    assert (checks["router_model"]["level"], checks["routing answers"]["level"]) == ("ok", "ok")
    assert "shared by the workers of this machine alone" in checks["routing answers"]["text"]


def test_a_routing_model_that_nobody_may_ask_and_that_is_forgotten_is_told(run: Run, tmp_path: Path) -> None:
    profiles = routing(tmp_path, model="anthropic/claude-haiku-4-5")
    write({"profiles": profiles, "status_dir": None})
    checks = found(run)
    assert checks["routing model anthropic/claude-haiku-4-5"]["text"] == "a model of LiteLLM's, for profile office"
    assert checks["router_model"]["level"] == checks["routing answers"]["level"] == "warn"
    assert checks["routing answers"]["text"].startswith("neither Redis nor a status_dir")


def test_a_budget_wants_a_price(run: Run, tmp_path: Path) -> None:
    profiles = routing(tmp_path, model="own", hedge_model="gpt", model_budget_usd_per_hour=0.5)
    write({"profiles": profiles})
    checks = found(run)
    assert checks["routing model own"]["text"].startswith("no price: a question counts 0.001 USD")
    assert checks["routing model gpt"]["level"] == "ok"


def test_answers_are_shared_through_redis_where_there_is_one(run: Run, tmp_path: Path) -> None:
    redis = {"type": "redis", "host": "127.0.0.1", "port": closed_port()}
    write({"profiles": routing(tmp_path, model="gpt")}, cache=True, cache_params=redis)
    assert found(run)["routing answers"]["text"] == "remembered in LiteLLM's Redis, shared by all replicas"


def test_guardrails_that_mask_too_late_for_a_routing_model_are_told(run: Run, tmp_path: Path) -> None:
    guardrails = [
        {"guardrail_name": "names", "litellm_params": {"guardrail": "presidio", "mode": ["pre_call", "post_call"]}},
        {"guardrail_name": "answers", "litellm_params": {"guardrail": "presidio", "mode": "post_call"}},
    ]
    path = write({"profiles": routing(tmp_path, model="gpt")})
    assert "guardrails" not in found(run)
    path.write_text(path.read_text() + yaml.safe_dump({"guardrails": guardrails}))
    told = found(run)["guardrails"]
    assert (told["level"], told["text"].partition(":")[0]) == ("warn", "names")


def test_without_a_routing_model_there_is_nothing_to_say_of_it(run: Run) -> None:
    write()
    assert not {"router_model", "routing answers"} & found(run).keys()

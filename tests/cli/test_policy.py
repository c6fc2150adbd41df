"""``prompt-router policy``: where it finds the policy, and names that nobody has seen."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from litellm_prompt_router.documents.bundled import CONFIG_NAME, bundled_config
from litellm_prompt_router.policy.settings import LedgerSettings, Settings
from litellm_prompt_router.telemetry.dispatch import Dispatcher
from tests.analysis.report_records import made, write
from tests.cli.conftest import Run
from tests.telemetry.records import RECORD

CONFIG = "litellm_settings: {callbacks: [litellm_prompt_router.callback.handler]}\n"


@pytest.fixture
def bundled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A bundled configuration whose folder may be written to."""
    folder = tmp_path / "bundled"
    folder.mkdir()
    shutil.copy(bundled_config(), folder)
    monkeypatch.setattr("litellm_prompt_router.documents.bundled.CHECKOUT", folder)
    return folder


@pytest.mark.parametrize("command", [("policy", "enable", "alpha"), ("policy", "show"), ("stop",), ("start",)])
def test_without_a_configuration_here_the_bundled_one_is_meant(
    command: tuple[str, ...], run: Run, bundled: Path
) -> None:
    """As for `serve`; it is told, since another proxy's is then not the one that changes."""
    result = run(*command)
    assert (result.exit_code, result.stderr) == (
        0,
        f"configuration: {bundled / CONFIG_NAME}, the bundled one, as there is no proxy_config.yaml in this folder;"
        " a proxy with another one isn't touched: name it with --config\n",
    )
    assert result.stdout.startswith(f"{bundled}/policy.yaml")
    Path(CONFIG_NAME).write_text(CONFIG)
    here = run(*command)
    assert (here.exit_code, here.stderr) == (0, "")
    assert here.stdout.startswith("policy.yaml")


def test_a_name_that_no_request_had_is_told(run: Run) -> None:
    """From the status files and the ledger, with what was probably meant; it is written all the same."""
    Path(CONFIG_NAME).write_text(CONFIG)
    assert run("policy", "enable", "anyone").stderr == ""
    write(Path("logs/prompt_router.jsonl"), [made(1, key="support-bot")])
    told = run("policy", "enable", "suport-bot")
    assert (told.exit_code, told.stderr) == (
        0,
        "no request of a key 'suport-bot' was seen; seen: support-bot; did you mean 'support-bot'?\n",
    )
    assert told.stdout == "policy.yaml: key suport-bot: rewrite\n"
    worker = Dispatcher(Settings(ledger=LedgerSettings(path=Path("logs/other.jsonl"))))
    worker.submit(replace(RECORD, facts=made(2, key="shop").facts))
    assert worker.flush()
    Path("logs/status").mkdir(exist_ok=True)
    Path("logs/status/worker-1.json").write_text(json.dumps(worker.status()))
    worker.close()
    assert (
        run("policy", "disable", "nobody").stderr == "no request of a key 'nobody' was seen; seen: shop, support-bot\n"
    )
    for name in ("shop", "support-bot"):
        assert run("policy", "enable", name).stderr == ""


def test_a_team_that_no_request_had_is_told(run: Run) -> None:
    Path(CONFIG_NAME).write_text(CONFIG)
    record = made(1)
    caller = replace(record.facts.caller, team_id="docks")
    write(Path("logs/prompt_router.jsonl"), [replace(record, facts=replace(record.facts, caller=caller))])
    assert run("policy", "enable", "--team", "dock").stderr == (
        "no request of a team 'dock' was seen; seen: docks; did you mean 'docks'?\n"
    )
    assert run("policy", "enable", "--team", "docks").stderr == ""


def test_a_routing_model_is_switched_on_and_off_with_the_key(run: Run) -> None:
    Path(CONFIG_NAME).write_text(CONFIG)

    def holds() -> object:
        return json.loads(run("policy", "show", "--key", "alpha", "--json").stdout)["router_model"]["value"]

    on = run("policy", "enable", "alpha", "--router-model")
    assert (on.stdout, holds()) == ("policy.yaml: key alpha: rewrite, with a routing model\n", True)
    assert run("policy", "enable", "alpha").stdout == "policy.yaml: key alpha: rewrite (as it was)\n"
    assert holds() is True
    off = run("policy", "enable", "alpha", "--no-router-model")
    assert (off.stdout, holds()) == ("policy.yaml: key alpha: rewrite, without a routing model\n", False)

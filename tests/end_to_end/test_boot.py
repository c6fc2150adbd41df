"""How a proxy with the router starts, and how it doesn't."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest
import yaml

from litellm_prompt_router.files import bundled_profiles
from litellm_prompt_router.gateway.caller import MASTER_KEY
from litellm_prompt_router.policy.litellm_config import CALLBACK, CHECKOUT_CALLBACK
from litellm_prompt_router.policy.policy_editor import set_rule
from tests.emulators.envelopes import Behaviour, Envelopes
from tests.emulators.proxy import RunningProxy, failed_boot, running_proxy
from tests.emulators.two_keys import ROOT
from tests.emulators.upstream import Upstream
from tests.end_to_end.workbench import HISTORY_MARKS, PROMPT, conversation, system_text

pytestmark = pytest.mark.proxy

CONFIG = ROOT / "proxy_config.yaml"


def config_with(folder: Path, **settings: object) -> Path:
    """The shipped config with other router settings, in a folder without ``hooks/``."""
    config = yaml.safe_load(CONFIG.read_text(encoding="utf-8"))
    config["callback_settings"]["prompt_router"] = settings
    path = folder / "proxy_config.yaml"
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    return path


def ask(proxy: RunningProxy, model: str = "demo") -> httpx.Response:
    with httpx.Client(base_url=proxy.url, trust_env=False, timeout=30) as client:
        return client.post(
            "/v1/chat/completions",
            headers={"authorization": f"Bearer {proxy.master_key}"},
            json={"model": model, "messages": conversation()},
        )


def assert_rewrites(proxy: RunningProxy) -> None:
    """The shipped config answers the demo model without an account."""
    response = ask(proxy)
    assert response.status_code == 200
    assert response.headers["x-prompt-router-outcome"] == "rewritten"
    assert response.headers["x-prompt-router-breakpoints"] == str(2 + HISTORY_MARKS)


@pytest.mark.full
def test_installed_the_callback_is_found_from_any_folder(tmp_path: Path) -> None:
    """By the package's name: nothing lies beside the config."""
    with running_proxy(config_with(tmp_path, mode="rewrite", ledger={"path": None}), cwd=tmp_path) as proxy:
        assert_rewrites(proxy)


@pytest.mark.full
def test_with_a_master_key_alone_its_owner_captures_and_switches_on(tmp_path: Path) -> None:
    """No database: the key goes by LiteLLM's name for it. The profile is that of ``modules`` in the folder."""
    shutil.copytree(bundled_profiles() / "workbench", tmp_path / "modules" / "workbench")
    profile = tmp_path / "modules" / "workbench" / "profile.yaml"
    profile.write_text(profile.read_text("utf-8").replace('"1.0.0"', '"own"', 1), "utf-8")
    capture = {"path": str(tmp_path / "traffic.jsonl"), "keys": [MASTER_KEY]}
    config = config_with(tmp_path, mode="shadow", ledger={"path": None}, capture=capture)
    with running_proxy(config, cwd=tmp_path) as proxy:
        before = ask(proxy)
        set_rule(tmp_path / "policy.yaml", "keys", MASTER_KEY, mode="rewrite", percent=100.0, until=None)
        deadline = time.monotonic() + 30
        while (after := ask(proxy)).headers["x-prompt-router-outcome"] != "rewritten":
            assert time.monotonic() < deadline
            time.sleep(0.2)
    assert before.headers["x-prompt-router-outcome"] != "rewritten"
    assert after.headers["x-prompt-router-profile"] == "workbench@own"
    lines = [json.loads(line) for line in (tmp_path / "traffic.jsonl").read_text("utf-8").splitlines()]
    assert {line["key"] for line in lines} == {MASTER_KEY}
    assert lines[0]["request"]["messages"] == conversation()


@pytest.mark.full
def test_from_a_checkout_the_callback_is_found_by_its_place(tmp_path: Path) -> None:
    """``hooks/callback.py`` beside the config, in an environment where the package isn't installed."""
    checkout = tmp_path / "checkout"
    for name in ("hooks", "modules"):
        shutil.copytree(ROOT / name, checkout / name, ignore=shutil.ignore_patterns("__pycache__"))
    config = config_with(checkout, mode="rewrite", ledger={"path": None})
    config.write_text(config.read_text("utf-8").replace(CALLBACK, CHECKOUT_CALLBACK), "utf-8")
    paths = [path for path in sys.path if path and not (Path(path) / "litellm_prompt_router" / "__init__.py").exists()]
    env = {"PYTHONPATH": os.pathsep.join(paths)}
    python = [sys.executable, "-S"]  # no .pth files: an editable install is one
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    installed = [*python, "-c", f"import {CALLBACK.rpartition('.')[0]}"]
    assert b"ModuleNotFoundError" in subprocess.run(installed, env=env, cwd=elsewhere, capture_output=True).stderr
    litellm = [*python, "-c", "from litellm.proxy.proxy_cli import run_server; run_server()"]
    with running_proxy(config, env=env, cwd=elsewhere, command=litellm) as proxy:
        assert_rewrites(proxy)


@pytest.mark.full
def test_every_mistake_in_the_settings_stops_the_proxy_at_once(tmp_path: Path) -> None:
    """Before the first request, each problem with its path."""
    boot = failed_boot(config_with(tmp_path, coverage_flor=0.5, ledger={"pth": "x"}))
    assert boot.exit_code != 0
    assert "callback_settings.prompt_router: coverage_flor: unknown field; did you mean 'coverage_floor'?" in boot.log
    assert "callback_settings.prompt_router: ledger.pth: unknown field; did you mean 'path'?" in boot.log


@pytest.mark.full
def test_every_mistake_in_the_profiles_stops_the_proxy_at_once(tmp_path: Path) -> None:
    """All profiles are read before the first request, each problem with its path."""
    profiles = tmp_path / "profiles"
    shutil.copytree(bundled_profiles() / "workbench", profiles / "workbench")
    (profiles / "workbench" / "tools" / "git.txt").unlink()
    (profiles / "other").mkdir()
    (profiles / "other" / "profile.yaml").write_text("profile: other\nmodules: [\n", encoding="utf-8")
    boot = failed_boot(config_with(tmp_path, profiles=str(profiles)))
    assert boot.exit_code != 0
    assert "profiles/workbench: modules[7].file: tools/git.txt: can't be read (No such file or directory)" in boot.log
    assert "profiles/other/profile.yaml: not valid YAML at line 3" in boot.log


@pytest.mark.full
def test_dead_sinks_and_shadow_mode_change_nothing(tmp_path: Path) -> None:
    """An unwritable ledger and an unreachable GlitchTip: the client and the provider see nothing of it."""
    (tmp_path / "file").write_text("", encoding="utf-8")
    config = yaml.safe_load((ROOT / "examples/two_keys/proxy_config.yaml").read_text(encoding="utf-8"))
    del config["general_settings"]["custom_auth"]
    config["callback_settings"]["prompt_router"] = {
        "mode": "shadow",
        "ledger": {"path": str(tmp_path / "file" / "ledger.jsonl")},
    }
    path = tmp_path / "proxy_config.yaml"
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    with Upstream() as upstream, Envelopes() as envelopes:
        envelopes.behave(Behaviour.REFUSES)
        env = {"GLITCHTIP_DSN": envelopes.dsn, "ANTHROPIC_API_BASE": upstream.url, "ANTHROPIC_API_KEY": "emulated"}
        env |= {"OPENAI_API_BASE": upstream.url, "OPENAI_API_KEY": "emulated"}
        with running_proxy(path, env=env, cwd=tmp_path) as proxy:
            for model in ("claude", "gpt", "claude"):
                response = ask(proxy, model)
                assert response.status_code == 200
                assert response.headers["x-prompt-router-outcome"] == "shadow"
        assert [system_text(request.json) for request in upstream.requests if request.method == "POST"] == [PROMPT] * 3

"""``doctor`` and ``status`` on a running proxy, as somebody in another shell calls them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from typing import Any

import pytest

from tests.emulators.two_keys import CONFIG, ROOT, TwoKeyProxy
from tests.end_to_end.workbench import TOOLS, conversation, record_of

pytestmark = pytest.mark.proxy


def run(*arguments: str, **environ: str) -> tuple[int, Any]:
    """The exit code and the JSON of a command."""
    done = subprocess.run(
        [sys.executable, "-m", "litellm_prompt_router.cli", *arguments, "--json"],
        cwd=ROOT,
        env={name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ} | environ,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, json.loads(done.stdout)


def test_doctor_finds_the_callback_in_the_running_chain(two_key_proxy: TwoKeyProxy) -> None:
    """With the master key; the proxy's clock is asked too, and no key is printed."""
    master = two_key_proxy.keys["master"]
    asked = ("doctor", "--config", str(CONFIG), "--url", two_key_proxy.url)
    code, answer = run(*asked, "--key", master, GLITCHTIP_DSN=two_key_proxy.envelopes.dsn)
    found = {finding["check"]: finding["level"] for finding in answer["findings"]}
    assert code == 0, answer
    assert [found[name] for name in ("proxy", "clock", "callback (running)", "GlitchTip")] == ["ok"] * 4
    assert master not in json.dumps(answer)
    _, answer = run(*asked, "--key", "sk-not-a-key")
    assert {each["check"]: each["level"] for each in answer["findings"]}["callback (running)"] == "warn"


def test_status_tells_of_the_running_worker(two_key_proxy: TwoKeyProxy) -> None:
    """From the folder beside its ledger, where it writes without being told to."""
    with two_key_proxy.openai("alpha") as client:
        given: Any = {"messages": conversation(), "tools": TOOLS}
        raw = client.chat.completions.with_raw_response.create(model="claude", **given)
    record_of(two_key_proxy.ledger_path, raw)
    deadline = time.monotonic() + 30
    folder = str(two_key_proxy.ledger_path.parent / "status")
    while True:
        _, answer = run("status", "--status-dir", folder)
        [worker] = answer["workers"]
        keys = {key["key_alias"]: key["mode"] for key in worker["keys"]}
        if keys.get("alpha") == "rewrite" or time.monotonic() > deadline:
            break
        time.sleep(0.5)
    assert keys["alpha"] == "rewrite"
    assert (worker["is_stale"], worker["default_mode"], worker["stopped_by"]) == (False, "off", None)
    assert [profile["name"] for profile in worker["profiles"]] == ["workbench"]
    assert worker["ledger"]["written"] > 0
    assert worker["policy"] == {"path": None, "digest": None, "rules": 0}

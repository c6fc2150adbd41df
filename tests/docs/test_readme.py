"""The README says what is so."""

from __future__ import annotations

import re
import shlex

from litellm_prompt_router.gateway.caller import MASTER_KEY
from litellm_prompt_router.policy.settings import Settings, load_settings
from tests.docs.blocks import README, ROOT
from tests.docs.named_calls import calls_in

TEXT = README.read_text(encoding="utf-8")
MAX_LINES = 150


def test_it_is_short() -> None:
    assert len(TEXT.splitlines()) <= MAX_LINES


def test_five_lines_take_an_agent_from_capture_to_report() -> None:
    """In this order, for one key, and nothing of it is rewritten before the fourth."""
    section = TEXT.partition("## Your agent in five lines")[2].partition("\n## ")[0]
    calls = list(calls_in(section))
    assert [call[0] for call in calls] == ["serve", "onboard", "review", "policy", "report"]
    settings = load_settings(None, dict(re.findall(r"(PROMPT_ROUTER_\w+)=(\S+)", section)))
    assert settings.mode == "shadow"
    assert calls[1][1] == str(settings.capture.path)
    assert settings.capture.keys == {calls[3][2]} == {MASTER_KEY}
    assert calls[2][1] == calls[1][calls[1].index("--name") + 1]
    assert calls[4][1] == str(Settings().ledger.path)


def test_ci_runs_the_readmes_test_line() -> None:
    """The one line that sets up and passes the tests is made of the steps CI takes."""
    ci = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    line = next(line for line in TEXT.splitlines() if line.endswith("pytest"))
    for step in line.split(" && ")[1:]:
        normal = " ".join(shlex.split(step))
        assert normal in re.sub(r"['\"]|--quiet ", "", ci)


def test_dockerfile_takes_the_readmes_steps() -> None:
    """The README's install line without its extra, an unprivileged user, a health check on LiteLLM's liveness."""
    dockerfile = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    run_line = next(line for line in TEXT.splitlines() if line.endswith("prompt-router demo"))
    install = run_line.split(" && ")[1].replace("'.[report]'", ".")
    assert install in dockerfile
    instructions = [line.split()[0] for line in dockerfile.splitlines() if re.match(r"[A-Z]+ ", line)]
    assert instructions[0] == "FROM"
    assert "-slim" in dockerfile.splitlines()[0]
    assert instructions.index("USER") < instructions.index("CMD")
    assert "/health/liveliness" in dockerfile
    for line in dockerfile.splitlines():
        if line.startswith("COPY"):
            for source in line.split()[1:-1]:
                assert (ROOT / source).exists(), source

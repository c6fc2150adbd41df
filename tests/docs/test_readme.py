"""The README says what is so."""

from __future__ import annotations

import re
import shlex

import pytest
import yaml

from tests.docs.blocks import BLOCK, BLOCKS, DOCUMENTS, README, ROOT

TEXT = README.read_text(encoding="utf-8")


SHOWN = {match[2]: match[3] for page in DOCUMENTS for match in BLOCK.finditer(page.read_text(encoding="utf-8"))}
SLOW = {"heldout", "simulate", "tuned"}


def test_every_generated_block_is_shown() -> None:
    assert set(SHOWN) == set(BLOCKS)


@pytest.mark.parametrize("name", [pytest.param(name, marks=[pytest.mark.full] * (name in SLOW)) for name in BLOCKS])
def test_output_blocks_are_what_the_code_prints(name: str) -> None:
    """Run ``python -m tests.docs.blocks`` after a change to what is shown."""
    assert SHOWN[name] == BLOCKS[name]()


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


def test_config_snippets_are_valid_settings() -> None:
    """Every YAML block of the README parses, and its router settings are accepted."""
    from litellm_prompt_router.policy.settings import load_settings

    blocks = re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)
    assert blocks
    for block in blocks:
        document = yaml.safe_load(block)
        section = document.get("callback_settings", {}).get("prompt_router")
        load_settings(section, {})


def test_links_lead_somewhere() -> None:
    """Relative links of README and docs exist."""
    for document in DOCUMENTS:
        for target in re.findall(r"\]\((?!https?://|#)([^)#]+)", document.read_text(encoding="utf-8")):
            assert (document.parent / target).exists(), target

"""README and docs say what is so: their blocks are made by the code, their commands and settings exist."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml

from litellm_prompt_router.cli import COMMANDS
from litellm_prompt_router.policy.loader import RELOADED
from litellm_prompt_router.policy.settings import load_settings
from tests.docs.blocks import BLOCK, BLOCKS, DOCUMENTS, ROOT
from tests.docs.named_calls import calls_in, mentions_in, options_of, parse

TEXTS = {page.name: page.read_text(encoding="utf-8") for page in DOCUMENTS}
SHOWN = {match[2]: (name, match) for name, text in TEXTS.items() for match in BLOCK.finditer(text)}
CALLS = [(name, call) for name, text in TEXTS.items() for call in calls_in(text)]
MENTIONS = [(name, *mention) for name, text in TEXTS.items() for mention in mentions_in(text)]
SNIPPETS = [
    (name, raw) for name, text in TEXTS.items() for raw in re.findall(r"^```yaml\n(.*?)^```", text, re.M | re.S)
]

# Generated blocks


def test_every_generated_block_is_shown_once() -> None:
    assert set(SHOWN) == set(BLOCKS)
    comments = Counter(name for text in TEXTS.values() for name in re.findall(r"<!-- generated: (.*?) -->", text))
    assert comments == Counter(BLOCKS.keys())


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.full] * block.is_slow) for name, block in BLOCKS.items()]
)
def test_output_blocks_are_what_the_code_prints(name: str) -> None:
    """Run ``python -m tests.docs.blocks`` after a change to what is shown."""
    assert SHOWN[name][1][3] == BLOCKS[name].make()


@pytest.mark.parametrize("name", [name for name, block in BLOCKS.items() if block.command])
def test_a_block_stands_behind_its_command(name: str) -> None:
    """In the same section, so that a reader can reproduce what it shows."""
    page, match = SHOWN[name]
    section = TEXTS[page][: match.start()].rpartition("\n## ")[2]
    command = BLOCKS[name].command
    assert command is not None
    assert re.search(rf"{re.escape(command)}(?![\w-])", section), command


# Commands


@pytest.mark.parametrize(("page", "call"), CALLS, ids=[f"{page} {' '.join(call)}" for page, call in CALLS])
def test_every_call_parses(page: str, call: list[str]) -> None:
    """With these options and arguments, by the command's own parser; nothing runs."""
    parse(call)


@pytest.mark.parametrize(("page", "command", "rest"), MENTIONS)
def test_every_mention_is_of_a_command_and_its_options(page: str, command: str, rest: str) -> None:
    """`COMMAND` stands for any."""
    if not command.startswith("-") and command != "COMMAND":
        named = set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", rest))
        assert named <= options_of(command)


def test_the_reference_names_every_command() -> None:
    block = TEXTS["reference.md"].partition("## Commands")[2].partition("## ")[0]
    named = {name for line in re.findall(r"^prompt-router (.*?)(?:  |$)", block, re.M) for name in line.split(" / ")}
    assert set(COMMANDS) <= {name.split()[0] for name in named}


# Settings


@pytest.mark.parametrize(("page", "raw"), SNIPPETS, ids=[f"{page}-{n}" for n, (page, _) in enumerate(SNIPPETS)])
def test_config_snippets_are_valid_settings(page: str, raw: str) -> None:
    section: Any = (yaml.safe_load(raw).get("callback_settings") or {}).get("prompt_router")
    load_settings(section, {})


def test_what_a_running_proxy_takes_over_is_told() -> None:
    told = TEXTS["reference.md"].partition("A running proxy takes over")[2].partition(";")[0]
    assert set(re.findall(r"`(\w+)`", told)) == set(RELOADED)


def test_variables_on_shell_lines_are_settings() -> None:
    for text in TEXTS.values():
        stated = dict(re.findall(r"\b(PROMPT_ROUTER_\w+)=(\S+)", "\n".join(re.findall(r"```sh\n(.*?)```", text, re.S))))
        load_settings(None, stated)


# Links


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.name)
def test_links_lead_somewhere(document: Path) -> None:
    """Relative ones to files that exist, and to headings that are in them."""
    links = re.findall(r"\]\((?!https?://)([^)#]*)(?:#([^)]+))?\)", document.read_text(encoding="utf-8"))
    for target, heading in links:
        page = document.parent / target if target else document
        assert page.exists(), target
        if heading:
            titles = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.M)
            assert heading in {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}, heading


def test_the_way_from_the_readme_reaches_every_page() -> None:
    linked = set(re.findall(r"\]\((docs/[\w.-]+)", TEXTS["README.md"]))
    assert linked == {str(page.relative_to(ROOT)) for page in DOCUMENTS} - {"README.md"}

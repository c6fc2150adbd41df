"""docs/agents.md says what is so."""

from __future__ import annotations

import re

import yaml

from litellm_prompt_router.policy.settings import load_settings
from litellm_prompt_router.profile.agents import AGENTS
from litellm_prompt_router.profile.ignore_rules import IgnoreFile, ignore_of
from tests.docs.blocks import ROOT
from tests.docs.named_calls import mentions_in

TEXT = (ROOT / "docs" / "agents.md").read_text(encoding="utf-8")


def test_the_way_names_its_commands() -> None:
    assert {"learn", "check", "simulate", "fit"} <= {command for command, _ in mentions_in(TEXT)}


def test_ready_made_sets_are_those_that_are_named() -> None:
    """In the tables' last column, or behind the word "set"."""
    named = re.findall(r"(?:\| |\bset \(?)`([a-z][a-z-]*)`(?: \|$|\))", TEXT, re.MULTILINE)
    assert sorted(named) == sorted(AGENTS)


def test_snippets_are_valid() -> None:
    """Settings are accepted, and rules of what to ignore."""
    for block in re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL):
        document = yaml.safe_load(block)
        load_settings(document.get("callback_settings", {}).get("prompt_router"), {})
        problems: list[str] = []
        ignore_of(
            [IgnoreFile.model_validate(rule) for rule in document.get("ignore", [])], "x", problems, agents=AGENTS
        )
        assert problems == []

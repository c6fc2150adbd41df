"""The ready-made sets of agents.yaml are rules that any profile could state."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from litellm_prompt_router.files import load_profile
from litellm_prompt_router.profile.agents import AGENTS, AGENTS_FILE, HISTORY_REMOVED, HISTORY_REMOVED_INITIALS
from litellm_prompt_router.profile.profile import Ignore
from tests.made_profiles import count_words

DOCUMENT = yaml.safe_load(AGENTS_FILE.read_text("utf-8"))
KINDS = {"drop": "drop", "keep": "keep", "skip": "skip", "result": "results", "summary": "summaries"}
JOINED = {"skip", "result", "summary"}


def in_a_profile(root: Path, rules: object) -> Ignore:
    """The rules as a profile.yaml's own ``ignore:``; an invalid one raises."""
    declared = {
        "profile": "p",
        "version": "1",
        "modules": [{"id": "a", "file": "a.txt", "title": "A", "description": "A.", "always": True}],
        "ignore": rules,
    }
    folder = root / "p"
    folder.mkdir()
    (folder / "profile.yaml").write_text(yaml.safe_dump(declared), "utf-8")
    (folder / "a.txt").write_text("You help.", "utf-8")
    return load_profile(folder, count_words).ignore


@pytest.mark.parametrize("name", DOCUMENT["agents"])
def test_a_set_is_valid_in_a_profile(tmp_path: Path, name: str) -> None:
    """It names what the same rules in a profile name, and each of its rules is there."""
    rules = DOCUMENT["agents"][name]
    own, made = in_a_profile(tmp_path, rules), AGENTS[name]
    assert (made.tags, made.inside, made.block) == (own.tags, own.inside, own.block)
    for kind, field in KINDS.items():
        patterns = [rule[kind] for rule in rules if kind in rule]
        assert len(getattr(own, field)) == len(patterns)
        assert len(getattr(made, field)) == (min(1, len(patterns)) if kind in JOINED else len(patterns))
    assert list(AGENTS) == list(DOCUMENT["agents"])


@pytest.mark.parametrize("part", ["every_agent", "model_messages"])
def test_what_holds_for_every_agent_is_valid_in_a_profile(tmp_path: Path, part: str) -> None:
    assert in_a_profile(tmp_path, DOCUMENT[part]).summaries


@pytest.mark.parametrize(
    "text",
    [
        "[NOTE] Some previous conversation history was removed",
        "[Earlier messages were truncated]",
        "Earlier turns have been compacted",
        "previous messages were omitted",
        "Older history has been removed",
    ],
)
def test_initials_let_through_what_the_patterns_match(text: str) -> None:
    assert text.lower().startswith(HISTORY_REMOVED_INITIALS)
    assert any(pattern.match(text) for pattern in HISTORY_REMOVED)

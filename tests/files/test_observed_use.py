"""``use`` under ``economics``: read, and written, with a tuning or without one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from litellm_prompt_router.analysis.simulate.economics_section import section_of_use, write_economics
from litellm_prompt_router.documents.errors import ConfigurationError
from litellm_prompt_router.files import load_profile
from litellm_prompt_router.files.profile_editor import ProfileEditor
from litellm_prompt_router.profile.profile import ObservedUse
from tests.cli.conftest import TOY, TOY_FILES, write_profile

CHANCES = {"tools/web": 0.25, "tools/gone": 0.5}


@pytest.fixture
def toy(tmp_path: Path) -> Path:
    return write_profile(tmp_path, "toy", TOY, TOY_FILES)


def stated(folder: Path, **economics: Any) -> None:
    editor = ProfileEditor(folder)
    editor.set_section("economics", economics)
    editor.save()


def test_use_beside_a_tuning(toy: Path) -> None:
    """Of modules that are gone nothing is said."""
    stated(toy, choice="full", use={"calls_per_message": 3.5, "later_chances": CHANCES})
    economics = load_profile(toy, len).economics_in_force
    assert economics is not None
    assert not economics.rewrites
    assert economics.use == ObservedUse(calls_per_message=3.5, later_chances={"tools/web": 0.25})


def test_use_without_a_tuning_is_none_to_go_by(toy: Path) -> None:
    """It neither holds nor is outdated, whatever the profile's version; its use stands."""
    use = ObservedUse(calls_per_message=2.0, later_chances={"tools/web": 0.25})
    write_economics(toy, section_of_use(use, load_profile(toy, len), 7, 20))
    text = (toy / "profile.yaml").read_text("utf-8")
    (toy / "profile.yaml").write_text(text.replace('version: "2"', 'version: "3"', 1), "utf-8")
    profile = load_profile(toy, len)
    assert (profile.economics_in_force, profile.outdated_tuning, profile.left_alone) == (None, None, None)
    assert profile.economics is not None
    assert (profile.economics.use, profile.economics.conversations) == (use, 7)


@pytest.mark.parametrize(
    ("use", "problem"),
    [
        pytest.param({"calls_per_message": 0.5}, "economics.use.calls_per_message: ", id="less than a call"),
        pytest.param({"later_chances": {"tools/web": 1.5}}, "economics.use.later_chances.tools/web: ", id="above 1"),
        pytest.param({"chances": {}}, "economics.use.chances: ", id="unknown field"),
    ],
)
def test_what_is_no_use_is_refused(toy: Path, use: dict[str, Any], problem: str) -> None:
    with pytest.raises(ConfigurationError, match=problem):
        stated(toy, choice="untuned", use=use)

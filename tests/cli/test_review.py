"""``review``: what a draft may leave out, and accepting it."""

from __future__ import annotations

from pathlib import Path

import pytest

from litellm_prompt_router.files import load_profile
from tests.cli.conftest import TOY, TOY_FILES, Run, write_profile

DRAFT = TOY.replace('version: "2"\n', 'version: "2"\nreviewed: false  # drafted\n')
SHEET = (
    "# Review\n\nSizes.\n\n"
    "## What may be left out (1 modules)\n\n### tools/csv\n\n- a rule\n\n## In the core\n\nMore.\n"
)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = write_profile(tmp_path / "profiles", "toy", DRAFT, TOY_FILES)
    (folder / "REVIEW.md").write_text(SHEET, "utf-8")
    return tmp_path / "profiles"


def test_the_risky_part_is_shown(root: Path, run: Run) -> None:
    """What may be left out now, and what REVIEW.md quotes for it; nothing is changed."""
    shown = run("review", "toy", "--profiles", root).stdout
    assert shown.startswith("toy 2: not reviewed, shadow at most\n4 of 5 modules, ")
    assert (
        "From REVIEW.md, as drafted:\n\n## What may be left out (1 modules)\n\n### tools/csv\n\n- a rule\n\n" in shown
    )
    assert "Sizes." not in shown
    assert "More." not in shown
    assert shown.endswith("to accept it: prompt-router review toy --accept\n")
    assert (root / "toy" / "profile.yaml").read_text("utf-8") == DRAFT


def test_accepting_sets_one_field(root: Path, run: Run) -> None:
    """Comments, order and quotes stay."""
    done = run("review", "toy", "--accept", "--profiles", root)
    path = root / "toy" / "profile.yaml"
    assert (done.exit_code, done.stdout) == (
        0,
        f"toy: accepted, `reviewed: true` is in {path}; proxies that read this folder take it up within seconds,"
        " while they run\n",
    )
    assert load_profile(root / "toy", len).reviewed
    assert path.read_text("utf-8") == DRAFT.replace("reviewed: false", "reviewed: true")
    again = run("review", "toy", "--accept", "--profiles", root)
    assert (again.exit_code, again.stdout) == (0, "toy: reviewed already\n")


def test_a_profile_that_does_not_load_is_not_accepted(root: Path, run: Run) -> None:
    path = root / "toy" / "profile.yaml"
    broken = DRAFT.replace("requires: [tools/files]", "requires: [tools/none]")
    path.write_text(broken, "utf-8")
    refused = run("review", "toy", "--accept", "--profiles", root)
    assert (refused.exit_code, "unknown module 'tools/none'" in refused.stderr) == (1, True)
    assert path.read_text("utf-8") == broken


def test_an_unknown_profile_is_told(root: Path, run: Run) -> None:
    refused = run("review", "tyo", "--profiles", root)
    assert (refused.exit_code, "toy" in refused.stderr) == (1, True)


def test_a_profile_without_a_sheet_is_shown_all_the_same(toy_root: Path, run: Run) -> None:
    shown = run("review", "toy", "--profiles", toy_root)
    assert (shown.exit_code, "REVIEW.md" in shown.stdout) == (0, False)
    assert shown.stdout.startswith("toy 2: reviewed\n")

"""``diff`` and ``update``: a profile follows its agent's prompt."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from litellm_prompt_router.files import bundled_profiles, load_profile
from litellm_prompt_router.files.profile_editor import ProfileEditor
from tests.cli.conftest import TOY, TOY_FILES, TOY_PROMPT, Run, write_profile

YAML = """\
# The toy agent. Keep this file tidy.
profile: toy
version: "2"
description: A toy.   # for tests

slots:
  # today
  - {name: date, pattern: '\\d{4}-\\d{2}-\\d{2}', sample: "2026-01-31", volatile: true}
modules:
  - {id: core, file: core.txt, title: Core, always: true}
  # the big one
  - id: tools/csv
    file: csv.txt
    title: "CSV"          # quoted for a reason
    triggers:
      - csv
      - 'spreadsheet*'
    tools: [load_csv]
    requires:
      - tools/files
      - tools/orphan   # odd
    examples: [sum up a csv,
               read the spreadsheet]
  - {id: tools/files, file: files.txt, title: Files}
  - {id: tools/web, file: web.txt, title: Web, triggers: [web],
     examples: [look it up on the web, who won], requires: [tools/orphan]}

  - {id: tools/orphan, file: orphan.txt, title: Orphan}

coverage_floor: 0.5   # at the end
"""
NEW_SECTION = "# Calendars\n\nUse make_event to put things into the calendar.\n\n"
CSV = TOY_FILES["csv.txt"]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write_profile(tmp_path / "profiles", "toy", YAML, TOY_FILES)
    return tmp_path / "profiles"


@pytest.fixture
def new_prompt(tmp_path: Path) -> Path:
    """Today is later; the web comes before the files and has changed; calendars are new; the orphan is gone."""
    web = TOY_FILES["web.txt"].replace("Search before", "Look twice before")
    core = TOY_FILES["core.txt"].replace("{{date}}", "2026-11-23")
    path = tmp_path / "new.txt"
    path.write_bytes((core + TOY_FILES["files.txt"] + CSV + NEW_SECTION + web).encode())
    return path


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_diff_shows_each_module(root: Path, new_prompt: Path, run: Run) -> None:
    """In the new order, what is gone last; and what needs a look. Nothing is written."""
    before = files(root)
    result = run("diff", "toy", new_prompt, "--profiles", root, "--verbose")
    assert (result.exit_code, result.stderr) == (0, "")
    assert files(root) == before
    lines = result.stdout.splitlines()
    assert lines[0] == "toy 2 -> 3: 2 unchanged, 1 edited, 1 moved, 1 new, 1 gone"
    states = [line.split()[1] for line in lines[3:9]]
    assert states == ["unchanged", "moved", "unchanged", "new", "edited", "gone"]
    assert "-Search before you answer, and name the pages you read." in lines
    assert "+Look twice before you answer, and name the pages you read." in lines
    assert "  tools/orphan: gone from the prompt; its file and entry were removed" in lines
    assert "  tools/csv: required tools/orphan, which is gone; the requirement was removed" in lines


def test_diff_as_json(root: Path, new_prompt: Path, run: Run) -> None:
    document = json.loads(run("diff", "toy", new_prompt, "--profiles", root, "--json").stdout)
    assert (document["version"], document["new_version"], document["is_changed"]) == ("2", "3", True)
    assert document["summary"] == {"unchanged": 2, "edited": 1, "moved": 1, "new": 1, "gone": 1}
    by_state = {module["state"]: module for module in document["modules"]}
    assert by_state["edited"]["id"] == "tools/web"
    assert "+Look twice before you answer, and name the pages you read." in by_state["edited"]["diff"]
    assert (by_state["gone"]["chars_before"], by_state["gone"]["chars_after"]) == (len(TOY_FILES["orphan.txt"]), 0)


def test_update_keeps_what_nobody_touched(root: Path, new_prompt: Path, run: Run) -> None:
    """profile.yaml differs in the version, the sample, the order, the new entry and the gone module only."""
    (root / "toy" / "ab_cases.jsonl").write_text("{}\n")
    result = run("update", "toy", new_prompt, "--profiles", root)
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.endswith(f"\nupdated {root / 'toy'}\n")
    profile = load_profile(root / "toy", len)
    assert profile.text.encode() == new_prompt.read_bytes()
    assert profile.version == "3"
    declared = (root / "toy" / "profile.yaml").read_text("utf-8")
    [new] = [module for module in profile.modules if module.id not in YAML]
    first, second = YAML.split("  # the big one\n")
    expected = [
        first.replace('version: "2"', 'version: "3"').replace('"2026-01-31"', '"2026-11-23"'),
        "  # the big one\n",
        second.split("    requires:\n")[0],
        "    requires: [tools/files]\n    examples: [sum up a csv,\n               read the spreadsheet]\n",
        "  - {id: tools/files, file: files.txt, title: Files}\n",
        f"  - id: {new.id}\n    file: {new.id}.txt\n",
        "  - {id: tools/web, file: web.txt, title: Web, triggers: [web],\n"
        "     examples: [look it up on the web, who won], requires: []}\n",
        "\ncoverage_floor: 0.5   # at the end\n",
    ]
    assert [part for part in expected if part not in declared] == []
    assert declared.count("- {id:") == 3
    assert "orphan" not in declared
    assert not (root / "toy" / "orphan.txt").exists()
    assert (root / "toy" / "ab_cases.jsonl").read_text() == "{}\n"
    review = (root / "toy" / "REVIEW.md").read_text("utf-8")
    assert "## Version 3, updated from 2\n" in review
    assert f"- [ ] {new.id}: new, " in review
    assert run("check", "toy", "--profiles", root).exit_code == 0
    again = run("update", "toy", new_prompt, "--profiles", root)
    assert again.stdout.endswith("nothing to update\n")
    assert (root / "toy" / "profile.yaml").read_text("utf-8") == declared


def test_dry_run_writes_nothing(root: Path, new_prompt: Path, run: Run) -> None:
    before = files(root)
    result = run("update", "toy", new_prompt, "--profiles", root, "--dry-run", "--version", "2026-11")
    assert result.stdout.startswith("toy 2 -> 2026-11: ")
    assert result.stdout.endswith(f"\nwould update {root / 'toy'}\n")
    assert files(root) == before


def test_an_update_is_done_whole_or_not_at_all(
    root: Path, new_prompt: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A profile.yaml that can't be put in place leaves the folder as it was, and nothing beside it."""
    before, replace = files(root), os.replace

    def refuse(path: Path, target: Path) -> None:
        if path.suffix == ".new" and target == root / "toy" / "profile.yaml":
            raise OSError(28, os.strerror(28))
        replace(path, target)

    monkeypatch.setattr(os, "replace", refuse)
    result = run("update", "toy", new_prompt, "--profiles", root)
    assert result.exit_code == 1
    assert result.stderr == f"{root / 'toy'}: can't be written (No space left on device); nothing was changed\n"
    assert files(root) == before
    assert [path.name for path in root.iterdir()] == ["toy"]


@pytest.mark.full
def test_the_bundled_profile_follows_an_edit(tmp_path: Path, run: Run) -> None:
    """A real profile: one word changes one file, and two lines of profile.yaml."""
    root = tmp_path / "profiles"
    source = bundled_profiles() / "workbench"
    write_profile(root, "workbench", (source / "profile.yaml").read_text("utf-8"), {})
    for name, raw in files(source).items():
        (root / "workbench" / name).parent.mkdir(exist_ok=True)
        (root / "workbench" / name).write_bytes(raw)
    profile = load_profile(source, len)
    edited = next(module for module in profile.modules if not module.always)
    text = profile.text.replace(edited.text, edited.text.replace(". ", "; ", 1))
    (tmp_path / "new.txt").write_bytes(text.encode())
    assert run("update", "workbench", tmp_path / "new.txt", "--profiles", root, "--version", "next").exit_code == 0
    updated = load_profile(root / "workbench", len)
    assert updated.text == text
    was, now = files(source), files(root / "workbench")
    changed = {name for name in now if now[name] != was.get(name)}
    assert len(changed) == 4
    assert {"profile.yaml", "REVIEW.md", "router.json"} < changed
    assert updated.fitted is not None
    lines = zip(was["profile.yaml"].splitlines(), now["profile.yaml"].splitlines(), strict=True)
    assert [new for old, new in lines if new != old] == [b'version: "next"']


@pytest.mark.full
def test_what_was_fitted_and_tuned_for_other_modules_is_taken_out(tmp_path: Path, run: Run) -> None:
    """The profile still loads, and the review says what to do again."""
    root = tmp_path / "profiles"
    shutil.copytree(bundled_profiles() / "workbench", root / "workbench")
    profile = load_profile(root / "workbench", len)
    gone = next(module for module in profile.modules if not module.always and not module.tools)
    kept = profile.modules[3]
    declared = root / "workbench" / "profile.yaml"
    before = declared.read_bytes()
    editor = ProfileEditor(root / "workbench")
    editor.set_section("economics", {"choice": "bundles", "bundles": [[kept.id, gone.id]]})
    editor.save()
    (tmp_path / "new.txt").write_bytes(profile.text.replace(gone.text, "").encode())
    assert run("update", "workbench", tmp_path / "new.txt", "--profiles", root).exit_code == 0
    updated = load_profile(root / "workbench", len)
    assert (updated.fitted, updated.economics) == (None, None)
    assert not list((root / "workbench").glob("router.*"))
    review = (root / "workbench" / "REVIEW.md").read_text("utf-8")
    assert "`prompt-router simulate --tune` again" in review
    assert "`prompt-router fit` again" in review
    assert b"economics" not in declared.read_bytes()
    assert len(declared.read_bytes()) < len(before)


@pytest.mark.parametrize("command", ["diff", "update"])
@pytest.mark.parametrize(
    ("prompt", "message"),
    [
        pytest.param(b"  \n", "toy: the new prompt is empty; is this the right file?", id="empty"),
        pytest.param(
            b"Somebody else's prompt.",
            "toy: no module of it is in the new prompt; make a profile of its own with `split`",
            id="another agent's",
        ),
        pytest.param(b"\xff", "{path}: not UTF-8 at byte 0; convert it", id="not UTF-8"),
    ],
)
def test_mistakes(toy_root: Path, tmp_path: Path, run: Run, command: str, prompt: bytes, message: str) -> None:
    path = tmp_path / "new.txt"
    path.write_bytes(prompt)
    before = files(toy_root)
    result = run(command, "toy", path, "--profiles", toy_root)
    assert (result.exit_code, result.stderr) == (1, message.format(path=path) + "\n")
    assert files(toy_root) == before


def test_unknown_profile(toy_root: Path, run: Run) -> None:
    result = run("update", "nope", "-", "--profiles", toy_root, stdin=TOY_PROMPT)
    assert (result.exit_code, result.stderr) == (1, "nope: no such profile; there are: toy\n")


def test_lists_in_flow_style_become_block_lists(tmp_path: Path, run: Run) -> None:
    """They have no lines of their own to move; the rest of the file stays."""
    entries = TOY.split("modules:\n")[1].replace("\n  - ", ",\n").replace("  - ", "", 1)
    yaml = f"# kept\n{TOY.split('modules:')[0]}modules: [{entries}]\n"
    root = tmp_path / "profiles"
    write_profile(root, "toy", yaml, TOY_FILES)
    text = TOY_PROMPT.replace("Never guess its columns.", "Guess its columns.")
    result = run("update", "toy", "-", "--profiles", root, stdin=text.encode())
    assert result.exit_code == 0
    assert load_profile(root / "toy", len).text == text
    assert (root / "toy" / "profile.yaml").read_text("utf-8").startswith('# kept\nprofile: toy\nversion: "3"\n')

"""``join``: exact bytes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from litellm_prompt_router.files import bundled_profiles
from tests.cli.conftest import TOY_PROMPT, Run, write_profile

WORKBENCH = bundled_profiles() / "workbench"
ROOT = Path(__file__).parents[2]


def _joined_by_hand(folder: Path) -> bytes:
    declared = yaml.safe_load((folder / "profile.yaml").read_text("utf-8"))
    raw = b"".join((folder / module["file"]).read_bytes() for module in declared["modules"])
    for slot in declared.get("slots", ()):
        raw = raw.replace(b"{{" + slot["name"].encode() + b"}}", slot["sample"].encode())
    return raw


def test_workbench_is_its_files_with_slots_filled(run: Run) -> None:
    assert run("join", "workbench").stdout_bytes == _joined_by_hand(WORKBENCH)


def test_bytes_are_exact_through_a_pipe() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "litellm_prompt_router.cli", "join", "workbench"],
        cwd=ROOT,
        capture_output=True,
        timeout=60,
        check=True,
    )
    assert done.stdout == _joined_by_hand(WORKBENCH)


def test_output_file_gets_the_same_bytes(toy_root: Path, tmp_path: Path, run: Run) -> None:
    result = run("join", "toy", "--profiles", toy_root, "-o", tmp_path / "prompt.txt")
    assert (result.exit_code, result.output) == (0, "")
    assert (tmp_path / "prompt.txt").read_bytes() == TOY_PROMPT.encode()


@given(
    texts=st.lists(
        st.text(st.characters(exclude_categories=["Cs"]), min_size=1).filter(str.strip), min_size=1, max_size=4
    )
)
@settings(max_examples=40, deadline=None)
def test_join_is_the_concatenation_of_the_module_files(
    texts: list[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    from click.testing import CliRunner

    from litellm_prompt_router.cli import main

    root = tmp_path_factory.mktemp("join")
    modules = [{"id": f"m{n}", "file": f"{n}.txt", "title": "T"} for n in range(len(texts))]
    declared = {"profile": "any", "version": "1", "modules": modules}
    write_profile(root, "any", yaml.safe_dump(declared), {f"{n}.txt": text for n, text in enumerate(texts)})
    result = CliRunner().invoke(main, ["join", "any", "--profiles", str(root)])
    assert result.stdout_bytes == "".join(texts).encode()


def test_unknown_profile_names_those_there_are(toy_root: Path, run: Run) -> None:
    result = run("join", "../toy", "--profiles", toy_root)
    assert (result.exit_code, result.stderr) == (1, "../toy: no such profile; did you mean 'toy'?\n")


def test_unwritable_output(toy_root: Path, tmp_path: Path, run: Run) -> None:
    result = run("join", "toy", "--profiles", toy_root, "-o", tmp_path / "no" / "file")
    assert result.exit_code == 1
    assert result.stderr == (
        f"{tmp_path / 'no' / 'file'}: can't be written (No such file or directory); choose another file\n"
    )


def test_other_profiles_faults_do_not_matter(toy_root: Path, run: Run) -> None:
    write_profile(toy_root, "broken", "profile: broken\n", {})
    assert run("join", "toy", "--profiles", toy_root).stdout_bytes == TOY_PROMPT.encode()

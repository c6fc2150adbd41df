"""A profile's folder is changed whole or not at all, whoever changes it, and what else is in it stays."""

from __future__ import annotations

import errno
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import yaml

from litellm_prompt_router.authoring.drift import UpdatePlan, apply_update, files_of, plan_update
from litellm_prompt_router.authoring.examples import Harvest, Message, add_to_labelled, add_to_profile, save_harvest
from litellm_prompt_router.authoring.split import Draft, split_prompt, write_draft
from litellm_prompt_router.documents.errors import ConfigurationError
from litellm_prompt_router.files import bundled_profiles, load_profile
from litellm_prompt_router.files.profile_editor import ProfileEditor
from litellm_prompt_router.files.replace_files import replace_files
from litellm_prompt_router.profile.profile import Profile
from tests.written_fit import write_fitted

OWN = {
    "profile.yaml": b"""\
# ours
profile: toy
version: "1"
modules:
  - {id: core, file: core/head.txt, title: Core, always: true}
  - {id: tides, file: ./tides.txt, title: Tides, requires: [fees]}
  - {id: fees, file: fees.txt, title: Fees}
""",
    "core/head.txt": b"You are a harbour master.\nBe brief.\n\n",
    "tides.txt": b"# Tides\n\nQuote the tables of the day.\nNever guess a height of water.\n\n",
    "fees.txt": b"# Fees\n\nFees are by the metre, and by the night.\n",
    "REVIEW.md": b"# Review of toy\n",
}
OTHERS = {
    "labelled_fit.jsonl": b'{"text": "mine"}\r\n',
    "ab_cases.jsonl": b"",
    "REVIEW notes.md": b"ask Ada \xff",
    "router.old.json": b"{}",
    "notes/profile.yaml": b"not a profile",
    "core/draft.txt": b"not named in profile.yaml",
}
"""Files of somebody's beside the profile's own."""
PROMPT = "# Berths\n\nBerths are given out in the morning.\n\n# Flags\n\nFly the flag of the harbour.\n"
MESSAGES = [("fees", Message(text="what is a night in the café?", needs=("fees",)))]


@cache
def draft(name: str) -> Draft:
    return split_prompt([PROMPT], name=name, count_tokens=len)


@cache
def plan(text: str) -> UpdatePlan:
    prompt = text.replace(OWN["fees.txt"].decode(), PROMPT).replace("Be brief", "Be very brief")
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder, "toy"), OWN)
        profile = load_profile(Path(folder, "toy"), len)
        return plan_update(profile, prompt, file_of=files_of(Path(folder, "toy")), count_tokens=len)


@cache
def workbench() -> Profile:
    return load_profile(bundled_profiles() / "workbench", len)


def tune(folder: Path) -> None:
    editor = ProfileEditor(folder)
    editor.set_section("economics", {"choice": "full"})
    editor.save()


def update(folder: Path) -> None:
    """One module changes, one goes and one is new."""
    apply_update(plan(load_profile(folder, len).text), folder)


def split(root: Path, name: str, **options: bool) -> None:
    write_draft(draft(name), root, **options)


def fit(folder: Path) -> None:
    fitted = workbench().fitted
    assert fitted is not None
    write_fitted(folder, fitted, workbench().modules)


WRITERS: dict[str, Callable[[Path], object]] = {
    "simulate --tune": tune,
    "update": update,
    "split": lambda folder: split(folder.parent, "other"),
    "split --replace": lambda folder: split(folder.parent, "toy", replace=True),
    "fit": fit,
    "examples, profile": lambda folder: add_to_profile(folder, MESSAGES),
    "examples, labelled": lambda folder: add_to_labelled(folder / "labelled_fit.jsonl", MESSAGES),
    "examples, state": lambda folder: save_harvest(folder / "examples_state.json", Harvest()),
}


def write(folder: Path, files: dict[str, bytes]) -> None:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)


def found(root: Path) -> dict[str, tuple[int, bytes]]:
    """Every file and folder with its mode and content."""
    return {
        str(path.relative_to(root)): (path.stat().st_mode, path.read_bytes() if path.is_file() else b"")
        for path in root.rglob("*")
    }


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of profiles. What is tried out goes beside it."""
    (tmp_path / "tried").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tried"))
    write(tmp_path / "profiles" / "toy", OWN | OTHERS)
    (tmp_path / "profiles" / "toy" / "tides.txt").chmod(0o640)
    return tmp_path / "profiles"


@contextmanager
def failing(names: tuple[str, ...], at: int, *, lasts: bool) -> Iterator[list[str]]:
    """The calls of these functions of ``os``, of which the one of that number fails; and all after it, if it lasts."""
    calls: list[str] = []

    def watched(name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            calls.append(name)
            if len(calls) == at or (lasts and len(calls) > at):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return real(*arguments, **options)

        return call

    with ExitStack() as patched:
        for name in names:
            patched.enter_context(mock.patch.object(os, name, watched(name, getattr(os, name))))
        yield calls


@pytest.mark.parametrize("writer", WRITERS)
@pytest.mark.parametrize(
    ("names", "lasts"),
    [
        pytest.param(("rename", "replace"), False, id="a rename"),
        pytest.param(("rename", "replace"), True, id="every rename from there on"),
        pytest.param(("fsync", "mkdir", "chmod", "link"), False, id="what comes before"),
        pytest.param(("unlink", "rmdir"), False, id="a removal"),
    ],
)
def test_a_failure_at_any_moment_leaves_the_old_folder_or_the_new_one(
    writer: str, names: tuple[str, ...], lasts: bool, root: Path
) -> None:
    """With everything else that was there; what fails is told, and then nothing has changed."""
    kept, new = root.with_name("kept"), root.with_name("new")
    shutil.copytree(root, kept)
    shutil.copytree(root, new)
    WRITERS[writer](new / "toy")
    before, after = found(kept), found(new)
    assert before != after
    leftover = re.compile(r"(.*/)?\.[0-9a-f]{16}\.(old|new)")
    failures = at = 0
    while True:
        at += 1
        shutil.rmtree(root)
        shutil.copytree(kept, root)
        problem = None
        with failing(names, at, lasts=lasts) as calls:
            try:
                WRITERS[writer](root / "toy")
            except ConfigurationError as error:
                problem = str(error)
        now = found(root)
        if names[0] == "unlink":
            now = {name: value for name, value in now.items() if not leftover.fullmatch(name)}
        if problem is None and names[0] == "unlink":
            assert {name: value for name, value in now.items() if name in after} == after
        elif problem is None:
            assert now == after
        else:
            failures += 1
            assert re.fullmatch(r".*: can't be .* \(No space left on device\); nothing was changed", problem)
            assert now == before
        if len(calls) < at:
            break
    assert failures or names[0] == "unlink"


@pytest.mark.parametrize("writer", [name for name in WRITERS if name != "examples, labelled"])  # writes into one
def test_other_files_stay(writer: str, root: Path) -> None:
    (root / "toy" / "linked.txt").symlink_to("ab_cases.jsonl")
    WRITERS[writer](root / "toy")
    assert {name: (root / "toy" / name).read_bytes() for name in OTHERS} == OTHERS
    assert (root / "toy" / "linked.txt").is_symlink()


def test_a_replaced_profile_leaves_nothing_of_its_own(root: Path) -> None:
    """Neither its module files, nor folders that held nothing else, nor what was fitted for it."""
    folder = root / "toy"
    write(folder, {"router.json": b"{}", "router.npz": b"", "deep/er/more.txt": b"x"})
    declared = OWN["profile.yaml"] + b"  - {id: more, file: deep/er/more.txt, title: More}\n"
    (folder / "profile.yaml").write_bytes(declared)
    split(root, "toy", replace=True)
    modules = {module["file"] for module in yaml.safe_load((folder / "profile.yaml").read_bytes())["modules"]}
    files = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert files == modules | {"profile.yaml", "REVIEW.md"} | OTHERS.keys()
    assert not (folder / "deep").exists()


def test_what_lies_behind_a_linked_folder_is_not_the_profiles_own(root: Path) -> None:
    folder, outside = root / "toy", root.parent / "outside"
    outside.mkdir()
    (outside / "more.txt").write_text("x")
    (folder / "linked").symlink_to(outside, target_is_directory=True)
    declared = OWN["profile.yaml"] + b"  - {id: more, file: linked/more.txt, title: More}\n"
    (folder / "profile.yaml").write_bytes(declared)
    split(root, "toy", replace=True)
    assert (outside / "more.txt").read_text() == "x"


@pytest.mark.parametrize(
    "declared",
    [
        pytest.param(b"\xff", id="not UTF-8"),
        pytest.param(b"modules: [", id="not YAML"),
        pytest.param(b"modules: {file: ab_cases.jsonl}", id="no list"),
        pytest.param(b"modules: [3, {file: 4}, {file: ''}, {file: .}, {file: 'a\\0'}]", id="no files"),
        pytest.param(b"modules: [{file: ../beside.txt}, {file: /etc/hostname}]", id="outside"),
    ],
)
def test_a_broken_profile_can_be_replaced(declared: bytes, root: Path) -> None:
    """Of what it names nothing is removed that isn't a file in its folder."""
    write(root, {"toy/profile.yaml": declared, "beside.txt": b"mine"})
    split(root, "toy", replace=True)
    assert load_profile(root / "toy", len).text == PROMPT
    assert (root / "beside.txt").read_bytes() == b"mine"
    assert {name: (root / "toy" / name).read_bytes() for name in OTHERS} == OTHERS


def test_links_stay_and_files_keep_their_mode(root: Path) -> None:
    """What changes is the file that a link leads to, in whatever folder; a profile's folder may be a link, too."""
    folder, real = root / "toy", root.with_name("real.yaml")
    (folder / "profile.yaml").rename(real)
    (folder / "profile.yaml").symlink_to(real)
    real.chmod(0o604)
    (root.parent / "other").mkdir()
    (root.parent / "other" / "toy").symlink_to(folder)
    tune(root.parent / "other" / "toy")
    assert (folder / "profile.yaml").is_symlink()
    assert (root.parent / "other" / "toy").is_symlink()
    assert real.stat().st_mode & 0o777 == 0o604
    assert yaml.safe_load(real.read_bytes())["economics"] == {"choice": "full"}


def test_a_new_file_has_the_usual_mode(root: Path) -> None:
    WRITERS["examples, state"](root / "toy")
    assert (root / "toy" / "examples_state.json").stat().st_mode == (root / "toy" / "ab_cases.jsonl").stat().st_mode


@pytest.mark.parametrize(
    ("edit", "problem"),
    [
        pytest.param(
            lambda editor: editor.set_section("economics", {"choice": "never"}),
            "profiles/toy/profile.yaml: economics.choice: input should be 'exact', 'bundles', 'all', 'full' or"
            " 'untuned'",
            id="section",
        ),
        pytest.param(
            lambda editor: editor.remove("fees.txt"),
            "profiles/toy: modules[2].file: fees.txt: can't be read (No such file or directory)",
            id="file",
        ),
    ],
)
def test_edits_after_which_the_profile_would_not_load(
    edit: Callable[[ProfileEditor], None], problem: str, root: Path
) -> None:
    before = found(root)
    editor = ProfileEditor(root / "toy")
    edit(editor)
    with pytest.raises(ConfigurationError) as raised:
        editor.save()
    assert str(raised.value).startswith(problem)
    assert found(root) == before


def test_a_document_that_cannot_be_edited(root: Path) -> None:
    path = root / "toy" / "profile.yaml"
    path.write_text("{profile: x}")
    with pytest.raises(ConfigurationError) as raised:
        tune(root / "toy")
    assert raised.value.problems == (
        f"{path}: economics can't be written (not a block mapping); make the change by hand",
    )
    assert path.read_text() == "{profile: x}"


def test_what_cannot_be_put_back_is_kept_and_named(root: Path) -> None:
    """A disk that fails while the change is taken back, too."""
    changes: dict[Path, bytes | None] = {root / "toy" / name: b"new" for name in ("tides.txt", "fees.txt")}
    with (
        failing(("replace",), 2, lasts=True),
        mock.patch.object(shutil, "copyfile", side_effect=OSError(errno.EIO, "")),
        pytest.raises(ConfigurationError) as raised,
    ):
        replace_files(changes, root / "toy")
    [told] = raised.value.problems
    match = re.fullmatch(r".*\(No space left on device\); (.*)/tides\.txt is kept in (.*)", told)
    assert match is not None
    assert Path(match[2]).read_bytes() == OWN["tides.txt"]

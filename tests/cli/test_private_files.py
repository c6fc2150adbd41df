"""Files that hold captured messages are their owner's alone."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from litellm_prompt_router.files.replace_files import replace_files
from tests.cli.conftest import Run
from tests.onboarding.shop_traffic import PROMPT, traffic, write


@pytest.fixture(autouse=True)
def usual_mask() -> Iterator[None]:
    before = os.umask(0o022)
    yield
    os.umask(before)


def mode(path: str | Path) -> int:
    return Path(path).stat().st_mode & 0o777


def test_what_onboard_writes(tmp_path: Path, run: Run) -> None:
    """The page, the kept steps and the REVIEW.md; also where another mode was there before. The page says so."""
    page = write(Path("onboard-shop.html"), "older")
    page.chmod(0o644)
    assert run("onboard", write(tmp_path / "shop.jsonl", traffic())).exit_code == 0
    told = "This page quotes messages of your own traffic: only you may read the file"
    text = page.read_text("utf-8")
    assert text.index("<h1>") < text.index(told) < text.index("<h2>")
    assert "captured messages of users" in Path("modules/shop/REVIEW.md").read_text("utf-8")
    for name in (page, "modules/.onboard/shop.json", "modules/shop/REVIEW.md"):
        assert mode(name) == 0o600
    for name in ("modules/shop/profile.yaml", "modules/.onboard/.gitignore"):
        assert mode(name) == 0o644


def test_what_learn_and_split_write(tmp_path: Path, run: Run) -> None:
    """A sheet that quotes the prompt alone isn't private."""
    assert run("learn", write(tmp_path / "shop.jsonl", traffic()), "--name", "shop").exit_code == 0
    assert run("split", write(tmp_path / "shop.txt", PROMPT), "--name", "plain").exit_code == 0
    assert (mode("modules/shop/REVIEW.md"), mode("modules/plain/REVIEW.md")) == (0o600, 0o644)


def test_what_label_writes(tmp_path: Path, run: Run) -> None:
    """From the first answer on, and after a second thought."""
    path = write(tmp_path / "shop.jsonl", traffic())
    assert run("learn", path, "--name", "shop").exit_code == 0
    assert run("label", path, "--profile", "shop", stdin="n\nq\n").exit_code == 0
    assert mode("shop-labelled.jsonl") == 0o600
    assert run("label", path, "--profile", "shop", stdin="n\nb\n\nq\n").exit_code == 0
    assert mode("shop-labelled.jsonl") == 0o600


def test_a_private_file_never_was_anything_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not while it is written, either."""
    seen: list[int] = []
    monkeypatch.setattr(os, "fsync", lambda file: seen.append(os.fstat(file).st_mode & 0o777))
    path = tmp_path / "page"
    replace_files({path: b"text"}, path, private=(path,))
    assert (seen, mode(path)) == ([0o600], 0o600)

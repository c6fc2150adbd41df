"""An empty folder, an environment of the test's own, and a small set of profiles."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest import mock

import pytest
from click.testing import CliRunner, Result

from litellm_prompt_router.cli import main

Run = Callable[..., Result]

TOY = """\
profile: toy
version: "2"
slots:
  - {name: date, pattern: '\\d{4}-\\d{2}-\\d{2}', sample: "2026-01-31", volatile: true}
modules:
  - {id: core, file: core.txt, title: Core, always: true}
  - {id: tools/csv, file: csv.txt, title: CSV, triggers: [csv, "spreadsheet*"], tools: [load_csv],
     optional: true,
     requires: [tools/files], examples: [sum up a csv, read the spreadsheet, csv to json, split this csv, csv please]}
  - {id: tools/files, file: files.txt, title: Files, optional: true}
  - {id: tools/web, file: web.txt, title: Web, optional: true, triggers: [web],
     examples: [look it up on the web, who won]}
  - {id: tools/orphan, file: orphan.txt, title: Orphan, optional: true, examples: [a, b, c, d, e]}
"""
TOY_FILES = {
    "core.txt": "You are a careful helper with tools.\nToday is {{date}}.\n\n",
    "csv.txt": "# CSV tables\nLoad a table with load_csv before you answer.\r\nNever guess its columns.\n\n",
    "files.txt": "# Files\nFiles live in the workspace folder, and nowhere else.\n\n",
    "web.txt": "# Web\nSearch before you answer, and name the pages you read.\n\n",
    "orphan.txt": "# Orphan\nNothing ever asks for this section.",
}
TOY_PROMPT = "".join(TOY_FILES.values()).replace("{{date}}", "2026-01-31")


def write_profile(root: Path, name: str, yaml: str, files: dict[str, str]) -> Path:
    """The folder of a new profile under ``root``."""
    folder = root / name
    folder.mkdir(parents=True)
    (folder / "profile.yaml").write_text(yaml, "utf-8")
    for file, text in files.items():
        (folder / file).write_bytes(text.encode())
    return folder


@pytest.fixture(autouse=True)
def _own_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Commands may set variables of this process; none of the caller's reach them."""
    folder = tmp_path / "cwd"
    folder.mkdir()
    monkeypatch.chdir(folder)
    theirs = ("PROMPT_ROUTER_", "LITELLM_MASTER_KEY", "GLITCHTIP_DSN", "SENTRY_DSN", "FORCE_COLOR", "COLUMNS")
    with mock.patch.dict(os.environ):
        for name in list(os.environ):
            if name.startswith(theirs):
                del os.environ[name]
        yield


@pytest.fixture
def toy_root(tmp_path: Path) -> Path:
    """A folder with the profile ``toy``."""
    write_profile(tmp_path / "profiles", "toy", TOY, TOY_FILES)
    return tmp_path / "profiles"


@pytest.fixture
def run() -> Run:
    """Calls ``prompt-router`` with these arguments, in this process."""

    def call(*arguments: str | Path, stdin: str | bytes | None = None) -> Result:
        result = CliRunner().invoke(main, [str(argument) for argument in arguments], input=stdin)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return call

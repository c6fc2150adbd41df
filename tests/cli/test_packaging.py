"""The wheel's contents, and the parts of the package that are installed by name."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from zipfile import ZipFile

import pytest

from litellm_prompt_router.documents.bundled import CHECKOUT, install_command
from tests.cli.conftest import Run

PACKAGE = "litellm_prompt_router"
PROJECT = tomllib.loads((CHECKOUT / "pyproject.toml").read_text("utf-8"))["project"]

OURS, OWN = Path("modules/workbench"), Path("modules/my-agent")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> frozenset[str]:
    """The names in a wheel that is built from this tree, with a profile of its owner's in it."""
    folder, tree = tmp_path_factory.mktemp("wheel"), tmp_path_factory.mktemp("tree")
    for name in ("pyproject.toml", "README.md", "LICENSE", "proxy_config.yaml", ".gitignore"):
        shutil.copy(CHECKOUT / name, tree)
    shutil.copytree(CHECKOUT / "hooks", tree / "hooks", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(CHECKOUT / OURS, tree / OURS)
    (tree / OWN).mkdir()
    (tree / OWN / "profile.yaml").write_text("profile: my-agent\n")
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    built = subprocess.run(command, cwd=tree, capture_output=True, text=True, check=False, env=dict(os.environ))
    assert built.returncode == 0, built.stderr
    [file] = folder.glob("*.whl")
    with ZipFile(file) as archive:
        return frozenset(archive.namelist())


def test_the_wheel_puts_one_package_into_site_packages(wheel: frozenset[str]) -> None:
    """No ``hooks``: many who run LiteLLM have a folder of that name beside their configuration."""
    tops = {name.partition("/")[0] for name in wheel}
    assert tops == {PACKAGE, f"{PACKAGE}-{PROJECT['version']}.dist-info"}


def test_ones_own_profiles_stay_at_home(wheel: frozenset[str]) -> None:
    """Neither git nor a wheel takes up what `onboard` writes into a checkout; both take the bundled profile."""
    assert {name.split("/")[2] for name in wheel if name.startswith(f"{PACKAGE}/bundled_profiles/")} == {OURS.name}
    rules = [line for line in (CHECKOUT / ".gitignore").read_text("utf-8").splitlines() if "modules" in line]
    assert rules[:1] == ["/modules/*"]
    assert f"!/{OURS}/" in rules


def test_the_wheel_has_what_the_code_reads(wheel: frozenset[str]) -> None:
    """All code, the bundled configuration, and every file of the bundled profiles."""
    profile = f"{PACKAGE}/bundled_profiles/{OURS.name}"
    assert f"{PACKAGE}/bundled_config/proxy_config.yaml" in wheel
    assert f"{PACKAGE}/analysis/report/page.html.j2" in wheel
    for source, place in ((CHECKOUT / OURS, profile), (CHECKOUT / "hooks" / PACKAGE, PACKAGE)):
        files = {file for file in source.rglob("*") if file.is_file() and "__pycache__" not in file.parts}
        assert {f"{place}/{file.relative_to(source)}" for file in files} <= wheel


def test_a_proxy_installs_nothing_of_the_reports() -> None:
    """What only ``report`` needs is large: vl-convert 84 MB, and polars 182 MB, which LiteLLM's proxy brings too."""
    extras = PROJECT["optional-dependencies"]
    name_of = re.compile(r"[\w-]+")
    names = {extra: {name_of.match(line)[0] for line in lines} for extra, lines in extras.items()}  # type: ignore[index]
    required = {name_of.match(line)[0] for line in PROJECT["dependencies"]}  # type: ignore[index]
    assert names["report"] == {"polars", "vl-convert-python", "jinja2"}
    assert not required & names["report"]
    assert "report" in next(line for line in extras["dev"] if line.startswith("litellm-prompt-router["))


@pytest.mark.parametrize(
    ("command", "library", "needs"),
    [
        ("report x.jsonl", "polars", "report: needs polars"),
        ("report x.jsonl --html x.html", "vl_convert", "report: needs vl_convert"),
        ("ledger compact x.jsonl -o x.parquet", "polars", "ledger compact: needs polars"),
    ],
)
def test_a_missing_extra_is_named(
    command: str, library: str, needs: str, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A line, exit code 1, and nothing written."""
    Path("x.jsonl").write_text("{}\n")
    monkeypatch.setitem(sys.modules, library, None)
    result = run(*command.split())
    said = f"{needs}; install the extra: {install_command('report')}\n"
    assert (result.exit_code, result.stdout, result.stderr) == (1, "", said)
    assert [file.name for file in Path().iterdir()] == ["x.jsonl"]


def test_without_the_extra_the_other_commands_work() -> None:
    """Help of every command, by an interpreter that has none of its libraries."""
    code = (
        "import sys\n"
        "sys.modules.update(dict.fromkeys(('polars', 'vl_convert', 'jinja2')))\n"
        "from click.testing import CliRunner\n"
        "from litellm_prompt_router.cli import COMMANDS, main\n"
        "print([name for name in COMMANDS if CliRunner().invoke(main, [name, '--help']).exit_code != 0])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"

"""What all commands share: help, version, usage errors, and how mistakes are told."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from litellm_prompt_router.cli import COMMANDS
from tests.cli.conftest import TOY, Run, write_profile

ROOT = Path(__file__).parents[2]


def _process(*arguments: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments], cwd=cwd, capture_output=True, text=True, timeout=60, check=False
    )


def test_version_is_that_of_the_distribution() -> None:
    stated = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    done = _process("-m", "litellm_prompt_router.cli", "--version")
    assert (done.returncode, done.stdout) == (0, f"prompt-router {stated}\n")


def test_help_lists_every_command() -> None:
    done = _process("-m", "litellm_prompt_router.cli", "--help")
    assert done.returncode == 0
    listed = done.stdout.partition("Commands:\n")[2]
    assert [line.split()[0] for line in listed.splitlines() if line[2:3].strip()] == list(COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_explains_itself(command: str, run: Run) -> None:
    result = run(command, "--help")
    assert result.exit_code == 0
    assert result.output.startswith(f"Usage: main {command} ")


def test_help_imports_no_command_and_nothing_heavy() -> None:
    """What it lists is a table in ``cli``: of ours it needs three files, of others Click."""
    code = (
        "import sys, litellm_prompt_router.cli as cli\n"
        "cli.main(['--help'], standalone_mode=False)\n"
        "print(*sorted(sys.modules))"
    )
    loaded = set(_process("-c", code).stdout.splitlines()[-1].split())
    assert {name for name in loaded if name.startswith("litellm_prompt_router.")} == {
        *("litellm_prompt_router.cli", "litellm_prompt_router.documents"),
        *("litellm_prompt_router.documents.bundled", "litellm_prompt_router.documents.errors"),
    }
    heavy = {"litellm", "tiktoken", "pydantic", "httpx", "numpy", "rich", "ruamel", "yaml", "polars", "asyncio"}
    assert loaded & heavy == set()


def test_unknown_command_is_a_usage_error(run: Run) -> None:
    result = run("frobnicate")
    assert (result.exit_code, result.stderr.splitlines()[-1]) == (2, "Error: No such command 'frobnicate'.")


@pytest.mark.parametrize(
    ("arguments", "wrong"),
    [
        (("evalute",), "No such command 'evalute'. Did you mean 'evaluate'?"),
        (("reports", "x"), "No such command 'reports'. Did you mean 'report'?"),
        (("policy", "shwo"), "No such command 'shwo'. Did you mean 'show'?"),
        (("route", "--profils", "x"), "No such option '--profils'. (Did you mean one of: '--profile', '--profiles'?)"),
    ],
    ids=["command", "other number", "of a group", "option"],
)
def test_nearest_name_is_suggested(arguments: tuple[str, ...], wrong: str, run: Run) -> None:
    result = run(*arguments)
    assert (result.exit_code, result.stderr.splitlines()[-1]) == (2, f"Error: {wrong}")


def test_nearest_profile_is_suggested(toy_root: Path, run: Run) -> None:
    result = run("join", "tox", "--profiles", toy_root)
    assert (result.exit_code, result.stderr) == (1, "tox: no such profile; did you mean 'toy'?\n")
    result = run("route", "hi", "--profile", "other", "--profiles", toy_root)
    assert (result.exit_code, result.stderr) == (1, "other: no such profile; there are: toy\n")


@pytest.mark.parametrize(
    "arguments",
    [("check",), ("route", "hi"), ("join", "toy"), ("evaluate", "--profile", "toy"), ("rewrite", "-")],
    ids=lambda arguments: arguments[0],
)
def test_every_problem_is_a_line_and_no_traceback(arguments: tuple[str, ...], tmp_path: Path, run: Run) -> None:
    bad = TOY.replace("requires: [tools/files]", "requires: [tools/nope]").replace(
        "triggers: [web]", 'triggers: ["we+b"]'
    )
    write_profile(tmp_path / "bad", "toy", bad, {"core.txt": "Some text {{date}}.", "csv.txt": "More text."})
    result = run(*arguments, "--profiles", tmp_path / "bad", stdin="{}")
    assert result.exit_code == 1
    assert result.stderr.splitlines() == [
        "bad/toy: modules[1].requires[0]: unknown module 'tools/nope'",
        "bad/toy: modules[3].triggers[0]: a trigger is words, not a regular expression; write one trigger for each"
        " wording",
        *(
            f"bad/toy: modules[{n}].file: {name}: can't be read (No such file or directory); create it or fix the path"
            for n, name in ((2, "files.txt"), (3, "web.txt"), (4, "orphan.txt"))
        ),
    ]


@pytest.mark.parametrize("command", ["check", "route", "rewrite", "evaluate"])
def test_missing_profiles_folder(command: str, tmp_path: Path, run: Run) -> None:
    arguments = {"route": ["hi"], "rewrite": ["-"]}.get(command, [])
    result = run(command, *arguments, "--profiles", tmp_path / "none", stdin="{}")
    wanted = f"{tmp_path / 'none'}: no such folder; set `profiles` to the folder that holds the profiles\n"
    assert (result.exit_code, result.stderr) == (1, wanted)


def test_profiles_folder_comes_from_the_environment(toy_root: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROMPT_ROUTER_PROFILES", str(toy_root))
    assert run("check").stdout.startswith("toy 2 (digest ")


def test_bad_settings_in_the_environment(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROMPT_ROUTER_COVERAGE_FLOOR", "2")
    result = run("check")
    assert result.exit_code == 1
    assert result.stderr == ("PROMPT_ROUTER_COVERAGE_FLOOR (coverage_floor): input should be less than or equal to 1\n")

"""Which profiles a command reads and writes where nobody says which, and how it says so."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from litellm_prompt_router.files import bundled_profiles
from litellm_prompt_router.policy.loader import Loader
from litellm_prompt_router.policy.settings import load_settings
from tests.cli.conftest import TOY, TOY_FILES, TOY_PROMPT, Run, write_profile

MODULES = Path("modules")
BUNDLED_NOTE = f"profiles: the bundled ones, {bundled_profiles()}\n"


@pytest.fixture
def own() -> Path:
    """``./modules`` with the profile ``toy``."""
    write_profile(MODULES, "toy", TOY, TOY_FILES)
    return MODULES


# Commands


def test_own_profiles_come_before_the_bundled_ones(own: Path, run: Run) -> None:
    result = run("check")
    assert result.stdout.startswith("toy 2 (digest ")
    assert result.stderr == "profiles: modules\n"


@pytest.mark.parametrize("content", [None, "variables.tf"], ids=["no folder", "another kind of modules"])
def test_without_own_profiles_the_bundled_ones_are_read(content: str | None, run: Run) -> None:
    if content is not None:
        (MODULES / "network").mkdir(parents=True)
        (MODULES / "network" / content).touch()
    result = run("route", "hello there")
    assert (result.exit_code, result.stderr) == (0, BUNDLED_NOTE)


def test_the_environment_comes_before_own_profiles(
    own: Path, toy_root: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROMPT_ROUTER_PROFILES", str(toy_root))
    assert run("check").stderr == f"profiles: {toy_root}\n"


@pytest.mark.parametrize("arguments", [("--json",), ("--profiles", "modules")], ids=["JSON", "stated"])
def test_nothing_is_said_beside_json_and_of_what_was_stated(arguments: tuple[str, ...], own: Path, run: Run) -> None:
    assert run("check", *arguments).stderr == ""


@pytest.mark.parametrize("command", ["split", "learn"])
def test_new_profiles_go_to_own_ones_with_the_setting_to_add(command: str, run: Run) -> None:
    """Into ./modules, made if need be; the setting is one that the proxy takes."""
    prompt = TOY_PROMPT * 20
    body = {"model": "m", "messages": [{"role": "system", "content": prompt}, {"role": "user", "content": "Hi"}]}
    call = {"ts": 1.0, "key": "a", "conversation": "c", "endpoint": "acompletion", "request": body}
    source = Path("source")
    source.write_bytes(prompt.encode() if command == "split" else json.dumps(call).encode())
    result = run(command, source, "--name", "mine")
    assert result.exit_code == 0, result.output
    assert (MODULES / "mine" / "profile.yaml").is_file()
    assert "profiles:" not in result.stderr
    told, setting = result.stdout.splitlines()[-2:]
    assert told == "A proxy that runs in this folder reads them from modules; for another add to its configuration:"
    section = yaml.safe_load(setting)["callback_settings"]["prompt_router"]
    assert load_settings(section, {}).profiles == MODULES.absolute()


# The proxy


def profiles_at_start(config: Path | None) -> tuple[Path | None, set[str]]:
    configuration = Loader({"ledger": {"path": None}}, {}, config).load_at_start()
    return configuration.profiles_path, set(configuration.profile_names)


def test_the_proxy_reads_modules_of_its_working_directory(own: Path, tmp_path: Path) -> None:
    """Before those beside its configuration."""
    write_profile(tmp_path / "etc" / "modules", "other", TOY.replace("profile: toy", "profile: other"), TOY_FILES)
    assert profiles_at_start(tmp_path / "etc" / "config.yaml") == (MODULES.absolute(), {"toy"})
    assert profiles_at_start(None) == (MODULES.absolute(), {"toy"})


def test_the_proxy_reads_modules_beside_its_configuration(tmp_path: Path) -> None:
    write_profile(tmp_path / "etc" / "modules", "toy", TOY, TOY_FILES)
    assert profiles_at_start(tmp_path / "etc" / "config.yaml") == (tmp_path / "etc" / "modules", {"toy"})


def test_a_running_proxy_takes_over_modules_that_are_made_later_and_keeps_them() -> None:
    """No restart after `learn`; and while the folder is empty for a moment, nothing changes."""
    loader = Loader({"ledger": {"path": None}}, {}, None)
    assert loader.load_at_start().profiles_path == bundled_profiles()
    before = loader.fingerprint(with_profiles=True)
    folder = write_profile(MODULES, "toy", TOY, TOY_FILES)
    assert loader.fingerprint(with_profiles=True) != before
    taken = loader.reload().configuration
    assert taken is not None
    assert (taken.profiles_path, set(taken.profile_names)) == (MODULES.absolute(), {"toy"})
    folder.rename("away")
    result = loader.reload()
    assert result.configuration is None
    assert [problem.split(": ")[1].split(";")[0] for problem in result.problems] == ["holds no profile"]


def test_doctor_says_where_profiles_are_read_from(own: Path, run: Run) -> None:
    Path("proxy_config.yaml").write_text(
        "model_list: []\nlitellm_settings: {callbacks: [litellm_prompt_router.callback.handler]}\n"
    )
    [line] = [line for line in run("doctor").stdout.splitlines() if " profiles " in line]
    assert line.endswith(f"read from {MODULES.absolute()}")

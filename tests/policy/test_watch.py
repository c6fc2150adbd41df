"""What changes on disk is in force after a few polls, whichever way it changes; what is broken changes nothing."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from litellm_prompt_router.documents.errors import ConfigurationError
from litellm_prompt_router.files import load_profiles
from litellm_prompt_router.policy.active import ActiveConfiguration
from litellm_prompt_router.policy.loader import Loader
from litellm_prompt_router.policy.watch import NEEDS_RESTART, NOT_RELOADED, Watcher

ON = 'rules:\n  - keys: [alpha]\n    mode: "rewrite"\n'
OFF = 'rules:\n  - keys: [alpha]\n    mode: "off"\n'
PROFILE = """profile: workbench
version: "1"
modules:
  - {id: core, file: core.txt, title: Core, always: true}
  - {id: tides, file: tides.txt, title: Tides, triggers: [tide]}
"""
POLLS = 6
"""Within the two seconds that are promised."""


class Watched:
    """A folder with configuration, policy and profiles, and a watcher that is polled by hand."""

    def __init__(self, folder: Path, policy: str | None = ON, **settings: Any) -> None:
        self.folder = folder
        self.policy = folder / "policy.yaml"
        if policy is not None:
            self.policy.write_text(policy)
        small = folder / "profiles" / "workbench"
        small.mkdir(parents=True)
        (small / "profile.yaml").write_text(PROFILE)
        (small / "core.txt").write_text("You are the harbour master's clerk.\n")
        (small / "tides.txt").write_text("Tides come twice a day.\n")
        self.section = {"profiles": str(folder / "profiles"), **settings}
        self.config = folder / "proxy_config.yaml"
        self.configure(self.section)
        self.published: list[ActiveConfiguration] = []
        self.told: list[tuple[str, Sequence[str], str]] = []
        self.faults: list[BaseException] = []
        self.now = 0.0

    def configure(self, section: dict[str, Any]) -> None:
        self.config.write_text(yaml.safe_dump({"callback_settings": {"prompt_router": section}}))

    def start(self) -> Watched:
        self.loader = Loader(self.section, {}, self.config)
        self.in_force = self.loader.load_at_start()
        self.watcher = Watcher(
            self.loader,
            self.publish,
            lambda title, lines, once: self.told.append((title, lines, once)),
            lambda error, _: self.faults.append(error),
        )
        return self

    def publish(self, configuration: ActiveConfiguration) -> None:
        self.in_force = configuration
        self.published.append(configuration)

    def poll(self, times: int = POLLS) -> None:
        for _ in range(times):
            self.now += 0.25
            self.watcher.poll(self.now)
        assert self.faults == []

    @property
    def mode(self) -> str | None:
        return self.in_force.policy.rules[0].entry.mode if self.in_force.policy.rules else None


@pytest.fixture
def watched(tmp_path: Path) -> Watched:
    return Watched(tmp_path).start()


def in_place(path: Path, text: str) -> None:
    path.write_text(text)


def renamed_over(path: Path, text: str) -> None:
    new = path.with_name("new")
    new.write_text(text)
    new.replace(path)


def deleted_and_written(path: Path, text: str) -> None:
    path.unlink()
    path.write_text(text)


def with_the_old_dates(path: Path, text: str) -> None:
    """As some tools that copy do it: same size, same dates."""
    before = path.stat()
    path.write_text(text)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


@pytest.mark.parametrize("write", [in_place, renamed_over, deleted_and_written, with_the_old_dates])
def test_a_changed_policy_is_taken_over(watched: Watched, write: Callable[[Path, str], None]) -> None:
    write(watched.policy, OFF.ljust(len(ON)))
    watched.poll()
    assert watched.mode == "off"
    assert (len(watched.published), watched.told) == (1, [])


def test_a_config_map_is_swapped_by_its_link(tmp_path: Path) -> None:
    """As the kubelet does it: ``policy.yaml -> ..data/policy.yaml``, and ``..data`` renamed over."""
    watched = Watched(tmp_path, policy=None)
    for name, text in (("..1", ON), ("..2", OFF)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "policy.yaml").write_text(text)
    (tmp_path / "..data").symlink_to("..1")
    watched.policy.symlink_to(Path("..data") / "policy.yaml")
    watched.start()
    assert watched.mode == "rewrite"
    (tmp_path / "..data_tmp").symlink_to("..2")
    (tmp_path / "..data_tmp").replace(tmp_path / "..data")
    shutil.rmtree(tmp_path / "..1")
    watched.poll()
    assert watched.mode == "off"


def test_nothing_changes_while_nothing_changes(watched: Watched) -> None:
    in_force = watched.in_force
    watched.policy.touch()
    watched.config.touch()
    watched.poll(12)
    assert watched.published == []
    assert watched.in_force is in_force


@pytest.mark.parametrize(
    "broken",
    ["rules: [", "rule: []", "\x00", "rules:\n  - key: [a]\n", "a: &a [1]\nb: *a", "x" * 300_000],
    ids=["no YAML", "misspelt", "NUL", "singular", "alias", "too large"],
)
def test_a_broken_policy_changes_nothing_and_is_told_once(watched: Watched, broken: str) -> None:
    in_force = watched.in_force
    watched.policy.write_text(broken)
    watched.poll(20)
    assert watched.in_force is in_force
    [(title, lines, _)] = watched.told
    assert title == NOT_RELOADED
    assert all("policy.yaml" in line for line in lines[:-1])
    assert watched.watcher.problems
    watched.policy.write_text(OFF)
    watched.poll()
    assert watched.mode == "off"
    assert watched.watcher.problems == ()
    watched.policy.write_text(broken)
    watched.poll(20)
    assert len(watched.told) == 2, "broken once more"
    assert watched.told[0][2] != watched.told[1][2]


@pytest.mark.parametrize("kind", ["file", "folder", "pipe", "link to nowhere"])
def test_a_policy_that_goes_away_stays_in_force(watched: Watched, kind: str) -> None:
    """Nobody is switched on because a volume was unmounted."""
    watched.policy.write_text(OFF)
    watched.poll()
    watched.policy.unlink()
    if kind == "folder":
        watched.policy.mkdir()
    elif kind == "pipe":
        os.mkfifo(watched.policy)
    elif kind == "link to nowhere":
        watched.policy.symlink_to("nowhere")
    watched.poll(12)
    assert watched.mode == "off"
    assert len(watched.told) == 1


def test_a_policy_that_is_made_later_is_found(tmp_path: Path) -> None:
    watched = Watched(tmp_path, policy=None).start()
    assert watched.in_force.stopped_by is None
    watched.policy.write_text("stop: true\n")
    watched.poll()
    assert watched.in_force.stopped_by == "kill switch"


def test_the_switch_works_while_everything_else_is_broken(watched: Watched) -> None:
    """Policy, settings and profiles: none of them keeps a stop from being heard."""
    watched.configure({"mod": "off"})
    (watched.folder / "profiles" / "workbench" / "profile.yaml").write_text("nonsense: [")
    watched.policy.write_text("stop: true\nrule: [1]\n")
    watched.poll(12)
    assert watched.in_force.stopped_by == "kill switch"
    assert watched.mode == "rewrite"
    assert len(watched.told) == 1
    text = "\n".join(watched.told[0][1])
    for part in ("policy.yaml: rule: ", "prompt_router: mod: ", "workbench/profile.yaml: not valid YAML"):
        assert part in text


def test_settings_are_taken_over_and_what_cant_be_is_told(watched: Watched) -> None:
    pipeline = watched.in_force.pipeline
    watched.configure({**watched.section, "mode": "shadow", "ledger": {"path": "elsewhere.jsonl"}})
    watched.poll()
    assert watched.in_force.settings.mode == "shadow"
    assert watched.in_force.pipeline is pipeline
    assert [(title, lines[0]) for title, lines, _ in watched.told] == [
        (NEEDS_RESTART, "callback_settings.prompt_router: ledger: takes effect when the proxy restarts")
    ]
    watched.configure({**watched.section, "coverage_floor": 0.9})
    watched.poll()
    assert watched.in_force.pipeline is not pipeline


def test_settings_that_come_from_elsewhere_are_not_overruled_by_the_file(tmp_path: Path) -> None:
    watched = Watched(tmp_path)
    watched.section = {**watched.section, "mode": "shadow"}
    watched.start()
    watched.configure({"mode": "rewrite"})
    watched.poll()
    assert watched.in_force.settings.mode == "shadow"


def test_a_changed_profile_is_taken_over(watched: Watched) -> None:
    before = watched.in_force.pipeline.profiles["workbench"]
    path = watched.folder / "profiles" / "workbench" / "profile.yaml"
    path.write_text(path.read_text().replace('"1"', '"next"', 1))
    watched.poll()
    after = watched.in_force.pipeline.profiles["workbench"]
    assert (after.version, after.digest != before.digest) == ("next", True)


def test_a_profile_swapped_while_it_is_read_is_read_again(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half of each folder is never in force, and no error is told for it."""
    real, path = load_profiles, watched.folder / "profiles" / "workbench" / "profile.yaml"
    text = path.read_text()
    calls: list[int] = []

    def swapped(root: Path, count: Callable[[str], int]) -> Any:
        calls.append(1)
        found = real(root, count)
        if len(calls) == 1:
            path.write_text(text.replace('"1"', '"final"', 1))
        return found

    monkeypatch.setattr("litellm_prompt_router.policy.loader.load_profiles", swapped)
    path.write_text(text.replace('"1"', '"half"', 1))
    watched.poll(12)
    assert [g.pipeline.profiles["workbench"].version for g in watched.published] == ["final"]
    assert watched.told == []


def test_a_missing_profile_keeps_the_last_one(watched: Watched) -> None:
    before = watched.in_force.pipeline
    shutil.rmtree(watched.folder / "profiles")
    watched.poll(12)
    assert watched.in_force.pipeline is before
    [(title, _, _)] = watched.told
    assert title == NOT_RELOADED


def test_a_policy_that_names_a_profile_too_many_is_told(watched: Watched) -> None:
    watched.policy.write_text("rules: [{keys: [a], profile: workbensh}]")
    watched.poll()
    assert "unknown profile 'workbensh'; did you mean 'workbench'?" in watched.told[0][1][0]
    assert watched.mode == "rewrite"


@pytest.mark.parametrize("wrong", [{"policy": "missing.yaml"}, {"mode": "on"}, {"profile": "nobody"}])
def test_at_start_everything_has_to_be_in_order(tmp_path: Path, wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        Watched(tmp_path, **wrong).start()


def test_all_problems_are_told_at_start(tmp_path: Path) -> None:
    watched = Watched(tmp_path, policy="rule: []", profile="nobody")
    with pytest.raises(ConfigurationError) as caught:
        watched.start()
    assert len(caught.value.problems) == 2


def test_the_environment_stops_for_good(tmp_path: Path) -> None:
    watched = Watched(tmp_path)
    loader = Loader(watched.section, {"PROMPT_ROUTER_DISABLED": "1"}, watched.config)
    assert loader.load_at_start().stopped_by == "PROMPT_ROUTER_DISABLED"
    watched.policy.write_text("stop: false\n")
    loaded = loader.reload().configuration
    assert loaded is not None
    assert loaded.stopped_by == "PROMPT_ROUTER_DISABLED"

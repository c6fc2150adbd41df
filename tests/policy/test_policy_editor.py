"""Commands change the policy file and nothing else in it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from litellm_prompt_router.documents.errors import ConfigurationError
from litellm_prompt_router.policy import parse_policy
from litellm_prompt_router.policy.policy_editor import set_rule, set_stop

FILE = """# Ours. Ask before you change it.
stop: false   # the switch

rules:
  # the pilot
  - name: pilot      # with a name
    keys: [alpha, "team-*"]
    mode: rewrite
    percent: 10

  # second
  - teams: [docks]
    mode: "off"
# for everyone else
defaults:
  mode: shadow
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "policy.yaml"
    path.write_text(FILE)
    return path


def test_stop_changes_one_word(path: Path) -> None:
    assert set_stop(path, True)
    assert path.read_text() == FILE.replace("stop: false   #", "stop: true    #")
    assert not set_stop(path, True)
    assert set_stop(path, False)
    assert parse_policy(path.read_text(), "p", None).stop is False


def test_a_new_rule_comes_first_and_every_line_stays(path: Path) -> None:
    assert set_rule(path, "keys", "beta", mode="rewrite", percent=10)
    text = path.read_text()
    assert [line for line in text.splitlines() if line not in FILE.splitlines()] == ["  - keys: [beta]"]
    policy = parse_policy(text, "p", None)
    assert [rule.entry.keys for rule in policy.rules] == [("beta",), ("alpha", "team-*"), None]


def test_the_rule_for_the_name_alone_is_changed_in_place(path: Path) -> None:
    assert set_rule(path, "teams", "docks", mode="rewrite", percent=12.5)
    expected = FILE.replace('docks]\n    mode: "off"', 'docks]\n    percent: 12.5\n    mode: "rewrite"')
    assert path.read_text() == expected
    assert not set_rule(path, "teams", "docks", mode="rewrite", percent=12.5)
    assert set_rule(path, "teams", "docks", mode="rewrite", percent=12.5, router_model=True)
    assert not set_rule(path, "teams", "docks", mode="rewrite", percent=12.5), "what isn't stated stays"
    assert "router_model: true" in path.read_text()


@pytest.mark.parametrize("raw", ["", "# a word\n", "{}\n", None], ids=["empty", "a comment", "braces", "missing"])
def test_it_starts_from_nothing(path: Path, raw: str | None) -> None:
    if raw is None:
        path.unlink()
    else:
        path.write_text(raw)
    assert set_stop(path, True)
    assert set_rule(path, "keys", "beta", mode="off")
    policy = parse_policy(path.read_text(), "p", None)
    assert (policy.stop, policy.rules[0].entry.keys, policy.rules[0].entry.mode) == (True, ("beta",), "off")
    assert (raw or "").strip("{}\n") in path.read_text()


def test_links_and_permissions_stay(path: Path, tmp_path: Path) -> None:
    path.chmod(0o640)
    link = tmp_path / "link.yaml"
    link.symlink_to(path)
    set_stop(link, True)
    assert link.is_symlink()
    assert path.stat().st_mode & 0o777 == 0o640
    assert parse_policy(path.read_text(), "p", None).stop
    assert sorted(file.name for file in tmp_path.iterdir()) == ["link.yaml", "policy.yaml"]


def test_a_broken_file_can_be_stopped_but_not_given_rules(path: Path) -> None:
    path.write_text("rule: []\n")
    with pytest.raises(ConfigurationError, match="did you mean 'rules'"):
        set_rule(path, "keys", "beta", mode="off")
    assert path.read_text() == "rule: []\n"
    assert set_stop(path, True)
    assert path.read_text() == "stop: true\nrule: []\n"


@pytest.mark.parametrize("raw", ["rules: [", "[1]", "a: &a 1\nb: *a"], ids=["no YAML", "a list", "aliases"])
def test_what_is_no_policy_at_all_is_left_alone(path: Path, raw: str) -> None:
    path.write_text(raw)
    with pytest.raises(ConfigurationError):
        set_stop(path, True)
    assert path.read_text() == raw


def test_commands_at_once_all_count(path: Path) -> None:
    """None of them is lost to another that read the file before."""
    code = "import sys; from pathlib import Path; from litellm_prompt_router.policy.policy_editor import set_rule\n"
    code += "for n in range(5): set_rule(Path(sys.argv[1]), 'keys', f'{sys.argv[2]}-{n}', mode='off')"
    started = [subprocess.Popen([sys.executable, "-c", code, str(path), f"key{each}"]) for each in range(4)]
    assert [process.wait(60) for process in started] == [0] * 4
    policy = parse_policy(path.read_text(), "p", None)
    assert len(policy.rules) == 2 + 20
    assert all(line in path.read_text() for line in FILE.splitlines())

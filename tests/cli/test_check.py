"""``check``: problems, sizes and warnings of profiles."""

from __future__ import annotations

import json
from pathlib import Path

from hooks.check import check_profiles
from hooks.library import bundled_profiles, load_profile
from tests.cli.conftest import TOY, TOY_FILES, Run, write_profile

WARNINGS = [
    "toy: modules[1] tools/csv: 5 examples; write at least 20, or see `prompt-router examples`",
    "toy: modules[2] tools/files: 0 examples; write at least 20, or see `prompt-router examples`",
    "toy: modules[3] tools/web: 2 examples; write at least 20, or see `prompt-router examples`",
    "toy: modules[3] tools/web: examples[1] doesn't select it: 'who won'; add a trigger or move the example",
    "toy: modules[4] tools/orphan: nothing but a fallback selects it; add triggers or tools",
    "toy: modules[4] tools/orphan: 5 examples; write at least 20, or see `prompt-router examples`",
    *(
        f"toy: modules[4] tools/orphan: examples[{n}] doesn't select it: {text!r}; add a trigger or move the example"
        for n, text in enumerate("abcde")
    ),
]


def test_report_of_a_profile(toy_root: Path, run: Run) -> None:
    result = run("check", "--profiles", toy_root)
    assert (result.exit_code, result.stderr) == (0, "")
    lines = result.stdout.splitlines()
    assert lines[0].startswith("toy 2 (digest ")
    assert lines[1:] == [
        "5 modules, 314 characters, 71 tokens, core 12 (16.9%)",
        "recognition covers 100.0% of the joined prompt",
        "",
        "module        chars  tokens  share  always  requires     triggers  examples  tools",
        "core             49      12  16.9%  always                      0         0",
        "tools/csv        86      19  26.8%          tools/files         2         5  load_csv",
        "tools/files      63      14  19.7%                              0         0",
        "tools/web        62      15  21.1%                              1         2",
        "tools/orphan     44      11  15.5%                              0         5",
        *(f"warning: {warning}" for warning in WARNINGS),
    ]


def test_from_twenty_examples_on_nothing_is_said_of_them(toy_root: Path, run: Run) -> None:
    """Examples that no trigger selects are then there to be learned from."""
    path = toy_root / "toy" / "profile.yaml"
    for count, warned in ((19, True), (20, False)):
        texts = [f"gizmo {n}" for n in range(count)]
        path.write_text(TOY.replace("[look it up on the web, who won]", json.dumps(texts)), "utf-8")
        document = json.loads(run("check", "--profiles", toy_root, "--json").stdout)
        found = [warning for warning in document["profiles"][0]["warnings"] if "tools/web" in warning]
        assert bool(found) == warned
        assert len(found) == (count + 1 if warned else 0)


def test_json(toy_root: Path, run: Run) -> None:
    document = json.loads(run("check", "--profiles", toy_root, "--json").stdout)
    assert document["problems"] == []
    [report] = document["profiles"]
    assert report["warnings"] == WARNINGS
    assert (report["name"], report["coverage"], report["core_tokens"]) == ("toy", 1.0, 12)
    assert report["modules"][1]["requires"] == ["tools/files"]


def test_problems_and_the_profiles_that_load(toy_root: Path, run: Run) -> None:
    write_profile(toy_root, "bad", "profile: bad\nversion: '1'\nmodles: []\n", {})
    write_profile(toy_root, "worse", "profile: [", {})
    result = run("check", "--profiles", toy_root)
    assert result.exit_code == 1
    assert result.stdout.startswith("toy 2 (digest ")
    assert result.stderr.splitlines() == [
        "profiles/bad/profile.yaml: modules: missing; add it",
        "profiles/bad/profile.yaml: modles: unknown field; did you mean 'modules'?",
        "profiles/worse/profile.yaml: not valid YAML at line 1: expected the node content, but found '<stream end>'",
    ]
    as_json = run("check", "--profiles", toy_root, "--json")
    assert as_json.exit_code == 1
    assert json.loads(as_json.stdout)["problems"] == result.stderr.splitlines()


def test_named_profiles_only(toy_root: Path, run: Run) -> None:
    write_profile(toy_root, "worse", "profile: [", {})
    assert run("check", "toy", "--profiles", toy_root).exit_code == 0
    result = run("check", "toy", "nope", "--profiles", toy_root)
    assert (result.exit_code, result.stderr) == (1, "nope: no such profile; there are: toy, worse\n")


def test_profiles_that_cannot_be_told_apart(toy_root: Path) -> None:
    write_profile(toy_root, "twin", TOY.replace("profile: toy", "profile: twin"), TOY_FILES)
    profiles = [load_profile(toy_root / name, len) for name in ("toy", "twin")]
    toy, twin = check_profiles(profiles)
    assert toy.coverage == 1
    assert (twin.coverage, twin.warnings[0]) == (0, "twin: its prompt is taken for profile 'toy'; tell them apart")


def test_workbench_has_no_problems_and_no_warnings() -> None:
    [report] = check_profiles([load_profile(bundled_profiles() / "workbench", len)])
    assert report.warnings == ()
    assert report.coverage == 1

"""policy.yaml: which rule decides, and what is said of mistakes."""

from __future__ import annotations

import time
from datetime import datetime
from typing import Any

import pytest

from litellm_prompt_router.policy import BrokenPolicyError, Subject, parse_policy

PROFILES = ("harbour", "ferry")
NOON = datetime.fromisoformat("2026-11-25T12:00:00+00:00").timestamp()
RULES = """
rules:
  - {name: gone, keys: [alpha], mode: "off", until: 2026-11-25T11:59:59+00:00}
  - {name: hash, key_hashes: [HASH], mode: shadow}
  - {name: ferry only, teams: [docks], profiles: [ferry], mode: shadow}
  - {name: team, teams: [docks, "yard-*"], mode: rewrite, percent: 10}
  - {name: both, users: [ann], models: ["claude-*"], mode: "off"}
  - {name: tagged, tags: [pilot], holdout: 0.02}
  - {name: odd, keys: ["a[b]?"], mode: shadow}
  - {name: alpha, keys: [alpha, "be*"], mode: rewrite, until: 2026-11-25T13:00:00+01:30}
  - {name: late, keys: [alpha], mode: shadow}
""".replace("HASH", "a" * 64)

SUBJECTS: dict[str, tuple[Subject, list[str]]] = {
    "nobody": (Subject(), []),
    "by hash": (Subject(key_alias="alpha", key_hash="a" * 64), ["hash"]),
    "the expired ones are passed over": (Subject(key_alias="alpha"), ["late"]),
    "by pattern, expired": (Subject(key_alias="beta"), []),
    "a profile has to be known first": (Subject(team_id="docks"), ["ferry only", "team"]),
    "by a team's pattern": (Subject(team_id="yard-7"), ["team"]),
    "patterns match from end to end": (Subject(team_id="ship-yard-7"), []),
    "every list has to match": (Subject(user_id="ann", model_group="gpt"), []),
    "two lists": (Subject(user_id="ann", model_group="claude-x"), ["both"]),
    "any tag": (Subject(tags=("other", "pilot")), ["tagged"]),
    "brackets are themselves": (Subject(key_alias="a[b]c"), ["odd"]),
    "and no class": (Subject(key_alias="abc"), []),
    "capitals count": (Subject(team_id="Docks"), []),
}


@pytest.mark.parametrize(("subject", "labels"), SUBJECTS.values(), ids=SUBJECTS.keys())
def test_the_first_rule_that_matches_counts(subject: Subject, labels: list[str]) -> None:
    policy = parse_policy(RULES, "policy.yaml", PROFILES)
    found = [rule.entry.name for rule in policy.candidates(subject, NOON)]
    assert found == labels
    assert [rule.entry.name for rule in policy.candidates(subject, NOON)] == labels, "remembered"


def test_a_rule_ends_while_it_is_remembered() -> None:
    policy = parse_policy(RULES, "policy.yaml", PROFILES)
    [before] = policy.candidates(Subject(key_alias="alpha"), NOON - 3600)
    [after] = policy.candidates(Subject(key_alias="alpha"), NOON)
    assert (before.label, after.label) == ("rule 1 (gone)", "rule 9 (late)")


@pytest.mark.parametrize("text", ["", "# nothing\n", "{}", "rules: []", "stop: false"])
def test_nothing_said(text: str) -> None:
    policy = parse_policy(text, "policy.yaml", PROFILES)
    assert (policy.stop, policy.rules) == (False, ())


W = "policy.yaml"
NO_ONE = "matches everyone; add one of keys, key_hashes, teams, users, models, profiles, tags, or write it"
PROBLEMS: dict[str, tuple[str, list[str]]] = {
    "singular": (
        "rules: [{key: [alpha], mode: shadow}]",
        [f"{W}: rules[0]: key: unknown field; did you mean 'keys'?"],
    ),
    "singular team": (
        "rules: [{team: [alpha], keys: [a], mode: shadow}]",
        [f"{W}: rules[0].team: unknown field; did you mean 'teams'?"],
    ),
    "singular model": (
        "rules: [{model: [alpha], keys: [a], mode: shadow}]",
        [f"{W}: rules[0].model: unknown field; did you mean 'models'?"],
    ),
    "singular profile": (
        "rules: [{profile: ferry, mode: shadow}]",
        [f"{W}: rules[0]: matches everyone (`profile` sets, `profiles` match); add one of"],
    ),
    "singular tag and user": (
        "rules: [{tag: [t], user: [u], keys: [a], mode: shadow}]",
        [
            f"{W}: rules[0].tag: unknown field; did you mean 'tags'?",
            f"{W}: rules[0].user: unknown field; did you mean 'users'?",
        ],
    ),
    "plural": ("rules: [{keys: [a], modes: shadow}]", [f"{W}: rules[0].modes: unknown field; did you mean 'mode'?"]),
    "singular top": ("rule: []\ndefault: {}", [f"{W}: rule: unknown field; did you mean 'rules'?", "'defaults'?"]),
    "text for a list": ("rules: [{keys: alpha, mode: shadow}]", [f"{W}: rules[0].keys: must be a list, as in [name]"]),
    "matches all": ("rules: [{mode: shadow}]", [f"{W}: rules[0]: {NO_ONE}"]),
    "matches none": ("rules: [{keys: [], mode: shadow}]", [f"{W}: rules[0].keys: tuple should have at least 1 item"]),
    "sets nothing": ("rules: [{keys: [a]}]", [f"{W}: rules[0]: sets nothing; add one of mode, profile"]),
    "mode": ("defaults: {mode: on}", [f"{W}: defaults.mode: input should be 'rewrite', 'shadow' or 'off'"]),
    "percent": ("defaults: {percent: 101}", [f"{W}: defaults.percent: input should be less than or equal to 100"]),
    "a switch for percent": ("defaults: {percent: yes}", [f"{W}: defaults.percent: input should be a valid number"]),
    "holdout in percent": ("defaults: {holdout: 2}", [f"{W}: defaults.holdout: input should be less than or equal"]),
    "not a number": ("defaults: {holdout: .nan}", [f"{W}: defaults.holdout: input should be a finite number"]),
    "routing model": (
        "defaults: {router_model: maybe}",
        [f"{W}: defaults.router_model: input should be a valid boolean"],
    ),
    "a date": ("rules: [{keys: [a], mode: shadow, until: 2026-12-24}]", ["must be a moment with its zone"]),
    "no zone": (
        "rules: [{keys: [a], mode: shadow, until: 2026-12-24T10:00:00}]",
        [f"{W}: rules[0].until: input should have timezone info"],
    ),
    "until as a number": ("rules: [{keys: [a], mode: shadow, until: 12}]", ["must be a moment with its zone"]),
    "a hash that is a key": (
        "rules: [{key_hashes: [sk-1], mode: shadow}]",
        [f"{W}: rules[0].key_hashes[0]: string should match", "at least 1"],
    ),
    "both profiles": (
        "rules: [{profiles: [ferry], profile: ferry, mode: shadow}]",
        [f"{W}: rules[0]: has `profiles`, which match, and `profile`, which sets; keep one"],
    ),
    "unknown profiles": (
        "rules: [{profiles: [ferri, x], mode: shadow}]\ndefaults: {profile: y}",
        [
            f"{W}: defaults.profile: unknown profile 'y'; there are ferry, harbour",
            f"{W}: rules[0].profiles[0]: unknown profile 'ferri'; did you mean 'ferry'?",
            f"{W}: rules[0].profiles[1]: unknown profile 'x'; there are ferry, harbour",
        ],
    ),
    "a word for the switch": ("stop: 'true'", [f"{W}: stop: input should be a valid boolean"]),
    "a word for tuning": (
        "tuning: pined",
        [f"{W}: tuning: must be on, pinned or off, or one of these for each profile"],
    ),
    "of a profile": ("tuning: {ferry: pined}", [f"{W}: tuning: must be on, pinned or off"]),
    "a list": ("[1]", [f"{W}: (top level): input should be a valid dictionary or instance of PolicyDocument"]),
    "text": ("stop", [f"{W}: (top level): input should be"]),
    "no YAML": ("rules: [", [f"{W}: not valid YAML at line 1"]),
    "twice": ("stop: true\nstop: false", [f"{W}: not valid YAML at line 2: 'stop' is there twice; keep one"]),
    "a tag of Python's": ("stop: !!python/object:os.system x", [f"{W}: not valid YAML"]),
    "aliases": ("a: &a [1]\nrules: *a", [f"{W}: YAML aliases (*name) are not allowed"]),
}


@pytest.mark.parametrize(("text", "expected"), PROBLEMS.values(), ids=PROBLEMS.keys())
def test_every_problem_is_told_with_its_path(text: str, expected: list[str]) -> None:
    with pytest.raises(BrokenPolicyError) as caught:
        parse_policy(text, W, PROFILES)
    problems = [problem.replace("rules[0]: key:", "rules[0].key:") for problem in caught.value.problems]
    assert len(problems) == len(expected), problems
    for problem, start in zip(problems, expected, strict=True):
        assert start.replace("rules[0]: key:", "rules[0].key:") in problem


@pytest.mark.parametrize(
    "text",
    ["[" * 100_000, "[{a: " * 20_000, "[" * 500 + "]" * 500, "rules: [" + "{keys: [a], mode: off}," * 5_001 + "]"],
    ids=["brackets", "mappings", "nested", "too many rules"],
)
def test_what_is_made_to_hurt_is_refused(text: str) -> None:
    with pytest.raises(BrokenPolicyError):
        parse_policy(text, W, PROFILES)


def test_a_billion_laughs_are_refused_before_they_are_told() -> None:
    bomb = "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 12))
    with pytest.raises(BrokenPolicyError, match="aliases"):
        parse_policy(bomb, W, PROFILES)


@pytest.mark.parametrize(
    ("text", "stop"),
    [("stop: true\nrule: []", True), ("stop: true\ndefaults: {mode: x}", True), ("stop: false\nrule: []", False)],
)
def test_the_switch_is_read_from_a_broken_file(text: str, stop: bool) -> None:
    """Stopping mustn't wait until somebody has found the other mistake."""
    with pytest.raises(BrokenPolicyError) as caught:
        parse_policy(text, W, PROFILES)
    assert caught.value.stop is stop


def test_stars_cant_run_away() -> None:
    pattern = "a*" * 100
    policy: Any = parse_policy(f'rules: [{{keys: ["{pattern}b"], mode: shadow}}]', W, PROFILES)
    before = time.process_time()
    assert policy.candidates(Subject(key_alias="a" * 256), NOON) == ()
    assert time.process_time() - before < 1, "exponential would be years"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("", ("on", "on"), id="nothing said"),
        pytest.param("tuning: pinned", ("pinned", "pinned"), id="all pinned"),
        pytest.param("tuning: off", ("off", "off"), id="off, which YAML reads as false"),
        pytest.param('tuning: "on"', ("on", "on"), id="on"),
        pytest.param("tuning: {a: off, b: pinned}", ("off", "pinned"), id="by profile"),
        pytest.param("tuning: {b: pinned}", ("on", "pinned"), id="one of them"),
    ],
)
def test_tuning_by_itself_is_pinned_or_switched_off(text: str, expected: tuple[str, str]) -> None:
    policy = parse_policy(text, "policy.yaml", ["a", "b"])
    assert (policy.tuning_of("a"), policy.tuning_of("b")) == expected


@pytest.mark.parametrize("text", ["tuning: {a: pined}", "tuning: {b: on, a: }"])
def test_a_wrong_word_of_tuning_names_the_profile(text: str) -> None:
    """And nothing of how it was read."""
    with pytest.raises(BrokenPolicyError) as caught:
        parse_policy(text, "policy.yaml", ["a", "b"])
    (problem,) = caught.value.problems
    assert problem.startswith("policy.yaml: tuning: must be on, pinned or off")
    assert problem.endswith("; it isn't for a")


@pytest.mark.parametrize("text", ["tuning: never", "tuning: {a: 7}", "tuning: [a]", "tuning: 1", "tuning: {on: off}"])
def test_other_words_of_tuning_are_problems(text: str) -> None:
    with pytest.raises(BrokenPolicyError) as caught:
        parse_policy(text, "policy.yaml", ["a"])
    assert all(problem.startswith("policy.yaml: tuning: must be on") for problem in caught.value.problems), (
        caught.value.problems
    )

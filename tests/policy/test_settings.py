"""Settings: file, environment, and what is said about mistakes in either."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from litellm_prompt_router.documents.errors import ConfigurationError
from litellm_prompt_router.policy.settings import load_settings

W = "callback_settings.prompt_router"
DSN = "https://key@glitchtip.example.org/7"
OTHER = "http://other@localhost:8000/sub/path/12"


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting of the machine that runs the tests gets in."""
    for name in list(os.environ):
        if name.upper().startswith("PROMPT_ROUTER_"):
            monkeypatch.delenv(name)


def problems_of(section: Any, environ: dict[str, str] | None = None) -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        load_settings(section, environ or {})
    return list(caught.value.problems)


@pytest.mark.parametrize("section", [None, {}], ids=["none", "empty"])
def test_defaults(section: Any) -> None:
    settings = load_settings(section, {})
    assert (settings.mode, settings.profile, settings.profiles) == ("rewrite", None, None)
    assert (settings.coverage_floor, settings.headers) == (0.6, True)
    assert (settings.ledger.path, settings.ledger.queue_size) == (Path("logs/prompt_router.jsonl"), 10_000)
    assert (settings.glitchtip.dsn, settings.glitchtip.errors_dsn, settings.glitchtip.sample_rate) == (None, None, 1.0)


def test_file() -> None:
    settings = load_settings(
        {"mode": "shadow", "profiles": "/srv/modules", "ledger": {"path": None}, "glitchtip": {"dsn": DSN}}, {}
    )
    assert (settings.mode, settings.profiles, settings.ledger.path) == ("shadow", Path("/srv/modules"), None)
    assert settings.glitchtip.dsn == DSN


def test_unquoted_off_is_off() -> None:
    """YAML reads it as false."""
    assert load_settings({"mode": False}, {}).mode == "off"


ENVIRON: dict[str, tuple[dict[str, str], str, Any]] = {
    "mode": ({"PROMPT_ROUTER_MODE": "off"}, "mode", "off"),
    "small letters": ({"prompt_router_mode": "off"}, "mode", "off"),
    "number": ({"PROMPT_ROUTER_COVERAGE_FLOOR": "0.25"}, "coverage_floor", 0.25),
    "switch": ({"PROMPT_ROUTER_HEADERS": "false"}, "headers", False),
    "nested": ({"PROMPT_ROUTER_LEDGER__PATH": "/var/log/x.jsonl"}, "ledger.path", Path("/var/log/x.jsonl")),
    "nested number": ({"PROMPT_ROUTER_GLITCHTIP__SAMPLE_RATE": "0.5"}, "glitchtip.sample_rate", 0.5),
    "nested as JSON": ({"PROMPT_ROUTER_LEDGER": '{"path": null}'}, "ledger.path", None),
    "empty says nothing": ({"PROMPT_ROUTER_MODE": ""}, "mode", "shadow"),
}


@pytest.mark.parametrize(("environ", "name", "expected"), ENVIRON.values(), ids=ENVIRON.keys())
def test_environment_beats_the_file(
    monkeypatch: pytest.MonkeyPatch, environ: dict[str, str], name: str, expected: Any
) -> None:
    """Setting by setting: the rest of a nested section stays."""
    for variable, text in environ.items():
        monkeypatch.setenv(variable, text)
    section = {"mode": "shadow", "ledger": {"path": "a", "queue_size": 5}, "glitchtip": {"environment": "test"}}
    value: Any = load_settings(section, environ)
    assert value.ledger.queue_size == 5
    assert value.glitchtip.environment == "test"
    for part in name.split("."):
        value = getattr(value, part)
    assert value == expected


@pytest.mark.parametrize(
    ("file", "environ", "expected"),
    [
        (None, {"GLITCHTIP_DSN": DSN}, DSN),
        (None, {"SENTRY_DSN": DSN}, DSN),
        (None, {"GLITCHTIP_DSN": DSN, "SENTRY_DSN": OTHER}, DSN),
        (None, {"GLITCHTIP_DSN": "", "SENTRY_DSN": OTHER}, OTHER),
        (OTHER, {"GLITCHTIP_DSN": DSN}, OTHER),
        (None, {"GLITCHTIP_DSN": ""}, None),
        (None, {}, None),
    ],
    ids=["glitchtip", "sentry", "both", "empty and sentry", "file first", "empty", "none"],
)
def test_dsn(file: str | None, environ: dict[str, str], expected: str | None) -> None:
    section = {"glitchtip": {"sample_rate": 0.5} | ({"dsn": file} if file else {})}
    found = load_settings(section, environ).glitchtip
    assert (found.dsn, found.sample_rate) == (expected, 0.5)


@pytest.mark.parametrize(
    ("environ", "name"),
    [
        ({"GLITCHTIP_DSN": "glitchtip.example.org"}, "GLITCHTIP_DSN"),
        ({"SENTRY_DSN": "https://glitchtip.example.org/7"}, "SENTRY_DSN"),
        ({"GLITCHTIP_DSN": "https://secret@glitchtip.example.org/"}, "GLITCHTIP_DSN"),
    ],
    ids=["no address", "no key", "no project"],
)
def test_bad_dsn_of_the_environment_is_named_and_not_quoted(environ: dict[str, str], name: str) -> None:
    assert problems_of(None, environ) == [f"{name}: not a DSN; it looks like https://<key>@<host>/<project number>"]


KNOWN = "; known fields: "
PROBLEMS: dict[str, tuple[Any, list[str]]] = {
    "typo": ({"moed": "off"}, [f"{W}: moed: unknown field; did you mean 'mode'?"]),
    "nested typo": ({"ledger": {"pth": "x"}}, [f"{W}: ledger.pth: unknown field; did you mean 'path'?"]),
    "bad mode": ({"mode": "on"}, [f"{W}: mode: input should be 'rewrite', 'shadow' or 'off'"]),
    "YAML's on": ({"mode": True}, [f"{W}: mode: input should be 'rewrite', 'shadow' or 'off'"]),
    "out of range": (
        {"coverage_floor": 2, "glitchtip": {"sample_rate": -1}},
        [
            f"{W}: coverage_floor: input should be less than or equal to 1",
            f"{W}: glitchtip.sample_rate: input should be greater than or equal to 0",
        ],
    ),
    "several": (
        {"mode": "x", "ledger": {"queue_size": 0}, "headers": "perhaps"},
        [
            f"{W}: mode: input should be 'rewrite', 'shadow' or 'off'",
            f"{W}: headers: input should be a valid boolean, unable to interpret input",
            f"{W}: ledger.queue_size: input should be greater than or equal to 1",
        ],
    ),
    "a list": (["mode"], [f"{W}: must be a mapping of settings"]),
    "text": ("off", [f"{W}: must be a mapping of settings"]),
}


@pytest.mark.parametrize(("section", "expected"), PROBLEMS.values(), ids=PROBLEMS.keys())
def test_problems_are_all_named(section: Any, expected: list[str]) -> None:
    assert problems_of(section) == expected


def test_unknown_field_without_a_near_one_lists_what_there_is() -> None:
    (problem,) = problems_of({"zzzzzz": 1})
    assert problem.startswith(f"{W}: zzzzzz: unknown field; known fields: ")
    assert {"mode", "profile", "profiles", "coverage_floor", "headers", "ledger", "glitchtip"} <= set(
        problem.partition(KNOWN)[2].split(", ")
    )


def test_values_are_never_quoted() -> None:
    """A DSN holds a key."""
    (problem,) = problems_of({"glitchtip": {"dsn": "https://secret@/x"}})
    assert problem.startswith(f"{W}: glitchtip.dsn: ")
    assert "secret" not in problem


@pytest.mark.parametrize(
    "name", ["_env_file", "_env_prefix", "_case_sensitive", "_cli_parse_args", "self", "model_config"]
)
def test_names_that_the_library_keeps_for_itself_are_unknown_fields(name: str) -> None:
    """A config file can't steer how settings are read."""
    assert any(f"{name}: unknown field" in problem for problem in problems_of({name: "x"}))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PROMPT_ROUTER_MODE", "on"),
        ("PROMPT_ROUTER_DISABLE", "1"),
        ("PROMPT_ROUTER_LEDGERS__PATH", "x"),
        ("PROMPT_ROUTER_COVERAGE_FLOOR", "high"),
        ("PROMPT_ROUTER_LEDGER__QUEUE_SIZE", "none"),
        ("PROMPT_ROUTER_LEDGER__PTH", "x"),
        ("PROMPT_ROUTER_LEDGER", "/var/log/x.jsonl"),
        ("PROMPT_ROUTER_GLITCHTIP", "[]"),
    ],
)
def test_mistakes_in_the_environment_name_the_variable(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    """Who set a variable looks for its name, not in a file that is right."""
    monkeypatch.setenv(name, value)
    problems = problems_of({"mode": "shadow"}, {name: value})
    assert any(name in problem for problem in problems), problems


def test_the_switch_misspelt_is_told() -> None:
    """Who wants everything off must not find it on."""
    assert problems_of({}, {"PROMPT_ROUTER_DISABLE": "1"}) == [
        "PROMPT_ROUTER_DISABLE: unknown setting; did you mean PROMPT_ROUTER_DISABLED?"
    ]
    assert problems_of({}, {"PROMPT_ROUTER_LEDGERS__PATH": "x"}) == [
        "PROMPT_ROUTER_LEDGERS__PATH: unknown setting; did you mean PROMPT_ROUTER_LEDGER__PATH?"
    ]


@pytest.mark.parametrize("name", ["percent", "holdout", "coverage_floor"])
def test_a_switch_is_no_share(name: str) -> None:
    """``holdout: yes`` would leave every conversation as it came."""
    assert problems_of({name: True}, {}) == [f"{W}: {name}: must be a number"]


def test_settings_cant_be_changed() -> None:
    settings = load_settings(None, {})
    with pytest.raises(ValueError, match="frozen"):
        settings.mode = "off"


def test_capture_from_the_environment() -> None:
    """Aliases stand in one variable, parted by commas; the path alone would capture nothing."""
    environ = {"PROMPT_ROUTER_CAPTURE__PATH": "t.jsonl", "PROMPT_ROUTER_CAPTURE__KEYS": "alpha, beta"}
    capture = load_settings(None, environ).capture
    assert (capture.path, capture.keys, capture.max_mb) == (Path("t.jsonl"), frozenset(("alpha", "beta")), 100)
    assert load_settings({"capture": {"keys": ["alpha"]}}, {}).capture.path is None
    with pytest.raises(ConfigurationError) as caught:
        load_settings({"capture": {"path": "t.jsonl", "max_mb": 0}, "mode": "of"}, {})
    assert len(caught.value.problems) == 2
    with pytest.raises(ConfigurationError) as caught:
        load_settings({"capture": {"path": "t.jsonl"}}, {})
    assert caught.value.problems == (
        "callback_settings.prompt_router: capture: captures nothing without `keys`; "
        "name the aliases of the keys to capture",
    )

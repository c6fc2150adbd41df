"""Settings: file, environment, and what is said about mistakes in either."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from litellm_prompt_router.documents.errors import ConfigurationError
from litellm_prompt_router.policy.settings import Settings, load_settings

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
    "nested, one underscore": (
        {"PROMPT_ROUTER_LEDGER_PATH": "/var/log/x.jsonl"},
        "ledger.path",
        Path("/var/log/x.jsonl"),
    ),
    "nested, small letters": ({"prompt_router_ledger_max_mb": "7"}, "ledger.max_mb", 7),
    "a field over its section's JSON": (
        {"PROMPT_ROUTER_LEDGER": '{"path": null, "max_mb": 9}', "PROMPT_ROUTER_LEDGER_PATH": "b"},
        "ledger.path",
        Path("b"),
    ),
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
        "PROMPT_ROUTER_LEDGERS__PATH: unknown setting; did you mean PROMPT_ROUTER_LEDGER_PATH?"
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


def test_aliases_that_look_like_json_are_names() -> None:
    """A key may be called 123, or null."""
    environ = {"PROMPT_ROUTER_CAPTURE_PATH": "t.jsonl", "PROMPT_ROUTER_CAPTURE_KEYS": "123, null"}
    assert load_settings(None, environ).capture.keys == {"123", "null"}
    assert load_settings(None, {**environ, "PROMPT_ROUTER_CAPTURE_KEYS": "123"}).capture.keys == {"123"}


OVERRIDES: dict[str, tuple[str, Any]] = {
    "mode": ("shadow", "shadow"),
    "profile": ("workbench", "workbench"),
    "profiles": ("/srv/modules", Path("/srv/modules")),
    "policy": ("rules.yaml", Path("rules.yaml")),
    "percent": ("12.5", 12.5),
    "holdout": ("0.25", 0.25),
    "router_model": ("true", True),
    "coverage_floor": ("0.75", 0.75),
    "placement": ("grow", "grow"),
    "cache_hints": ("false", False),
    "cost_gate": ("off", False),
    "embedding_threads": ("2", 2),
    "headers": ("0", False),
    "cost_page": ("raw", "raw"),
    "metrics": ("no", False),
    "status_dir": ("/srv/status", Path("/srv/status")),
    "ledger.path": ("/srv/ledger.jsonl", Path("/srv/ledger.jsonl")),
    "ledger.queue_size": ("77", 77),
    "ledger.max_mb": ("78", 78),
    "ledger.daily": ("false", False),
    "ledger.gzip": ("true", True),
    "ledger.off_keys": ("false", False),
    "ledger.keep": ("79", 79),
    "ledger.overflow_path": ("/srv/overflow.jsonl", Path("/srv/overflow.jsonl")),
    "glitchtip.dsn": (DSN, DSN),
    "glitchtip.errors_dsn": (OTHER, OTHER),
    "glitchtip.environment": ("staging", "staging"),
    "glitchtip.sample_rate": ("0.5", 0.5),
    "glitchtip.queue_size": ("177", 177),
    "capture.path": ("/srv/traffic.jsonl", Path("/srv/traffic.jsonl")),
    "capture.keys": ("alpha, beta", frozenset({"alpha", "beta"})),
    "capture.max_mb": ("80", 80),
    "alerts.enabled": ("false", False),
    "alerts.window_seconds": ("81.5", 81.5),
    "alerts.minimum_requests": ("82", 82),
    "alerts.error_rate": ("0.125", 0.125),
    "alerts.failure_rate": ("off", None),
    "alerts.decision_p99_us": ("83", 83),
    "alerts.net_loss_conversations": ("84", 84),
    "alerts.drift_rate": ("none", None),
    "alerts.losses": ("false", False),
    "breaker.key_faults": ("85", 85),
    "breaker.all_faults": ("86", 86),
    "breaker.window_seconds": ("87.5", 87.5),
    "breaker.pause_seconds": ("88.5", 88.5),
    "tuning.every": ("24h", 86_400.0),
    "tuning.quiet_requests": ("89", 89),
    "tuning.at_latest": ("90m", 5_400.0),
    "tuning.minimum_conversations": ("91", 91),
    "tuning.max_mb": ("92", 92),
    "tuning.timeout": ("1d", 86_400.0),
}
"""Of every setting: a text that is not its default, and what it means."""


def leaves() -> Iterator[str]:
    for name, field in Settings.model_fields.items():
        section = field.annotation
        if isinstance(section, type) and issubclass(section, BaseModel):
            yield from (f"{name}.{nested}" for nested in section.model_fields)
        else:
            yield name


def variable_of(leaf: str, separator: str = "_") -> str:
    return f"PROMPT_ROUTER_{leaf.replace('.', separator).upper()}"


def value_at(settings: Any, leaf: str) -> Any:
    for part in leaf.split("."):
        settings = getattr(settings, part)
    return settings


@pytest.mark.parametrize("separator", ["_", "__"])
@pytest.mark.parametrize("leaf", tuple(leaves()))
def test_every_setting_has_a_variable(leaf: str, separator: str) -> None:
    """By section and field, however deep; it takes effect, and nothing else changes."""
    text, meaning = OVERRIDES[leaf]
    section: dict[str, Any] = {"capture": {"keys": ["gamma"]}}
    before, after = load_settings(section, {}), load_settings(section, {variable_of(leaf, separator): text})
    assert value_at(before, leaf) != meaning
    assert value_at(after, leaf) == meaning
    assert [each for each in leaves() if value_at(before, each) != value_at(after, each)] == [leaf]


def misspelt(variable: str) -> Iterator[str]:
    """As hands do it: a letter too few or too many, two swapped, the other number, an underscore less."""
    name = variable.removeprefix("PROMPT_ROUTER_")
    middle = len(name) // 2
    for wrong in (
        name[:-1],
        name[1:],
        f"{name}S",
        name[:middle] + name[middle + 1 :],
        name[:middle] + name[middle] + name[middle:],
        name[:middle] + name[middle + 1 : middle + 2] + name[middle] + name[middle + 2 :],
        name[::-1].replace("_", "", 1)[::-1],
    ):
        yield f"PROMPT_ROUTER_{wrong}"


@pytest.mark.parametrize("separator", ["_", "__"])
@pytest.mark.parametrize("leaf", tuple(leaves()))
def test_a_suggestion_works(leaf: str, separator: str) -> None:
    """A near miss is told with the variable that was meant, and who sets that one instead gets what was wanted."""
    text, meaning = OVERRIDES[leaf]
    section = {"capture": {"keys": ["gamma"]}}
    known = {variable_of(each, mark) for each in leaves() for mark in ("_", "__")}
    for wrong in misspelt(variable_of(leaf, separator)):
        if wrong in known:
            continue
        [problem] = problems_of(section, {wrong: text})
        start, _, suggested = problem.removesuffix("?").partition("; did you mean ")
        assert start == f"{wrong}: unknown setting"
        assert value_at(load_settings(section, {suggested: text}), leaf) == meaning


def test_variables_that_were_ignored_or_answered_with_a_wrong_name() -> None:
    assert load_settings(None, {"PROMPT_ROUTER_BREAKER_KEY_FAULTS": "1"}).breaker.key_faults == 1
    assert load_settings(None, {"PROMPT_ROUTER_LEDGER_PATH": "x.jsonl"}).ledger.path == Path("x.jsonl")


def test_an_unknown_field_of_a_section_is_told_with_those_that_there_are() -> None:
    for name in ("PROMPT_ROUTER_BREAKER_XYZ", "PROMPT_ROUTER_BREAKER__XYZ", "PROMPT_ROUTER_BREAKERS__XYZ"):
        assert problems_of(None, {name: "1"}) == [
            f"{name}: unknown setting; there are PROMPT_ROUTER_BREAKER_KEY_FAULTS, PROMPT_ROUTER_BREAKER_ALL_FAULTS, "
            "PROMPT_ROUTER_BREAKER_WINDOW_SECONDS, PROMPT_ROUTER_BREAKER_PAUSE_SECONDS"
        ]


def test_a_section_misspelt_with_json_is_told() -> None:
    assert problems_of(None, {"PROMPT_ROUTER_LEDGRE": '{"path": null}'}) == [
        "PROMPT_ROUTER_LEDGRE: unknown setting; did you mean PROMPT_ROUTER_LEDGER?"
    ]


def test_variables_of_others_are_left_alone() -> None:
    """Kubernetes names a service's variables by the service, which may be called prompt-router."""
    environ = {
        "PROMPT_ROUTER_SERVICE_HOST": "10.0.0.1",
        "PROMPT_ROUTER_SERVICE_PORT": "4000",
        "PROMPT_ROUTER_SERVICE_PORT_HTTP": "4000",
        "PROMPT_ROUTER_PORT": "tcp://10.0.0.1:4000",
        "PROMPT_ROUTER_PORT_4000_TCP": "tcp://10.0.0.1:4000",
        "PROMPT_ROUTER_PORT_4000_TCP_ADDR": "10.0.0.1",
        "PROMPT_ROUTER_PORT_4000_TCP_PROTO": "tcp",
        "PROMPT_ROUTER_VERSION": "1",
        "PROMPT_ROUTER_ENVIRONMENT": "staging",
        "LEDGER_PATH": "x",
    }
    assert load_settings(None, environ) == load_settings(None, {})


def test_two_variables_for_one_setting_have_to_agree() -> None:
    environ = {"PROMPT_ROUTER_LEDGER_PATH": "a", "PROMPT_ROUTER_LEDGER__PATH": "b"}
    assert problems_of(None, environ) == [
        "PROMPT_ROUTER_LEDGER__PATH: says something else than PROMPT_ROUTER_LEDGER_PATH; keep one"
    ]
    assert load_settings(None, dict.fromkeys(environ, "a")).ledger.path == Path("a")


@pytest.mark.parametrize("section", ["ledger", "glitchtip", "capture", "breaker", "alerts"])
def test_a_service_named_after_a_section_is_somebody_elses(section: str) -> None:
    """Kubernetes sets these for a service ``prompt-router-<section>``, and nobody meant a setting."""
    start = f"PROMPT_ROUTER_{section.upper()}"
    environ = {
        f"{start}_SERVICE_HOST": "10.0.0.1",
        f"{start}_SERVICE_PORT": "80",
        f"{start}_SERVICE_PORT_HTTP": "80",
        f"{start}_PORT": "tcp://10.0.0.1:80",
        f"{start}_PORT_80_TCP": "tcp://10.0.0.1:80",
        f"{start}_PORT_80_TCP_ADDR": "10.0.0.1",
    }
    assert load_settings(None, environ) == load_settings(None, {})


def test_null_for_a_section_is_told() -> None:
    assert problems_of(None, {"PROMPT_ROUTER_LEDGER": "null"}) == [
        "PROMPT_ROUTER_LEDGER: not a JSON object; set PROMPT_ROUTER_LEDGER_<FIELD> instead"
    ]


def test_every_problem_is_told_under_the_name_that_caused_it() -> None:
    """Of file and environment at once; what the file says wrong is not put down to a variable beside it."""
    section = {"mode": "on", "ledger": {"queue_size": 0}, "glitchtip": {"sample_rate": 2}}
    environ = {
        "PROMPT_ROUTER_MODE": "perhaps",
        "PROMPT_ROUTER_LEDGER": '{"max_mb": 0}',
        "PROMPT_ROUTER_GLITCHTIP_QUEUE_SIZE": "1",
        "PROMPT_ROUTER_BREAKER_KEY_FAULT": "1",
        "PROMPT_ROUTER_ALERTS": "off",
    }
    assert sorted(problems_of(section, environ)) == [
        "PROMPT_ROUTER_ALERTS: not a JSON object; set PROMPT_ROUTER_ALERTS_<FIELD> instead",
        "PROMPT_ROUTER_BREAKER_KEY_FAULT: unknown setting; did you mean PROMPT_ROUTER_BREAKER_KEY_FAULTS?",
        "PROMPT_ROUTER_GLITCHTIP_QUEUE_SIZE (glitchtip.queue_size): input should be greater than or equal to 100",
        "PROMPT_ROUTER_LEDGER (ledger.max_mb): input should be greater than or equal to 1",
        "PROMPT_ROUTER_MODE (mode): input should be 'rewrite', 'shadow' or 'off'",
        f"{W}: glitchtip.sample_rate: input should be less than or equal to 1",
        f"{W}: ledger.queue_size: input should be greater than or equal to 1",
    ]


def test_this_processs_environment_is_never_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROMPT_ROUTER_MODE", "off")
    monkeypatch.setenv("PROMPT_ROUTER_LEDGER_PATH", "elsewhere")
    monkeypatch.setenv("LEDGER__PATH", "elsewhere")
    monkeypatch.setenv("MODE", "off")
    assert load_settings(None, {}) == Settings()

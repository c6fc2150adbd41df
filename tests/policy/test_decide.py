"""Who gets it: key metadata, team metadata, settings, and a header that can only lower."""

from __future__ import annotations

from typing import Any

import pytest

from litellm_prompt_router.policy import DefaultPolicy, Policy, PolicyLayer, decide_policy, metadata_layers
from litellm_prompt_router.request.types import Mode

KNOWN = frozenset({"harbour", "ferry"})
Metadata = dict[str, Any] | None


def bag(own: Any) -> Metadata:
    """Metadata with this under ``prompt_router``."""
    return {"tags": ["t"]} if own is None else {"tags": ["t"], "prompt_router": own}


def decided(default: Mode, key: Any = None, team: Any = None, header: str | None = None) -> Policy:
    """The policy with this ``prompt_router`` in key and team metadata."""
    stated, problems = metadata_layers(default, KNOWN, bag(key), bag(team))
    assert not problems
    return decide_policy(DefaultPolicy(mode=default), stated, header)


MODES: dict[str, tuple[Mode, Any, Any, Mode]] = {
    "settings alone": ("rewrite", None, None, "rewrite"),
    "settings off": ("off", None, None, "off"),
    "team lowers settings": ("rewrite", None, {"mode": "shadow"}, "shadow"),
    "team raises settings": ("off", None, {"mode": "rewrite"}, "rewrite"),
    "key beats settings": ("off", {"mode": "rewrite"}, None, "rewrite"),
    "key beats team": ("rewrite", {"mode": "rewrite"}, {"mode": "off"}, "rewrite"),
    "key off beats team": ("rewrite", {"mode": "off"}, {"mode": "rewrite"}, "off"),
    "enabled turns on": ("off", {"enabled": True}, None, "rewrite"),
    "enabled keeps shadow": ("shadow", {"enabled": True}, None, "shadow"),
    "disabled": ("rewrite", {"enabled": False}, None, "off"),
    "disabled beats a mode beside it": ("rewrite", {"enabled": False, "mode": "rewrite"}, None, "off"),
    "enabled with a mode": ("off", {"enabled": True, "mode": "shadow"}, None, "shadow"),
    "enabled doesn't beat mode off beside it": ("rewrite", {"enabled": True, "mode": "off"}, None, "off"),
    "team disabled, key enabled": ("rewrite", {"enabled": True}, {"enabled": False}, "rewrite"),
    "team disabled, key enabled, settings shadow": ("shadow", {"enabled": True}, {"enabled": False}, "shadow"),
    "team disabled, key silent": ("rewrite", {"profile": "ferry"}, {"enabled": False}, "off"),
    "nulls say nothing": ("shadow", {"enabled": None, "mode": None, "profile": None}, None, "shadow"),
    "empty says nothing": ("shadow", {}, {}, "shadow"),
}


@pytest.mark.parametrize(("default", "key", "team", "expected"), MODES.values(), ids=MODES.keys())
def test_mode(default: Mode, key: Any, team: Any, expected: Mode) -> None:
    assert decided(default, key, team).mode == expected


@pytest.mark.parametrize(
    ("mode", "header", "expected"),
    [
        ("rewrite", None, "rewrite"),
        ("rewrite", "", "rewrite"),
        ("rewrite", "shadow", "shadow"),
        ("rewrite", "off", "off"),
        ("rewrite", " OFF ", "off"),
        ("rewrite", "Shadow", "shadow"),
        ("shadow", "off", "off"),
        ("shadow", "shadow", "shadow"),
        ("shadow", "rewrite", "shadow"),
        ("off", "shadow", "off"),
        ("off", "rewrite", "off"),
        ("off", "off", "off"),
        ("rewrite", "rewrite", "rewrite"),
        ("rewrite", "nonsense", "rewrite"),
        ("off", "on", "off"),
    ],
)
def test_header_can_only_lower(mode: Mode, header: str | None, expected: Mode) -> None:
    """Whether the mode came from settings or from the key."""
    assert decided(mode, header=header).mode == expected
    assert decided("off", {"mode": mode}, header=header).mode == expected


@pytest.mark.parametrize(
    ("key", "team", "expected"),
    [
        (None, None, None),
        (None, {"profile": "ferry"}, "ferry"),
        ({"profile": "harbour"}, None, "harbour"),
        ({"profile": "harbour"}, {"profile": "ferry"}, "harbour"),
    ],
)
def test_profile(key: Any, team: Any, expected: str | None) -> None:
    assert decided("rewrite", key, team).profile == expected


PROBLEMS: dict[str, tuple[Any, Any, list[str]]] = {
    "typo": (
        {"enabeld": False},
        None,
        ["key metadata: prompt_router: enabeld: unknown field; did you mean 'enabled'?"],
    ),
    "unknown field": (
        {"colour": "red"},
        None,
        ["key metadata: prompt_router: colour: unknown field; known fields: enabled, mode, profile, router_model"],
    ),
    "unknown field of the team": (
        None,
        {"Mode": "off"},
        ["team metadata: prompt_router: Mode: unknown field; did you mean 'mode'?"],
    ),
    "bad mode": (
        {"mode": "on"},
        None,
        ["key metadata: prompt_router: mode: input should be 'rewrite', 'shadow' or 'off'"],
    ),
    "text for a switch": (
        {"enabled": "false"},
        None,
        ["key metadata: prompt_router: enabled: input should be a valid boolean"],
    ),
    "number for a switch": (
        {"enabled": 0},
        None,
        ["key metadata: prompt_router: enabled: input should be a valid boolean"],
    ),
    "unknown profile": (
        {"profile": "habrour"},
        None,
        ["key metadata: prompt_router: profile: unknown profile; `prompt-router check` lists them"],
    ),
    "not a mapping": (
        "off",
        None,
        ["key metadata: prompt_router: (top level): input should be a valid dictionary or instance of KeyMetadata"],
    ),
    "several at once": (
        {"enabled": 1, "mode": "x", "profil": "y"},
        {"profile": "nowhere"},
        [
            "team metadata: prompt_router: profile: unknown profile; `prompt-router check` lists them",
            "key metadata: prompt_router: enabled: input should be a valid boolean",
            "key metadata: prompt_router: mode: input should be 'rewrite', 'shadow' or 'off'",
            "key metadata: prompt_router: profil: unknown field; did you mean 'profile'?",
        ],
    ),
}


@pytest.mark.parametrize(("key", "team", "problems"), PROBLEMS.values(), ids=PROBLEMS.keys())
def test_problems_are_all_named_and_never_quote_a_value(key: Any, team: Any, problems: list[str]) -> None:
    """With any of these, the request passes through."""
    assert list(metadata_layers("rewrite", KNOWN, bag(key), bag(team))[1]) == problems


@pytest.mark.parametrize("raw", [[], 0, "", False], ids=["list", "zero", "empty text", "false"])
def test_falsy_nonsense_is_a_problem_too(raw: Any) -> None:
    assert metadata_layers("rewrite", KNOWN, bag(raw), None)[1]


@pytest.mark.parametrize("metadata", [None, {}, {"prompt_router": None}], ids=["none", "empty", "null"])
def test_no_metadata_leaves_the_default(metadata: Metadata) -> None:
    assert metadata_layers("shadow", KNOWN, metadata, metadata) == ((), ())


RULE = PolicyLayer(source="rule 1", mode="shadow", percent=10.0, placement="grow", holdout=0.5)
KEY = PolicyLayer(source="key metadata", mode="rewrite", profile="ferry")
DEFAULTS = PolicyLayer(source="policy defaults", mode="off", percent=50.0)


@pytest.mark.parametrize(
    ("layers", "mode", "source"),
    [
        ((), "rewrite", "settings"),
        ((DEFAULTS,), "off", "policy defaults"),
        ((KEY, DEFAULTS), "rewrite", "key metadata"),
        ((RULE, KEY, DEFAULTS), "shadow", "rule 1"),
        ((PolicyLayer(source="rule 2", percent=5.0), KEY, DEFAULTS), "rewrite", "key metadata"),
    ],
    ids=["settings", "defaults", "key", "rule", "a rule that leaves the mode to the key"],
)
def test_the_strongest_place_decides_and_is_named(layers: tuple[PolicyLayer, ...], mode: Mode, source: str) -> None:
    policy = decide_policy(DefaultPolicy(mode="rewrite"), layers)
    assert (policy.mode, policy.source) == (mode, source)


def test_each_field_comes_from_the_strongest_place_that_has_it() -> None:
    policy = decide_policy(DefaultPolicy(mode="rewrite", profile="harbour"), (RULE, KEY, DEFAULTS))
    assert (policy.profile, policy.percent, policy.holdout, policy.placement) == ("ferry", 10.0, 0.5, "grow")


def test_a_header_that_lowers_is_named() -> None:
    assert decide_policy(DefaultPolicy(mode="rewrite"), (KEY,), "shadow").source == "request header"
    assert decide_policy(DefaultPolicy(mode="shadow"), (), "shadow").source == "settings"


@pytest.mark.parametrize(
    ("default", "metadata", "layers", "is_asked"),
    [
        (False, {}, (), False),
        (True, {}, (), True),
        (False, {"router_model": True}, (), True),
        (True, {"router_model": False}, (), False),
        (False, {"router_model": True}, (PolicyLayer(source="rule 1", router_model=False),), False),
        (False, {"router_model": False}, (PolicyLayer(source="rule 1", mode="shadow"),), False),
    ],
    ids=["off by default", "settings", "key", "key against settings", "rule against key", "a rule that says nothing"],
)
def test_a_routing_model_is_asked_where_the_strongest_place_says_so(
    default: bool, metadata: dict[str, Any], layers: tuple[PolicyLayer, ...], is_asked: bool
) -> None:
    """Whatever the header says: it lowers modes, and switches nothing on."""
    of_key, problems = metadata_layers("rewrite", KNOWN, bag(metadata), None)
    assert not problems
    for header in (None, "on", "rewrite", "router_model"):
        policy = decide_policy(DefaultPolicy(mode="rewrite", router_model=default), (*layers, *of_key), header)
        assert policy.router_model is is_asked


def test_a_key_stands_over_its_team_for_the_routing_model() -> None:
    layers, _ = metadata_layers("rewrite", KNOWN, bag({"router_model": False}), bag({"router_model": True}))
    assert decide_policy(DefaultPolicy(mode="rewrite"), layers).router_model is False


@pytest.mark.parametrize("value", ["true", 1, "yes"], ids=str)
def test_metadata_takes_a_bare_truth_value_for_the_routing_model_alone(value: object) -> None:
    [problem] = metadata_layers("rewrite", KNOWN, bag({"router_model": value}), None)[1]
    assert problem == "key metadata: prompt_router: router_model: input should be a valid boolean"


def test_a_slip_in_the_routing_models_name_is_told() -> None:
    [problem] = metadata_layers("rewrite", KNOWN, bag({"routing_model": True}), None)[1]
    assert "did you mean 'router_model'?" in problem

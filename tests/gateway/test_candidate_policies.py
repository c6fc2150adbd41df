"""Remembered policies are those that would be found anew, whatever changes between two requests."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from litellm_prompt_router.gateway.candidate_policies import KnownCandidates, candidate_policies
from litellm_prompt_router.policy import metadata_layers, parse_policy
from litellm_prompt_router.policy.active import active_configuration
from litellm_prompt_router.policy.settings import load_settings
from litellm_prompt_router.record.record import Caller
from litellm_prompt_router.request.pipeline import Pipeline
from tests.gateway.test_hook_dispatch import COUNT, WORKBENCH

POLICY = """
rules:
  - {keys: [a], mode: shadow, until: 1970-01-01T00:00:50Z}
  - {teams: [t], profiles: [workbench], mode: rewrite}
  - {models: ["m*"], mode: "off"}
  - {tags: [x], percent: 10}
defaults: {mode: shadow}
"""
CONFIGURATIONS = [
    active_configuration(load_settings(section, {}), Pipeline([WORKBENCH], COUNT, coverage_floor=0.6), policy)
    for section in ({}, {"mode": "off"})
    for policy in (parse_policy(POLICY, "policy.yaml", ["workbench"]), parse_policy("", "policy.yaml", []))
]
METADATA = [
    None,
    {},
    {"prompt_router": {"mode": "off"}},
    {"prompt_router": {"enabled": True}},
    {"prompt_router": {"enabled": 1}},  # equal to True, and not taken for it
    {"prompt_router": {"profile": "workbench"}},
    {"prompt_router": {"mode": ["off"]}},
    {"prompt_router": "off", "tags": ["x"]},
]


def caller(**stated: Any) -> Caller:
    common: dict[str, Any] = {"request_id": "r", "call_id": None, "endpoint": "acompletion", "stream": False}
    return Caller(**common, thread_id=None, key_hash=None, tool_count=0, **stated)


REQUESTS = st.tuples(
    st.sampled_from(CONFIGURATIONS),
    st.builds(
        caller,
        started_seconds=st.sampled_from([0.0, 49.9, 50.0, 60.0]),
        key_alias=st.sampled_from([None, "a", "b"]),
        team_id=st.sampled_from([None, "t"]),
        model_group=st.sampled_from(["m1", "n"]),
        tags=st.sampled_from([(), ("x",)]),
    ),
    st.sampled_from(METADATA),
    st.sampled_from(METADATA),
    st.sampled_from([None, "", "off", " OFF ", "no", "shadow", "rewrite", "anything"]),
)


@given(asked=st.lists(REQUESTS, max_size=12))
def test_what_is_remembered_is_what_holds(asked: list[Any]) -> None:
    known = KnownCandidates()
    for configuration, who, own, team, header in asked:
        found = known.of(configuration, who, own, team, header)
        anew = candidate_policies(configuration, who, own, team, header)
        assert (found.problems, found.candidates, found.only) == (anew.problems, anew.candidates, anew.only)


def test_a_key_is_decided_on_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Until the configuration or its metadata changes, or a rule expires."""
    calls: list[Any] = []

    def counted(*given: Any) -> Any:
        calls.append(given)
        return metadata_layers(*given)

    monkeypatch.setattr("litellm_prompt_router.gateway.candidate_policies.metadata_layers", counted)
    known, one, other = KnownCandidates(), CONFIGURATIONS[0], CONFIGURATIONS[1]

    def ask(configuration: Any = one, own: Any = METADATA[2], at: float = 0.0) -> int:
        who = caller(started_seconds=at, key_alias="a", team_id=None, model_group="m1")
        known.of(configuration, who, own, None, None)
        return len(calls)

    assert [ask(), ask(), ask(own={"prompt_router": {"mode": "off"}})] == [1, 1, 1]
    assert [ask(own=METADATA[3]), ask(own=METADATA[3])] == [2, 2]
    assert [ask(at=50.0), ask(at=51.0)] == [3, 3]
    assert [ask(other), ask(one)] == [4, 5]

"""The state of tuning: whoever writes, nobody's tuning is lost, and what nobody goes by any more goes."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from litellm_prompt_router.documents.errors import ConfigurationError
from litellm_prompt_router.files.profile_yaml import EconomicsFile
from litellm_prompt_router.policy.settings import load_settings
from litellm_prompt_router.policy.tuning_state import (
    EMPTY_STATE,
    KEPT_SECONDS,
    MAX_TUNINGS,
    LastTry,
    TuningState,
    new_tuning,
    parse_state,
    read_state,
    write_state,
)

NOW = 1_800_000_000.0
FULL = EconomicsFile(choice="full")
moments = st.integers(0, 6 * 86_400).map(lambda seconds: NOW + seconds)


def made(at: list[float]) -> TuningState:
    state = EMPTY_STATE
    for moment in at:
        state = state.with_tuning("sample", new_tuning("sample", FULL, moment, ""))
        state = state.with_try("sample", LastTry(at_seconds=moment, said="changed"))
    return state


@given(st.lists(moments, max_size=5), st.lists(moments, max_size=5))
def test_states_merge_alike_whoever_does_it(one: list[float], other: list[float]) -> None:
    """Into the tunings of both, oldest first; once more changes nothing, and the text gives them back."""
    first, second, now = made(one), made(other), NOW + 6 * 86_400
    both = first.merged_with(second, now)
    assert both == second.merged_with(first, now) == both.merged_with(first, now)
    assert parse_state(both.to_json(), "state") == both
    found = both.profiles["sample"].tunings if both.profiles else ()
    assert [tuning.tuned_seconds for tuning in found] == sorted({*one, *other})


def test_a_folder_that_may_not_be_looked_into_is_a_problem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No crash of a proxy that starts."""
    path = tmp_path / "status" / "tuning.json"

    def refused(self: Path, **_: object) -> None:
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "stat", refused)
    with pytest.raises(ConfigurationError) as caught:
        read_state(path)
    assert caught.value.problems == (f"{path}: can't be read (Permission denied); check the folder's rights",)


def test_what_was_replaced_a_week_ago_goes() -> None:
    state = made([NOW, NOW + 60])
    kept = state.merged_with(EMPTY_STATE, NOW + 60 + KEPT_SECONDS).profiles["sample"].tunings
    assert len(kept) == 2
    kept = state.merged_with(EMPTY_STATE, NOW + 70 + KEPT_SECONDS).profiles["sample"].tunings
    assert [tuning.tuned_seconds for tuning in kept] == [NOW + 60]
    many = made([NOW + number for number in range(MAX_TUNINGS + 5)])
    assert len(many.profiles["sample"].tunings) == MAX_TUNINGS


def test_the_file_is_its_owners_and_whole(tmp_path: Path) -> None:
    path = tmp_path / "status" / "tuning.json"
    assert read_state(path) == EMPTY_STATE
    write_state(path, made([NOW]))
    assert read_state(path) == made([NOW])
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [each.name for each in path.parent.iterdir()] == ["tuning.json"]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"version": 2}', '{"version": 1, "profiles": {"a": {"tuning": []}}}'])
def test_what_is_no_state_is_told_with_what_to_do(text: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        parse_state(text, "status/tuning.json")
    assert all(
        problem.startswith("status/tuning.json") and problem.endswith("; remove the file to begin anew")
        for problem in caught.value.problems
    ), caught.value.problems


@pytest.mark.parametrize(
    ("stated", "seconds"),
    [("24h", 86_400.0), ("90m", 5_400.0), ("7d", 604_800.0), ("600s", 600.0), (3600, 3_600.0), (False, None)],
)
def test_times_are_written_as_people_do(stated: Any, seconds: float | None) -> None:
    assert load_settings({"tuning": {"every": stated}}, {}).tuning.every == seconds


@pytest.mark.parametrize("stated", ["soon", "1w", "h", True, 5, "200d", "nanh"])
def test_other_times_are_problems(stated: Any) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load_settings({"tuning": {"every": stated}}, {})
    assert all("tuning.every" in problem for problem in caught.value.problems)


def test_a_time_that_is_none_is_told_how_times_are_written() -> None:
    with pytest.raises(ConfigurationError) as caught:
        load_settings({"tuning": {"every": "24x"}}, {})
    (problem,) = caught.value.problems
    assert problem.endswith("tuning.every: must be a time such as 24h, 90m or 7d, or seconds")


@pytest.mark.parametrize("stated", [5, "5"])
def test_a_bare_number_is_said_to_be_seconds(stated: Any) -> None:
    """Somebody who writes it means hours, or days."""
    with pytest.raises(ConfigurationError) as caught:
        load_settings({"tuning": {"every": stated}}, {})
    (problem,) = caught.value.problems
    assert problem == (
        "callback_settings.prompt_router: tuning.every: must be a minute at least;"
        " a number is seconds, so 5 hours are 5h"
    )

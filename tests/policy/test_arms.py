"""Canary and control group: shares come out, raising keeps, and nothing but the conversation decides."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from litellm_prompt_router.policy import draw
from litellm_prompt_router.policy.decide import CANARY, HOLDOUT, hash_fraction

IDS = [f"c-{number:06x}" for number in range(10_000)]


def canary(percent: float, scope: str = "alpha") -> set[str]:
    return {each for each in IDS if draw(scope, each, percent=percent, holdout=0) == "treatment"}


def test_ten_percent_are_ten_percent_and_stay_in_at_twenty() -> None:
    ten, twenty = canary(10), canary(20)
    assert 0.09 <= len(ten) / len(IDS) <= 0.11
    assert 0.19 <= len(twenty) / len(IDS) <= 0.21
    assert ten < twenty


def test_keys_have_canaries_of_their_own() -> None:
    assert 0 < len(canary(10) & canary(10, "beta")) < 300


@given(st.text(), st.text(), st.floats(0, 100), st.floats(0, 100), st.floats(0, 1))
def test_raising_keeps_everyone_in(scope: str, conversation: str, one: float, other: float, holdout: float) -> None:
    low, high = sorted((one, other))
    if draw(scope, conversation, percent=low, holdout=holdout) != "not_in_percent":
        assert draw(scope, conversation, percent=high, holdout=holdout) != "not_in_percent"


@given(st.text(), st.text())
def test_all_and_none(scope: str, conversation: str) -> None:
    assert draw(scope, conversation, percent=100, holdout=0) == "treatment"
    assert draw(scope, conversation, percent=0, holdout=1) == "not_in_percent"
    assert draw(scope, conversation, percent=100, holdout=1) == "holdout"


def test_the_control_group_is_drawn_from_the_canary_by_a_hash_of_its_own() -> None:
    drawn = [draw("alpha", each, percent=50, holdout=0.1) for each in IDS]
    assert drawn.count("holdout") / len(IDS) == pytest.approx(0.05, abs=0.008)
    held = {each for each in IDS if draw("alpha", each, percent=100, holdout=0.1) == "holdout"}
    assert all(draw("alpha", each, percent=50, holdout=0.1) in ("holdout", "not_in_percent") for each in held)


def test_places_never_move() -> None:
    """A change here would throw every running conversation into another arm."""
    assert hash_fraction(CANARY, "alpha", "c-1") == pytest.approx(0.3264652580649887, abs=1e-12)
    assert hash_fraction(HOLDOUT, "alpha", "c-1") == pytest.approx(0.6494073628639079, abs=1e-12)

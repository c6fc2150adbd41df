"""The breaker: opens, waits, tries, closes. Time is a number."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from litellm_prompt_router.policy.breaker import Breaker, BreakerThresholds, Trip

THRESHOLDS = BreakerThresholds(key_faults=3, all_faults=5, window_seconds=60, pause_seconds=30)


def failing(breaker: Breaker, key: str, *moments: float) -> list[Trip]:
    return [trip for moment in moments for trip in breaker.failed(key, moment)]


def test_it_opens_for_the_key_that_fails_and_no_other() -> None:
    breaker = Breaker(THRESHOLDS)
    assert failing(breaker, "a", 0, 1) == []
    assert breaker.admits("a", 1)
    assert failing(breaker, "a", 2) == [Trip(key="a", faults=3, window_seconds=60, pause_seconds=30)]
    assert not breaker.admits("a", 31.9)
    assert breaker.admits("b", 2)
    assert breaker.open_for(3) == ("a",)


def test_faults_that_are_far_apart_dont_count() -> None:
    assert failing(Breaker(THRESHOLDS), "a", 0, 59, 60, 119, 121) == []


def test_many_keys_with_few_faults_each_open_it_for_all() -> None:
    breaker = Breaker(THRESHOLDS)
    trips = [trip for number in range(5) for trip in breaker.failed(f"key-{number}", number)]
    assert trips == [Trip(key=None, faults=5, window_seconds=60, pause_seconds=30)]
    assert not breaker.admits("somebody else", 10)
    assert breaker.open_for(10) == (None,)


def test_faults_that_lie_in_what_some_send_open_it_for_them_alone() -> None:
    """A request between them that ran well shows that not every request meets the fault."""
    breaker = Breaker(THRESHOLDS)
    for number in range(30):
        breaker.failed(f"key-{number % 6}", number)
        if number % 4 == 3:
            breaker.succeeded("somebody else", number)
    assert breaker.admits("somebody else", 30)
    assert None not in breaker.open_for(30)
    assert len(breaker.open_for(30)) == 6


def test_a_probe_that_goes_well_closes_it() -> None:
    breaker = Breaker(THRESHOLDS)
    failing(breaker, "a", 0, 1, 2)
    assert breaker.admits("a", 32)
    breaker.succeeded("a", 32)
    assert failing(breaker, "a", 63, 64) == []
    assert breaker.admits("a", 64)


def test_a_probe_that_fails_opens_it_again_without_a_word() -> None:
    """One outage is one event, however long it lasts."""
    breaker = Breaker(THRESHOLDS)
    failing(breaker, "a", 0, 1, 2)
    assert failing(breaker, "a", 32) == []
    assert not breaker.admits("a", 61)
    assert breaker.admits("a", 62)


def test_a_success_while_it_counts_forgets_nothing() -> None:
    breaker = Breaker(THRESHOLDS)
    failing(breaker, "a", 0, 1)
    breaker.succeeded("a", 1.5)
    assert len(failing(breaker, "a", 2)) == 1


def test_one_key_alone_doesnt_open_it_for_all() -> None:
    """While it is open for the key, no more of its faults come but probes."""
    breaker = Breaker(BreakerThresholds())
    moments = [float(second) for second in range(600)]
    trips = [trip for now in moments if breaker.admits("a", now) for trip in breaker.failed("a", now)]
    assert [trip.key for trip in trips] == ["a"]


@given(st.lists(st.tuples(st.sampled_from("abc"), st.booleans(), st.floats(0, 20)), max_size=200))
def test_it_always_admits_again_after_the_pause(steps: list[tuple[str, bool, float]]) -> None:
    """Whatever happened before."""
    breaker, now = Breaker(THRESHOLDS), 0.0
    for key, is_fault, wait in steps:
        now += wait
        if breaker.admits(key, now):
            (breaker.failed if is_fault else breaker.succeeded)(key, now)
    assert all(breaker.admits(key, now + THRESHOLDS.pause_seconds) for key in "abc")

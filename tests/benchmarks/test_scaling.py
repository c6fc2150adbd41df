"""The scaling benchmark: what its calls are, how a held event loop is seen, and rows that aren't done in time."""

from __future__ import annotations

import asyncio
import itertools
import random
import time
from dataclasses import replace

import pytest

from tests.benchmarks.scaling import (
    Case,
    Found,
    LoopWatch,
    bodies,
    cases,
    measured_apart,
    profiles_of,
    row_of,
    system_text,
)

SMALL = Case(profiles=3, chars=4_000, modules=5, messages=6)


def test_a_first_sight_is_another_conversation() -> None:
    """Nothing that was said in one was said in another; a call that goes on has the one before as its beginning."""
    profiles = profiles_of(SMALL)
    first, second = (body["messages"] for body in itertools.islice(bodies(SMALL, profiles), 2))
    assert len(first) == len(second) == 6
    assert not {message["content"] for message in first[1:]} & {message["content"] for message in second[1:]}
    goes_on = bodies(replace(SMALL, goes_on=True), profiles)
    before, after = (body["messages"] for body in itertools.islice(goes_on, 2))
    assert after[: len(before)] == before
    assert len(after) == len(before) + 2


def test_prompts_are_known_unknown_or_mixed() -> None:
    profiles = profiles_of(SMALL)
    chance = random.Random(1)
    known, unknown = profiles[0].text, system_text(replace(SMALL, prompt="unknown"), profiles, chance)
    assert system_text(SMALL, profiles, chance).splitlines()[:5] == known.splitlines()[:5]
    lines = {line for profile in profiles for line in profile.text.splitlines() if len(line) > 20}
    mixed = system_text(replace(SMALL, prompt="mixed lines"), profiles, chance)
    of_others = [line for line in mixed.splitlines()[:-1] if line in lines and line not in known.splitlines()]
    assert of_others
    assert not lines & set(unknown.splitlines())


def test_a_held_loop_is_seen() -> None:
    """Work between two turns of the loop counts as one stretch; pauses and turns in between don't."""

    async def main() -> tuple[float, float]:
        found = []
        for pieces in (1, 5):
            watch = LoopWatch()
            watching = asyncio.create_task(watch.run())
            await asyncio.sleep(0)
            for _ in range(pieces):
                ends = time.thread_time() + 0.1 / pieces
                while time.thread_time() < ends:
                    pass
                await asyncio.sleep(0)
            watching.cancel()
            found.append(watch.longest_seconds)
        return found[0], found[1]

    whole, in_pieces = asyncio.run(main())
    assert whole >= 0.1
    assert in_pieces < whole


@pytest.mark.parametrize("is_quick", [True, False])
def test_every_dimension_grows(is_quick: bool) -> None:
    grown = cases(is_quick=is_quick)
    assert set(grown) == {"profiles", "characters", "messages", "modules"}
    assert {case.prompt for case in grown["profiles"]} == {"known", "unknown", "mixed lines"}


def test_rows() -> None:
    found = Found(parsing_ms=0.1, hook_ms=0.25, held_ms=1.0, all_threads_ms=0.3, calls=3)
    assert row_of(SMALL, found, 60.0)[-4:] == ("0.25", "2.5", "1.00", "0.30")
    assert row_of(SMALL, None, 60.0)[-4] == "not within 60 s"


def test_a_row_that_takes_too_long_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.benchmarks.scaling.measure", lambda case: time.sleep(600))
    began = time.monotonic()
    assert measured_apart(SMALL, 0.1) is None
    assert time.monotonic() - began < 60

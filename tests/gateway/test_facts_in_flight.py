"""Facts between our hooks: found by their seal alone, bounded, and gone when nobody can ask for them."""

from __future__ import annotations

import os
import uuid

from hypothesis import given
from hypothesis import strategies as st

from litellm_prompt_router.gateway.facts_in_flight import FactsInFlight, LeftRequest
from litellm_prompt_router.gateway.request_ids import new_id
from tests.record.test_ledger_schema import FULL_FACTS

LEFT = LeftRequest(FULL_FACTS, None)


def test_facts_are_found_by_their_seal() -> None:
    kept = FactsInFlight()
    seal = kept.put(LEFT)
    assert kept.get(seal) is LEFT
    for other in (None, "", "0" * 32, 7, [seal], {seal: 1}, seal[:-1]):
        assert kept.get(other) is None
    kept.finish(seal)
    assert (kept.get(seal), len(kept)) == (LEFT, 0)
    other_marks = LEFT._replace(facts=FULL_FACTS)
    kept.replace(seal, other_marks)
    assert kept.get(seal) is other_marks


def test_what_a_fault_took_back_is_gone() -> None:
    kept = FactsInFlight()
    seal = kept.put(LEFT)
    kept.forget(seal)
    kept.forget(None)
    kept.finish(seal)
    kept.replace(seal, LEFT)
    assert kept.get(seal) is None


@given(finished=st.lists(st.booleans(), max_size=40))
def test_both_are_bounded_and_the_oldest_go_first(finished: list[bool]) -> None:
    kept = FactsInFlight(max_in_flight=8, max_finished=3)
    open_seals: list[str] = []
    closed: list[str] = []
    for ends in finished:
        open_seals.append(kept.put(LEFT))
        if ends:
            closed.append(open_seals.pop())
            kept.finish(closed[-1])
    assert len(kept) <= 8
    assert [seal for seal in open_seals if kept.get(seal)] == open_seals[len(open_seals) - len(kept) :]
    assert [seal for seal in closed if kept.get(seal)] == closed[-3:]


def test_ids_are_unlike_each_other_and_another_processs() -> None:
    """In the form of random UUIDs, after a fork as well."""
    made = [new_id() for _ in range(10_000)]
    assert len(set(made)) == len(made)
    assert all(uuid.UUID(each).version == 4 and uuid.UUID(each).hex == each for each in made[:100])
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        os.write(writer, new_id().encode())
        os._exit(0)
    os.waitpid(child, 0)
    assert os.read(reader, 32).decode() != new_id()

"""A ledger's calls are put together as the conversations that they were."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from litellm_prompt_router.analysis.conversation_links import LinkedCall, linked
from litellm_prompt_router.analysis.ledger_calls import CallTally, calls_in
from litellm_prompt_router.request.types import Turn
from tests.analysis.ledger_traffic import answer, call, line_of, result, user
from tests.made_profiles import module, profile

SAMPLE = profile(module("core", "core " * 20, always=True), module("a", "aa " * 30), module("b", "bb " * 30))
SHARED_TURNS = 3
"""So short a history may as well be another conversation's, that opened alike and was answered alike."""
OPENINGS = ("sum up this file", "hello", "go on")


def links_of(lines: Sequence[Any]) -> list[LinkedCall]:
    return linked(calls_in(lines, SAMPLE, CallTally()))


def grouped(links: Sequence[LinkedCall]) -> list[list[str]]:
    """Request ids by conversation; repeated calls in brackets."""
    found: dict[int, list[str]] = defaultdict(list)
    for link in links:
        found[link.conversation].append(f"({link.call.request_id})" if link.is_repeated else link.call.request_id)
    return list(found.values())


def lines(*histories: Sequence[Turn], **more: Any) -> list[Any]:
    return [line_of(turns, SAMPLE, at=10.0 * n, number=n, **more) for n, turns in enumerate(histories)]


ASK, SAID, CALLED, GOT = user("hello"), answer("what is it?"), call("ls", '{"path": "in"}'), result("a.csv")
LOOP = [ASK, CALLED, GOT]


def test_calls_follow_each_other_through_tool_loops_and_messages() -> None:
    links = links_of(lines([ASK], LOOP, [*LOOP, SAID, user("sum it up")]))
    assert grouped(links) == [["r0", "r1", "r2"]]
    assert [link.continues for link in links] == [None, 0, 1]
    assert [link.call.is_new_message for link in links] == [True, False, True]


def test_conversations_that_open_alike_part() -> None:
    """With one id by their callers, and one of them answered while the other waits."""
    one, other = [ASK, SAID, user("x")], [ASK, answer("yes?"), user("y")]
    assert grouped(links_of(lines([ASK], [ASK], one, other))) == [["r0", "r3"], ["r1", "r2"]]


def test_conversations_that_are_alike_to_the_end_stay_apart() -> None:
    """A load test's, of which every one says the same."""
    whole = [*LOOP, SAID, user("x")]
    assert grouped(links_of(lines([ASK], [ASK], LOOP, LOOP, whole, whole))) == [["r0", "r3", "r4"], ["r1", "r2", "r5"]]


def test_the_same_messages_again_are_the_same_call() -> None:
    links = links_of(lines([ASK], LOOP, LOOP, [*LOOP, SAID, user("x")]))
    assert grouped(links) == [["r0", "r1", "(r2)", "r3"]]
    assert links[3].continues == 2


def test_a_failed_attempt_is_no_call() -> None:
    failed = line_of([ASK], SAMPLE, at=0, number=0, status="failure")
    assert grouped(links_of([failed, *lines([ASK], LOOP)[1:], line_of([ASK], SAMPLE, at=1, number=7)])) == [
        ["r7", "r1"]
    ]


def test_one_that_edits_an_earlier_message_stays_in_its_conversation() -> None:
    links = links_of(lines([ASK], [ASK, SAID, user("x")], [ASK, SAID, user("y")]))
    assert grouped(links) == [["r0", "r1", "r2"]]
    assert [link.continues for link in links] == [None, 0, 0]


def test_a_history_without_its_beginning_stays_in_its_conversation() -> None:
    long = [*LOOP, SAID, user("x"), call("ls", "2"), result("b.csv")]
    links = links_of(lines([ASK], LOOP, long[:5], long, [*long[3:], answer("so"), user("y")], conversation=None))
    assert grouped(links) == [["r0", "r1", "r2", "r3", "r4"]]
    assert links[4].continues is None


@pytest.mark.parametrize(
    ("names_session", "conversations"),
    [pytest.param(True, 1, id="a session"), pytest.param(False, 2, id="first words alone")],
)
def test_a_summary_in_place_of_the_history(names_session: bool, conversations: int) -> None:
    """Nothing of it is known from before; only a session tells whose it is."""
    links = links_of(lines([ASK], LOOP, [user("This session continues an earlier one")], names_session=names_session))
    assert len(grouped(links)) == conversations


def test_keys_have_conversations_of_their_own() -> None:
    """And their hashes of the same messages differ."""
    one, other = line_of([ASK], SAMPLE, at=0, number=0), line_of(LOOP, SAMPLE, at=1, number=1, key="beta")
    assert grouped(links_of([one, other])) == [["r0"], ["r1"]]
    assert one["history_state"] not in other["previous_history_states"]


def test_answers_in_several_pieces() -> None:
    """As the Responses API has them: reasoning, words, calls with results between them."""
    pieces = [
        [ASK],
        [ASK, Turn("reasoning", ""), answer("I look"), CALLED, GOT, call("cat", "x"), result("1,2")],
        [ASK, answer("I look"), CALLED, GOT, call("cat", "x"), result("1,2"), SAID, user("x")],
    ]
    assert [link.continues for link in links_of(lines(*pieces))] == [None, 0, 1]


@dataclass
class _Client:
    """One conversation under way: what it sends next, and how it treats its history."""

    truth: int
    turns: list[Turn]
    style: str
    rng: random.Random
    sent: list[Turn] = field(default_factory=list)

    def next_call(self) -> list[Turn]:
        if self.sent:
            if self.rng.random() < 0.1 and len(self.sent) > SHARED_TURNS:
                return self.sent  # once more
            self.turns = [*self.sent, *self._step()]
            if self.style == "window" and len(self.turns) > 8:
                self.turns = self.turns[-6:]
        self.sent = self.turns
        return self.sent

    def _step(self) -> Iterator[Turn]:
        unique = f"{self.truth} {self.rng.random()}"
        if self.rng.random() < 0.5:
            yield call("ls", unique)
            yield result(f"rows {unique}")
        else:
            yield answer(f"done {unique}")
            yield user(self.rng.choice(("go on", "thanks", "and now?")))


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 12), st.sampled_from(["whole", "window"]))
def test_generated_traffic_is_put_together_as_it_was(seed: int, conversations: int, style: str) -> None:
    """Identical openings, interleaved conversations, cut histories and repeated calls; workers in any order.

    Conversations that opened with the same words may swap their first calls, which are the same to the byte.
    """
    rng = random.Random(seed)
    clients = [_Client(n, [user(rng.choice(OPENINGS))], style, rng) for n in range(conversations)]
    truth: dict[str, int] = {}
    made: list[Any] = []
    repeated = 0
    for number in range(conversations * 8):
        client = rng.choice(clients)
        is_first, before = not client.sent, client.sent
        turns = client.next_call()
        repeated += turns is before
        truth[f"r{number}"] = -1 if is_first else client.truth
        made.append(line_of(turns, SAMPLE, at=float(number), number=number, conversation=None))
    rng.shuffle(made)
    links = links_of(made)
    found: dict[int, set[int]] = defaultdict(set)
    openings: dict[int, int] = defaultdict(int)
    for link in links:
        true = truth[link.call.request_id]
        if true < 0:
            openings[link.conversation] += 1
        else:
            found[link.conversation].add(true)
    assert all(len(true) == 1 for true in found.values())
    assert len({next(iter(true)) for true in found.values()}) == len(found)
    assert all(count == 1 for count in openings.values())
    assert sum(link.is_repeated for link in links) == repeated
